"""Give a service its widget on Homepage, or take it away."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated

from pydantic import Field

from homelab_mcp.core import env_file
from homelab_mcp.core.homepage import Page, the_page
from homelab_mcp.core.homepage_widgets import KINDS, WidgetKind, variable_of
from homelab_mcp.core.labels import made_from
from homelab_mcp.core.needs import networks_of
from homelab_mcp.core.operations.in_its_files import in_its_files
from homelab_mcp.core.operations.lab_view import Known, view
from homelab_mcp.core.operations.request import _Request
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput, NotFound, asks
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Risk, RiskReason, Verification

_PREFIX = "homepage.widget."
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,40}")


class SetWidgetRequest(_Request):
    """The widget of one service (its compose name, or ``stack/name``)."""

    service: Annotated[str, Field(min_length=1, max_length=140)]
    fields: dict[str, Annotated[str, Field(max_length=300)]] = Field(default={}, max_length=20)
    secrets: dict[str, str] = Field(default={}, max_length=5, description="Given by a person alone, never by a model.")
    remove: bool = False


@in_its_files
def set_widget(snapshot: Snapshot, request: SetWidgetRequest, *, find: Callable[[str], ServiceDefinition]) -> Draft:
    """A draft that changes the service's labels, and what Homepage gets for them.

    Args:
        snapshot: the lab as it is.
        request: which service, and what a person gave.
        find: a definition by id; raises NotFound.

    Raises:
        NotFound: no Homepage (``no_homepage``), no such service.
        InvalidInput: no widget is known for it (``no_widget``), a field or secret is missing (``missing_input``), or
            nothing to do.
        EditRefused: labels that cannot be changed alone.
    """
    lab = view(snapshot)
    page = the_page(lab)
    known = [s for s in lab.services if request.service in (s.name, s.where)]
    if len(known) != 1:
        told = f"{request.service} is in several stacks" if known else f"There is no service called {request.service}"
        raise NotFound(f"{told}.", hint="Say which, as stack/name; see lab_status.", code="service_unknown")
    service = known[0]
    texts = {s.name: s.compose_text for s in snapshot.stacks}
    env_before = {s.name: s.env_text for s in snapshot.stacks}[page.service.stack]
    env_after = env_before
    edit = ServiceEdit(texts[service.stack], service.name)
    for key in [k for k in edit.entries("labels") if k.startswith(_PREFIX)]:
        edit.remove_entry("labels", key)
    variables: list[str] = []
    if not request.remove:
        kind = _kind(service)
        variables = [variable_of(service.name, secret) for secret in kind.secrets]
        env_after = _filled(env_before, service, kind, request.secrets, page)
        for key, value in _labels(service, kind, request.fields, find).items():
            edit.set_entry("labels", f"{_PREFIX}{key}", value)
    texts[service.stack] = edit.text
    own = ServiceEdit(texts[page.service.stack], page.service.name)
    for name in variables:
        own.set_entry("environment", name, f"${{{name}:-}}")
    texts[page.service.stack] = own.text
    edits = [
        FileEdit(s.compose_path, s.compose_text, texts[s.name])
        for s in snapshot.stacks
        if texts[s.name] != s.compose_text
    ]
    if env_after != env_before:
        path = f"{page.service.stack}/.env"
        edits.append(FileEdit(path, env_before or None, env_after, mode=0o600, secret=True))
    if not edits:
        raise InvalidInput("The widget already is as asked.", hint="No plan is needed.", code="nothing_to_do")
    touched = {service.where: service} | ({page.service.where: page.service} if variables else {})
    return Draft(
        operation="set_widget",
        summary=f"{'Remove the' if request.remove else 'Show a'} widget of {service.name} on Homepage",
        edits=tuple(edits),
        actions=tuple(
            EngineAction(ActionKind.UP, "Homepage reads labels and variables of containers.", s.stack, (s.name,))
            for s in touched.values()
        ),
        verification=Verification(service.stack, (service.name,)),
        also_verify=tuple(Verification(s.stack, (s.name,)) for s in touched.values() if s.where != service.where),
        risks=(RiskReason(Risk.MEDIUM, f"Recreates {', '.join(touched)}."),),
        notes=tuple(_notes(service, page)),
        undo="Roll this plan back.",
        target=service.name,
        secrets=tuple(request.secrets.values()),
    )


def _kind(service: Known) -> WidgetKind:
    kind = KINDS.get(made_from(service.labels)) or KINDS.get(service.name)
    if kind is None:
        raise InvalidInput(
            f"No widget is known here for {service.name}.",
            hint="`homepage show` names what could have one; others go into labels by hand (gethomepage.dev).",
            code="no_widget",
        )
    return kind


def _labels(
    service: Known, kind: WidgetKind, given: Mapping[str, str], find: Callable[[str], ServiceDefinition]
) -> dict[str, str]:
    """What stands behind ``homepage.widget.``."""
    odd = [n for n in given if not _NAME.fullmatch(n) or n in kind.secrets]
    if odd or any(ord(c) < 32 or ord(c) == 127 for value in given.values() for c in value):
        raise InvalidInput("That is no field of a widget, or a secret, which a person sets.", code="bad_value")
    fields = {"type": kind.kind, "url": _address(service, find), **kind.fields, **given}
    missing = [n for n in kind.asked if not fields.get(n)]
    if missing or not fields["url"]:
        needed = ", ".join(missing or ["url"])
        raise InvalidInput(
            f"The widget of {service.name} needs {needed}.",
            hint=f"Give it in fields{f': {kind.find}' if missing else ''}.",
            code="missing_input",
        )
    # A dollar sign would be a variable to Compose.
    told = {k: v.replace("$", "$$") for k, v in fields.items()}
    return told | {secret: f"{{{{{variable_of(service.name, secret)}}}}}" for secret in kind.secrets}


def _address(service: Known, find: Callable[[str], ServiceDefinition]) -> str:
    """Where Homepage reaches the service in the lab's own networks; "" unknown."""
    try:
        route = find(kind).route if (kind := made_from(service.labels)) else None
    except NotFound:
        return ""
    if route is None or route.traefik_service:
        return ""
    mode = str(service.data.get("network_mode", ""))
    # Behind a gateway the network is the gateway's, and so is the name in it.
    host = mode.removeprefix("service:") if mode.startswith("service:") else service.name
    return f"{route.scheme}://{host}:{route.port}"


