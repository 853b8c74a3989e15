"""Whether a domain's CAA records let the certificate authority issue (RFC 8659)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
"""Traefik's own choice where no other directory is named."""

_IDENTITIES = {
    "letsencrypt.org": "letsencrypt.org",
    "zerossl.com": "sectigo.com",
    "buypass.com": "buypass.com",
    "pki.goog": "pki.goog",
    "ssl.com": "ssl.com",
}
"""Domain of an ACME directory -> what the authority's own CPS says that it looks for in CAA records."""


def identity_of(directory: str) -> str:
    """What the authority behind an ACME directory looks for; "" for one that is not known, such as a private one."""
    host = (urlsplit(directory or LETS_ENCRYPT).hostname or "").lower()
    return next((i for d, i in _IDENTITIES.items() if host == d or host.endswith(f".{d}")), "")


def forbids(records: Sequence[str], identity: str, *, wildcard: bool) -> bool:
    """Whether these records (``issue ca.example``) keep that authority from issuing; none keep nobody."""
    split = [record.partition(" ")[::2] for record in records]
    wild = [value for tag, value in split if tag == "issuewild"]
    plain = [value for tag, value in split if tag == "issue"]
    said = wild if wildcard and wild else plain
    return bool(said) and identity not in said
