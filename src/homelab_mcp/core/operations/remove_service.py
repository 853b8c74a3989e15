"""Remove a service and what was added with it; its data stays."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from homelab_mcp.core import compose_edit
from homelab_mcp.core.compose_meaning import names_in, read, record_of
from homelab_mcp.core.env_file import parse_or_empty
from homelab_mcp.core.labels import COMPANION_OF, SERVICE, labels_of
from homelab_mcp.core.lazy import sleepers
from homelab_mcp.core.lazy_hosts import server_on
from homelab_mcp.core.operations import service_parts, unused_variables
from homelab_mcp.core.operations.data_places import (
    Places,
    places,
    refuse_used_elsewhere,
    told_of_unseen,
)
from homelab_mcp.core.operations.in_its_files import in_its_files
from homelab_mcp.core.operations.lab_view import Known, LabView, known_name, view
from homelab_mcp.core.operations.request import RemoveServiceRequest
from homelab_mcp.core.operations.stack_as_one import refuse_unseen, services_as_one
from homelab_mcp.core.operations.stack_paths import Root, declared_by
from homelab_mcp.model.definition import LAB_VARIABLES, ServiceDefinition
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.lab import LOCAL, TRASH_DAYS, LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, DataMove, Draft, EngineAction, FileEdit, Risk, RiskReason, Verification

_KEEP_DATA = "Remove it with data=keep."


def remove_service(
    snapshot: Snapshot,
    settings: LabSettings,
    request: RemoveServiceRequest,
    *,
    find: Callable[[str], ServiceDefinition],
    exists: Callable[[str], bool] = lambda path: False,
    trash: str = "",
    root: Root = "",
) -> Draft:
    """A draft that removes a service and the companions that were added with it.

    Data folders, named volumes and ``.env`` stay unless the request says otherwise. The last service of a stack takes
    the compose file along.

    Args:
        snapshot: the lab as it is.
        settings: the lab's.
        request: what is to go.
        find: a definition by id; raises NotFound.
        exists: whether a path of the lab is there.
        trash: the folder that data is moved to when it is to go; it is kept there for a while.
        root: the lab's on its machine, by which an absolute path is known for one of the lab.

    Raises:
        NotFound: no such stack or service.
        InvalidInput: it is a companion (``is_companion``), others need it or are woken by it (``has_dependents``), or
            all its data is others' as well, or some of it another stack's (``data_shared``), or data or variables would
            go while not all services are seen that may use them (``files_unseen``).
        EditRefused: it cannot be cut out of the file alone.
    """
    refuse_unseen_users(snapshot, request)
    draft = remove_seen_service(snapshot, settings, request, find=find, exists=exists, trash=trash, root=root)
    return in_no_other_stack(snapshot, request, draft, root=root)


def refuse_unseen_users(snapshot: Snapshot, request: RemoveServiceRequest) -> None:
    """Raise InvalidInput (``files_unseen``) where data or variables would go and not all who may use them are seen."""
    stack = snapshot.stack(request.stack)
    if stack is not None and (request.data == "delete" or request.env == "delete"):
        what = f"What {request.service} alone uses of data and variables cannot be told"
        refuse_unseen(stack, what, "Or remove it with data=keep and env=keep.")


def in_no_other_stack(snapshot: Snapshot, request: RemoveServiceRequest, draft: Draft, *, root: Root = "") -> Draft:
    """The draft, with a note on stacks that are not seen. Raises InvalidInput (``data_shared``).

    That is where another stack mounts data that it throws away.
    """
    paths = [m.source for m in draft.moves]
    refuse_used_elsewhere(snapshot, request.stack, paths, _KEEP_DATA, root=root)
    return replace(draft, notes=(*draft.notes, *told_of_unseen(snapshot, request.stack, paths)))


@in_its_files
def remove_seen_service(
    snapshot: Snapshot,
    settings: LabSettings,
    request: RemoveServiceRequest,
    *,
    find: Callable[[str], ServiceDefinition],
    exists: Callable[[str], bool] = lambda path: False,
    trash: str = "",
    root: Root = "",
) -> Draft:
    """:func:`remove_service` between its looks at all files and stacks, which one file by itself would not pass."""
    stack = service_parts.stack_of(snapshot, request.stack)
    services = service_parts.services_in(stack, request.service)
    going = [request.service, *service_parts.companions(services, request.service)]
    # Who stays may stand in an included or override file, and need it, its folders or its variables there.
    services = {**services_as_one(stack), **{n: services[n] for n in going}}
    _refuse_needed(services, going, request.service)
    _refuse_sleepers(view(snapshot), stack.name, going)
    last = len(going) == len(services)
    after = None if last else compose_edit.remove_services(stack.compose_text, going)
    env = {**parse_or_empty(snapshot.shared_env), **parse_or_empty(stack.env_text)}
    declared = declared_by(stack, files=True)
    data = places(stack.name, services, going, env, exists, root=root, declared=declared)
    moves = _to_trash(request, data, trash)
    but = frozenset() if request.env == "keep" else frozenset(LAB_VARIABLES)
    left = unused_variables.unused(stack, services, going, view(snapshot), env, root=root, but=but)
    env_edits = unused_variables.edit(stack, left) if request.env == "delete" else ()
    return Draft(
        operation="remove_service",
        summary=f"Remove {request.service} from stack {stack.name}",
        edits=(FileEdit(stack.compose_path, stack.compose_text, after), *env_edits),
        moves=moves,
        actions=(_action(stack, going, last), *_networks(snapshot, stack, going, settings)),
        verification=Verification(stack=stack.name, gone=tuple(going)),
        risks=(
            *_data_risks(request, moves),
            *_risks(services[request.service], stack.name, going, find, settings, view(snapshot)),
        ),
        notes=(
            *_data_notes(request, data, moves),
            *_volume_notes(data, moves, lambda volume: declared.volume_name(volume, env) or volume),
            *unused_variables.notes(stack, left, delete=request.env == "delete"),
            *_last_notes(stack, last),
        ),
        undo=f"Roll this plan back; the data of {request.service} "
        + (f"is moved back from {trash}, as long as that is kept." if moves else "is still there."),
        target=request.service,
    )


def _action(stack: StackFiles, going: list[str], last: bool) -> EngineAction:
    why = "The stack's last service goes." if last else f"{going[0]} leaves the stack."
    return EngineAction(ActionKind.REMOVE, why, stack.name, tuple(going))


def _networks(
    snapshot: Snapshot, stack: StackFiles, going: Sequence[str], settings: LabSettings
) -> Iterator[EngineAction]:
    """Shared networks that came for these services and that nobody else of the lab joins."""
    lab = view(snapshot)
    declared = {
        s.name: read(s.compose_text).get("networks") or {} for s in snapshot.stacks if s.name not in lab.unreadable
    }

    def joined(service: Known) -> set[str]:
        specs = declared.get(service.stack, {})
        return {known_name(specs.get(n), n, service.env) for n in names_in(service.data.get("networks"))}

    mine = [s for s in lab.services if s.stack == stack.name and s.name in going]
    others = {n for s in lab.services if s not in mine for n in joined(s)}
    came = {t.partition(":")[2] for s in mine for t in record_of(s.data) if t.startswith("networks:")}
    shared = {settings.route_network, settings.internal_network, ""}
    names = {known_name(declared[stack.name].get(n), n, s.env) for s in mine for n in came}
    for name in sorted(names - others - shared):
        yield EngineAction(ActionKind.REMOVE_NETWORK, f"It came with {going[0]}, and nothing else joins it.", name=name)


def _refuse_needed(services: Mapping[str, Any], going: list[str], service: str) -> None:
    owner = labels_of(services[service]).get(COMPANION_OF)
    if owner in services:
        raise InvalidInput(
            f"{service} belongs to {owner} and goes with it.", hint=f"Remove {owner}.", code="is_companion"
        )
    needing = [n for n, s in services.items() if n not in going and set(going) & set(service_parts.needs(s))]
    if needing:
        raise InvalidInput(
            f"{service} is needed by {', '.join(needing)}.",
            hint="Remove those first.",
            code="has_dependents",
            details={"dependents": needing},
        )


def _refuse_sleepers(lab: LabView, stack: str, going: list[str]) -> None:
    """Sablier's last service may not go while something sleeps: nobody would wake it, and its route would be broken."""
    left = [s for s in lab.services if s.stack != stack or s.name not in going]
    host = next((s.host for s in lab.services if s.stack == stack and s.name in going), LOCAL)
    server = server_on(lab, host)
    if server is None or server in left or server_on(LabView(tuple(left), ()), host) is not None:
        return
    asleep = [where for where in sleepers(lab.on(host)) if where in {s.where for s in left}]
    if asleep:
        raise InvalidInput(
            f"{server.name} wakes {', '.join(asleep)}.",
            hint="Turn their lazy loading off first (set_lazy_loading).",
            code="has_dependents",
            details={"dependents": asleep},
        )


