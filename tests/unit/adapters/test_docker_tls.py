"""Certificates for Docker hosts: both ends trust each other and nobody else, keys stay private, rotation holds."""

from __future__ import annotations

import json
import shutil
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from homelab_mcp.adapters.docker_engine import DockerEngine
from homelab_mcp.adapters.docker_tls import DockerTls, days_left
from homelab_mcp.model.errors import EngineUnavailable, InvalidInput, NotFound


def _context(folder: Path, side: int) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.load_verify_locations(folder / "ca.pem")
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _meet(server: Path, client: Path, name: str) -> None:
    """A handshake in memory, as dockerd with --tlsverify and its client do it. Raises ssl.SSLError."""
    there, here = ssl.MemoryBIO(), ssl.MemoryBIO()
    far = _context(server, ssl.PROTOCOL_TLS_SERVER).wrap_bio(there, here, server_side=True)
    near = _context(client, ssl.PROTOCOL_TLS_CLIENT).wrap_bio(here, there, server_hostname=name)
    open_ends = [near, far]
    for _ in range(10):
        for end in list(open_ends):
            try:
                end.do_handshake()
                open_ends.remove(end)
            except ssl.SSLWantReadError:
                continue
        if not open_ends:
            return
    raise AssertionError("no handshake")


def test_both_ends_trust_each_other_and_the_names_count(tmp_path: Path) -> None:
    made = DockerTls(tmp_path).make("nas", ("nas.lan", "192.168.1.20"), 90)
    base = tmp_path / ".homelab" / "tls"
    server, client = base / "nas" / "server", base / "nas" / "client"
    _meet(server, client, "nas.lan")
    _meet(server, client, "192.168.1.20")
    with pytest.raises(ssl.SSLCertVerificationError):
        _meet(server, client, "other.lan")
    with pytest.raises(ssl.SSLError):
        # A client's certificate is no server's, whoever takes it off this machine.
        _meet(client, client, "nas.lan")
    assert {f.role: f.names for f in made} == {"ca": (), "server": ("nas.lan", "192.168.1.20"), "client": ()}
    assert days_left(client / "cert.pem") in (89, 90)
    files = [p for p in base.rglob("*") if p.is_file()]
    assert len(files) == 8
    assert {p.stat().st_mode & 0o777 for p in files} == {0o600}
    assert {p.stat().st_mode & 0o777 for p in base.rglob("*") if p.is_dir()} == {0o700}
    assert not list((base / "nas").rglob("ca-key.pem"))


def test_rotated_certificates_still_meet_the_old_ones(tmp_path: Path) -> None:
    tls = DockerTls(tmp_path)
    tls.make("nas", ("nas.lan",), 30)
    kept = tmp_path / "kept"
    (tmp_path / ".homelab/tls/nas/server").rename(kept)
    with pytest.raises(NotFound):
        tls.look("nas")
    tls.make("nas", ("nas.lan",), 400, again=True)
    client = tmp_path / ".homelab/tls/nas/client"
    _meet(kept, client, "nas.lan")
    _meet(tmp_path / ".homelab/tls/nas/server", client, "nas.lan")
    assert (days_left(client / "cert.pem") or 0) > 390
    assert {p.name for p in (tmp_path / ".homelab/tls/nas").iterdir()} == {"server", "client"}


def test_another_labs_client_is_turned_away(tmp_path: Path) -> None:
    for lab in ("one", "two"):
        (tmp_path / lab).mkdir()
        DockerTls(tmp_path / lab).make("nas", ("nas.lan",), 30)
    with pytest.raises(ssl.SSLError):
        _meet(tmp_path / "one/.homelab/tls/nas/server", tmp_path / "two/.homelab/tls/nas/client", "nas.lan")


def test_what_is_there_is_not_made_twice_by_mistake_and_a_name_is_needed(tmp_path: Path) -> None:
    tls = DockerTls(tmp_path)
    for names in ((), ("not a name\n",)):
        with pytest.raises(InvalidInput) as caught:
            tls.make("nas", names, 30)
        assert caught.value.code == "tls_names"
    tls.make("nas", ("nas.lan",), 30)
    with pytest.raises(InvalidInput) as caught:
        tls.make("nas", ("nas.lan",), 30)
    assert caught.value.code == "tls_exists"
    assert days_left(tmp_path / "nothing.pem") is None


def test_a_rotation_that_a_crash_ended_between_two_renames_is_done_to_its_end(tmp_path: Path) -> None:
    tls, base = DockerTls(tmp_path), tmp_path / ".homelab/tls/nas"
    tls.make("nas", ("nas.lan",), 30)
    kept = {role: (base / role / "cert.pem").read_text() for role in ("server", "client")}
    # The server's new folder was taken away since; the client's is whole.
    for role in kept:
        (base / role).rename(base / f"{role}.old")
    shutil.copytree(base / "client.old", base / "client.new")
    (base / "client.old/cert.pem").write_text("old")
    assert {one.role for one in tls.look("nas")} == {"ca", "server", "client"}
    assert {role: (base / role / "cert.pem").read_text() for role in kept} == kept
    assert {p.name for p in base.iterdir()} == {"server", "client"}


class SaysItsVersion(BaseHTTPRequestHandler):
    """What an engine answers to the first question."""

    def do_GET(self) -> None:
        body = json.dumps({"ApiVersion": "1.41", "Version": "20.10"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A server that wants a client's certificate of the CA in ``tmp_path``, as dockerd with --tlsverify does."""
    DockerTls(tmp_path).make("nas", ("127.0.0.1",), 30)
    server = ThreadingHTTPServer(("127.0.0.1", 0), SaysItsVersion)
    context = _context(tmp_path / ".homelab/tls/nas/server", ssl.PROTOCOL_TLS_SERVER)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_the_folders_ca_counts_whatever_the_environment_says(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    DockerTls(tmp_path / "other").make("nas", ("127.0.0.1",), 30)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "other/.homelab/tls/ca/ca.pem"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    def asked(folder: Path) -> object:
        engine = DockerEngine(f"tcp://127.0.0.1:{port}", read_seconds=5, certificates=str(folder))
        return engine.asked(lambda c: c.version(api_version=False))["Version"]

    assert asked(tmp_path / ".homelab/tls/nas/client") == "20.10"
    with pytest.raises(EngineUnavailable) as caught:
        asked(tmp_path / "other/.homelab/tls/nas/client")
    assert caught.value.code == "engine_tls"
