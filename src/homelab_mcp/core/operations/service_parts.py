"""What belongs together in a stack: a service, its companions, who carries its route, and who needs whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.core.labels import COMPANION_OF, labels_of
from homelab_mcp.model.errors import NotFound
from homelab_mcp.model.observed import Snapshot, StackFiles


def stack_of(snapshot: Snapshot, name: str) -> StackFiles:
    """The stack of that name. Raises NotFound (``stack_unknown``)."""
    stack = snapshot.stack(name)
    if stack is None:
        raise NotFound(
            f"There is no stack called {name}.",
            hint=f"Stacks: {', '.join(s.name for s in snapshot.stacks[:15]) or 'none yet'}.",
            code="stack_unknown",
        )
    return stack


def services_in(stack: StackFiles, service: str) -> dict[str, Any]:
    """The stack's services, among them that one. Raises NotFound (``service_unknown``), YamlRefused, EditRefused."""
    services = services_of(read(stack.compose_text))
    if not isinstance(services.get(service), Mapping):
        raise NotFound(
            f"Stack {stack.name} has no service called {service}.",
            hint=f"Its services: {', '.join(services) or 'none'}.",
            code="service_unknown",
        )
    return services


def companions(services: Mapping[str, Any], service: str) -> list[str]:
    """The services that were added with it and go where it goes."""
    return [n for n, s in services.items() if labels_of(s).get(COMPANION_OF) == service and n != service]


def carrier(services: Mapping[str, Any], service: str) -> str:
    """The service in whose network it lives, which has its labels, ports and networks; mostly itself."""
    kind, _, name = str((services.get(service) or {}).get("network_mode", "")).partition(":")
    return name if kind == "service" and name in services else service


def needs(service: Any) -> Iterator[str]:
    """Services of the same file that a service names."""
    if not isinstance(service, Mapping):
        return
    for key in ("depends_on", "links", "volumes_from"):
        value = service.get(key)
        if isinstance(value, (list, Mapping)):
            yield from (str(item).partition(":")[0] for item in value)
    for key in ("network_mode", "ipc", "pid"):
        kind, _, name = str(service.get(key, "")).partition(":")
        if kind == "service":
            yield name
    extends = service.get("extends")
    if isinstance(extends, str):
        yield extends
    elif isinstance(extends, Mapping) and "file" not in extends:
        yield str(extends.get("service", ""))


def bound_to(services: Mapping[str, Any], service: str) -> list[str]:
    """Services that live in that one's network and are made anew with it."""
    return [n for n in services if n != service and carrier(services, n) == service]
