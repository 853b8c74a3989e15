"""What the middle needs from the world, as Protocols; ``adapters/`` fulfils them, ``bootstrap`` joins the two."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from homelab_mcp.core.catalog import Catalog
from homelab_mcp.core.policy import Policy
from homelab_mcp.core.redact import Redactor
from homelab_mcp.model.judgement import Judged, Question
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import ContainerMake, ContainerState
from homelab_mcp.model.plan import Approval, Plan, PlanStatus
from homelab_mcp.model.token import Scope, Token


class Clock(Protocol):
    """Time. ``now`` is Unix seconds, ``monotonic`` only for durations."""

    def now(self) -> float: ...
    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


class Files(Protocol):
    """The lab's folder. Paths are relative to its root; one that leads outside raises InvalidInput.

    Symbolic links inside the lab are refused (InvalidInput, code ``symlink_refused``).
    """

    @property
    def root(self) -> str: ...
    def read(self, path: str) -> str | None:
        """The file's text (UTF-8), None where there is none. Raises InvalidInput past 10 MiB or when not UTF-8."""
        ...

    def names(self, path: str) -> list[str] | None:
        """What is in a folder, folders with "/" behind, sorted; None where there is no such folder."""
        ...

    def mode(self, path: str) -> int | None: ...
    def write_atomic(self, path: str, text: str, mode: int) -> None:
        """Write whole or not at all: temp file in the same folder, fsync, rename, fsync of the folder.

        Raises StorageFailed.
        """
        ...

    def remove(self, path: str) -> None: ...
    def stack_folders(self) -> list[tuple[str, str]]:
        """(stack name, compose file's relative path) of every folder with a compose file, sorted by name."""
        ...

    def make_folder(self, path: str, mode: int = 0o755) -> bool:
        """Make the folder and its parents; False where it was there."""
        ...

    def remove_empty_folders(self, paths: Iterable[str]) -> None: ...
    def listing(self, folder: str = "") -> list[str]:
        """Relative paths of the regular files right in the folder ("": the root), sorted; none where it is missing."""
        ...

    def sweep_temporary(self) -> list[str]:
        """Remove temp files that a killed write left; their relative paths."""
        ...


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What the engine says of itself."""

    version: str
    api_version: str
    os: str
    architecture: str
    cpus: int
    memory: int
    storage_driver: str
    containers_running: int


class Engine(Protocol):
    """A Docker Engine. Every call raises EngineUnavailable when it does not answer, EngineFailed on its errors."""

    def info(self) -> EngineInfo: ...
    def containers(self, stack: str | None = None) -> tuple[ContainerState, ...]:
        """Containers that Compose made (any state), of one stack or all, in one request; sorted by name.

        ``restart_count``, ``exit_code`` and ``started_at`` are filled by ``inspect`` only.
        """
        ...

    def inspect(self, container_id: str) -> ContainerState: ...
    def made_from(self, container_id: str) -> ContainerMake:
        """What a container was made from. EngineFailed (``no_such_object``) where it is gone."""
        ...

    def logs(
        self, container_id: str, *, tail: int, since: float | None = None, until: float | None = None
    ) -> Iterator[tuple[str, str, str]]:
        """(RFC 3339 time, stream, line) of the last ``tail`` lines, oldest first."""
        ...

    def networks(self) -> frozenset[str]: ...
    def create_network(self, name: str) -> None: ...
    def remove_network(self, name: str) -> None:
        """Remove a network that nothing is attached to; a missing one is no error."""
        ...

    def images(self) -> frozenset[str]:
        """Every repository:tag that is on the engine."""
        ...

    def sweep_renamed(self, stack: str) -> list[str]:
        """Remove the ``<hex>_name`` containers that a killed ``compose up`` leaves; their names."""
        ...

    def remove_orphans(self, stack: str, services: Collection[str]) -> list[str]:
        """Stop and remove the containers that carry these services' labels, never volumes; their names."""
        ...

    def sweep_networks(self, stack: str, names: Collection[str]) -> list[str]:
        """Remove those of the stack's own networks with these names that no container is joined to; their names."""
        ...


