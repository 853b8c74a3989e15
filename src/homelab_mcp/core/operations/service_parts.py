"""What belongs together in a stack: a service, its companions, who carries its route, and who needs whom."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.core.labels import COMPANION_OF, labels_of
from homelab_mcp.core.yaml12 import load_nodes
from homelab_mcp.model.errors import HomelabError, NotFound
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
    """The services of the stack's compose file, among them that one.

    Raises:
        NotFound: it is in none of the stack's files (``service_unknown``), or in another than this
            (``service_elsewhere``).
        YamlRefused, EditRefused: the file cannot be read.
    """
    services = services_of(read(stack.compose_text))
    if not isinstance(services.get(service), Mapping):
        refuse_elsewhere(stack, service)
        raise NotFound(
            f"Stack {stack.name} has no service called {service}.",
            hint=f"Its services: {', '.join(services) or 'none'}.",
            code="service_unknown",
        )
    return services


def refuse_elsewhere(stack: StackFiles, service: str, why: str = "") -> None:
    """Nothing, but where the service stands in an override or included file only.

    Args:
        stack: whose service it is.
        service: its name.
        why: why that file is not changed; "": plans of this kind change the compose file alone.

    Raises:
        NotFound: it does (``service_elsewhere``); said are the file, the line, and what can be done.
    """
    with contextlib.suppress(HomelabError):
        if isinstance(services_of(read(stack.compose_text)).get(service), Mapping):
            return
    for path, text in (*stack.others, *stack.named):
        line = line_of(text, service)
        if line:
            told = why or f"plans of this kind change {posixpath.basename(stack.compose_path)} alone."
            raise elsewhere(stack, f"{service} of stack {stack.name} stands in {path}, line {line}; {told}")


def elsewhere(stack: StackFiles, told: str) -> NotFound:
    """What a service says in another file than the compose file, which is not changed (``service_elsewhere``)."""
    return NotFound(
        told,
        hint=f"Edit it there, then `homelab-mcp review` shows it and adopts it. Or move its lines into "
        f"{stack.compose_path}, and ask again.",
        code="service_elsewhere",
    )


def line_of(text: str, service: str) -> int:
    """The line of a service's name, 0 where a file has no such service or cannot be read."""
    try:
        document = load_nodes(text, allow_duplicates=True)
    except HomelabError:
        return 0
    path = ("services", service)
    return document.key_mark(path).line if document.find(path) is not None else 0


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
