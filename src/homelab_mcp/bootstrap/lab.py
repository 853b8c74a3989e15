"""A lab with all its parts: beside its folder and its machines, the records, keys and plans of this project."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, cast

from homelab_mcp.bootstrap.engines import LabEngines
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.ports import (
    Approver,
    Clock,
    Handover,
    History,
    HookSecret,
    Journal,
    Lock,
    PlanStore,
    Remote,
    Repositories,
    Restic,
    SecretSource,
    Snapshots,
    TokenStore,
    Vault,
    Worker,
)

if TYPE_CHECKING:
    from homelab_mcp.adapters.lab_secrets import LabSecrets
    from homelab_mcp.core.redact import Redactor


def open_lab(root: str, *, files_only: bool = False) -> LocalLab:
    """The lab in that folder; nothing is read or made yet."""
    return LocalLab(root, files_only=files_only)


class LocalLab(LabEngines):
    """Fulfils ``ports.Lab`` with this machine's files and Docker. Each part is made on first use.

    The server must answer ``tools/list`` before Docker, git or YAML are imported.
    """

    @cached_property
    def _secrets_of_lab(self) -> LabSecrets:
        from homelab_mcp.adapters.lab_secrets import LabSecrets

        return LabSecrets(self.root, self._environments)

    def _environments(self) -> Mapping[str, tuple[tuple[str, str], ...]]:
        """Of the containers that this process met; an engine that nobody asked for is not made for it."""
        found: dict[str, tuple[tuple[str, str], ...]] = {}
        for engine in (self.__dict__.get("engine"), self.__dict__.get("_host_set")):
            found |= getattr(engine, "environments", dict)() if engine is not None else {}
        return found

    @property
    def redactor(self) -> Redactor:
        """Masks every secret of the lab that is known by now: env files, key files, containers met, open plans."""
        secrets = self._secrets_of_lab
        secrets.learn_new_plans(self._private / "plans", self._plain_plans.list)
        return secrets.redactor()

    def restic_at(self, host: str) -> Restic:
        """The container that makes a host's backups."""
        from homelab_mcp.adapters.backup_container import BackupContainer
        from homelab_mcp.queries.backup_place import backup_container

        def reach() -> Mapping[str, str]:
            return {} if host == LOCAL else self._host_set.reach(host)

        return BackupContainer(lambda: backup_container(self, host), reach)

    @cached_property
    def history(self) -> History:
        """The lab's git repository."""
        from homelab_mcp.adapters.git_history import GitHistory
        from homelab_mcp.adapters.outgoing import RedactedHistory

        plain = GitHistory(self.root)
        return cast("History", RedactedHistory(plain, self.files, lambda: self.redactor))

    @cached_property
    def repositories(self) -> Repositories:
        """Git repositories of others."""
        from homelab_mcp.adapters.git_foreign import ForeignGit

        return ForeignGit()

    @cached_property
    def remote(self) -> Remote:
        """The lab's git repository elsewhere."""
        from homelab_mcp.adapters.git_remote import GitRemote

        return GitRemote(self.root)

    @cached_property
    def journal(self) -> Journal:
        """The lab's journal."""
        from homelab_mcp.adapters.journal import JsonlJournal
        from homelab_mcp.adapters.outgoing import RedactedJournal

        return cast("Journal", RedactedJournal(JsonlJournal(self.root), lambda: self.redactor))

    @cached_property
    def plans(self) -> PlanStore:
        """The lab's plans."""
        from homelab_mcp.adapters.outgoing import RedactedPlans

        learn = self._secrets_of_lab.learn_plan
        return cast("PlanStore", RedactedPlans(self._plain_plans, lambda: self.redactor, learn))

    @cached_property
    def _plain_plans(self) -> PlanStore:
        from homelab_mcp.adapters.plan_store import FilePlanStore

        return FilePlanStore(self.root)

    @cached_property
    def approver(self) -> Approver:
        """The approver's key; HOMELAB_APPROVER_FILE keeps it outside the lab."""
        from homelab_mcp.adapters.approver import KeyFileApprover

        return KeyFileApprover(os.environ.get("HOMELAB_APPROVER_FILE") or str(self._private / "approver.json"))

    @cached_property
    def lock(self) -> Lock:
        """One apply at a time."""
        from homelab_mcp.adapters.lock import LabLock

        return LabLock(self.root)

    @cached_property
    def clock(self) -> Clock:
        """The system's clock."""
        from homelab_mcp.adapters.clock import SystemClock

        return SystemClock()

    @cached_property
    def secrets(self) -> SecretSource:
        """The system's randomness."""
        from homelab_mcp.adapters.secrets import SystemSecrets

        return SystemSecrets()

    @cached_property
    def handover(self) -> Handover:
        """New passwords on their way to a person."""
        from homelab_mcp.adapters.handover import FileHandover

        return FileHandover(self.root)

    @cached_property
    def tokens(self) -> TokenStore:
        """Who may use the HTTP server."""
        from homelab_mcp.adapters.token_store import FileTokenStore

        return FileTokenStore(self.root)

    @cached_property
    def hook(self) -> HookSecret:
        """What a forge signs its calls with."""
        from homelab_mcp.adapters.hook_secret import FileHookSecret

        return FileHookSecret(self.root)

    @cached_property
    def worker(self) -> Worker:
        """Applies run in processes of their own."""
        from homelab_mcp.adapters.worker_process import WorkerProcess

        return WorkerProcess(self.root, files_only=self.files_only)

    @cached_property
    def vault(self) -> Vault:
        """The key of what the lab keeps encrypted."""
        from homelab_mcp.adapters.vault import Vault as KeyVault

        return KeyVault(self.root)

    @cached_property
    def snapshots(self) -> Snapshots:
        """Encrypted copies of the lab's secret files."""
        from homelab_mcp.adapters.snapshots import SecretSnapshots

        return SecretSnapshots(self.root)
