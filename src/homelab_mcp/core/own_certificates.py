"""Services that speak HTTPS alone, with a certificate of their own: Traefik's file that lets it ask just these.

Traefik checks the certificate of whom it asks, and one that a program made for itself proves nothing to anybody. So
each such service gets a transport of its own that does not check; every other service keeps Traefik's usual one. A
label can name a transport, but only a file can define one (Traefik's reference, "HTTP ServersTransport" and "Docker").
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from homelab_mcp.core.host_routes import has_own_traefik
from homelab_mcp.core.labels import OWN_CERTIFICATE
from homelab_mcp.core.operations.lab_view import Known, LabView
from homelab_mcp.core.yaml_emit import Style, entry
from homelab_mcp.model.lab import LOCAL

FILE = "own-certificates.yaml"
"""In Traefik's dynamic folder."""

HEAD = (
    "# Made by homelab-mcp from the labels of services that show a certificate of their own, and made anew by every\n"
    "# plan. Transports of your own belong in other files of this folder: they are never touched.\n"
)
_LABEL = re.compile(r"^traefik\.http\.services\.[^.]+\.loadbalancer\.serverstransport$", re.IGNORECASE)
_FILE_PROVIDER = "@file"


def transports(lab: LabView, host: str) -> list[str]:
    """Names of the transports that the Traefik of a Docker host must have, in order."""
    served = (s for s in lab.services if s.host == host or (host == LOCAL and not has_own_traefik(lab, s.host)))
    return sorted({name for service in served for name in _named(service)})


def _named(service: Known) -> Iterator[str]:
    for key, value in service.labels.items():
        if _LABEL.match(key) and value.endswith(f"{OWN_CERTIFICATE}{_FILE_PROVIDER}"):
            yield value.removesuffix(_FILE_PROVIDER)


def file_text(names: list[str]) -> str:
    """The file that defines them; "" where there is none."""
    if not names:
        return ""
    http = {"serversTransports": {name: {"insecureSkipVerify": True} for name in names}}
    return HEAD + "\n".join(entry("http", http, 0, Style())) + "\n"