def _risks(
    service: Any,
    stack: str,
    going: list[str],
    find: Callable[[str], ServiceDefinition],
    settings: LabSettings,
    lab: LabView,
) -> Iterator[RiskReason]:
    yield RiskReason(Risk.MEDIUM, f"Stops and removes {', '.join(going)}.")
    labels = labels_of(service)
    category = labels.get("homelab.category", "")
    if made_from := labels.get(SERVICE):
        with contextlib.suppress(NotFound):
            category = find(made_from).category
    if stack == "core" or category == "core":
        yield RiskReason(Risk.HIGH, "Touches the core stack, which every route depends on.")
    name = settings.sso_middleware.partition("@")[0]
    if any(k.startswith(f"traefik.http.middlewares.{name}.") for k in labels):
        others = [s.where for s in lab.behind(settings.sso_middleware) if s.name not in going]
        if others:
            yield RiskReason(Risk.HIGH, f"These stop answering without the log-in: {', '.join(others)}.")


def _to_trash(request: RemoveServiceRequest, data: Places, trash: str) -> tuple[DataMove, ...]:
    if request.data == "keep":
        return ()
    # What others use stays and is told; where nothing else is there, nothing of what was asked for would be done.
    if data.shared and not data.own:
        path, users = next(iter(data.shared.items()))
        raise InvalidInput(f"{path} is used by {', '.join(users)} as well.", code="data_shared", hint=_KEEP_DATA)
    why = f"Kept there for {TRASH_DAYS} days."
    return tuple(DataMove(path, f"{trash}/{path}", why) for path in data.own)


