"""Encrypted copies of the files that git must not hold, taken before each apply."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import hmac
import itertools
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from homelab_mcp.adapters.private import private_folder, sync_folder
from homelab_mcp.adapters.vault import Vault
from homelab_mcp.core.secret_files import is_secret_file
from homelab_mcp.model.errors import InvalidInput, NotFound, StorageFailed, VaultLocked, storage_failed
from homelab_mcp.model.lab import PRIVATE_FOLDER
from homelab_mcp.ports import KeptFile, SecretsSnapshot

KEEP_LAST = 50
KEEP_DAYS = 90
LARGEST = 10 * 1024 * 1024
_DEEPEST = 5
_MOST_ENTRIES = 50_000
_MOST_IN_FOLDER = 5_000
"""A folder with more entries than this is data; the rest of it is not looked at."""

_NAME = re.compile(r"(\d{8})-(\d{6})-([0-9a-f]{32}|manual)(?:-\d{1,3})?")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class SecretSnapshots:
    """Fulfils ``ports.Snapshots`` at ``.homelab/snapshots/``.

    ``<time>-<plan id>.enc`` lists the files; ``objects/<mark>.enc`` holds each content once. A mark is an HMAC, as a
    plain hash would let short values be guessed; its key is sealed in ``marks.enc`` and outlives the vault's keys.

    Args:
        root: the lab's folder.
        vault: seals.
        keep_last: so many snapshots are kept whatever their age.
        keep_days: and the last of each day for so long.
    """

    def __init__(
        self, root: str | Path, vault: Vault | None = None, *, keep_last: int = KEEP_LAST, keep_days: int = KEEP_DAYS
    ) -> None:
        self._root = Path(root).resolve()
        self._vault = vault or Vault(self._root)
        self._folder = self._root / PRIVATE_FOLDER / "snapshots"
        self._keep_last = keep_last
        self._keep_days = keep_days

    def take(self, plan_id: str = "", also: Iterable[str] = ()) -> SecretsSnapshot:
        """Keep every secret file as it is now: by name, by ``also``, and those of the snapshot before.

        Raises VaultLocked, StorageFailed.
        """
        self._vault.ensure()
        with self._locked():
            now = time.time()
            known = {f.path for f in self._latest()}
            files, left_out = [], []
            for path in sorted({*self._secret_paths(), *also, *known}):
                try:
                    found = self._read(path)
                except OSError:
                    left_out.append(path)
                    continue
                if found is not None:
                    files.append(self._keep(path, *found))
            snapshot = SecretsSnapshot(self._new_name(now, plan_id), now, plan_id, tuple(files), tuple(left_out))
            self._write_list(snapshot)
            self._let_go(now)
        return snapshot

    def names(self) -> tuple[str, ...]:
        """Every snapshot, the newest first."""
        if not self._folder.is_dir():
            return ()
        found = [p.stem for p in self._folder.glob("*.enc") if _NAME.fullmatch(p.stem)]
        return tuple(
            sorted(found, key=lambda n: (n[:15], (self._folder / f"{n}.enc").stat().st_mtime_ns), reverse=True)
        )

    def get(self, name: str) -> SecretsSnapshot:
        """A snapshot's list of files. Raises NotFound, VaultLocked, InvalidInput (plan_corrupt)."""
        if not _NAME.fullmatch(name):
            raise _unknown()
        try:
            _, data = self._vault.read(_place(f"{name}.enc"), self._folder / f"{name}.enc")
        except FileNotFoundError:
            raise _unknown() from None
        row: dict[str, Any] = json.loads(data)
        files = tuple(KeptFile(**f) for f in row["files"])
        return SecretsSnapshot(name, row["when"], row["plan"], files, tuple(row["left_out"]))

    def content(self, name: str, path: str) -> bytes:
        """What the file was then. Raises NotFound, VaultLocked, InvalidInput (plan_corrupt)."""
        kept = next((f for f in self.get(name).files if f.path == path), None)
        if kept is None:
            raise NotFound(f"That snapshot does not hold {path!r}.", hint="See `homelab-mcp snapshot show`.")
        object_name = f"objects/{kept.mark}.enc"
        try:
            data = self._vault.read(_place(object_name), self._folder / object_name)[1]
        except FileNotFoundError:
            raise InvalidInput(
                "A content that the snapshot names is gone.", code="plan_corrupt", hint="Use another snapshot."
            ) from None
        return base64.b64decode(data)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            private_folder(self._root, "snapshots")
            private_folder(self._root, "snapshots", "objects")
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(self._folder / "lock", flags, 0o600)
        except StorageFailed:
            raise
        except OSError as error:
            raise storage_failed(error, "The lab's snapshots") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _latest(self) -> tuple[KeptFile, ...]:
        for name in self.names():
            # One that a lost key sealed says nothing of what to look at; the files' names do.
            with contextlib.suppress(VaultLocked, InvalidInput):
                return self.get(name).files
        return ()

    def _secret_paths(self) -> list[str]:
        """Secret files by name, breadth first, so that a huge data folder hides no ``.env`` above it."""
        found: list[str] = []
        level, seen = [""], 0
        for _ in range(_DEEPEST):
            below: list[str] = []
            for folder in level:
                with contextlib.suppress(OSError), os.scandir(self._root / folder) as entries:
                    for entry in itertools.islice(entries, _MOST_IN_FOLDER):
                        seen += 1
                        if seen > _MOST_ENTRIES:
                            return found
                        path = f"{folder}/{entry.name}" if folder else entry.name
                        if entry.is_dir(follow_symlinks=False):
                            below += [path] if entry.name not in {PRIVATE_FOLDER, ".git"} else []
                        elif is_secret_file(path) and entry.is_file(follow_symlinks=False):
                            found.append(path)
            level = sorted(below)
        return found

    def _read(self, path: str) -> tuple[bytes, int] | None:
        """Content and mode, by open folders without following links; None where there is no such file."""
        *folders, name = path.split("/")
        if not name or {"", ".", ".."} & set(folders):
            return None
        fd = os.open(self._root, _FOLDER)
        try:
            for part in folders:
                below = os.open(part, _FOLDER, dir_fd=fd)
                os.close(fd)
                fd = below
            with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=fd), "rb") as file:
                about = os.fstat(file.fileno())
                if not stat.S_ISREG(about.st_mode):
                    return None
                if about.st_size > LARGEST:
                    raise OSError("too large")
                return file.read(), stat.S_IMODE(about.st_mode)
        except FileNotFoundError:
            return None
        finally:
            os.close(fd)

    def _keep(self, path: str, content: bytes, mode: int) -> KeptFile:
        mark = hmac.new(self._mark_key, content, hashlib.sha256).hexdigest()
        object_name = f"objects/{mark}.enc"
        target = self._folder / object_name
        if not self._opens(object_name, target):
            self._vault.write(_place(object_name), target, base64.b64encode(content))
        return KeptFile(path, mode, len(content), mark)

    def _opens(self, object_name: str, target: Path) -> bool:
        """Whether the content is kept already, under a key that is still there."""
        try:
            self._vault.read(_place(object_name), target)
        except (FileNotFoundError, VaultLocked, InvalidInput):
            return False
        return True

    @property
    def _mark_key(self) -> bytes:
        path = self._folder / "marks.enc"
        try:
            return self._vault.read(_place("marks.enc"), path)[1]
        except (FileNotFoundError, VaultLocked, InvalidInput):
            # Lost with its key: from now on contents are kept anew, which costs some bytes.
            made = secrets.token_bytes(32)
            self._vault.write(_place("marks.enc"), path, made)
            return made

    def _write_list(self, snapshot: SecretsSnapshot) -> None:
        row = {
            "when": snapshot.when,
            "plan": snapshot.plan,
            "files": [{"path": f.path, "mode": f.mode, "size": f.size, "mark": f.mark} for f in snapshot.files],
            "left_out": snapshot.left_out,
        }
        name = f"{snapshot.name}.enc"
        self._vault.write(_place(name), self._folder / name, json.dumps(row).encode())

    def _new_name(self, now: float, plan_id: str) -> str:
        base = f"{datetime.fromtimestamp(now, UTC):%Y%m%d-%H%M%S}-{plan_id or 'manual'}"
        names = (base, *(f"{base}-{n}" for n in range(2, 1000)))
        return next(n for n in names if not (self._folder / f"{n}.enc").exists())

    def _let_go(self, now: float) -> None:
        """Drop what is neither among the last nor its day's last, then contents that no snapshot names."""
        names = self.names()
        oldest = f"{datetime.fromtimestamp(now - self._keep_days * 86_400, UTC):%Y%m%d}"
        days: set[str] = set()
        kept = []
        for number, name in enumerate(names):
            last_of_day = name[:8] not in days and name[:8] >= oldest
            days.add(name[:8])
            if number < self._keep_last or last_of_day:
                kept.append(name)
        if len(kept) == len(names):
            return
        try:
            needed = {f.mark for name in kept for f in self.get(name).files}
        except (VaultLocked, InvalidInput):
            needed = None
        for name in set(names) - set(kept):
            (self._folder / f"{name}.enc").unlink(missing_ok=True)
        if needed is not None:
            for path in (self._folder / "objects").glob("*.enc"):
                if path.stem not in needed:
                    path.unlink(missing_ok=True)
        sync_folder(self._folder)


def _place(name: str) -> str:
    return f"snapshots/{name}"


def _unknown() -> NotFound:
    return NotFound("There is no snapshot of this name.", hint="See `homelab-mcp snapshot list`.")
