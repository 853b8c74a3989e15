"""Putting containers back: those that were there run as they did, and what an apply added goes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial

from homelab_mcp.model.errors import EngineFailed
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.model.plan import ActionKind, Evidence, Plan
from homelab_mcp.ports import Clock, Compose, Engine, Trials
from homelab_mcp.workflow import trial_steps
from homelab_mcp.workflow.plan_facts import acted_stacks, engine_switched
from homelab_mcp.workflow.stack_engine import take_away
from homelab_mcp.workflow.undo_record import Before, words

_UP = frozenset({"running", "restarting"})
_LIVE = _UP | {"paused"}
_DOWN = frozenset({"created", "exited", "dead"})
_SETTLE = 15.0
_HEALTH = 60.0
"""Seconds for what reads its files again to come up: people meet it as soon as the roll-back says that it is over."""
_POLL = 0.5
_ASKED = 2.0
"""Seconds beside a container's own time to stop that Docker takes at most, on a machine with little else to do."""
_BUSY = 50.0
"""The same on a busy one, in times of what a list of containers takes there: to end one is some fifty calls' work."""
_LONGEST_BUSY = 30.0
_LONGEST_STOP = 300.0
_TAKEN = "is already in use by container"
"""How Docker says that another container has the name."""
_FROZEN = "cannot start a paused container"
"""How it refuses what Compose asks of a paused service that another one depends on."""


