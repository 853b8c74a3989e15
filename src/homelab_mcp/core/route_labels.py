"""The labels by which a service says its routes: what they say that Traefik's file can say too."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from homelab_mcp.core.operations.lab_view import Known

KINDS = ("tcp", "udp")
"""What goes by routers of its own beside HTTP."""

HTTP_LABEL = re.compile(r"^traefik\.http\.(routers|services)\.([^.]+)\.(.+)$", re.IGNORECASE)
STREAM_LABEL = re.compile(r"^traefik\.(tcp|udp)\.(routers|services)\.([^.]+)\.(.+)$", re.IGNORECASE)
PORT, SCHEME = "loadbalancer.server.port", "loadbalancer.server.scheme"
TRANSPORT = "loadbalancer.serverstransport"
_OF_DOCKER = ("traefik.enable", "traefik.docker.")
_HTTP = {
    "routers": {"rule", "entrypoints", "middlewares", "priority", "service", "tls", "tls.certresolver", "tls.options"},
    "services": {PORT, SCHEME, TRANSPORT},
}
_STREAMS: Mapping[tuple[str, str], Collection[str]] = {
    ("tcp", "routers"): {*_HTTP["routers"], "tls.passthrough"},
    ("tcp", "services"): {PORT, TRANSPORT, "loadbalancer.server.tls"},
    ("udp", "routers"): {"entrypoints", "service"},
    ("udp", "services"): {PORT},
}


def not_carried(service: Known) -> list[str]:
    """Labels for Traefik that the file cannot say, so that the route would not be what they ask for."""
    lost = []
    for key in service.labels:
        if not key.lower().startswith("traefik.") or key.lower().startswith(_OF_DOCKER):
            continue
        http, stream = HTTP_LABEL.match(key), STREAM_LABEL.match(key)
        if http and http[3].lower() in _HTTP[http[1].lower()]:
            continue
        if stream and stream[4].lower() in _STREAMS[stream[1].lower(), stream[2].lower()]:
            continue
        lost.append(key)
    return lost


def stream_ports(labels: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """(container's port, protocol) of each TCP or UDP service that labels define."""
    for key, value in labels.items():
        label = STREAM_LABEL.match(key)
        if label and label[2].lower() == "services" and label[4].lower() == PORT and value.isdigit():
            yield int(value), label[1].lower()


def routed_ports(labels: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """(container's port, protocol) of each service that labels define, HTTP's first."""
    for key, value in labels.items():
        label = HTTP_LABEL.match(key)
        if label and label[1].lower() == "services" and label[3].lower() == PORT and value.isdigit():
            yield int(value), "tcp"
    yield from stream_ports(labels)


def listed(text: str) -> list[str]:
    """The parts of a label's list."""
    return [part.strip() for part in text.split(",") if part.strip()]
