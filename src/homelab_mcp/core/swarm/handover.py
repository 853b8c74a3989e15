"""What any plan needs that hands a stack from Compose to Swarm or back, or gives a network to a stack of Swarm's.

`swarm run` and `swarm back` are not the only ones: a roll-back of theirs is, and so is a lab that was pulled from git.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import replace

from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.core.compose_model import is_external
from homelab_mcp.core.fingerprint import touched_stacks
from homelab_mcp.core.stack_host import SWARM, engine_of
from homelab_mcp.core.swarm.network import OVERLAY
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import COMPOSE_NAMES
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Verification


def handed_over(draft: Draft, stacks: Sequence[StackFiles]) -> Draft:
    """The draft with each stack whose engine it changes stopped as a whole by the one and started by the other.

    Args:
        draft: with all its actions.
        stacks: the lab's as they are.
    """
    touched = set(touched_stacks(draft))
    texts = {s.compose_path: s.compose_text for s in stacks if s.name in touched}
    for edit in draft.edits:
        if posixpath.basename(edit.path) not in COMPOSE_NAMES:
            continue
        texts[edit.path] = edit.after or ""
        if edit.before and edit.after and draft.actions and engine_of(edit.before) != engine_of(edit.after):
            draft = _handed(draft, edit)
    swarm = [text for text in texts.values() if engine_of(text) == SWARM]
    if not swarm:
        return draft
    overlays = {real for text in swarm for real in _external(text)}
    actions = tuple(
        replace(a, name=f"{OVERLAY}{a.name}") if a.kind is ActionKind.CREATE_NETWORK and a.name in overlays else a
        for a in draft.actions
    )
    return replace(draft, actions=actions)


def _handed(draft: Draft, edit: FileEdit) -> Draft:
    stack = edit.path.partition("/")[0]
    before, after = _names(edit.before or ""), _names(edit.after or "")
    why = f"{'Swarm' if engine_of(edit.after or '') == SWARM else 'Compose'} is to run it from here on."
    about = [a for a in draft.actions if a.stack == stack]
    rest = [a for a in draft.actions if a.stack != stack]
    networks = [a for a in rest if a.kind is ActionKind.CREATE_NETWORK]
    others = [a for a in rest if a.kind is not ActionKind.CREATE_NETWORK]
    pulls = [a for a in about if a.kind is ActionKind.PULL]
    moved = [EngineAction(ActionKind.REMOVE, why, stack, before), *pulls, EngineAction(ActionKind.UP, why, stack)]
    looks = [draft.verification, *draft.also_verify]
    mine = [v for v in looks if v.stack == stack]
    routes = tuple(r for v in mine for r in v.routes)
    gone = tuple(s for s in before if s not in after)
    looked = Verification(stack, after, gone=gone, routes=routes)
    found = [looked, *(v for v in looks if v.stack != stack and v != Verification())]
    return replace(draft, actions=(*networks, *moved, *others), verification=found[0], also_verify=tuple(found[1:]))


def _names(text: str) -> tuple[str, ...]:
    try:
        return tuple(services_of(read(text)))
    except HomelabError:
        return ()


def _external(text: str) -> set[str]:
    try:
        declared = read(text).get("networks") or {}
    except HomelabError:
        return set()
    specs = {str(k): s for k, s in declared.items() if isinstance(s, Mapping) and is_external(s)}
    return {str(s.get("name") or k) for k, s in specs.items()}
