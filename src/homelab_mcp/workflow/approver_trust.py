"""Whether the approver's key is still the one that was recorded, and what a person does where it is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from homelab_mcp.core.approver_record import (
    ACCEPTED,
    CHANGED,
    RECORDS,
    SET,
    Recorded,
    Standing,
    accepting_message,
    follows,
    key_name,
    recorded,
    standing,
    told,
)
from homelab_mcp.model.errors import InvalidInput, PlanRefused
from homelab_mcp.ports import Approver, Journal, Signer


class ApproverTrust:
    """Holds a lab's approver against its journal."""

    def __init__(self, approver: Approver, journal: Journal) -> None:
        self._approver = approver
        self._journal = journal

    def look(self) -> tuple[Standing, Recorded | None]:
        """How the key in use stands, and the key on record. Raises JournalUnwritable where it cannot be read."""
        known = recorded(self._journal.entries(of=RECORDS), self._approver.signed_by)
        links = self._approver.links()
        return standing(known, self._approver.public(), links, self._approver.signed_by), known

    def require(self, by: str = "") -> None:
        """Raise PlanRefused (approver_replaced) where the key was replaced without the PIN of the one on record.

        With ``by``, who is there, a key that is right and not on record yet is recorded: the first one, or one that the
        recorded key signed for.
        """
        found, known = self.look()
        if found is Standing.REPLACED and known is not None:
            raise PlanRefused(
                f"The approver's key is {key_name(self._approver.public())}, and {told(known)} is on record: it was "
                "replaced without the old PIN.",
                code="approver_replaced",
                hint="Whoever set a new PIN on purpose runs `homelab-mcp approver accept` in a terminal. If nobody "
                "did, put the approver's file back from a backup, and find out what can write there.",
            )
        if by:
            self._record(found, known, by)

    def unlock(self, pin: str, by: str) -> Signer:
        """The unsealed key of the approver on record, or of the first one, which is recorded then.

        Raises PlanRefused (approver_replaced) before the PIN is given to a key that somebody put in its place, and
        InvalidInput: no_approver, wrong_pin, pin_locked.
        """
        found, known = self.look()
        if found is Standing.REPLACED:
            self.require()
        signer = self._approver.unlock(pin)
        self._record(found, known, by)
        return signer

    def remember(self, by: str) -> None:
        """Record a key that the journal does not name yet, where it is right; do nothing about any other."""
        self._record(*self.look(), by)

    def _record(self, found: Standing, known: Recorded | None, by: str) -> None:
        public = self._approver.public()
        if found is Standing.UNRECORDED:
            self._append(SET, {"approver": public, "by": by})
        elif found is Standing.FOLLOWS and known is not None:
            chain = follows(known.public, self._approver.links(), public, self._approver.signed_by)
            self._append(
                CHANGED, {"approver": public, "previous": known.public, "proof": [list(c) for c in chain], "by": by}
            )

    def accept(self, pin: str, key: str, by: str) -> None:
        """Let a key count that the old one did not sign for, as its PIN was lost.

        Args:
            pin: the new key's PIN.
            key: the new key's name (``key_name``), as the person read and typed it.
            by: who.

        Raises:
            InvalidInput: nothing_to_do, wrong_key, or the PIN is not the new key's.
        """
        found, known = self.look()
        public = self._approver.public()
        if found is not Standing.REPLACED or known is None:
            raise InvalidInput("The approver's key is the one on record.", code="nothing_to_do", hint="Nothing to do.")
        if key.strip().lower() != key_name(public):
            raise InvalidInput(
                "That is not the new key's name.", code="wrong_key", hint="See `homelab-mcp approver show`."
            )
        proof = self._approver.sign_message(pin, accepting_message(known.public, public))
        self._append(ACCEPTED, {"approver": public, "previous": known.public, "proof": proof, "by": by})

    def _append(self, event: str, data: Mapping[str, Any]) -> None:
        self._journal.append(event, {**data, "key_name": key_name(str(data["approver"]))})
