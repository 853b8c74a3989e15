"""The lab's git repository, by dulwich: commits exactly the paths it is given, and nothing of anyone else's."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from homelab_mcp.adapters.lock import held_since
from homelab_mcp.core.diff import is_env
from homelab_mcp.core.secret_files import SECRET_NAMES
from homelab_mcp.model.errors import HomelabError, storage_failed
from homelab_mcp.model.lab import PRIVATE_FOLDER
from homelab_mcp.ports import Commit

if TYPE_CHECKING:
    from dulwich.objects import ObjectID, Tree
    from dulwich.repo import Repo

AUTHOR = b"homelab-mcp <homelab-mcp@localhost>"
EXCLUDED = (".env", "*.env", ".env.*", f"{PRIVATE_FOLDER}/", "acme.json", "users_database.yml", "*.homelab-tmp")
_MARK = "# homelab-mcp: secrets and private files"
_WAIT = 5.0


class GitHistory:
    """Fulfils ``ports.History``.

    Where the lab lies inside a repository that already tracks files of it, that repository is used; any other
    repository further up (a home folder's, say) is left alone, and the lab gets its own.

    Args:
        root: the lab's folder.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root).resolve()

    def ensure(self) -> bool:
        """Make the repository where there is none; True when it was made.

        A new one gets a ``.gitignore`` unless the lab has one; in any case our exclusions go to ``info/exclude``,
        so that a person's own ``.gitignore`` is never rewritten.
        """
        from dulwich.repo import Repo

        found = self._open()
        made = found is None
        if found is None:
            found = Repo.init(self._root, default_branch=b"main")
            ignore = self._root / ".gitignore"
            if not ignore.exists():
                ignore.write_text("\n".join([_MARK, *EXCLUDED]) + "\n", "utf-8")
        with contextlib.closing(found) as repo:
            self._exclude(repo)
        return made

    def commit(
        self,
        paths: Sequence[str],
        message: str,
        *,
        texts: Mapping[str, tuple[str | None, int]] | None = None,
        first: tuple[Mapping[str, tuple[str | None, int]], str] | None = None,
        allow_empty: bool = False,
        refuse_secrets: bool = False,
    ) -> str:
        """Commit these paths as they are on disk (missing: deleted) onto HEAD's tree; the commit's id, or "".

        What is in the files is looked at by ``RedactedHistory`` in front of this. Neither the index nor the working
        files of other paths matter or change. Env files, ``.homelab/`` and the other excluded names are left out
        whoever asks. Raises HomelabError (code ``git_failed``).

        Args:
            paths: relative to the lab's root.
            message: the commit's message.
            texts: path -> (text, mode) to commit in place of what is on disk.
            first: texts as in ``texts`` and their message, for a commit of its own right before (where they differ from
                HEAD); the branch moves over both at once.
            allow_empty: also commit when nothing differs.
            refuse_secrets: of no meaning here, see ``RedactedHistory``.
        """
        wanted = sorted({p for p in paths if not forbidden(p)})
        if not wanted and not allow_empty:
            return ""
        from dulwich.file import FileLocked

        self.ensure()
        try:
            with self._repo() as repo:
                self._clear_stale_locks(repo)
                with self._own_locks_cleared(repo):
                    head = tip = _head(repo)
                    if first is not None:
                        kept = {p: state for p, state in first[0].items() if not forbidden(p)}
                        tip = self._on(repo, tip, sorted(kept), first[1], kept, allow_empty=False) or tip
                    new = self._on(repo, tip, wanted, message, texts, allow_empty=allow_empty)
                    if new:
                        _move(repo, head, new)
                    done = new.decode() if new else ""
                    if done:
                        self._refresh_index(repo, wanted)
                return done
        except (FileLocked, OSError, KeyError, ValueError) as error:
            if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}:
                raise storage_failed(error, "The lab's git repository") from error
            raise HomelabError(
                f"The lab's git repository took no commit: {type(error).__name__}.",
                code="git_failed",
                hint="Look at the repository with 'git status' and 'git fsck'.",
            ) from error

    def withheld(self) -> list[str]:
        """Nothing: files are left out by their names alone here."""
        return []

    def text_of(self, path: str) -> str:
        """The file's text in the last commit; empty where it has none."""
        repo = self._open()
        if repo is None:
            return ""
        with contextlib.closing(repo):
            found = _lookup(repo, self._prefix(repo) + path)
            return repo.object_store[found[1]].as_raw_string().decode("utf-8", "replace") if found else ""

    def log(self, limit: int) -> list[Commit]:
        """The newest commits that touch the lab, newest first, with paths relative to the lab's root."""
        repo = self._open()
        if repo is None:
            return []
        with contextlib.closing(repo):
            if _head(repo) is None:
                return []
            prefix = self._prefix(repo)
            only = [prefix.rstrip("/").encode()] if prefix else None
            return [_shown(entry, prefix) for entry in repo.get_walker(max_entries=limit, paths=only)]

    def dirty(self, paths: Sequence[str]) -> list[str]:
        """Those of the paths whose bytes differ from the last commit; a file that was never committed counts."""
        wanted = [p for p in paths if not forbidden(p)]
        repo = self._open()
        if repo is None:
            return [p for p in wanted if self._bytes(p) is not None]
        from dulwich.objects import Blob

        with contextlib.closing(repo):
            found = []
            for path in wanted:
                raw = self._bytes(path)
                now = None if raw is None else Blob.from_string(raw).id
                then = _lookup(repo, self._prefix(repo) + path)
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
                entry = _lookup(repo, self._prefix(repo) + path, at)
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
            head = _head(repo)
            if head is None:
                return frozenset()
            prefix = self._prefix(repo)
            tree = repo.object_store[head].tree  # type: ignore[attr-defined] # HEAD is a commit
            names = (os.fsdecode(e.path) for e in iter_tree_contents(repo.object_store, tree))
            return frozenset(n.removeprefix(prefix) for n in names if n.startswith(prefix))

    def ignored(self, paths: Sequence[str]) -> list[str]:
        """Those of the paths that never go into git: by our own rules or by the lab's ignore files."""
        repo = self._open()
        if repo is None:
            return [p for p in paths if forbidden(p)]
        from dulwich.ignore import IgnoreFilterManager

        with contextlib.closing(repo):
            rules, prefix = IgnoreFilterManager.from_repo(repo), self._prefix(repo)
            return [p for p in paths if forbidden(p) or rules.is_ignored(prefix + p)]

    def _on(
        self,
        repo: Repo,
        head: ObjectID | None,
        paths: Sequence[str],
        message: str,
        texts: Mapping[str, tuple[str | None, int]] | None,
        *,
        allow_empty: bool,
    ) -> ObjectID | None:
        """A commit of these paths on top of another one; no branch moves. None where nothing differs."""
        from dulwich.object_store import commit_tree_changes
        from dulwich.objects import Blob, Tree
        from dulwich.objects import Commit as GitCommit

        changes: list[tuple[bytes, int | None, ObjectID | None]] = []
        for path in paths:
            full = self._prefix(repo) + path
            then = _lookup(repo, full, head)
            raw, bits = self._state(path) if texts is None else _given(texts[path])
            if raw is None:
                if then:
                    changes.append((full.encode(), None, None))
                continue
            blob = Blob.from_string(raw)
            mode = 0o100755 if bits & stat.S_IXUSR else 0o100644
            if then != (mode, blob.id):
                repo.object_store.add_object(blob)
                changes.append((full.encode(), mode, blob.id))
        if not changes and not allow_empty:
            return None
        base = repo.object_store[head].tree if head else Tree()  # type: ignore[attr-defined] # HEAD is a commit
        new = GitCommit()
        if not changes and isinstance(base, Tree):
            repo.object_store.add_object(base)
        new.tree = commit_tree_changes(repo.object_store, base, changes) if changes else _id_of(base)
        new.parents = [head] if head else []
        new.author = new.committer = AUTHOR
        new.author_time = new.commit_time = int(time.time())
        new.author_timezone = new.commit_timezone = 0
        new.encoding = b"UTF-8"
        new.message = message.encode("utf-8", "replace")
        repo.object_store.add_object(new)
        return new.id

    def _refresh_index(self, repo: Repo, paths: Sequence[str]) -> None:
        """Tell the index of the committed paths, so that ``git status`` shows them clean; other entries stay."""
        from dulwich.file import FileLocked
        from dulwich.index import IndexEntry, index_entry_from_stat
        from dulwich.objects import Blob

        deadline = time.monotonic() + _WAIT
        while True:
            try:
                index = repo.open_index()
                for path in paths:
                    full = self._prefix(repo) + path
                    then = _lookup(repo, full)
                    if then is None:
                        if full.encode() in index:
                            del index[full.encode()]
                    else:
                        raw = self._bytes(path)
                        if raw is not None and Blob.from_string(raw).id == then[1]:
                            found = (self._root / path).lstat()
                            index[full.encode()] = index_entry_from_stat(found, then[1], mode=then[0])
                        else:
                            # Without times and size, git compares the file itself and finds it changed.
                            index[full.encode()] = IndexEntry(0, 0, 0, 0, then[0], 0, 0, 0, then[1], 0, 0)
                index.write()
                return
            except FileLocked:
                # Another git is at work on the index. The commit stands; only 'git status' would show it late.
                if time.monotonic() > deadline:
                    return
                time.sleep(0.1)

    def _clear_stale_locks(self, repo: Repo) -> None:
        """Remove locks that a killed git left: only under the lab's lock, older than it, and with no git alive here."""
        since = held_since(self._root)
        if since is None:
            return
        for lock in _locks(repo):
            with contextlib.suppress(FileNotFoundError):
                if lock.lstat().st_mtime < since and not _git_alive(self._worktree(repo)):
                    lock.unlink()

    @contextlib.contextmanager
    def _own_locks_cleared(self, repo: Repo) -> Iterator[None]:
        """Take away what a commit that fails in the block (a full disk) leaves locked: the roll-back commits too."""
        there = set(_locks(repo))
        try:
            yield
        except OSError:
            if held_since(self._root) is not None and not _git_alive(self._worktree(repo)):
                for lock in set(_locks(repo)) - there:
                    lock.unlink(missing_ok=True)
            raise

    def _exclude(self, repo: Repo) -> None:
        path = Path(repo.commondir()) / "info" / "exclude"
        path.parent.mkdir(exist_ok=True)
        text = path.read_text("utf-8", "replace") if path.exists() else ""
        if _MARK not in text:
            gap = "" if not text or text.endswith("\n") else "\n"
            path.write_text(text + gap + "\n".join([_MARK, *EXCLUDED]) + "\n", "utf-8")

    def _open(self) -> Repo | None:
        from dulwich.errors import NotGitRepository
        from dulwich.repo import Repo

        if (self._root / ".git").exists():
            return Repo(str(self._root))
        try:
            repo = Repo.discover(self._root.parent)
        except NotGitRepository:
            return None
        if not repo.bare and _lookup(repo, self._prefix(repo).rstrip("/")):
            return repo
        repo.close()
        return None

    @contextlib.contextmanager
    def _repo(self) -> Iterator[Repo]:
        repo = self._open()
        if repo is None:
            raise ValueError("the repository is gone")
        with contextlib.closing(repo):
            yield repo

    def _worktree(self, repo: Repo) -> Path:
        return Path(os.fsdecode(repo.path)).resolve()

    def _prefix(self, repo: Repo) -> str:
        below = self._root.relative_to(self._worktree(repo)).as_posix()
        return "" if below == "." else f"{below}/"

    def _state(self, path: str) -> tuple[bytes | None, int]:
        raw = self._bytes(path)
        return raw, 0 if raw is None else (self._root / path).lstat().st_mode

    def _bytes(self, path: str) -> bytes | None:
        full = self._root / path
        try:
            return full.read_bytes() if stat.S_ISREG(full.lstat().st_mode) else None
        except (FileNotFoundError, NotADirectoryError):
            return None


