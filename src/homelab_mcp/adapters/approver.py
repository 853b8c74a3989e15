"""The approver: an Ed25519 key whose private half is sealed with a person's PIN."""

from __future__ import annotations

import base64
import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homelab_mcp.adapters.clock import SystemClock
from homelab_mcp.adapters.private import write_private
from homelab_mcp.core.approver_record import following_message
from homelab_mcp.core.plan_codec import approval_message
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Approval, ApprovalKind, Plan

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from homelab_mcp.ports import Clock

SHORTEST_PIN = 6
TRIES = 5
_VERSION = 2
LOCK_SECONDS = 60.0
_MOST_LINKS = 50
_ARGON2 = {"time_cost": 3, "memory_cost": 1 << 16, "parallelism": 1}
"""Argon2id, three passes over 64 MiB (RFC 9106's second choice, in one lane): about 0.2 s a guess."""
_SCRYPT = {"n": 1 << 16, "r": 8, "p": 1}
"""What files of version 1 were sealed with; the next right PIN seals them anew."""


class KeySigner:
    """Fulfils ``ports.Signer`` with a key that a PIN unsealed; the key is nowhere but in this object."""

    def __init__(self, key: Ed25519PrivateKey, clock: Clock) -> None:
        self._key = key
        self._clock = clock

    def sign(self, plan: Plan, *, approved: bool, who: str, reason: str = "") -> Approval:
        """A signed answer to the plan."""
        answer = Approval(
            plan_id=plan.id,
            digest=plan.digest,
            kind=ApprovalKind.OUT_OF_BAND,
            approved=approved,
            who=who,
            when=self._clock.now(),
            reason=reason,
        )
        return dataclasses.replace(answer, signature=_text(self._key.sign(approval_message(answer))))


