"""Whether services are reached through Traefik as their entries say: by whom, at which port, on which paths."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from homelab_mcp.model.definition import ServiceDefinition
from testbed import TestbedError
from testbed.docker_engine import docker, wait_until
from tests.docker.lab import SESSION, RealLab


def gateway_of(definition: ServiceDefinition) -> str:
    """The definition of the VPN gateway that carries it unless told otherwise; "" where none does."""
    return definition.gateway or "" if definition.vpn.use == "recommended" else ""


def answers(port: int) -> bool:
    """Whether a page answers on a port of loopback, by HTTP or by HTTPS with whatever certificate."""
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    for secure in (False, True):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            asked = anybody.wrap_socket(connection) if secure else connection
            asked.sendall(b"GET / HTTP/1.0\r\n\r\n")
            if asked.recv(1) == b"H":
                return True
    return False


def server_problems(lab: RealLab, entries: Sequence[ServiceDefinition]) -> dict[str, str]:
    """By entry: where Traefik, by its own word, sends requests elsewhere than to the container's port."""
    (network,) = json.loads(docker("network", "inspect", lab.routes))
    addresses = {c["Name"]: c["IPv4Address"].partition("/")[0] for c in network["Containers"].values()}
    servers = {s["name"]: s.get("serverStatus") for s in lab.traefik("http/services")}
    found = {}
    for entry in entries:
        assert entry.route is not None
        carrier = lab.named(entry.id) + (f"-{gateway_of(entry)}" if gateway_of(entry) else "")
        url = f"{entry.route.scheme}://{addresses.get(carrier)}:{entry.route.port}"
        if servers.get(f"{lab.named(entry.id)}@docker") != {url: "UP"}:
            found[entry.id] = f"Traefik sends to {servers.get(f'{lab.named(entry.id)}@docker')}, not {url}"
    return found


def route_problems(lab: RealLab, entries: Sequence[ServiceDefinition]) -> dict[str, str]:
    """By entry: what a stranger or a known person gets that is not as it should be."""
    wanted = {f"{lab.named(entry.id)}@docker" for entry in entries}

    def missing() -> set[str]:
        # The route of a container that is not healthy yet is there too, and leads nowhere: to a server without address.
        led = {s["name"] for s in lab.traefik("http/services") if any(s.get("serverStatus", {}))}
        return wanted - {
            r["name"] for r in lab.traefik("http/routers") if r["status"] == "enabled" and r["name"] in led
        }

    with suppress(TestbedError):
        wait_until(lambda: not missing(), "Traefik to know every service", within=30, every=0.5)
    unknown = missing()
    known = [entry for entry in entries if f"{lab.named(entry.id)}@docker" not in unknown]
    said: dict[str, str] = {}
    # Traefik tells of a server a moment before it sends there; until then its answer is 500. What is wrong stays wrong.
    for pause in (0, 2, 4):
        time.sleep(pause)
        ask = [entry for entry in known if said.get(entry.id, "not asked")]
        with ThreadPoolExecutor(4) as pool:
            said |= zip((e.id for e in ask), pool.map(lambda e: _route_problem(lab, e), ask), strict=True)
        if not any(said.values()):
            break
    lost = {e.id: "Traefik knows no such router, or no server of it" for e in entries if e not in known}
    return {**lost, **{name: problem for name, problem in said.items() if problem}}


def _route_problem(lab: RealLab, entry: ServiceDefinition) -> str:
    assert entry.route is not None
    host = f"{entry.route.subdomain}.{lab.domain}"
    try:
        return _asked(lab, entry, host)
    except OSError as error:
        # One that hangs is a problem of its own, and no reason to leave the others unasked.
        return f"{host}: does not answer: {error}"


def _asked(lab: RealLab, entry: ServiceDefinition, host: str) -> str:
    assert entry.route is not None
    mine = f"stand-in for {entry.id}"
    stranger = lab.https(host)
    if entry.route.sso.policy in ("protect", "two_factor"):
        if stranger.status != 302 or not stranger.headers["location"].startswith(f"https://auth.{lab.domain}/"):
            return f"{host}: a stranger gets {stranger.status}, not the log-in"
        for path in entry.route.sso.api_paths:
            if mine not in lab.https(host, path).body:
                return f"{host}{path}: does not pass without log-in"
        if lab.https(host, "/x-not-an-api").status != 302:
            return f"{host}: another path passes without log-in"
    elif mine not in stranger.body:
        return f"{host}: a stranger does not reach it: {stranger.status}"
    known = lab.https(host, cookie=SESSION)
    right = (known.status, known.body.partition("\n")[0]) == (200, mine)
    return "" if right else f"{host}: a known person gets {known.status} {known.body[:80]}"
