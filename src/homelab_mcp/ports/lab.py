"""One lab with everything that reaches it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from homelab_mcp.core.catalog import Catalog
from homelab_mcp.core.policy import Policy
from homelab_mcp.core.redact import Redactor
from homelab_mcp.model.diagnosis import Signature
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.ports.backup import Restic
from homelab_mcp.ports.data import Data, PlacedData
from homelab_mcp.ports.disk import Clock, Files, Lock
from homelab_mcp.ports.engine import Compose, Engine, Judge, Probe
from homelab_mcp.ports.hardware import Hardware
from homelab_mcp.ports.host import Host
from homelab_mcp.ports.hosts import Hosts
from homelab_mcp.ports.inside import Inside
from homelab_mcp.ports.logs import LogFiles
from homelab_mcp.ports.meter import Meter, UsageLog
from homelab_mcp.ports.plans import Approver, PlanStore, Worker
from homelab_mcp.ports.record import History, Journal, Remote, Repositories
from homelab_mcp.ports.registry import Registry
from homelab_mcp.ports.releases import Releases
from homelab_mcp.ports.secrets import Handover, HookSecret, SecretSource, Snapshots, TokenStore, Vault
from homelab_mcp.ports.service_calls import ServiceCalls
from homelab_mcp.ports.standby import Standby
from homelab_mcp.ports.swarm import Swarm
from homelab_mcp.ports.trials import Trials


@dataclass(frozen=True, slots=True)
class PromptText:
    """An MCP prompt: ``{argument}`` in ``text`` stands for what the person gives.

    ``defaults`` are the words for arguments that may be left out.
    """

    name: str
    title: str
    description: str
    arguments: tuple[str, ...]
    text: str
    defaults: Mapping[str, str] = field(default_factory=dict)


class Lab(Protocol):
    """One lab with everything that reaches it; ``bootstrap`` makes it, each part on first use.

    ``files_only`` says that no engine is wanted: plans write files and git, and say that nothing was started.
    """

    @property
    def root(self) -> str: ...
    @property
    def roots(self) -> tuple[str, ...]:
        """All names of the lab's folder: ``root``, and the one it was opened by where a link leads there."""
        ...

    @property
    def files_only(self) -> bool: ...
    @property
    def seen(self) -> str:
        """The Docker host that the lab is seen through (:meth:`on`); "" for the whole lab."""
        ...

    @property
    def whole(self) -> Lab:
        """All of the lab, also where it is seen through one host."""
        ...

    def on(self, host: str) -> Lab:
        """The lab seen through one host: ``files`` lists its stacks alone, ``engine`` and ``meter`` ask it alone.

        All else is the whole lab's. "" and, where there is no other host, ``local`` stand for the whole lab.

        Raises:
            NotFound: no such host (``host_unknown``).
            InvalidInput: ``bad_hosts``.
        """
        ...

    @property
    def settings(self) -> LabSettings:
        """The lab's settings, read afresh. Raises NotFound (code ``lab_not_initialised``), InvalidInput."""
        ...

    @property
    def policy(self) -> Policy:
        """The lab's policy, read afresh. Raises InvalidInput (code ``bad_policy``)."""
        ...

    @property
    def redactor(self) -> Redactor:
        """Masks every secret of the lab that is known by now; never raises. Ask anew for each answer."""
        ...

    @property
    def catalog(self) -> Catalog: ...
    @property
    def prompts(self) -> tuple[PromptText, ...]: ...
    @property
    def docs(self) -> Mapping[str, str]:
        """The program's documentation: Markdown by page name."""
        ...

    @property
    def signatures(self) -> tuple[Signature, ...]:
        """Known failures: lines of services' logs and what they mean."""
        ...

    @property
    def files(self) -> Files: ...
    @property
    def data(self) -> Data:
        """Of this machine, whatever host a stack is on."""
        ...

    @property
    def placed_data(self) -> PlacedData:
        """Of each stack on its own host: for plans that move it there."""
        ...

    @property
    def meter(self) -> Meter: ...
    @property
    def usage_log(self) -> UsageLog: ...
    @property
    def log_files(self) -> LogFiles: ...
    @property
    def hardware(self) -> Hardware: ...
    @property
    def engine(self) -> Engine: ...
    @property
    def compose(self) -> Compose: ...
    @property
    def registry(self) -> Registry: ...
    @property
    def releases(self) -> Releases: ...
    def restic_at(self, host: str) -> Restic:
        """What makes the backups of that Docker host; ``local`` is the lab's machine."""
        ...

    @property
    def swarm(self) -> Swarm: ...
    @property
    def standby(self) -> Standby: ...
    @property
    def trials(self) -> Trials: ...
    @property
    def service_calls(self) -> ServiceCalls: ...
    @property
    def judge(self) -> Judge: ...
    @property
    def inside(self) -> Inside: ...
    @property
    def probe(self) -> Probe: ...
    @property
    def history(self) -> History: ...
    @property
    def repositories(self) -> Repositories: ...
    @property
    def remote(self) -> Remote: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def plans(self) -> PlanStore: ...
    @property
    def approver(self) -> Approver: ...
    @property
    def lock(self) -> Lock: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def secrets(self) -> SecretSource: ...
    @property
    def handover(self) -> Handover: ...
    @property
    def tokens(self) -> TokenStore: ...
    @property
    def hook(self) -> HookSecret: ...
    @property
    def worker(self) -> Worker: ...
    @property
    def vault(self) -> Vault: ...
    @property
    def host(self) -> Host: ...
    @property
    def hosts(self) -> Hosts: ...
    @property
    def snapshots(self) -> Snapshots: ...
