"""HL286: programs told to let in everybody."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks.app_folders import repository
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import words_of
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.model.finding import Finding, Severity

HEAD = (
    "services:\n  grafana:\n    image: grafana/grafana:12.1.0\n    volumes: ['data:/var/lib/grafana']\n"
    "    environment:\n      GF_AUTH_ANONYMOUS_ENABLED: 'true'\n      GF_AUTH_ANONYMOUS_ORG_ROLE: "
)
SETUP = "https://grafana.com/docs/grafana/latest/setup-grafana/configure-security/configure-authentication/"


@rule(
    "HL286",
    Severity.WARNING,
    "A program that lets in everybody",
    why="Whoever reaches it may change everything in it, or read and send every message, without a password.",
    link=f"{SETUP}anonymous-auth/",
    bad=f"{HEAD}Admin\nvolumes: {{data: }}\n",
    good=f"{HEAD}Viewer\nvolumes: {{data: }}\n",
)
def open_door(ctx: LintContext) -> Iterable[Finding]:
    """Grafana with an anonymous administrator, Jupyter without a token, Mosquitto with ``allow_anonymous true``."""
    for service in ctx.services():
        if service.image_name.startswith("grafana"):
            yield from _grafana(ctx, service)
        if service.image_name.endswith("-notebook") or service.image_name in {"jupyter", "jupyterlab"}:
            yield from _jupyter(ctx, service)
        if repository(service) in _ASK_ONLY_IF_TOLD:
            yield from _untold(ctx, service)
    for service, file in ctx.lab.config_files:
        lines = file.text.splitlines() if service.image_name == "eclipse-mosquitto" else []
        listeners = [w for line in lines if (w := line.split()) and w[0] == "listener"]
        at_home = listeners and all(len(w) > 2 and w[2] in _OWN for w in listeners)
        for number, line in enumerate(lines if not at_home else (), start=1):
            if re.fullmatch(r"allow_anonymous\s+true\s*", line):
                where, mark = file.place(number, 1)
                message = "Whoever reaches the broker may read and send everything without a password."
                yield Finding("HL286", Severity.WARNING, message, where, mark.line, mark.column)


_OWN = frozenset({"127.0.0.1", "localhost", "::1"})


def _grafana(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    enabled = service.environment.get("GF_AUTH_ANONYMOUS_ENABLED")
    role = service.environment.get("GF_AUTH_ANONYMOUS_ORG_ROLE")
    if enabled and role and (enabled.value or "").lower() in {"true", "1"} and role.value in ("Admin", "Editor"):
        yield ctx.on(service, role.path, f"Everybody who opens Grafana is {role.value} without a log-in.")


def _jupyter(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    """An empty token, and no password beside it: whoever opens the page has a shell."""
    part = service.data.get("command")
    if is_open(part) or (isinstance(part, list) and any(map(is_open, part))):
        return
    words = words_of(service, "command")
    empty = next((w for w in words if re.fullmatch(r"--(?:\w+App|IdentityProvider)\.token=(?:''|\"\")?", w)), None)
    if empty and not any(re.search(r"password=['\"]?[^'\"]", w) for w in words):
        yield ctx.on(service, ("command",), "Without a token whoever opens the page has a shell in the container.")


_ASK_ONLY_IF_TOLD = {"linuxserver/code-server": ("PASSWORD", "HASHED_PASSWORD")}
"""Repository -> variables without which it lets in everybody (its page, "Parameters")."""


def _untold(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    """Such a program, published on every address, without any of these variables."""
    names = _ASK_ONLY_IF_TOLD[repository(service)]
    # LinuxServer's images read FILE__NAME as the file that holds NAME.
    given = any(k.removeprefix("FILE__").startswith(names) for k in service.environment)
    if service.data.get("env_file") or service.partial or given:
        return
    for entry, published in service.published:
        if published.everywhere and published.protocol == "tcp":
            message = f"Without {names[0]} it asks nobody, and {published.shown} is open to every network."
            yield ctx.on(service, entry.at("published"), message)
