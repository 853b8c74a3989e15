"""A standby core: the stacks that every address goes through, once more on another Docker host, and not started."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StandbySeen:
    """The standby on one host as its engine has it.

    Args:
        host: of ``hosts.yaml``.
        services: ``stack/service`` with a container there.
        running: those of them that run.
        changed: ``stack/path`` of files that are not here as the last sync sent them.
        routes: names of the routers to services elsewhere that its Traefik's file has; None where nobody knows.
        stuck: those that restart all the time or are paused: no sync goes over them either, and a stop ends them.
        behind: those whose container was made from another text than their file is now.
        names: the containers' names.
        cut_off: stacks whose last sync did not come to its end, so that their files there may be of two moments.
    """

    host: str
    services: tuple[str, ...]
    running: tuple[str, ...] = ()
    behind: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    routes: tuple[str, ...] | None = None
    cut_off: tuple[str, ...] = ()

    @property
    def active(self) -> tuple[str, ...]:
        """What runs or is stuck, sorted: what keeps a sync away, and what a stop is for."""
        return tuple(sorted({*self.running, *self.stuck}))


@dataclass(frozen=True, slots=True)
class StandbySynced:
    """What a sync brought to a standby, all stacks together.

    Args:
        files: how many files are there now as they are here.
        size: their bytes.
        emptied: files there that are here no more; they hold nothing now.
        left_out: what was not taken along: links, sockets, logs.
        containers: how many stand ready.
    """

    files: int
    size: int
    emptied: tuple[str, ...]
    left_out: tuple[str, ...]
    containers: int
