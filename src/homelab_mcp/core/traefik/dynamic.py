"""The file of Traefik's dynamic folder that belongs to this project; a person's own files stand beside it."""

from __future__ import annotations

from typing import Any

from homelab_mcp.core.yaml_emit import Style, entry
from homelab_mcp.model.lab import LabSettings

DYNAMIC_FILE = "dynamic/homelab.yaml"
"""Relative to Traefik's folder in its stack."""

CERTIFICATES = "/certificates"
SECURITY_HEADERS = "security-headers"
RATE_LIMIT = "rate-limit"
MIDDLEWARES = (f"{SECURITY_HEADERS}@file", f"{RATE_LIMIT}@file")
"""On the secure entry point, so before each router's own."""

_HEAD = (
    "# Made by homelab-mcp from homelab.yaml, and made anew by every plan. Your own middlewares and routes belong in\n"
    "# other files of this folder: they are never touched."
)
_HALF_A_YEAR = 15_552_000
_BURST = 3
"""How many seconds' worth of requests may come at once: a page full of thumbnails is no attack."""


def dynamic_text(settings: LabSettings) -> str:
    """The file's text: middlewares of the entry point, TLS for every route, the person's own certificates."""
    data: dict[str, Any] = {
        "http": {
            "middlewares": {SECURITY_HEADERS: {"headers": _headers()}, RATE_LIMIT: {"rateLimit": _rate(settings)}}
        },
        "tls": _tls(settings),
    }
    lines = [line for key, value in data.items() for line in entry(key, value, 0, Style())]
    return "\n".join([_HEAD, *lines]) + "\n"


def _headers() -> dict[str, Any]:
    return {
        # Without subdomains: what else the domain's owner runs is theirs to decide.
        "stsSeconds": _HALF_A_YEAR,
        "contentTypeNosniff": True,
        # Programs that must be framed elsewhere say frame-ancestors, which browsers put before this.
        "customFrameOptionsValue": "SAMEORIGIN",
        "referrerPolicy": "strict-origin-when-cross-origin",
        # An empty value takes the header away: no need to tell everybody which program in which version this is.
        "customResponseHeaders": {"Server": "", "X-Powered-By": ""},
    }


def _rate(settings: LabSettings) -> dict[str, Any]:
    average = settings.traefik.rate_limit
    return {"average": average, "period": "1s", "burst": max(1, average * _BURST)}


def _tls(settings: LabSettings) -> dict[str, Any]:
    # Cipher suites stay Go's own choice: it leaves weak ones out, and learns of new ones with each release.
    tls: dict[str, Any] = {"options": {"default": {"minVersion": "VersionTLS12"}}}
    names = settings.traefik.certificates
    if names:
        pairs = [{"certFile": f"{CERTIFICATES}/{n}.crt", "keyFile": f"{CERTIFICATES}/{n}.key"} for n in names]
        tls["certificates"] = pairs
        if settings.acme.challenge == "none":
            # What no certificate is for is served with the first, rather than with one Traefik makes up.
            tls["stores"] = {"default": {"defaultCertificate": pairs[0]}}
    return tls
