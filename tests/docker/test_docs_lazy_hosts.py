"""The listing of docs/lazy-loading.md about a service on another host, typed as it stands there.

Real here: the command, both engines, SSH, Compose, Traefik, its certificate, each request. Stand-ins: Sablier and its
plugin (they do the same by the same API) and the service's program. The log-in is Traefik's own, by password.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.workflow.change_hosts import added, write_hosts
from testbed import Scratch
from testbed.definitions import definition, provide
from testbed.docker_engine import wait_until
from testbed.images import ensure_socket_proxy
from tests.doc_play import played
from tests.docker.doc_rig import APPROVE, CORE, OWN, edge_lab, shell_of
from tests.docker.host_rig import OtherMachine
from tests.sablier_stand_in import PLUGIN_FLAG, put_plugin
from tests.sablier_stand_in.container import ensure_sablier

pytestmark = [pytest.mark.timeout(580), pytest.mark.nightly]

HOST = "tools.example.org"
KNOWN = base64.b64encode(b"nobody:known").decode()


@pytest.fixture
def nas(docker_engine: str) -> Iterator[OtherMachine]:
    images = [i.reference for i in provide([definition("it-tools")])]
    sablier = definition("sablier")
    proxy = ensure_socket_proxy(next(iter(sablier.companions.values())).image.reference).reference
    mine = ensure_sablier("homelab-testbed/sablier:asks").reference
    with OtherMachine(63) as machine:
        machine.load(*images, proxy, mine)
        machine.docker("tag", mine, sablier.container.image.reference)
        yield machine


def test_a_service_elsewhere_sleeps_and_is_kept_awake_again(
    nas: OtherMachine, tmp_path: Path, testbed_run: Scratch
) -> None:
    core = CORE.replace("    command:\n", f"    command:\n      - {PLUGIN_FLAG}\n")
    core = core.replace('/dynamic:ro"]', '/dynamic:ro", "./plugins-local:/plugins-local:ro"]')
    own = OWN.replace("{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc=", "{SHA}" + sha("known"))
    root = edge_lab(tmp_path, testbed_run, (HOST,), core=core, own=own, put=put_plugin)
    port = open_lab(str(root)).settings.https_port
    here = open_lab(str(root))
    write_hosts(here, added(here, "nas", nas.socket, "", "", 5.0, unreached=False, private=nas.address))

    trust = ssl.create_default_context(cafile=tmp_path / "root.pem")
    shell = shell_of(root, {})
    with played("docs/lazy-loading.md", __file__) as play:
        play.type(shell, play.beginning("add it-tools"), replies=APPROVE)
        before = (root / "nas-tools/compose.yaml").read_bytes()
        assert asked(port, trust)[0] == 401, "the log-in is asked"
        play.type(shell, play.beginning("lazy it-tools on"), replies=APPROVE)
        assert nas.published("sablier-nas") == {(nas.address, "10000")}
        nas.docker("stop", "--time", "0", "it-tools")
        assert asked(port, trust)[0] == 401
        assert "it-tools" not in nas.running(), "who is not logged in wakes nobody"
        wait_until(lambda: "stand-in for it-tools" in asked(port, trust, KNOWN)[1], "the service that a visit wakes")
        play.type(shell, play.beginning("lazy it-tools off"), replies=APPROVE)
    assert (root / "nas-tools/compose.yaml").read_bytes() == before
    assert nas.running() == {"it-tools"}


def sha(word: str) -> str:
    """A password as ``htpasswd -s`` writes it."""
    return base64.b64encode(hashlib.sha1(word.encode(), usedforsecurity=False).digest()).decode()


def asked(port: int, trust: ssl.SSLContext, known: str = "") -> tuple[int, str]:
    """Status and text of the page by HTTPS through Traefik, which must have the certificate."""
    who = f"Authorization: Basic {known}\r\n" if known else ""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        trust.wrap_socket(plain, server_hostname=HOST) as secure,
    ):
        secure.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n{who}Connection: close\r\n\r\n".encode())
        text = b""
        while chunk := secure.recv(65536):
            text += chunk
    return int(text.split()[1]), text.decode(errors="replace")
