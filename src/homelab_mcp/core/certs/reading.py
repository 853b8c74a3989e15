"""From a certificate's bytes to what it says."""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import NameOID

from homelab_mcp.model.certificate import Certificate


def from_der(data: bytes) -> Certificate | None:
    """What a DER certificate says; None where it is none."""
    try:
        return _said(x509.load_der_x509_certificate(data))
    except (ValueError, TypeError):
        return None


def from_pem(data: bytes) -> Certificate | None:
    """What the first certificate of a PEM text says: the server's own, before its chain; None where there is none."""
    try:
        return _said(x509.load_pem_x509_certificate(data))
    except (ValueError, TypeError):
        return None


def _said(found: x509.Certificate) -> Certificate:
    try:
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = extension.value.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError):
        names = []
    common = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Certificate(
        subject=str(common[0].value) if common else "",
        names=tuple(n.lower() for n in names),
        issuer=found.issuer.rfc4514_string(),
        serial=f"{found.serial_number:x}",
        not_before=found.not_valid_before_utc.timestamp(),
        not_after=found.not_valid_after_utc.timestamp(),
    )
