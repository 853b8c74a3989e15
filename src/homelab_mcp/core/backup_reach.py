"""What services mount from outside the lab's folder, and whether the backup reaches it there.

What is not known to be in the backup is told: a path may begin at somebody's home, or with a variable that is not set.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.operations.stack_paths import Near

OF_THE_HOST = "a folder of the host; list it under backup_paths"
OF_THAT_HOST = "not below the lab's path on that host, and nothing else of it is backed up there"
UNKNOWN = "where that is cannot be told here; write its path out"

_SYSTEM = re.compile(r"/|/(dev|proc|sys)(/.*)?|/etc/(localtime|timezone)")
_RUN = re.compile(r"(?:/var)?/run(?!/(?:media|mount)(?:/|$))(?:/.*)?")
"""What programs keep while they run (sockets above all), gone with each start of the machine (file-hierarchy(7)). Disks
that people plug in are below it too (udisks(8): ``/run/media``)."""


def is_system(path: str) -> bool:
    """Whether an absolute path is the machine's own, and no data of anybody."""
    clean = _clean(path)
    return bool(_SYSTEM.fullmatch(clean) or _RUN.fullmatch(clean))


def outside(
    near: Near, sources: Iterable[str], host_paths: Iterable[str], why: str = OF_THE_HOST
) -> Iterator[tuple[str, str]]:
    """(path, why the backup does not hold it) of mounts that are not in the lab's folder; "" where it does.

    Args:
        near: the stack.
        sources: what is mounted, as written.
        host_paths: folders of the host that are backed up as well.
        why: what is said of a folder of the host that is not.
    """
    roots = [r for r in ((near.root,) if isinstance(near.root, str) else near.root) if r]
    kept = [_clean(p) for p in host_paths]
    for source in sources:
        text = near.filled(source)
        if "$" in text or text.startswith("~"):
            yield source, UNKNOWN
        elif text.startswith("/"):
            yield from _told([_clean(text)], roots, kept, why)
        elif text.startswith(".") and roots:
            yield from _told([_clean(f"{r}/{near.stack}/{text}") for r in roots], roots, kept, why)
        elif text.startswith(".") and posixpath.normpath(f"{near.stack}/{text}").startswith(".."):
            yield source, why


def _told(names: list[str], roots: list[str], kept: list[str], why: str) -> Iterator[tuple[str, str]]:
    """What one mount comes to; a relative one has a name for each of the lab's, and Compose may mean any."""
    strange = [n for n in names if not is_system(n) and not _below(n, roots)]
    if strange:
        out = [n for n in strange if not _below(n, kept)]
        yield (out[0], why) if out else (strange[0], "")


def _below(path: str, folders: Iterable[str]) -> bool:
    return any(path == f or path.startswith(f"{f.rstrip('/')}/") for f in folders)


def _clean(path: str) -> str:
    clean = posixpath.normpath(path)
    # It leaves two slashes at the front as they are.
    return f"/{clean.lstrip('/')}" if clean.startswith("/") else clean