def _filled(env: str, service: Known, kind: WidgetKind, secrets: Mapping[str, str], page: Page) -> str:
    """The ``.env`` with a value for each secret of the widget."""
    strange = sorted(set(secrets) - set(kind.secrets))
    if strange:
        raise InvalidInput(f"The widget has no secret {strange[0]}.", code="bad_value")
    env = env_file.set_values(env, {variable_of(service.name, k): v for k, v in secrets.items()})
    there = env_file.parse(env)
    missing = [s for s in kind.secrets if not there.get(variable_of(service.name, s))]
    if missing:
        names = " ".join(variable_of(service.name, s) for s in missing)
        raise InvalidInput(
            f"The widget of {service.name} needs its {' and '.join(missing)}: {kind.find}.",
            hint=f"A person runs `homelab-mcp homepage widget {service.name}`, which asks for it, or "
            f"`homelab-mcp env set {page.service.stack} {names}`.",
            code="missing_input",
            details=asks(page.service.stack, [variable_of(service.name, s) for s in missing]),
        )
    return env


def _notes(service: Known, page: Page) -> Iterator[str]:
    if service.host != page.service.host:
        yield f"Homepage asks it at the private address of host {service.host}, where its port must be published."
        return
    shared = set(networks_of(service.data)) & set(networks_of(page.service.data))
    if not shared and not str(service.data.get("network_mode", "")).startswith("service:"):
        yield f"{page.service.where} and {service.where} share no network, so the widget may find nobody."