def _data_risks(request: RemoveServiceRequest, moves: Sequence[DataMove]) -> Iterator[RiskReason]:
    if request.data == "delete":
        names = ", ".join(m.source for m in moves) or "nothing that is there"
        yield RiskReason(Risk.HIGH, f"Deletes data: {names} goes to the trash, and from there for good.")


def _data_notes(request: RemoveServiceRequest, data: Places, moves: Sequence[DataMove]) -> Iterator[str]:
    folders = [*data.own, *data.missing, *data.shared]
    if folders and not moves:
        yield f"Data stays in {', '.join(dict.fromkeys(folders))}."
    if moves:
        yield f"What went to the trash is deleted after {TRASH_DAYS} days; until then a roll-back brings it back."
        for path, users in data.shared.items():
            yield f"{path} stays, as {', '.join(users)} uses it as well."
    if request.data == "delete" and data.outside:
        yield f"What is mounted from elsewhere stays: {', '.join(data.outside)}."


def _volume_notes(data: Places, moves: Sequence[DataMove], name_of: Callable[[str], str]) -> Iterator[str]:
    # A volume that is but another name of a folder holds nothing once that went.
    empty = [v for v, p in data.bound.items() if any(p == m.source or p.startswith(f"{m.source}/") for m in moves)]
    if volumes := [v for v in data.volumes if v not in empty]:
        yield f"Named volumes stay: {', '.join(volumes)}."
    for name in map(name_of, empty):
        yield (
            f"Volume {name} stays and names a folder that went; remove it (`docker volume rm {name}`) before you add "
            "it anew."
        )


def _last_notes(stack: StackFiles, last: bool) -> Iterator[str]:
    if last:
        yield f"It is the stack's last service, so {stack.compose_path} is deleted; the folder and its .env stay."
