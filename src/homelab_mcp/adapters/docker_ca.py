"""A new authority for Docker over TCP in the place of the old one, with no moment in which a host is out of reach.

Source: Docker, "Protect the Docker daemon socket"; moby's ``go-connections/tlsconfig`` (``ca.pem`` may hold several
certificates, each of which is trusted); dockerd reads these files when it starts. So the way goes over a time in which
both are trusted: first the hosts' certificates and what both ends trust, then this machine's, then trust in the old one
ends. How far a host is comes from the files here and from the host itself, never from a note of what was done.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from homelab_mcp.adapters.docker_tls import FOLDER, NEXT, gone, swap
from homelab_mcp.adapters.private import overwrite, private_folder, replace_private, write_private
from homelab_mcp.adapters.tls_issue import authority, general, issue, key_pem, names_of, pem
from homelab_mcp.model.errors import NotFound
from homelab_mcp.model.hosts import CaHost, CaStage, DockerHost

_KEYS = {"ca.pem": "ca-key.pem", NEXT: "next-key.pem"}
_PROBE = "client.probe"
"""For a certificate that is only tried. No host's name has a dot."""


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def text(self) -> str:
        return pem(self.certificate)

    def made(self, certificate: x509.Certificate) -> bool:
        try:
            certificate.verify_directly_issued_by(self.certificate)
        except (InvalidSignature, ValueError, TypeError):
            return False
        return True


