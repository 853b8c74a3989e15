"""What an audit decides from, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from homelab_mcp.core.access import RouteAccess
from homelab_mcp.core.operations.lab_view import LabView
from homelab_mcp.core.resources import Host
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import PublishedPort

Subject = Literal["security", "resources", "backups", "monitoring"]
SUBJECTS: tuple[Subject, ...] = ("security", "resources", "backups", "monitoring")


@dataclass(frozen=True, slots=True)
class Running:
    """One container as the engine has it.

    Args:
        stack, service, image, state, health: as ``ContainerState`` has them.
        user: whom its first process starts as; "" is root.
        drops_root: it has PUID or a like variable, by which images give up root after their start.
        restarts: how often the engine started it again.
        out_of_memory: its last end was the kernel's, for memory.
        image_created: Unix time its image was built, 0 where it is not known.
        ports: what it publishes.
        memory: bytes it used when it was looked at, ``memory_limit`` what it may have; 0 where it was not, or may all.
    """

    stack: str
    service: str
    image: str = ""
    state: str = "running"
    health: str = ""
    user: str = ""
    drops_root: bool = False
    restarts: int = 0
    out_of_memory: bool = False
    image_created: float = 0.0
    ports: tuple[PublishedPort, ...] = ()
    memory: int = 0
    memory_limit: int = 0

    @property
    def where(self) -> str:
        """``stack/service``, as people write it."""
        return f"{self.stack}/{self.service}"


def _everything(_: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class AuditFacts:
    """A lab at one moment.

    Args:
        lab: every readable service.
        settings: the lab's.
        lint: the linter's findings over the whole lab.
        routes: what each host asks of a visitor.
        secrets: stack -> name -> value of the secrets in its ``.env``; never shown.
        running: the containers; None where the engine was not asked or did not answer.
        backup: the lab's own backup: (sentences on what it does not hold, sentences on what is wrong with it); None
            where the lab has none.
        firewall: as ``HostFacts.firewall``; ``elsewhere`` where another machine is audited.
        host: processors and memory; None where they are not known.
        now: Unix time.
        old_days: from this many days on an image counts as old.
        seen: the Docker host that is audited; "" for all of them.
        mine: tells whether a stack or ``stack/service`` is on it.
    """

    lab: LabView
    settings: LabSettings
    lint: tuple[Finding, ...] = ()
    routes: tuple[RouteAccess, ...] = ()
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    running: tuple[Running, ...] | None = None
    backup: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    firewall: str = "unseen"
    host: Host | None = None
    now: float = 0.0
    old_days: int = 180
    seen: str = ""
    mine: Callable[[str], bool] = _everything


@dataclass(frozen=True, slots=True)
class Remedy:
    """The call of a tool that makes a plan; nothing is changed by it."""

    tool: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One thing that could be better.

    Args:
        id: a lint rule (HL...) or a word of this package's own.
        severity: as the linter's.
        service: ``stack/service``, a stack, or "" for the lab.
        message: one sentence.
        evidence: where it was seen: a place in a file, a figure of the engine's.
        fix: the call that plans the fix; None where a person has to decide what is right.
        ask: the fix can change how the service works: the person is asked first.
    """

    id: str
    severity: Severity
    service: str
    message: str
    evidence: str = ""
    fix: Remedy | None = None
    ask: bool = False

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; what is empty is left out."""
        body: dict[str, Any] = {"id": self.id, "severity": str(self.severity), "message": self.message}
        if self.service:
            body["service"] = self.service
        if self.evidence:
            body["evidence"] = self.evidence
        if self.fix:
            body["fix"] = {"tool": self.fix.tool, "arguments": self.fix.arguments}
            if self.ask:
                body["ask_first"] = True
        return body
