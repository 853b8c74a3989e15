"""Asks routes that a plan must not break: which serve before it, and whether those do after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from homelab_mcp.core.redact import safe
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Evidence, RouteCheck, Verification
from homelab_mcp.ports import Clock, Probe, ProbeResult

_LOGIN = frozenset({302, 303, 307, 401})
_LOOK = 10.0
"""Seconds for the look at what serves before; a route that was not come to is not asked after either."""


class RouteWatch:
    """Asks all routes together, so that waiting for many takes no longer than waiting for one."""

    def __init__(self, probe: Probe, clock: Clock, *, patience: float, poll: float) -> None:
        self._probe = probe
        self._clock = clock
        self._patience = patience
        self._poll = poll

    def serving(self, parts: Sequence[Verification]) -> tuple[Verification, ...]:
        """The same, without the routes that were to stay (``was``) and do not answer now either."""
        end = self._clock.monotonic() + _LOOK

        def kept(route: RouteCheck) -> bool:
            if not route.was:
                return True
            left = end - self._clock.monotonic()
            return left > 0 and answers(self._ask(replace(route, host=route.was), min(left, 5.0)), route)

        left = (replace(v, routes=tuple(r for r in v.routes if kept(r))) for v in parts)
        return tuple(v for v in left if v != Verification())

    def back(self, routes: Sequence[RouteCheck], pause: Callable[[], None]) -> list[Evidence]:
        """Wait until each of these, which served before, serves again; all of them within one patience."""
        end = self._clock.monotonic() + self._patience
        left = list(routes)
        while True:
            seen = {r.host: self._ask(r, 5.0) for r in left}
            left = [r for r in left if not answers(seen[r.host], r)]
            if not left:
                hosts = ", ".join(sorted(r.host for r in routes))
                many = f"{len(routes)} routes that served before serve"
                return [Evidence(many if len(routes) > 1 else f"{hosts} serves as before", ok=True, detail=hosts)]
            if self._clock.monotonic() >= end:
                return [_lost(seen[r.host], r) for r in left]
            pause()
            self._clock.sleep(self._poll)

    def _ask(self, route: RouteCheck, timeout: float) -> ProbeResult:
        try:
            return self._probe.get(route.host, route.path, timeout=timeout)
        except InvalidInput as error:
            return ProbeResult(f"https://{route.host}{route.path}", 0, error=error.message)


def answers(result: ProbeResult, route: RouteCheck) -> bool:
    """Whether an answer is the service's own, or the log-in's where the route asks for it."""
    if route.sso:
        return result.status in _LOGIN
    return 0 < result.status < 500 and result.status != 404


def _lost(result: ProbeResult, route: RouteCheck) -> Evidence:
    if route.sso and 200 <= result.status < 300:
        return Evidence(f"{result.url} answers {result.status} without asking for log-in", ok=False)
    how = f"answers {result.status}" if result.status else f"does not answer: {safe(result.error)[:300]}"
    return Evidence(f"{result.url} served before this plan and {how} now", ok=False)
