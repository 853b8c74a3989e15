"""The key of what a lab keeps encrypted: a small ring of AES keys in a file outside the lab."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from homelab_mcp.adapters.private import private_folder, replace_private, write_private
from homelab_mcp.model.errors import InvalidInput, StorageFailed, VaultLocked, storage_failed
from homelab_mcp.model.lab import PRIVATE_FOLDER

KEY_FILE_VARIABLE = "HOMELAB_KEY_FILE"
KEY_BYTES = 32
_LAB_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Key:
    """One AES-256 key; ``id`` is derived from it, ``made`` is Unix seconds."""

    id: str
    secret: bytes
    made: float

    def __repr__(self) -> str:
        return f"Key({self.id})"


@dataclass(frozen=True, slots=True)
class Ring:
    """A lab's keys: the first seals, all open. More than one means that a rotation is not finished.

    ``root`` is where the lab was when its first key was made.
    """

    lab: str
    keys: tuple[Key, ...]
    root: str = ""

    def find(self, key_id: str) -> Key | None:
        """The key of that id."""
        return next((k for k in self.keys if k.id == key_id), None)


def new_key() -> Key:
    """A random key."""
    secret = secrets.token_bytes(KEY_BYTES)
    return Key(_id_of(secret), secret, time.time())


class KeyRing:
    """Finds, makes and replaces the key file of one lab.

    The lab has a random id in ``.homelab/id``; its key is at ``HOMELAB_KEY_FILE``, or else at
    ``${XDG_CONFIG_HOME:-~/.config}/homelab-mcp/<lab id>.key``. Where the id is there and the key is not, none is made
    in its place: two keys for one lab would hide the loss.
    """

    def __init__(self, root: str | Path, key_file: str | Path | None = None) -> None:
        self._root = Path(root).resolve()
        self._given = Path(key_file) if key_file else None
        self._id_path = self._root / PRIVATE_FOLDER / "id"

    @property
    def lab_id(self) -> str:
        """The lab's id; "" where it has none yet. Raises VaultLocked when the file holds something else."""
        try:
            text = self._id_path.read_text("ascii").strip()
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            raise self._locked(f"The lab's id cannot be read ({type(error).__name__}).") from None
        if not _LAB_ID.fullmatch(text):
            raise self._locked("The lab's id in .homelab/id is damaged.")
        return text

    def path(self, lab_id: str = "") -> Path:
        """Where the key is, or is to be. Raises InvalidInput (key_in_lab) for a place inside the lab."""
        given = self._given or (Path(os.environ[KEY_FILE_VARIABLE]) if os.environ.get(KEY_FILE_VARIABLE) else None)
        place = given or _configuration() / "homelab-mcp" / f"{lab_id or self.lab_id or '<lab id>'}.key"
        place = Path(os.path.abspath(place.expanduser()))  # noqa: PTH100 - links are looked at below
        if place.resolve().is_relative_to(self._root):
            raise InvalidInput(
                "The key is to lie outside the lab: whoever copies the lab would copy it along.",
                code="key_in_lab",
                hint=f"Point {KEY_FILE_VARIABLE} to a place outside {self._root}.",
            )
        return place

    def load(self) -> Ring:
        """The keys. Raises VaultLocked where there is no key, or it is another lab's."""
        lab = self.lab_id
        if not lab:
            raise self._locked("This lab has no key yet.")
        path = self.path(lab)
        ring = self._read(path)
        if ring is None:
            raise self._locked("This lab's key is missing.")
        if ring.lab != lab:
            raise self._locked(f"The key at {path} is another lab's.")
        return ring

    def load_or_make(self) -> Ring:
        """The keys; made at the first call for a lab that never had one. Raises VaultLocked, StorageFailed."""
        if not self.lab_id:
            with self.locked(exclusive=True):
                if not self.lab_id:
                    self._make()
        return self.load()

    def store(self, ring: Ring) -> None:
        """Replace the key file, whole or not at all; what was in the old one is overwritten. Raises StorageFailed."""
        rows = [{"id": k.id, "key": base64.b64encode(k.secret).decode(), "made": round(k.made, 3)} for k in ring.keys]
        text = json.dumps({"version": 1, "lab": ring.lab, "root": ring.root, "keys": rows}) + "\n"
        path = self.path(ring.lab)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_private(path, text)
        except OSError as error:
            told = storage_failed(error, f"The lab's key at {path}")
            told.hint = f"{told.hint} {KEY_FILE_VARIABLE} names another place for it."
            raise told from error

    def add_fresh(self, *, keep: bool = True) -> Ring:
        """Put a new key first; ``keep`` False forgets the ones before. The caller holds the lock."""
        lab = self.lab_id
        path = self.path(lab)
        if not keep and path.exists():
            raise InvalidInput(
                f"{path} is there, and is not this lab's key.",
                code="key_file_taken",
                hint=f"Move it away if it is of no use, or let {KEY_FILE_VARIABLE} name another place.",
            )
        old = self.load().keys if keep else ()
        ring = Ring(lab, (new_key(), *old), str(self._root))
        self.store(ring)
        return ring

    def forget_old(self, ring: Ring) -> Ring:
        """Keep the first key alone."""
        ring = replace(ring, keys=ring.keys[:1])
        self.store(ring)
        return ring

    @contextlib.contextmanager
    def locked(self, *, exclusive: bool) -> Iterator[None]:
        """Hold the vault's lock: shared to write a sealed record, exclusive to change keys. Raises StorageFailed."""
        try:
            folder = private_folder(self._root)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(folder / "vault.lock", flags, 0o600)
        except StorageFailed:
            raise
        except OSError as error:
            raise storage_failed(error, "The lab's encrypted records") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
            yield
        finally:
            os.close(fd)

    def loose(self) -> str:
        """Why the key file is not as private as it must be; "" where it is, or is not there."""
        try:
            path = self.path()
            mode = path.stat().st_mode
        except (OSError, InvalidInput, VaultLocked):
            return ""
        return f"Other users can read {path}." if stat.S_IMODE(mode) & 0o077 else ""

    def missing(self, why: str) -> VaultLocked:
        """The error for a record that none of the keys opens."""
        return self._locked(why)

    def _make(self) -> None:
        """Key first, then the lab's id: a crash between leaves a key that belongs to nothing, and harms nobody."""
        lab = secrets.token_hex(16)
        path = self.path(lab)
        found = self._read(path)
        if found is None:
            self.store(Ring(lab, (new_key(),), str(self._root)))
        elif found.root == str(self._root):
            lab = found.lab
        else:
            raise self._locked(f"The key at {path} is another lab's (id {found.lab}).")
        write_private(private_folder(self._root) / "id", f"{lab}\n")

    def _read(self, path: Path) -> Ring | None:
        try:
            text = path.read_text("utf-8")
            # A rotation overwrites the old file right after it put the new one in its place.
            data = json.loads(path.read_text("utf-8") if text.startswith("\0") else text)
            keys = tuple(
                Key(str(k["id"]), base64.b64decode(k["key"], validate=True), float(k["made"])) for k in data["keys"]
            )
            ring = Ring(str(data["lab"]), keys, str(data["root"]))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._locked(f"The key at {path} cannot be read: {error.strerror or 'system error'}.") from None
        except (ValueError, TypeError, KeyError):
            raise self._locked(f"{path} is no key of this program.") from None
        sound = keys and all(len(k.secret) == KEY_BYTES and k.id == _id_of(k.secret) for k in keys)
        if not sound or data.get("version") != 1 or not _LAB_ID.fullmatch(ring.lab):
            raise self._locked(f"The key at {path} is damaged.")
        return ring

    def _locked(self, why: str) -> VaultLocked:
        try:
            lab = self._id_path.read_text("ascii", "replace").strip()[:32] if self._id_path.is_file() else "<lab id>"
            place = str(self.path(lab))
        except (OSError, InvalidInput):
            place = "a place outside the lab"
        return VaultLocked(
            f"{why} Plans, undo data and snapshots sealed with it cannot be read.",
            hint=f"It is expected at {place}: put its backup there, or name its place in {KEY_FILE_VARIABLE}. Without "
            "any backup, `homelab-mcp key rotate --lost` starts afresh.",
            details={"path": place},
        )


def _configuration() -> Path:
    """The XDG Base Directory Specification's place for a user's settings; a relative value is ignored, as it says."""
    named = os.environ.get("XDG_CONFIG_HOME", "")
    if named.startswith("/"):
        return Path(named)
    try:
        return Path.home() / ".config"
    except RuntimeError:
        return Path("/root/.config" if os.getuid() == 0 else "/nonexistent/.config")


def _id_of(secret: bytes) -> str:
    return hashlib.sha256(b"homelab-mcp key id\n" + secret).hexdigest()[:16]
