"""Whether a Swarm stack has converged: every replica of what was asked runs and stays, or Swarm went back by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from homelab_mcp.core.redact import safe
from homelab_mcp.core.stack_host import SWARM, engine_of
from homelab_mcp.model.observed import Rollout
from homelab_mcp.model.plan import ActionKind, Evidence, Plan
from homelab_mcp.ports import Clock, Compose, Engine
from homelab_mcp.workflow.patience import Patience

_SPARE = 30.0
"""Seconds for each task beside those that Swarm watches it: the old one is stopped, an image pulled."""


_DEPLOYS = frozenset({ActionKind.UP, ActionKind.START, ActionKind.RECREATE})


def forms_of(compose: Compose | None, plan: Plan, stack: str, text: str) -> Mapping[str, str] | None:
    """The forms that Swarm is to run of a stack that is its, none where the plan deploys it not; None of another's."""
    if engine_of(text) != SWARM or compose is None:
        return None
    deploys = any(a.kind in _DEPLOYS and a.stack == stack for a in plan.draft.actions)
    return compose.hashes(stack) if deploys else {}


@dataclass(slots=True)
class _Seen:
    """Of one service: since when it is as it is, the form that it is to have, what was said of it at last."""

    since: float
    mark: tuple[int, int, str] = (-1, -1, "")
    form: str = ""
    settled: Evidence | None = None


class SwarmWatch:
    """Looks at services of one stack until all have settled; raises only EngineUnavailable, EngineFailed."""

    def __init__(self, engine: Engine, clock: Clock, patience: Patience, slow: Mapping[str, float]) -> None:
        self._engine = engine
        self._clock = clock
        self._patience = patience
        self._slow = slow

    def watch(
        self,
        stack: str,
        services: Sequence[str],
        forms: Mapping[str, str],
        secrets: Sequence[str],
        pause: Callable[[], None],
    ) -> list[Evidence]:
        """What became of each service; stops at the first that does not hold.

        Args:
            stack: the stack.
            services: which are to be looked at.
            forms: the hash of what each is to be deployed from; one that is not here stays as it is.
            secrets: values to mask in what a task said.
            pause: called between two looks; may raise to stop.
        """
        begun = self._clock.monotonic()
        seen = {s: _Seen(begun) for s in services}
        while True:
            by_name = {r.service: r for r in self._engine.rollouts(stack)}
            for service, one in seen.items():
                if one.settled is None:
                    late = self._late(by_name.get(service), begun, self._slow.get(service, 0.0))
                    one.settled = self._look(by_name.get(service), service, one, forms, late, secrets)
            settled = [one.settled for one in seen.values() if one.settled is not None]
            if len(settled) == len(seen) or not all(e.ok for e in settled):
                return settled
            pause()
            self._clock.sleep(self._patience.poll)

    def _late(self, found: Rollout | None, begun: float, slow: float) -> bool:
        passed = self._clock.monotonic() - begun
        if found is None:
            return passed >= self._patience.gone
        turns = max(found.wanted, 1) * (found.watched + _SPARE) if found.update else 0.0
        return passed >= self._patience.health + slow + turns

    def _look(
        self,
        found: Rollout | None,
        service: str,
        seen: _Seen,
        forms: Mapping[str, str],
        late: bool,
        secrets: Sequence[str],
    ) -> Evidence | None:
        if found is None:
            return Evidence(f"Swarm has no service {service}", ok=False) if late else None
        now = self._clock.monotonic()
        seen.form = seen.form or forms.get(found.service, found.form)
        if (mark := (found.running, found.failed, found.update)) != seen.mark:
            seen.mark, seen.since = mark, now
        if found.form == seen.form and found.update == "rollback_completed":
            # It went back to what it is to be now: an earlier update's story.
            found = replace(found, update="")
        bad = self._bad(found)
        if bad is None and late:
            bad = f"{service} did not converge in time: {found.running} of {found.wanted} tasks run"
        if bad is not None:
            why = safe(found.error, secrets)[:500]
            return Evidence(bad, ok=False, detail=f"the last task that failed said: {why}" if why else "")
        return self._good(found, seen.form, now - seen.since)

    def _bad(self, found: Rollout) -> str | None:
        if found.update in {"rollback_completed", "rollback_paused"}:
            how = "and rolled it back" if found.update == "rollback_completed" else "and could not roll it back"
            return f"Swarm could not update {found.service} {how}"
        if found.update == "paused":
            return f"Swarm stopped the update of {found.service}: its tasks fail"
        # Of an update Swarm judges itself; a first deploy, or a restart for its own sake, it goes on with for ever.
        if found.failed >= self._patience.restarts and found.update not in {"updating", "rollback_started"}:
            return f"{found.service} crash-loops: {found.failed} of its tasks failed"
        return None

    def _good(self, found: Rollout, form: str, steady: float) -> Evidence | None:
        if found.running < found.wanted or found.update not in {"", "completed"} or found.form != form:
            return None
        what = f"{found.service}: {found.running} of {found.wanted} tasks run"
        if found.update == "completed" and found.watched >= self._patience.poll:
            detail = f"Swarm watched each for {found.watched:.0f} s and completed the update"
            return Evidence(what, ok=True, detail=detail)
        if found.checked and not found.failed:
            return Evidence(f"{what} and are healthy", ok=True)
        if steady < self._patience.stable:
            return None
        return Evidence(what, ok=True, detail=f"none fell in {self._patience.stable:.0f} s")
