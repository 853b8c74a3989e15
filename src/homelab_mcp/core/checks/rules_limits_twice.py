"""HL126: limits that a service sets itself beside its deploy section."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_limits import DEPLOY, HEAD, LIMITS, NUMBER, RESERVED, byte_size, value_at
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.model.finding import Finding, Severity


@rule(
    "HL126",
    Severity.ERROR,
    "Two different limits for one thing",
    why="Compose refuses a limit that the service itself and its deploy section set to different values, or that only "
    "the service sets where deploy sets others.",
    link=f"{DEPLOY}#resources",
    bad=f"{HEAD}    cpus: 0.5\n    deploy: {{resources: {{limits: {{cpus: '0.25'}}}}}}\n",
    good=f"{HEAD}    deploy: {{resources: {{limits: {{cpus: '0.25'}}}}}}\n",
)
def two_limits(ctx: LintContext) -> Iterable[Finding]:
    """``cpus``, ``mem_limit``, ``mem_reservation``, ``pids_limit`` beside ``deploy.resources`` that says otherwise."""
    for service in ctx.services():
        for own, part, name in _TWICE if "deploy" in service.data else ():
            mine, beside = service.data.get(own), value_at(service.data, part)
            amount = byte_size(mine) if name == "memory" else _amount(mine)
            if not amount or not isinstance(beside, dict) or not beside:
                continue
            if name not in beside:
                # Compose takes a limit that is not there for 0, as soon as deploy sets any other.
                message = f"'{'.'.join(part)}' is there and does not repeat it; move it to '{name}' there."
                yield ctx.on(service, (own,), message)
                continue
            theirs = byte_size(beside[name]) if name == "memory" else _amount(beside[name])
            if theirs is not None and theirs != amount:
                yield ctx.on(service, (*part, name), f"'{own}' says something else.")


_TWICE = (
    ("cpus", LIMITS, "cpus"),
    ("mem_limit", LIMITS, "memory"),
    ("pids_limit", LIMITS, "pids"),
    ("mem_reservation", RESERVED, "memory"),
)


def _amount(value: Any) -> float | None:
    if isinstance(value, bool) or is_open(value) or not NUMBER.fullmatch(str(value)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
