"""What a draft needs where a stack it touches is on another Docker host than the lab's own machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from homelab_mcp.core.after import stacks_after
from homelab_mcp.core.fingerprint import touched_stacks
from homelab_mcp.core.operations.request import AddServiceRequest
from homelab_mcp.core.stack_host import host_of, refuse_silent, require
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import COMPOSE_NAMES, LOCAL, OVERRIDE_NAMES
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, Verification
from homelab_mcp.ports import Lab
from homelab_mcp.workflow.compose_facts import bind_folders

_ABOUT_HAND_EDITS = frozenset({"adopt", "discard"})


def place_of(lab: Lab, snapshot: Snapshot, request: AddServiceRequest) -> str:
    """The Docker host that a service to be added will be on. Raises NotFound, EngineUnavailable (``host_silent``)."""
    stack = snapshot.stack(request.stack or lab.catalog.get(request.service).stack)
    host = host_of(stack.compose_text) if stack else request.host or LOCAL
    if host != LOCAL:
        require(host, lab.hosts.settings.hosts)
        refuse_silent(snapshot.silent, {host})
    return host


def settled(lab: Lab, draft: Draft, snapshot: Snapshot) -> Draft:
    """The draft with each network made on the host that wants it, and with what cannot be done there refused.

    A lab whose stacks are all on its own machine gets its draft back as it is.

    Raises:
        NotFound: a stack names a host that there is not (``host_unknown``).
        EngineUnavailable: the plan would act on a host that does not answer (``host_silent``).
        InvalidInput: the stack would change its host (``other_host``), or the draft needs that host's disk
            (``host_files``).
    """
    touched = set(touched_stacks(draft))
    after = [s for s in stacks_after(snapshot.stacks, draft.edits) if s.name in touched]
    homes = {s.name: host_of(s.compose_text) for s in snapshot.stacks if s.name in touched}
    coming = {s.name: host_of(s.compose_text) for s in after}
    if {*homes.values(), *coming.values()} <= {LOCAL} and LOCAL not in snapshot.silent:
        return draft
    hosts = lab.hosts.settings.hosts
    for name, host in coming.items():
        require(host, hosts)
        if homes.get(name, host) != host and draft.operation not in _ABOUT_HAND_EDITS:
            raise InvalidInput(
                f"Stack {name} is on host {homes[name]}, and would be on {host}.",
                hint="Its containers and data would stay behind. Make a new stack there and move the data by hand.",
                code="other_host",
            )
    homes = {**homes, **coming}
    if draft.actions:
        acted = {homes.get(stack, LOCAL) for stack in {a.stack for a in draft.actions if a.stack}}
        refuse_silent(snapshot.silent, acted)
    away = {name: host for name, host in homes.items() if host != LOCAL}
    _refuse_disk(draft, away)
    return replace(
        draft,
        actions=tuple(_networks(draft, homes)),
        verification=_seen_from_here(draft.verification, away),
        also_verify=tuple(_seen_from_here(v, away) for v in draft.also_verify),
        notes=(*draft.notes, *_notes(draft, after, away)),
    )


def _refuse_disk(draft: Draft, away: Mapping[str, str]) -> None:
    """Files that containers read and data folders are on the host's own disk, which nothing here reaches."""
    named = (*COMPOSE_NAMES, *OVERRIDE_NAMES, ".env")
    paths = [e.path for e in draft.edits if e.after is not None]
    paths = [p for p in paths if p.partition("/")[2] not in named and not p.endswith(".env")]
    paths += [p for m in draft.moves for p in (m.source, m.target)] + [o.path for o in draft.owners]
    for path in paths:
        if host := away.get(path.partition("/")[0]):
            raise InvalidInput(
                f"{path} would be needed on host {host}, and only compose and .env files reach another host.",
                hint="Put it into a stack of this machine, or bring the file to that host by hand.",
                code="host_files",
            )


def _networks(draft: Draft, homes: Mapping[str, str]) -> Sequence[EngineAction]:
    wanted = sorted({homes.get(a.stack, LOCAL) for a in draft.actions if a.stack} or {LOCAL})
    found: list[EngineAction] = []
    for action in draft.actions:
        if action.kind not in (ActionKind.CREATE_NETWORK, ActionKind.REMOVE_NETWORK):
            found.append(action)
            continue
        found += [replace(action, name=action.name if h == LOCAL else f"{h}/{action.name}") for h in wanted]
    return found


def _seen_from_here(verification: Verification, away: Mapping[str, str]) -> Verification:
    """Traefik knows the containers of its own host alone, so a route on another is not asked."""
    return replace(verification, routes=()) if verification.stack in away else verification


def _notes(draft: Draft, after: Sequence[StackFiles], away: Mapping[str, str]) -> list[str]:
    notes = [f"Stack {name} is on host {host}." for name, host in sorted(away.items())]
    edited = {e.path for e in draft.edits}
    for stack in after:
        host = away.get(stack.name)
        if host and stack.compose_path in edited and (folders := bind_folders(stack.name, stack.compose_text, ())):
            notes.append(
                f"Missing folders are made by Docker on {host} and belong to root there: {', '.join(sorted(folders))}."
            )
    return notes