class DockerCa:
    """The change of the authority below one lab's private folder.

    Hosts are given as folder of the client's certificates -> address, as ``hosts.yaml`` has them.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._base = root / ".homelab" / FOLDER

    def look(self, hosts: Mapping[Path, DockerHost]) -> tuple[CaHost, ...]:
        """How far each host is; empty where no change is under way. Writes nothing but what is tried and removed."""
        if not (self._base / "ca" / NEXT).exists():
            return ()
        if self._ending():
            return tuple(CaHost(name, CaStage.DONE) for name in self._names())
        old, new = self._authority("ca.pem"), self._authority(NEXT)
        from homelab_mcp.adapters.hosts import at_once

        known = {name: hosts.get((self._base / name / "client").resolve()) for name in self._names()}
        calls = {name: (lambda n=name, h=host: self._stage(n, h, old, new)) for name, host in known.items()}
        patience = max((h.timeout for h in known.values() if h), default=1.0)
        found = at_once(calls, 4 * patience)
        return tuple(
            one if isinstance(one := found[name], CaHost) else CaHost(name, CaStage.OLD, str(one)) for name in known
        )

    def step(self, hosts: Mapping[Path, DockerHost], days: int) -> tuple[CaHost, ...]:
        """Do what can be done now; how it stands then, empty once the old authority is gone from here too."""
        if not self._names():
            raise NotFound(
                "No host has certificates made here.",
                hint="`homelab-mcp host tls NAME --name ITS-NAME` makes them.",
                code="tls_missing",
            )
        folder = private_folder(self._root, FOLDER, "ca")
        begun = not (folder / NEXT).exists()
        if begun:
            certificate, key = authority()
            write_private(folder / _KEYS[NEXT], key_pem(key))
            write_private(folder / NEXT, pem(certificate))
        elif self._ending():
            return self._finish()
        old, new = self._authority("ca.pem"), self._authority(NEXT)
        for one in self.look(hosts):
            if one.stage is CaStage.OLD and not one.error:
                self._offer(one.name, old, new, days)
            elif one.stage is CaStage.SWITCH:
                self._switch(one.name, new, days)
        now = self.look(hosts)
        # Not in the step that began it: whoever has a host that nobody here can ask has copied nothing yet.
        if begun or any(one.error or one.stage not in {CaStage.DONE, CaStage.UNASKED} for one in now):
            return now
        for one in now:
            if one.stage is CaStage.UNASKED:
                self._switch(one.name, new, days)
        return self._finish()

    def _ending(self) -> bool:
        """Whether the end was begun, and a crash came between."""
        return (self._base / "ca" / NEXT).read_bytes() == (self._base / "ca" / "ca.pem").read_bytes()

    def _names(self) -> list[str]:
        return sorted(p.parent.parent.name for p in self._base.glob("*/server/cert.pem"))

    def _authority(self, file: str) -> _Authority:
        folder = self._base / "ca"
        key = serialization.load_pem_private_key((folder / _KEYS[file]).read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise NotFound("The key in .homelab/tls/ca is not this project's.", code="tls_missing")
        return _Authority(x509.load_pem_x509_certificate((folder / file).read_bytes()), key)

    def _stage(self, name: str, host: DockerHost | None, old: _Authority, new: _Authority) -> CaHost:
        base = self._base / name
        if not new.made(_read(base / "server" / "cert.pem")) or not (base / "client" / "cert.pem").exists():
            return CaHost(name, CaStage.OLD)
        if host is None:
            return CaHost(name, CaStage.UNASKED)
        ours_is_new = new.made(_read(base / "client" / "cert.pem"))
        by_files = CaStage.NARROW if ours_is_new else CaStage.COPY
        try:
            shown = _asked(host, base / "client")
            if not ours_is_new:
                if shown is None or not new.made(shown):
                    return CaHost(name, CaStage.COPY, "" if shown else "It turns this machine away.")
                if self._tried(name, host, new, new) is None:
                    return CaHost(name, CaStage.COPY, "It shows its new certificate and does not trust the new CA.")
                return CaHost(name, CaStage.SWITCH)
            if shown is None:
                return CaHost(name, CaStage.NARROW, "It turns this machine away.")
            return CaHost(name, CaStage.NARROW if self._tried(name, host, old, new) else CaStage.DONE)
        except OSError as error:
            return CaHost(name, by_files, f"It does not answer ({error.strerror or error}).")

    def _tried(self, name: str, host: DockerHost, by: _Authority, trusted: _Authority) -> x509.Certificate | None:
        """What the host shows to a client with a certificate of that authority; None: it turns it away."""
        folder = private_folder(self._root, FOLDER, name, _PROBE)
        try:
            self._client(folder, name, by, trusted, 1)
            return _asked(host, folder)
        finally:
            gone(folder)

    def _offer(self, name: str, old: _Authority, new: _Authority, days: int) -> None:
        """A certificate of the new authority for the host, and both authorities in what both ends trust."""
        both = old.text + new.text
        names = [general(n) for n in names_of(_read(self._base / name / "server" / "cert.pem"))]
        made, key = issue(new.certificate, new.key, f"Docker host {name}", names, ExtendedKeyUsageOID.SERVER_AUTH, days)
        # First what this machine trusts: whenever the host changes, it is known here already.
        write_private(self._base / name / "client" / "ca.pem", both)
        folder = private_folder(self._root, FOLDER, name, "server.new")
        for file, text in (("ca.pem", both), ("key.pem", key_pem(key)), ("cert.pem", pem(made))):
            write_private(folder / file, text)
        swap(self._base / name, "server")

    def _switch(self, name: str, new: _Authority, days: int) -> None:
        """A certificate of the new authority for this machine, and the new one alone in what both ends trust."""
        self._client(private_folder(self._root, FOLDER, name, "client.new"), name, new, new, days)
        write_private(self._base / name / "server" / "ca.pem", new.text)
        swap(self._base / name, "client")

    def _client(self, folder: Path, name: str, by: _Authority, trusted: _Authority, days: int) -> None:
        made, key = issue(by.certificate, by.key, f"homelab-mcp for {name}", [], ExtendedKeyUsageOID.CLIENT_AUTH, days)
        for file, text in (("ca.pem", trusted.text), ("key.pem", key_pem(key)), ("cert.pem", pem(made))):
            write_private(folder / file, text)

    def _finish(self) -> tuple[CaHost, ...]:
        """The new authority is the one; the old one's key is overwritten. Done again after a crash, it ends alike."""
        folder = self._base / "ca"
        replace_private(folder / "ca.pem", (folder / NEXT).read_text(encoding="ascii"))
        replace_private(folder / "ca-key.pem", (folder / _KEYS[NEXT]).read_text(encoding="ascii"))
        (folder / NEXT).unlink()
        overwrite(folder / _KEYS[NEXT])
        return ()


def _asked(host: DockerHost, folder: Path) -> x509.Certificate | None:
    """The certificate that the host shows to who comes with this folder's; None where it turns that away.

    Raises OSError where nobody answers, or where the host's certificate is none that the folder trusts.
    """
    parts = urlsplit(host.address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(folder / "ca.pem")
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    connection = http.client.HTTPSConnection(
        parts.hostname or "", parts.port or 2376, timeout=host.timeout, context=context
    )
    met = False
    try:
        connection.connect()
        shown = connection.sock.getpeercert(binary_form=True)
        met = True
        connection.request("GET", "/_ping")
        status = connection.getresponse().status
    except (ssl.SSLError, ConnectionError, http.client.HTTPException) as error:
        # With TLS 1.3 a client learns after the handshake that it was turned away, at times by a reset alone.
        told = isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLCertVerificationError)
        if met or told:
            return None
        raise OSError(str(error)) from error
    finally:
        connection.close()
    return x509.load_der_x509_certificate(shown) if status == http.HTTPStatus.OK and shown else None


def _read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())