class ContainersBack:
    """Each step raises what Docker said: whoever asks knows whether to try it once more."""

    def __init__(self, engine: Engine, compose: Compose, clock: Clock) -> None:
        self._engine = engine
        self._compose = compose
        self._clock = clock

    def remove_added(self, plan: Plan, before: Before, trials: Trials | None, seen: list[Evidence]) -> None:
        """Remove what a killed Compose left, what the apply added, and what holds data that goes back."""
        seen.extend(trial_steps.remove(trials, plan))
        for stack in acted_stacks(plan):
            self._engine.sweep_renamed(stack)
            now = by_service(self._engine.containers(stack))
            if stack in engine_switched(plan):
                # While the file still says what runs it now: afterwards nothing here would know of it.
                self._compose.down(stack)
                continue
            added = sorted(key.partition("/")[2] for key in now if key not in before.containers)
            # A container holds the folder that it was made with: none may while its data goes back.
            taken = {s for a in plan.draft.actions if a.kind is ActionKind.REMOVE for s in a.services}
            anew = {k.partition("/")[2] for k in now if now[k] != before.containers.get(k, now[k])}
            if plan.draft.moves and taken & anew:
                take_away(self._engine, self._compose, stack, sorted(taken & anew))
            if added and not any(key.partition("/")[0] == stack for key in before.containers):
                # The whole stack is new: its own networks go too.
                self._compose.down(stack)
            elif added:
                take_away(self._engine, self._compose, stack, added)

    def bring_back(
        self, plan: Plan, before: Before, seen: list[Evidence], *, only: Collection[tuple[str, str]] | None = None
    ) -> None:
        """Services that ran run again, paused ones are paused, and the others are down; ``only``: of these alone."""
        for stack in acted_stacks(plan):
            now = by_service(self._engine.containers(stack))
            mine = {k.partition("/")[2]: (v, now.get(k, [])) for k, v in before.containers.items() if _of(stack, k)}
            if only is not None:
                mine = {s: rows for s, rows in mine.items() if (stack, s) in only}
            if not mine:
                continue
            self._thaw(stack, mine)
            self._bring_down(stack, mine, seen)
            moved = [s for s, (then, rows) in mine.items() if not set(_live(then)) <= set(_live(rows))]
            if self._engine.rollouts(stack):
                # What an update changed need not show in its tasks: all are asked to be what they were.
                moved = [s for s, (then, _) in mine.items() if _ups(then)]
            if moved:
                self._insist(stack, partial(self._compose.back, stack, sorted(moved)))
                running = self._settled(stack, set(moved))
                what = f"{', '.join(sorted(moved))} of {stack} " + (
                    "runs again as before" if running else "does not run"
                )
                seen.append(Evidence(what, ok=running))
            self._freeze(stack, {s for s, (then, _) in mine.items() if _paused(then)}, seen)

    def look_on(self, plan: Plan, before: Before, seen: list[Evidence]) -> None:
        """Wait for what Docker still does for a Compose that is gone, and put right what comes of it.

        Docker ends each stop, create and start that it was asked for, whether or not who asked is still there. So a
        container that was being stopped runs as before for as long as its own time to stop, and then no more.
        """
        begun = self._clock.monotonic()
        grace, slowest = self._time_to_stop(plan, before), self._clock.monotonic() - begun
        stand = replace(before, containers=self._as_put_back(plan, before))
        asked = {(a.stack, s) for a in plan.draft.actions for s in a.services}
        again: set[str] = set()
        while self._clock.monotonic() - begun < grace + min(max(_ASKED, _BUSY * slowest), _LONGEST_BUSY):
            self._clock.sleep(_POLL)
            for stack in acted_stacks(plan):
                self._engine.sweep_renamed(stack)
                looked = self._clock.monotonic()
                now = by_service(self._engine.containers(stack))
                slowest = max(slowest, self._clock.monotonic() - looked)
                late = [
                    s for a, s in sorted(asked) if a == stack and f"{a}/{s}" in now.keys() - before.containers.keys()
                ]
                if late:
                    self._engine.remove_orphans(stack, late)
                mine = {k: rows for k, rows in stand.containers.items() if _of(stack, k) and k not in again}
                moved = {k for k, rows in mine.items() if _live(rows) != _live(now.get(k, []), {i for i, _ in rows})}
                if moved:
                    # Once: what falls a second time does so by itself.
                    again |= moved
                    self.bring_back(plan, stand, seen)

    def _time_to_stop(self, plan: Plan, before: Before) -> float:
        """Seconds that a stop which Docker may have been asked for waits before it kills."""
        then = {i for rows in before.containers.values() for i, _ in rows}
        longest = 0.0
        for stack in acted_stacks(plan):
            for one in self._engine.containers(stack):
                if one.id in then and one.state in _LIVE:
                    longest = max(longest, self._engine.inspect(one.id).stop_seconds)
        return min(longest, _LONGEST_STOP)

    def _as_put_back(self, plan: Plan, before: Before) -> dict[str, list[list[str]]]:
        """The containers that are there by now, each with the state that its service had before."""
        now = by_service(c for stack in acted_stacks(plan) for c in self._engine.containers(stack))
        found = {}
        for key, rows in before.containers.items():
            state = "running" if _ups(rows) else "paused" if _paused(rows) else "exited"
            found[key] = [[i, state] for i, _ in now.get(key, rows)]
        return found

    def read_again(
        self, plan: Plan, before: Before, restarted: Collection[tuple[str, str]] | None, seen: list[Evidence]
    ) -> None:
        """Restart who read the plan's files at its start and is the same container still: it would go by them on."""
        if not plan.draft.edits:
            return
        for action in (a for a in plan.draft.actions if a.kind is ActionKind.RESTART):
            now = by_service(self._engine.containers(action.stack))
            again = []
            for service in action.services:
                key = f"{action.stack}/{service}"
                same = _ups(before.containers.get(key, [])) & _ups(now.get(key, []))
                if same and (restarted is None or (action.stack, service) in restarted):
                    again.append(service)
            if again:
                self._compose.restart(action.stack, again)
                running = self._settled(action.stack, set(again), healthy=True)
                what = f"{', '.join(again)} of {action.stack} read its files again"
                seen.append(
                    Evidence(what if running else f"{', '.join(again)} of {action.stack} does not run", running)
                )

    def _bring_down(
        self, stack: str, services: Mapping[str, tuple[list[list[str]], list[list[str]]]], seen: list[Evidence]
    ) -> None:
        """Services that were not running before do not run after; one that was recreated is made anew from the file."""
        down = {s: rows for s, rows in services.items() if all(state in _DOWN for _, state in rows[0])}
        started = sorted(s for s, (_, now) in down.items() if _ups(now))
        made = sorted(s for s, (then, now) in down.items() if {i for i, _ in then} != {i for i, _ in now})
        if not (started or made):
            return
        if started:
            self._compose.stop(stack, started)
        if made:
            self._insist(stack, partial(self._compose.create, stack, made))
        names = ", ".join(sorted({*started, *made}))
        seen.append(Evidence(f"{names} of {stack} does not run, as before", ok=True))

    def _insist(self, stack: str, step: Callable[[], None]) -> None:
        """Do a step of Compose, again where what a killed one left has the name that this one needs.

        Docker gives a name away before it lists the container, and ends a create whose asker is gone: the sweep before
        this may have come too early. A paused service that another one depends on goes on for as long as it must.
        """
        deadline = self._clock.monotonic() + _SETTLE
        thawed = False
        while True:
            try:
                return step()
            except EngineFailed as error:
                said = f"{error.message} {error.details.get('output', '')}"
                frozen = sorted({c.service for c in self._engine.containers(stack) if c.state == "paused"})
                if _FROZEN in said and frozen and not thawed:
                    thawed = True
                    self._compose.unpause(stack, frozen)
                    continue
                if _TAKEN not in said or self._clock.monotonic() >= deadline:
                    raise
            if not self._engine.sweep_renamed(stack):
                self._clock.sleep(_POLL)

    def _thaw(self, stack: str, services: Mapping[str, tuple[list[list[str]], list[list[str]]]]) -> None:
        """What was paused meanwhile goes on."""
        if freed := sorted(s for s, (then, now) in services.items() if _paused(now) and not _paused(then)):
            self._compose.unpause(stack, freed)

    def _freeze(self, stack: str, services: Collection[str], seen: list[Evidence]) -> None:
        """What was paused before is paused again: last, as a paused container cannot be started."""
        deadline = self._clock.monotonic() + _SETTLE
        while services:
            now = by_service(self._engine.containers(stack))
            again = sorted(s for s in services if _ups(now.get(f"{stack}/{s}", [])))
            if not again:
                return
            try:
                self._compose.pause(stack, again)
            except EngineFailed:
                # The kernel gives up on freezing what starts processes all the while, on a busy machine at least.
                if self._clock.monotonic() >= deadline:
                    raise
                self._clock.sleep(_POLL)
            else:
                seen.append(Evidence(f"{', '.join(again)} of {stack} is paused, as before", ok=True))
                return

    def _settled(self, stack: str, services: set[str], *, healthy: bool = False) -> bool:
        """Wait until these run and, with ``healthy``, none is starting any more."""
        deadline = self._clock.monotonic() + (_HEALTH if healthy else _SETTLE)
        if rolls := self._engine.rollouts(stack):
            return self._converged(stack, services & {r.service for r in rolls})
        while True:
            seen = [c for c in self._engine.containers(stack) if c.state == "running"]
            if services <= {c.service for c in seen if not (healthy and c.health == "starting")}:
                return True
            if self._clock.monotonic() >= deadline:
                return False
            self._clock.sleep(_POLL)

    def _converged(self, stack: str, services: set[str]) -> bool:
        """Wait until Swarm has every task of these: it starts one that fell only after a while."""
        deadline = self._clock.monotonic() + _HEALTH
        while any(r.service in services and r.running < r.wanted for r in self._engine.rollouts(stack)):
            if self._clock.monotonic() >= deadline:
                return False
            self._clock.sleep(_POLL)
        return True

    def remove_networks(self, networks: Iterable[str], seen: list[Evidence]) -> None:
        """Remove those of the networks that nothing is attached to."""
        for name in sorted(set(networks) & self._engine.networks()):
            try:
                self._engine.remove_network(name)
            except EngineFailed as error:
                # Something outside this plan uses it by now; an unused name too many hurts nobody.
                seen.append(Evidence(f"network {name} is kept", ok=True, detail=words(error)))


def by_service(containers: Iterable[ContainerState]) -> dict[str, list[list[str]]]:
    """By "<stack>/<service>", the sorted [id, state] pairs of its containers, as ``Before`` keeps them."""
    found: dict[str, list[list[str]]] = {}
    for one in containers:
        found.setdefault(f"{one.stack}/{one.service}", []).append([one.id, one.state])
    return {key: sorted(rows) for key, rows in found.items()}


def _of(stack: str, key: str) -> bool:
    return key.partition("/")[0] == stack


def _ups(rows: list[list[str]]) -> set[str]:
    """The ids of the containers that are up."""
    return {i for i, state in rows if state in _UP}


def _live(rows: list[list[str]], ids: Collection[str] | None = None) -> dict[str, bool]:
    """By id, of those that are up or paused (and among ``ids``), whether it is paused."""
    return {i: state == "paused" for i, state in rows if state in _LIVE and (ids is None or i in ids)}


def _paused(rows: list[list[str]]) -> bool:
    return any(state == "paused" for _, state in rows)
