"""The change of the authority in stages, against TLS servers that read their files when they start, as dockerd does."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from homelab_mcp.adapters.docker_ca import DockerCa
from homelab_mcp.adapters.docker_tls import DockerTls
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.hosts import CaHost, CaStage, DockerHost


class Answers(BaseHTTPRequestHandler):
    """Says OK to whoever got this far."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


class Machine:
    """A server on one port, whose files are copies of what was made for it."""

    def __init__(self, made: Path, copies: Path) -> None:
        self._made, self._copies = made, copies
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.copy_and_restart()

    def copy_and_restart(self, *files: str) -> None:
        self._copies.mkdir(exist_ok=True)
        for name in files or ("ca.pem", "cert.pem", "key.pem"):
            (self._copies / name).write_bytes((self._made / name).read_bytes())
        self.stop()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_verify_locations(self._copies / "ca.pem")
        context.load_cert_chain(self._copies / "cert.pem", self._copies / "key.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Answers)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[dict[str, Machine]]:
    found = {}
    for name in ("nas", "shed"):
        DockerTls(tmp_path).make(name, ("127.0.0.1",), 30)
        found[name] = Machine(tmp_path / ".homelab/tls" / name / "server", tmp_path / f"there-{name}")
    yield found
    for machine in found.values():
        machine.stop()


def _hosts(root: Path, machines: dict[str, Machine]) -> dict[Path, DockerHost]:
    return {
        (root / ".homelab/tls" / name / "client").resolve(): DockerHost(
            address=f"tcp://127.0.0.1:{machine.port}", certificates=f".homelab/tls/{name}/client", timeout=10
        )
        for name, machine in machines.items()
    }


def _stages(found: tuple[CaHost, ...]) -> dict[str, str]:
    assert not [one for one in found if one.error], found
    return {one.name: str(one.stage) for one in found}


def test_each_host_goes_at_its_own_pace_and_the_old_ca_ends_with_the_last(
    tmp_path: Path, machines: dict[str, Machine]
) -> None:
    ca, hosts = DockerCa(tmp_path), _hosts(tmp_path, machines)
    base = tmp_path / ".homelab/tls"
    old = (base / "ca/ca.pem").read_text()
    assert ca.look(hosts) == ()

    assert _stages(ca.step(hosts, 90)) == {"nas": "copy", "shed": "copy"}
    with pytest.raises(InvalidInput) as refused:
        DockerTls(tmp_path).make("nas", ("127.0.0.1",), 30, again=True)
    assert refused.value.code == "tls_renewing"

    machines["nas"].copy_and_restart()
    assert _stages(ca.look(hosts)) == {"nas": "switch", "shed": "copy"}
    assert _stages(ca.step(hosts, 90)) == {"nas": "narrow", "shed": "copy"}
    machines["nas"].copy_and_restart("ca.pem")
    assert _stages(ca.step(hosts, 90)) == {"nas": "done", "shed": "copy"}
    machines["shed"].copy_and_restart()
    assert _stages(ca.step(hosts, 90)) == {"nas": "done", "shed": "narrow"}
    assert (base / "ca/ca.pem").read_text() == old
    machines["shed"].copy_and_restart("ca.pem")
    assert ca.step(hosts, 90) == ()

    new = (base / "ca/ca.pem").read_text()
    assert new != old
    assert {p.read_text() for p in base.glob("*/*/ca.pem")} == {new}
    assert sorted(p.name for p in (base / "ca").iterdir()) == ["ca-key.pem", "ca.pem"]
    assert {p.name for p in (base / "nas").iterdir()} == {"server", "client"}
    assert {p.stat().st_mode & 0o777 for p in base.rglob("*") if p.is_file()} == {0o600}
    # What is made from now on is of the new one, and meets what the hosts trust.
    DockerTls(tmp_path).make("nas", ("127.0.0.1",), 30, again=True)
    machines["nas"].copy_and_restart()
    assert _stages(ca.step(_hosts(tmp_path, machines), 90)) == {"nas": "copy", "shed": "copy"}


def test_a_host_that_does_not_answer_or_has_half_of_it_holds_the_end_up_and_is_told(
    tmp_path: Path, machines: dict[str, Machine]
) -> None:
    ca, hosts = DockerCa(tmp_path), _hosts(tmp_path, machines)
    ca.step(hosts, 90)
    machines["nas"].copy_and_restart("cert.pem", "key.pem")  # and not ca.pem
    machines["shed"].stop()
    found = {one.name: one for one in ca.step(hosts, 90)}
    assert found["nas"].stage is CaStage.COPY
    assert "does not trust the new CA" in found["nas"].error
    assert found["shed"].stage is CaStage.COPY
    assert "does not answer" in found["shed"].error
    machines["nas"].copy_and_restart()
    machines["shed"].copy_and_restart()
    assert _stages(ca.step(hosts, 90)) == {"nas": "narrow", "shed": "narrow"}
    for machine in machines.values():
        machine.copy_and_restart("ca.pem")
    # A crash in the middle of the end.
    base = tmp_path / ".homelab/tls/ca"
    (base / "ca.pem").write_bytes((base / "next.pem").read_bytes())
    assert _stages(ca.look(hosts)) == {"nas": "done", "shed": "done"}
    assert ca.step(hosts, 90) == ()
    assert not (base / "next.pem").exists()
    DockerTls(tmp_path).make("third", ("127.0.0.1",), 30)


def test_a_host_that_is_in_no_file_holds_nothing_up_and_gets_the_new_ca(
    tmp_path: Path, machines: dict[str, Machine]
) -> None:
    ca = DockerCa(tmp_path)
    assert _stages(ca.step({}, 90)) == {"nas": "unasked", "shed": "unasked"}
    assert ca.step({}, 90) == ()
    for machine in machines.values():
        machine.copy_and_restart()
    assert _stages(ca.step(_hosts(tmp_path, machines), 90)) == {"nas": "copy", "shed": "copy"}


def test_without_certificates_there_is_nothing_to_change(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as refused:
        DockerCa(tmp_path).step({}, 90)
    assert refused.value.code == "tls_missing"
