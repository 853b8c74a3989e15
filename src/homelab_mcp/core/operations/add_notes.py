"""What a person is told about a service that is being added."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from homelab_mcp.core.authelia import portal_of
from homelab_mcp.core.generator import Generated
from homelab_mcp.core.host_routes import core_folder
from homelab_mcp.core.labels import OWN_CERTIFICATE
from homelab_mcp.core.operations.lab_view import LabView
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.lab import LabSettings

LOGIN = "authelia"
"""The definition whose container carries the middleware of ``sso_middleware``."""


def waits_for_login(generated: Generated, settings: LabSettings, lab: LabView, alongside: Collection[str]) -> bool:
    """Log-in is wanted and the lab has none: Traefik then serves no such route, which is safe but must be said."""
    there = LOGIN in alongside or lab.has_middleware(settings.sso_middleware)
    return bool(generated.route and generated.route.protected and not there)


def made_from(definition: ServiceDefinition) -> str:
    """The definition's own digest, so that the plan's digest covers all of it and not only what reached a file."""
    whole = hashlib.sha256(definition.model_dump_json().encode()).hexdigest()
    return f"Made from definition {definition.id}, sha256 {whole[:32]}."


def notes_of(
    definition: ServiceDefinition,
    generated: Generated,
    settings: LabSettings,
    lab: LabView,
    route_works: bool,
    kept: list[str],
    alongside: Collection[str],
) -> list[str]:
    """Sentences on how it is reached, what it waits for and what a person does first; ``kept`` files are left alone."""
    notes = []
    if definition.route and definition.route.own_certificate and not (core_folder(lab) or "traefik" in alongside):
        notes.append(
            f"Traefik has no folder of dynamic files here: have a file of it define the serversTransport "
            f"{generated.name}{OWN_CERTIFICATE} with insecureSkipVerify, or the route answers 404."
        )
    if waits_for_login(generated, settings, lab, alongside):
        notes.append(
            f"Not reachable yet: the lab has no log-in service ({settings.sso_middleware}), and Traefik serves no "
            "protected route without it. Add authelia, or plan this again with sso=bypass and a reason."
        )
    if generated.route:
        login = "behind the lab's log-in" if generated.route.protected else "without the lab's log-in"
        notes.append(f"Reached at https://{generated.route.host}, {login}.")
        if generated.access and generated.access.two_factor:
            notes.append(_second_factor(generated.name, lab, alongside))
        if not route_works:
            notes.append(
                "The route is not checked after the apply: Traefik or the log-in service is not in the lab yet."
            )
    if made := [n for n in generated.env if n in _secret_names(definition, generated)]:
        notes.append(f"New secrets in .env: {', '.join(made)}.")
    absent = [r for r in definition.requires if r not in alongside and not lab.made_from(r)]
    if absent:
        notes.append(f"It needs {', '.join(absent)}, which the lab does not have yet.")
    kinds = {v.kind for c in (definition.container, *definition.companions.values()) for v in c.volumes}
    shared = [
        path for kind, path in (("media", settings.media_dir), ("downloads", settings.downloads_dir)) if kind in kinds
    ]
    if shared:
        notes.append(
            f"Make {' and '.join(shared)} first, owned by {settings.puid}:{settings.pgid}: what is missing Docker "
            "makes as root, and the service then cannot write there."
        )
    if kept:
        notes.append(f"Left as they are: {', '.join(kept)}.")
    if lab.unreadable:
        notes.append(f"Not compared with stacks that cannot be read: {', '.join(lab.unreadable)}.")
    return notes


def _second_factor(name: str, lab: LabView, alongside: Collection[str]) -> str:
    portal = portal_of(lab)
    if portal is None or portal.loads_access or LOGIN in alongside:
        return "It asks for a second factor: whoever has none yet sets one up on the log-in's page first."
    return (
        "A second factor is not asked for yet, as the lab's Authelia does not load access-control.yml: "
        f"`homelab-mcp access set {name} --policy two_factor` has it do so."
    )


def _secret_names(definition: ServiceDefinition, generated: Generated) -> set[str]:
    return {v.name for v in definition.variables if v.secret and generated.env.get(v.name)}
