"""Where a container's port is reached from here: every way that leads to it and to nothing else."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from homelab_mcp.adapters.docker_engine import DockerEngine
from homelab_mcp.model.errors import HomelabError, ServiceFailed
from homelab_mcp.model.hosts import DockerHost


@dataclass(frozen=True, slots=True)
class Way:
    """One way to try: where to, and over which machine's ssh ("" for none)."""

    address: str
    port: int
    ssh: str = ""

    @property
    def place(self) -> str:
        """As a Host header has it."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


Found = Callable[[str], tuple[DockerEngine, DockerHost | None]]
"""The engine that has a container, and its host; None for this machine."""


def ways_to(
    raw: dict[str, Any],
    port: int,
    host: DockerHost | None,
    other: Callable[[str], dict[str, Any]],
    *,
    boxed: bool = False,
) -> Iterator[Way]:
    """Every way to a container's port, the best first.

    Args:
        raw: the container, as the engine inspects it.
        port: its port.
        host: the machine it runs on; None for this one.
        other: another container, by id: the one whose network it shares.
        boxed: this program runs in a container of that engine, where 127.0.0.1 is that container and not the machine.
    """
    mode = str((raw.get("HostConfig") or {}).get("NetworkMode") or "")
    if mode.startswith("container:"):
        # The network, its addresses and its published ports are that one's.
        yield from ways_to({**other(mode.partition(":")[2]), "HostConfig": {}}, port, host, other, boxed=boxed)
        return
    ssh = host.address if host is not None and host.kind == "ssh" else ""
    near = host is None or host.kind == "unix"
    if (near or ssh) and mode != "host":
        for address in _addresses(raw):
            yield Way(address, port, ssh)
    if boxed:
        return
    if (near or ssh) and mode == "host":
        yield Way("127.0.0.1", port, ssh)
    for address, published in _published(raw, port):
        if near or ssh:
            yield Way(_local(address), published, ssh)
        elif host is not None and host.routes_to and _open(address):
            yield Way(host.routes_to, published)


def _addresses(raw: dict[str, Any]) -> Iterator[str]:
    networks = (raw.get("NetworkSettings") or {}).get("Networks") or {}
    for key in ("IPAddress", "GlobalIPv6Address"):
        for name in sorted(networks):
            with suppress(ValueError):
                yield str(ipaddress.ip_address(str((networks[name] or {}).get(key) or "")))


def _published(raw: dict[str, Any], port: int) -> Iterator[tuple[str, int]]:
    for one in ((raw.get("NetworkSettings") or {}).get("Ports") or {}).get(f"{port}/tcp") or ():
        with suppress(ValueError):
            yield str(one.get("HostIp") or ""), int(one.get("HostPort") or "")


def _open(address: str) -> bool:
    return address in {"", "0.0.0.0", "::"} or not ipaddress.ip_address(address).is_loopback  # noqa: S104 - told apart


def _local(address: str) -> str:
    return "127.0.0.1" if address in {"", "0.0.0.0", "::"} else address  # noqa: S104 - told apart


def found_by(engine: Any, settings: Callable[[], Any]) -> Found:
    """Which engine has a container: this machine's, or that of one of several hosts.

    Args:
        engine: the lab's engine, one or all of several.
        settings: the lab's hosts.
    """

    def find(container_id: str) -> tuple[DockerEngine, DockerHost | None]:
        if not hasattr(engine, "holder"):
            return engine, _elsewhere(engine)
        name = engine.holder(container_id)
        one: DockerEngine = engine.at(name)
        return one, settings().hosts.get(name) or _elsewhere(one)

    return find


def _elsewhere(engine: DockerEngine) -> DockerHost | None:
    """This process's own engine may be another machine's too: DOCKER_HOST says so.

    Its containers' addresses could be those of other containers here, which must not get their keys.
    """
    address = engine.address
    scheme = urlsplit(address).scheme
    if scheme == "ssh":
        return DockerHost(address=address)
    if scheme in ("unix", "npipe", "") or _knows_us(engine):
        return None
    raise ServiceFailed(
        f"Docker is another machine's ({address}), and its containers have no address here.",
        hint="Name that machine in hosts.yaml by ssh://, or run homelab-mcp there.",
        code="service_unreached",
    )


def _knows_us(engine: DockerEngine) -> bool:
    """Whether this program runs in a container of that engine (behind a socket proxy, for one)."""
    try:
        engine.raw(socket.gethostname())
    except HomelabError:
        return False
    return True
