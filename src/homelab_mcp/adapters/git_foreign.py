"""Files of a git repository that is not the lab's, at one commit; nothing of it is run, and nothing kept."""

from __future__ import annotations

import stat
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound

if TYPE_CHECKING:
    from dulwich.object_store import MemoryObjectStore
    from dulwich.objects import ObjectID

LARGEST_PACK = 16 * 1024 * 1024
LARGEST_FILE = 256 * 1024
MOST_FILES = 2000
PATIENCE = 30.0


class ForeignGit:
    """Fulfils ``ports.Repositories``, by dulwich."""

    def files(self, url: str, commit: str, folder: str = "", ends: str = ".yaml") -> dict[str, str]:
        """See the port."""
        from dulwich.objects import Commit

        store = _fetched(url, commit)
        found = store[_id(commit)]
        if not isinstance(found, Commit):
            raise NotFound(f"{commit[:12]} is no commit.", hint="Give the id that `git log` shows.", code="no_commit")
        files = {path: (mode, object_id) for path, mode, object_id in _walk(store, found.tree)}
        inside = (
            f"{folder.strip('/')}/" if folder else ("catalog/" if any(p.startswith("catalog/") for p in files) else "")
        )
        wanted = {p: i for p, (m, i) in files.items() if p.startswith(inside) and p.endswith(ends) and stat.S_ISREG(m)}
        if len(wanted) > MOST_FILES:
            raise InvalidInput(f"More than {MOST_FILES} files.", hint="Name a folder of it.", code="too_large")
        return {path: _text(store, object_id, path) for path, object_id in sorted(wanted.items())}


def _id(commit: str) -> ObjectID:
    return commit.encode()  # type: ignore[return-value] # an ObjectID is bytes


def _fetched(url: str, commit: str) -> MemoryObjectStore:
    """The commit's objects in memory. Servers give a commit by its id where they allow it, else with a branch."""
    from dulwich.errors import GitProtocolError, HangupException, NotGitRepository

    errors = (GitProtocolError, HangupException, NotGitRepository, OSError, KeyError, ValueError, AssertionError)
    said = ""
    for everything in (False, True):
        try:
            store = _fetch(url, commit, everything=everything)
        except (*errors, zlib.error) as error:
            said = type(error).__name__
            continue
        if _id(commit) in store:
            return store
        said = "the commit is not among its branches"
    raise HomelabError(
        f"{url} did not give commit {commit[:12]} ({said}).",
        hint="Look at the address and the commit with `git ls-remote`; it must be open to read without a log-in.",
        code="fetch_failed",
    )


def _fetch(url: str, commit: str, *, everything: bool) -> MemoryObjectStore:
    from dulwich.client import HttpGitClient, LocalGitClient
    from dulwich.object_store import MemoryObjectStore, ObjectStoreGraphWalker

    store = MemoryObjectStore()
    pack, done, give_up = store.add_pack()
    size = 0

    def keep(data: bytes) -> int:
        nonlocal size
        size += len(data)
        if size > LARGEST_PACK:
            raise InvalidInput(
                f"{url} holds more than {LARGEST_PACK // 2**20} MiB.",
                hint="A catalog is small texts.",
                code="too_large",
            )
        return pack.write(data)

    def wanted(refs: object, depth: int | None = None) -> list[ObjectID]:
        del depth
        heads = refs.values() if isinstance(refs, dict) else ()
        return sorted({h for h in heads if h}) if everything else [_id(commit)]

    client = LocalGitClient() if url.startswith("/") else HttpGitClient(url, timeout=PATIENCE)
    depth = None if everything or isinstance(client, LocalGitClient) else 1
    nothing = ObjectStoreGraphWalker([], lambda _: [], shallow=set(), update_shallow=lambda *_: None)
    path = url if isinstance(client, LocalGitClient) else ""
    try:
        client.fetch_pack(path, wanted, nothing, keep, depth=depth)
        done()
    except BaseException:
        give_up()
        raise
    return store


def _walk(store: MemoryObjectStore, tree: ObjectID) -> Iterator[tuple[str, int, ObjectID]]:
    from dulwich.object_store import iter_tree_contents

    for entry in iter_tree_contents(store, tree):
        path = entry.path.decode("utf-8", "replace")
        if ".." not in PurePosixPath(path).parts:
            yield path, entry.mode, entry.sha


def _text(store: MemoryObjectStore, object_id: ObjectID, path: str) -> str:
    raw = store[object_id].as_raw_string()
    if len(raw) > LARGEST_FILE:
        raise InvalidInput(f"{path} is larger than {LARGEST_FILE // 1024} KiB.", code="too_large", hint="Leave it out.")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} is not UTF-8 text.", code="not_text", hint="Save it as UTF-8.") from None
