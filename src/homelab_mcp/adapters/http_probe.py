"""HTTPS through the lab's Traefik, as a browser on the LAN would ask, wherever the name points today.

The standard library is enough and says more than an HTTP client would: the connection is made to one address, and
name, certificate and Host header are another's (RFC 6066 section 3, server name indication).
"""

from __future__ import annotations

import http.client
import os
import re
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import replace

from homelab_mcp.model.certificate import Certificate, Served
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.ports import ProbeResult

CA_VARIABLE = "HOMELAB_CA_FILE"
PLACE_VARIABLE = "HOMELAB_TRAEFIK"
_HOST = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")
_PATH = re.compile(r"^/[\x21-\x7e]*\Z")
_PLACE = re.compile(
    r"^(?P<host>\[[0-9a-fA-F:]+\]|[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?):(?P<port>[0-9]{1,5})\Z"
)


def traefik_place(bind_address: str, https_port: int) -> tuple[str, int]:
    """Where Traefik's HTTPS entry point is reached from here, as host and port.

    HOMELAB_TRAEFIK (``HOST:PORT``) says it where this program runs in a container, from which the host's published
    port is another's loopback; ``traefik:443`` on their common network.

    Args:
        bind_address: the host's address that the port is published on, from the lab's settings.
        https_port: that port.

    Raises:
        InvalidInput: the variable is no ``HOST:PORT``.
    """
    given = os.environ.get(PLACE_VARIABLE, "")
    if given:
        match = _PLACE.match(given)
        if match is None or not 0 < int(match["port"]) < 65536:
            raise InvalidInput(f"{PLACE_VARIABLE} is not HOST:PORT.", hint="For example: traefik:443")
        return match["host"].strip("[]"), int(match["port"])
    everywhere = bind_address in {"0.0.0.0", "::", ""}  # noqa: S104 - told apart
    return "127.0.0.1" if everywhere else bind_address, https_port


