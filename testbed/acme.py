"""An ACME certificate authority in a container: Let's Encrypt's own test server, Pebble."""

import json
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from testbed.docker_engine import Container, Scratch, docker, wait_until
from testbed.images import ensure_challenge_dns, ensure_pebble

ALIAS = "pebble"
DNS_ALIAS = "challtestsrv"
API_PORT = 14000
MANAGEMENT_PORT = 15000


@dataclass(frozen=True)
class AcmeCa:
    """A running certificate authority.

    Attributes:
        container: where it runs.
        directory_url: the ACME directory as containers on a joined network reach it (Traefik's `caServer`).
        api_ca: PEM file of the CA behind the directory's own HTTPS (Traefik's `LEGO_CA_CERTIFICATES`).
        root_pem: the root certificate behind every certificate it issues.
        api_port: the directory's port on 127.0.0.1.
        management_port: the management interface's port on 127.0.0.1.
    """

    container: Container
    directory_url: str
    api_ca: Path
    root_pem: str
    api_port: int
    management_port: int

    def join(self, network: str) -> None:
        """Be reachable as `pebble` on one more network."""
        self.container.join(network, alias=ALIAS)

    def leave(self, network: str) -> None:
        """Go from a network, so that it can be removed."""
        self.container.leave(network)

    def ssl_context(self) -> ssl.SSLContext:
        """Return a context that trusts only the certificates issued here."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.root_pem)
        return context

    def stop(self) -> None:
        """Remove the container; the end of the run would do it too."""
        self.container.remove()


def start_acme_ca(scratch: Scratch, network: str, folder: Path, *, dns: str = "", days: int = 0) -> AcmeCa:
    """Start Pebble, and wait until it answers. It takes every challenge as met, unless it has a DNS server to ask.

    Args:
        scratch: the run it belongs to.
        network: the network on which it is `pebble`.
        folder: where to write the PEM file of the CA behind its API.
        dns: HOST:PORT of the DNS server, on that network, by whose records it judges challenges.
        days: how long its certificates last; 0: its own five years.

    Raises:
        TestbedError: pebble is not installed, or it did not come up.
    """
    ca_pem, server_pem, server_key = make_certificates([ALIAS, "localhost"])
    api_ca = folder / "pebble-api-ca.pem"
    api_ca.write_bytes(ca_pem)
    settings = {
        "listenAddress": f"0.0.0.0:{API_PORT}",
        "managementListenAddress": f"0.0.0.0:{MANAGEMENT_PORT}",
        "certificate": "/pebble/cert.pem",
        "privateKey": "/pebble/key.pem",
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
        **({"certificateValidityPeriod": days * 86400} if days else {}),
    }
    container = scratch.container(
        ensure_pebble().reference,
        *("-config", "/pebble/config.json", "-dnsserver", dns)[: 4 if dns else 2],
        what="pebble",
        network=network,
        aliases=[ALIAS],
        env={"PEBBLE_VA_ALWAYS_VALID": "0" if dns else "1", "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"},
        publish={API_PORT: None, MANAGEMENT_PORT: None},
        files={
            "/pebble/config.json": json.dumps({"pebble": settings}).encode(),
            "/pebble/cert.pem": server_pem,
            "/pebble/key.pem": server_key,
        },
    )
    management_port = container.published_port(MANAGEMENT_PORT)
    context = ssl.create_default_context(cadata=ca_pem.decode())
    address = f"https://127.0.0.1:{management_port}/roots/0"

    def root() -> str | None:
        try:
            with urllib.request.urlopen(address, context=context, timeout=2) as answer:
                pem: str = answer.read().decode()
                return pem
        except OSError:
            return None

    return AcmeCa(
        container=container,
        directory_url=f"https://{ALIAS}:{API_PORT}/dir",
        api_ca=api_ca,
        root_pem=wait_until(root, "Pebble to answer", within=60),
        api_port=container.published_port(API_PORT),
        management_port=management_port,
    )


@dataclass(frozen=True)
class ChallengeDns:
    """A running DNS server for ACME challenges.

    Attributes:
        container: where it runs.
        address: HOST:PORT on its network.
        endpoint: where lego's provider `httpreq` finds it, as containers on that network reach this process.
        asked: the names that a record was set for, in order.
    """

    container: Container
    address: str
    endpoint: str
    asked: list[str]


@contextmanager
def challenge_dns(scratch: Scratch, network: str) -> Iterator[ChallengeDns]:
    """Start pebble's DNS server, and a service that sets records in it as lego's provider `httpreq` asks.

    Args:
        scratch: the run it belongs to.
        network: the network on which it is `challtestsrv`.
    """
    container = scratch.container(
        ensure_challenge_dns().reference, what="dns", network=network, aliases=[DNS_ALIAS], publish={8055: None}
    )
    management = f"http://127.0.0.1:{container.published_port(8055)}"
    asked: list[str] = []

    class Service(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            wanted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/present":
                asked.append(wanted["fqdn"])
                record = json.dumps({"host": wanted["fqdn"], "value": wanted["value"]}).encode()
                urllib.request.urlopen(f"{management}/set-txt", record, timeout=5).close()
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    subnet = docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", network).strip()
    gateway = str(next(IPv4Network(subnet).hosts()))
    with ThreadingHTTPServer((gateway, 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield ChallengeDns(container, f"{DNS_ALIAS}:8053", f"http://{gateway}:{server.server_port}", asked)
        finally:
            server.shutdown()


def make_certificates(names: list[str]) -> tuple[bytes, bytes, bytes]:
    """Return PEMs of a new CA, of a server certificate for these names and 127.0.0.1, and of its key."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "homelab testbed CA")])
    # Containers may run on another machine's clock; a day either way is enough for a test.
    start, end = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=30)

    def builder(subject: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        )

    ca = (
        builder(ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    alternatives = [*(x509.DNSName(name) for name in names), x509.IPAddress(IPv4Address("127.0.0.1"))]
    server = (
        builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]), key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    plain = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = serialization.Encoding.PEM
    return ca.public_bytes(pem), server.public_bytes(pem), plain


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
