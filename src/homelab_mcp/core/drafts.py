"""Joining two drafts of which the second was made on the lab as the first would leave it."""

from __future__ import annotations

from dataclasses import replace

from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, Verification


def then(first: Draft, second: Draft) -> Draft:
    """One draft that does both: ``first`` names it, and each file and service is touched once."""
    edits = {e.path: e for e in first.edits}
    for edit in second.edits:
        old = edits.get(edit.path)
        edits[edit.path] = replace(edit, before=old.before, mode=old.mode) if old else edit
    return replace(
        first,
        edits=tuple(edits.values()),
        actions=_joined(first.actions, second.actions),
        also_verify=_verified(first, second),
        risks=(*first.risks, *(r for r in second.risks if r not in first.risks)),
        notes=(*first.notes, *(n for n in second.notes if n not in first.notes)),
        secrets=(*first.secrets, *second.secrets),
    )


def _joined(first: tuple[EngineAction, ...], second: tuple[EngineAction, ...]) -> tuple[EngineAction, ...]:
    done = {(a.kind, a.stack, s) for a in first for s in a.services}
    found = list(first)
    for action in second:
        rest = tuple(s for s in action.services if (action.kind, action.stack, s) not in done)
        if rest or not action.services or action.kind is ActionKind.CREATE_NETWORK:
            found.append(replace(action, services=rest))
    return tuple(found)


def _verified(first: Draft, second: Draft) -> tuple[Verification, ...]:
    seen = {v.stack: v for v in first.also_verify}
    for one in second.verifications:
        same = one.stack == first.verification.stack
        known = first.verification.services if same else seen[one.stack].services if one.stack in seen else ()
        more = tuple(s for s in one.services if s not in known)
        if more or one.gone:
            old = seen.get(one.stack, Verification(one.stack))
            seen[one.stack] = replace(old, services=(*old.services, *more), gone=(*old.gone, *one.gone))
    return tuple(seen.values())
