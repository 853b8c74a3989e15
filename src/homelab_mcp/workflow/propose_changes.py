"""From a request about a service that is there to a stored plan: update, remove, move, connect, owners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from homelab_mcp.core.operations.change_request import (
    ConnectServicesRequest,
    Limits,
    MoveServiceRequest,
    UpdateServiceRequest,
)
from homelab_mcp.core.operations.request import RemoveServiceRequest
from homelab_mcp.core.stack_host import host_of as place_of
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import TRASH
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Draft, Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import find_service
from homelab_mcp.queries.storage import with_storage_notes
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of, request_of, with_values

LOOK_SECONDS = 10.0
"""How long a service is looked at before limits are suggested from what it uses."""


def propose_update_service(
    lab: Lab, service: str, stack: str, changes: Mapping[str, Any], requester: Requester
) -> Plan:
    """A plan that changes a service. ``changes`` are :class:`UpdateServiceRequest`'s fields; empty ones are unset.

    Raises NotFound, InvalidInput, EditRefused; EngineUnavailable where it is to be measured.
    """
    from homelab_mcp.core.operations.service_parts import stack_of
    from homelab_mcp.core.operations.update_service import update_service
    from homelab_mcp.core.operations.update_work import Machine
    from homelab_mcp.queries.machine import gpus_of, host_of, measure

    stack, service = find_service(lab.files, service, stack)
    given = {k: v for k, v in changes.items() if v not in (None, "", 0, {}, [], ())}
    if limits := given.pop("limits", None):
        given["limits"] = request_of(Limits, **limits)
    if not given:
        raise InvalidInput("Nothing was asked for.", code="nothing_to_do", hint="Name what is to change.")
    request = request_of(UpdateServiceRequest, stack=stack, service=service, **given)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    place = place_of(stack_of(snapshot, stack).compose_text)
    machine = Machine(host_of(lab, place), gpus_of(lab) if request.gpu else Machine().gpus)
    if request.resources == "measured":
        mine = [c for c in snapshot.containers or () if (c.stack, c.service) == (stack, service)]
        used, looked = measure(lab, [c.id for c in mine if c.state == "running"], LOOK_SECONDS)
        machine = replace(machine, used=used, looked=looked)
    draft = update_service(snapshot, lab.settings, request, find=lab.catalog.get, machine=machine)
    draft = with_storage_notes(lab, draft) if request.volumes_add else draft
    return plan_of(lab, with_values(draft, request.env_set, requester), snapshot, requester)


def propose_remove_service(
    lab: Lab, service: str, stack: str, requester: Requester, *, data: str = "keep", env: str = "keep"
) -> Plan:
    """A plan that removes a service and its companions; its data stays, or goes to the trash of the lab.

    Raises InvalidInput, NotFound.
    """
    from homelab_mcp.core.operations.in_its_files import in_its_files
    from homelab_mcp.core.operations.leave_gateway import before_removal, removed_from
    from homelab_mcp.core.operations.remove_service import in_no_other_stack, refuse_unseen_users, remove_seen_service
    from homelab_mcp.workflow.propose_lazy import without_sleeper

    if not stack:
        stack, service = find_service(lab.files, service)
    request = request_of(RemoveServiceRequest, service=service, stack=stack, data=data, env=env)
    now = datetime.fromtimestamp(lab.clock.now(), UTC)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)

    refuse_unseen_users(snapshot, request)

    @in_its_files
    def removal(seen: Snapshot) -> Draft:
        off, gateway = before_removal(seen, request.stack, request.service)
        draft = remove_seen_service(
            off,
            lab.settings,
            request,
            find=lab.catalog.get,
            exists=lambda path: lab.data.identity(path) is not None,
            trash=f"{TRASH}/{now:%Y%m%d-%H%M%S}-{service}",
            root=lab.roots,
        )
        return removed_from(draft, seen, request.stack, gateway)

    draft = in_no_other_stack(snapshot, request, removal(snapshot), root=lab.roots)
    draft = without_sleeper(lab, draft, snapshot, request.stack, request.service)
    return plan_of(lab, _movable(lab, draft), snapshot, requester)


def propose_move_service(lab: Lab, service: str, stack: str, to: str, requester: Requester) -> Plan:
    """A plan that moves a service to another stack with its data. Raises NotFound, InvalidInput, EditRefused."""
    from homelab_mcp.core.operations.move_service import move_service

    stack, service = find_service(lab.files, service, stack)
    request = request_of(MoveServiceRequest, service=service, stack=stack, to=to)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    draft = move_service(
        snapshot,
        lab.settings,
        request,
        exists=lambda path: lab.data.identity(path) is not None,
        read_text=lab.files.read,
        root=lab.roots,
    )
    return plan_of(lab, _movable(lab, draft), snapshot, requester)


def propose_connect_services(
    lab: Lab,
    a: str,
    b: str,
    requester: Requester,
    *,
    port: int = 0,
    network: str = "",
    variables: Mapping[str, str] = {},
) -> Plan:
    """A plan that lets service ``a`` reach service ``b`` (``service`` or ``stack/service``).

    Raises NotFound, InvalidInput, EditRefused.
    """
    from homelab_mcp.core.operations.connect_services import connect_services

    (a_stack, a_name), (b_stack, b_name) = find_service(lab.files, a), find_service(lab.files, b)
    request = request_of(
        ConnectServicesRequest,
        a_stack=a_stack,
        a=a_name,
        b_stack=b_stack,
        b=b_name,
        port=port or None,
        network=network,
        variables=dict(variables),
    )
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    draft = connect_services(snapshot, lab.settings, request)
    return plan_of(lab, with_values(draft, request.variables, requester), snapshot, requester)


def propose_fix_permissions(lab: Lab, service: str, stack: str, owner: str, requester: Requester) -> Plan:
    """A plan that gives a service's own files to the user it runs as, or to ``owner`` ("uid:gid").

    Raises NotFound, InvalidInput.
    """
    from homelab_mcp.core.operations.fix_permissions import MOST_KEPT, fix_permissions, own_folders, owner_of

    stack, service = find_service(lab.files, service, stack)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    uid, gid = owner_of(snapshot, stack, service, owner)
    exists = lambda path: lab.data.identity(path) is not None  # noqa: E731 # as short as what it says
    folders = own_folders(snapshot, stack, service, exists=exists, root=lab.roots)
    seen = {folder: lab.data.strangers(folder, uid, gid, MOST_KEPT) for folder in folders}
    found = {f: ([(o.path, o.uid, o.gid) for o in s.found], s.more, s.left) for f, s in seen.items()}
    return plan_of(lab, fix_permissions(stack, service, (uid, gid), found), snapshot, requester)


def _movable(lab: Lab, draft: Draft) -> Draft:
    """The draft, when each of its moves is one step of the file system. Raises InvalidInput (``other_file_system``)."""
    for move in draft.moves:
        if not lab.data.movable(move.source, move.target):
            raise InvalidInput(
                f"{move.source} and {move.target} are on different file systems, so it cannot be moved in one step.",
                code="other_file_system",
                hint="Copy it by hand while the service is stopped, or leave it where it is.",
            )
    return draft
