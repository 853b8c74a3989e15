"""Images for catalog definitions: the real Traefik, and for everything else a stand-in that meets its health check.

The stand-in of Traefik's socket proxy does its work: Traefik meets the real engine through it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from homelab_mcp.adapters.catalog_files import packaged_definitions
from homelab_mcp.model.definition import Container, ServiceDefinition
from testbed.images import LocalImage, Variant, ensure_socket_proxy, ensure_traefik, stand_in

REAL_TOOLS = frozenset({"wget", "curl", "nc", "grep", "exit", "true", "test", "["})
"""Programs that a stand-in has anyway, so that the health check really asks it."""

ANSWERS = {"redis-cli": "echo PONG", "valkey-cli": "echo PONG"}


def definition(name: str) -> ServiceDefinition:
    """A definition of the project's own catalog."""
    return next(d for d in packaged_definitions() if d.id == name)


def provide(definitions: Iterable[ServiceDefinition]) -> list[LocalImage]:
    """Put an image of every container of these definitions on the engine."""
    made = []
    for one in definitions:
        if one.id == "traefik":
            made.append(ensure_traefik(one.container.image.reference))
            made.append(ensure_socket_proxy(one.companions["socket"].image.reference))
            continue
        made.append(_stand_in(one.id, one.container, "forward_auth" if one.id == "authelia" else "serve"))
        made += [_stand_in(f"{one.id}-{key}", companion, "serve") for key, companion in one.companions.items()]
    return made


def _stand_in(service: str, container: Container, variant: Variant) -> LocalImage:
    ports = [p.container for p in container.ports if p.protocol == "tcp"] or [80]
    return stand_in(
        container.image.reference, service=service, ports=ports, shims=_shims(container, ports[0]), variant=variant
    )


def _shims(container: Container, port: int) -> dict[str, str]:
    if container.health is None:
        return {}
    kind, *words = container.health.test
    commands = re.split(r"\|\||&&|[;|]", words[0]) if kind == "CMD-SHELL" else [" ".join(words)]
    programs = {command.split()[0] for command in commands if command.split()}
    ask = f"exec wget -q -O /dev/null http://127.0.0.1:{port}/"
    return {program: ANSWERS.get(PurePosixPath(program).name, ask) for program in programs if program not in REAL_TOOLS}
