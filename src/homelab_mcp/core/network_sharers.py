"""Services that live in another service's network (``network_mode: service:x``): what is made anew with it.

A container that shares another's network holds on to that very container. When the other one is made anew or
restarted, its network is a new one, and the first is left with none until it is made anew or restarted too
(seen with Docker Engine 20.10 and Compose 2.26). So every plan that does it to one does it to all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from homelab_mcp.core.operations.stack_as_one import services_as_one
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, Verification

_TAKES_ALONG = (ActionKind.UP, ActionKind.RESTART)


def owner_of(service: Any) -> str:
    """The service of the same file in whose network this one lives; "" for a network of its own."""
    mode = str(service.get("network_mode") or "") if isinstance(service, Mapping) else ""
    kind, _, name = mode.partition(":")
    return name if kind == "service" else ""


def sharers_of(services: Mapping[str, Any], owner: str) -> list[str]:
    """Services that live in ``owner``'s network, also by way of another, in the file's order."""
    found = {owner}
    grown = True
    while grown:
        more = {n for n, s in services.items() if owner_of(s) in found} - found
        found |= more
        grown = bool(more)
    return [n for n in services if n in found and n != owner]


def with_sharers(draft: Draft, stacks: Sequence[StackFiles]) -> Draft:
    """The draft in which whoever shares the network of a service that is brought up or restarted comes along.

    Args:
        draft: as an operation made it.
        stacks: the lab's stacks as the draft leaves them.
    """
    files = {s.name: s for s in stacks}
    known: dict[str, dict[str, Any]] = {}
    actions: list[EngineAction] = []
    added: dict[str, list[str]] = {}
    for action in draft.actions:
        if action.kind in _TAKES_ALONG and action.services and action.stack in files:
            if action.stack not in known:
                known[action.stack] = _services(files[action.stack])
            services = known[action.stack]
            more = [s for owner in action.services for s in sharers_of(services, owner)]
            more = [s for s in dict.fromkeys(more) if s not in action.services]
            if more:
                added.setdefault(action.stack, []).extend(more)
                action = replace(action, services=(*action.services, *more))
        actions.append(action)
    if not added:
        return draft
    return replace(
        draft,
        actions=tuple(actions),
        verification=_wider(draft.verification, added),
        also_verify=tuple(_wider(v, added) for v in draft.also_verify)
        + tuple(
            Verification(stack, tuple(dict.fromkeys(names)))
            for stack, names in added.items()
            if stack not in {v.stack for v in (draft.verification, *draft.also_verify)}
        ),
        notes=(
            *draft.notes,
            *(
                f"{', '.join(dict.fromkeys(names))} of stack {stack} comes along: it lives in that network."
                for stack, names in added.items()
            ),
        ),
    )


def _services(stack: StackFiles) -> dict[str, Any]:
    try:
        return services_as_one(stack)
    except HomelabError:
        return {}


def _wider(seen: Verification, added: Mapping[str, Sequence[str]]) -> Verification:
    more = [s for s in dict.fromkeys(added.get(seen.stack, ())) if s not in seen.services and s not in seen.gone]
    return replace(seen, services=(*seen.services, *more)) if more else seen
