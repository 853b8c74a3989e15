"""Take what the lab's repository elsewhere holds: the difference as one plan, and nothing of anybody's lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from homelab_mcp.core.diff import is_env
from homelab_mcp.core.inventory import PAGE
from homelab_mcp.core.operations.containers_back import containers_back
from homelab_mcp.core.secret_files import SECRET_NAMES
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import COMPOSE_NAMES, HOSTS_FILE, PRIVATE_FOLDER
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Risk, RiskReason, Verification
from homelab_mcp.model.policy import POLICY_FILE

_REGULAR = {0o100644: 0o644, 0o100755: 0o755}
_WHY = {
    ActionKind.REMOVE: "The repository has it no more.",
    ActionKind.PULL: "The repository names these images.",
    ActionKind.UP: "Runs what the repository says.",
}
_TOLD = 8


@dataclass(frozen=True, slots=True)
class Differing:
    """A file that the repository changed since the lab last had the same.

    Args:
        path: relative to the lab's root.
        mode: git's mode there; 0 where it is gone.
        base: the text that both had; None for no file.
        ours: the text in the lab's last commit.
        theirs: the text in the repository; None where it is gone, or no text.
    """

    path: str
    mode: int
    base: str | None
    ours: str | None
    theirs: str | None

    @property
    def open(self) -> bool:
        """Whether the lab has not taken it yet. The page of what runs is made anew by each lab for itself."""
        no_text = bool(self.mode) and self.theirs is None
        return self.path != PAGE and (no_text or self.ours != self.theirs)


def pull(
    differing: Sequence[Differing],
    *,
    tip: str,
    branch: str,
    commits: int,
    read: Callable[[str], str | None],
    stacks: Sequence[StackFiles] = (),
) -> Draft:
    """A draft that takes what the repository changed.

    Args:
        differing: files that it changed.
        tip: its last commit.
        branch: its branch.
        commits: how many commits are new.
        read: a file's text now.
        stacks: the lab's, as they are: whose containers a file decides over.

    Raises:
        InvalidInput: ``nothing_to_do``; ``git_conflict``: both changed a file; ``git_dirty``: edited here and
            not committed; ``git_guarded``: a file that no plan changes; ``git_odd``: a link or no text.
    """
    new = [d for d in differing if d.open]
    _refuse(new, read)
    if not new:
        raise InvalidInput(f"The lab has all that {branch} holds.", hint="No plan is needed.", code="nothing_to_do")
    edits = tuple(FileEdit(d.path, d.ours, d.theirs, _REGULAR.get(d.mode, 0o644)) for d in new)
    actions, verifications = containers_back(edits, stacks, read)
    made = sorted(
        {d.path.partition("/")[0] for d in new if d.ours is None and d.path.partition("/")[2] in COMPOSE_NAMES}
    )
    return Draft(
        operation="pull",
        summary=f"Take {commits} commit{'s' if commits != 1 else ''} of {branch} ({tip[:12]})",
        edits=edits,
        actions=tuple(replace(a, why=_WHY.get(a.kind, a.why)) for a in actions),
        verification=next(iter(verifications), Verification()),
        also_verify=verifications[1:],
        risks=(
            RiskReason(Risk.MEDIUM, f"Changes {len(edits)} file(s) to what the repository holds."),
            *_core(edits, actions),
        ),
        notes=tuple(
            f"{s} is new here: git holds no .env, so set what it reads with `homelab-mcp env check {s}`." for s in made
        ),
        undo="Roll this plan back; the repository keeps what it has.",
        target=tip[:12],
    )


def _core(edits: Sequence[FileEdit], actions: Sequence[EngineAction]) -> list[RiskReason]:
    if not any(e.path.startswith("core/") for e in edits) and "core" not in {a.stack for a in actions}:
        return []
    return [RiskReason(Risk.HIGH, "Touches the core stack, which every route depends on.")]


def _refuse(new: Sequence[Differing], read: Callable[[str], str | None]) -> None:
    found: Mapping[str, list[str]] = {
        "git_guarded": [d.path for d in new if _guarded(d.path)],
        "git_odd": [d.path for d in new if d.mode and (d.mode not in _REGULAR or d.theirs is None)],
        "git_conflict": [d.path for d in new if d.ours != d.base],
        "git_dirty": [d.path for d in new if read(d.path) != d.ours],
    }
    for code, paths in found.items():
        if paths:
            what, hint = _WORDS[code]
            shown = ", ".join(paths[:_TOLD]) + (f" and {len(paths) - _TOLD} more" if len(paths) > _TOLD else "")
            raise InvalidInput(f"{what}: {shown}.", hint=hint, code=code, details={"paths": paths})


_WORDS = {
    "git_guarded": (
        "The repository changes what no plan changes",
        f"A person takes {POLICY_FILE} or {HOSTS_FILE} over by hand (`git checkout origin/BRANCH -- FILE`) and adopts "
        "it: `homelab-mcp review . --adopt`. Secrets do not belong into a repository: take them out of it.",
    ),
    "git_odd": ("The repository holds what is no text file", "Take links, submodules and binary files out of it."),
    "git_conflict": (
        "Here and in the repository the same file was changed",
        "A person joins both by hand: `git merge origin/BRANCH` in the lab's folder, then `homelab-mcp review`.",
    ),
    "git_dirty": (
        "Edited here and not committed",
        "Commit it (`homelab-mcp review STACK --adopt`) or take it back (`--undo`), then pull again.",
    ),
}


def _guarded(path: str) -> bool:
    parts = path.split("/")
    own = {part.casefold() for part in parts} & {".git", PRIVATE_FOLDER, ".."}
    return bool(own) or path.casefold() in {POLICY_FILE, HOSTS_FILE} or is_env(path) or parts[-1] in SECRET_NAMES
