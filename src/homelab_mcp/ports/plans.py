"""Plans, the answers to them, and who carries them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from homelab_mcp.model.plan import Approval, Plan, PlanStatus


class PlanStore(Protocol):
    """Plans on disk, with what became of them. Raises NotFound for an unknown id."""

    def add(self, plan: Plan) -> None: ...
    def get(self, plan_id: str) -> Plan:
        """The plan, whole. Raises VaultLocked where its key is missing."""
        ...

    def outline(self, plan_id: str) -> Plan:
        """The plan without what is kept encrypted; needs no key. For lists and states, never to apply or approve."""
        ...

    def ended(self, limit: int = 50) -> list[tuple[Plan, PlanStatus]]:
        """Outlines of the plans whose apply ended last, well or not, the last first."""
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

    def public(self) -> str:
        """The public half in Base64; "" where there is no key."""
        ...

    def links(self) -> Sequence[tuple[str, str]]:
        """(public half, signature for the next) of the keys before this one, oldest first."""
        ...

    def change(self, pin: str, new_pin: str) -> None:
        """A new key under a new PIN, signed for by the one that the old PIN opens. Raises InvalidInput."""
        ...

    def sign_message(self, pin: str, message: bytes) -> str:
        """The key's signature of a message. Raises InvalidInput."""
        ...

    def signed_by(self, public: str, message: bytes, signature: str) -> bool:
        """Whether that key, of whomever, made that signature."""
        ...


class Worker(Protocol):
    """Starts an apply in a process of its own, so that it outlives its caller."""

    def start(self, plan_id: str) -> None: ...
