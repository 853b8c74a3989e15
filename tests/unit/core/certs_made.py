"""Certificates and stores of Traefik's, made for tests."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from homelab_mcp.model.certificate import Certificate

NOW = 1_800_000_000.0
KEY_CANARY = "cHJpdmF0ZS1rZXktY2FuYXJ5"


@cache
def _key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem(names: tuple[str, ...], serial: int, *, begun: float = NOW, days: float = 90) -> bytes:
    """A self-signed certificate for these names."""
    start = datetime.fromtimestamp(begun, UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test CA")])
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]))
        .issuer_name(name)
        .public_key(_key().public_key())
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
        .sign(_key(), hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def entry(names: tuple[str, ...], serial: int, *, begun: float = NOW, days: float = 90) -> dict[str, Any]:
    """One certificate as Traefik stores it, with a key."""
    domain: dict[str, Any] = {"main": names[0]}
    if names[1:]:
        domain["sans"] = list(names[1:])
    return {
        "domain": domain,
        "certificate": base64.b64encode(pem(names, serial, begun=begun, days=days)).decode(),
        "key": KEY_CANARY,
        "Store": "default",
    }


def store(*entries: dict[str, Any], resolver: str = "letsencrypt") -> str:
    """A store as Traefik writes it."""
    account = {"Email": "person@example.org", "PrivateKey": KEY_CANARY}
    return json.dumps({resolver: {"Account": account, "Certificates": list(entries)}}, indent=2)


def certificate(
    *names: str, serial: str = "1", begun: float = NOW, days: float = 90, issuer: str = "CN=test CA"
) -> Certificate:
    """What such a certificate says."""
    return Certificate(names[0], names, issuer, serial, begun, begun + days * 86400)