class Compose(Protocol):
    """``docker compose`` v2 on one stack folder. Raises EngineUnavailable or EngineFailed."""

    def version(self) -> str: ...
    def config(self, stack: str) -> None:
        """Let Compose itself judge the stack's files (no daemon needed); EngineFailed holds what it said."""
        ...

    def check_text(self, stack: str, compose_text: str, env_text: str, others: Sequence[tuple[str, str]] = ()) -> None:
        """As ``config``, for texts that are not on disk yet; ``others`` (path, text) are merged over the first."""
        ...

    def resolved(self, stack: str) -> dict[str, Any]:
        """What Compose reads from the stack's files, variables filled in: holds secrets, for comparing only."""
        ...

    def hashes(self, stack: str) -> dict[str, str]:
        """Service -> the hash that ``up`` would label its container with; services of inactive profiles are absent."""
        ...

    def pull(self, stack: str, services: Sequence[str]) -> None:
        """Pull what is missing (``--policy missing``)."""
        ...

    def up(self, stack: str, services: Sequence[str]) -> None:
        """``up -d --no-build`` without waiting; recreates what its files changed. Empty services: the whole stack."""
        ...

    def remove(self, stack: str, services: Sequence[str]) -> None:
        """Stop and remove containers of these services; never volumes."""
        ...

    def down(self, stack: str) -> None:
        """Stop and remove the stack's containers and own networks; never volumes."""
        ...

    def restart(self, stack: str, services: Sequence[str]) -> None: ...
    def stop(self, stack: str, services: Sequence[str]) -> None: ...
    def create(self, stack: str, services: Sequence[str]) -> None:
        """Create or recreate containers as the files say, without starting them (``up --no-start``)."""
        ...


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What an HTTP request saw. ``status`` 0 when no answer came; ``error`` then says why.

    ``certificate`` is the subject and issuer in one line; ``verified`` whether the chain was trusted.
    """

    url: str
    status: int
    location: str = ""
    certificate: str = ""
    verified: bool = False
    error: str = ""


class Probe(Protocol):
    """HTTP as a browser on the LAN would do it."""

    def get(self, host: str, path: str = "/", *, timeout: float = 5.0) -> ProbeResult:
        """GET ``https://host/path`` through the lab's own Traefik (its published address), with SNI and Host."""
        ...


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of the lab's history."""

    id: str
    when: float
    message: str
    paths: tuple[str, ...] = ()


class History(Protocol):
    """The lab's git repository. Never holds ``.env`` files or ``.homelab/``."""

    def ensure(self) -> bool:
        """Make the repository where there is none; True when it was made."""
        ...

    def commit(
        self,
        paths: Sequence[str],
        message: str,
        *,
        texts: Mapping[str, tuple[str | None, int]] | None = None,
        first: tuple[Mapping[str, tuple[str | None, int]], str] | None = None,
        allow_empty: bool = False,
        refuse_secrets: bool = False,
    ) -> str:
        """Commit these paths as they are on disk (missing: deleted), leaving everything else as it is; the id.

        Returns "" when nothing differs, unless ``allow_empty``. Other people's changes are never committed.
        ``texts`` (path -> text, mode) stands for what is on disk. ``first`` (texts, message) is a commit of its own
        right before, where its texts differ from the last commit; both are there or neither is.
        A file with a new secret in it is left out; with ``refuse_secrets`` HomelabError (code ``secret_in_commit``)
        unless it was met there before.
        """
        ...

    def committed(self, paths: Sequence[str], commit: str = "") -> dict[str, str | None]:
        """The text of each path in that commit (the last one), None where it holds none."""
        ...

    def held(self) -> frozenset[str]:
        """Files of the lab in the last commit."""
        ...

    def ignored(self, paths: Sequence[str]) -> list[str]:
        """Those of the paths that never go into git: by our own rules or by the lab's ignore files."""
        ...

    def withheld(self) -> list[str]:
        """A sentence for each file that was left out of commits for a secret in it."""
        ...

    def text_of(self, path: str) -> str:
        """The file's text in the last commit; empty where it has none."""
        ...

    def log(self, limit: int) -> list[Commit]: ...
    def dirty(self, paths: Sequence[str]) -> list[str]:
        """Those of the paths that differ from the last commit (a person's own edit)."""
        ...

    def tracked(self) -> frozenset[str]:
        """Files of the lab in git's index. Raises HomelabError where it cannot be read."""
        ...


