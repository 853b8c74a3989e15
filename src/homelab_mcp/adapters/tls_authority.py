"""The lab's certificate authorities as they are on disk: ``.homelab/tls/ca`` has each one's certificate and key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from homelab_mcp.adapters.tls_issue import pem
from homelab_mcp.model.errors import InvalidInput, NotFound

CURRENT = "ca.pem"
NEXT = "next.pem"
"""The next authority's certificate, beside the one there is, while it takes its place on the hosts."""
KEYS = {CURRENT: "ca-key.pem", NEXT: "next-key.pem"}


@dataclass(frozen=True, slots=True)
class Authority:
    """One authority: its certificate and the key that signs with it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def text(self) -> str:
        """The certificate as PEM."""
        return pem(self.certificate)

    def made(self, certificate: x509.Certificate) -> bool:
        """Whether that certificate was signed with this key."""
        return issued(self.certificate, certificate)


def issued(by: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether an authority's key signed that certificate."""
    try:
        certificate.verify_directly_issued_by(by)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def read_certificate(path: Path) -> x509.Certificate:
    """A PEM file's first certificate. Raises OSError, ValueError."""
    return x509.load_pem_x509_certificate(path.read_bytes())


def read_authority(folder: Path, file: str, hint: str = "", key_at: Path | None = None) -> Authority:
    """The authority whose certificate is ``file`` in that folder, and its key there or at ``key_at``.

    Raises NotFound (``tls_ca_missing``) or InvalidInput (``tls_ca_unreadable``) with ``hint``, or with what is to be
    done whatever hosts have by now.
    """
    part, shown = file, f".homelab/tls/ca/{file}"
    try:
        certificate = read_certificate(folder / file)
        part = KEYS[file]
        shown = str(key_at) if key_at else f".homelab/tls/ca/{part}"
        key = serialization.load_pem_private_key((key_at or folder / part).read_bytes(), None)
    except FileNotFoundError:
        raise NotFound(f"{shown} is not there.", hint=hint or _way_out(folder, part), code="tls_ca_missing") from None
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        # A library's own words on a damaged key may quote it.
        why = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
        raise _unreadable(f"{shown} cannot be read{why}.", hint or _way_out(folder, part)) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise _unreadable(f"{shown} is not the key of {file}.", hint or _way_out(folder, part))
    return Authority(certificate, key)


def _way_out(folder: Path, part: str) -> str:
    """What a person can do where that file is gone or damaged, for good or not."""
    ours = part in (CURRENT, KEYS[CURRENT])
    # A new authority is made where there is no certificate of an old one, and at no other time.
    drop = [CURRENT, KEYS[CURRENT], NEXT, KEYS[NEXT]] if ours else [NEXT, KEYS[NEXT]]
    rest = [name for name in dict.fromkeys(drop) if (folder / name).exists()]
    away = f"delete {', '.join(rest)} there, then " if rest else ""
    names = "--name ITS-NAME " if ours else ""
    makes = "; the first makes a new CA" if ours else ""
    kept = " (where you keep it elsewhere: `--ca-key PATH` reads it from there)" if part == KEYS[CURRENT] else ""
    return (
        f"Put it back as it was, at least until a change of the CA has ended{kept}. Where it is gone for good: "
        f"{away}`homelab-mcp host tls NAME {names}--rotate` for each host{makes}. "
        "A host is out of reach until its new files are copied to it."
    )


def _unreadable(message: str, hint: str) -> InvalidInput:
    return InvalidInput(message, hint=hint, code="tls_ca_unreadable")
