"""Images for catalog definitions: the real Traefik, and for everything else a stand-in that meets its health check.

The stand-in of the socket proxy does its work, whoever has one: Traefik meets the real engine through it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath

from homelab_mcp.adapters.catalog_files import packaged_definitions
from homelab_mcp.model.definition import Container, ServiceDefinition
from testbed.images import LocalImage, Variant, ensure_socket_proxy, ensure_traefik, stand_in

REAL_TOOLS = frozenset({"wget", "curl", "nc", "grep", "exit", "true", "test", "["})
"""Programs that a stand-in has anyway, so that the health check really asks it."""

SOCKET_PROXY = "/socket-proxy"
"""How the repository of the socket proxy ends."""

ANSWERS = {"redis-cli": "echo PONG", "valkey-cli": "echo PONG"}


@cache
def _catalog() -> dict[str, ServiceDefinition]:
    return {d.id: d for d in packaged_definitions()}


def definition(name: str) -> ServiceDefinition:
    """A definition of the project's own catalog."""
    return _catalog()[name]


def provide(definitions: Iterable[ServiceDefinition]) -> list[LocalImage]:
    """Put an image of every container of these definitions on the engine.

    Containers of one image share a stand-in: it has the ports and programs that any of them needs, and names the
    service whose main container it is.
    """
    made: list[LocalImage] = []
    wanted: dict[str, _Wanted] = {}
    for one in definitions:
        if one.id == "traefik":
            made.append(ensure_traefik(one.container.image.reference))
        variant: Variant = "forward_auth" if one.id == "authelia" else "serve"
        for name, container in ((f"{one.id}-{key}", c) for key, c in one.companions.items()):
            wanted.setdefault(container.image.reference, _Wanted(name, "serve")).add(container)
        if one.id != "traefik":
            main = wanted.setdefault(one.container.image.reference, _Wanted(one.id, variant))
            main.service, main.variant = one.id, variant
            main.add(one.container)
    # One image, several services: a page in its place would leave Traefik blind while it looks healthy.
    for reference in [r for r in wanted if r.partition(":")[0].endswith(SOCKET_PROXY)]:
        made.append(ensure_socket_proxy(reference))
        del wanted[reference]
    for reference, each in wanted.items():
        ports = sorted(each.ports) or [80]
        made.append(stand_in(reference, service=each.service, ports=ports, shims=each.shims, variant=each.variant))
    return made


@dataclass
class _Wanted:
    """What a stand-in must be able to do."""

    service: str
    variant: Variant
    ports: set[int] = field(default_factory=set)
    shims: dict[str, str] = field(default_factory=dict)

    def add(self, container: Container) -> None:
        ports = [p.container for p in container.ports if p.protocol == "tcp"]
        self.ports |= set(ports)
        self.shims |= _shims(container, (ports or [80])[0])


def _shims(container: Container, port: int) -> dict[str, str]:
    if container.health is None:
        return {}
    kind, *words = container.health.test
    commands = re.split(r"\|\||&&|[;|]", words[0]) if kind == "CMD-SHELL" else [" ".join(words)]
    programs = {command.split()[0] for command in commands if command.split()}
    ask = f"exec wget -q -O /dev/null http://127.0.0.1:{port}/"
    return {program: ANSWERS.get(PurePosixPath(program).name, ask) for program in programs if program not in REAL_TOOLS}
