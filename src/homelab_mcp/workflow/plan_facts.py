"""What a plan is about: stacks, folders, paths for git, and the secrets that must not show."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from homelab_mcp.core import fingerprint
from homelab_mcp.core.diff import is_secret, secrets_of
from homelab_mcp.core.redact import safe, secret_values
from homelab_mcp.core.stack_host import engine_of, host_of
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.plan import ActionKind, Approval, Draft, Evidence, Plan, Verification
from homelab_mcp.ports import Files
from homelab_mcp.workflow.compose_facts import bind_folders, folder_owners, services_written

TELLING = 8
"""Characters from which a secret's value is looked for in files that are not secret; shorter ones occur by chance."""
_SPARE = 256 * 1024
_ASKED = (ActionKind.CALL, ActionKind.BACKUP)
"""What is asked of a container that stays as it is."""
_OWN_TEXT = frozenset({"rollback", "adopt", "discard"})


def acted_stacks(plan: Plan) -> list[str]:
    """The stacks whose containers the plan's actions touch, sorted."""
    return sorted({a.stack for a in plan.draft.actions if a.stack and a.kind not in _ASKED})


def engine_switched(plan: Plan) -> set[str]:
    """The stacks that the plan hands from Compose to Swarm or back."""
    edits = [e for e in plan.draft.edits if e.before and e.after and not e.path.endswith(".env")]
    return {e.path.partition("/")[0] for e in edits if engine_of(e.before or "") != engine_of(e.after or "")}


def folders_of(plan: Plan) -> list[str]:
    """Bind-mount folders of the services that the plan starts, relative to the lab's root.

    A plan without any action (files only) names those of the services it writes: Docker would make the folders as
    root when a person starts them later.
    """
    found = {folder for stack, text, wanted in _started(plan.draft) for folder in bind_folders(stack, text, wanted)}
    return sorted(found - {e.path for e in plan.draft.edits})


def owners_of(draft: Draft) -> dict[str, tuple[int, int]]:
    """Of those folders, the ones whose compose file says whose they must be -> (uid, gid)."""
    found: dict[str, tuple[int, int]] = {}
    for stack, text, wanted in _started(draft):
        found |= folder_owners(stack, text, wanted)
    return {path: found[path] for path in sorted(found.keys() - {e.path for e in draft.edits})}


def _started(draft: Draft) -> Iterator[tuple[str, str, set[str]]]:
    """(stack, its compose text as the draft leaves it, services that then start) of this machine's stacks."""
    for edit in draft.edits:
        stack, _, _ = edit.path.partition("/")
        starts = [a for a in draft.actions if a.kind is ActionKind.UP and a.stack == stack]
        seen = [v for v in draft.verifications if v.stack == stack]
        written = () if draft.actions else services_written(edit.before or "", edit.after or "")
        if edit.after is None or edit.path.endswith(".env") or not (starts or seen or written):
            continue
        if host_of(edit.after) != LOCAL:
            # They are wanted on that host, whose disk is none of this machine's.
            continue
        looked_at = {s for v in seen for s in v.services} if seen else set(written)
        yield stack, edit.after, {s for a in starts for s in a.services} | looked_at


def halves(
    parts: Sequence[Verification], late: Collection[tuple[str, str]]
) -> tuple[tuple[Verification, ...], tuple[Verification, ...]]:
    """What can be verified before these (stack, service) restart, and the rest: they themselves, and every route."""
    first, then = [], []
    for what in parts:
        later = tuple(s for s in what.services if (what.stack, s) in late)
        first.append(replace(what, services=tuple(s for s in what.services if s not in later), routes=()))
        then.append(Verification(what.stack, later, routes=what.routes))
    empty = {Verification(v.stack) for v in parts}
    return tuple(v for v in first if v not in empty), tuple(v for v in then if v not in empty)


def own_text(draft: Draft) -> bool:
    """Whether the plan's files are a person's own, put back or taken over: what stands in them is not the plan's."""
    return draft.operation in _OWN_TEXT


def public_paths(plan: Plan) -> list[str]:
    """The paths that may go into git."""
    return [e.path for e in (*plan.draft.edits, *plan.draft.adopts) if not is_secret(e)]


def known_secrets(plan: Plan, files: Files) -> tuple[str, ...]:
    """Every secret value that could show up in what this plan's containers and programs say."""
    found = [*plan.draft.secrets, *secrets_of((*plan.draft.edits, *plan.draft.adopts))]
    for stack in fingerprint.touched_stacks(plan.draft):
        try:
            found += secret_values(files.read(f"{stack}/.env") or "")
        except (HomelabError, OSError):
            # A folder that cannot be read has no secrets that Compose could have read either.
            continue
    return tuple(dict.fromkeys(found))


def commit_message(plan: Plan, approval: Approval | None, evidence: Sequence[Evidence]) -> str:
    """What the commit of an apply says: what was asked, by whom, who said yes, and what was verified.

    The lines after the summary are git trailers (git-interpret-trailers(1)). ``evidence`` must be free of secrets.
    """
    who = plan.asked_by
    yes = f"{approval.who} ({approval.kind})" if approval else "policy"
    lines = [
        f"Plan: {plan.id}",
        f"Operation: {plan.draft.operation}",
        f"Risk: {plan.risk.word}",
        f"Asked-by: {who.described}",
        f"Approved-by: {yes}",
        *(f"Verified: {e.what}" for e in evidence),
    ]
    told = [" ".join(safe(line).split())[:300] for line in lines]
    return "\n".join([" ".join(safe(plan.draft.summary).split()), "", *told]) + "\n"


def is_commit_of(plan: Plan, message: str) -> bool:
    """Whether a commit's message is that of this plan's apply (not of what was found before it)."""
    lines = message.splitlines()
    return f"Plan: {plan.id}" in lines and f"Operation: {plan.draft.operation}" in lines


def masked(evidence: Sequence[Evidence], secrets: Sequence[str]) -> tuple[Evidence, ...]:
    """The evidence with secrets and control characters taken out."""
    return tuple(Evidence(safe(e.what, secrets), e.ok, safe(e.detail, secrets)) for e in evidence)


def room_for(plan: Plan) -> int:
    """Bytes that putting this plan's files back can need, with a status and a journal line."""
    texts = [t for e in plan.draft.edits for t in (e.before, e.after) if t]
    return _SPARE + 2 * sum(len(t.encode("utf-8", "replace")) for t in texts)
