"""A lab in a temporary folder: real files, git, journal, plans, lock and approver, and a make-believe Docker."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from homelab_mcp.adapters.approver import KeyFileApprover
from homelab_mcp.adapters.data_folders import LabData
from homelab_mcp.adapters.files import LabFiles
from homelab_mcp.adapters.git_history import GitHistory
from homelab_mcp.adapters.journal import JsonlJournal
from homelab_mcp.adapters.lock import LabLock
from homelab_mcp.adapters.plan_store import FilePlanStore
from homelab_mcp.adapters.snapshots import SecretSnapshots
from homelab_mcp.model.finding import Finding
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.model.plan import (
    ActionKind,
    Draft,
    EngineAction,
    FileEdit,
    Plan,
    PlanStatus,
    Requester,
    RouteCheck,
    Verification,
)
from homelab_mcp.workflow.applier import Applier
from homelab_mcp.workflow.approvals import Approvals
from homelab_mcp.workflow.judging import Known
from homelab_mcp.workflow.planner import Planner
from homelab_mcp.workflow.recovery import Recovery
from homelab_mcp.workflow.verifier import Verifier
from tests.unit.workflow.fakes import FakeClock, FakeCompose, FakeDocker, FakeProbe

PIN = "correct horse"
OLD = "# by hand\nservices:\n  web:\n    image: web:1\n"
SECRET = "s3cr3t-canary-8f2a91"


def no_findings(
    stacks: Sequence[StackFiles],
    networks: Collection[str],
    edits: Sequence[FileEdit],
    *,
    since: Known | None = None,
) -> Sequence[Finding]:
    return ()


class BenchLab:
    """One stack ``media`` with a service ``web`` that runs."""

    def __init__(self, root: Path, *, pin: bool = False) -> None:
        self.root = root
        (root / "media").mkdir(parents=True, exist_ok=True)
        self.compose_file = root / "media" / "compose.yaml"
        self.env_file = root / "media" / ".env"
        if not self.compose_file.exists():
            self.compose_file.write_text(OLD)
            self.env_file.write_text("TZ=Etc/UTC\n")
            self.env_file.chmod(0o600)
        self.clock = FakeClock()
        self.docker = FakeDocker()
        self.compose = FakeCompose(root, self.docker)
        self.probe = FakeProbe()
        self.files = LabFiles(root)
        self.data = LabData(root)
        self.plans = FilePlanStore(root)
        self.journal = JsonlJournal(root)
        self.snapshots = SecretSnapshots(root)
        self.history = GitHistory(root)
        self.lock = LabLock(root)
        self.approver = KeyFileApprover(root / ".homelab" / "approver.json", self.clock)
        if pin:
            self.approver.create(PIN)
        self.compose.up("media", ())
        self.docker.calls.clear()
        self.planner = Planner(
            files=self.files,
            plans=self.plans,
            journal=self.journal,
            clock=self.clock,
            engine=self.docker,
            compose=self.compose,
            root=str(root),
        )
        self.approvals = Approvals(plans=self.plans, journal=self.journal, approver=self.approver, clock=self.clock)
        self.applier = Applier(
            files=self.files,
            history=self.history,
            journal=self.journal,
            plans=self.plans,
            approver=self.approver,
            lock=self.lock,
            clock=self.clock,
            engine=self.docker,
            compose=self.compose,
            verifier=Verifier(engine=self.docker, probe=self.probe, clock=self.clock),
            snapshots=self.snapshots,
            data=self.data,
        )
        self.recovery = Recovery(self.applier)

    def add_draft(self, image: str = "app:1", routes: tuple[RouteCheck, ...] = ()) -> Draft:
        """Adds service ``app`` with a secret, a config file, a network and a bind folder."""
        old, env = self.compose_file.read_text(), self.env_file.read_text()
        new = old + f"  app:\n    image: {image}\n    volumes: ['./app/data:/data']\n"
        return Draft(
            operation="add_service",
            summary="Add app to stack media",
            edits=(
                FileEdit("media/compose.yaml", old, new),
                FileEdit("media/.env", env, env + f"APP_PASSWORD='{SECRET}'\n", 0o600, secret=True),
                FileEdit("media/app/config/app.conf", None, "listen = 80\n"),
                FileEdit("media/app/config/users_database.yml", None, f"hash: {SECRET}\n", 0o600, secret=True),
            ),
            actions=(
                EngineAction(ActionKind.CREATE_NETWORK, "route", name="traefik-network"),
                EngineAction(ActionKind.PULL, "new image", "media", ("app",)),
                EngineAction(ActionKind.UP, "new service", "media", ("app",)),
            ),
            verification=Verification("media", ("app",), routes=routes),
            undo="remove app",
            target="app",
            secrets=(SECRET,),
        )

    def change_draft(self, image: str) -> Draft:
        """Gives ``web`` another image."""
        old = self.compose_file.read_text()
        return Draft(
            operation="change",
            summary="Change web",
            edits=(FileEdit("media/compose.yaml", old, old.replace("web:1", image)),),
            actions=(
                EngineAction(ActionKind.PULL, "new image", "media", ("web",)),
                EngineAction(ActionKind.UP, "new image", "media", ("web",)),
            ),
            verification=Verification("media", ("web",)),
            target="web",
        )

    def plan(self, draft: Draft, *, approve: bool = True) -> Plan:
        made = self.planner.make(draft, self.planner.snapshot(containers=True), Requester("mcp", "test"), no_findings)
        if approve:
            self.approvals.dialog(made, draft.target, "test")
        return made

    def apply(self, draft: Draft) -> PlanStatus:
        return self.applier.run(self.plan(draft).id)

    def visible(self) -> dict[str, tuple[bytes, int]]:
        """Every file of the lab that is not this project's own: path -> (bytes, mode)."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            parts = path.relative_to(self.root).parts
            if path.is_file() and not {".git", ".homelab"} & set(parts) and parts[-1] != ".gitignore":
                found["/".join(parts)] = (path.read_bytes(), path.stat().st_mode & 0o777)
        return found

    def events(self) -> list[str]:
        return [e["event"] for e in self.journal.entries()]
