"""The backups of all Docker hosts of a lab at once: a host that does not answer is told and keeps nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any, TypeVar

from homelab_mcp.core.at_once import at_once
from homelab_mcp.model.errors import EngineFailed, HomelabError
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.ports import Lab, Restic
from homelab_mcp.queries.backup_place import backup_hosts, backup_place
from homelab_mcp.queries.backups import Report, made_now, report, run_backup, unasked

ASK_SECONDS = 45.0
"""How long a look at all hosts waits for the slowest: below the 60 s after which common clients give up."""

_NOT_TOLD = EngineFailed("How the backups stand cannot be told.", hint="Ask again, or look at their containers' logs.")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Everywhere:
    """How all backups of a lab stand.

    Args:
        main: of the lab's own machine, or of the first host of which anything is known; with the problems of all.
        hosts: of the others, by the name of the Docker host; None for one that nothing is known of.
    """

    main: Report
    hosts: dict[str, Report | None]


def reports(lab: Lab, *, most: int = 10) -> Everywhere:
    """How the backups of all hosts stand, asked at once.

    Of one that is late, or that fails, what the lab's files say is told, with that as a problem. Raises NotFound
    (``no_backup``: none of them makes any), InvalidInput (``bad_backup_config``: of each).
    """
    names = backup_hosts(lab)
    if names in ((), (LOCAL,)):
        return Everywhere(report(lab, most=most), {})

    def ask(name: str) -> Callable[[], Report]:
        return lambda: report(lab, most=most, host=name)

    found = at_once({name: ask(name) for name in names}, ASK_SECONDS)
    hosts = {name: _by_files(lab, name, one) if isinstance(one, Exception) else one for name, one in found.items()}
    main = next((one for one in hosts.values() if one is not None), None)
    if main is None:
        raise next((e for e in found.values() if isinstance(e, HomelabError)), _NOT_TOLD)
    problems = [] if LOCAL in names else ["This machine makes no backup."]
    for name, one in hosts.items():
        said = (said_of(error),) if isinstance(error := found[name], Exception) else error.problems
        problems += said if one is main and name == LOCAL else [f"{name}: {problem}" for problem in said]
    rest = {name: one for name, one in hosts.items() if one is not main}
    return Everywhere(replace(main, problems=tuple(problems)), rest)


def _by_files(lab: Lab, host: str, why: Exception) -> Report | None:
    """What is known of a host's backup though nobody could be asked; None where its settings cannot be read."""
    try:
        place = backup_place(lab, host)
    except HomelabError:
        return None
    return unasked(place, said_of(why))


def hosts_meant(lab: Lab, host: str) -> tuple[str, ...]:
    """The hosts whose backups are meant: one that is named, or all that make any.

    Raises NotFound (``no_backup``), InvalidInput (``bad_backup_config``).
    """
    names = (host,) if host else backup_hosts(lab) or (LOCAL,)
    # Among several, the settings of one that are wrong keep no other from a backup.
    if len(names) == 1:
        backup_place(lab, names[0])
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

    ``step`` is called from this thread alone; what it raises leaves all of it to go on by itself.
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
    while len(found) < len(restics):
        name, line, future = told.get()
        if future is None:
            step(f"{name}: {line}")
        else:
            failed = future.exception()
            found[name] = failed if isinstance(failed, Exception) else future.result()
    return {name: found[name] for name in restics}


def said_of(error: Exception) -> str:
    """An error as a sentence, with what to do."""
    if isinstance(error, HomelabError):
        return f"{error.message} {error.hint}".strip()
    return f"The backup gives {error}." if isinstance(error, TimeoutError) else str(error)
