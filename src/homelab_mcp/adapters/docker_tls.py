"""A certificate authority of the lab's own for Docker over TCP, and the two certificates that each host needs.

Source: Docker, "Protect the Docker daemon socket": both ends show a certificate of one CA, the daemon's with the
host's names and ``serverAuth``, the client's with ``clientAuth``. Private keys are written with mode 0600 below
``.homelab/tls`` and never returned.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from homelab_mcp.adapters.private import overwrite, private_folder, write_private
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.hosts import TlsFile

FOLDER = "tls"
CA_DAYS = 3650
_BACKDATED = timedelta(minutes=5)
"""For a host whose clock is a little behind."""
_DNS = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
_ROLES = ("server", "client")


def days_left(certificate: Path) -> int | None:
    """Whole days until a PEM file's certificate ends, negative where it has; None where it cannot be read."""
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError):
        return None
    return (found.not_valid_after_utc - datetime.now(UTC)).days


class DockerTls:
    """The certificates below one lab's private folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def make(self, name: str, names: Sequence[str], days: int, *, again: bool = False) -> tuple[TlsFile, ...]:
        """The host's server and client certificate, and the CA where there is none yet; ``again``: new ones.

        Old ones are replaced only once both new ones are written; those of the same CA go on working on the host.

        Raises:
            InvalidInput: there are some already (``tls_exists``), or no name is given for the host (``tls_names``).
            StorageFailed.
        """
        there = all((self._root / ".homelab" / FOLDER / name / role / "key.pem").is_file() for role in _ROLES)
        if there and not again:
            raise InvalidInput(
                f"Host {name} has certificates.",
                hint="`--check` shows how long they last, `--rotate` makes new ones.",
                code="tls_exists",
            )
        if not names:
            raise InvalidInput(
                f"Nobody said by which names host {name} is reached.",
                hint="Give --name nas.lan or --name 192.168.1.20, once for each; the address in hosts.yaml counts too.",
                code="tls_names",
            )
        general = [_general(n) for n in names]
        ca, ca_key = self._authority()
        ca_text = _pem(ca)
        made = {
            "server": _issue(ca, ca_key, f"Docker host {name}", general, ExtendedKeyUsageOID.SERVER_AUTH, days),
            "client": _issue(ca, ca_key, f"homelab-mcp for {name}", [], ExtendedKeyUsageOID.CLIENT_AUTH, days),
        }
        for role, (certificate, key) in made.items():
            folder = private_folder(self._root, FOLDER, name, f"{role}.new")
            for file, text in (("ca.pem", ca_text), ("key.pem", _key_pem(key)), ("cert.pem", _pem(certificate))):
                write_private(folder / file, text)
        for role in _ROLES:
            self._swap(name, role)
        return self.look(name)

    def look(self, name: str) -> tuple[TlsFile, ...]:
        """CA, server and client certificate of a host. Raises NotFound (``tls_missing``)."""
        base = self._root / ".homelab" / FOLDER
        paths = {
            "ca": base / "ca" / "ca.pem",
            "server": base / name / "server" / "cert.pem",
            "client": base / name / "client" / "cert.pem",
        }
        found = []
        for role, path in paths.items():
            try:
                certificate = x509.load_pem_x509_certificate(path.read_bytes())
            except (OSError, ValueError):
                raise NotFound(
                    f"Host {name} has no certificates made here.",
                    hint=f"`homelab-mcp host tls {name} --name ITS-NAME` makes them.",
                    code="tls_missing",
                ) from None
            shown = str(path.relative_to(self._root))
            found.append(TlsFile(role, shown, _names(certificate), certificate.not_valid_after_utc.timestamp()))
        return tuple(found)

    def _authority(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        folder = private_folder(self._root, FOLDER, "ca")
        try:
            certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
            key = serialization.load_pem_private_key((folder / "ca-key.pem").read_bytes(), None)
        except FileNotFoundError:
            return self._new_authority(folder)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise InvalidInput("The key in .homelab/tls/ca is not this project's.", hint="Move that folder away.")
        return certificate, key

    def _new_authority(self, folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "homelab-mcp Docker hosts")])
        certificate = (
            _builder(name, name, key, CA_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        write_private(folder / "ca-key.pem", _key_pem(key))
        write_private(folder / "ca.pem", _pem(certificate))
        return certificate, key

    def _swap(self, name: str, role: str) -> None:
        base = self._root / ".homelab" / FOLDER / name
        old = base / f"{role}.old"
        _gone(old)
        if (base / role).exists():
            (base / role).rename(old)
        (base / f"{role}.new").rename(base / role)
        _gone(old)


def _gone(folder: Path) -> None:
    if folder.is_dir():
        for path in folder.iterdir():
            overwrite(path)
        folder.rmdir()


def _issue(
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    common: str,
    names: Sequence[x509.GeneralName],
    purpose: x509.ObjectIdentifier,
    days: int,
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        _builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)]), ca.subject, key, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(ca_key, hashes.SHA256()), key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        pass
    if not _DNS.fullmatch(name):
        raise InvalidInput(f"{name[:80]!r} is neither a host name nor an address.", code="tls_names")
    return x509.DNSName(name)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(one.value) for one in found)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
