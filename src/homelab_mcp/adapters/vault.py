"""Encryption at rest of what the lab keeps for itself: AES-256-GCM, with a key that lies outside the lab."""

from __future__ import annotations

import base64
import contextlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from homelab_mcp.adapters.private import replace_private
from homelab_mcp.adapters.vault_key import KeyRing, Ring
from homelab_mcp.model.errors import InvalidInput, VaultLocked
from homelab_mcp.model.lab import PRIVATE_FOLDER
from homelab_mcp.ports import VaultReport

_NONCE = 12
"""Bytes; NIST SP 800-38D, 8.2.2: random nonces of 96 bits are good for 2^32 messages a key."""

_TOKEN = re.compile(r"hlv1\.([0-9a-f]{16})\.([A-Za-z0-9_-]+)")
_TRIES = 5


class Vault:
    """Seals bytes for a place below ``.homelab/`` and opens them again. Fulfils ``ports.Vault``.

    A token is ``hlv1.<key id>.<base64url of nonce and ciphertext>``. Its associated data are the version, the lab's id,
    the key's id and the place (which holds the plan's id), so that a token moved to another place, plan or lab does
    not open.
    """

    def __init__(self, root: str | Path, key_file: str | Path | None = None) -> None:
        self._root = Path(root).resolve()
        self._private = self._root / PRIVATE_FOLDER
        self.keys = KeyRing(self._root, key_file)

    def ensure(self) -> None:
        """Make the lab's key where the lab never had one. Raises VaultLocked, StorageFailed."""
        self.keys.load_or_make()

    def writing(self) -> AbstractContextManager[None]:
        """Hold for as long as a record is sealed and written: no rotation takes its key away meanwhile."""
        return self.keys.locked(exclusive=False)

    def seal(self, place: str, data: bytes) -> str:
        """The data as a token for that place. Raises VaultLocked, StorageFailed."""
        return _seal(self.keys.load_or_make(), place, data)

    def open(self, place: str, text: str) -> bytes:
        """What ``seal`` took. Raises VaultLocked; InvalidInput (plan_corrupt) when it was changed or moved."""
        return _open(self.keys, self.keys.load(), place, text)

    def read(self, place: str, path: Path) -> tuple[str, bytes]:
        """The text of a file, and what the token in it holds.

        Looks again when a rotation replaced both key and file in between. Raises FileNotFoundError, VaultLocked,
        InvalidInput (plan_corrupt).
        """
        for attempt in range(_TRIES):
            text = path.read_text("utf-8")
            try:
                return text, self.open(place, text)
            except (VaultLocked, InvalidInput):
                if attempt == _TRIES - 1 or path.read_text("utf-8") == text:
                    raise
        raise AssertionError  # pragma: no cover - the last attempt returns or raises

    def write(self, place: str, path: Path, data: bytes, around: Callable[[str], str] = str) -> None:
        """Seal and write a file whole or not at all; ``around`` puts the token into the file's text."""
        # Before the lock is taken: making a key takes it exclusively.
        self.ensure()
        with self.writing():
            replace_private(path, around(self.seal(place, data)))

    def rotate(self, *, lost: bool = False) -> VaultReport:
        """Seal everything with a new key, and forget the old one.

        A rotation that was cut off goes on where it stopped; at every moment each record opens with a key in the
        file. ``lost`` starts with a new key although the old one is gone: what it sealed stays unreadable.

        Raises VaultLocked, StorageFailed.
        """
        if lost and not self.keys.lab_id:
            lost = False
        if not lost:
            self.keys.load_or_make()
        with self.keys.locked(exclusive=True):
            if lost:
                ring = self.keys.add_fresh(keep=self._readable())
            else:
                ring = self.keys.load()
                ring = ring if len(ring.keys) > 1 else self.keys.add_fresh()
            sealed, unreadable = self._reseal(ring)
            self.keys.forget_old(ring)
        return self.report(sealed=sealed, unreadable=unreadable)

    def finish(self) -> bool:
        """Finish a rotation that was cut off; whether there was one. Does nothing without a key."""
        try:
            if not self.keys.lab_id or len(self.keys.load().keys) < 2:
                return False
        except VaultLocked:
            return False
        self.rotate()
        return True

    def report(self, *, sealed: int = 0, unreadable: int = 0) -> VaultReport:
        """Where the key is and whether it is there; never the key."""
        lab = self.keys.lab_id
        problem, key_id, count = "", "", 0
        try:
            ring = self.keys.load()
            key_id, count = ring.keys[0].id, len(ring.keys)
        except VaultLocked as error:
            problem = error.message if lab else ""
        place = str(self.keys.path()) if lab else str(self.keys.path(lab_id="<lab id>"))
        return VaultReport(lab, place, key_id, count, problem or self.keys.loose(), sealed, unreadable)

    def _readable(self) -> bool:
        try:
            self.keys.load()
        except VaultLocked:
            return False
        return True

    def _reseal(self, ring: Ring) -> tuple[int, int]:
        """Seal every record with the ring's first key; how many, and how many none of the keys opens."""
        done = unreadable = 0
        for path in self._records():
            try:
                text = path.read_text("utf-8", "replace")
            except FileNotFoundError:
                continue
            found = _TOKEN.search(text)
            if found is None or found[1] == ring.keys[0].id:
                continue
            place = path.relative_to(self._private).as_posix()
            try:
                data = _open(self.keys, ring, place, text)
            except (VaultLocked, InvalidInput):
                unreadable += 1
                continue
            replace_private(path, text.replace(found[0], _seal(ring, place, data)))
            done += 1
        return done, unreadable

    def _records(self) -> Iterator[Path]:
        for folder, folders, names in os.walk(self._private, followlinks=False):
            folders.sort()
            for name in sorted(names):
                path = Path(folder, name)
                if (name == "plan.json" or name.endswith(".enc")) and path.is_file() and not path.is_symlink():
                    yield path


def key_of(text: str) -> str:
    """The id of the key that the token in this text was sealed with; "" where there is no token."""
    found = _TOKEN.search(text)
    return found[1] if found else ""


def _seal(ring: Ring, place: str, data: bytes) -> str:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = ring.keys[0]
    nonce = os.urandom(_NONCE)
    sealed = nonce + AESGCM(key.secret).encrypt(nonce, data, _bound_to(ring.lab, key.id, place))
    return f"hlv1.{key.id}.{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"


def _open(keys: KeyRing, ring: Ring, place: str, text: str) -> bytes:
    found = _TOKEN.search(text)
    if found is None:
        raise _corrupt("holds nothing that was sealed here")
    key = ring.find(found[1])
    if key is None:
        raise keys.missing(f"The record was sealed with key {found[1]}, and the lab's key is {ring.keys[0].id}.")
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    with contextlib.suppress(ValueError, InvalidTag):
        raw = base64.b64decode(found[2] + "=" * (-len(found[2]) % 4), altchars=b"-_", validate=True)
        return AESGCM(key.secret).decrypt(raw[:_NONCE], raw[_NONCE:], _bound_to(ring.lab, key.id, place))
    raise _corrupt("was changed, or belongs elsewhere")


def _bound_to(lab: str, key_id: str, place: str) -> bytes:
    return "\n".join(("homelab-mcp sealed 1", lab, key_id, place)).encode()


def _corrupt(how: str) -> InvalidInput:
    return InvalidInput(f"A stored record {how}.", code="plan_corrupt", hint="Discard it; ask for a new plan.")
