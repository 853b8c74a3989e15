"""Takes several applies back at once: the lab, or one stack, as it was at an earlier point."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from homelab_mcp.core.diff import is_secret, secrets_of
from homelab_mcp.core.drift import in_scope
from homelab_mcp.core.operations.containers_back import containers_back
from homelab_mcp.core.operations.moves_back import moves_back
from homelab_mcp.core.operations.rollback import cannot_undo
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.model.plan import Draft, FileEdit, Plan, Risk, RiskReason, Verification
from homelab_mcp.model.policy import POLICY_FILE

_NAMED = 12


@dataclass(frozen=True, slots=True)
class Step:
    """One apply that is taken back, with what its files were before it: path -> (text or None, mode)."""

    plan: Plan
    undo: Mapping[str, tuple[str | None, int]]


@dataclass(slots=True)
class _Target:
    """A file as it was at the point, and as the last apply left it."""

    text: str | None
    mode: int
    secret: bool
    left: str | None
    derived: bool = False


def rollback_to(
    steps: Sequence[Step],
    *,
    then: Mapping[str, str | None],
    gone: Mapping[str, str],
    read: Callable[[str], str | None],
    point: str,
    stacks: Sequence[StackFiles] = (),
    stack: str = "",
    exists: Callable[[str], bool] = lambda path: False,
    trash: str = "",
    host_of: Callable[[str], str] = lambda path: LOCAL,
) -> Draft:
    """A draft that takes these applies back at once.

    Args:
        steps: what is taken back, oldest first.
        then: what git held of the files at the point, where that is known; it wins over the undo records, as it
            tells what was changed by hand between two applies.
        gone: files that applies without a record wrote since -> what those were; put back from ``then``.
        read: a file's text now.
        point: the point, in words.
        stacks: the lab's, as they are: whose containers a file decides over.
        stack: only this stack's files; "" all.
        exists: whether a path of the lab is there, for data that was moved.
        trash: a new folder of the trash, for data in use that goes out of the way of what comes back.
        host_of: the host that a path's data is on.

    Raises InvalidInput: every file is as it was (nothing_to_do); data_in_the_way, as of moves_back.
    """
    targets, by_hand = _targets(steps, then, gone)
    edits, conflicts = [], []
    for path, target in sorted(targets.items()):
        now = read(path)
        if now == target.text or not in_scope(path, stack) or path == POLICY_FILE:
            continue
        if now != target.left and not target.derived:
            conflicts.append(path)
        edits.append(FileEdit(path, now, target.text, target.mode, target.secret, target.derived))
    left = _left_of(stacks, stack, {p: t for p, t in targets.items() if read(p) != t.text})
    data = moves_back([s.plan for s in steps], exists, trash=trash, stack=stack, host_of=host_of)
    if not (edits or data.moves):
        raise InvalidInput(
            " ".join(["Every file is already as it was then.", *left, *data.stuck]),
            code="nothing_to_do",
            hint="Pick an earlier plan of the history.",
        )
    touched = {e.path for e in edits} | {p for m in data.moves for p in (m.source, m.target)}
    taken = [s.plan for s in steps if touched & _paths(s.plan)]
    actions, verifications = containers_back([e for e in edits if not e.derived], stacks, read)
    what = f"stack {stack}" if stack else "the lab"
    return Draft(
        operation="rollback",
        summary=f"Put {what} back as it was {point}",
        edits=tuple(edits),
        actions=actions,
        verification=next(iter(verifications), Verification()),
        also_verify=verifications[1:],
        moves=data.moves,
        risks=(*_risks(taken, conflicts, [p for p in by_hand if p in touched]), *data.risks),
        notes=(*left, *data.stuck, *data.notes, *_notes(edits, taken, gone)),
        undo="Roll back this plan in turn.",
        target=stack or "lab",
        secrets=tuple(dict.fromkeys((*(v for p in taken for v in p.draft.secrets), *secrets_of(edits)))),
    )


def _paths(plan: Plan) -> set[str]:
    """What an apply wrote, adopted or moved."""
    draft = plan.draft
    return {e.path for e in (*draft.edits, *draft.adopts)} | {p for m in draft.moves for p in (m.source, m.target)}


def _left_of(stacks: Sequence[StackFiles], stack: str, differing: Collection[str]) -> list[str]:
    """What the stack takes from elsewhere and is not put back with its own files, in a sentence."""
    named = [path for s in stacks if s.name == stack for path, _ in s.named]
    left = [path for path in dict.fromkeys(named) if path in differing and not in_scope(path, stack)]
    if not left:
        return []
    return [f"{', '.join(left)} of {stack} is not in its folder and stays as it is; it goes back with the whole lab."]


def _targets(
    steps: Sequence[Step], then: Mapping[str, str | None], gone: Mapping[str, str]
) -> tuple[dict[str, _Target], list[str]]:
    found: dict[str, _Target] = {}
    by_hand = []
    for step in steps:
        for edit in step.plan.draft.edits:
            text, mode = step.undo.get(edit.path, (edit.before, edit.mode))
            if edit.derived and text is not None:
                # Made anew from the lab as it will be; one that the lab did not have goes with what it followed from.
                continue
            mine = found.setdefault(edit.path, _Target(text, mode, is_secret(edit), None, edit.derived))
            mine.left = edit.after
        for edit in step.plan.draft.adopts:
            # A file that a person made is not deleted for having been made known to git.
            if edit.path in found or edit.before is not None:
                mine = found.setdefault(edit.path, _Target(edit.before, edit.mode, is_secret(edit), None))
                mine.left = edit.after
                by_hand.append(edit.path)
    for path in gone:
        if then.get(path) is not None:
            found.setdefault(path, _Target(then[path], 0o644, secret=False, left=None))
    for path, target in found.items():
        if not (target.secret or target.derived) and then.get(path) is not None:
            target.text = then[path]
    return found, by_hand


def _risks(taken: Sequence[Plan], conflicts: Sequence[str], by_hand: Sequence[str]) -> list[RiskReason]:
    risks = [RiskReason(Risk.MEDIUM, f"Takes back {len(taken)} apply(s) at once.")]
    risks += [
        RiskReason(Risk.HIGH, f"{path} was changed since by hand, and that change would be lost.") for path in conflicts
    ]
    risks += [
        RiskReason(Risk.HIGH, f"{path} was changed by hand and adopted since; that goes too.")
        for path in dict.fromkeys(by_hand)
    ]
    return risks


def _notes(edits: Sequence[FileEdit], taken: Sequence[Plan], gone: Mapping[str, str]) -> list[str]:
    notes = [f"Takes back: {p.draft.summary}" for p in reversed(taken[-_NAMED:])]
    if len(taken) > _NAMED:
        notes.append(f"… and {len(taken) - _NAMED} earlier ones.")
    if lost := sorted({gone[e.path] for e in edits if e.path in gone}):
        notes.append(f"Put back from git, as the plan's record is gone: {'; '.join(lost[:5])}")
    return [*notes, *cannot_undo(edits)]
