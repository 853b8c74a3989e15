"""How the lab's Docker hosts are: reached or not, what their engines say, how long certificates last."""

from __future__ import annotations

from typing import Any

from homelab_mcp.model.hosts import HostLook
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.ports import Lab

SOON_DAYS = 30
_DAY = 86_400.0


def looked(lab: Lab, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """``findings`` (what is not well) and ``hosts``, all of them where none is named. Raises NotFound, InvalidInput."""
    found = lab.hosts.looks(names)
    stacks = _stacks(lab)
    return {
        "findings": [finding for one in found for finding in _findings(one)],
        "hosts": [_row(one, stacks.get(one.name, [])) for one in found],
    }


def tls_rows(lab: Lab, name: str) -> list[dict[str, Any]]:
    """The certificates made here for a host: role, path, names, days left. Raises NotFound (``tls_missing``)."""
    now = lab.clock.now()
    return [
        {"role": f.role, "file": f.path, "names": list(f.names), "days_left": int((f.ends - now) // _DAY)}
        for f in lab.hosts.tls(name)
    ]


def _findings(one: HostLook) -> list[dict[str, str]]:
    found = []
    if one.error:
        found.append({"level": "fail", "what": one.error, "do": one.hint})
    if one.days_left is not None and one.days_left < SOON_DAYS:
        ended = "has ended" if one.days_left < 0 else f"ends in {one.days_left} days"
        level = "fail" if one.days_left < 0 else "warn"
        todo = f"`homelab-mcp host tls {one.name} --rotate`."
        found.append({"level": level, "what": f"The certificate for host {one.name} {ended}.", "do": todo})
    return found


def _row(one: HostLook, stacks: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {"host": one.name, "address": one.address, "answers": not one.error, "stacks": stacks}
    if not one.error:
        row |= {
            "version": one.version,
            "cpus": one.cpus,
            "memory_gb": round(one.memory / 2**30, 1),
            "running": one.running,
            "milliseconds": one.milliseconds,
        }
    if one.days_left is not None:
        row["certificate_days"] = one.days_left
    return row


def _stacks(lab: Lab) -> dict[str, list[str]]:
    from homelab_mcp.core.stack_host import host_of

    found: dict[str, list[str]] = {LOCAL: []}
    for name, path in lab.files.stack_folders():
        found.setdefault(host_of(lab.files.read(path) or ""), []).append(name)
    return found
