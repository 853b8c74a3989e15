"""Authelia's access rules: one for each host that is routed, and nothing else may pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from homelab_mcp.core.access import RouteAccess, all_routes, explained, open_pattern
from homelab_mcp.core.authelia import Portal, configuration, keeps_sessions, own_rules, portal_of
from homelab_mcp.core.derived import DerivedFile, LabAfter
from homelab_mcp.core.lazy import KEEP_ROUTE
from homelab_mcp.core.traefik import TRAEFIK
from homelab_mcp.core.yaml_emit import Style, entry
from homelab_mcp.model.errors import InvalidInput

_HEAD = """\
# Made by homelab-mcp from the routes of this lab, anew with every apply: what is changed here is lost.
# Rules of your own go into configuration.yml beside it, under access_control.rules: they are copied here and come
# first; one for the whole domain comes last. What no rule names is denied.
access_control:
  default_policy: deny
  rules:
"""
EMPTY_TOO = "--providers.docker.allowemptyservices"
"""Traefik's flag that keeps what a container defines while its health check does not pass."""

_WHY = "Access rules follow from the routes."
_LOGS_OUT = "Authelia restarts to read its access rules; it keeps sessions in memory, so everybody logs in again."

_VANISHES = (
    "Until it is healthy again Traefik answers 404 on every protected route: the label traefik.docker.allownonrunning "
    "on it, and --providers.docker.allowemptyservices=true on Traefik, keep them; `homelab-mcp validate --fix --rule "
    "HL252` plans both."
)


def access_control(lab: LabAfter) -> Iterator[DerivedFile]:
    """``access-control.yml`` beside the ``configuration.yml`` of an Authelia that loads it; nothing where none does."""
    portal = portal_of(lab.view)
    if portal is None or not portal.loads_access:
        return
    try:
        data = configuration(lab.read, portal)
    except InvalidInput:
        # Authelia does not start with such a file either; guessing a person's rules would open what they closed.
        return
    where = (portal.service.stack, portal.service.name)
    told = [_WHY] if keeps_sessions(data) else [_WHY, _LOGS_OUT]
    if not _stays(lab, portal):
        told.append(_VANISHES)
    first, last = own_rules(data, lab.settings.domain)
    routes = all_routes(lab.view, lab.settings)
    yield DerivedFile(
        portal.path("access-control.yml"),
        rules_text(routes, first, last),
        " ".join(told),
        restart=(where,),
    )


def _stays(lab: LabAfter, portal: Portal) -> bool:
    """Whether Traefik knows the log-in's middleware while the container that defines it restarts."""
    traefik = lab.view.made_from(TRAEFIK)
    flags = traefik.data.get("command") if traefik else None
    if not isinstance(flags, list):
        # Nobody can tell: it is told by a file, or there is none.
        return True
    kept = portal.service.labels.get(KEEP_ROUTE, "").lower() == "true"
    return kept and f"{EMPTY_TOO}=true" in [str(flag).lower() for flag in flags]


def rules_text(
    routes: list[RouteAccess], first: list[dict[str, Any]] | None = None, last: list[dict[str, Any]] | None = None
) -> str:
    """The whole file: a person's rules, one or more a route, and a person's rules for the whole domain."""
    parts = [_HEAD]
    parts += [_lines("from configuration.yml", [rule]) for rule in first or ()]
    parts += [_lines(f"{route.where}: {'; '.join(explained(route))}", rules_of(route)) for route in routes]
    parts += [_lines("from configuration.yml, for the whole domain", [rule]) for rule in last or ()]
    if len(parts) == 1:
        return _HEAD.replace("rules:\n", "rules: []\n")
    return "".join(parts)


def rules_of(route: RouteAccess) -> list[dict[str, Any]]:
    """A route's rules in the order in which they are tried."""
    rules: list[dict[str, Any]] = []
    if route.open_paths and route.policy != "bypass":
        patterns = [open_pattern(path, below=below) for path, below in route.open_paths]
        rules.append({"domain": route.host, "policy": "bypass", "resources": patterns})
    if route.groups:
        subjects = [f"group:{group}" for group in route.groups]
        rules.append({"domain": route.host, "policy": route.policy, "subject": subjects})
        # Else a rule for the whole domain further down would let in everyone else.
        rules.append({"domain": route.host, "policy": "deny"})
    else:
        rules.append({"domain": route.host, "policy": route.policy})
    return rules


def _lines(comment: str, rules: list[dict[str, Any]]) -> str:
    told = " ".join(comment.split())
    lines = [f"    # {told}", *(line for rule in rules for line in entry("rules", [rule], 2, Style())[1:])]
    return "".join(f"{line}\n" for line in lines)
