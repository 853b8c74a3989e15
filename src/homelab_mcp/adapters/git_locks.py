"""Locks in a git repository: which there are, and which a killed git left behind."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from homelab_mcp.adapters.lock import held_since

if TYPE_CHECKING:
    from dulwich.repo import Repo


def clear_stale_locks(repo: Repo, lab: Path) -> None:
    """Remove locks that a killed git left: only under the lab's lock, older than it, and with no git alive here."""
    since = held_since(lab)
    if since is None:
        return
    for lock in _locks(repo):
        with contextlib.suppress(FileNotFoundError):
            if lock.lstat().st_mtime < since and not _git_alive(_worktree(repo)):
                lock.unlink()


@contextlib.contextmanager
def own_locks_cleared(repo: Repo, lab: Path) -> Iterator[None]:
    """Take away what a commit that fails in the block (a full disk) leaves locked: the roll-back commits too."""
    there = set(_locks(repo))
    try:
        yield
    except OSError:
        if held_since(lab) is not None and not _git_alive(_worktree(repo)):
            for lock in set(_locks(repo)) - there:
                lock.unlink(missing_ok=True)
        raise


def _locks(repo: Repo) -> Iterator[Path]:
    control, common = Path(repo.controldir()), Path(repo.commondir())
    fixed = (control / "index.lock", control / "HEAD.lock", common / "packed-refs.lock")
    yield from (lock for lock in fixed if lock.exists())
    yield from (common / "refs" / "heads").rglob("*.lock")
    # dulwich, unlike git itself, also locks each object that it writes.
    yield from (common / "objects").glob("??/*.lock")


def _worktree(repo: Repo) -> Path:
    return Path(os.fsdecode(repo.path)).resolve()


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
