"""A certificate authority of the lab's own for Docker over TCP, and the two certificates that each host needs.

Source: Docker, "Protect the Docker daemon socket": both ends show a certificate of one CA, the daemon's with the
host's names and ``serverAuth``, the client's with ``clientAuth``. Private keys are written with mode 0600 below
``.homelab/tls`` and never returned.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from homelab_mcp.adapters.private import overwrite, private_folder, write_private
from homelab_mcp.adapters.tls_authority import CURRENT, NEXT, read_authority
from homelab_mcp.adapters.tls_issue import authority, general, issue, key_pem, names_of, pem
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.hosts import TlsFile

FOLDER = "tls"
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

    def make(
        self, name: str, names: Sequence[str], days: int, *, again: bool = False, ca_key: Path | None = None
    ) -> tuple[TlsFile, ...]:
        """The host's server and client certificate, and the CA where there is none yet; ``again``: new ones.

        Old ones are replaced only once both new ones are written; those of the same CA go on working on the host.
        ``ca_key`` is where the CA's key is kept, if not beside its certificate: it is read there and stays there.

        Raises:
            InvalidInput: there are some already (``tls_exists``), no name is given for the host (``tls_names``), or a
                new CA is on its way (``tls_renewing``), or the CA's files are damaged (``tls_ca_unreadable``).
            NotFound: the CA's key is not there (``tls_ca_missing``).
            StorageFailed.
        """
        base = self._root / ".homelab" / FOLDER
        if (base / "ca" / NEXT).exists():
            raise InvalidInput(
                "A new CA is taking the old one's place on the hosts.",
                hint="Finish that first: `homelab-mcp host renew-ca` says what is next.",
                code="tls_renewing",
            )
        end_swaps(base / name)
        there = all((base / name / role / "key.pem").is_file() for role in _ROLES)
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
        wanted = [general(n) for n in names]
        ca, signing = self._authority(ca_key)
        ca_text = pem(ca)
        made = {
            "server": issue(ca, signing, f"Docker host {name}", wanted, ExtendedKeyUsageOID.SERVER_AUTH, days),
            "client": issue(ca, signing, f"homelab-mcp for {name}", [], ExtendedKeyUsageOID.CLIENT_AUTH, days),
        }
        for role, (certificate, key) in made.items():
            folder = private_folder(self._root, FOLDER, name, f"{role}.new")
            for file, text in (("ca.pem", ca_text), ("key.pem", key_pem(key)), ("cert.pem", pem(certificate))):
                write_private(folder / file, text)
        for role in _ROLES:
            swap(base / name, role)
        return self.look(name)

    def look(self, name: str) -> tuple[TlsFile, ...]:
        """CA, server and client certificate of a host. Raises NotFound (``tls_missing``)."""
        base = self._root / ".homelab" / FOLDER
        end_swaps(base / name)
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
            found.append(TlsFile(role, shown, names_of(certificate), certificate.not_valid_after_utc.timestamp()))
        return tuple(found)

    def _authority(self, key_at: Path | None) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        folder = private_folder(self._root, FOLDER, "ca")
        # A certificate without its key is one whose key is elsewhere: a new one would part every host from here.
        if not (folder / CURRENT).exists() and key_at is None:
            return self._new_authority(folder)
        found = read_authority(folder, CURRENT, key_at=key_at)
        return found.certificate, found.key

    def _new_authority(self, folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        certificate, key = authority()
        write_private(folder / "ca-key.pem", key_pem(key))
        write_private(folder / "ca.pem", pem(certificate))
        return certificate, key


def swap(base: Path, role: str) -> None:
    """Put ``ROLE.new`` in the place of ``ROLE``, whose files are overwritten."""
    with _alone(base):
        old = base / f"{role}.old"
        gone(old)
        if (base / role).exists():
            (base / role).rename(old)
        (base / f"{role}.new").rename(base / role)
        gone(old)


def end_swaps(base: Path) -> None:
    """Do the rest of each ``swap`` of a host that a crash ended between its two renames, or before its end."""
    if not any((base / f"{role}.old").is_dir() for role in _ROLES):
        return
    with _alone(base):
        for role in _ROLES:
            old, new = base / f"{role}.old", base / f"{role}.new"
            if old.is_dir() and not (base / role).exists():
                # A swap begins once the new folder is whole; where somebody took that away, the old one still works.
                (new if new.is_dir() else old).rename(base / role)
            gone(old)


@contextlib.contextmanager
def _alone(base: Path) -> Iterator[None]:
    """Nobody else is between two renames in that folder meanwhile."""
    fd = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # A network file system may not lock folders; a lab's own lock keeps two writers apart there too.
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def gone(folder: Path) -> None:
    """Remove a folder of keys, which are overwritten first; nothing where there is none."""
    if folder.is_dir():
        for path in folder.iterdir():
            overwrite(path)
        folder.rmdir()
