"""What a person should know of a machine's state, judged from what somebody else saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from homelab_mcp.model.host import Check, HostHealth, ProcessSeen

DAY = 86_400.0
MIB = 2**20
GIB = 2**30
_FEW = 5


def judged(health: HostHealth) -> Iterator[Check]:
    """What is not well, the gravest kinds first; nothing for what is. ``ok`` False: a person should act."""
    yield from _disks(health)
    yield from _memory(health)
    yield from _load(health)
    yield from _processes(health)
    yield from _settings(health)


def _disks(health: HostHealth) -> Iterator[Check]:
    for mount in health.mounts:
        where = f"{mount.path} ({mount.filesystem})"
        if not mount.answered:
            yield Check(
                "disk", False, f"{where} does not answer.", "Its server or disk is gone; `dmesg | tail` tells more."
            )
        elif mount.total and mount.free < max(mount.total * 0.05, 0.2 * GIB):
            yield Check(
                "disk", False, f"{where} has {_gib(mount.free)} of {_gib(mount.total)} left.",
                "Docker's unused part is told below; `docker image prune -a` and `docker builder prune` free it.",
            )  # fmt: skip
        elif mount.total and mount.free < mount.total * 0.1:
            yield Check("disk", True, f"{where} has {_gib(mount.free)} of {_gib(mount.total)} left.", warning=True)
        if mount.inodes and mount.inodes_free < mount.inodes * 0.05:
            yield Check(
                "inodes", False, f"{where} has {mount.inodes_free} of {mount.inodes} inodes left.",
                "Many small files; `du --inodes -x -d2 | sort -n | tail` finds them.",
            )  # fmt: skip


def _memory(health: HostHealth) -> Iterator[Check]:
    if health.memory and health.available < health.memory * 0.1:
        yield Check(
            "memory", False, f"{_gib(health.available)} of {_gib(health.memory)} memory is available.",
            "resource_usage sorted by memory shows who has it.",
        )  # fmt: skip
    if health.swap and health.swap_free < health.swap * 0.2:
        yield Check("swap", True, f"Swap is {1 - health.swap_free / health.swap:.0%} full.", warning=True)
    for what, share in health.pressure.items():
        if share > 0.2:
            yield Check("pressure", True, f"Tasks waited for {what} {share:.0%} of the last minute.", warning=True)


def _load(health: HostHealth) -> Iterator[Check]:
    one, five, fifteen = health.load
    if health.cpus and five > health.cpus * 1.5:
        busy = sum(p.cpus for p in health.processes)
        waiting = sum(p.state == "D" for p in health.processes)
        why = f"{waiting} processes wait for a disk" if waiting > busy else f"processes use {busy:.1f} processors"
        yield Check(
            "load", five < health.cpus * 3,
            f"Load is {one:.1f}, {five:.1f}, {fifteen:.1f} on {health.cpus} processors; {why}.", warning=True,
        )  # fmt: skip


def _processes(health: HostHealth) -> Iterator[Check]:
    parents = {p.pid: p for p in health.processes}
    dead = [p for p in health.processes if p.state == "Z" and p.seconds > 60]
    by_parent: dict[int, int] = {}
    for one in dead:
        by_parent[one.parent] = by_parent.get(one.parent, 0) + 1
    for pid, count in sorted(by_parent.items(), key=lambda item: -item[1])[:_FEW]:
        parent = parents[pid].name if pid in parents else "a process not seen here"
        yield Check(
            "zombies", count < 50, f"{count} ended processes (zombies) are left by {parent} ({pid}).",
            "They hold no memory. Restart their parent: a service of the lab by a plan, another by `kill -HUP` or "
            "`systemctl restart`.", warning=True,
        )  # fmt: skip
    stuck = [p for p in health.processes if p.waited]
    if stuck:
        names = ", ".join(f"{p.name} ({p.pid})" for p in stuck[:_FEW])
        yield Check(
            "stuck", len(stuck) < 5, f"{len(stuck)} processes wait in the kernel (state D): {names}.",
            "They cannot be ended; what they wait for must come back. `sudo cat /proc/PID/stack` and `dmesg | tail` "
            "tell more.", warning=True,
        )  # fmt: skip
    for one in health.processes:
        if one.cpus > 0.9 and one.seconds > 600 and not one.container:
            yield Check(
                "busy", True, f"{one.name} ({one.pid}, {one.user}) uses {one.cpus:.1f} processors.",
                f"If it should not, a person ends it: `kill {one.pid}`, `kill -9 {one.pid}` where that is not heard.",
                warning=True,
            )  # fmt: skip


def _settings(health: HostHealth) -> Iterator[Check]:
    if health.clock_synced is False:
        yield Check(
            "clock", False, "The clock is not synchronised.",
            "`timedatectl set-ntp true`: log-ins with codes and certificates need the right time.",
        )  # fmt: skip
    for name, known in health.resolved.items():
        if not known:
            how = "did not answer" if known is None else "knows no address"
            yield Check(
                "dns", False, f"The resolver {how} for {name}.", "See /etc/resolv.conf; `getent hosts` asks it."
            )
    if health.reboot:
        yield Check(
            "reboot", True, f"A restart is due ({health.reboot}).", "`sudo reboot`, at a quiet time.", warning=True
        )
    if health.updates:
        security = f", {health.security_updates} for security" if health.security_updates else ""
        yield Check(
            "updates", True, f"{health.updates} packages can be updated{security}.",
            "`sudo apt update && sudo apt upgrade`: not done by homelab-mcp.", warning=True,
        )  # fmt: skip
    if health.lists_age is not None and health.lists_age > 7 * DAY:
        days = int(health.lists_age // DAY)
        yield Check("package_lists", True, f"Package lists are {days} days old.", "`sudo apt update`.", warning=True)


def as_dict(health: HostHealth, names: Mapping[str, str], *, top: int) -> dict[str, Any]:
    """JSON-ready; ``names`` are services by the ids of their containers."""
    body: dict[str, Any] = {
        "up_days": round(health.uptime / DAY, 1),
        "cpus": health.cpus,
        "load": list(health.load),
        "memory_gb": {"total": _gb(health.memory), "available": _gb(health.available)},
        "disks": [_mount(m) for m in sorted(health.mounts, key=lambda m: m.free / (m.total or 1))[:12]],
        "processes": {"total": health.total, "zombie": _count(health, "Z"), "waiting": _count(health, "D")},
        "top": [_process(p, names) for p in _top(health.processes, top)],
        "clock_synced": health.clock_synced,
        "resolves": dict(health.resolved),
        "reboot_due": health.reboot,
        "updates": health.updates,
        "security_updates": health.security_updates,
    }
    if health.swap:
        body["swap_gb"] = {"total": _gb(health.swap), "free": _gb(health.swap_free)}
    if health.pressure:
        body["waiting_share"] = {what: round(share, 3) for what, share in health.pressure.items()}
    if health.inside:
        body["inside"] = health.inside
    odd = [p for p in health.processes if (p.state == "Z" and p.seconds > 60) or p.waited]
    if odd:
        body["stuck"] = [_process(p, names) for p in odd[:20]]
    if health.unseen:
        body["unseen"] = [{"what": u.what, "because": u.why, "run_instead": u.run} for u in health.unseen]
    return {key: value for key, value in body.items() if value is not None}


def _top(processes: Sequence[ProcessSeen], top: int) -> list[ProcessSeen]:
    """The busiest and the largest, each once."""
    busy = sorted((p for p in processes if p.cpus >= 0.05), key=lambda p: -p.cpus)[: -(-top // 2)]
    large = sorted(processes, key=lambda p: -p.memory)
    return list(dict.fromkeys([*busy, *large]))[:top]


def _process(one: ProcessSeen, names: Mapping[str, str]) -> dict[str, Any]:
    body = {
        "pid": one.pid,
        "name": one.name[:40],
        "user": one.user,
        "state": one.state,
        "cpus": round(one.cpus, 2),
        "mem_mb": one.memory // MIB,
        "hours": round(one.seconds / 3600, 1),
    }
    if one.container:
        body["service"] = names.get(one.container, f"container {one.container[:12]}")
    if one.state == "Z":
        body["parent"] = one.parent
    return body


def _mount(mount: Any) -> dict[str, Any]:
    if not mount.answered:
        return {"path": mount.path, "filesystem": mount.filesystem, "answers": False}
    body = {
        "path": mount.path,
        "filesystem": mount.filesystem,
        "total_gb": _gb(mount.total),
        "free_gb": _gb(mount.free),
    }
    if mount.inodes:
        body["inodes_free"] = f"{mount.inodes_free / mount.inodes:.0%}"
    return body


def _count(health: HostHealth, state: str) -> int:
    return sum(p.state == state for p in health.processes)


def _gb(size: int) -> float:
    return round(size / GIB, 1)


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GB"
