"""What services use, now and over time; who grows, who was killed for memory, who restarts in a loop."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from homelab_mcp.core.log_times import stamp
from homelab_mcp.core.redact import clean
from homelab_mcp.core.stack_owner import owners
from homelab_mcp.core.usage_series import Point, Sample, growth, series, since_restart, summary
from homelab_mcp.model.errors import EngineFailed, HomelabError, InvalidInput, NotFound
from homelab_mcp.model.lab import SETTINGS_FILE
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.ports import Lab
from homelab_mcp.ports.meter import Ending, Use
from homelab_mcp.queries.find import check_stack, read_stacks

MIB = 2**20
DAY = 86_400.0
SORTS = ("memory", "cpu", "pids", "network", "disk")
LOOP_RESTARTS = 3
LOOP_SECONDS = 3600.0
HOW_TO_SAMPLE = (
    "No samples yet, so nothing is known over time: the server takes one every five minutes while it runs, or a timer "
    "runs `homelab-mcp usage --sample`."
)


def resource_usage(lab: Lab, *, stack: str = "", sort: str = "memory", top: int = 10, hours: int = 0) -> dict[str, Any]:
    """Services by what they use, the greediest first; ``hours`` adds what was sampled in those.

    Raises:
        InvalidInput: a sort that is none.
        NotFound: no such stack.
        EngineUnavailable: Docker does not answer.
    """
    if sort not in SORTS:
        raise InvalidInput(f"{sort[:20]!r} is nothing to sort by.", hint=f"Sort by: {', '.join(SORTS)}.")
    now = lab.clock.now()
    placed = _placed(lab, stack)
    uses = lab.meter.uses([c.id for c in placed.values() if c.state == "running"])
    looked = _inspected(lab, placed)
    info = lab.engine.info()
    found = ((name, uses[c.id]) for name, c in placed.items() if c.id in uses)
    rows = sorted(found, key=lambda row: (-_key(row[1], sort), row[0]))
    samples = lab.usage_log.samples(now - max(hours, 7 * 24) * 3600)
    body: dict[str, Any] = {
        "services": [_row(name, use, info.memory) for name, use in rows[:top]],
        "total": {
            "running": len(rows),
            "cpus": round(sum(u.usage.cpus for _, u in rows), 2),
            "mem_mb": sum(u.usage.memory for _, u in rows) // MIB,
        },
        "host": {"cpus": info.cpus, "mem_mb": info.memory // MIB},
        "trouble": _trouble(placed, looked, lab.meter.endings(now - DAY), now),
        "growing": _growing(samples, [name for name, _ in rows]),
    }
    if hours:
        recent = [s for s in samples if s.time >= now - hours * 3600]
        shown = ((name, series(recent, name)) for name, _ in rows[:top])
        body["over_time"] = [{"service": name, **summary(points)} for name, points in shown if points]
    body["sampled"] = {"since": stamp(samples[0].time)[:16] + "Z", "count": len(samples)} if samples else HOW_TO_SAMPLE
    return _clean(body)


def sample_now(lab: Lab) -> Sample:
    """Measure every service once and add it to the ring. Raises EngineUnavailable, EngineFailed, StorageFailed."""
    placed = _placed(lab, "")
    uses = lab.meter.uses([c.id for c in placed.values() if c.state == "running"])
    looked = _inspected(lab, placed)
    host = lab.engine.info().memory
    points = {
        name: Point(
            uses[c.id].usage.memory,
            uses[c.id].usage.cpus,
            uses[c.id].usage.pids,
            looked[name].restart_count if name in looked else 0,
            _limit(uses[c.id], host),
        )
        for name, c in placed.items()
        if c.id in uses
    }
    found = Sample(lab.clock.now(), points)
    lab.usage_log.append(found)
    return found


def sample_when_due(lab: Lab, every: float) -> bool:
    """As :func:`sample_now`, unless another process did it less than ``every`` seconds ago; whether it was done."""
    now = lab.clock.now()
    if lab.usage_log.samples(now - every * 0.9):
        return False
    sample_now(lab)
    return True


def keep_sampling(lab: Lab, seconds: float, wait: Callable[[float], object]) -> NoReturn:
    """Sample every so many seconds for as long as the process lives, whatever became of the time before.

    No engine and no disk are for the next time; each other kind of failure is logged once.
    """
    told: set[type[Exception]] = set()
    while True:
        # Waits first: a client that comes for one answer pays nothing for it.
        wait(seconds)
        try:
            if lab.files.read(SETTINGS_FILE) is not None:
                sample_when_due(lab, seconds)
        except (HomelabError, OSError):
            continue
        except Exception as error:
            if type(error) not in told:
                told.add(type(error))
                logging.getLogger("homelab_mcp").exception("sampling what services use failed; it goes on")


def _placed(lab: Lab, stack: str) -> dict[str, ContainerState]:
    """The lab's containers by ``stack/service``; further ones of one service by their names."""
    stacks = read_stacks(lab.files)
    if stack:
        check_stack(stacks, stack)
    known = {one.name for one in stacks}
    found: dict[str, ContainerState] = {}
    whose = owners(stacks, lab.files.root)
    for container in lab.engine.containers():
        place = whose(container)
        if place in ({stack} if stack else known):
            name = f"{place}/{container.service}"
            found[name if name not in found else f"{place}/{container.name}"] = container
    if stack and not found:
        raise NotFound(f"Stack {stack} has no containers.", hint="It was never started, or was taken down.")
    return found


