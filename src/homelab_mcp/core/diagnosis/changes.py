"""What was changed lately, and what the checker says of its file."""

from __future__ import annotations

from collections.abc import Iterator

from homelab_mcp.core.diagnosis.clues import control
from homelab_mcp.model.diagnosis import Cause, Facts, Remedy

_LATELY = 48 * 3600.0


def causes(f: Facts) -> Iterator[Cause]:
    """The last apply, a container that is not what its file says, errors of the checker."""
    one = f.one
    bad = one is None or one.state.state != "running" or one.state.health == "unhealthy" or one.state.restart_count > 0
    if f.recent and f.recent[2] < _LATELY and bad:
        plan, summary, ago = f.recent
        sure = 0.62 if ago < 3600 else 0.45
        fix = Remedy("Take that change back.", "rollback", {"plan_id": plan})
        seen: tuple[str, ...] = (f"{_since(ago)} ago: {summary}",)
        yield Cause("recent_change", sure, "Its stack was changed shortly before.", seen, fix)
    if f.drift and f.containers:
        fix = control(f, "recreate", "Make its container anew, as its file says now.")
        seen = ("the container's config hash is not the file's",)
        yield Cause(
            "stale_container", 0.5 if bad else 0.6, "Its file was changed, and the container is the old one.", seen, fix
        )
    errors = [(rule, told, fixable) for rule, severity, told, fixable in f.findings if severity == "error"]
    for rule, told, fixable in errors[:3]:
        fix = (
            Remedy("Apply the checker's fix.", "fix_compose", {"stack": f.stack, "rules": [rule]})
            if fixable
            else Remedy("Correct the stack's file.", "validate_compose", {"stack": f.stack})
        )
        yield Cause(f"lint_{rule.lower()}", 0.55 if bad else 0.35, told, (f"rule {rule}",), fix)


def _since(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
