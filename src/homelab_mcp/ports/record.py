"""What is kept of the past: git and the journal."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of the lab's history."""

    id: str
    when: float
    message: str
    paths: tuple[str, ...] = ()


class Repositories(Protocol):
    """Git repositories of others."""

    def files(self, url: str, commit: str, folder: str = "", ends: str = ".yaml") -> Mapping[str, str]:
        """The text of each file in a folder at that commit, by its path; links are left out.

        Args:
            url: https, or a folder of this machine.
            commit: 40 hexadecimal digits.
            folder: in the repository; "": its ``catalog`` folder where there is one, else all of it.
            ends: how the files' names end.

        Raises:
            HomelabError: ``fetch_failed``: no answer, or no such commit.
            NotFound: ``no_commit``: the id is not a commit's.
            InvalidInput: ``too_large``, ``not_text``.
        """
        ...


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    """Where the lab's repository elsewhere is ("" for none), its branch, and whether only signed commits are taken."""

    url: str
    branch: str
    signed: bool


@dataclass(frozen=True, slots=True)
class RemoteChange:
    """A file that differs between two commits: path, and git's mode in the later one (0: gone)."""

    path: str
    mode: int


class Remote(Protocol):
    """The lab's repository elsewhere. Raises HomelabError (``git_missing``, ``git_failed``)."""

    def settings(self) -> RemoteSettings: ...
    def configure(self, url: str, branch: str, *, signed: bool) -> None: ...
    def whole(self) -> bool:
        """Whether the repository is the lab's alone, and not one of which the lab is a folder."""
        ...

    def fetch(self) -> str:
        """Get what the branch holds; its last commit, "" where there is no such branch."""
        ...

    def known(self) -> str:
        """The branch's last commit as of the last fetch; "" for none."""
        ...

    def head(self) -> str:
        """The lab's last commit; "" for none."""
        ...

    def base(self, one: str, other: str) -> str:
        """The last commit that both come from; an empty tree's id where they share none."""
        ...

    def is_empty(self, commit: str) -> bool:
        """Whether this is the id of the empty tree."""
        ...

    def count(self, since: str, until: str) -> int:
        """Commits of ``until`` that ``since`` has not."""
        ...

    def changes(self, since: str, until: str) -> Sequence[RemoteChange]:
        """Files that differ between two commits."""
        ...

    def unsigned(self, since: str, until: str) -> Sequence[str]:
        """Commits of ``until`` that ``since`` has not and that carry no signature which git trusts.

        Raises HomelabError (``too_many_commits``) where those are more than can be looked at.
        """
        ...

    def join(self, tip: str, message: str) -> str:
        """A commit of the lab's files as they are that says that ``tip`` is in them; its id."""
        ...

    def push(self) -> None:
        """Send the lab's commits. Raises HomelabError (``push_behind``, ``push_failed``)."""
        ...


class History(Protocol):
    """The lab's git repository. Never holds ``.env`` files or ``.homelab/``."""

    def ensure(self) -> bool:
        """Make the repository where there is none; True when it was made."""
        ...

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
        """Commit these paths as they are on disk (missing: deleted), leaving everything else as it is; the id.

        Returns "" when nothing differs, unless ``allow_empty``. Other people's changes are never committed.
        ``texts`` (path -> text, mode) stands for what is on disk. ``first`` (texts, message) is a commit of its own
        right before, where its texts differ from the last commit; both are there or neither is.
        A file with a new secret in it is left out; with ``refuse_secrets`` HomelabError (code ``secret_in_commit``)
        unless it was met there before.
        """
        ...

    def committed(self, paths: Sequence[str], commit: str = "") -> dict[str, str | None]:
        """The text of each path in that commit (the last one), None where it holds none."""
        ...

    def held(self) -> frozenset[str]:
        """Files of the lab in the last commit."""
        ...

    def ignored(self, paths: Sequence[str]) -> list[str]:
        """Those of the paths that never go into git: by our own rules or by the lab's ignore files."""
        ...

    def withheld(self) -> list[str]:
        """A sentence for each file that was left out of commits for a secret in it."""
        ...

    def secret_line(self, path: str, before: str, after: str) -> int:
        """The line for which ``commit`` would refuse ``after``, a plan's text in place of ``before``; 0: none."""
        ...

    def text_of(self, path: str) -> str:
        """The file's text in the last commit; empty where it has none."""
        ...

    def log(self, limit: int) -> list[Commit]: ...
    def dirty(self, paths: Sequence[str]) -> list[str]:
        """Those of the paths that differ from the last commit (a person's own edit)."""
        ...

    def tracked(self) -> frozenset[str]:
        """Files of the lab in git's index. Raises HomelabError where it cannot be read."""
        ...


class Journal(Protocol):
    """Append-only, hash-chained record. Raises JournalUnwritable."""

    def append(self, event: str, data: Mapping[str, Any]) -> None: ...
    def entries(self, of: Collection[str] = ()) -> list[dict[str, Any]]:
        """All of them, or those of these events alone, oldest first."""
        ...

    def recent(self) -> list[dict[str, Any]]:
        """The last entries, with every apply among them that began and did not end well."""
        ...

    def verify(self) -> str:
        """Empty when every line's hash holds, else what is wrong and where."""
        ...
