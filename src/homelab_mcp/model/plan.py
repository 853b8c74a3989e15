"""A plan: an immutable proposal of changes, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from homelab_mcp.model.finding import Finding
from homelab_mcp.model.service_call import ServiceCall
from homelab_mcp.model.trial import Trial

# Whoever makes or reads a plan takes all its parts from here.
from homelab_mcp.model.verification import CertificateCheck as CertificateCheck
from homelab_mcp.model.verification import RouteCheck as RouteCheck
from homelab_mcp.model.verification import Verification as Verification


class Risk(IntEnum):
    """How much a plan can hurt; ordered, so that ``max`` gives the worst."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3

    @property
    def word(self) -> str:
        """The risk as one lower-case word."""
        return self.name.lower()


class ActionKind(StrEnum):
    """What the engine is asked to do; each maps to one engine or Compose call."""

    CREATE_NETWORK = "create_network"
    PULL = "pull"
    UP = "up"
    REMOVE = "remove"
    RESTART = "restart"
    START = "start"
    STOP = "stop"
    PAUSE = "pause"
    UNPAUSE = "unpause"
    RECREATE = "recreate"
    LOAD = "load"
    """Loads a restored dump (``name``: its path in the lab) into a database that has just begun anew."""
    REMOVE_NETWORK = "remove_network"
    """Removes a shared network that nothing joins any more, after all else has held."""
    TRIAL = "trial"
    """Runs the draft's trial beside the lab and takes it away."""
    NODE_DRAIN = "node_drain"
    """Moves all tasks off a node of the Swarm (``name``) and lets none come."""
    NODE_ACTIVATE = "node_activate"
    """Lets tasks come to a node of the Swarm again."""
    NODE_JOIN = "node_join"
    """Has a Docker host (``name``, of ``hosts.yaml``) join the Swarm as a worker."""
    STANDBY_SYNC = "standby_sync"
    """Brings the files of stacks (``services``) to a Docker host (``name``), with containers that are not started."""
    STANDBY_START = "standby_start"
    """Starts what a sync brought to that host."""
    STANDBY_STOP = "standby_stop"
    """Stops it there."""
    BACKUP = "backup"
    """Makes a backup now, in the container (``services``) that makes them by its clock."""
    CALL = "call"
    """Sends the draft's call to a service's own API, once."""
    REMOVE_ORPHANS = "remove_orphans"
    """Removes containers that no file knows. Nothing brings them back, so it is done after all else has held."""


@dataclass(frozen=True, slots=True)
class FileEdit:
    """One file as it would be.

    Args:
        path: relative to the lab's root, with forward slashes.
        before: the text now; None where the file does not exist.
        after: the text then; None to delete the file.
        mode: permission bits of a file that is made; a file that exists keeps its own.
        secret: the content never leaves through a diff, a journal line or a git commit.
        derived: the content follows from the lab as it would be (``core/derived``), so a roll-back makes it anew
            instead of putting it back.
    """

    path: str
    before: str | None
    after: str | None
    mode: int = 0o644
    secret: bool = False
    derived: bool = False


@dataclass(frozen=True, slots=True)
class EngineAction:
    """One engine action, with its cause. ``services`` empty means the whole stack; ``name`` is a network or file."""

    kind: ActionKind
    why: str
    stack: str = ""
    services: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class DataMove:
    """A file or folder of a service that changes place by a rename, while the plan's removed containers are down.

    Paths are relative to the lab's root; nothing may be at the target. Undoing renames it back.
    """

    source: str
    target: str
    why: str


@dataclass(frozen=True, slots=True)
class OwnerChange:
    """One file or folder that gets another owner; undoing gives it back to the one it had.

    Without a former owner (-1) it is the folder with all that is in it, which nothing gives back.
    """

    path: str
    uid: int
    gid: int
    was_uid: int = -1
    was_gid: int = -1

    @property
    def whole(self) -> bool:
        """Whether it is a folder with all that is in it."""
        return self.was_uid < 0


@dataclass(frozen=True, slots=True)
class CertificateDrop:
    """A certificate that leaves Traefik's store while Traefik is down, so that it asks for another when it starts.

    Args:
        store: the store's path relative to the lab's root.
        stack: of Traefik, which is stopped for it; the plan's actions start it again.
        service: Traefik's.
        name: its main name.
        serial: its serial number in hexadecimal: the plan is stale when the store no longer holds it.
    """

    store: str
    stack: str
    service: str
    name: str
    serial: str


