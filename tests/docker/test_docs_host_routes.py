"""The listing of docs/hosts.md about services elsewhere behind this machine's Traefik, typed as it stands there.

Real here: the command, both engines, SSH, Compose, Traefik, its certificate, each request. Stand-ins: the services'
programs. The log-in is Traefik's own, by password.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.core.host_routes import FILE
from testbed import Scratch, stand_in
from testbed.definitions import definition, provide
from tests.doc_play import played
from tests.docker.doc_rig import APPROVE, SSH_NAME, WRITE, edge_lab, shell_of
from tests.docker.host_rig import OtherMachine

pytestmark = [pytest.mark.timeout(580), pytest.mark.nightly]

PAINT = "ghcr.io/me/paint:1"


@pytest.fixture
def nas(docker_engine: str) -> Iterator[OtherMachine]:
    images = provide([definition("uptime-kuma")])
    stand_in(PAINT, service="paint", ports=[3000])
    with OtherMachine(95) as machine:
        machine.load(PAINT, *(image.reference for image in images))
        yield machine


def test_services_elsewhere_are_reached_by_https_through_this_machine(
    nas: OtherMachine, tmp_path: Path, testbed_run: Scratch
) -> None:
    root = edge_lab(tmp_path, testbed_run, ("uptime-kuma.example.org", "paint.example.org"))
    port = open_lab(str(root)).settings.https_port

    shell = shell_of(root, {"192.168.1.20": nas.address}, programs=nas.sshd(SSH_NAME))
    with played("docs/hosts.md", __file__) as play:
        play.type(shell, play.beginning("host add"), replies=WRITE)
        (kuma,) = play.type(shell, play.beginning("add "), replies=APPROVE)
        assert "https://uptime-kuma.example.org" in play.beginning("add ").text
        (paint,) = play.type(shell, play.beginning("add-custom"), replies=APPROVE)
    assert {"uptime-kuma", "paint"} <= nas.running(), (kuma, paint)
    assert nas.published("paint") == {(nas.address, "3000")}
    (dynamic,) = root.glob("*/traefik/dynamic")
    assert FILE in {path.name for path in dynamic.iterdir()}

    trust = ssl.create_default_context(cafile=tmp_path / "root.pem")
    for name in ("uptime-kuma", "paint"):
        assert asked(port, f"{name}.example.org", trust) == 401, f"{name}: the log-in is asked"


def asked(port: int, host: str, trust: ssl.SSLContext) -> int:
    """The status of a page by HTTPS through Traefik, which must have the certificate."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        trust.wrap_socket(plain, server_hostname=host) as secure,
    ):
        secure.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return int(secure.recv(65536).split()[1])
