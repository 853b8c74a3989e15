"""The way to a container: where it leads for each kind of engine, and HTTP over it that ends in time."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.adapters.service_calls import ContainerCalls, Line
from homelab_mcp.adapters.service_ways import Way, found_by, ways_to
from homelab_mcp.model.errors import EngineFailed, ServiceFailed
from homelab_mcp.model.hosts import DockerHost
from homelab_mcp.model.service_http import HttpAsk

NAS = DockerHost(address="ssh://me@nas.lan")
PI = DockerHost(address="tcp://192.168.1.9:2376", certificates="certs/pi")


def container(mode: str = "web", networks: dict[str, str] | None = None, ports: Any = None) -> dict[str, Any]:
    nets = {name: {"IPAddress": address} for name, address in (networks or {"web": "172.30.0.5"}).items()}
    return {
        "Name": "/memo",
        "HostConfig": {"NetworkMode": mode},
        "NetworkSettings": {"Networks": nets, "Ports": ports or {}},
    }


def ways(raw: dict[str, Any], host: DockerHost | None = None, *, boxed: bool = False) -> list[tuple[str, int, str]]:
    gateway = container("vpn", {"vpn": "172.31.0.2"}, {"8080/tcp": [{"HostIp": "0.0.0.0", "HostPort": "9000"}]})
    return [(w.address, w.port, w.ssh) for w in ways_to(raw, 8080, host, lambda _: gateway, boxed=boxed)]


OPEN = {"8080/tcp": [{"HostIp": "0.0.0.0", "HostPort": "18080"}], "53/udp": None}
LOOPBACK = {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18080"}]}


def test_here_it_is_the_containers_own_address_and_then_its_published_port() -> None:
    assert ways(container()) == [("172.30.0.5", 8080, "")]
    both = ways(container(networks={"b": "10.0.0.2", "a": "10.1.0.2"}, ports=OPEN))
    assert both == [("10.1.0.2", 8080, ""), ("10.0.0.2", 8080, ""), ("127.0.0.1", 18080, "")]
    assert ways(container("host", {"host": ""})) == [("127.0.0.1", 8080, "")]
    assert ways(container("none", {"none": ""})) == []


def test_who_shares_a_gateways_network_is_at_its_address() -> None:
    assert ways(container("container:abc", {})) == [("172.31.0.2", 8080, ""), ("127.0.0.1", 9000, "")]


def test_in_a_container_only_common_networks_lead_there() -> None:
    assert ways(container(ports=OPEN), boxed=True) == [("172.30.0.5", 8080, "")]
    assert ways(container("host", {"host": ""}), boxed=True) == []


def test_on_another_host_ssh_opens_the_way_and_tls_needs_a_published_port() -> None:
    at = "ssh://me@nas.lan"
    assert ways(container(ports=LOOPBACK), NAS) == [("172.30.0.5", 8080, at), ("127.0.0.1", 18080, at)]
    assert ways(container(ports=OPEN), PI) == [("192.168.1.9", 18080, "")]
    assert ways(container(ports=LOOPBACK), PI) == []
    assert ways(container(), PI) == []


class FakeEngine:
    """An engine at an address that knows one container."""

    def __init__(self, address: str, known: str = "c1") -> None:
        self.address, self.known = address, known

    def raw(self, container_id: str) -> dict[str, Any]:
        if container_id != self.known:
            raise EngineFailed("There is no such container.")
        return container()


def test_another_machines_engine_is_never_mistaken_for_this_ones() -> None:
    far: Any = FakeEngine("tcp://10.0.0.9:2375")
    with pytest.raises(ServiceFailed) as caught:
        found_by(far, lambda: None)("c1")
    assert caught.value.code == "service_unreached"
    assert "hosts.yaml" in caught.value.hint
    # Behind a socket proxy, in a container of that engine: it knows this program's own container.
    near: Any = FakeEngine("tcp://proxy:2375", socket.gethostname())
    assert found_by(near, lambda: None)("c1") == (near, None)
    ssh: Any = FakeEngine("ssh://me@nas.lan")
    assert found_by(ssh, lambda: None)("c1") == (ssh, NAS)


@contextmanager
def speaking(*parts: bytes, hang: bool = False) -> Iterator[int]:
    """A port that answers the first connection with these bytes, and then closes or hangs."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            conn, _ = server.accept()
            with conn:
                conn.recv(65536)
                for part in parts:
                    conn.sendall(part)
                if hang:
                    done.wait(10)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        done.set()
        thread.join(5)


