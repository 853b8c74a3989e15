"""A restore's moves on a real other machine, over SSH and TLS: done, taken back, and with the cable pulled in it."""

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from homelab_mcp.adapters import data_there
from homelab_mcp.adapters.data_there import DataThere
from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core.stack_host import with_host
from homelab_mcp.model.errors import EngineUnavailable
from homelab_mcp.model.plan import ActionKind, DataMove, Draft, EngineAction, Plan, PlanState, PlanStatus, Verification
from homelab_mcp.workflow import undo
from homelab_mcp.workflow.approvals import UNKNOWN
from homelab_mcp.workflow.assembly import applier, approvals, planner, recovery
from homelab_mcp.workflow.change_hosts import make_tls
from homelab_mcp.workflow.proposals import plan_of, propose_rollback
from homelab_mcp.workflow.verifier import Patience
from testbed import Scratch, stand_in
from testbed.docker_engine import docker, wait_until
from testbed.storage import ensure_backup
from tests.docker.backup_rig import CLI, PIN
from tests.docker.host_rig import OtherMachine

PAGES, SIDE = "photos/web/pages", "backup-nas/restore/20260101-000000-abcd/lab/photos/web/pages"
BACKUP, LOCK = "backup-nas-backup-1", "/tmp/homelab-data"
TRASH = ".homelab/trash/20260101-000000-restore-web@nas"


class Far:
    """A lab whose ``photos`` and ``backup-nas`` are on the host nas, which has the lab's path on a disk of its own."""

    def __init__(self, root: Path, machine: OtherMachine) -> None:
        self.root, self.machine = root, machine

    def open(self) -> LocalLab:
        return open_lab(str(self.root))

    def there(self, text: str) -> str:
        """What a shell says on nas, of its disk below the lab's folder; by its own socket, with no cable."""
        return self.machine.docker("exec", BACKUP, "sh", "-c", f"cd /place && {text}")

    def pages(self) -> str:
        return self.there(f"cat {PAGES}/1")

    def restore(self) -> Plan:
        """Brings pages back that were restored to the side."""
        self.there(f"mkdir -p {SIDE} && echo restored >{SIDE}/1")
        lab, services = self.open(), ("web",)
        draft = Draft(
            operation="restore_backup",
            summary="Restore web",
            edits=(),
            actions=(
                EngineAction(ActionKind.REMOVE, "swapped", "photos", services),
                EngineAction(ActionKind.UP, "runs", "photos", services),
            ),
            verification=Verification("photos", services),
            moves=(DataMove(PAGES, f"{TRASH}/{PAGES}", "kept"), DataMove(SIDE, PAGES, "restored")),
            target="web",
        )
        return plan_of(lab, draft, planner(lab).snapshot(containers=True), CLI)

    def apply(self, plan: Plan) -> PlanStatus:
        lab = self.open()
        approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
        return applier(lab, Patience(stable=2)).run(plan.id)


@pytest.fixture(params=["ssh", "tls"])
def far(request: pytest.FixtureRequest, tmp_path: Path, testbed_run: Scratch) -> Iterator[Far]:
    run, root = testbed_run.run_id, tmp_path / "lab"
    root.mkdir()
    page = stand_in(f"homelab-testbed/web-{run}:1", service="web", ports=[80]).reference
    backup = ensure_backup(f"homelab-testbed/backup-{run}:1").reference
    (root / "homelab.yaml").write_text("domain: lab.test\n")
    web = f"    image: {page}\n    restart: unless-stopped\n    volumes: ['./web/pages:/pages']\n"
    engine = (
        f"    image: {backup}\n    init: true\n    command: sleep 99999\n    labels: {{homelab.backup: engine}}\n"
        f"    restart: unless-stopped\n    volumes: ['{root}:/place', './restore:/restore']\n"
    )
    for stack, service, text in (("photos", "web", web), ("backup-nas", "backup", engine)):
        (root / stack).mkdir()
        (root / stack / "compose.yaml").write_text(with_host(f"services:\n  {service}:\n{text}", "nas"))
    lab = open_lab(str(root))
    lab.history.ensure()
    lab.approver.create(PIN)
    tls = None
    if request.param == "tls":
        make_tls(lab, "nas", ("10.214.84.2",), 90, again=False)
        tls = tmp_path / "tls"
        shutil.copytree(root / ".homelab/tls/nas/server", tls)
    with OtherMachine(84, tls=tls, hides=root) as machine, pytest.MonkeyPatch.context() as patch:
        if request.param == "ssh":
            patch.setenv("PATH", f"{machine.sshd()}:{os.environ['PATH']}")
        address = f"ssh://root@{machine.address}" if tls is None else f"tcp://{machine.address}:2376"
        extra = "" if tls is None else ", certificates: .homelab/tls/nas/client"
        (root / "hosts.yaml").write_text(f"hosts:\n  nas: {{address: '{address}'{extra}}}\n")
        machine.load(page, backup)
        found = Far(root, machine)
        for stack in ("backup-nas", "photos"):
            found.open().compose.up(stack, ())
        found.there(f"echo mine >{PAGES}/1")
        yield found
    docker("rmi", "--force", page, backup)


