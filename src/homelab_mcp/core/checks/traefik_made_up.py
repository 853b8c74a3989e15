"""Names of the HTTP services that Traefik's Docker provider makes up."""

from __future__ import annotations

import re

from homelab_mcp.core.checks.traefik_labels import http_labels
from homelab_mcp.core.checks.view import Lab, ServiceView
from homelab_mcp.core.stack_host import SWARM


def made_up_services(lab: Lab) -> set[str]:
    """Names, in lower case, of the HTTP services that Traefik makes for containers whose labels define none.

    Its Docker provider joins the words of the service's name and the project's; where labels speak of TCP or UDP
    alone it makes none (traefik/traefik, ``pkg/provider/docker/config.go``).
    """
    known: set[str] | None = lab.memo.get("made-up services")
    if known is None:
        known = lab.memo["made-up services"] = {_made_up(s) for s in lab.services if _gets_made_up(s)}
    return known


def _gets_made_up(service: ServiceView) -> bool:
    if service.label("traefik.enable").lower() == "false" or http_labels(service, "services"):
        return False
    streams = any(key[:12] in ("traefik.tcp.", "traefik.udp.") for key, _ in service.traefik_labels)
    return bool(service.http_labels) or not streams


def _made_up(service: ServiceView) -> str:
    names = (service.name, service.stack.project)
    both = "_".join(reversed(names) if service.stack.engine == SWARM else names)
    return "-".join(re.findall(r"[^\W_]+", both.lower()))
