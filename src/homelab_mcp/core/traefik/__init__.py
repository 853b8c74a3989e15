"""Traefik's own set-up: its flags and mounts, the DNS providers it gets certificates with, and its dynamic folder."""

from homelab_mcp.core.traefik.dynamic import DYNAMIC_FILE, dynamic_text
from homelab_mcp.core.traefik.flags import (
    TRAEFIK,
    TraefikParts,
    for_settings,
    gives_certificates,
    published,
    traefik_parts,
    without_proxy,
)

__all__ = [
    "DYNAMIC_FILE",
    "TRAEFIK",
    "TraefikParts",
    "dynamic_text",
    "for_settings",
    "gives_certificates",
    "published",
    "traefik_parts",
    "without_proxy",
]
