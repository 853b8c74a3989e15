"""What a draft brings into a lab that was well, when its plan is made and again when the lab has moved since."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

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

Lint = Callable[[Sequence[StackFiles], Collection[str], Sequence[FileEdit]], Sequence[Finding]]
"""Lints a whole lab: the files of all its stacks, the networks that a plan makes, and the edits seen as done."""

_REFUSED_TO_MODELS = frozenset({("HL100", Severity.WARNING), ("HL219", Severity.INFO)})
"""Findings that a person is told, and that refuse a plan a model asked for: files outside of the stack's folder."""


def judged(
    draft: Draft, stacks: Sequence[StackFiles], after: Sequence[StackFiles], lint: Lint
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
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
        there = lint(stacks_after(stacks, undone), networks, undone)
        findings = tuple(lint(after, networks, draft.edits))
    return findings, brought_in(there, findings, moved_services(stacks, after))


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


def not_its_own(draft: Draft) -> frozenset[str]:
    """Paths whose errors are a risk that the plan tells, and no reason to refuse it.

    What a person made already is there, and what a roll-back puts back was: a way back that is refused for what stood
    there is none.
    """
    back = draft.operation == "rollback"
    return frozenset(e.path for e in (draft.edits if back else draft.adopts) if not e.derived)


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
    _, brought = judged(plan.draft, now.stacks, after, lint())
    known = not_its_own(plan.draft)
    wrong = [f for f in errors_of(brought, plan.asked_by) if f.file not in known]
    if wrong:
        raise PlanRefused(
            f"Since the plan was made, other stacks changed, and it would now bring in an error: {wrong[0].as_line()}",
            code="plan_stale",
            hint="Ask for the plan again; it will be made from what is there now.",
            details={"findings": [f.as_dict() for f in wrong[:20]]},
        )