def ask(port: int, seconds: float = 5.0) -> Any:
    return Line("memo", 8080, [Way("127.0.0.1", port)]).ask(HttpAsk("GET", "/x", {"X-Key": "k"}, None, seconds))


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Sid: abc\r\n"


def test_an_answer_is_read_to_its_end_and_no_further() -> None:
    with speaking(HEAD + b"Content-Length: 2\r\n\r\n{}trailing") as port:
        answer = ask(port)
    assert (answer.status, answer.body, answer.cut, answer.headers["x-sid"]) == (200, b"{}", False, "abc")
    with speaking(HEAD + b"\r\n", b"x" * (5 * 1024 * 1024)) as port:
        assert ask(port).cut is True


@pytest.mark.parametrize("said", [b"", HEAD + b"Content-Length: 100\r\n\r\n{}", b"SSH-2.0-OpenSSH\r\n"])
def test_half_an_answer_is_no_answer(said: bytes) -> None:
    with speaking(said) as port, pytest.raises(ServiceFailed) as caught:
        ask(port)
    assert caught.value.code == "service_silent"


def test_one_that_says_nothing_does_not_hold_anybody_up() -> None:
    with speaking(hang=True) as port, pytest.raises(ServiceFailed) as caught:
        ask(port, 0.3)
    assert (caught.value.code, "in time" in caught.value.message) == ("service_silent", True)


def test_nobody_there_means_that_nothing_was_sent_and_the_next_way_is_tried() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    with pytest.raises(ServiceFailed) as caught:
        ask(closed)
    assert (caught.value.code, "nothing was sent" in caught.value.message) == ("service_unreached", True)
    with speaking(HEAD + b"Content-Length: 2\r\n\r\n{}") as port:
        line = Line("memo", 8080, [Way("127.0.0.1", closed), Way("127.0.0.1", port)])
        assert line.ask(HttpAsk("GET", "/")).status == 200
        assert line.place == f"127.0.0.1:{port}"


def test_a_container_without_an_address_is_told() -> None:
    engine: Any = FakeEngine("unix:///var/run/docker.sock")
    engine.raw = lambda _: container("none", {"none": ""})
    with pytest.raises(ServiceFailed) as caught, ContainerCalls(lambda _: (engine, None)).line("c1", 80):
        pass
    assert caught.value.code == "service_unreached"


SSH = """\
#!{python}
# A stand-in for ssh: opens the way that -W names, from this machine, or says that it cannot.
import select, socket, sys
host, _, port = sys.argv[sys.argv.index("-W") + 1].rpartition(":")
try:
    far = socket.create_connection((host, int(port)), 5)
except OSError as error:
    sys.exit(f"channel 0: open failed: connect failed: {{error.strerror}}")
near = socket.socket(fileno=0)
while True:
    for one in select.select([near, far], [], [])[0]:
        data = one.recv(65536)
        if not data:
            sys.exit(0)
        (far if one is near else near).sendall(data)
"""


def test_over_ssh_it_is_known_whether_anything_was_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ssh").write_text(SSH.format(python=sys.executable))
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def over(port: int) -> Any:
        line = Line("memo", 8080, [Way("127.0.0.1", port, "ssh://me@nas.lan")])
        return line.ask(HttpAsk("GET", "/x", {}, None, 5.0))

    with speaking(HEAD + b"Content-Length: 2\r\n\r\n{}") as port:
        assert over(port).body == b"{}"
    with speaking(b"") as port, pytest.raises(ServiceFailed) as caught:
        over(port)
    assert caught.value.code == "service_silent"
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    with pytest.raises(ServiceFailed) as caught:
        over(closed)
    assert (caught.value.code, "nothing was sent" in caught.value.message) == ("service_unreached", True)