def test_data_there_is_swapped_and_taken_back_and_this_machine_has_none_of_it(far: Far) -> None:
    lab = far.open()
    assert lab.placed_data.identity(PAGES) and lab.data.identity(PAGES) is None
    assert lab.placed_data.host(PAGES) == "nas" and set(lab.placed_data.others()) == {"nas"}
    restored = far.restore()
    status = far.apply(restored)
    assert status.state is PlanState.DONE, status
    assert far.pages() == "restored\n" and far.there(f"cat {TRASH}/{PAGES}/1") == "mine\n"

    back = propose_rollback(far.open(), restored.id, CLI)
    bins = [m.target.split("/")[2] for m in back.draft.moves if m.target.startswith(".homelab/trash/")]
    assert len(bins) == 1 and bins[0].endswith(f"-rollback-{restored.id[:6]}@nas")
    assert [(a.kind, a.stack) for a in back.draft.actions] == [(ActionKind.REMOVE, "photos"), (ActionKind.UP, "photos")]
    status = far.apply(back)
    assert status.state is PlanState.DONE, status
    assert far.pages() == "mine\n" and far.there(f"cat .homelab/trash/{bins[0]}/{PAGES}/1") == "restored\n"
    assert not (far.root / "photos/web").exists() and not (far.root / ".homelab/trash").exists()


def test_a_cable_that_is_pulled_in_a_move_leaves_the_apply_open_until_it_is_back(
    far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, plain, seen = far.machine, DataThere.move, list[str]()

    def cut() -> None:
        machine.pull_the_cable()
        # Only now comes its turn: it is done, and the answer is lost.
        far.there("for p in $(pidof sleep); do grep -qz 600 /proc/$p/cmdline && kill $p; done; true")

    def move(self: DataThere, source: str, target: str) -> None:
        if source != SIDE or seen:
            return plain(self, source, target)
        far.machine.docker("exec", "-d", BACKUP, "sh", "-c", f"exec 9>>{LOCK}; flock 9; sleep 600")
        wait_until(lambda: not far.there(f"flock -n {LOCK} echo free || true"), "the lock")
        timer = threading.Timer(4, cut)
        timer.start()
        try:
            plain(self, source, target)
        except EngineUnavailable as error:
            seen.append(error.code)
            raise
        finally:
            timer.join()
        return None

    plan = far.restore()
    monkeypatch.setattr(data_there, "MOVE_SECONDS", 9.0)
    monkeypatch.setattr(undo, "_ENGINE_PATIENCE", 3.0)
    monkeypatch.setattr(DataThere, "move", move)
    try:
        status = far.apply(plan)
        assert seen == ["host_lost"]
        assert (status.state, status.error_code) == (PlanState.APPLYING, UNKNOWN), status
        assert far.pages() == "restored\n" and "photos-web-1" not in machine.running()
        assert [r.outcome for r in recovery(far.open()).recover()] == [PlanState.APPLYING]
    finally:
        machine.put_the_cable_back()
    wait_until(lambda: far.open().hosts.look("nas").version, "the host is back", within=30)
    reports = recovery(far.open()).recover()
    assert [r.outcome for r in reports] == [PlanState.ROLLED_BACK], reports
    assert far.pages() == "mine\n" and far.there(f"cat {SIDE}/1") == "restored\n"
    assert "photos-web-1" in machine.running()