class Journal(Protocol):
    """Append-only, hash-chained record. Raises JournalUnwritable."""

    def append(self, event: str, data: Mapping[str, Any]) -> None: ...
    def entries(self) -> list[dict[str, Any]]: ...
    def recent(self) -> list[dict[str, Any]]:
        """The last entries, with every apply among them that began and did not end well."""
        ...

    def verify(self) -> str:
        """Empty when every line's hash holds, else what is wrong and where."""
        ...


class PlanStore(Protocol):
    """Plans on disk, with what became of them. Raises NotFound for an unknown id."""

    def add(self, plan: Plan) -> None: ...
    def get(self, plan_id: str) -> Plan:
        """The plan, whole. Raises VaultLocked where its key is missing."""
        ...

    def outline(self, plan_id: str) -> Plan:
        """The plan without what is kept encrypted; needs no key. For lists and states, never to apply or approve."""
        ...

    def list(self, limit: int = 50, *, since: float = 0.0, outline: bool = False) -> list[tuple[Plan, PlanStatus]]:
        """Newest first; with ``since`` those whose record changed after that Unix time.

        With ``outline``, and where the key is missing, each is as ``outline`` has it.
        """
        ...

    def status(self, plan_id: str) -> PlanStatus: ...
    def set_status(self, plan_id: str, status: PlanStatus) -> None: ...
    def exclusive(self, plan_id: str) -> AbstractContextManager[None]:
        """Keep other processes from answering or queueing this plan; for reading its state and writing the next."""
        ...

    def approval(self, plan_id: str) -> Approval | None: ...
    def set_approval(self, approval: Approval) -> None: ...
    def consume(self, plan_id: str) -> bool:
        """Mark the plan used, on disk, once for all processes; False when it was used before."""
        ...

    def used(self, plan_id: str) -> bool: ...
    def save_undo(self, plan_id: str, files: Mapping[str, tuple[str | None, int]]) -> None:
        """Keep what files were before: path -> (text or None, mode)."""
        ...

    def load_undo(self, plan_id: str) -> dict[str, tuple[str | None, int]]: ...
    def migrate(self, *, count_only: bool = False) -> int:
        """Encrypt records that an earlier version kept in the clear; how many there were."""
        ...

    def reserve(self, size: int) -> None:
        """Set that many bytes of the disk aside, so that a lab can be put back on a disk that ran full meanwhile."""
        ...

    def release(self) -> None:
        """Give back what ``reserve`` set aside."""
        ...

    def purge(self, older_than: float) -> int:
        """Remove plans in a final state whose last update is older than that Unix time; how many."""
        ...


@dataclass(frozen=True, slots=True)
class VaultReport:
    """A lab's key, without the key.

    Args:
        lab_id: "" where the lab has none yet.
        path: where the key is expected.
        key_id: of the key that seals; "" where there is none.
        keys: how many the file holds; two while a rotation is not finished.
        problem: why it cannot be used, or is not private; "" where all is well.
        sealed: records that were sealed anew by a rotation.
        unreadable: records that no key opens any more.
    """

    lab_id: str
    path: str
    key_id: str
    keys: int
    problem: str = ""
    sealed: int = 0
    unreadable: int = 0


class Vault(Protocol):
    """The key of what the lab keeps encrypted. Raises VaultLocked, StorageFailed."""

    def ensure(self) -> None:
        """Make the key of a lab that never had one."""
        ...

    def report(self) -> VaultReport: ...
    def rotate(self, *, lost: bool = False) -> VaultReport:
        """Seal everything with a new key; ``lost``: although the old key is gone, and what it sealed with it."""
        ...

    def finish(self) -> bool:
        """Finish a rotation that was cut off; whether there was one."""
        ...


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One file in a snapshot: ``mark`` is a keyed hash, equal for equal contents in one lab and useless elsewhere."""

    path: str
    mode: int
    size: int
    mark: str


@dataclass(frozen=True, slots=True)
class SecretsSnapshot:
    """The lab's secret files as they were: ``when`` is Unix seconds, ``left_out`` could not be read."""

    name: str
    when: float
    plan: str
    files: tuple[KeptFile, ...]
    left_out: tuple[str, ...] = ()


class Snapshots(Protocol):
    """Encrypted copies of the files that git must not hold. Raises VaultLocked, StorageFailed, NotFound."""

    def take(self, plan_id: str = "", also: Iterable[str] = ()) -> SecretsSnapshot:
        """Keep every secret file as it is now, with those in ``also``; old snapshots are let go of."""
        ...

    def names(self) -> tuple[str, ...]:
        """Every snapshot, the newest first."""
        ...

    def get(self, name: str) -> SecretsSnapshot: ...
    def content(self, name: str, path: str) -> bytes:
        """What the file was in that snapshot."""
        ...