class TraefikProbe:
    """Asks one address for any host.

    Args:
        connect_host: address on which Traefik's HTTPS port is published.
        connect_port: that port.
        ca_file: PEM file that certificates may chain to, besides the system's; HOMELAB_CA_FILE where None.
    """

    def __init__(self, connect_host: str, connect_port: int, ca_file: str | None = None) -> None:
        self._place = (connect_host, connect_port)
        self._ca_file = ca_file or os.environ.get(CA_VARIABLE)

    def get(self, host: str, path: str = "/", *, timeout: float = 5.0) -> ProbeResult:
        """GET ``https://host/path``, following no redirect; ``timeout`` seconds for all of it.

        A certificate that is not trusted, or cannot be judged as the CA file is of no use, is reported (``verified``
        False) and the request made all the same.

        Raises:
            InvalidInput: not a host name or path.
        """
        if not _HOST.match(host) or not _PATH.match(path):
            raise InvalidInput(f"{host!r} with {path!r} is not a URL.", hint="Give a host name and a path.")
        url = f"https://{host}{path}"
        end = time.monotonic() + timeout
        unproved = self._unusable()
        if not unproved:
            try:
                return self._ask(url, host, path, end, verify=True)
            except ssl.SSLCertVerificationError:
                pass
            except (OSError, http.client.HTTPException) as error:
                return ProbeResult(url, 0, error=self._why(error))
        try:
            return replace(self._ask(url, host, path, end, verify=False), error=unproved)
        except (OSError, http.client.HTTPException) as error:
            return ProbeResult(url, 0, error=self._why(error))

    def certificate(self, host: str, *, timeout: float = 5.0) -> Served:
        """The certificate that a TLS handshake with this name brings, and whether it is trusted for it.

        Raises:
            InvalidInput: not a host name.
        """
        if not _HOST.match(host):
            raise InvalidInput(f"{host!r} is not a host name.", hint="Give a host name.")
        end = time.monotonic() + timeout
        problem = self._unusable()
        if not problem:
            try:
                return Served(host, self._shown(host, end, verify=True), verified=True)
            except ssl.SSLCertVerificationError as error:
                problem = error.verify_message or str(error)
            except OSError as error:
                return Served(host, problem=self._why(error))
        try:
            return Served(host, self._shown(host, end, verify=False), problem=problem)
        except OSError as error:
            return Served(host, problem=self._why(error))

    def _shown(self, host: str, end: float, *, verify: bool) -> Certificate | None:
        from homelab_mcp.core.certs.reading import from_der

        with (
            socket.create_connection(self._place, timeout=_left(end)) as plain,
            self._context(verify).wrap_socket(plain, server_hostname=host) as secure,
        ):
            return from_der(secure.getpeercert(binary_form=True) or b"")

    def _ask(self, url: str, host: str, path: str, end: float, *, verify: bool) -> ProbeResult:
        with (
            socket.create_connection(self._place, timeout=_left(end)) as plain,
            self._context(verify).wrap_socket(plain, server_hostname=host) as secure,
        ):
            secure.settimeout(_left(end))
            certificate = _described(secure, verify)
            expires = _expires(secure)
            secure.sendall(
                f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: homelab-mcp\r\nAccept: */*\r\n"
                "Connection: close\r\n\r\n".encode("ascii")
            )
            answer = http.client.HTTPResponse(secure, method="GET")
            try:
                answer.begin()
                location = (answer.getheader("Location") or "")[:500]
                return ProbeResult(url, answer.status, location, certificate, verify, expires=expires)
            finally:
                answer.close()

    def _unusable(self) -> str:
        """Why the CA file cannot be used, "" where it can or there is none: no route is down for that."""
        try:
            if self._ca_file:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=self._ca_file)
        except FileNotFoundError:
            return f"the CA file {self._ca_file} is not there"
        except OSError as error:
            return f"the CA file {self._ca_file} cannot be used: {getattr(error, 'reason', '') or error}"[:300]
        return ""

    def _context(self, verify: bool) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        # Python 3.13 made strict RFC 5280 checks its default; browsers, and so a lab's own CA, know no such rule.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif self._ca_file:
            context.load_verify_locations(cafile=self._ca_file)
        return context

    def _why(self, error: Exception) -> str:
        place = f"{self._place[0]}:{self._place[1]}"
        if isinstance(error, ConnectionRefusedError):
            return f"nothing listens on {place}: is Traefik running?"
        if isinstance(error, TimeoutError):
            return f"no answer from {place} in time"
        if isinstance(error, ssl.SSLError):
            return f"TLS with {place} failed: {error.reason or error}"
        return f"{place}: {error}"[:300]


class LabProbe:
    """Asks the lab's own Traefik where its settings publish it by then: a plan that is verified may have moved it."""

    def __init__(self, settings: Callable[[], LabSettings]) -> None:
        self._settings = settings

    def get(self, host: str, path: str = "/", *, timeout: float = 5.0) -> ProbeResult:
        """As TraefikProbe's."""
        return self._now().get(host, path, timeout=timeout)

    def certificate(self, host: str, *, timeout: float = 5.0) -> Served:
        """As TraefikProbe's."""
        return self._now().certificate(host, timeout=timeout)

    def _now(self) -> TraefikProbe:
        settings = self._settings()
        host, port = traefik_place(settings.bind_address, settings.https_port)
        return TraefikProbe(host, port, settings.acme.root_certificate)


def _left(end: float) -> float:
    return max(end - time.monotonic(), 0.001)


def _described(secure: ssl.SSLSocket, verified: bool) -> str:
    """Subject and issuer in one line."""
    if verified:
        found = secure.getpeercert() or {}
        subject, issuer = _common_name(found.get("subject")), _common_name(found.get("issuer"))
        names = [str(pair[1]) for pair in found.get("subjectAltName") or () if pair[0] == "DNS"]
        return f"subject {subject or ', '.join(names[:3])}, issuer {issuer}"
    raw = secure.getpeercert(binary_form=True)
    if raw is None:
        return ""
    # getpeercert() is empty for a chain that was not checked.
    from cryptography import x509

    certificate = x509.load_der_x509_certificate(raw)
    ended = certificate.not_valid_after_utc
    past = f", ended {ended:%Y-%m-%d}" if ended.timestamp() < time.time() else ""
    return f"subject {certificate.subject.rfc4514_string()}, issuer {certificate.issuer.rfc4514_string()}{past}"


def _expires(secure: ssl.SSLSocket) -> float:
    """Unix time at which the certificate ends."""
    raw = secure.getpeercert(binary_form=True)
    if raw is None:
        return 0.0
    from cryptography import x509

    return x509.load_der_x509_certificate(raw).not_valid_after_utc.timestamp()


def _common_name(name: object) -> str:
    pairs = [pair for part in name for pair in part] if isinstance(name, tuple) else []
    return next((str(v) for k, v in pairs if k == "commonName"), "")
