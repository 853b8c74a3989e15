"""What a Docker host over TCP shows to who comes with certain certificates, and whether it turns those away.

Source: RFC 5246 (7.4.6, 7.4.8): a server judges the client's certificate within the handshake and refuses it with an
alert. By RFC 8446 (4.4.2, appendix E) a client of TLS 1.3 has ended its handshake by then, and learns of the refusal
later by an alert or by a connection that just ends, which may mean anything. So TLS 1.2 is asked first; dockerd takes
that (``go-connections/tlsconfig``: ``ServerDefault``).
"""

from __future__ import annotations

import http.client
import ssl
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from homelab_mcp.model.hosts import DockerHost

_WRONG_VERSION = ("PROTOCOL_VERSION", "UNSUPPORTED_PROTOCOL", "NO_PROTOCOLS_AVAILABLE")


def asked(host: DockerHost, folder: Path) -> x509.Certificate | None:
    """The certificate that the host shows to who comes with this folder's; None where it refuses that by a TLS alert.

    Raises OSError where nobody answers, the connection breaks, the answer is another than 200 or none of HTTP, or the
    host's certificate is none that the folder trusts (``ssl.SSLCertVerificationError``).
    """
    try:
        return _asked(host, folder, ssl.TLSVersion.TLSv1_2)
    except ssl.SSLError as error:
        if not any(word in (error.reason or "") for word in _WRONG_VERSION):
            raise
    return _asked(host, folder, ssl.TLSVersion.MAXIMUM_SUPPORTED)


def _asked(host: DockerHost, folder: Path, newest: ssl.TLSVersion) -> x509.Certificate | None:
    parts = urlsplit(host.address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = newest
    context.load_verify_locations(folder / "ca.pem")
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    connection = http.client.HTTPSConnection(
        parts.hostname or "", parts.port or 2376, timeout=host.timeout, context=context
    )
    try:
        connection.connect()
        shown = connection.sock.getpeercert(binary_form=True)
        connection.request("GET", "/_ping")
        status = connection.getresponse().status
    except ssl.SSLError as error:
        if _refused(error):
            return None
        raise
    except http.client.HTTPException as error:
        raise OSError(f"no answer in HTTP: {str(error) or type(error).__name__}") from error
    finally:
        connection.close()
    if status != HTTPStatus.OK or not shown:
        raise OSError(f"it answered {status} to /_ping")
    return x509.load_der_x509_certificate(shown)


def _refused(error: ssl.SSLError) -> bool:
    """Whether the other end said so: by an alert, and by one that is about certificates or this client."""
    said = error.reason or ""
    return "ALERT" in said and not any(word in said for word in ("INTERNAL_ERROR", *_WRONG_VERSION))
