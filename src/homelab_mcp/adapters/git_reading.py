"""The lab's git repository, read by dulwich: what its commits and its index hold, by paths below the lab's root."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from homelab_mcp.core.diff import is_env
from homelab_mcp.core.secret_files import BACKUP_FILE, BACKUP_STACK, KEY_FILES, KEY_FOLDERS, SECRET_NAMES
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import PRIVATE_FOLDER
from homelab_mcp.ports import Commit

if TYPE_CHECKING:
    from dulwich.objects import ObjectID
    from dulwich.repo import Repo


class GitReader:
    """The half of ``ports.History`` that changes nothing.

    Where the lab lies inside a repository that already tracks files of it, that repository is used; any other
    repository further up (a home folder's, say) is left alone, and the lab gets its own.

    Args:
        root: the lab's folder.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root).resolve()

    def secret_line(self, path: str, before: str, after: str) -> int:
        """0: what is in the files is looked at by ``RedactedHistory`` in front of this."""
        return 0

    def text_of(self, path: str) -> str:
        """The file's text in the last commit; empty where it has none."""
        repo = self._open()
        if repo is None:
            return ""
        with contextlib.closing(repo):
            found = lookup(repo, self._prefix(repo) + path)
            return repo.object_store[found[1]].as_raw_string().decode("utf-8", "replace") if found else ""

    def log(self, limit: int) -> list[Commit]:
        """The newest commits that touch the lab, newest first, with paths relative to the lab's root."""
        repo = self._open()
        if repo is None:
            return []
        with contextlib.closing(repo):
            if head_of(repo) is None:
                return []
            prefix = self._prefix(repo)
            only = [prefix.rstrip("/").encode()] if prefix else None
            return [_shown(entry, prefix) for entry in repo.get_walker(max_entries=limit, paths=only)]

    def dirty(self, paths: Sequence[str]) -> list[str]:
        """Those of the paths whose bytes differ from the last commit; a file that was never committed counts."""
        stacks = self._backup_stacks()
        wanted = [p for p in paths if not forbidden(p, stacks)]
        repo = self._open()
        if repo is None:
            return [p for p in wanted if self._bytes(p) is not None]
        from dulwich.objects import Blob

        with contextlib.closing(repo):
            found = []
            for path in wanted:
                raw = self._bytes(path)
                now = None if raw is None else Blob.from_string(raw).id
                then = lookup(repo, self._prefix(repo) + path)
                if now != (then[1] if then else None):
                    found.append(path)
            return found

    def tracked(self) -> frozenset[str]:
        """Files of the lab in git's index, relative to its root; none where there is no repository or index.

        Raises HomelabError (code ``git_failed``) where the index cannot be read.
        """
        try:
            repo = self._open()
            if repo is None:
                return frozenset()
            with contextlib.closing(repo):
                prefix = self._prefix(repo)
                names = (os.fsdecode(path) for path in repo.open_index()) if repo.has_index() else ()
                return frozenset(n.removeprefix(prefix) for n in names if n.startswith(prefix))
        except (OSError, ValueError, AssertionError) as error:
            raise HomelabError(
                "Git's index cannot be read.", code="git_failed", hint="Look at it with 'git status'."
            ) from error

    def committed(self, paths: Sequence[str], commit: str = "") -> dict[str, str | None]:
        """The text of each path in that commit ("": the last), None where it holds none or no UTF-8 text.

        Raises HomelabError (code ``git_failed``) for a commit that is not there.
        """
        repo = self._open()
        if repo is None:
            return dict.fromkeys(paths)
        with contextlib.closing(repo):
            at: ObjectID | None = commit.encode() if commit else None  # type: ignore[assignment] # an ObjectID is bytes
            if at is not None and at not in repo.object_store:
                raise HomelabError(
                    f"Git has no commit {commit[:12]}.", code="git_failed", hint="Look at it with 'git log'."
                )
            found: dict[str, str | None] = {}
            for path in paths:
                entry = lookup(repo, self._prefix(repo) + path, at)
                raw = repo.object_store[entry[1]].as_raw_string() if entry and stat.S_ISREG(entry[0]) else None
                try:
                    found[path] = None if raw is None else raw.decode("utf-8")
                except UnicodeDecodeError:
                    found[path] = None
            return found

    def held(self) -> frozenset[str]:
        """Files of the lab in the last commit, relative to its root."""
        from dulwich.object_store import iter_tree_contents

        repo = self._open()
        if repo is None:
            return frozenset()
        with contextlib.closing(repo):
            head = head_of(repo)
            if head is None:
                return frozenset()
            prefix = self._prefix(repo)
            tree = repo.object_store[head].tree  # type: ignore[attr-defined] # HEAD is a commit
            names = (os.fsdecode(e.path) for e in iter_tree_contents(repo.object_store, tree))
            return frozenset(n.removeprefix(prefix) for n in names if n.startswith(prefix))

    def ignored(self, paths: Sequence[str]) -> list[str]:
        """Those of the paths that never go into git: by our own rules or by the lab's ignore files."""
        repo, stacks = self._open(), self._backup_stacks()
        if repo is None:
            return [p for p in paths if forbidden(p, stacks)]
        from dulwich.ignore import IgnoreFilterManager

        with contextlib.closing(repo):
            rules, prefix = IgnoreFilterManager.from_repo(repo), self._prefix(repo)
            return [p for p in paths if forbidden(p, stacks) or rules.is_ignored(prefix + p)]

    def _open(self) -> Repo | None:
        from dulwich.errors import NotGitRepository
        from dulwich.repo import Repo

        if (self._root / ".git").exists():
            return Repo(str(self._root))
        try:
            repo = Repo.discover(self._root.parent)
        except NotGitRepository:
            return None
        if not repo.bare and lookup(repo, self._prefix(repo).rstrip("/")):
            return repo
        repo.close()
        return None

    def _backup_stacks(self) -> frozenset[str]:
        """Stacks whose folders for keys stay out of git; one that is yet to come by its usual name."""
        return frozenset({BACKUP_STACK, *(p.parent.name for p in self._root.glob(f"*/{BACKUP_FILE}"))})

    def _worktree(self, repo: Repo) -> Path:
        return Path(os.fsdecode(repo.path)).resolve()

    def _prefix(self, repo: Repo) -> str:
        below = self._root.relative_to(self._worktree(repo)).as_posix()
        return "" if below == "." else f"{below}/"

    def _bytes(self, path: str) -> bytes | None:
        full = self._root / path
        try:
            return full.read_bytes() if stat.S_ISREG(full.lstat().st_mode) else None
        except (FileNotFoundError, NotADirectoryError):
            return None


def forbidden(path: str, backup_stacks: Collection[str] = (BACKUP_STACK,)) -> bool:
    """Whether a path never goes into git: env files, ``.homelab/``, certificates' and backups' keys, Authelia's users.

    Args:
        path: relative to the lab's root.
        backup_stacks: stacks that make backups; nothing in their folders for keys goes into git.
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or {PRIVATE_FOLDER, ".git"} & set(parts):
        return True
    if len(parts) > 2 and parts[0] in backup_stacks and parts[1] in KEY_FOLDERS:
        return True
    return is_env(path) or parts[-1] in SECRET_NAMES or parts[-1] in KEY_FILES


def head_of(repo: Repo) -> ObjectID | None:
    """The commit that the branch stands on; None where there is none yet."""
    try:
        return repo.head()
    except KeyError:
        return None


def lookup(repo: Repo, path: str, commit: ObjectID | None = None) -> tuple[int, ObjectID] | None:
    """(mode, id) of what a commit (None: the last) holds at that path of the repository; None for nothing."""
    from dulwich.object_store import tree_lookup_path

    head = commit or head_of(repo)
    if head is None or not path:
        return None
    try:
        tree = repo.object_store[head].tree  # type: ignore[attr-defined] # HEAD is a commit
        return tree_lookup_path(repo.object_store.__getitem__, tree, path.encode())
    except (KeyError, ValueError):
        return None


def _shown(entry: object, prefix: str) -> Commit:
    commit = entry.commit  # type: ignore[attr-defined] # dulwich's WalkEntry is not exported with types
    changed = []
    for change in entry.changes():  # type: ignore[attr-defined] # as above
        one = change[0] if isinstance(change, list) else change
        side = one.new if one.new and one.new.path else one.old
        if side and side.path:
            changed.append(os.fsdecode(side.path).removeprefix(prefix))
    text = commit.message.decode("utf-8", "replace").strip()
    return Commit(commit.id.decode(), float(commit.commit_time), text, tuple(sorted(changed)))
