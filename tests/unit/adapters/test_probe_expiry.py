"""The probe says when the certificate it was shown ends, trusted or not."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from homelab_mcp.adapters.http_probe import TraefikProbe

ENDS = datetime.datetime(2099, 3, 4, 5, 6, 7, tzinfo=datetime.UTC)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, str]]:
    """A TLS server on loopback that answers every request with 204: its port, and its certificate's file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "web.lab.test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(ENDS)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("web.lab.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "both.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as secure:
                    secure.recv(4096)
                    secure.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            except OSError:
                continue  # a client that does not trust it hangs up

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1], str(file)


def test_the_end_of_a_certificate_is_told(server: tuple[int, str]) -> None:
    port, file = server

    trusted = TraefikProbe("127.0.0.1", port, file).get("web.lab.test")
    other = TraefikProbe("127.0.0.1", port).get("web.lab.test")

    assert (trusted.status, trusted.verified, trusted.expires) == (204, True, ENDS.timestamp())
    assert (other.status, other.verified, other.expires) == (204, False, ENDS.timestamp())
    assert TraefikProbe("127.0.0.1", 1).get("web.lab.test").expires == 0.0
