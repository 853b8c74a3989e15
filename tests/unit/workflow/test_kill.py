"""An apply killed at every point where it touches the disk: the lab is as before or as after, never between."""

from __future__ import annotations

from pathlib import Path

import pytest

from homelab_mcp.model.plan import PlanState
from tests.kills import killed_after
from tests.unit.workflow.bench_as_lab import BenchAsLab
from tests.unit.workflow.bench_lab import BenchLab

STRIDE, NIGHTLY_STRIDE = 23, 7
"""A kill at every 23rd call or return of a disk function (some 70), at night at every 7th; 1 tries all of them."""

DRIFT_STRIDE = 29


@pytest.mark.parametrize(
    "stride",
    [
        pytest.param(STRIDE, marks=pytest.mark.timeout(240)),
        pytest.param(NIGHTLY_STRIDE, marks=[pytest.mark.nightly, pytest.mark.timeout(900)]),
    ],
)
def test_an_apply_killed_at_every_touch_of_the_disk_is_recovered_whole(tmp_path: Path, stride: int) -> None:
    outcomes: dict[str, int] = {}
    touches = 1 - stride
    while True:
        touches += stride
        root = tmp_path / str(touches)
        lab = BenchLab(root)
        lab.history.ensure()
        before = lab.visible()
        plan = lab.plan(lab.add_draft())
        killed = killed_after(touches, lambda lab=lab, plan=plan: lab.applier.run(plan.id))  # type: ignore[misc]
        left = [p for p in root.rglob("*.homelab-tmp") if ".homelab" not in p.parts]
        torn = {p: c for p, c in lab.visible().items() if p in before and c != before[p] and not p.endswith("-tmp")}
        wanted = {e.path: (e.after or "").encode() for e in plan.draft.edits}
        assert all(content == wanted[path] for path, (content, _) in torn.items()), "a file is half written"

        again = BenchLab(root)
        again.recovery.recover()
        status = again.plans.status(plan.id)
        after = again.visible()
        outcomes[status.state] = outcomes.get(status.state, 0) + 1
        if status.state is PlanState.DONE:
            assert {p: after[p][0] for p in wanted} == wanted
        else:
            assert after == before, (touches, status)
            assert not (root / "media" / "app").exists()
        assert not list(root.glob("media/**/*.homelab-tmp")), left
        assert again.journal.verify() == ""
        assert again.recovery.recover() == [], "a second recovery finds nothing"
        again.clock.wall += 1
        assert again.apply(again.change_draft("web:2")).state is PlanState.DONE, "and the lab works on"
        if not killed:
            break
    assert touches > 100, "the kills are spread over the whole apply"
    assert outcomes[PlanState.ROLLED_BACK] > 650 // stride
    assert outcomes[PlanState.DONE] >= 1


@pytest.mark.timeout(120)
def test_a_file_rewritten_while_being_killed_is_old_or_new(tmp_path: Path) -> None:
    from homelab_mcp.adapters.files import LabFiles

    old, new = "o" * 200_000, "n" * 200_000
    seen = set()
    for touches in range(1, 60):
        root = tmp_path / str(touches)
        root.mkdir()
        files = LabFiles(root)
        files.write_atomic("s/compose.yaml", old, 0o640)
        killed = killed_after(touches, lambda files=files: files.write_atomic("s/compose.yaml", new, 0o600))  # type: ignore[misc]
        text = (root / "s/compose.yaml").read_text()
        assert text in {old, new}
        seen.add(text)
        files.sweep_temporary()
        assert [p.name for p in (root / "s").iterdir()] == ["compose.yaml"]
        assert (root / "s/compose.yaml").stat().st_mode & 0o777 == 0o640
        if not killed:
            break
    assert seen == {old, new}
    assert not killed


@pytest.mark.timeout(240)
@pytest.mark.parametrize("how", ["adopt", "undo"])
def test_resolving_drift_killed_at_any_touch_of_the_disk_is_done_or_still_drift(tmp_path: Path, how: str) -> None:
    edited = "# by hand\nservices:\n  web:\n    image: web:2\n"
    outcomes: set[PlanState] = set()
    touches = -DRIFT_STRIDE
    while True:
        touches += DRIFT_STRIDE
        bench = BenchLab(tmp_path / str(touches))
        lab = BenchAsLab(bench)
        lab.commit_all()
        committed = bench.compose_file.read_text()
        bench.compose_file.write_text(edited)
        plan = lab.resolve("media", how)
        bench.approvals.dialog(plan, "media", "test")
        ended = not killed_after(touches, lambda bench=bench, plan=plan: bench.applier.run(plan.id))  # type: ignore[misc]
        again = BenchLab(bench.root)
        again.recovery.recover()
        assert not again.recovery.needed()
        state = again.plans.status(plan.id).state
        outcomes.add(state)
        head = again.history.committed(["media/compose.yaml"])["media/compose.yaml"]
        now = again.compose_file.read_text()
        if state is PlanState.DONE:
            assert now == head == (edited if how == "adopt" else committed), touches
            assert plan.id in again.history.log(1)[0].message
        else:
            assert (now, head) == (edited, committed), (touches, state)
        assert again.journal.verify() == ""
        if ended:
            assert PlanState.DONE in outcomes
            assert len(outcomes) > 1
            return