def forbidden(path: str) -> bool:
    """Whether a path never goes into git: env files, ``.homelab/``, certificates' keys, Authelia's users."""
    parts = PurePosixPath(path).parts
    outside = not parts or path.startswith("/") or ".." in parts
    return outside or is_env(path) or parts[-1] in SECRET_NAMES or bool({PRIVATE_FOLDER, ".git"} & set(parts))


def _locks(repo: Repo) -> Iterator[Path]:
    control, common = Path(repo.controldir()), Path(repo.commondir())
    fixed = (control / "index.lock", control / "HEAD.lock", common / "packed-refs.lock")
    yield from (lock for lock in fixed if lock.exists())
    yield from (common / "refs" / "heads").rglob("*.lock")
    # dulwich, unlike git itself, also locks each object that it writes.
    yield from (common / "objects").glob("??/*.lock")


def _head(repo: Repo) -> ObjectID | None:
    try:
        return repo.head()
    except KeyError:
        return None


def _move(repo: Repo, head: ObjectID | None, new: ObjectID) -> None:
    """Let the branch stand on the new commit, unless someone moved it meanwhile (ValueError)."""
    moved = (
        repo.refs.set_if_equals(b"HEAD", head, new, message=b"commit: homelab-mcp")  # type: ignore[arg-type] # a Ref is bytes
        if head
        else repo.refs.add_if_new(b"HEAD", new, message=b"commit (initial): homelab-mcp")  # type: ignore[arg-type] # as above
    )
    if not moved:
        raise ValueError("HEAD moved meanwhile")


def _given(state: tuple[str | None, int]) -> tuple[bytes | None, int]:
    text, mode = state
    return (None if text is None else text.encode("utf-8")), mode


def _id_of(tree: Tree | ObjectID) -> ObjectID:
    return tree if isinstance(tree, bytes) else tree.id


def _lookup(repo: Repo, path: str, commit: ObjectID | None = None) -> tuple[int, ObjectID] | None:
    from dulwich.object_store import tree_lookup_path

    head = commit or _head(repo)
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


def _git_alive(worktree: Path) -> bool:
    """Whether a git process works in this folder, or in one we may not look at."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if not (process / "comm").read_text().startswith("git"):
                continue
            if (process / "cwd").resolve(strict=True).is_relative_to(worktree):
                return True
        except PermissionError:
            return True
        except OSError:
            continue
    return False
