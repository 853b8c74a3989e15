"""The lab's git repository, by dulwich: commits exactly the paths it is given, and nothing of anyone else's."""

from __future__ import annotations

import contextlib
import errno
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from homelab_mcp.adapters.git_locks import clear_stale_locks, own_locks_cleared
from homelab_mcp.adapters.git_reading import GitReader, forbidden, head_of, lookup
from homelab_mcp.core.secret_files import BACKUP_STACK, KEY_FILES, KEY_FOLDERS, SECRET_NAMES
from homelab_mcp.model.errors import HomelabError, storage_failed
from homelab_mcp.model.lab import PRIVATE_FOLDER

if TYPE_CHECKING:
    from dulwich.objects import ObjectID, Tree
    from dulwich.repo import Repo

AUTHOR = b"homelab-mcp <homelab-mcp@localhost>"
EXCLUDED = (".env", "*.env", ".env.*", f"{PRIVATE_FOLDER}/", *sorted(SECRET_NAMES), *KEY_FILES, "*.homelab-tmp")
_MARK = "# homelab-mcp: secrets and private files"
_WAIT = 5.0


class GitHistory(GitReader):
    """Fulfils ``ports.History``. See ``GitReader`` for which repository that is.

    Args:
        root: the lab's folder.
    """

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
                ignore.write_text("\n".join([_MARK, *EXCLUDED, *_key_folders(BACKUP_STACK)]) + "\n", "utf-8")
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
        stacks = self._backup_stacks()
        wanted = sorted({p for p in paths if not forbidden(p, stacks)})
        if not wanted and not allow_empty:
            return ""
        from dulwich.file import FileLocked

        self.ensure()
        try:
            with self._repo() as repo:
                clear_stale_locks(repo, self._root)
                with own_locks_cleared(repo, self._root):
                    head = tip = head_of(repo)
                    if first is not None:
                        kept = {p: state for p, state in first[0].items() if not forbidden(p, stacks)}
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
            then = lookup(repo, full, head)
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
                    then = lookup(repo, full)
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

    def _exclude(self, repo: Repo) -> None:
        path = Path(repo.commondir()) / "info" / "exclude"
        text = path.read_text("utf-8", "replace") if path.exists() else ""
        above, mark, below = text.partition(f"{_MARK}\n")
        prefix = self._prefix(repo)
        folders = (line for stack in sorted(self._backup_stacks()) for line in _key_folders(f"{prefix}{stack}"))
        there = set(below.splitlines())
        missing = [line for line in (*EXCLUDED, *folders) if line not in there]
        if not missing:
            return
        gap = "" if mark or not above or above.endswith("\n") else "\n"
        # Right below the mark: the last line that fits wins, and a person may have let something in again further down.
        with contextlib.suppress(OSError) if mark else contextlib.nullcontext():
            path.parent.mkdir(exist_ok=True)
            path.write_text("\n".join([above + gap + _MARK, *missing, below]), "utf-8")

    @contextlib.contextmanager
    def _repo(self) -> Iterator[Repo]:
        repo = self._open()
        if repo is None:
            raise ValueError("the repository is gone")
        with contextlib.closing(repo):
            yield repo

    def _state(self, path: str) -> tuple[bytes | None, int]:
        raw = self._bytes(path)
        return raw, 0 if raw is None else (self._root / path).lstat().st_mode


def _key_folders(stack: str) -> list[str]:
    """Patterns for a stack's folders for keys, from the repository's top."""
    return [f"/{stack}/{folder}/" for folder in KEY_FOLDERS]


def _move(repo: Repo, head: ObjectID | None, new: ObjectID) -> None:
    """Let the branch stand on the new commit, unless someone moved it meanwhile (ValueError)."""
    # Without a committer dulwich asks for the user's own name, which one without a passwd entry (in a container) lacks.
    moved = (
        repo.refs.set_if_equals(b"HEAD", head, new, committer=AUTHOR, message=b"commit: homelab-mcp")  # type: ignore[arg-type] # a Ref is bytes
        if head
        else repo.refs.add_if_new(b"HEAD", new, committer=AUTHOR, message=b"commit (initial): homelab-mcp")  # type: ignore[arg-type] # as above
    )
    if not moved:
        raise ValueError("HEAD moved meanwhile")


def _given(state: tuple[str | None, int]) -> tuple[bytes | None, int]:
    text, mode = state
    return (None if text is None else text.encode("utf-8")), mode


def _id_of(tree: Tree | ObjectID) -> ObjectID:
    return tree if isinstance(tree, bytes) else tree.id
