"""TCP and UDP of services on a second real Docker host, through the core host's real Traefik by the file of a plan.

Real here: both engines, Traefik, the plan that writes its file, every connection and packet. Stand-ins: the services'
programs (small web servers, asked in plain TCP); what answers UDP is a program in the other machine's network.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.model.plan import PlanState
from homelab_mcp.queries.validate_lab import check
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.change_hosts import added, write_hosts
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.propose_env import propose_env
from testbed import Scratch, free_port, stand_in
from testbed.docker_engine import wait_until
from testbed.images import ensure_traefik
from tests.docker.host_rig import OtherMachine
from tests.docker.lab import PIN, REQUESTER, WATCHED

pytestmark = pytest.mark.timeout(240)

IMAGE = "homelab-testbed/stream:1"
CORE = """services:
  traefik:
    image: TRAEFIK
    restart: unless-stopped
    command:
      - --providers.file.directory=/dynamic
      - --entrypoints.websecure.address=:443
      - --entrypoints.db.address=:6379
      - --entrypoints.dns.address=:5353/udp
    ports: ["127.0.0.1:TLS:443", "127.0.0.1:PLAIN:6379", "127.0.0.1:PACKETS:5353/udp"]
    volumes: ["./traefik/dynamic:/dynamic:ro"]
"""
FAR = """x-homelab:
  host: shed

services:
  named:
    image: IMAGE
    restart: unless-stopped
    ports: ["PRIVATE:13000:3000"]
    labels:
      traefik.enable: "true"
      traefik.tcp.routers.named.rule: HostSNI(`named.lab.test`)
      traefik.tcp.routers.named.entrypoints: websecure
      traefik.tcp.routers.named.tls: "true"
      traefik.tcp.services.named.loadbalancer.server.port: "3000"
  plain:
    image: IMAGE
    restart: unless-stopped
    ports: ["PRIVATE:13001:3000"]
    labels:
      traefik.enable: "true"
      traefik.tcp.routers.plain.rule: HostSNI(`*`)
      traefik.tcp.routers.plain.entrypoints: db
      traefik.tcp.services.plain.loadbalancer.server.port: "3000"
  second:
    image: IMAGE
    restart: unless-stopped
    ports: ["PRIVATE:13002:3000"]
    labels:
      traefik.enable: "true"
      traefik.tcp.routers.second.rule: HostSNI(`*`)
      traefik.tcp.routers.second.entrypoints: db
      traefik.tcp.services.second.loadbalancer.server.port: "3000"
  names:
    image: IMAGE
    restart: unless-stopped
    network_mode: host
    labels:
      traefik.enable: "true"
      traefik.udp.routers.names.entrypoints: dns
      traefik.udp.services.names.loadbalancer.server.port: "5353"
"""
ECHO = """import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((sys.argv[1], 5353)); print("up", flush=True)
while True:
    data, who = s.recvfrom(2048); s.sendto(b"far says " + data, who)
"""


@pytest.fixture
def shed(docker_engine: str) -> Iterator[OtherMachine]:
    with OtherMachine(76) as machine:
        words = ["nsenter", f"--net=/var/run/netns/{machine.name}", sys.executable, "-c", ECHO, machine.address]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as echo:
            try:
                assert echo.stdout
                assert echo.stdout.readline()
                yield machine
            finally:
                echo.terminate()


def _first_line(channel: socket.socket, host: str) -> str:
    channel.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    received = b"".join(iter(lambda: channel.recv(65536), b""))
    body = received.partition(b"\r\n\r\n")[2].decode(errors="replace")
    # Nobody has read the request on its way, as a router of HTTP would: it adds such headers.
    assert "X-Forwarded-For" not in body
    return body.splitlines()[0] if body else ""


def test_what_is_plain_what_is_named_and_what_is_a_packet_arrive_on_the_other_host(
    shed: OtherMachine, tmp_path: Path
) -> None:
    root = tmp_path / "stacks"
    with Scratch() as scratch:
        traefik = ensure_traefik("traefik:v3.7.13").reference
        stand_in(IMAGE, service="far", ports=[3000])
        shed.load(IMAGE)
        init_lab(open_lab(str(root), files_only=True), {"domain": "lab.test"}, PIN)
        lab = open_lab(str(root))
        write_hosts(lab, added(lab, "shed", shed.socket, "", "", 5.0, unreached=False, private=shed.address))
        edge, far = (scratch.claim_project(f"{what}-{scratch.run_id}") for what in ("edge", "far"))
        ports = {word: free_port() for word in ("TLS", "PLAIN", "PACKETS")}
        core = CORE.replace("TRAEFIK", traefik)
        for word, port in ports.items():
            core = core.replace(f":{word}:", f":{port}:")
        for stack, text in ((edge, core), (far, FAR.replace("IMAGE", IMAGE).replace("PRIVATE", shed.address))):
            (root / stack).mkdir()
            (root / stack / "compose.yaml").write_text(text)
        (root / edge / "traefik/dynamic").mkdir(parents=True)
        lab = open_lab(str(root))
        lab.compose.up(edge, ())
        lab.compose.up(far, ())

        plan = propose_env(lab, far, {"ANY": "1"}, REQUESTER)
        told = [f.message for f in check(lab).findings if f.rule == "HL270"]
        assert len(told) == 1, told
        assert "second on shed" in told[0]
        assert f"entry point db leads to {far}/plain already" in told[0]
        approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
        done = applier(lab, WATCHED).run(plan.id)
        assert done.state is PlanState.DONE, done

        def plain() -> str:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", ports["PLAIN"]), 5) as channel:
                return _first_line(channel, "any")
            return ""

        def named(name: str) -> str:
            trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", ports["TLS"]), 5) as channel,
                trust.wrap_socket(channel, server_hostname=name) as secure,
            ):
                return _first_line(secure, name)
            return ""

        def packet() -> bytes:
            with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
                channel.settimeout(2)
                channel.sendto(b"hello", ("127.0.0.1", ports["PACKETS"]))
                return channel.recv(2048)
            return b""

        wait_until(lambda: plain() == "stand-in for far", "plain TCP", within=60)
        wait_until(lambda: named("named.lab.test") == "stand-in for far", "TCP by its name", within=60)
        assert named("other.lab.test") != "stand-in for far"
        wait_until(lambda: packet() == b"far says hello", "a packet and its answer", within=60)
