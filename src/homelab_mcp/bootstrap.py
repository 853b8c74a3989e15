"""Builds the adapters of one lab and hands them down: the only wiring."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

from homelab_mcp.core.catalog import Catalog
from homelab_mcp.model.diagnosis import Signature
from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound
from homelab_mcp.model.lab import HOSTS_FILE, PRIVATE_FOLDER, SETTINGS_FILE, LabSettings
from homelab_mcp.model.policy import POLICY_FILE
from homelab_mcp.ports import (
    Approver,
    Clock,
    Compose,
    Data,
    Engine,
    Files,
    Handover,
    Hardware,
    History,
    Host,
    Hosts,
    Inside,
    Journal,
    Judge,
    Lock,
    LogFiles,
    Meter,
    PlanStore,
    Probe,
    PromptText,
    Registry,
    Repositories,
    Restic,
    SecretSource,
    Snapshots,
    TokenStore,
    Trials,
    UsageLog,
    Vault,
    Worker,
)

if TYPE_CHECKING:
    from homelab_mcp.adapters.docker_engine import DockerEngine
    from homelab_mcp.adapters.hosts import HostSet
    from homelab_mcp.adapters.hosts_engine import HostsEngine
    from homelab_mcp.adapters.lab_secrets import LabSecrets
    from homelab_mcp.core.policy import Policy
    from homelab_mcp.core.redact import Redactor
    from homelab_mcp.queries.validate import ComposeReader


def open_lab(root: str, *, files_only: bool = False) -> LocalLab:
    """The lab in that folder; nothing is read or made yet."""
    return LocalLab(root, files_only=files_only)


def disk_reader() -> ComposeReader:
    """Reads compose files that a person named, inside or outside a lab."""
    from homelab_mcp.adapters.paths_reader import PathsReader

    return PathsReader()


def tell(command: str, text: str) -> None:
    """Hand a text to a program of the person's; raises InvalidInput, HomelabError (``notify_failed``)."""
    from homelab_mcp.adapters.notify import tell as run

    run(command, text)


def mask_output(redactor: Callable[[], Redactor], *, stdout: bool = True, named: bool = True) -> None:
    """Put this process's stderr, and stdout where asked, behind a redactor until it ends.

    Args:
        redactor: asked at each line, so that it may know more by then.
        stdout: not where stdout carries a protocol.
        named: also mask what follows names such as ``password=``; not for output that is parsed.
    """
    from homelab_mcp.adapters.masked_output import mask_stream

    mask_stream("stderr", redactor, named=named)
    if stdout:
        mask_stream("stdout", redactor, named=named)


def redactor_of(*paths: str) -> Callable[[], Redactor]:
    """For files outside a lab: masks what the env files in and below these folders hold."""
    from homelab_mcp.adapters.lab_secrets import LabSecrets
    from homelab_mcp.core.redact import Redactor

    sources = [LabSecrets(path) for path in paths]
    return lambda: (
        Redactor(v for s in sources for v in s.redactor().values) if len(sources) != 1 else sources[0].redactor()
    )


def compose_judge(root: str | None = None) -> Judge:
    """Compose's own word on files, within bounds; ``root`` is the lab whose ``global.env`` counts."""
    from homelab_mcp.adapters.compose_judge import ComposeJudge

    return ComposeJudge(root)