@dataclass(frozen=True, slots=True)
class RiskReason:
    """One reason for a plan's risk."""

    risk: Risk
    reason: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What an operation proposes before lint and policy: pure result of (snapshot, request).

    ``summary`` is one line ("Add uptime-kuma to stack monitoring"). ``notes`` are sentences for the person
    (choices that were made, what to do after). ``undo`` says what takes it back. ``secrets`` are the values in
    ``edits`` that must be redacted wherever the plan is shown.
    """

    operation: str
    summary: str
    edits: tuple[FileEdit, ...]
    actions: tuple[EngineAction, ...]
    verification: Verification = field(default_factory=Verification)
    risks: tuple[RiskReason, ...] = ()
    notes: tuple[str, ...] = ()
    undo: str = ""
    target: str = ""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    adopts: tuple[FileEdit, ...] = ()
    """Files that are on disk as ``after`` already, made by hand: committed as they are, never written."""
    also_verify: tuple[Verification, ...] = ()
    """What is looked at besides ``verification``, where a draft touches more than one stack."""

    moves: tuple[DataMove, ...] = ()
    """Data that changes place, after containers were removed and before files are written."""
    owners: tuple[OwnerChange, ...] = ()
    """Entries that get another owner."""
    drops: tuple[CertificateDrop, ...] = ()
    """Certificates that leave Traefik's store, after containers were removed and before files are written."""
    trial: Trial | None = field(default=None, repr=False)
    """What an action ``trial`` runs; ``repr`` leaves it out, for its variables are secret."""

    call: ServiceCall | None = field(default=None, repr=False)
    """What an action ``call`` sends."""

    @property
    def verifications(self) -> tuple[Verification, ...]:
        """All that is looked at after the engine actions."""
        return tuple(v for v in (self.verification, *self.also_verify) if v != Verification())


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asked for a plan: ``via`` is mcp, cli, page or worker; client name and version as the client gave them.

    ``token`` is the name of the bearer token it came with, over HTTP: the one part that a client cannot choose.
    """

    via: str
    client: str = ""
    version: str = ""
    token: str = ""

    @property
    def name(self) -> str:
        """The client in one phrase, with its token where it has one."""
        name = self.client or self.via
        return f"{name} (token:{self.token})" if self.token else name

    @property
    def described(self) -> str:
        """All that is known, in one line."""
        parts = (self.via, self.client, self.version, f"token:{self.token}" if self.token else "")
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Plan:
    """A draft with its risk, findings, fingerprint and life span.

    ``fingerprint`` maps what the plan was made from to a hash: ``file:<path>`` to the SHA-256 of the bytes
    ("absent" where there was no file), ``container:<stack>/<service>`` to a hash of the container's identity.
    ``findings`` are those that it brings into the lab or to light. ``created`` and ``expires`` are Unix seconds.
    ``target`` is the name a person types to approve.
    """

    id: str
    draft: Draft
    risk: Risk
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...]
    fingerprint: dict[str, str]
    asked_by: Requester
    created: float
    expires: float
    digest: str = ""


class PlanState(StrEnum):
    """Where a plan stands."""

    PENDING = "pending"
    APPROVED = "approved"
    DECLINED = "declined"
    EXPIRED = "expired"
    QUEUED = "queued"
    APPLYING = "applying"
    DONE = "done"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"


APPLY_ENDED = frozenset({PlanState.DONE, PlanState.ROLLED_BACK, PlanState.FAILED})
FINAL_STATES = APPLY_ENDED | {PlanState.DECLINED, PlanState.EXPIRED}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was seen: ``ok`` and a sentence, with the last log lines or a status where that helps."""

    what: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class PlanStatus:
    """What became of a plan: state, the step at work, what was seen, the commit, and an error's code and text."""

    state: PlanState
    step: str = ""
    evidence: tuple[Evidence, ...] = ()
    commit: str = ""
    error: str = ""
    error_code: str = ""
    updated: float = 0.0


class ApprovalKind(StrEnum):
    """Where a person's yes came from."""

    CLIENT_DIALOG = "client_dialog"
    OUT_OF_BAND = "out_of_band"


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's answer to one plan, bound to its digest. ``signature`` (base64) is set for out_of_band."""

    plan_id: str
    digest: str
    kind: ApprovalKind
    approved: bool
    who: str
    when: float
    reason: str = ""
    signature: str = ""
