"""What a draft needs where a stack it touches is on another Docker host than the lab's own machine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from homelab_mcp.core.fingerprint import touched_stacks
from homelab_mcp.core.host_routes import core_folder, host_routes
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.secret_files import BACKUP_FILE
from homelab_mcp.core.stack_host import host_of, refuse_silent, refuse_swarm, require
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import COMPOSE_NAMES, LOCAL, OVERRIDE_NAMES
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, Verification
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import stacks_with
from homelab_mcp.workflow.compose_facts import bind_folders

_MOVE_DATA_THERE = frozenset({"restore_backup", "rollback"})
"""They find out what is on that host's disk; all others look at this machine's alone."""
_ABOUT_HAND_EDITS = frozenset({"adopt", "discard"})


def place_of(lab: Lab, snapshot: Snapshot, stack_name: str, host: str | None) -> tuple[str, str]:
    """The Docker host that services to be added to a stack will be on, and its private address ("" for this machine).

    Raises NotFound, EngineUnavailable (``host_silent``), InvalidInput (``swarm_stack``).
    """
    stack = snapshot.stack(stack_name)
    if stack is not None:
        refuse_swarm(stack.compose_text, stack_name)
    place = host_of(stack.compose_text) if stack else host or LOCAL
    if place == LOCAL:
        return place, ""
    require(place, lab.hosts.settings.hosts)
    refuse_silent(snapshot.silent, {place})
    return place, lab.hosts.settings.hosts[place].routes_to


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
    after = [s for s in stacks_with(lab.files, snapshot.stacks, draft.edits) if s.name in touched]
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
    reached = lab.placed_data.host if draft.operation in _MOVE_DATA_THERE else lambda path: LOCAL
    _refuse_disk(draft, away, {path for s in (*snapshot.stacks, *after) for path, _ in s.named}, reached)
    served = _served(lab, draft, snapshot)
    return replace(
        draft,
        actions=tuple(_networks(draft, homes)),
        verification=_seen_from_here(draft.verification, away, served),
        also_verify=tuple(_seen_from_here(v, away, served) for v in draft.also_verify),
        notes=(*draft.notes, *_notes(draft, after, away)),
    )


def _refuse_disk(
    draft: Draft, away: Mapping[str, str], read_here: Collection[str], reached: Callable[[str], str]
) -> None:
    """Files that containers read and data folders are on the host's own disk, which nothing here writes to.

    Compose files are read here, also those (``read_here``) that others include or extend. A move within the disk of a
    host that is ``reached``, as it makes backups, is one step there.
    """
    named = (*COMPOSE_NAMES, *OVERRIDE_NAMES, ".env", BACKUP_FILE)
    paths = [e.path for e in draft.edits if e.after is not None]
    paths = [p for p in paths if p.partition("/")[2] not in named and not p.endswith(".env") and p not in read_here]
    paths += [o.path for o in draft.owners]
    wanted = [(p, away.get(p.partition("/")[0], "")) for p in paths]
    for move in draft.moves:
        hosts = {p: reached(p) for p in (move.source, move.target)}
        if set(hosts.values()) == {LOCAL}:
            wanted += [(p, away.get(p.partition("/")[0], "")) for p in hosts]
        elif len(set(hosts.values())) > 1:
            wanted += [(p, host) for p, host in hosts.items() if host != LOCAL]
    for path, host in wanted:
        if host:
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


def _served(lab: Lab, draft: Draft, snapshot: Snapshot) -> Collection[str]:
    """Host names of services on other hosts that this machine's Traefik serves after the draft."""
    after = view(replace(snapshot, stacks=stacks_with(lab.files, snapshot.stacks, draft.edits)))
    if not core_folder(after):
        return ()
    addresses = {name: host.routes_to for name, host in lab.hosts.settings.hosts.items()}
    return {host for route in host_routes(after, addresses) if route.url for host in route.hosts}


def _seen_from_here(verification: Verification, away: Mapping[str, str], served: Collection[str]) -> Verification:
    """Traefik knows the containers of its own host alone: of others only a route that its file has is asked."""
    if verification.stack not in away:
        return verification
    return replace(verification, routes=tuple(r for r in verification.routes if r.host in served))


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
