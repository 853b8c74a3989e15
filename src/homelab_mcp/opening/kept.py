"""What an earlier start of the same server answered to the same first questions, kept in the user's cache folder.

The answers to ``initialize``, ``server/discover`` and ``tools/list`` are made of this program's own text. They are the
same at each start until something they are made of is another: all of that is in the name of the file that holds
them, so an old file is not found rather than found wrong.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

DEFAULT_ROOT = "/opt/stacks"
"""The lab's folder where nobody names one."""

METHODS = frozenset({"initialize", "server/discover", "tools/list"})
"""What is kept: the same methods whose answers need no masking, having nothing of the lab in them."""

MOST_ANSWERS, MOST_FILES, MOST_BYTES = 24, 16, 4_000_000
"""Of one file (each client asks in its own words); of the folder (the oldest go); of a file that is read."""

_LAYOUT = 1
_SETTINGS = ("HOMELAB_ROOT", "HOMELAB_FILES_ONLY", "HOMELAB_TOOLSETS", "HOMELAB_READ_ONLY", "HOMELAB_APPROVALS_URL")


class Talk:
    """Follows what a client asks first; tells which kept answer a question would have."""

    def __init__(self) -> None:
        self._opening, self._method = "", ""
        self._ready = self._over = False

    def noted(self, method: str) -> bool:
        """Take in a notification; whether it is the one that belongs to an opening."""
        if method == "notifications/initialized" and self._method == "initialize" and not self._over:
            self._ready = True
            return True
        self._over = True
        return False

    def key(self, method: str, params: object) -> str:
        """The name of the answer to that request; "" where none is kept, nor of any request after it.

        An answer depends on how the connection was opened (its protocol's era, what the client can show) and on what
        is asked, both to the letter.
        """
        try:
            asked = json.dumps([method, params], sort_keys=True, separators=(",", ":"))
        except RecursionError:
            asked, self._over = "", True
        if not self._opening and not self._over:
            self._opening, self._method = asked, method
        elif method == "initialize" or (self._method == "initialize" and not self._ready):
            self._over = True
        if self._over or method not in METHODS:
            self._over = True
            return ""
        return hashlib.blake2b(f"{self._opening}\n{asked}".encode(), digest_size=16).hexdigest()


@dataclass(slots=True)
class Kept:
    """The answers of one server: the JSON of each result by :meth:`Talk.key`.

    Args:
        path: the file; need not exist.
        answers: what it holds.
    """

    path: str
    answers: dict[str, str] = field(default_factory=dict)

    def save(self) -> None:
        """Write the file; where that cannot be done, the next start takes as long as this one."""
        folder = os.path.dirname(self.path)  # noqa: PTH120 - pathlib costs a start more than all the rest
        while len(self.answers) > MOST_ANSWERS:
            del self.answers[next(iter(self.answers))]
        # In a container every start has the same number: what a killed one left must not stand in the way.
        part = f"{self.path}.{os.getpid()}.{os.urandom(4).hex()}"
        with suppress(OSError):
            os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
            handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(self.answers, file)
            os.replace(part, self.path)  # noqa: PTH105
            others = sorted((e for e in os.scandir(folder) if e.is_file()), key=lambda e: e.stat().st_mtime)
            for old in others[:-MOST_FILES]:
                os.unlink(old.path)  # noqa: PTH108

    def forget(self) -> None:
        """Remove the file: what it holds is not what the server answers."""
        self.answers.clear()
        with suppress(OSError):
            os.unlink(self.path)  # noqa: PTH108


def kept(arguments: Sequence[str], environment: Mapping[str, str]) -> Kept | None:
    """What is kept for a server of these arguments and settings; None if this is no start of one on stdio.

    Args:
        arguments: of the command line, without the program.
        environment: of the process.
    """
    root = _root(arguments, environment)
    base = environment.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # noqa: PTH117 - a relative one is ignored, as the specification says
        base = os.path.join(os.path.expanduser("~"), ".cache")  # noqa: PTH111, PTH118
    if root is None or not os.path.isabs(base):  # noqa: PTH117
        return None
    try:
        made_of = [_LAYOUT, sys.version, list(arguments), [environment.get(name) for name in _SETTINGS]]
        made_of += [*_lab_files(root), list(_packages()), list(_own_files())]
    except OSError:
        return None
    name = hashlib.blake2b(repr(made_of).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    path = os.path.join(base, "homelab-mcp", "answers", f"{name}.json")  # noqa: PTH118
    return Kept(path, _read(path))


def _root(arguments: Sequence[str], environment: Mapping[str, str]) -> str | None:
    """The lab's folder where these arguments serve stdio, and are all understood; else None."""
    root, serves = environment.get("HOMELAB_ROOT") or DEFAULT_ROOT, False
    rest = iter(arguments)
    for word in rest:
        name, equals, value = word.partition("=")
        if not serves and word == "serve":
            serves = True
        elif name == ("--toolsets" if serves else "--root"):
            value = value if equals else next(rest, "")
            root = root if serves else value
        elif word != ("--read-only" if serves else "--files-only"):
            return None
    return root if serves and root else None


def _lab_files(root: str) -> Iterator[bytes | None]:
    """The lab's policy, which may make the server read-only, and its hosts, which tools take; None for none."""
    folder = os.path.realpath(os.path.expanduser(root))  # noqa: PTH111
    for name in ("policy.yaml", "hosts.yaml"):
        try:
            yield _regular(os.path.join(folder, name))  # noqa: PTH118
        except FileNotFoundError:
            yield None


def _packages() -> Iterator[str]:
    """Every package that can be imported, with its version: the SDK and what it makes schemas with among them."""
    for folder in sys.path:
        with suppress(OSError):
            yield from sorted(name for name in os.listdir(folder or ".") if name.endswith(".dist-info"))  # noqa: PTH208


def _own_files() -> Iterator[tuple[str, int, int]]:
    """Every file of this program, with its size and time: an editable installation changes without its version."""
    folders = [os.path.dirname(os.path.dirname(__file__))]  # noqa: PTH120
    while folders:
        with os.scandir(folders.pop()) as found:
            for entry in sorted(found, key=lambda e: e.name):
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in ("__pycache__", "_data"):
                        folders.append(entry.path)
                else:
                    seen = entry.stat()
                    yield entry.path, seen.st_size, seen.st_mtime_ns


def _read(path: str) -> dict[str, str]:
    """The answers in that file; none where it is missing, broken, or could have been written by somebody else."""
    try:
        found = json.loads(_regular(path, mine=True))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        return {}
    return found


def _regular(path: str, *, mine: bool = False) -> bytes:
    """A file's bytes. Raises OSError for what is no file, is too large, or with ``mine`` is open to others."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        seen = os.fstat(handle)
        others = stat.S_IMODE(seen.st_mode) & 0o022 or seen.st_uid != os.geteuid()
        if not stat.S_ISREG(seen.st_mode) or seen.st_size > MOST_BYTES or (mine and others):
            raise OSError(path)
        return file.read()
