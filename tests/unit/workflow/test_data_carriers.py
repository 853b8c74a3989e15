"""A plan that takes away the very container by which data on another host is moved: dead at any point, it ends well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.adapters.data_folders import LabData
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable
from homelab_mcp.model.plan import (
    ActionKind,
    DataMove,
    Draft,
    EngineAction,
    FileEdit,
    PlanState,
    Verification,
)
from homelab_mcp.workflow.applier import Applier
from homelab_mcp.workflow.data_carriers import removals_of, without
from homelab_mcp.workflow.recovery import Recovery
from homelab_mcp.workflow.verifier import Verifier
from tests.failpoints import Points
from tests.unit.workflow.bench_lab import BenchLab
from tests.unit.workflow.fakes import FakeDocker
from tests.unit.workflow.test_data_steps import Died, everything

pytestmark = pytest.mark.unit

NAS = (
    "x-homelab: {host: nas}\nservices:\n  maker:\n    image: maker:1\n    labels: {homelab.backup: engine}\n"
    "    volumes: ['/lab:/place']\n"
)


class Carried:
    """This machine's data, as if on another host: reached as long as ``maker`` runs there."""

    def __init__(self, data: LabData, docker: FakeDocker) -> None:
        self.data, self.docker = data, docker

    def __getattr__(self, name: str) -> Any:
        def call(*words: Any) -> Any:
            if not any(c.service == "maker" and c.state == "running" for c in self.docker.containers_now.values()):
                raise EngineUnavailable("It does not run.", code="backup_not_running", hint="Start it.")
            return getattr(self.data, name)(*words)

        return call


class Lab(BenchLab):
    """``web`` and, in a stack on another host, what makes backups there."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        (root / "backup-nas").mkdir()
        (root / "backup-nas/compose.yaml").write_text(NAS)
        (root / "media/web/pages").mkdir(parents=True)
        (root / "media/web/pages/1").write_text("one")
        self.compose.up("backup-nas", ())
        self.docker.calls.clear()

    def machines(self, at: Callable[[str], None] = lambda point: None) -> tuple[Applier, Recovery]:
        points = Points(at)
        docker = points.behind("engine", self.docker)
        parts = {part: points.behind(part, getattr(self, part)) for part in ("files", "history", "journal", "plans")}
        applier = Applier(
            **parts,
            approver=self.approver,
            lock=self.lock,
            clock=self.clock,
            engine=docker,
            compose=points.behind("compose", self.compose),
            verifier=Verifier(engine=docker, probe=self.probe, clock=self.clock),
            data=points.behind("data", Carried(self.data, self.docker)),
        )
        return applier, Recovery(applier)

    def going(self, image: str = "web:1") -> Draft:
        """As of a roll-back to before the backup was set up, with a restore since."""
        old = self.compose_file.read_text()
        return Draft(
            operation="rollback",
            summary="Put the lab back",
            edits=(
                FileEdit("media/compose.yaml", old, f"services:\n  web:\n    image: {image}\n"),
                FileEdit("backup-nas/compose.yaml", NAS, None),
            ),
            actions=(
                EngineAction(ActionKind.REMOVE, "goes", "backup-nas", ("maker",)),
                EngineAction(ActionKind.REMOVE, "swapped", "media", ("web",)),
                EngineAction(ActionKind.UP, "runs", "media", ("web",)),
            ),
            verification=Verification("media", ("web",)),
            moves=(DataMove("media/web/pages", "media/web/then", "its data"),),
            target="lab",
        )


def test_the_container_that_moves_data_goes_once_it_has(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    status = lab.machines()[0].run(lab.plan(lab.going()).id)
    assert status.state is PlanState.DONE, status
    assert (tmp_path / "media/web/then/1").read_text() == "one"
    assert lab.docker.running().keys() == {"web"} and not (tmp_path / "backup-nas/compose.yaml").exists()
    assert [c for c in lab.docker.calls if c.startswith("remove")] == ["remove media web", "remove backup-nas maker"]


def test_the_way_back_has_it_running_before_it_needs_it(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    before = everything(tmp_path)
    status = lab.machines()[0].run(lab.plan(lab.going("crash:1")).id)
    assert status.state is PlanState.ROLLED_BACK, status
    assert everything(tmp_path) == before
    assert lab.docker.running().keys() == {"web", "maker"}
    assert all(e.ok for e in status.evidence if "back" in e.what), status.evidence


def test_a_death_at_any_point_is_put_right_by_the_next_recovery(tmp_path: Path) -> None:
    seen, ended = list[str](), Counter[str]()
    first = Lab(tmp_path / "first")
    assert first.machines(seen.append)[0].run(first.plan(first.going()).id).state is PlanState.DONE
    assert any("compose.remove 2" in point for point in seen)
    for number, point in enumerate(seen):
        lab = Lab(tmp_path / str(number))
        before = everything(lab.root)
        plan = lab.plan(lab.going())

        def die(here: str, point: str = point) -> None:
            if here == point:
                raise Died

        with pytest.raises(Died):
            lab.machines(die)[0].run(plan.id)
        lab.clock.wall += 3600
        recovery = lab.machines()[1]
        recovery.recover()
        state = lab.plans.status(plan.id).state
        ended[state] += 1
        if state is PlanState.DONE:
            assert lab.docker.running().keys() == {"web"}, point
        else:
            assert everything(lab.root) == before, point
            assert lab.docker.running().keys() == {"web", "maker"}, point
        assert recovery.recover() == [], point
    assert ended[PlanState.DONE] and ended[PlanState.ROLLED_BACK] > 10, ended


def test_one_that_does_not_come_up_anew_is_brought_back_for_the_way_back(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    new, plain = NAS.replace("maker:1", "maker:2"), lab.compose.up

    def up(stack: str, services: Sequence[str]) -> None:
        plain(stack, services)
        one = lab.compose.find("backup-nas", "maker")
        if stack == "backup-nas" and one is not None and one.image == "maker:2":
            one.state = "created"
            raise EngineFailed("docker compose up failed", details={"output": "no such device"})

    lab.compose.up = up  # type: ignore[method-assign]
    draft = Draft(
        operation="restore_backup",
        summary="Restore web",
        edits=(FileEdit("backup-nas/compose.yaml", NAS, new),),
        actions=(
            EngineAction(ActionKind.REMOVE, "swapped", "media", ("web",)),
            EngineAction(ActionKind.UP, "anew", "backup-nas", ("maker",)),
            EngineAction(ActionKind.UP, "runs", "media", ("web",)),
        ),
        verification=Verification("media", ("web",)),
        moves=(DataMove("media/web/pages", "media/web/then", "its data"),),
        target="web",
    )
    before = everything(tmp_path)
    status = lab.machines()[0].run(lab.plan(draft).id)
    assert status.state is PlanState.ROLLED_BACK, status
    assert everything(tmp_path) == before
    assert lab.docker.running()["maker"][0] == "maker:1"


@pytest.mark.parametrize(
    ("kept", "before", "after"),
    [(frozenset(), ["apps", "backup-nas"], []), (frozenset({("backup-nas", "backup-nas")}), ["apps"], ["backup-nas"])],
)
def test_a_removal_of_whole_stacks_is_carried_out_once(
    kept: frozenset[tuple[str, str]], before: list[str], after: list[str]
) -> None:
    actions = [EngineAction(ActionKind.REMOVE, "why", stack) for stack in ("apps", "backup-nas")]
    assert [a.stack for a in without(actions, kept)] == before
    assert [a.stack for a in removals_of(actions, kept)] == after
