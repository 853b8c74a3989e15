"""How long a verification waits, and what it has seen of containers so far."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from homelab_mcp.model.lab import Acme
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.model.plan import Evidence

OWN_CERTIFICATE = 5.0
"""Seconds until Traefik has read certificates from files; where no CA is asked, no other will come."""
_LISTED_CODE = re.compile(r"Restarting \((-?\d+)\)")
"""How ``docker ps`` words a container that is being restarted."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds.

    Args:
        health: until a health check passes, on top of its start period.
        stable: how long a container without a health check, or one that was restarted, must run without a restart.
        steady: seconds of running after which a restart is one too many: it had come up, and fell.
        route: until a route answers.
        certificate: until the answering route's certificate is trusted; the CA may take its time.
        open_door: how long a route that should ask for log-in may answer without, while the router is being changed.
        gone: until removed containers are gone, or one that should be there appears.
        poll: between two looks.
        restarts: restarts after which a container counts as crash-looping.
    """

    health: float = 120.0
    stable: float = 30.0
    steady: float = 10.0
    route: float = 60.0
    certificate: float = 90.0
    open_door: float = 5.0
    gone: float = 10.0
    poll: float = 0.5
    restarts: int = 3


def patience_of(acme: Acme) -> Patience:
    """As usual, but for certificates that nobody will ever trust: of no CA, or of a staging CA with no root known."""
    never = acme.challenge == "none" or (acme.staging and not acme.root_certificate)
    return Patience(certificate=OWN_CERTIFICATE) if never else Patience()


@dataclass(slots=True)
class Run:
    """What was seen of one container so far: ``since`` when it is as it is now, ``ran`` how long before it fell."""

    first: int
    mark: tuple[object, ...]
    since: float
    restarts: int = 0
    ran: float = 0.0

    def look(self, one: ContainerState, now: float) -> None:
        """Take in another look at it."""
        if (mark := mark_of(one)) == self.mark:
            return
        if (restarts := one.restart_count - self.first) > self.restarts:
            self.ran = max(self.ran, now - self.since)
            self.restarts = restarts
        self.mark, self.since = mark, now

    def fell(self, one: ContainerState) -> bool:
        """Whether the list of containers shows a fall that no look has taken in: it ran, and is being restarted."""
        return one.state == "restarting" and self.mark[0] == "running"


@dataclass(slots=True)
class Watch:
    """What was seen of one service so far; ``since`` when its containers were last seen to change.

    ``thawed`` while its health is still what it came to by being paused, when no check could pass.
    """

    since: float
    deadline: float
    runs: dict[str, Run] = field(default_factory=dict)
    settled: Evidence | None = None
    thawed: bool = False


def mark_of(one: ContainerState) -> tuple[object, ...]:
    """What changes when a container stops, starts or is restarted."""
    return one.state, one.restart_count, one.started_at


def falls(service: str, listed: Sequence[ContainerState], watch: Watch, patience: Patience, now: float) -> str | None:
    """A fall that decides, by the list of containers alone; None where there is none.

    Docker answers an inspection only once it has started the container again, seconds later on a busy machine.
    """
    for one in listed:
        run = watch.runs.get(one.id)
        if run is not None and run.fell(one):
            code = _LISTED_CODE.match(one.status)
            ran = max(run.ran, now - run.since)
            if loop := looped(service, run.restarts + 1, ran, code[1] if code else "not known", patience):
                return loop
    return None


def looped(service: str, restarts: int, ran: float, code: int | str | None, patience: Patience) -> str | None:
    """What to say of so many restarts, the longest run before one of them ``ran`` seconds; None while that is fine."""
    if restarts >= patience.restarts:
        return f"{service} crash-loops: {restarts} restarts while watched, last exit code {code}"
    if ran >= patience.steady:
        return f"{service} crash-loops: it fell after {ran:.0f} s and was restarted"
    return None
