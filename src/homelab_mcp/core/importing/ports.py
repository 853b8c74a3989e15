"""Published ports of somebody's services: which one the route takes over, which stay, which go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.checks.images import DATABASE_PORTS
from homelab_mcp.core.importing.custom import web_port
from homelab_mcp.core.traefik import published
from homelab_mcp.model.lab import LabSettings

_SHORT = re.compile(
    r"(?:(?P<ip>\[[0-9a-fA-F:.]+\]|[0-9]+(?:\.[0-9]+){3}):)?(?:(?P<host>[0-9]+(?:-[0-9]+)?)?:)?(?P<inside>[0-9]+(?:-[0-9]+)?)"
    r"(?:/(?P<kind>tcp|udp|sctp))?"
)
_DEFAULT = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*:?-([^}]*)\}")


@dataclass(frozen=True, slots=True)
class Port:
    """One entry of ``ports``: on the host ("" where Docker chooses; may be a range), in the container, protocol."""

    host: str
    inside: str
    kind: str

    @property
    def number(self) -> int:
        """The container's port; 0 for a range."""
        return int(self.inside) if self.inside.isdigit() and int(self.inside) < 65536 else 0


@dataclass(frozen=True, slots=True)
class Chosen:
    """The web port (0: none), the entries that stay as Compose writes them, and what was changed, a sentence each."""

    web: int
    kept: tuple[str, ...]
    changed: tuple[str, ...]


def ports_of(body: Mapping[str, Any], lost: list[str]) -> list[Port]:
    """A service's ``ports``, from either form; what cannot be read is named in ``lost``."""
    found: list[Port] = []
    part = body.get("ports")
    for item in part if isinstance(part, list) else ():
        if isinstance(item, Mapping):
            port = Port(str(item.get("published", "")), str(item.get("target", "")), str(item.get("protocol", "tcp")))
            found.append(port)
            continue
        match = _SHORT.fullmatch(_DEFAULT.sub(r"\1", str(item)))
        if match:
            found.append(Port(match["host"] or "", match["inside"], match["kind"] or "tcp"))
        else:
            lost.append(f"The port {str(item)[:60]!r} cannot be read here.")
    return found


def choose(ports: Iterable[Port], wanted: int, hints: Iterable[int], settings: LabSettings) -> Chosen:
    """Which port the route leads to, and what is published besides.

    Args:
        ports: the service's own.
        wanted: the web port as a person gave it or labels said; 0: found out here.
        hints: ports that the image or ``expose`` names, taken where none is published.
        settings: the lab's.
    """
    ports = list(ports)
    tcp = [p for p in ports if p.kind == "tcp" and p.number]
    web = wanted or web_port([p.number for p in tcp]) or (0 if ports else web_port(list(hints)))
    kept: list[str] = []
    changed: list[str] = []
    for port in ports:
        if port.kind == "tcp" and port.number and port.number == web:
            changed.append(f"Port {port.host or web} of the host is not published: the route leads to port {web}.")
        elif port.number in DATABASE_PORTS and port.kind == "tcp":
            changed.append(f"Port {port.host} is not published: its own stack reaches the database by name.")
        elif not port.host:
            changed.append(f"Port {port.inside} is not published: it named no port of the host.")
        elif port.number and port.host.isdigit():
            kept.append(published(settings, int(port.host), port.number, port.kind))
        else:
            kept.append(f"{port.host}:{port.inside}" + (f"/{port.kind}" if port.kind != "tcp" else ""))
    return Chosen(web, tuple(dict.fromkeys(kept)), tuple(changed))
