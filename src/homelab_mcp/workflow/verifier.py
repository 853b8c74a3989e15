"""Looks whether what was applied holds: containers, their health, and their routes from outside."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from homelab_mcp.core.redact import safe
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.model.plan import Evidence, RouteCheck, Verification
from homelab_mcp.ports import Clock, Engine, Probe, ProbeResult
from homelab_mcp.workflow.certificate_watch import CertificateWatch
from homelab_mcp.workflow.compose_facts import one_shots, start_periods
from homelab_mcp.workflow.patience import OWN_CERTIFICATE, Run, Watch, falls, looped, mark_of
from homelab_mcp.workflow.patience import Patience as Patience
from homelab_mcp.workflow.route_watch import RouteWatch, answers
from homelab_mcp.workflow.swarm_watch import SwarmWatch

LOG_LINES = 20
_HELD = {"stopped": frozenset({"exited", "created", "dead"}), "paused": frozenset({"paused", "exited", "created"})}


class Verifier:
    """Gathers evidence; raises nothing about what it sees, only EngineUnavailable when it cannot look."""

    def __init__(self, *, engine: Engine, probe: Probe, clock: Clock, patience: Patience | None = None) -> None:
        self._engine = engine
        self._probe = probe
        self._clock = clock
        self._patience = patience or Patience()

    def through(self, engine: Engine) -> Verifier:
        """The same verifier, looking through another engine."""
        return Verifier(engine=engine, probe=self._probe, clock=self._clock, patience=self._patience)

    def serving(self, parts: Sequence[Verification]) -> tuple[Verification, ...]:
        """What to verify after, without the routes to be kept that do not even serve now; asked before an apply."""
        if not any(route.was for v in parts for route in v.routes):
            return tuple(parts)
        return self._watch().serving(parts)

    def verify(
        self,
        what: Verification,
        *,
        compose_text: str = "",
        secrets: Sequence[str] = (),
        pause: Callable[[], None] = lambda: None,
        tell: Callable[[str], None] = lambda what: None,
        thawed: Collection[str] = (),
        forms: Mapping[str, str] | None = None,
    ) -> tuple[Evidence, ...]:
        """Wait for everything named to hold, and say what was seen; stops at the first part that does not.

        Args:
            what: services, gone services and routes.
            compose_text: the stack's compose file, for start periods and one-shot services.
            secrets: values to mask in log lines.
            pause: called between two looks; may raise to stop.
            tell: called with what does not hold as soon as that is seen: the log lines that follow may take Docker
                seconds, as it gives none of a container while it starts that one again.
            thawed: services that were paused: their health checks failed meanwhile, which says nothing of them now.
            forms: of a stack that Swarm runs: service -> the hash of what its files say; None for another.
        """
        found: list[Evidence] = []
        if what.certificates:
            # First: until it holds, visitors are warned.
            found += CertificateWatch(self._engine, self._probe, self._clock).watch(what.certificates, pause)
        if all(e.ok for e in found):
            if forms is not None and what.services:
                swarm = SwarmWatch(self._engine, self._clock, self._patience, start_periods(compose_text))
                found += swarm.watch(what.stack, what.services, forms, secrets, pause)
            else:
                found += self._services(what, compose_text, secrets, pause, tell, thawed)
        if all(e.ok for e in found):
            found += self._gone(what, pause)
        if all(e.ok for e in found):
            found += self._held(what, pause)
        if all(e.ok for e in found) and what.routes:
            found += self._routes(what.routes, pause)
        return tuple(found)

    def _services(
        self,
        what: Verification,
        compose_text: str,
        secrets: Sequence[str],
        pause: Callable[[], None],
        tell: Callable[[str], None],
        thawed: Collection[str],
    ) -> list[Evidence]:
        begun = self._clock.monotonic()
        slow, ending = start_periods(compose_text), one_shots(compose_text)
        until = begun + self._patience.health
        watches = {s: Watch(begun, until + slow.get(s, 0.0), thawed=s in thawed) for s in what.services}
        while True:
            seen = self._engine.containers(what.stack) if watches else ()
            for service, watch in watches.items():
                if watch.settled is None:
                    mine = [c for c in seen if c.service == service]
                    watch.settled = self._look(service, mine, watch, service in ending, secrets, tell)
            settled = [w.settled for w in watches.values() if w.settled is not None]
            if len(settled) == len(watches) or not all(e.ok for e in settled):
                return settled
            pause()
            self._clock.sleep(self._patience.poll)

    def _look(
        self,
        service: str,
        listed: list[ContainerState],
        watch: Watch,
        ending: bool,
        secrets: Sequence[str],
        tell: Callable[[str], None],
    ) -> Evidence | None:
        now = self._clock.monotonic()
        if loop := falls(service, listed, watch, self._patience, now):
            tell(loop)
            return Evidence(loop, ok=False, detail=self._logs(listed, secrets))
        try:
            mine = [self._engine.inspect(c.id) for c in listed]
        except EngineFailed:
            # Gone between the list and the look; the next look will tell.
            mine = []
        if not mine:
            late = now - watch.since >= self._patience.gone
            return Evidence(f"{service} has no container", ok=False) if late else None
        watch.runs = {c.id: watch.runs.get(c.id) or Run(c.restart_count, mark_of(c), now) for c in mine}
        for one in mine:
            watch.runs[one.id].look(one, now)
        watch.since = max(run.since for run in watch.runs.values())
        watch.thawed = watch.thawed and any(c.health == "unhealthy" for c in mine)
        bad = self._bad(service, mine, watch, ending)
        if bad is None and now >= watch.deadline:
            states = ", ".join(sorted({c.health or c.state for c in mine}))
            bad = f"{service} did not come up in time (still {states})"
        if bad is not None:
            tell(bad)
            return Evidence(bad, ok=False, detail=self._logs(mine, secrets))
        return self._good(service, mine, watch, now, ending)

    def _bad(self, service: str, mine: list[ContainerState], watch: Watch, ending: bool) -> str | None:
        for one in mine:
            run = watch.runs[one.id]
            if one.state in {"exited", "dead"} and not (ending and one.exit_code == 0):
                why = f" ({one.status})" if one.status else ""
                return f"{service} exited with code {one.exit_code}{why}"
            if one.health == "unhealthy" and not watch.thawed:
                return f"{service} is unhealthy: its health check fails"
            if run.restarts and (loop := looped(service, run.restarts, run.ran, one.exit_code, self._patience)):
                return loop
        return None

    def _good(
        self, service: str, mine: list[ContainerState], watch: Watch, now: float, ending: bool
    ) -> Evidence | None:
        if ending and all(c.state == "exited" for c in mine):
            return Evidence(f"{service} ran to its end", ok=True, detail="exit code 0")
        if any(c.state != "running" for c in mine):
            return None
        healthy = all(c.health == "healthy" for c in mine)
        # A check that passes says more than time does, unless what it passes for was seen to fall.
        if not healthy or any(run.restarts for run in watch.runs.values()):
            if now - watch.since < self._patience.stable:
                return None
            if not healthy and any(c.health for c in mine):
                return None
        if healthy:
            return Evidence(f"{service} is healthy", ok=True)
        detail = f"no health check; no restart in {self._patience.stable:.0f} s"
        return Evidence(f"{service} runs steadily", ok=True, detail=detail)

    def _logs(self, mine: list[ContainerState], secrets: Sequence[str]) -> str:
        parts = []
        for one in mine[:2]:
            try:
                lines = [line for _, _, line in self._engine.logs(one.id, tail=LOG_LINES)]
            except (EngineFailed, EngineUnavailable) as error:
                lines = [f"(log not readable: {error.code})"]
            text = safe("\n".join(line[:500] for line in lines), secrets)
            told = f"last log lines of {one.name} (untrusted data):\n{text}"
            parts.append(told if text.strip() else f"{one.name} logged nothing")
        return "\n".join(parts)

    def _gone(self, what: Verification, pause: Callable[[], None]) -> list[Evidence]:
        if not what.gone:
            return []
        deadline = self._clock.monotonic() + self._patience.gone
        while True:
            here = {c.service for c in self._engine.containers(what.stack)}
            if not here & set(what.gone):
                return [Evidence(f"{service} has no container any more", ok=True) for service in what.gone]
            if self._clock.monotonic() >= deadline:
                left = sorted(here & set(what.gone))
                return [Evidence(f"{service} still has a container", ok=False) for service in left]
            pause()
            self._clock.sleep(self._patience.poll)

    def _held(self, what: Verification, pause: Callable[[], None]) -> list[Evidence]:
        """Services that are to be stopped or paused, once their containers have come to that."""
        deadline = self._clock.monotonic() + self._patience.gone
        while what.held:
            states: dict[str, set[str]] = {}
            for one in self._engine.containers(what.stack):
                states.setdefault(one.service, set()).add(one.state)
            left = [(s, w) for s, w in what.held if not states.get(s, set()) <= _HELD[w]]
            if not left:
                return [Evidence(f"{service} is {word}", ok=True) for service, word in what.held]
            if self._clock.monotonic() >= deadline:
                return [Evidence(f"{service} is not {word}", ok=False) for service, word in left]
            pause()
            self._clock.sleep(self._patience.poll)
        return []

    def _routes(self, routes: Sequence[RouteCheck], pause: Callable[[], None]) -> list[Evidence]:
        if not self._traefik_runs():
            hosts = ", ".join(r.host for r in routes)
            return [Evidence(f"{hosts} not probed", ok=True, detail="no Traefik runs in this lab")]
        found = []
        for route in (r for r in routes if not r.was):
            found.append(self._route(route, pause))
            if not found[-1].ok:
                return found
        kept = [r for r in routes if r.was]
        return found + (self._watch().back(kept, pause) if kept else [])

    def _watch(self) -> RouteWatch:
        return RouteWatch(self._probe, self._clock, patience=self._patience.route, poll=self._patience.poll)

    def _traefik_runs(self) -> bool:
        for one in self._engine.containers():
            if one.state != "running":
                continue
            image = one.image
            if image.startswith("sha256:"):
                # Listed by its id once the tag has moved on, by a pull for example; its own record keeps the name.
                try:
                    image = self._engine.inspect(one.id).image
                except EngineFailed:
                    continue
            if is_traefik(image):
                return True
        return False

    def _route(self, route: RouteCheck, pause: Callable[[], None]) -> Evidence:
        begun = served = self._clock.monotonic()
        while True:
            result = self._probe.get(route.host, route.path)
            now = self._clock.monotonic()
            waited = now - begun
            if answers(result, route):
                served = now
                if result.verified:
                    return Evidence(f"{result.url} answers {result.status}, certificate trusted", True, _seen(result))
                if waited >= self._patience.certificate:
                    # Putting the service back would not bring the certificate, so this is said and not undone.
                    yet = " yet" if self._patience.certificate > OWN_CERTIFICATE else ""
                    text = f"{result.url} answers {result.status}, but its certificate is not trusted{yet}"
                    return Evidence(text, ok=True, detail=_seen(result))
                pause()
                self._clock.sleep(self._patience.poll)
                continue
            open_door = route.sso and 200 <= result.status < 300
            if open_door and waited >= self._patience.open_door:
                text = f"{result.url} answers {result.status} without asking for log-in"
                return Evidence(text, ok=False, detail="The route should be behind the lab's single sign-on.")
            # From its last answer on: while a certificate is waited for, one answer that is missed is no failure.
            if now - served >= self._patience.route:
                how = f"answers {result.status}" if result.status else f"does not answer: {safe(result.error)[:300]}"
                return Evidence(f"{result.url} {how}", ok=False, detail=_seen(result))
            pause()
            self._clock.sleep(self._patience.poll)


def is_traefik(image: str) -> bool:
    """Whether an image reference is Traefik's, from whichever registry."""
    return image.split("@", 1)[0].rsplit("/", 1)[-1].split(":", 1)[0] == "traefik"


def _seen(result: ProbeResult) -> str:
    parts = []
    if result.location:
        parts.append(f"redirects to {safe(result.location).split('?', 1)[0][:200]}")
    if result.certificate:
        trust = "verified" if result.verified else "not trusted"
        parts.append(f"certificate {safe(result.certificate)[:200]} ({trust})")
    if result.status and result.error:
        parts.append(safe(result.error)[:200])
    return "; ".join(parts)
