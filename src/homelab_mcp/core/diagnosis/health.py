"""Its health check: one that cannot run, and one that fails."""

from __future__ import annotations

import re
from collections.abc import Iterator

from homelab_mcp.core.diagnosis.clues import call, repair
from homelab_mcp.model.diagnosis import Cause, Facts, Remedy

_NO_PROGRAM = (
    r"executable file not found|: not found|No such file or directory.*exec|OCI runtime exec failed|"
    r"no such file or directory: unknown"
)


def causes(f: Facts) -> Iterator[Cause]:
    """Unhealthy containers, by what the check itself said."""
    one = f.one
    if one is None or one.state.health != "unhealthy" or one.state.state != "running":
        return
    last = one.health_log[-1][:240] if one.health_log else ""
    seen: tuple[str, ...] = (f"check: {one.health_test[:160]}", *([f"it says: {last}"] if last else []))
    program = re.search(_NO_PROGRAM, last)
    if program:
        fix = call(f, "update_service", "Take the image's own check.", health="image")
        title = "Its health check calls a program that the image lacks; the service itself may be well."
        yield Cause("health_program_missing", 0.95, title, seen, fix)
    elif re.search(r"Health check exceeded timeout", last):
        fix = Remedy("Find out what makes the service slow: its image's own check takes too long.")
        if f.body.get("healthcheck"):
            fix = repair(f, "Give the check 30 s. Or find out what makes the service slow.", "patient_health")
        yield Cause("health_timeout", 0.9, "Its health check takes longer than it may.", seen, fix)
    elif re.search(r"Connection refused|Failed to connect|can't connect", last, re.IGNORECASE):
        ports = sorted(one.listens or ())
        where = f"; it listens on {', '.join(map(str, ports[:6]))}" if ports else ""
        fix = Remedy(f"Correct the port in its health check{where}; or, if it should listen there, read its log.")
        yield Cause("health_fails", 0.85, f"Nothing answers its health check{where}.", seen, fix)
    else:
        fix = Remedy("Read its log for why.", "read_logs", {"services": [f"{f.stack}/{f.service}"], "tail": 100})
        yield Cause("health_fails", 0.75, "Its health check fails.", seen, fix)
