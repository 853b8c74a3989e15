"""How a Traefik that is there already reaches Docker: through a proxy of its own, or by the socket itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core import compose_edit
from homelab_mcp.core.compose_meaning import names_in, read, services_of
from homelab_mcp.core.generator import Generated, generate
from homelab_mcp.core.operations.lab_view import Known
from homelab_mcp.core.operations.request import ServiceOptions
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.core.traefik import TRAEFIK
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LabSettings

_LISTS = ("command", "volumes")


@dataclass(frozen=True, slots=True)
class Switched:
    """The compose text after, and the companions that come and go."""

    text: str
    come: tuple[str, ...]
    go: tuple[str, ...]


def switched(
    text: str,
    known: Known,
    settings: LabSettings,
    after: LabSettings,
    find: Callable[[str], ServiceDefinition],
    root: str,
) -> Switched:
    """The stack's text with this Traefik reaching Docker as ``after`` says; what a person added to it stays.

    What differs between the two ways is taken from what the generator makes of either, and nothing else is touched.

    Raises:
        InvalidInput: another service has the companion's name (``service_exists``).
        EditRefused: it cannot be changed alone.
    """
    old, new = (_made(known, settings, way, find, root) for way in (settings, after))
    there = services_of(read(text))
    mine, wanted = old.services[known.name], new.services[known.name]
    come = {n: b for n, b in new.services.items() if n not in old.services}
    go = [n for n in old.services if n not in new.services and n in there]
    if taken := [n for n in come if n in there]:
        raise InvalidInput(
            f"Stack {known.stack} has a service called {taken[0]} already.",
            hint="Remove or rename it first.",
            code="service_exists",
        )
    joins, joined = set(names_in(wanted.get("networks"))), set(names_in(mine.get("networks")))
    edit = ServiceEdit(text, known.name)
    for field in _LISTS:
        swap_items(edit, field, mine.get(field) or (), wanted.get(field) or ())
    _needs(edit, mine.get("depends_on") or {}, wanted.get("depends_on") or {})
    for network in sorted(joined - joins):
        edit.remove_name("networks", network)
    after_text = compose_edit.remove_services(edit.text, go)
    left = ServiceEdit(after_text, known.name)
    for network in sorted(joined - joins):
        left.undeclare("networks", network)
    after_text = compose_edit.add_services(left.text, come, networks=new.networks)
    last = ServiceEdit(after_text, known.name)
    for network in sorted(joins - joined):
        last.add_name("networks", network)
    return Switched(last.text, tuple(come), tuple(go))


def _made(
    known: Known,
    settings: LabSettings,
    way: LabSettings,
    find: Callable[[str], ServiceDefinition],
    root: str,
) -> Generated:
    """What the generator makes of Traefik in that way, all other settings being as they are."""
    access = {"docker_access": way.traefik.docker_access}
    same = settings.model_copy(update={"traefik": settings.traefik.model_copy(update=access)})
    name = ServiceOptions(name=known.name)
    return generate(find(TRAEFIK), same, name, secrets=_none, argon2=_none, existing_env=dict(known.env), root=root)


def _none(*_: Any) -> str:
    """Traefik has no generated secret; what its DNS provider wants is in the stack's ``.env``."""
    return ""


def swap_items(edit: ServiceEdit, field: str, old: Iterable[Any], new: Iterable[Any]) -> None:
    """What only ``old`` wanted goes from the list, what only ``new`` wants comes to its end."""
    was, wanted = [str(item) for item in old], [str(item) for item in new]
    gone = set(was) - set(wanted)
    if gone:
        edit.remove_items(field, lambda item: str(item) in gone)
    here = {str(item) for item in edit.items(field)}
    for item in wanted:
        if item not in was and item not in here:
            edit.add_item(field, item)


def _needs(edit: ServiceEdit, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    for name in old.keys() - new.keys():
        if name in edit.names("depends_on"):
            edit.remove_name("depends_on", name)
    for name in new.keys() - old.keys():
        edit.add_name("depends_on", name, new[name])