class LocalLab:
    """Fulfils ``ports.Lab`` with this machine's files and Docker. Each part is made on first use.

    The server must answer ``tools/list`` before Docker, git or YAML are imported.
    """

    def __init__(self, root: str, *, files_only: bool = False) -> None:
        # The root itself may be a link (people keep /opt/stacks on another disk); links below it are refused.
        self.root = str(Path(root).expanduser().resolve())
        self.files_only = files_only

    @property
    def _private(self) -> Path:
        return Path(self.root) / PRIVATE_FOLDER

    @property
    def settings(self) -> LabSettings:
        """The settings, read afresh at each call: a person may edit them at any time."""
        from homelab_mcp.core.settings import parse_settings

        text = self.files.read(SETTINGS_FILE)
        if text is None:
            raise NotFound(
                f"There is no lab at {self.root}: it has no {SETTINGS_FILE}.",
                hint=f"A person runs `homelab-mcp --root {self.root} init` once; stacks that are there stay untouched.",
                code="lab_not_initialised",
            )
        return parse_settings(text)

    @property
    def policy(self) -> Policy:
        """What ``policy.yaml`` says, read afresh at each call; quiet hours go by the lab's time zone."""
        from homelab_mcp.core.policy import DEFAULT_POLICY

        text = self.files.read(POLICY_FILE)
        if text is None:
            return DEFAULT_POLICY
        from homelab_mcp.core.policy_file import parse_policy

        return parse_policy(text, self._zone)

    @property
    def _zone(self) -> tzinfo:
        from zoneinfo import ZoneInfo

        try:
            return ZoneInfo(self.settings.timezone)
        except (HomelabError, ValueError, OSError):
            return UTC

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

    @cached_property
    def catalog(self) -> Catalog:
        """All service definitions."""
        from homelab_mcp.adapters.catalog_files import load_catalog

        return load_catalog(self.root)

    @cached_property
    def prompts(self) -> tuple[PromptText, ...]:
        """What people pick from their client's menu."""
        from homelab_mcp.adapters.prompt_files import load_prompts

        return load_prompts()

    @cached_property
    def docs(self) -> dict[str, str]:
        """The documentation that comes with the program."""
        from homelab_mcp.adapters.prompt_files import load_docs

        return load_docs()

    @cached_property
    def signatures(self) -> tuple[Signature, ...]:
        """Known failures of services."""
        from homelab_mcp.adapters.failure_files import load_signatures

        return load_signatures()

    @cached_property
    def files(self) -> Files:
        """The lab's folder; new folders for services' data belong to the lab's PUID and PGID."""
        from homelab_mcp.adapters.files import LabFiles

        plain = LabFiles(self.root)
        text = plain.read(SETTINGS_FILE)
        if text is None:
            return plain
        from homelab_mcp.core.settings import parse_settings

        try:
            settings = parse_settings(text)
        except InvalidInput:
            # Whoever needs the settings is told what is wrong with them; files can be read all the same.
            return plain
        return LabFiles(self.root, owner=(settings.puid, settings.pgid))

    @cached_property
    def data(self) -> Data:
        """The services' data in the lab's folder."""
        from homelab_mcp.adapters.data_folders import LabData

        return LabData(self.root)

    @cached_property
    def meter(self) -> Meter:
        """What the engine measures, or those of all hosts."""
        from homelab_mcp.adapters.docker_meter import DockerMeter

        # As the engine was made, whatever became of hosts.yaml since.
        if not hasattr(self.engine, "everywhere"):
            return DockerMeter(cast("DockerEngine", self.engine))
        from homelab_mcp.adapters.hosts_meter import HostsMeter

        return HostsMeter(cast("HostsEngine", self.engine), self._local_engine)

    @cached_property
    def usage_log(self) -> UsageLog:
        """The samples of what services used."""
        from homelab_mcp.adapters.usage_log import JsonlUsageLog

        return JsonlUsageLog(self.root)

    @cached_property
    def log_files(self) -> LogFiles:
        """Log files that services write in the lab's folder."""
        from homelab_mcp.adapters.log_files import LabLogFiles

        return LabLogFiles(self.root)

    @cached_property
    def hardware(self) -> Hardware:
        """This machine."""
        from homelab_mcp.adapters.hardware import LinuxHardware

        return LinuxHardware()

    @cached_property
    def engine(self) -> Engine:
        """The Docker Engine of DOCKER_HOST, or the usual socket; with ``hosts.yaml`` those of all hosts."""
        if self.files.read(HOSTS_FILE) is None:
            return self._local_engine
        from homelab_mcp.adapters.hosts_engine import HostsEngine

        return HostsEngine(self._host_set)

    @cached_property
    def _local_engine(self) -> DockerEngine:
        from homelab_mcp.adapters.docker_engine import DockerEngine

        return DockerEngine()

    @cached_property
    def _host_set(self) -> HostSet:
        from homelab_mcp.adapters.hosts import HostSet

        return HostSet(self.root, self.files, self._local_engine)

    @property
    def hosts(self) -> Hosts:
        """This machine and the hosts of ``hosts.yaml``."""
        return self._host_set

    @cached_property
    def compose(self) -> Compose:
        """``docker compose``, on each stack's own host."""
        from homelab_mcp.adapters.compose_cli import ComposeCli

        return ComposeCli(self.root, reach=self._reach)

    def _reach(self, stack: str) -> Mapping[str, str]:
        if self.files.read(HOSTS_FILE) is None:
            return {}
        host = self._host_set.home(stack)
        self._host_set.knock(host)
        return self._host_set.environment(host)

    @property
    def probe(self) -> Probe:
        """HTTPS through the lab's own Traefik, at the address the settings publish it on."""
        from homelab_mcp.adapters.http_probe import LabProbe

        return LabProbe(lambda: self.settings)

    @cached_property
    def inside(self) -> Inside:
        """Looks at the network from inside containers."""
        from homelab_mcp.adapters.container_inside import ContainerInside

        return ContainerInside()

    @cached_property
    def registry(self) -> Registry:
        """Image registries, asked as anybody may."""
        from homelab_mcp.adapters.registry import HttpRegistry

        return HttpRegistry()

    @cached_property
    def restic(self) -> Restic:
        """The lab's backup container."""
        from homelab_mcp.adapters.backup_container import BackupContainer
        from homelab_mcp.queries.backup_place import backup_container

        return BackupContainer(lambda: backup_container(self))

    @cached_property
    def trials(self) -> Trials:
        """Throw-away runs on this machine's engine."""
        from homelab_mcp.adapters.trials import ComposeTrials

        return ComposeTrials(self._local_engine, self.root)

    @cached_property
    def judge(self) -> Judge:
        """``docker compose config``, within bounds."""
        return compose_judge(self.root)

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

    @property
    def host(self) -> Host:
        """This machine."""
        from homelab_mcp.adapters.host_facts import LinuxHost

        return LinuxHost()
