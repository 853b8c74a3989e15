"""Drift, resolved: what was changed by hand becomes the committed state, or is taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from homelab_mcp.core.after import stacks_after
from homelab_mcp.core.diff import secrets_of
from homelab_mcp.core.drift import LAB, ContainerDrift, DriftWord, FileChange
from homelab_mcp.core.operations.containers_back import all_services, containers_back
from homelab_mcp.core.operations.stack_as_one import why_unseen
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import COMPOSE_NAMES
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Risk, RiskReason, Verification
from homelab_mcp.model.policy import POLICY_FILE

_KEPT = "Data in volumes and folders stays as it is."


def adopt(
    snapshot: Snapshot,
    stack: str,
    files: Sequence[FileChange],
    containers: Sequence[ContainerDrift],
    *,
    committed: Sequence[StackFiles] = (),
) -> Draft:
    """A draft that commits a stack's files as a person left them, and brings its containers up to them.

    Containers of services that the person took out of the file are removed; other orphans are left, and so are
    services that someone stopped.

    Args:
        snapshot: the lab as it is.
        stack: its name; "." for the lab's own files.
        files: what changed since the last commit.
        containers: where containers are not as the files say.
        committed: the lab's stacks as they were committed, with the files that they named then; () where none was
            read for them.

    Raises InvalidInput (nothing_to_do) where nothing differs.
    """
    _check_any(stack, files, containers)
    now = snapshot.stack(stack)
    declared = all_services(now)
    then = all_services(_as_committed(snapshot, stack, files, committed)) if files else {}
    behind = [d.service for d in containers if d.word in (DriftWord.DIFFERS, DriftWord.MISSING)]
    orphans = [d for d in containers if d.word is DriftWord.ORPHAN and d.service not in declared]
    dropped, unsure = _removable([d for d in orphans if d.service in then], (now,))
    left = [d for d in orphans if d.service not in then]
    stopped = [d.service for d in containers if d.word is DriftWord.STOPPED and d.service not in behind]
    actions = [*_bring_up(stack, [s for s in declared if s in behind], "The containers are not as the files say.")]
    if dropped:
        actions.append(
            EngineAction(ActionKind.REMOVE_ORPHANS, "The file names them no more.", stack, tuple(sorted(dropped)))
        )
    notes = []
    if files:
        notes.append("The files stay as they are; git gets them as one commit.")
    unknown = [c.path for c in files if not c.known]
    if unknown:
        notes.append(f"What {', '.join(unknown)} held before is not known, so every variable shows as new.")
    notes += _kept(unsure)
    if left:
        names = ", ".join(d.service for d in left)
        notes.append(f"{names}: no file ever had this; write it into the compose file, or choose undo to remove it.")
    if stopped:
        notes.append(f"{', '.join(stopped)} stays stopped.")
    adopts = tuple(c.made for c in files)
    if not adopts and not actions:
        raise InvalidInput(
            f"There is nothing in stack {stack} to adopt: {containers[0].as_line()}.",
            code="nothing_to_do",
            hint="Choose undo, or leave it.",
        )
    return Draft(
        operation="adopt",
        summary=f"Adopt what was changed by hand in {_named(stack)}",
        edits=(),
        actions=tuple(actions),
        verification=Verification(stack, tuple(s for s in declared if s in behind)) if behind else Verification(),
        risks=tuple(_core(stack)),
        notes=(*notes, _KEPT) if actions else tuple(notes),
        undo="Nothing on disk changes, so there is nothing to put back; git holds the state before.",
        target=_target(stack),
        secrets=secrets_of(adopts),
        adopts=adopts,
    )


def discard(
    snapshot: Snapshot,
    stack: str,
    files: Sequence[FileChange],
    containers: Sequence[ContainerDrift],
    *,
    read: Callable[[str], str | None],
    committed: Sequence[StackFiles] = (),
) -> Draft:
    """A draft that puts a stack's files back as they were committed, and its containers with them.

    Other stacks that take one of the files follow too.

    Args and errors as for ``adopt``; ``read`` gives a file's text now. What is overwritten goes into git first, as a
    commit of its own.
    """
    _check_any(stack, files, containers)
    compose = next((c for c in files if _is_compose(c.path)), None)
    if compose is not None and compose.before is None:
        raise InvalidInput(
            f"Stack {stack} was never committed, so there is no state to go back to.",
            code="never_committed",
            hint="Adopt it first; then later changes can be taken back.",
        )
    back = [c for c in files if c.known and c.path != POLICY_FILE]
    edits = tuple(c.undone for c in back)
    as_committed = _as_committed(snapshot, stack, files, committed)
    target = all_services(as_committed)
    off = [d.service for d in containers if d.word is not DriftWord.ORPHAN]
    known = [d.service for d in containers if d.word is DriftWord.ORPHAN and d.service in target]
    unknown = [d for d in containers if d.word is DriftWord.ORPHAN and d.service not in target]
    orphans, unsure = _removable(unknown, (snapshot.stack(stack), as_committed))
    follows, verifications = containers_back(edits, snapshot.stacks, read)
    # Who else takes one of these files.
    seen = tuple(v for v in verifications if v.stack != stack)
    verification = next((v for v in verifications if v.stack == stack), Verification())
    wanted = [s for s in target if s in {*off, *known}]
    actions, verification = _joined(stack, tuple(a for a in follows if a.stack in ("", stack)), verification, wanted)
    actions = (*actions, *(a for a in follows if a.stack not in ("", stack)))
    if not verification.stack and seen:
        verification, seen = seen[0], seen[1:]
    if orphans:
        why = "No file knows them."
        actions = (*actions, EngineAction(ActionKind.REMOVE_ORPHANS, why, stack, tuple(sorted(orphans))))
    if not edits and not actions:
        raise InvalidInput(
            f"Nothing of this can be taken back in {_named(stack)}.",
            code="nothing_to_do",
            hint=" ".join(_kept(unsure))
            or "What the files held before is not known; adopt them, or edit them by hand.",
        )
    return Draft(
        operation="discard",
        summary=f"Take back what was changed by hand in {_named(stack)}",
        edits=edits,
        actions=actions,
        verification=verification,
        also_verify=seen,
        risks=(RiskReason(Risk.MEDIUM, "Takes back what a person changed by hand."), *_core(stack)),
        notes=(*_discard_notes(files, edits, orphans), *_kept(unsure)),
        undo="Roll this plan back: the hand-made state comes back, but for containers removed for good.",
        target=_target(stack),
        secrets=secrets_of(edits),
    )


def _removable(orphans: Sequence[ContainerDrift], stacks: Sequence[StackFiles | None]) -> tuple[list[str], list[str]]:
    """Orphans that are removed, and those that stay: a file that nobody could read may name them."""
    unseen = any(s is not None and why_unseen(s) for s in stacks)
    going = [d.service for d in orphans if d.sure and not unseen]
    return going, [d.service for d in orphans if d.service not in going]


def _kept(unsure: Sequence[str]) -> list[str]:
    if not unsure:
        return []
    return [f"{', '.join(unsure)} stays: not all files of the stack could be read, and one of them may name it."]


def _as_committed(
    snapshot: Snapshot, stack: str, files: Sequence[FileChange], committed: Sequence[StackFiles]
) -> StackFiles | None:
    """The stack as git holds it, with what it includes: what stands in any of its files is known to it."""
    stacks = committed or stacks_after(snapshot.stacks, [c.undone for c in files if c.known])
    return next((s for s in stacks if s.name == stack), None)


def _discard_notes(files: Sequence[FileChange], edits: Sequence[FileEdit], orphans: Sequence[str]) -> list[str]:
    notes = [_KEPT]
    if any(not e.secret for e in edits):
        notes.append("What is overwritten is committed first, as it was found.")
    if secret := [e.path for e in edits if e.secret]:
        notes.append(f"{', '.join(secret)} is not in git: what it held is kept in this plan's undo record.")
    if unknown := [c.path for c in files if not c.known]:
        notes.append(f"{', '.join(unknown)} stays: what it held before is not known.")
    if any(c.path == POLICY_FILE for c in files):
        notes.append(f"{POLICY_FILE} stays: no plan changes it.")
    if orphans:
        notes.append(f"{', '.join(orphans)}: what was written in the container itself is lost; volumes stay.")
    return notes


def _joined(
    stack: str, actions: tuple[EngineAction, ...], verification: Verification, wanted: Sequence[str]
) -> tuple[tuple[EngineAction, ...], Verification]:
    """The actions of files put back, with these services brought up too."""
    if not wanted:
        return actions, verification
    up = next((a for a in actions if a.kind is ActionKind.UP and a.stack == stack), None)
    others = tuple(a for a in actions if a.kind is not ActionKind.UP and a.kind is not ActionKind.PULL)
    pulled = tuple(s for a in actions if a.kind is ActionKind.PULL for s in a.services)
    services = tuple(dict.fromkeys((*pulled, *(up.services if up else ()), *wanted)))
    why = "The containers are not as the files say."
    pull = EngineAction(ActionKind.PULL, "The images may be gone.", stack, services)
    whole = up is not None and not up.services
    started = EngineAction(ActionKind.UP, why, stack, () if whole else services)
    seen = tuple(dict.fromkeys((*verification.services, *wanted)))
    return (*others, pull, started), replace(verification, stack=stack, services=seen)


def _bring_up(stack: str, services: Sequence[str], why: str) -> list[EngineAction]:
    if not services:
        return []
    names = tuple(services)
    return [EngineAction(ActionKind.PULL, why, stack, names), EngineAction(ActionKind.UP, why, stack, names)]


def _check_any(stack: str, files: Sequence[FileChange], containers: Sequence[ContainerDrift]) -> None:
    if not files and not containers:
        raise InvalidInput(
            f"Nothing was changed by hand in {_named(stack)}.",
            code="nothing_to_do",
            hint="review_changes (homelab-mcp review) shows what was.",
        )


def _core(stack: str) -> list[RiskReason]:
    if stack != "core":
        return []
    return [RiskReason(Risk.HIGH, "Touches the core stack, which every route depends on.")]


def _is_compose(path: str) -> bool:
    return path.partition("/")[2] in COMPOSE_NAMES


def _named(stack: str) -> str:
    return "the lab's own files" if stack == LAB else f"stack {stack}"


def _target(stack: str) -> str:
    return "lab" if stack == LAB else stack
