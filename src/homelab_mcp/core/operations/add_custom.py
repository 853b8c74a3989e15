"""Add a service that the catalog does not have, by its image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from homelab_mcp.core.importing.custom import CUSTOM, custom_of
from homelab_mcp.core.operations.add_service import Read, add_service
from homelab_mcp.core.operations.custom_request import CustomRequest
from homelab_mcp.core.operations.request import AddServiceRequest, ServiceOptions
from homelab_mcp.core.operations.unheard import refuse_unheard
from homelab_mcp.model.image import ImageFacts
from homelab_mcp.model.lab import COMPOSE_NAMES, LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import Draft, Risk, RiskReason


def add_custom(
    snapshot: Snapshot,
    settings: LabSettings,
    request: CustomRequest,
    *,
    facts: ImageFacts | None,
    secrets: Callable[[str, int], str],
    argon2: Callable[[str], str],
    root: str,
    read: Read,
    address: str = "",
) -> Draft:
    """A draft that adds a service by its image; it gets what every catalog service gets.

    Args:
        snapshot: the lab as it is.
        settings: the lab's.
        request: the image and how it is to be run.
        facts: what the image says of itself; None where it is not on the engine.
        secrets: makes a secret of a kind and length.
        argon2: hashes a value.
        root: the lab's absolute path.
        read: the text of a file of the lab, or None.
        address: the private address of the other host that it will be on; "" where there is none.

    Raises what ``add_service`` raises, and InvalidInput (``mount_refused``, ``bad_volume``, ``bad_command``,
    ``unheard``).
    """
    custom = custom_of(request, facts, settings, root)
    options = ServiceOptions(
        name=request.name,
        sso=request.sso if custom.definition.route else None,
        sso_reason=request.sso_reason,
    )
    draft = add_service(
        snapshot,
        settings,
        AddServiceRequest(service=CUSTOM, stack=request.stack or request.name, options=options, host=request.host),
        find=lambda _: custom.definition,
        secrets=secrets,
        argon2=argon2,
        root=root,
        read=read,
        finish=custom.finished,
        address=address,
    )
    if request.port or request.health:
        _check_port(draft, request, settings)
    risks = [RiskReason(Risk.MEDIUM, f"Runs {custom.image}, which is in no catalog: make sure you trust its makers.")]
    risks += [RiskReason(Risk.HIGH, f"Sees {folder} of the host.") for folder in custom.outside]
    return replace(
        draft, operation="add_custom_service", risks=(*risks, *draft.risks), notes=(*custom.assumed, *draft.notes)
    )


def _check_port(draft: Draft, request: CustomRequest, settings: LabSettings) -> None:
    for edit in draft.edits:
        stack, _, name = edit.path.partition("/")
        if name in COMPOSE_NAMES and edit.after is not None:
            refuse_unheard(None, StackFiles(stack, edit.path, edit.after), request.name, settings.lint)
