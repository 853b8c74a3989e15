"""The change of the authority in stages, against TLS servers that read their files when they start, as dockerd does."""

from __future__ import annotations

import shutil
import ssl
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from homelab_mcp.adapters.docker_ca import DockerCa
from homelab_mcp.adapters.docker_tls import DockerTls
from homelab_mcp.adapters.tls_authority import issued, read_certificate
from homelab_mcp.adapters.tls_issue import authority, issue, key_pem, pem
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.hosts import CaHost, CaStage, DockerHost


class Answers(BaseHTTPRequestHandler):
    """Says OK to whoever got this far, or what the machine was told to say in its turn: 0 breaks the connection."""

    def do_GET(self) -> None:
        machine = self.server.machine  # type: ignore[attr-defined]
        status = machine.says.pop(0) if machine.says else 200
        if machine.then_away and not machine.says:
            machine.context = machine.stranger
        if not status:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


class Tls(ThreadingHTTPServer):
    """Takes each connection by what its machine trusts at that moment."""

    machine: Machine

    def get_request(self) -> tuple[ssl.SSLSocket, object]:
        plain, address = self.socket.accept()
        context = self.machine.context
        return context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, *_: object) -> None:
        return


class Machine:
    """A server on one port, whose files are copies of what was made for it.

    ``says``: the next answers' statuses; ``then_away``: after those everybody is turned away; ``oldest``: of TLS.
    """

    context: ssl.SSLContext
    oldest = ssl.TLSVersion.TLSv1_2

    def __init__(self, made: Path, copies: Path) -> None:
        self._made, self._copies = made, copies
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.says: list[int] = []
        self.then_away = False
        self.copy_and_restart()

    def copy_and_restart(self, *files: str) -> None:
        self._copies.mkdir(exist_ok=True)
        for name in files or ("ca.pem", "cert.pem", "key.pem"):
            (self._copies / name).write_bytes((self._made / name).read_bytes())
        self.stop()
        self.context = self._trusting(self._copies / "ca.pem")
        self._server = Tls(("127.0.0.1", self.port), Answers)
        self._server.machine = self
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _trusting(self, ca: Path) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = self.oldest
        context.load_verify_locations(ca)
        context.load_cert_chain(self._copies / "cert.pem", self._copies / "key.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    @property
    def stranger(self) -> ssl.SSLContext:
        """Of a machine that trusts nobody from here."""
        (self._copies / "other.pem").write_text(pem(authority()[0]))
        return self._trusting(self._copies / "other.pem")

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


def _stages(found: tuple[CaHost, ...] | None) -> dict[str, str]:
    assert found is not None
    assert not [one for one in found if one.error], found
    return {one.name: str(one.stage) for one in found}


def test_each_host_goes_at_its_own_pace_and_the_old_ca_ends_with_the_last(
    tmp_path: Path, machines: dict[str, Machine]
) -> None:
    ca, hosts = DockerCa(tmp_path), _hosts(tmp_path, machines)
    base = tmp_path / ".homelab/tls"
    old = (base / "ca/ca.pem").read_text()
    assert ca.look(hosts) is None

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
    assert ca.step(hosts, 90) is None

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
    found = {one.name: one for one in ca.step(hosts, 90) or ()}
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
    assert ca.step(hosts, 90) is None
    assert not (base / "next.pem").exists()
    DockerTls(tmp_path).make("third", ("127.0.0.1",), 30)


def test_a_host_that_is_in_no_file_holds_nothing_up_and_gets_the_new_ca(
    tmp_path: Path, machines: dict[str, Machine]
) -> None:
    ca = DockerCa(tmp_path)
    assert _stages(ca.step({}, 90)) == {"nas": "unasked", "shed": "unasked"}
    assert ca.step({}, 90) is None
    for machine in machines.values():
        machine.copy_and_restart()
    assert _stages(ca.step(_hosts(tmp_path, machines), 90)) == {"nas": "copy", "shed": "copy"}


def test_without_certificates_there_is_nothing_to_change(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as refused:
        DockerCa(tmp_path).step({}, 90)
    assert refused.value.code == "tls_missing"


def _nas(root: Path, machines: dict[str, Machine]) -> Machine:
    """One host alone."""
    machines.pop("shed").stop()
    shutil.rmtree(root / ".homelab/tls/shed")
    return machines["nas"]


def test_a_host_that_turns_our_ended_certificate_away_still_comes_to_the_end(
    tmp_path: Path, machines: dict[str, Machine]
) -> None:
    nas, base = _nas(tmp_path, machines), tmp_path / ".homelab/tls"
    signing = load_pem_private_key((base / "ca/ca-key.pem").read_bytes(), None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    ca = x509.load_pem_x509_certificate((base / "ca/ca.pem").read_bytes())
    ended, key = issue(ca, signing, "homelab-mcp for nas", [], ExtendedKeyUsageOID.CLIENT_AUTH, 0)
    (base / "nas/client/cert.pem").write_text(pem(ended))
    (base / "nas/client/key.pem").write_text(key_pem(key))
    time.sleep(1.1)  # until the second in which it ends is over
    renewal, hosts = DockerCa(tmp_path), _hosts(tmp_path, machines)
    assert renewal.step(hosts, 90) == (CaHost("nas", CaStage.COPY, "It turns this machine away."),)
    nas.copy_and_restart("cert.pem", "key.pem")  # and not ca.pem
    assert renewal.look(hosts) == (CaHost("nas", CaStage.COPY, "It turns this machine away."),)
    nas.copy_and_restart()
    assert _stages(renewal.look(hosts)) == {"nas": "switch"}
    assert _stages(renewal.step(hosts, 90)) == {"nas": "narrow"}
    nas.copy_and_restart("ca.pem")
    assert renewal.step(hosts, 90) is None


@pytest.mark.parametrize("damage", ["gone", "cut", "sealed", "another's"])
def test_nothing_is_begun_without_the_old_cas_key(tmp_path: Path, damage: str) -> None:
    DockerTls(tmp_path).make("nas", ("127.0.0.1",), 30)
    folder = tmp_path / ".homelab/tls/ca"
    path, kept = folder / "ca-key.pem", (folder / "ca-key.pem").read_text()
    sealed = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAo=\n-----END ENCRYPTED PRIVATE KEY-----\n"
    path.write_text({"cut": kept[:90], "sealed": sealed, "another's": key_pem(authority()[1])}.get(damage, ""))
    if damage == "gone":
        path.unlink()
    with pytest.raises((NotFound, InvalidInput)) as refused:
        DockerCa(tmp_path).step({}, 90)
    assert refused.value.code == ("tls_ca_missing" if damage == "gone" else "tls_ca_unreadable")
    assert "Put it back" in refused.value.hint
    assert "delete ca.pem" in refused.value.hint
    assert "host tls NAME --name ITS-NAME --rotate" in refused.value.hint
    assert kept.splitlines()[1][:20] not in refused.value.as_text()
    assert not list(folder.glob("next*"))
    before = (folder / "ca.pem").read_text()
    for name, again in (("nas", True), ("shed", False)):
        with pytest.raises((NotFound, InvalidInput)) as no_key:
            DockerTls(tmp_path).make(name, ("127.0.0.1",), 30, again=again)
        assert no_key.value.code == refused.value.code
    assert (folder / "ca.pem").read_text() == before, "no other CA is made in silence"
    path.write_text(kept)
    assert _stages(DockerCa(tmp_path).step({}, 90)) == {"nas": "unasked"}
    # Gone in the middle of a change: each way out that is told of is one.
    path.unlink()
    with pytest.raises(NotFound) as lost:
        DockerCa(tmp_path).look({})
    then = "then `homelab-mcp host tls NAME --name ITS-NAME --rotate`"
    assert f"delete ca.pem, next.pem, next-key.pem there, {then}" in lost.value.hint
    for file in ("ca.pem", "next.pem", "next-key.pem"):
        (folder / file).unlink()
    DockerTls(tmp_path).make("nas", ("127.0.0.1",), 30, again=True)
    assert _stages(DockerCa(tmp_path).step({}, 90)) == {"nas": "unasked"}


def test_a_key_that_is_kept_elsewhere_is_read_there_and_stays(tmp_path: Path, machines: dict[str, Machine]) -> None:
    _nas(tmp_path, machines)
    base, away = tmp_path / ".homelab/tls", tmp_path / "stick.pem"
    (base / "ca/ca-key.pem").rename(away)
    before, key = (base / "ca/ca.pem").read_text(), away.read_text()
    with pytest.raises(NotFound) as refused:
        DockerTls(tmp_path).make("nas", ("127.0.0.1",), 30, again=True)
    assert "--ca-key PATH" in refused.value.hint
    other = tmp_path / "other.pem"
    other.write_text(key_pem(authority()[1]))
    for wrong, code in ((other, "tls_ca_unreadable"), (tmp_path / "nowhere.pem", "tls_ca_missing")):
        with pytest.raises((NotFound, InvalidInput)) as mistaken:
            DockerTls(tmp_path).make("nas", ("127.0.0.1",), 30, again=True, ca_key=wrong)
        assert (mistaken.value.code, wrong.name in mistaken.value.as_text()) == (code, True)
    DockerTls(tmp_path).make("nas", ("127.0.0.1",), 30, again=True, ca_key=away)
    assert (base / "ca/ca.pem").read_text() == before
    assert issued(read_certificate(base / "ca/ca.pem"), read_certificate(base / "nas/server/cert.pem"))

    nas, hosts = machines["nas"], _hosts(tmp_path, machines)
    nas.copy_and_restart()
    with pytest.raises(NotFound):
        DockerCa(tmp_path).step(hosts, 90)
    renewal = DockerCa(tmp_path, away)
    assert _stages(renewal.step(hosts, 90)) == {"nas": "copy"}
    with pytest.raises(NotFound) as forgotten:
        DockerCa(tmp_path).look(hosts)
    assert "--ca-key PATH" in forgotten.value.hint
    nas.copy_and_restart()
    assert _stages(renewal.step(hosts, 90)) == {"nas": "narrow"}
    nas.copy_and_restart("ca.pem")
    assert renewal.step(hosts, 90) is None
    assert (away.read_text(), (base / "ca/ca.pem").read_text() == before) == (key, False)
    DockerTls(tmp_path).make("nas", ("127.0.0.1",), 30, again=True)


def test_where_every_hosts_folder_was_deleted_the_change_ends_and_new_ones_are_made(
    tmp_path: Path, machines: dict[str, Machine]
) -> None:
    base, hosts = tmp_path / ".homelab/tls", _hosts(tmp_path, machines)
    DockerCa(tmp_path).step(hosts, 90)
    made = (base / "ca/next.pem").read_text()
    for name in machines:
        shutil.rmtree(base / name)
    (base / "ca/ca-key.pem").unlink()  # nothing more is signed with it
    with pytest.raises(InvalidInput) as renewing:
        DockerTls(tmp_path).make("nas", ("127.0.0.1",), 30)
    assert renewing.value.code == "tls_renewing"
    assert DockerCa(tmp_path).look(hosts) == ()
    assert DockerCa(tmp_path).step(hosts, 90) is None
    assert {p.name for p in (base / "ca").iterdir()} == {"ca.pem", "ca-key.pem"}
    assert (base / "ca/ca.pem").read_text() == made
    for name, machine in machines.items():
        DockerTls(tmp_path).make(name, ("127.0.0.1",), 30)
        machine.copy_and_restart()
    assert _stages(DockerCa(tmp_path).step(hosts, 90)) == {"nas": "copy", "shed": "copy"}


def test_where_every_hosts_folder_was_deleted_a_damaged_new_ca_has_a_way_back(
    tmp_path: Path, machines: dict[str, Machine]
) -> None:
    base, hosts = tmp_path / ".homelab/tls", _hosts(tmp_path, machines)
    DockerCa(tmp_path).step(hosts, 90)
    old = (base / "ca/ca.pem").read_text()
    for name in machines:
        shutil.rmtree(base / name)
    (base / "ca/next-key.pem").write_text("nothing")
    with pytest.raises(InvalidInput) as refused:
        DockerCa(tmp_path).step(hosts, 90)
    assert "delete next.pem and next-key.pem there" in refused.value.hint
    for file in ("next.pem", "next-key.pem"):
        (base / "ca" / file).unlink()
    DockerTls(tmp_path).make("nas", ("127.0.0.1",), 30)
    assert (base / "ca/ca.pem").read_text() == old


def test_a_begin_that_came_to_nothing_is_taken_back_by_deleting_two_files(
    tmp_path: Path, machines: dict[str, Machine]
) -> None:
    folder, hosts = tmp_path / ".homelab/tls/ca", _hosts(tmp_path, machines)
    made, key = authority()
    (folder / "next.pem").write_text(pem(made))
    (folder / "next-key.pem").write_text(key_pem(key))
    kept = (folder / "ca-key.pem").read_text()
    (folder / "ca-key.pem").unlink()
    for ask in (DockerCa(tmp_path).look, partial(DockerCa(tmp_path).step, days=90)):
        with pytest.raises(NotFound) as refused:
            ask(hosts)
        assert "delete next.pem and next-key.pem" in refused.value.hint
    for file in ("next.pem", "next-key.pem"):
        (folder / file).unlink()
    assert DockerCa(tmp_path).look(hosts) is None
    (folder / "ca-key.pem").write_text(kept)
    assert _stages(DockerCa(tmp_path).step(hosts, 90)) == {"nas": "copy", "shed": "copy"}


class PowerCut(BaseException):
    """Nothing here catches it."""


@pytest.mark.parametrize("role", ["server", "client"])
@pytest.mark.parametrize("mended_by", ["look", "step"])
def test_a_crash_between_two_renames_loses_no_host_and_no_key(
    tmp_path: Path, machines: dict[str, Machine], role: str, mended_by: str
) -> None:
    nas, base = _nas(tmp_path, machines), tmp_path / ".homelab/tls"
    renewal, hosts = DockerCa(tmp_path), _hosts(tmp_path, machines)
    old_key = (base / "ca/ca-key.pem").read_text()
    if role == "client":
        renewal.step(hosts, 90)
        nas.copy_and_restart()
    whole = Path.rename

    def cut(self: Path, target: Path) -> Path:
        if self.name == f"{role}.new":
            raise PowerCut
        return whole(self, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", cut)
        with pytest.raises(PowerCut):
            renewal.step(hosts, 90)
    assert not (base / "nas" / role).exists()
    if mended_by == "look":
        found = renewal.look(hosts)
        assert _stages(found) == {"nas": "copy" if role == "server" else "narrow"}
        assert {p.name for p in (base / "nas").iterdir()} == {"server", "client"}
    assert _stages(renewal.step(hosts, 90)) == {"nas": "copy" if role == "server" else "narrow"}
    assert (base / "ca/ca-key.pem").read_text() == old_key
    nas.copy_and_restart()
    if role == "server":
        assert _stages(renewal.step(hosts, 90)) == {"nas": "narrow"}
        nas.copy_and_restart("ca.pem")
    assert renewal.step(hosts, 90) is None
    assert {p.name for p in (base / "nas").iterdir()} == {"server", "client"}


def test_a_host_without_client_gets_one_and_one_without_server_holds_the_end_up(
    tmp_path: Path, machines: dict[str, Machine]
) -> None:
    renewal, hosts, base = DockerCa(tmp_path), _hosts(tmp_path, machines), tmp_path / ".homelab/tls"
    shutil.rmtree(base / "nas/client")
    (base / "shed/server").rename(base / "shed/away")
    found = {one.name: one for one in renewal.step(hosts, 90) or ()}
    assert found["nas"] == CaHost("nas", CaStage.COPY)
    assert found["shed"].stage is CaStage.OLD
    assert "server is missing" in found["shed"].error
    machines["nas"].copy_and_restart()
    assert {one.name: str(one.stage) for one in renewal.step(hosts, 90) or ()} == {"nas": "narrow", "shed": "old"}
    machines["nas"].copy_and_restart("ca.pem")
    assert {one.name: str(one.stage) for one in renewal.step(hosts, 90) or ()} == {"nas": "done", "shed": "old"}
    assert (base / "ca/next.pem").exists()
    shutil.rmtree(base / "shed")
    assert renewal.step(hosts, 90) is None


@pytest.mark.parametrize("broken", [0, 503])
def test_a_connection_that_breaks_is_no_refusal(tmp_path: Path, machines: dict[str, Machine], broken: int) -> None:
    nas = _nas(tmp_path, machines)
    renewal, hosts = DockerCa(tmp_path), _hosts(tmp_path, machines)
    renewal.step(hosts, 90)
    nas.copy_and_restart()
    assert _stages(renewal.step(hosts, 90)) == {"nas": "narrow"}
    # Its ca.pem was not copied, so it trusts the old one as well. A step looks twice, and asks twice each time.
    nas.says = [200, 200, 200, broken]
    (found,) = renewal.step(hosts, 90) or ()
    assert found.stage is CaStage.NARROW
    assert "does not answer" in found.error
    assert (tmp_path / ".homelab/tls/ca/next.pem").exists()
    assert _stages(renewal.look(hosts)) == {"nas": "narrow"}


def test_a_host_that_turns_everybody_away_said_nothing_of_the_old_ca(
    tmp_path: Path, machines: dict[str, Machine]
) -> None:
    nas = _nas(tmp_path, machines)
    renewal, hosts = DockerCa(tmp_path), _hosts(tmp_path, machines)
    renewal.step(hosts, 90)
    nas.copy_and_restart()
    renewal.step(hosts, 90)
    nas.says, nas.then_away = [200, 200, 200], True
    assert renewal.step(hosts, 90) == (CaHost("nas", CaStage.NARROW, "It turns this machine away."),)
    assert (tmp_path / ".homelab/tls/ca/next.pem").exists()


def test_a_host_that_takes_nothing_before_tls_1_3_is_asked_by_that(
    tmp_path: Path, machines: dict[str, Machine]
) -> None:
    nas = _nas(tmp_path, machines)
    nas.oldest = ssl.TLSVersion.TLSv1_3
    nas.copy_and_restart()
    renewal, hosts = DockerCa(tmp_path), _hosts(tmp_path, machines)
    assert _stages(renewal.step(hosts, 90)) == {"nas": "copy"}
    nas.copy_and_restart()
    assert _stages(renewal.step(hosts, 90)) == {"nas": "narrow"}


def test_a_damaged_new_ca_is_told_with_a_way_back_to_the_old_one(tmp_path: Path, machines: dict[str, Machine]) -> None:
    folder, hosts = tmp_path / ".homelab/tls/ca", _hosts(tmp_path, machines)
    DockerCa(tmp_path).step(hosts, 90)
    (folder / "next-key.pem").write_text("nothing")
    with pytest.raises(InvalidInput) as refused:
        DockerCa(tmp_path).look(hosts)
    assert refused.value.code == "tls_ca_unreadable"
    assert "delete next.pem, next-key.pem there" in refused.value.hint
    assert "makes a new CA" not in refused.value.hint
    old = (folder / "ca.pem").read_text()
    for file in ("next.pem", "next-key.pem"):
        (folder / file).unlink()
    for name, machine in machines.items():
        DockerTls(tmp_path).make(name, ("127.0.0.1",), 30, again=True)
        machine.copy_and_restart()
    assert (folder / "ca.pem").read_text() == old
    assert _stages(DockerCa(tmp_path).step(hosts, 90)) == {"nas": "copy", "shed": "copy"}