def _inspected(lab: Lab, placed: Mapping[str, ContainerState]) -> dict[str, ContainerState]:
    found = {}
    for name, container in placed.items():
        try:
            found[name] = lab.engine.inspect(container.id)
        except EngineFailed as error:
            if error.code != "no_such_object":
                raise
    return found


def _key(use: Use, sort: str) -> float:
    if sort == "memory":
        return use.usage.memory
    if sort == "cpu":
        return use.usage.cpus
    if sort == "pids":
        return use.usage.pids
    return use.received + use.sent if sort == "network" else use.read + use.written


def _limit(use: Use, host: int) -> int:
    """A container without a limit of its own is told the host's memory as one."""
    return use.limit if use.limit and (not host or use.limit < host) else 0


def _row(name: str, use: Use, host: int) -> dict[str, Any]:
    body: dict[str, Any] = {
        "service": name,
        "mem_mb": use.usage.memory // MIB,
        "cpus": round(use.usage.cpus, 3),
        "pids": use.usage.pids,
        "net_mb": [use.received // MIB, use.sent // MIB],
        "disk_mb": [use.read // MIB, use.written // MIB],
    }
    if limit := _limit(use, host):
        body["limit_mb"] = limit // MIB
        body["of_limit"] = f"{use.usage.memory / limit:.0%}"
    return body


def _trouble(
    placed: Mapping[str, ContainerState], looked: Mapping[str, ContainerState], endings: Sequence[Ending], now: float
) -> list[str]:
    """A sentence for each service that was killed for memory, or restarts in a loop."""
    names = {c.id: name for name, c in placed.items()}
    killed: dict[str, float] = {}
    ended: dict[str, list[Ending]] = {}
    for one in endings:
        name = names.get(one.container, "")
        if name and one.kind.startswith("oom"):
            killed[name] = max(killed.get(name, 0.0), one.time)
        elif name and now - one.time < LOOP_SECONDS:
            ended.setdefault(name, []).append(one)
    found = [f"{name} met its memory limit at {stamp(when)[:16]}Z and was killed." for name, when in killed.items()]
    for name, container in looked.items():
        if name not in killed and "out of memory" in container.status:
            found.append(f"{name} was killed for memory when it last ended.")
        count = len(ended.get(name, ()))
        if container.state == "restarting" or count >= LOOP_RESTARTS:
            code = ended[name][-1].exit_code if count else container.exit_code
            how = f"{count} times in the last hour" if count else f"{container.restart_count} times so far"
            found.append(f"{name} restarts in a loop: it ended {how}, last with exit code {code}; read_logs tells why.")
    return found


def _growing(samples: Sequence[Sample], names: Sequence[str]) -> list[str]:
    """A sentence for each service whose memory grows as a leak does."""
    found = []
    for name in names:
        points = series(samples, name)
        seen = growth(points)
        if seen is None:
            continue
        left = f"; at its limit in about {seen.hours_left:.0f} h" if seen.hours_left is not None else ""
        found.append(
            f"{name} grew from {seen.start // MIB} to {seen.end // MIB} MB in {seen.hours:.0f} h "
            f"({seen.per_hour / MIB:.1f} MB/h, {len(since_restart(points))} samples){left}: that looks like a leak."
        )
    return found


def _clean(body: dict[str, Any]) -> dict[str, Any]:
    """Names are labels' texts, which whoever made the container chose."""
    found: Any = _cleaned(body)
    return dict(found)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)[:400]
    if isinstance(value, dict):
        return {key: _cleaned(one) for key, one in value.items()}
    return [_cleaned(one) for one in value] if isinstance(value, list) else value
