"""The error tree.

HomelabError
├── InvalidInput        what was asked cannot be taken as it is
├── NotFound            a stack, service, plan or definition that is not there
├── EditRefused         a file could not be edited without losing something
├── LabLocked           another apply is at work on this lab
├── EngineUnavailable   Docker (or Compose) does not answer
├── EngineFailed        Docker (or Compose) answered with an error
├── ServiceFailed       a service's own API did not answer, or said no
├── PlanRefused         a plan may not be applied (its ``code`` says why)
├── StorageFailed       the disk takes no more, or may not be written
├── VaultLocked         what is kept encrypted cannot be read or written, as its key is not there
└── JournalUnwritable   no record can be kept, so nothing is changed

Every error that reaches a person or a model has a stable ``code``, one sentence, and a ``hint``: what to do next.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any


class HomelabError(Exception):
    """Root of all errors of this project.

    Args:
        message: one sentence for a person; never holds a secret.
        hint: what to do next, one sentence.
        code: stable machine word; the class gives a default.
        details: small JSON-ready facts (names, counts), never secrets.
    """

    default_code = "error"

    def __init__(
        self, message: str, *, hint: str = "", code: str | None = None, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code
        self.details = details or {}

    def as_dict(self) -> dict[str, Any]:
        """The error as JSON-ready data: ``{"error": {"code", "message", "hint", "details"}}``."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.hint:
            body["hint"] = self.hint
        if self.details:
            body["details"] = self.details
        return {"error": body}

    def as_text(self) -> str:
        """Message, hint and code in one or two sentences, as a model or a terminal reads it."""
        text = self.message.rstrip()
        if self.hint:
            text = f"{text} {self.hint}"
        return f"{text} [{self.code}]"


def asks(stack: str, names: Sequence[str]) -> dict[str, Any]:
    """``details`` of an error that ends once a person has typed these secrets into a stack's ``.env``.

    Who hears of it may send the person where that is done (``tools.ask_person``).
    """
    return {"asks": {"stack": stack, "names": list(names)}}


class InvalidInput(HomelabError):
    """What was asked cannot be taken as it is."""

    default_code = "invalid_input"


class NotFound(HomelabError):
    """A stack, service, plan or definition that is not there."""

    default_code = "not_found"


class EditRefused(HomelabError):
    """A file could not be edited without losing something in it."""

    default_code = "edit_refused"


class LabLocked(HomelabError):
    """Another apply is at work on this lab."""

    default_code = "lab_locked"


class EngineUnavailable(HomelabError):
    """Docker or Compose does not answer."""

    default_code = "engine_unavailable"


class EngineFailed(HomelabError):
    """Docker or Compose answered with an error; ``details["output"]`` has its last lines, redacted."""

    default_code = "engine_failed"


class ServiceFailed(HomelabError):
    """A service's own API did not answer, or said no.

    ``code`` is service_unreached (nothing was sent), service_silent (nobody knows what became of it), service_refused.
    """

    default_code = "service_refused"


class PlanRefused(HomelabError):
    """A plan may not be applied.

    ``code`` is one of plan_expired, plan_used, plan_not_approved, plan_declined, plan_stale.
    """

    default_code = "plan_refused"


class JournalUnwritable(HomelabError):
    """The journal takes no record, so nothing is changed."""

    default_code = "journal_unwritable"


class VaultLocked(HomelabError):
    """What is kept encrypted cannot be read or written: its key is missing, wrong or no key.

    ``details["path"]`` is where the key is expected.
    """

    default_code = "vault_key_missing"


class StorageFailed(HomelabError, OSError):
    """The disk takes no more, or may not be written; what was there before is intact.

    An OSError too, so that whoever handles those handles this one.
    """

    default_code = "storage_failed"


_DISK = {
    errno.ENOSPC: ("disk_full", "the disk is full", "Free some space, then try again."),
    errno.EDQUOT: ("disk_full", "the user's disk quota is used up", "Free some space, then try again."),
    errno.EROFS: ("read_only", "the file system is read-only", "Mount it writable, then try again."),
    errno.EACCES: ("not_allowed", "this user may not write there", "Run as the user that owns the lab's folder."),
    errno.EPERM: ("not_allowed", "this user may not write there", "Run as the user that owns the lab's folder."),
}


def storage_failed(error: OSError, what: str) -> StorageFailed:
    """The error of a write in this project's terms; ``what`` names the file as a person knows it."""
    default = ("storage_failed", (error.strerror or type(error).__name__).lower(), "Look at the disk.")
    code, why, hint = _DISK.get(error.errno or 0, default)
    told = StorageFailed(f"{what} cannot be written: {why}.", hint=hint, code=code)
    told.errno, told.strerror = error.errno, error.strerror
    return told
