"""HL251: labels of Sablier, Watchtower and others that their program does not read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_lazy import groups_of, woken
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.model.finding import Finding, Severity

HEAD = "services:\n  web:\n    image: nginx:1.29\n    labels:\n"
_SABLIER = frozenset(
    {"enable", "group", "ready-after", "ready-on-start", "running-hours", "running-days", "anti-affinity"}
    | {f"{when}.{what}" for when in ("idle", "active") for what in ("replicas", "cpu", "memory", "blkio-weight")}
    | {
        f"{when}.blkio-{what}"
        for when in ("idle", "active")
        for what in ("weight-device", "device-read-bps", "device-write-bps", "device-read-iops", "device-write-iops")
    }
)
_WATCHTOWER = frozenset(
    {"enable", "monitor-only", "no-pull", "scope", "depends-on", "stop-signal"}
    | {f"lifecycle.{when}" for when in ("pre-check", "pre-update", "post-update", "post-check")}
    | {f"lifecycle.{when}-timeout" for when in ("pre-update", "post-update")}
)
_FAMILIES = {
    "sablier.": _SABLIER,
    "com.centurylinklabs.watchtower.": _WATCHTOWER,
    "diun.": frozenset(
        {"enable", "regopt", "watch_repo", "notify_on", "sort_tags", "max_tags", "include_tags", "exclude_tags"}
        | {"hub_tpl", "hub_link", "platform", "metadata"}
    ),
    "autoheal.": frozenset(["stop.timeout"]),
}
"""Beginnings of labels, and what may follow (the references of Sablier, Watchtower, Diun and Autoheal)."""
_THEMES = frozenset({"ghost", "hacker-terminal", "matrix", "shuffle"})


@rule(
    "HL251",
    Severity.WARNING,
    "A label that its program does not read",
    why="Sablier, Watchtower, Diun and Autoheal pass over a label that they do not know, and read only true as yes: "
    "the container is treated as if nothing were written.",
    link="https://sablierapp.dev/reference/labels/",
    bad=f"{HEAD}      sablier.enabled: 'true'\n",
    good=f"{HEAD}      sablier.enable: 'true'\n",
)
def unread_label(ctx: LintContext) -> Iterable[Finding]:
    """Labels of these families that are none, switches that are no booleans, themes that Sablier has not."""
    for service in ctx.services():
        if "sablier.group" in service.labels and not any(k.startswith("sablier.enable") for k in service.labels):
            told = service.labels["sablier.group"]
            yield ctx.on(service, told.path, "Sablier reads a group only beside sablier.enable=true.", key=True)
        for key, entry in service.other_labels:
            family = next((f for f in _FAMILIES if key.lower().startswith(f)), "")
            option = key[len(family) :].lower()
            value = (entry.value or "").strip()
            if family and option not in _FAMILIES[family] and not option.startswith("metadata."):
                near = difflib.get_close_matches(option, _FAMILIES[family], n=1)
                tail = f" Did you mean '{family}{near[0]}'?" if near else ""
                lost = family == "sablier." and near == ["enable"] and _is_waited_for(ctx, service)
                severity = Severity.ERROR if lost else None
                yield ctx.on(service, entry.path, f"Nobody reads {key}.{tail}", key=True, severity=severity)
            elif family and option in _YES_OR_NO and value.lower() not in {"true", "false"} and not entry.open:
                yield ctx.on(service, entry.path, f"{key} is true or false; {value!r} counts as neither.")
            elif key == "autoheal" and value.lower() == "true" and _unchecked(service.data.get("healthcheck")):
                message = "Autoheal restarts what is unhealthy, and the health check is switched off."
                yield ctx.on(service, entry.path, message)
        for _, option, entry in service.http_labels.get("middlewares", ()):
            theme = option.startswith("plugin.") and option.endswith("dynamic.theme")
            if theme and entry.value and not entry.open and entry.value not in _THEMES:
                near = difflib.get_close_matches(entry.value, _THEMES, n=1)
                if near:
                    message = f"Sablier has no theme {entry.value!r} of its own. Did you mean {near[0]!r}?"
                    yield ctx.on(service, entry.path, message)


def _is_waited_for(ctx: LintContext, service: ServiceView) -> bool:
    """True when the container names its group, or a Sablier middleware asks for that: nobody is in it."""
    groups, _ = woken(ctx.lab)
    waited = "sablier.group" in service.labels or bool(groups.intersection(groups_of(service)))
    return "sablier.enable" not in service.labels and waited


_YES_OR_NO = frozenset({"enable", "monitor-only", "no-pull", "ready-on-start", "watch_repo"})


def _unchecked(check: object) -> bool:
    return isinstance(check, dict) and (check.get("disable") is True or check.get("test") in (["NONE"], "NONE"))