class KeyFileApprover:
    """Fulfils ``ports.Approver`` with one file of mode 0600.

    Whoever can write that file can replace the key, which shows by the journal (``core/approver_record.py``): keep the
    folder with another user than the model's where the boundary matters.
    """

    def __init__(self, path: str | Path, clock: Clock | None = None) -> None:
        self._path = Path(path)
        self._dir = self._path.parent
        self._clock = clock or SystemClock()

    def exists(self) -> bool:
        """Whether a key pair was made."""
        return self._path.is_file()

    def create(self, pin: str) -> None:
        """Make a key pair. Raises InvalidInput: weak_pin (under 6 characters, or one repeated), approver_exists."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        _check_strength(pin)
        self._dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._locked():
            if self.exists():
                raise InvalidInput(
                    "There is an approver already.",
                    code="approver_exists",
                    hint="`homelab-mcp approver change-pin` gives it another PIN.",
                )
            self._save(_seal(Ed25519PrivateKey.generate(), pin))

    def change(self, pin: str, new_pin: str) -> None:
        """A new key under a new PIN; the old one signs for it, and an old copy of the file opens nothing any more.

        Raises InvalidInput as ``sign`` does, and weak_pin.
        """
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        _check_strength(new_pin)
        old = self._unseal(pin)
        with self._locked():
            state, new = self._load(), Ed25519PrivateKey.generate()
            before, after = _public(old), _public(new)
            if state["public"] != before:
                raise InvalidInput("The key was changed just now.", code="approver_changed", hint="Try again.")
            link = [before, _text(old.sign(following_message(before, after)))]
            self._save({**_seal(new, new_pin), "links": [*state.get("links", []), link][-_MOST_LINKS:]})

    def public(self) -> str:
        """The public half in Base64; "" where there is no key. Raises InvalidInput (approver_corrupt)."""
        return str(self._load()["public"]) if self.exists() else ""

    def links(self) -> list[tuple[str, str]]:
        """(public half, signature for the next) of the keys before this one, oldest first."""
        found = self._load().get("links", []) if self.exists() else []
        return [(str(key), str(signature)) for key, signature in found]

    def sign_message(self, pin: str, message: bytes) -> str:
        """The key's signature of a message, in Base64. Raises InvalidInput as ``sign`` does."""
        return _text(self._unseal(pin).sign(message))

    def sign(self, pin: str, plan: Plan, *, approved: bool, who: str, reason: str = "") -> Approval:
        """A signed answer to the plan.

        Raises InvalidInput: no_approver, wrong_pin, pin_locked (five wrong ones in a row, for a minute).
        """
        return self.unlock(pin).sign(plan, approved=approved, who=who, reason=reason)

    def unlock(self, pin: str) -> KeySigner:
        """The unsealed key, for as long as the caller keeps it. Raises InvalidInput as ``sign`` does."""
        return KeySigner(self._unseal(pin), self._clock)

    def verify(self, approval: Approval) -> bool:
        """True when the signature is this approver's, over exactly this answer."""
        if not self.exists() or not approval.signature:
            return False
        return self.signed_by(self.public(), approval_message(approval), approval.signature)

    def signed_by(self, public: str, message: bytes, signature: str) -> bool:
        """Whether the key with that public half, whosever it is, made that signature."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(_bytes(public)).verify(_bytes(signature), message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def _unseal(self, pin: str) -> Ed25519PrivateKey:
        if not self.exists():
            raise InvalidInput(
                "No approver has been set up.", code="no_approver", hint="A person sets a PIN with 'homelab-mcp init'."
            )
        with self._locked():
            state = self._load()
            self._count_try(state)
            key = _open(state, pin)
            fresh = {} if state["version"] == _VERSION else _seal(key, pin)
            self._save({**state, **fresh, "failed": 0, "locked_until": 0.0})
        return key

    def _count_try(self, state: dict[str, Any]) -> None:
        """Count the try as wrong before it is made, so that a process killed half-way gains none."""
        now = self._clock.now()
        wait = float(state["locked_until"]) - now
        # A wait longer than a lock can be means the clock was set back; it does not open the lock sooner.
        if wait > 0:
            raise InvalidInput(
                "Too many wrong PINs.", code="pin_locked", hint=f"Try again in {min(wait, LOCK_SECONDS):.0f} seconds."
            )
        state["failed"] = int(state["failed"]) + 1
        if state["failed"] >= TRIES:
            state["failed"], state["locked_until"] = 0, now + LOCK_SECONDS
        self._save(state)

    def _load(self) -> dict[str, Any]:
        try:
            state = json.loads(self._path.read_text("utf-8"))
            if state["version"] not in (1, _VERSION):
                raise ValueError("unknown version")
            return dict(state)
        except (ValueError, KeyError, TypeError):
            raise InvalidInput(
                "The approver's file is not readable.", code="approver_corrupt", hint="Remove it and set up anew."
            ) from None

    def _save(self, state: dict[str, Any]) -> None:
        write_private(self._path, json.dumps(state))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fd = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def _check_strength(pin: str) -> None:
    if len(pin) < SHORTEST_PIN or len(set(pin)) < 3:
        raise InvalidInput(
            f"The PIN is too weak: at least {SHORTEST_PIN} characters, of which three differ.",
            code="weak_pin",
            hint="Choose a longer one.",
        )


def _public(key: Ed25519PrivateKey) -> str:
    return _text(key.public_key().public_bytes_raw())


def _seal(key: Ed25519PrivateKey, pin: str) -> dict[str, Any]:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    public = key.public_key().public_bytes_raw()
    salt, nonce = os.urandom(16), os.urandom(12)
    sealed = AESGCM(_stretch(pin, salt, _VERSION)).encrypt(nonce, key.private_bytes_raw(), public)
    parts = {"public": public, "salt": salt, "nonce": nonce, "sealed": sealed}
    return {"version": _VERSION, "failed": 0, "locked_until": 0.0, **{k: _text(v) for k, v in parts.items()}}


def _open(state: dict[str, Any], pin: str) -> Ed25519PrivateKey:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        raw = AESGCM(_stretch(pin, _bytes(state["salt"]), state["version"])).decrypt(
            _bytes(state["nonce"]), _bytes(state["sealed"]), _bytes(state["public"])
        )
    except InvalidTag:
        raise InvalidInput(
            "The PIN is wrong.", code="wrong_pin", hint="Try again; five wrong ones lock it for a minute."
        ) from None
    return Ed25519PrivateKey.from_private_bytes(raw)


def _stretch(pin: str, salt: bytes, version: int) -> bytes:
    if version == 1:
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

        return Scrypt(salt=salt, length=32, **_SCRYPT).derive(pin.encode("utf-8"))
    from argon2.low_level import Type, hash_secret_raw

    return hash_secret_raw(pin.encode("utf-8"), salt, hash_len=32, type=Type.ID, **_ARGON2)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