class Signer(Protocol):
    """The approver's key, unsealed by its PIN: what a person's session holds until it ends."""

    def sign(self, plan: Plan, *, approved: bool, who: str, reason: str = "") -> Approval:
        """A signed answer to the plan."""
        ...


class Approver(Protocol):
    """The approver's key: sealed with a PIN that no tool and no server process holds."""

    def exists(self) -> bool: ...
    def create(self, pin: str) -> None:
        """Make a key pair; the private half is sealed with the PIN. Raises InvalidInput for a weak PIN."""
        ...

    def sign(self, pin: str, plan: Plan, *, approved: bool, who: str, reason: str = "") -> Approval:
        """A signed answer to the plan. Raises InvalidInput (code ``wrong_pin``)."""
        ...

    def unlock(self, pin: str) -> Signer:
        """The unsealed key. Raises InvalidInput: no_approver, wrong_pin, pin_locked."""
        ...

    def verify(self, approval: Approval) -> bool:
        """True when the signature is the approver's, over exactly this answer."""
        ...


class Lock(Protocol):
    """One apply at a time per lab; dies with its process."""

    def hold(self, what: str) -> AbstractContextManager[None]:
        """Hold the lock. Raises LabLocked, naming who holds it."""
        ...

    def holder(self) -> str:
        """What the lock is held for right now; "" where nobody holds it."""
        ...


class SecretSource(Protocol):
    """Where generated secrets come from."""

    def make(self, kind: str, length: int) -> str:
        """A random value: kind hex, base64, alnum or uuid; ``length`` in characters."""
        ...

    def argon2(self, value: str) -> str:
        """Argon2id hash of the value, in PHC string format, with Authelia's published parameters."""
        ...


class TokenStore(Protocol):
    """Tokens of HTTP clients; only their hashes are kept. Raises InvalidInput (tokens_corrupt), StorageFailed."""

    def exists(self) -> bool:
        """Whether tokens were ever made here: HTTP clients then need one, even when all are revoked."""
        ...

    def list(self) -> tuple[Token, ...]: ...
    def create(self, name: str, scopes: tuple[Scope, ...], days: int) -> tuple[Token, str]:
        """A new token and its value, for the one time that it is shown; ``days`` 0: it never expires."""
        ...

    def revoke(self, name: str) -> Token:
        """Raises NotFound."""
        ...

    def find(self, value: str) -> Token | None:
        """The token of that value, compared in constant time; None for an unknown or expired one."""
        ...

    def note_use(self, token: Token) -> None: ...


class Worker(Protocol):
    """Starts an apply in a process of its own, so that it outlives its caller."""

    def start(self, plan_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class PromptText:
    """An MCP prompt: ``{argument}`` in ``text`` stands for what the person gives."""

    name: str
    title: str
    description: str
    arguments: tuple[str, ...]
    text: str


class Lab(Protocol):
    """One lab with everything that reaches it; ``bootstrap`` makes it, each part on first use.

    ``files_only`` says that no engine is wanted: plans write files and git, and say that nothing was started.
    """

    @property
    def root(self) -> str: ...
    @property
    def files_only(self) -> bool: ...
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
    def files(self) -> Files: ...
    @property
    def engine(self) -> Engine: ...
    @property
    def compose(self) -> Compose: ...
    @property
    def judge(self) -> Judge: ...
    @property
    def probe(self) -> Probe: ...
    @property
    def history(self) -> History: ...
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
    def tokens(self) -> TokenStore: ...
    @property
    def worker(self) -> Worker: ...
    @property
    def vault(self) -> Vault: ...
    @property
    def snapshots(self) -> Snapshots: ...


class Judge(Protocol):
    """``docker compose config``, bounded in time and memory, on files anywhere. Raises EngineUnavailable."""

    def version(self) -> str: ...
    def ask(self, question: Question, *, seconds: float) -> Judged:
        """One answer, within that many seconds and the judge's own limits; nothing of it is left running."""
        ...

    def env_texts(self, file: str) -> tuple[str, ...]:
        """The texts of the env files that count for a compose file; what stands in them is no business of a reader."""
        ...
