"""Move a service to another stack with all that is its own: companions, variables, data, networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from homelab_mcp.core import compose_edit, env_file
from homelab_mcp.core.compose_meaning import RECORD, read, services_of
from homelab_mcp.core.compose_model import is_external
from homelab_mcp.core.operations import service_parts
from homelab_mcp.core.operations.change_request import MoveServiceRequest
from homelab_mcp.core.operations.data_places import places, refuse_used_elsewhere, told_of_unseen
from homelab_mcp.core.operations.in_its_files import in_its_files
from homelab_mcp.core.operations.lab_view import LabView, view
from homelab_mcp.core.operations.move_parts import (
    Move,
    group,
    networks,
    refuse,
    refuse_other_variables,
    target_of,
    urls_of,
    used_by,
    variables,
    volumes,
)
from homelab_mcp.core.operations.route_edit import Route
from homelab_mcp.core.operations.stack_as_one import refuse_unseen, services_as_one
from homelab_mcp.core.operations.stack_paths import Root, declared_by
from homelab_mcp.core.operations.transplant import transplanted
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.core.stack_host import refuse_swarm
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import (
    ActionKind,
    DataMove,
    Draft,
    EngineAction,
    FileEdit,
    Risk,
    RiskReason,
    RouteCheck,
    Verification,
)


def move_service(
    snapshot: Snapshot,
    settings: LabSettings,
    request: MoveServiceRequest,
    *,
    exists: Callable[[str], bool],
    read_text: Callable[[str], str | None],
    root: Root = "",
) -> Draft:
    """A draft that moves a service, with its companions, ``.env`` variables and data, to another stack.

    Args:
        snapshot: the lab as it is.
        settings: the lab's.
        request: which service, and where to.
        exists: whether a path of the lab is there.
        read_text: a file of the lab, or None.
        root: the lab's on its machine, by which an absolute path is known for one of the lab.

    Raises:
        NotFound: no such stack or service.
        InvalidInput: others need it (``has_dependents``), it needs others (``needs_others``), a name or variable is
            taken (``service_exists``, ``variable_taken``), or data that cannot move (``data_shared``,
            ``data_in_the_way``, ``data_not_movable``), not all services are seen that may use it or what is its own
            (``files_unseen``), or files that it stands in are another stack's too (``file_shared``).
        EditRefused: its lines cannot be cut out alone.
    """
    if stack := snapshot.stack(request.stack):
        refuse_unseen(stack, f"What {request.service} alone needs and uses cannot be told", "")
    refuse_other_variables(snapshot, request.stack, request.service, read_text)
    draft = _move_service(snapshot, settings, request, exists=exists, read_text=read_text, root=root)
    # After a file that is shared itself, which says more of the same.
    paths = [m.source for m in draft.moves]
    refuse_used_elsewhere(snapshot, request.stack, paths, "Give each its own folder first.", root=root)
    return replace(draft, notes=(*draft.notes, *told_of_unseen(snapshot, request.stack, paths)))


@in_its_files
def _move_service(
    snapshot: Snapshot,
    settings: LabSettings,
    request: MoveServiceRequest,
    *,
    exists: Callable[[str], bool],
    read_text: Callable[[str], str | None],
    root: Root,
) -> Draft:
    if request.to == request.stack:
        raise InvalidInput(
            f"{request.service} is in {request.to} already.", code="nothing_to_do", hint="No plan needed."
        )
    source = service_parts.stack_of(snapshot, request.stack)
    services = service_parts.services_in(source, request.service)
    for name in (request.stack, request.to):
        if stack := snapshot.stack(name):
            refuse_swarm(stack.compose_text, name)
    known = snapshot.stack(request.to)
    env_text = (known.env_text if known else read_text(f"{request.to}/.env")) or ""
    target = known or StackFiles(request.to, f"{request.to}/compose.yaml", "", env_text)
    carriers = [service_parts.carrier(services, request.service)]
    these = group(services, request.service, carriers)
    # Who stays may stand in an included or override file, and need it, its folders or its variables there.
    services = {**services_as_one(source), **{n: services[n] for n in these}}
    env = env_file.parse(source.env_text)
    paths_env = {**env_file.parse_or_empty(snapshot.shared_env), **env}
    declared = declared_by(source, files=True)
    data = places(source.name, services, these, paths_env, exists, files=True, root=root, declared=declared)
    document = read(source.compose_text)
    move = Move(source, target, known is None, request.service, tuple(these), services, document, env, data)
    refuse(move, exists)
    return _draft(move, settings, view(snapshot))


def _draft(move: Move, settings: LabSettings, lab: LabView) -> Draft:
    source, target = move.source, move.target
    blocks = {n: {k: v for k, v in move.services[n].items() if k != RECORD} for n in move.group}
    nets, left = networks(move)
    vols, volume_notes = volumes(move)
    own = {"networks": _own(nets), "volumes": _own(vols)}
    after = compose_edit.add_services(
        target.compose_text, blocks, networks=own["networks"], volumes=own["volumes"], urls=urls_of(move)
    )
    after = transplanted(source.compose_text, target.compose_text, after, move.group)
    edit = ServiceEdit(after, move.name)
    for section, wanted in (("networks", nets), ("volumes", vols)):
        for name in wanted.keys() - own[section].keys():
            # A person's own form of it: a removal of the service leaves it, as it always did.
            if name not in (edit.document.get(section) or {}):
                edit.set_at((section, name), wanted[name])
    after = edit.text
    rest = None if not move.rest else compose_edit.remove_services(source.compose_text, move.group)
    env_edits, env_notes = variables(move, settings)
    moves = tuple(DataMove(p, target_of(move, p), f"The data of {move.name} goes with it.") for p in move.data.own)
    external = [n for n, spec in nets.items() if is_external(spec)]
    names = [str((nets[n] or {}).get("name") or n) for n in external]
    env = {**env_file.parse(target.env_text), **{n: move.env[n] for n in used_by(move) if n in move.env}}
    risks = [RiskReason(Risk.MEDIUM, f"Stops {', '.join(move.group)}, moves its data, and starts it in {target.name}.")]
    if "core" in (source.name, target.name):
        risks.append(RiskReason(Risk.HIGH, "Touches the core stack, which every route depends on."))
    notes = [*volume_notes, *env_notes]
    if left:
        risks.append(RiskReason(Risk.MEDIUM, f"{move.name} and {', '.join(left)} no longer share a private network."))
        notes.append(f"If they talk to each other, connect_services joins {move.name} and {left[0]} again.")
    if move.data.outside:
        notes.append(f"Mounts that stay where they are: {', '.join(move.data.outside)}.")
    if not move.rest:
        notes.append(f"It is the last service of {source.name}: {source.compose_path} is deleted, its .env stays.")
    return Draft(
        operation="move_service",
        summary=f"Move {move.name} from stack {source.name} to {target.name}",
        edits=(
            FileEdit(source.compose_path, source.compose_text, rest),
            FileEdit(target.compose_path, None if move.fresh else target.compose_text, after),
            *env_edits,
        ),
        actions=(
            *(
                EngineAction(ActionKind.CREATE_NETWORK, f"{move.name} joins it; only made where missing.", name=n)
                for n in names
            ),
            EngineAction(ActionKind.REMOVE, "Its data must not be in use while it moves.", source.name, move.group),
            EngineAction(ActionKind.UP, f"Runs {move.name} in its new stack.", target.name, move.group),
        ),
        verification=Verification(target.name, move.group, routes=_checks(move, after, env, settings, lab)),
        also_verify=(Verification(source.name, gone=move.group),) if move.rest else (),
        moves=moves,
        risks=tuple(risks),
        notes=tuple(notes),
        undo=f"Roll this plan back: {move.name} runs in {source.name} again, with its data moved back.",
        target=move.name,
    )


def _own(declared: Mapping[str, Any]) -> dict[str, Any]:
    """The declarations that are in a form of this project, which a removal takes along."""
    return {n: s for n, s in declared.items() if s in compose_edit.OWN_FORMS}


def _checks(
    move: Move, after: str, env: Mapping[str, str], settings: LabSettings, lab: LabView
) -> tuple[RouteCheck, ...]:
    if lab.made_from("traefik") is None:
        return ()
    holder = service_parts.carrier(services_of(read(after)), move.name)
    route = Route(ServiceEdit(after, holder), move.name, env)
    protected = route.protected(settings)
    if not route.host or (protected and not lab.has_middleware(settings.sso_middleware)):
        return ()
    return (RouteCheck(move.name, route.host, sso=protected),)
