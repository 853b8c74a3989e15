"""The backups of all Docker hosts of a lab at once: a host that does not answer is told and keeps nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from homelab_mcp.core.at_once import at_once
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable, HomelabError
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.ports import Lab, Restic
from homelab_mcp.queries.backup_place import backup_hosts, backup_place
from homelab_mcp.queries.backups import Report, made_now, report, run_backup

ASK_SECONDS = 60.0
"""How long a look at all hosts waits for the slowest."""
LOOK_SECONDS = 10.0
"""How long nobody may say anything before it is asked whether the hosts at work are still there."""
_LOOKS = 3
"""How many such looks in a row a host may miss."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Everywhere:
    """How all backups of a lab stand.

    Args:
        main: of the lab's own machine, or of the first host where that makes none; with the problems of all.
        hosts: of the others, by the name of the Docker host; None for one that nothing is known of.
    """

    main: Report
    hosts: dict[str, Report | None]


def reports(lab: Lab, *, most: int = 10) -> Everywhere:
    """How the backups of all hosts stand, asked at once.

    Raises NotFound (``no_backup``: none of them makes any), InvalidInput (``bad_backup_config``).
    """
    names = backup_hosts(lab)
    if names in ((), (LOCAL,)):
        return Everywhere(report(lab, most=most), {})

    def ask(name: str) -> Callable[[], Report]:
        return lambda: report(lab, most=most, host=name)

    found = at_once({name: ask(name) for name in names}, ASK_SECONDS)
    first, rest = found[names[0]], names[1:]
    if isinstance(first, HomelabError):
        raise first
    if isinstance(first, Exception):
        raise EngineFailed(f"The backup gives {first}.", hint="Ask again, or look at its container's logs.")
    problems, hosts = list(first.problems), dict[str, Report | None]()
    if names[0] != LOCAL:
        problems = ["This machine makes no backup.", *(f"{names[0]}: {p}" for p in problems)]
    for name in rest:
        one = found[name]
        hosts[name] = one if isinstance(one, Report) else None
        said = one.problems if isinstance(one, Report) else (said_of(one),)
        problems += [f"{name}: {problem}" for problem in said]
    return Everywhere(replace(first, problems=tuple(problems)), hosts)


def hosts_meant(lab: Lab, host: str) -> tuple[str, ...]:
    """The hosts whose backups are meant: one that is named, or all that make any.

    Raises NotFound (``no_backup``), InvalidInput (``bad_backup_config``).
    """
    names = (host,) if host else backup_hosts(lab) or (LOCAL,)
    for name in names:
        backup_place(lab, name)
    return names


def runs(lab: Lab, hosts: Sequence[str], on_step: Callable[[str], None] | None = None) -> dict[str, dict[str, Any]]:
    """Make a backup on each host now, all at once; each run's record, or ``error``, by the host's name.

    Raises as ``run_backup`` does where it is about one host alone.
    """
    if len(hosts) == 1:
        return {hosts[0]: run_backup(lab, on_step, host=hosts[0])}
    found = on_each({name: lab.restic_at(name) for name in hosts}, made_now, on_step or (lambda _: None))
    return {
        name: {"result": "failed", "error": said_of(answer)} if isinstance(answer, Exception) else answer
        for name, answer in found.items()
    }


def on_each(
    restics: Mapping[str, Restic], work: Callable[[Restic, Callable[[str], None]], T], step: Callable[[str], None]
) -> dict[str, T | Exception]:
    """The same work on several Docker hosts at once; what each gave or raised.

    A host that falls silent meanwhile is given up, and the work there goes on by itself. ``step`` is called from this
    thread alone; what it raises leaves all of it to go on by itself.
    """
    told: SimpleQueue[tuple[str, str, Future[T] | None]] = SimpleQueue()

    def run(name: str, restic: Restic) -> None:
        future: Future[T] = Future()
        try:
            future.set_result(work(restic, lambda line: told.put((name, line, None))))
        except Exception as error:  # noqa: BLE001 - handed to whoever asked
            future.set_exception(error)
        told.put((name, "", future))

    for name, restic in restics.items():
        threading.Thread(target=run, args=(name, restic), name=f"backup {name}", daemon=True).start()
    found: dict[str, T | Exception] = {}
    silence: dict[str, int] = {}
    while len(found) < len(restics):
        try:
            name, line, future = told.get(timeout=LOOK_SECONDS)
        except Empty:
            for one in [n for n in restics if n not in found]:
                if (error := _silent(restics[one])) is None:
                    silence.pop(one, None)
                    continue
                silence[one] = silence.get(one, 0) + 1
                if silence[one] >= _LOOKS:
                    found[one] = error
            continue
        silence.pop(name, None)
        if name in found:
            continue
        if future is None:
            step(f"{name}: {line}")
        else:
            failed = future.exception()
            found[name] = failed if isinstance(failed, Exception) else future.result()
    return {name: found[name] for name in restics}


def _silent(restic: Restic) -> EngineUnavailable | None:
    try:
        restic.knock()
    except EngineUnavailable as error:
        return error
    return None


def said_of(error: Exception) -> str:
    """An error as a sentence, with what to do."""
    return f"{error.message} {error.hint}".strip() if isinstance(error, HomelabError) else str(error)
