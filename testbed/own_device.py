"""A device of the network with a certificate of its own: an HTTPS server that also answers web sockets."""

from __future__ import annotations

import base64
import datetime
import hashlib
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What a web socket's answer is made with (RFC 6455 section 1.3)."""


@dataclass(frozen=True)
class OwnDevice:
    """Where it listens, and its certificate (PEM), which nobody else signed."""

    url: str
    certificate: str
    name: str


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        first = self.rfile.readline().decode("latin-1").split()
        headers = {}
        while (line := self.rfile.readline().decode("latin-1").strip()) != "":
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("upgrade", "").lower() == "websocket":
            self._echo(headers["sec-websocket-key"])
        elif first:
            shown = "".join(f"{k}: {v}\n" for k, v in headers.items())
            body = f"own device {first[1]}\n{shown}".encode()
            self.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n")
            self.wfile.write(f"Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def _echo(self, key: str) -> None:
        accept = base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode(), usedforsecurity=False).digest()).decode()
        head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self.wfile.write(f"{head}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        _, second = self.rfile.read(2)
        mask, length = self.rfile.read(4), second & 0x7F
        text = bytes(b ^ mask[n % 4] for n, b in enumerate(self.rfile.read(length)))
        self.wfile.write(bytes((0x81, len(text))) + text)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Who does not trust the certificate hangs up; that is what is tested."""


@contextmanager
def own_device(address: str, folder: Path, name: str = "device.home.arpa") -> Iterator[OwnDevice]:
    """Serve on an address of this machine, until left; the certificate is for ``name``, not for the address."""
    certificate, key = self_signed(name)
    for file, content in (("device.crt", certificate), ("device.key", key)):
        (folder / file).write_text(content)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "device.crt", folder / "device.key")
    context.set_alpn_protocols(["http/1.1"])
    with _Server((address, 0), _Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield OwnDevice(f"https://{address}:{server.server_address[1]}", certificate, name)
        finally:
            server.shutdown()


def self_signed(name: str) -> tuple[str, str]:
    """A certificate for that name that nobody else signed, and its key (PEM)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


__all__ = ["OwnDevice", "own_device", "self_signed"]
