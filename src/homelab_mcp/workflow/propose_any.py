"""From a request about a service that the catalog does not have to a stored plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from homelab_mcp.model.errors import EngineFailed, EngineUnavailable
from homelab_mcp.model.image import ImageFacts
from homelab_mcp.model.plan import Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.on_hosts import place_of
from homelab_mcp.workflow.proposals import plan_of, request_of

if TYPE_CHECKING:
    from homelab_mcp.core.compose_stack import Read


def propose_custom(lab: Lab, values: dict[str, Any], requester: Requester) -> Plan:
    """A plan that adds a service by its image. ``values``: fields of ``CustomRequest``, unset ("", 0) ones left out.

    Raises InvalidInput, EditRefused.
    """
    from homelab_mcp.core.operations.add_custom import add_custom
    from homelab_mcp.core.operations.custom_request import CustomRequest

    request = request_of(CustomRequest, **{k: v for k, v in values.items() if v not in (0, [], ())})
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    _, address = place_of(lab, snapshot, request.stack or request.name, request.host)
    draft = add_custom(
        snapshot,
        lab.settings,
        request,
        facts=image_facts(lab, [request.image]).get(request.image),
        secrets=lab.secrets.make,
        argon2=lab.secrets.argon2,
        root=lab.root,
        read=lab.files.read,
        address=address,
    )
    return plan_of(lab, draft, snapshot, requester)


def propose_import(
    lab: Lab,
    values: dict[str, Any],
    requester: Requester,
    *,
    env: Mapping[str, str] | None = None,
    reader: Read | None = None,
) -> Plan:
    """A plan that takes services over from a compose text or a docker run command line.

    Args:
        lab: the lab.
        values: fields of ``ImportRequest``, unset ("", 0) ones left out.
        requester: who asks.
        env: variables that came with the text; only those that it refers to are used.
        reader: reads what the text names beside itself; None: nobody may.

    Raises InvalidInput, EditRefused.
    """
    from homelab_mcp.core.operations.import_request import ImportRequest
    from homelab_mcp.core.operations.import_service import import_service, parse

    request = request_of(ImportRequest, **{k: v for k, v in values.items() if v != 0})
    parsed = parse(request.text, env or {}, reader)
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    draft = import_service(
        snapshot,
        lab.settings,
        request,
        parsed,
        facts=image_facts(lab, (str(body.get("image", "")) for body in parsed.services.values())),
        from_model=requester.via == "mcp",
        secrets=lab.secrets.make,
        argon2=lab.secrets.argon2,
        root=lab.root,
        read=lab.files.read,
        place=lambda stack: place_of(lab, snapshot, stack, request.host)[1],
    )
    return plan_of(lab, draft, snapshot, requester)


def image_facts(lab: Lab, references: Iterable[str]) -> dict[str, ImageFacts]:
    """What those of these images that are on the engine say of themselves; nothing is pulled for a plan."""
    found: dict[str, ImageFacts] = {}
    if lab.files_only:
        return found
    for reference in dict.fromkeys(references):
        try:
            facts = lab.engine.image_facts(reference) if reference and "$" not in reference else None
        except EngineUnavailable:
            return found
        except EngineFailed:
            continue
        if facts is not None:
            found[reference] = facts
    return found
