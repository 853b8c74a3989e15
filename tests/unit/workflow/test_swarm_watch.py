"""When a Swarm stack counts as converged, and when it is said to have failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import pytest

from homelab_mcp.model.observed import Rollout
from homelab_mcp.model.plan import Evidence
from homelab_mcp.ports import Engine
from homelab_mcp.workflow.patience import Patience
from homelab_mcp.workflow.swarm_watch import SwarmWatch
from tests.unit.workflow.fakes import FakeClock


class Told:
    """Says what it was given, look by look, the last for ever."""

    def __init__(self, looks: Sequence[tuple[Rollout, ...]]) -> None:
        self._looks = iter(looks)
        self._last: tuple[Rollout, ...] = ()

    def rollouts(self, stack: str) -> tuple[Rollout, ...]:
        self._last = next(self._looks, self._last)
        return self._last


def web(running: int = 2, update: str = "", **more: object) -> Rollout:
    given: dict[str, object] = {"form": "new", "watched": 10.0, **more}
    return Rollout("web", 2, running, update=update, **given)  # type: ignore[arg-type]


def watched(*looks: Rollout | None, clock: FakeClock | None = None) -> list[Evidence]:
    engine = cast("Engine", Told([(look,) if look else () for look in looks]))
    watch = SwarmWatch(engine, clock or FakeClock(), Patience(), {})
    return watch.watch("pages", ("web",), {"web": "new"}, ("hunter2hunter2",), lambda: None)


def test_all_replicas_that_stay_are_a_stack_that_converged() -> None:
    clock = FakeClock()
    (seen,) = watched(web(0), web(1), web(2), clock=clock)
    assert (seen.ok, seen.what) == (True, "web: 2 of 2 tasks run")
    assert clock.passed >= Patience().stable


def test_what_a_health_check_passed_or_swarm_itself_watched_needs_no_more_time() -> None:
    clock = FakeClock()
    assert watched(web(2, checked=True), clock=clock)[0].ok
    assert watched(web(1, "updating"), web(2, "completed"), clock=clock)[0].ok
    assert clock.passed < 5


def test_an_update_at_work_is_waited_for_and_a_rolled_back_one_is_a_failure() -> None:
    looks = [web(1, "updating")] * 5 + [web(1, "rollback_started", form="old")] * 5
    (seen,) = watched(*looks, web(2, "rollback_completed", form="old", error="exit 1, key hunter2hunter2"))
    assert not seen.ok
    assert seen.what == "Swarm could not update web and rolled it back"
    assert "exit 1" in seen.detail
    assert "hunter2" not in seen.detail


@pytest.mark.parametrize(
    ("look", "told"),
    [
        (web(1, "paused"), "Swarm stopped the update"),
        (web(0, "rollback_paused", form="old"), "could not roll it back"),
        (web(0, failed=3), "crash-loops: 3 of its tasks failed"),
        (web(1), "did not converge in time: 1 of 2 tasks run"),
        (web(2, form="old"), "did not converge in time"),
        (None, "Swarm has no service web"),
    ],
)
def test_what_does_not_hold_is_said(look: Rollout | None, told: str) -> None:
    (seen,) = watched(look)
    assert not seen.ok
    assert told in seen.what


def test_a_roll_back_of_long_ago_says_nothing_of_what_runs_now() -> None:
    assert watched(web(2, "rollback_completed"))[0].ok


def test_what_a_plan_does_not_deploy_is_to_stay_the_form_that_it_is() -> None:
    engine = cast("Engine", Told([(web(1, "rollback_completed", form="old"),), (web(2, form="old"),)]))
    (seen,) = SwarmWatch(engine, FakeClock(), Patience(), {}).watch("pages", ("web",), {}, (), lambda: None)
    assert seen.ok
    engine = cast("Engine", Told([(web(2, "updating", form="old"),), (web(2, "completed", form="other"),)]))
    (seen,) = SwarmWatch(engine, FakeClock(), Patience(), {}).watch("pages", ("web",), {}, (), lambda: None)
    assert not seen.ok


def test_a_task_that_falls_again_begins_the_wait_anew() -> None:
    def looks() -> Iterator[Rollout]:
        for _ in range(50):
            yield web(2)
        yield web(1, failed=1)

    clock = FakeClock()
    (seen,) = watched(*looks(), web(2, failed=1), clock=clock)
    assert seen.ok
    assert clock.passed > 50 * Patience().poll + Patience().stable - 1
