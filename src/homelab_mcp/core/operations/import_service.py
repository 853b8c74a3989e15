"""Take over services from somebody's compose text or ``docker run`` command line, as one plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from homelab_mcp.core import env_file, labels
from homelab_mcp.core.compose_stack import Read as Reader
from homelab_mcp.core.generator import Generated, GeneratedRoute
from homelab_mcp.core.importing.compose_text import parse_compose
from homelab_mcp.core.importing.custom import CUSTOM
from homelab_mcp.core.importing.docker_run import is_docker_run, parse_docker_run
from homelab_mcp.core.importing.normalise import Imported, main_name, normalise
from homelab_mcp.core.importing.parsed import Parsed
from homelab_mcp.core.importing.variables import Values
from homelab_mcp.core.operations.add_service import Read, add_service
from homelab_mcp.core.operations.import_request import ImportRequest
from homelab_mcp.core.operations.lab_view import LabView, view
from homelab_mcp.core.operations.request import AddServiceRequest, ServiceOptions
from homelab_mcp.core.operations.taken import refuse_host
from homelab_mcp.core.redact import is_secret_name
from homelab_mcp.core.traefik import gives_certificates
from homelab_mcp.core.variables import asked_in
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.image import ImageFacts
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Draft, Risk, RiskReason, RouteCheck

_MOST_NOTES = 30


def parse(text: str, env: Mapping[str, str], reader: Reader | None) -> Parsed:
    """The services in a text, whichever of the two kinds it is. Raises InvalidInput for neither."""
    return parse_docker_run(text) if is_docker_run(text) else parse_compose(text, env, reader)


def import_service(
    snapshot: Snapshot,
    settings: LabSettings,
    request: ImportRequest,
    parsed: Parsed,
    *,
    facts: Mapping[str, ImageFacts],
    from_model: bool,
    secrets: Callable[[str, int], str],
    argon2: Callable[[str], str],
    root: str,
    read: Read,
    place: Callable[[str], str] = lambda _: "",
) -> Draft:
    """A draft that adds these services to a stack, new or existing.

    Args:
        snapshot: the lab as it is.
        settings: the lab's.
        request: where to, and how.
        parsed: what was read from the text.
        facts: what images on the engine say of themselves, by reference.
        from_model: whether the text came through a model.
        secrets: makes a secret of a kind and length.
        argon2: hashes a value.
        root: the lab's absolute path.
        read: the text of a file of the lab, or None.
        place: the private address of the other host that a stack will be on, by the stack; "" where there is none.

    Raises what ``add_service`` and ``normalise`` raise.
    """
    _refuse_secrets(request)
    lab = view(snapshot)
    traefik = lab.made_from("traefik")
    stack = request.stack or main_name(parsed, request, settings, facts)
    existing = env_file.parse(_env_text(snapshot, stack, read))
    values = Values(settings, existing, {**parsed.env, **request.variables}, secrets)
    with asked_in(stack):
        made = normalise(
            parsed,
            request,
            settings,
            facts=facts,
            values=values,
            root=root,
            shared_certificates=traefik is not None and gives_certificates(traefik.data.get("command")),
        )
    access = made.routes.get(made.main)
    _refuse_hosts(made, lab, settings)
    options = ServiceOptions(
        name=made.main,
        subdomain=access.subdomain if access else None,
        sso=request.sso if access else None,
        sso_reason=request.sso_reason,
    )
    draft = add_service(
        snapshot,
        settings,
        AddServiceRequest(service=CUSTOM, stack=stack, options=options, host=request.host),
        find=lambda _: made.definition,
        secrets=secrets,
        argon2=argon2,
        root=root,
        read=read,
        finish=lambda _: _generated(made, values, settings, access),
        address=place(stack),
    )
    return _told(draft, made, values, settings, from_model=from_model)


def _refuse_secrets(request: ImportRequest) -> None:
    if secret := sorted(n for n in request.variables if is_secret_name(n)):
        raise InvalidInput(
            f"{', '.join(secret)} looks like a secret, and secrets do not pass through a request.",
            hint=f"A person sets it with `homelab-mcp env set STACK {secret[0]}` first.",
            code="secret_in_argument",
        )


def _refuse_hosts(made: Imported, lab: LabView, settings: LabSettings) -> None:
    for name, access in made.routes.items():
        # The main one's is looked at with everything else that it takes.
        if name != made.main:
            refuse_host(f"{access.subdomain}.{settings.domain}", lab, settings)


def _env_text(snapshot: Snapshot, stack: str, read: Read) -> str:
    known = snapshot.stack(stack)
    return (known.env_text if known else "") or read(f"{stack}/.env") or ""


def _generated(made: Imported, values: Values, settings: LabSettings, access: labels.Access | None) -> Generated:
    # What the route's own words need, besides what the text refers to.
    values.text("${TZ}" + ("${DOMAIN}" if made.routes else ""))
    return Generated(
        name=made.main,
        services=made.services,
        networks=made.networks,
        env=dict(values.added),
        secrets=tuple(dict.fromkeys(values.secrets)),
        urls=tuple(f"https://{labels.host_of(a.subdomain)}" for a in made.routes.values()),
        files=(),
        route=GeneratedRoute(f"{access.subdomain}.{settings.domain}", access.protected) if access else None,
        access=access,
        notes=(),
        volumes=made.volumes,
    )


def _told(draft: Draft, made: Imported, values: Values, settings: LabSettings, *, from_model: bool) -> Draft:
    others = [n for n in made.services if n != made.main]
    checks = tuple(
        RouteCheck(name, f"{a.subdomain}.{settings.domain}", sso=a.protected)
        for name, a in made.routes.items()
        if name != made.main and draft.verification.routes
    )
    # What runs to its end is not there any more when the others are looked at; they only start once it went well.
    lasting = tuple(s for s in draft.verification.services if s not in made.once)
    verification = replace(draft.verification, services=lasting, routes=(*draft.verification.routes, *checks))
    summary = f"Import {made.main} into stack {draft.verification.stack}"
    summary += f", with {', '.join(others)}" if others else ""
    return replace(
        draft,
        operation="import_service",
        summary=summary,
        verification=verification,
        risks=(*_risks(made, values, from_model=from_model), *draft.risks),
        notes=(*_notes(made, values), *draft.notes),
    )


def _risks(made: Imported, values: Values, *, from_model: bool) -> Iterator[RiskReason]:
    images = dict.fromkeys(str(block["image"]) for block in made.services.values())
    yield RiskReason(Risk.MEDIUM, f"Runs {', '.join(images)}, from no catalog: make sure you trust their makers.")
    yield from made.risks
    if from_model and values.moved:
        yield RiskReason(
            Risk.MEDIUM,
            f"{', '.join(values.moved)} came through a model, which may have kept it: change it later.",
        )


def _notes(made: Imported, values: Values) -> list[str]:
    notes = [f"Changed: {told}" for told in made.changed]
    notes += [f"Not carried over: {told}" for told in made.lost]
    if values.moved:
        notes.append(f"Changed: secrets of the text are in .env now: {', '.join(values.moved)}.")
    if values.made:
        notes.append(
            f"Changed: {', '.join(values.made)} had no value, or one that everybody can guess, and got a new one. "
            "Where data made with the old one is taken along, set that with `homelab-mcp env set`."
        )
    if len(notes) > _MOST_NOTES:
        notes = [*notes[:_MOST_NOTES], f"And {len(notes) - _MOST_NOTES} more of that kind."]
    return notes
