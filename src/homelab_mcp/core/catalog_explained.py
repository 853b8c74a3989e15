"""Why the linter warns of what a catalog entry becomes: in the entry's own words wherever it has a field for them.

A warning that nothing here explains is one that nobody has looked at. A test holds the packaged catalog to none.
"""

from __future__ import annotations

from collections.abc import Iterator

from homelab_mcp.model.containers import Container
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.finding import Finding

_PRIVILEGES = {
    "HL090": "privileged",
    "HL092": "capability",
    "HL093": "host_pid",
    "HL096": "host_network",
    "HL102": "new_privileges",
}
"""By rule, the kind of privilege whose ``why`` is the reason."""

_CLASSES = {
    "HL154": "Docker begins a check only when the one before has ended, so a slow one merely comes later; its makers "
    "give it that long.",
}
"""Reasons that hold for whatever entry a rule warns of."""

_OWN = {
    ("excalidraw", "HL061"): "PORT is the program's behind the image's own web server, which listens on 80.",
    ("traefik", "HL068"): "The log-in is another entry, authelia, which a lab has beside it; the check looks at one.",
}
"""Reasons of one entry."""


def explanation(definition: ServiceDefinition, finding: Finding) -> str:
    """Why this warning is meant to be there; "" where nothing says so."""
    own = _OWN.get((definition.id, finding.rule)) or _CLASSES.get(finding.rule)
    return own or next(_words(definition, finding), "")


def _words(definition: ServiceDefinition, finding: Finding) -> Iterator[str]:
    container = _container(definition, finding.service)
    if container is None:
        return
    rule, said = finding.rule, finding.message
    if rule == "HL113" and container.health_note:
        yield container.health_note
    if rule == "HL101" and container.user_note:
        yield container.user_note
    if rule in {"HL091", "HL097"}:
        yield from (v.why for v in container.volumes if v.kind == "socket" and v.why)
    if rule == "HL095":
        yield from (v.why for v in container.volumes if v.kind == "host" and v.why and f"{v.source} of" in f"{said} ")
    if kind := _PRIVILEGES.get(rule):
        yield from (p.why for p in container.privileges if p.kind == kind and (not p.value or p.value in said))
    if rule == "HL044":
        yield from (p.why for p in container.ports if p.publish and p.why and f"{p.publish}/" in said)
    if rule == "HL061" and definition.route and any("port" in source.facts for source in definition.sources):
        yield f"The page's port, {definition.route.port}, is not published; the entry's sources name it."


def _container(definition: ServiceDefinition, service: str) -> Container | None:
    """The container that a compose service of the entry is made from; None for a VPN gateway's."""
    every = {definition.id: definition.container}
    every |= {f"{definition.id}-{key}": companion for key, companion in definition.companions.items()}
    return every.get(service)
