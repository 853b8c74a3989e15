"""Why a service does not work: pure judges over facts that were gathered once. :func:`diagnose` is the way in.

Each module beside it is one family of causes: a function from :class:`Facts` to the causes that the facts speak for.
Confidence is a judge's own: about 0.95 where the engine says it in so many words, 0.9 where a log line is known to mean
it, 0.6 where it fits what is seen, 0.3 where it is all that is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from homelab_mcp.core.diagnosis import (
    changes,
    ending,
    health,
    known_lines,
    mounts,
    peers,
    route_doors,
    routes,
    starting,
    values,
)
from homelab_mcp.model.diagnosis import Cause, Facts

Judge = Callable[[Facts], Iterator[Cause]]

_SERVICE: tuple[Judge, ...] = (
    starting.causes,
    ending.causes,
    known_lines.causes,
    values.causes,
    mounts.causes,
    peers.causes,
    health.causes,
    changes.causes,
)
_ROUTE: tuple[Judge, ...] = (routes.causes, route_doors.causes)
JUDGES: dict[str, tuple[Judge, ...]] = {
    "service": (*_SERVICE, *_ROUTE),
    "route": (*_ROUTE, *_SERVICE),
    "auth": (route_doors.causes, routes.causes, *_SERVICE),
    "connectivity": (peers.causes, starting.causes, ending.causes),
    "permissions": (mounts.causes,),
}
"""What is asked about -> the judges that are heard."""

_ON_THE_WAY = frozenset({"route", "auth"})
_WORKS = 0.55
"""What a log says of a service that runs well counts for this share."""
_BEHIND = 0.8
"""What is said of a service counts for this share where its route alone was asked about, and it runs."""
FEWEST = 0.15
"""What is less likely is not told."""


def diagnose(facts: Facts, what: str = "service") -> tuple[Cause, ...]:
    """The causes, the likeliest first; none where nothing speaks for any.

    Args:
        facts: the service.
        what: service, route, auth, connectivity or permissions.
    """
    best: dict[str, Cause] = {}
    for judge in JUDGES[what]:
        for cause in judge(facts):
            weighed = replace(cause, confidence=min(cause.confidence * _share(judge, facts, what), 0.99))
            if cause.id not in best or best[cause.id].confidence < weighed.confidence:
                best[cause.id] = weighed
    found = [c for c in best.values() if c.confidence >= FEWEST]
    return tuple(sorted(found, key=lambda c: (-c.confidence, c.id)))


def troubled(facts: Facts) -> bool:
    """Whether its containers themselves say that something is wrong."""
    mine = facts.containers or ()
    return not mine or any(
        c.state.state != "running" or c.state.health == "unhealthy" or c.state.restart_count for c in mine
    )


def _share(judge: Judge, facts: Facts, what: str) -> float:
    if judge in (known_lines.causes, values.causes, mounts.causes) and not troubled(facts) and not facts.error:
        return 1.0 if what == "permissions" else _WORKS
    return _BEHIND if what in _ON_THE_WAY and judge in _SERVICE and facts.runs else 1.0
