"""TraefikProbe against a real Traefik."""

import datetime
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from homelab_mcp.adapters.http_probe import TraefikProbe
from homelab_mcp.model.errors import InvalidInput
from testbed import LocalImage, Scratch, free_port
from testbed.docker_engine import wait_until

ROUTES = """\
http:
  routers:
    web: {rule: "Host(`web.lab.test`)", service: web, tls: {}}
    moved: {rule: "Host(`moved.lab.test`)", service: web, middlewares: [login], tls: {}}
    dead: {rule: "Host(`dead.lab.test`)", service: dead, tls: {}}
  middlewares:
    login: {redirectRegex: {regex: ".*", replacement: "https://auth.lab.test/"}}
  services:
    web: {loadBalancer: {servers: [{url: "http://backend:80"}]}}
    dead: {loadBalancer: {servers: [{url: "http://backend:9"}]}}
tls:
  certificates: [{certFile: /etc/leaf.pem, keyFile: /etc/leaf.key}]
"""


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(
    subject: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey, *, ca: bool
) -> bytes:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if not ca:
        names = x509.SubjectAlternativeName([x509.DNSName("*.lab.test")])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class Gate:
    """A running Traefik: its port on loopback and the CA its certificates chain to."""

    def __init__(self, port: int, ca_file: str) -> None:
        self.port, self.ca_file = port, ca_file


@pytest.fixture(scope="module")
def gate(
    testbed_run: Scratch,
    traefik_image: str,
    stand_in: Callable[..., LocalImage],
    tmp_path_factory: pytest.TempPathFactory,
) -> Gate:
    authority, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca_file.write_bytes(certificate("Lab Test CA", authority, "Lab Test CA", authority, ca=True))
    key = leaf.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    network = testbed_run.network("probe")
    image = stand_in("homelab-tests/probe:1").reference
    testbed_run.container(image, network=network, aliases=["backend"])
    box = testbed_run.container(
        traefik_image,
        "--entrypoints.websecure.address=:443",
        "--providers.file.filename=/etc/routes.yaml",
        network=network,
        publish={443: None},
        files={
            "/etc/routes.yaml": ROUTES.encode(),
            "/etc/leaf.pem": certificate("leaf", leaf, "Lab Test CA", authority, ca=False),
            "/etc/leaf.key": key,
        },
    )
    port = box.published_port(443)
    probe = TraefikProbe("127.0.0.1", port, str(ca_file))
    wait_until(lambda: probe.get("web.lab.test").status == 200, f"Traefik to route ({box.logs()})")
    return Gate(port, str(ca_file))


def test_a_name_is_asked_of_this_address_with_its_certificate_verified(gate: Gate) -> None:
    seen = TraefikProbe("127.0.0.1", gate.port, gate.ca_file).get("web.lab.test", "/path?q=1")
    assert (seen.url, seen.status, seen.verified, seen.error) == ("https://web.lab.test/path?q=1", 200, True, "")
    assert "Lab Test CA" in seen.certificate
    assert 0 < seen.expires - time.time() <= 86_400


def test_the_ca_may_come_from_the_environment(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMELAB_CA_FILE", gate.ca_file)
    assert TraefikProbe("127.0.0.1", gate.port).get("web.lab.test").verified


def test_an_untrusted_certificate_is_said_and_the_answer_still_seen(gate: Gate) -> None:
    seen = TraefikProbe("127.0.0.1", gate.port).get("web.lab.test")
    assert (seen.status, seen.verified) == (200, False)
    assert "leaf" in seen.certificate
    assert "Lab Test CA" in seen.certificate
    assert 0 < seen.expires - time.time() <= 86_400


def test_a_name_the_certificate_does_not_cover_is_not_verified(gate: Gate) -> None:
    seen = TraefikProbe("127.0.0.1", gate.port, gate.ca_file).get("other.example.org")
    assert (seen.status, seen.verified) == (404, False)


def test_redirects_are_told_and_not_followed(gate: Gate) -> None:
    seen = TraefikProbe("127.0.0.1", gate.port, gate.ca_file).get("moved.lab.test")
    assert (seen.status, seen.location) == (302, "https://auth.lab.test/")


def test_an_unknown_name_and_a_dead_backend_have_their_status(gate: Gate) -> None:
    probe = TraefikProbe("127.0.0.1", gate.port, gate.ca_file)
    assert probe.get("nobody.lab.test").status == 404
    assert probe.get("dead.lab.test").status in {502, 504}


def test_nobody_there_is_an_answer_not_an_exception() -> None:
    seen = TraefikProbe("127.0.0.1", free_port()).get("web.lab.test")
    assert seen.status == 0
    assert "is Traefik running?" in seen.error


def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(4)
        start = time.monotonic()
        seen = TraefikProbe("127.0.0.1", mute.getsockname()[1]).get("web.lab.test", timeout=0.5)
    assert (seen.status, "in time" in seen.error) == (0, True)
    assert time.monotonic() - start < 3


def test_a_ca_file_that_is_of_no_use_is_said_and_no_route_is_down_for_it(tmp_path: Path, gate: Gate) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    for name, why in (("none.pem", "is not there"), ("bad.pem", "cannot be used")):
        probe = TraefikProbe("127.0.0.1", gate.port, str(tmp_path / name))
        seen, shown = probe.get("web.lab.test"), probe.certificate("web.lab.test")
        assert (seen.status, seen.verified, why in seen.error) == (200, False, True)
        assert (shown.verified, why in shown.problem, shown.certificate is not None) == (False, True, True)


@pytest.mark.parametrize(
    ("host", "path"), [("a b", "/"), ("a\r\nX: 1", "/"), ("a", "x"), ("a", "/\r\nX: 1"), ("", "/")]
)
def test_what_is_no_url_is_refused(host: str, path: str) -> None:
    with pytest.raises(InvalidInput):
        TraefikProbe("127.0.0.1", 1).get(host, path)
