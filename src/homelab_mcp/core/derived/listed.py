"""Every derivation, in the order in which a plan shows them."""

from __future__ import annotations

from homelab_mcp.core.derived import Derivation
from homelab_mcp.core.derived.access_control import access_control
from homelab_mcp.core.derived.backups import backups
from homelab_mcp.core.derived.external import external_file
from homelab_mcp.core.derived.homepage import homepage_services
from homelab_mcp.core.derived.host_routes import host_routes_file
from homelab_mcp.core.derived.monitoring import monitoring
from homelab_mcp.core.derived.own_certificates import own_certificates_file
from homelab_mcp.core.derived.sablier import sablier_file
from homelab_mcp.core.derived.traefik_dynamic import traefik_dynamic

DERIVATIONS: tuple[Derivation, ...] = (
    traefik_dynamic,
    sablier_file,
    external_file,
    host_routes_file,
    own_certificates_file,
    access_control,
    homepage_services,
    backups,
    monitoring,
)
