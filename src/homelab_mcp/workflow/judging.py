"""What a draft brings into a lab that was well, when its plan is made and again when the lab has moved since."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from homelab_mcp.core import fingerprint
from homelab_mcp.core.after import stacks_after
from homelab_mcp.core.new_findings import brought_in, moved_services
from homelab_mcp.core.unsearched import unsearched
from homelab_mcp.model.errors import InvalidInput, PlanRefused
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.lab import SETTINGS_FILE, SHARED_ENV
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, FileEdit, Plan, Requester
from homelab_mcp.ports import Files
from homelab_mcp.queries.find import read_stacks, stacks_with

Known = tuple[Sequence[StackFiles], Sequence[FileEdit]]
"""A lab: the files of all its stacks, and the edits seen as done."""


class Lint(Protocol):
    """Lints a whole lab."""

    def __call__(
        self,
        stacks: Sequence[StackFiles],
        networks: Collection[str],
        edits: Sequence[FileEdit],
        *,
        since: Known | None = None,
    ) -> Sequence[Finding]:
        """What is wrong in it.

        Args:
            stacks: the files of all its stacks.
            networks: that a plan makes.
            edits: seen as done.
            since: a lab of before; where a part of that one could not be seen, nothing is called missing here either.
        """


@dataclass(frozen=True, slots=True)
class Judged:
    """What a draft makes of a lab.

    Args:
        findings: of the lab as it would be.
        brought: those of them that the draft brings in.
        told_again: errors in files that it leaves as they are, which stood there all along and which nobody could see:
            a part of the lab could not be read, and now can.
    """

    findings: tuple[Finding, ...]
    brought: tuple[Finding, ...]
    told_again: tuple[Finding, ...] = ()

    @property
    def told(self) -> tuple[Finding, ...]:
        """Those that a person is shown, one by one."""
        return (*self.brought, *self.told_again)


_REFUSED_TO_MODELS = frozenset({("HL100", Severity.WARNING), ("HL219", Severity.INFO)})
"""Findings that a person is told, and that refuse a plan a model asked for: files outside of the stack's folder."""


def judged(draft: Draft, stacks: Sequence[StackFiles], after: Sequence[StackFiles], lint: Lint) -> Judged:
    """The findings of the lab as it would be, and those of them that the draft brings in.

    Args:
        draft: the draft.
        stacks: the lab's stacks as they are.
        after: and as they would be.
        lint: the linter.
    """
    networks = [a.name for a in draft.actions if a.kind is ActionKind.CREATE_NETWORK]
    undone = [replace(e, before=e.after, after=e.before) for e in draft.adopts]
    with unsearched():
        before = stacks_after(stacks, undone)
        there = lint(before, networks, undone)
        findings = tuple(lint(after, networks, draft.edits))
        moved = moved_services(stacks, after)
        brought = brought_in(there, findings, moved)
        own = {e.path for e in (*draft.edits, *draft.adopts)}
        # With those that were told as less than errors, as not all was seen.
        worse = brought_in(_errors(there), _errors(findings), moved)
        others = [f for f in worse if f.file not in own]
        if not others:
            return Judged(findings, brought)
        seen = lint(after, networks, draft.edits, since=(before, undone))
    told_again = tuple(f for f in others if f not in seen)
    return Judged(findings, tuple(f for f in brought if f not in told_again), told_again)


def _errors(findings: Sequence[Finding]) -> list[Finding]:
    return [f for f in findings if f.severity is Severity.ERROR]


def errors_of(brought: Sequence[Finding], requester: Requester) -> list[Finding]:
    """Those that refuse a plan of whoever asked."""
    refused = _REFUSED_TO_MODELS if requester.via == "mcp" else frozenset()
    return [f for f in brought if f.severity is Severity.ERROR or (f.rule, f.severity) in refused]


def files_of(files: Files) -> Snapshot:
    """What the lab's files say, without its containers."""
    try:
        shared = files.read(SHARED_ENV) or ""
    except InvalidInput:
        shared = ""
    return Snapshot(read_stacks(files), files.read(SETTINGS_FILE), shared_env=shared)


def is_way_back(draft: Draft) -> bool:
    """Whether the draft puts files back as they were."""
    return draft.operation in ("rollback", "discard")


def refusing(draft: Draft, errors: Sequence[Finding], stacks: Sequence[StackFiles]) -> list[Finding]:
    """Those of the errors that refuse the draft; the others are a risk that its plan tells.

    What a person made already is there, and what a way back puts back was: a way back that is refused for what stood
    there is none. Such an error may be told of another file of the stack than the one that is put back, and a clash
    with another stack is told of that one too.

    Args:
        draft: the draft.
        errors: that it brings in.
        stacks: the lab's, as they are and as they would be.
    """
    if not is_way_back(draft):
        known = {e.path for e in draft.adopts if not e.derived}
        return [f for f in errors if f.file not in known]
    known, folders = _put_back(draft, stacks)
    derived = {e.path for e in draft.edits if e.derived}
    # What the plan makes anew is not as it was, wherever it lies.
    known |= {f.file for f in errors if f.file.startswith(folders) and f.file not in derived}
    rules = {f.rule for f in errors if f.file in known}
    return [f for f in errors if f.file not in known and not (f.rule in rules and _names_any(f.message, known))]


def _put_back(draft: Draft, stacks: Sequence[StackFiles]) -> tuple[set[str], tuple[str, ...]]:
    """The files that are put back, and all compose files of the stacks that they are of; those stacks' folders.

    A config file says what the compose file beside it must fit, so an error of the two may be told in either.
    """
    edited = {e.path for e in draft.edits if not e.derived}
    whole_lab = bool(edited & {SHARED_ENV, SETTINGS_FILE})
    known = set(edited)
    folders: set[str] = set()
    for stack in stacks:
        texts = {stack.compose_path, *dict(stack.others), *dict(stack.named)}
        if whole_lab or texts & edited or any(path.startswith(f"{stack.name}/") for path in edited):
            known |= texts
            folders.add(f"{stack.name}/")
    return known, tuple(folders)


def _names_any(message: str, paths: Collection[str]) -> bool:
    return any(re.search(rf"(?<![\w./-]){re.escape(path)}(?![\w/-])", message) for path in paths)


def refuse_misfit(plan: Plan, files: Files, lint: Callable[[], Lint]) -> None:
    """Refuse a plan that the lab as it has become would get an error by: a name or a port that another took since.

    A plan holds to its own stacks' files alone, or no two could be open at once. Looked at only where another stack's
    files are not what they were.

    Raises:
        PlanRefused: ``plan_stale``.
    """
    if not plan.draft.edits:
        return
    now = files_of(files)
    if plan.fingerprint.get(fingerprint.LAB, "") in ("", fingerprint.of_lab(now)):
        return
    after = stacks_with(files, now.stacks, plan.draft.edits)
    brought = judged(plan.draft, now.stacks, after, lint()).brought
    wrong = refusing(plan.draft, errors_of(brought, plan.asked_by), (*now.stacks, *after))
    if wrong:
        raise PlanRefused(
            f"Since the plan was made, other stacks changed, and it would now bring in an error: {wrong[0].as_line()}",
            code="plan_stale",
            hint="Ask for the plan again; it will be made from what is there now.",
            details={"findings": [f.as_dict() for f in wrong[:20]]},
        )
