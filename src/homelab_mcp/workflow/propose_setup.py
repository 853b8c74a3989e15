"""Plans of a lab's set-up: its core stack, and changes of its settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from homelab_mcp.core.operations.request import AddServiceRequest
from homelab_mcp.core.operations.setup_request import CORE_PARTS, CoreRequest
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Draft, Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.queries.machine import host_of
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of, request_of

_NO_CHOICE = frozenset({"docker_socket", "sso_middleware", "backup_paths", "lint"})
"""Settings that are not asked for at a set-up."""


def propose_core(lab: Lab, without: Sequence[str], requester: Requester, **options: Any) -> Plan:
    """A plan that adds what the lab's core lacks, without some parts.

    ``options`` are those of :class:`CoreRequest`; ``given`` values come from a person at a terminal, never a model.
    Raises InvalidInput (``missing_input`` names what only a person has).
    """
    from homelab_mcp.core.operations.add_service import add_service
    from homelab_mcp.core.operations.core_stack import Read, core_stack

    unknown = sorted(set(without) - set(CORE_PARTS))
    if unknown:
        raise InvalidInput(f"{unknown[0]!r} is no part of the core.", hint=f"Parts: {', '.join(CORE_PARTS)}.")
    request = request_of(CoreRequest, without=tuple(without), **options)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    settings = lab.settings
    find = lab.catalog.get
    host = host_of(lab)

    def known(name: str) -> ServiceDefinition | None:
        try:
            return find(name)
        except NotFound:
            return None

    def add(snapshot: Snapshot, request: AddServiceRequest, *, read: Read, alongside: Collection[str]) -> Draft:
        return add_service(
            snapshot,
            settings,
            request,
            find=find,
            secrets=lab.secrets.make,
            argon2=lab.secrets.argon2,
            root=lab.root,
            read=read,
            alongside=alongside,
            host=host,
        )

    draft = core_stack(snapshot, settings, request, find=known, add=add, read=lab.files.read)
    return plan_of(lab, draft, snapshot, requester)


def propose_settings(lab: Lab, values: Mapping[str, Any], requester: Requester) -> Plan:
    """A plan that changes the lab's settings and what follows from them. Raises InvalidInput, NotFound, EditRefused."""
    from homelab_mcp.core.operations.change_settings import change_settings

    unknown = sorted(set(values) - set(askable()))
    if unknown:
        raise InvalidInput(
            f"{unknown[0]!r} is no setting that is changed this way.",
            hint=f"Settings: {', '.join(askable())}.",
            code="unknown_setting",
        )
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    draft = change_settings(snapshot, values, read=lab.files.read, find=lab.catalog.get, root=lab.root)
    return plan_of(lab, draft, snapshot, requester)


def askable() -> tuple[str, ...]:
    """The settings a set-up asks for, groups with a dot."""
    found: list[str] = []
    for name, field in LabSettings.model_fields.items():
        if name in _NO_CHOICE:
            continue
        inner = getattr(field.annotation, "model_fields", None)
        found += [f"{name}.{key}" for key in inner] if inner else [name]
    return tuple(found)
