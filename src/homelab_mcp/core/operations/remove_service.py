"""Remove a service and what was added with it; its data stays."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from homelab_mcp.core import compose_edit, env_file
from homelab_mcp.core.compose_meaning import names_in, read, record_of
from homelab_mcp.core.env_report import names_beside_services, reads_env_file, used_names
from homelab_mcp.core.labels import COMPANION_OF, SERVICE, labels_of
from homelab_mcp.core.lazy import sleepers
from homelab_mcp.core.operations import service_parts
from homelab_mcp.core.operations.data_places import Places, places, refuse_used_elsewhere
from homelab_mcp.core.operations.in_its_files import in_its_files
from homelab_mcp.core.operations.lab_view import Known, LabView, known_name, view
from homelab_mcp.core.operations.request import RemoveServiceRequest
from homelab_mcp.core.operations.stack_as_one import refuse_unseen, services_as_one, why_unseen
from homelab_mcp.model.definition import LAB_VARIABLES, ServiceDefinition
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.lab import TRASH_DAYS, LabSettings
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

    Raises:
        NotFound: no such stack or service.
        InvalidInput: it is a companion (``is_companion``), others need it or are woken by it (``has_dependents``), or
            its data is others' as well (``data_shared``), or data or variables would go while not all services are
            seen that may use them (``files_unseen``).
        EditRefused: it cannot be cut out of the file alone.
    """
    refuse_unseen_users(snapshot, request)
    draft = remove_seen_service(snapshot, settings, request, find=find, exists=exists, trash=trash)
    return in_no_other_stack(snapshot, request, draft)


def refuse_unseen_users(snapshot: Snapshot, request: RemoveServiceRequest) -> None:
    """Raise InvalidInput (``files_unseen``) where data or variables would go and not all who may use them are seen."""
    stack = snapshot.stack(request.stack)
    if stack is not None and (request.data == "delete" or request.env == "delete"):
        what = f"What {request.service} alone uses of data and variables cannot be told"
        refuse_unseen(stack, what, "Or remove it with data=keep and env=keep.")


def in_no_other_stack(snapshot: Snapshot, request: RemoveServiceRequest, draft: Draft) -> Draft:
    """The draft. Raises InvalidInput (``data_shared``) where another stack mounts data that it throws away."""
    refuse_used_elsewhere(snapshot, request.stack, [m.source for m in draft.moves], _KEEP_DATA)
    return draft


@in_its_files
def remove_seen_service(
    snapshot: Snapshot,
    settings: LabSettings,
    request: RemoveServiceRequest,
    *,
    find: Callable[[str], ServiceDefinition],
    exists: Callable[[str], bool] = lambda path: False,
    trash: str = "",
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
    data = places(stack.name, services, going, env_file.parse_or_empty(stack.env_text), exists)
    moves = _to_trash(request, data, trash)
    unused = [
        n for n in _unused(stack, services, going, view(snapshot)) if request.env == "keep" or n not in LAB_VARIABLES
    ]
    return Draft(
        operation="remove_service",
        summary=f"Remove {request.service} from stack {stack.name}",
        edits=(FileEdit(stack.compose_path, stack.compose_text, after), *_env_edit(stack, request, unused)),
        moves=moves,
        actions=(_action(stack, going, last), *_networks(snapshot, stack, going, settings)),
        verification=Verification(stack=stack.name, gone=tuple(going)),
        risks=(
            *_data_risks(request, moves),
            *_risks(services[request.service], stack.name, going, find, settings, view(snapshot)),
        ),
        notes=tuple(_notes(stack, request, data, moves, unused, last)),
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
    server = lab.made_from("sablier")
    if server is None or server in left or LabView(tuple(left), ()).made_from("sablier") is not None:
        return
    asleep = [where for where in sleepers(lab) if where in {s.where for s in left}]
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
    if data.shared:
        path, users = next(iter(data.shared.items()))
        raise InvalidInput(f"{path} is used by {', '.join(users)} as well.", code="data_shared", hint=_KEEP_DATA)
    why = f"Kept there for {TRASH_DAYS} days."
    return tuple(DataMove(path, f"{trash}/{path}", why) for path in data.own)


def _data_risks(request: RemoveServiceRequest, moves: Sequence[DataMove]) -> Iterator[RiskReason]:
    if request.data == "delete":
        names = ", ".join(m.source for m in moves) or "nothing that is there"
        yield RiskReason(Risk.HIGH, f"Deletes data: {names} goes to the trash, and from there for good.")


def _unused(stack: StackFiles, services: Mapping[str, Any], going: list[str], lab: LabView) -> list[str]:
    """Variables of ``.env`` that only these services use, as far as that can be told."""
    staying = [s for name, s in services.items() if name not in going]
    others = ((s.stack, s.data) for s in lab.services if s.stack != stack.name)
    readers = (*((stack.name, s) for s in staying), *others)
    if why_unseen(stack) or any(reads_env_file(s, folder, stack.env_path) for folder, s in readers):
        return []
    used = {n for s in staying for n in used_names(s)}
    # Without a service the file goes, and all else that it says.
    used |= names_beside_services(read(stack.compose_text)) if staying else set()
    gone = {n for name in going for n in used_names(services[name])} - used
    return sorted(gone & env_file.parse_or_empty(stack.env_text).keys())


def _env_edit(stack: StackFiles, request: RemoveServiceRequest, unused: list[str]) -> Iterator[FileEdit]:
    if request.env == "delete" and unused:
        after = env_file.remove(stack.env_text, unused)
        yield FileEdit(stack.env_path, stack.env_text, after, mode=0o600, secret=True)


def _notes(
    stack: StackFiles,
    request: RemoveServiceRequest,
    data: Places,
    moves: Sequence[DataMove],
    unused: list[str],
    last: bool,
) -> Iterator[str]:
    folders = [*data.own, *data.missing, *data.shared]
    if folders and not moves:
        yield f"Data stays in {', '.join(dict.fromkeys(folders))}."
    if moves:
        yield f"What went to the trash is deleted after {TRASH_DAYS} days; until then a roll-back brings it back."
    if request.data == "delete" and data.outside:
        yield f"What is mounted from elsewhere stays: {', '.join(data.outside)}."
    if data.volumes:
        yield f"Named volumes stay: {', '.join(data.volumes)}."
    if unused and request.env == "delete":
        yield f"Variables that go from {stack.env_path}: {', '.join(unused)}. The undo record keeps their values."
    elif unused:
        yield f"Values in {stack.env_path} stay, though nothing uses them now: {', '.join(unused)}."
    if last:
        yield f"It is the stack's last service, so {stack.compose_path} is deleted; the folder and its .env stay."
