"""The configuration of well-known programs as far as a lab's stacks show it: mounted files, and configs in the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from homelab_mcp.core.checks.traefik_places import Places, TraefikFile, Unknown
from homelab_mcp.core.checks.view import Lab, ServiceView
from homelab_mcp.core.yaml12 import Mark

_READ: dict[str, tuple[str, ...]] = {
    "prometheus": ("/etc/prometheus/prometheus.yml", "/etc/prometheus/prometheus.yaml"),
    "promtail": ("/etc/promtail/config.yml", "/etc/promtail/config.yaml", "/etc/promtail/promtail.yml"),
    "homepage": ("/app/config/services.yaml", "/app/config/widgets.yaml", "/app/config/docker.yaml"),
    "caddy": ("/etc/caddy/Caddyfile",),
    "nginx": ("/etc/nginx/nginx.conf", "/etc/nginx/conf.d/default.conf"),
    "zigbee2mqtt": ("/app/data/configuration.yaml",),
    "eclipse-mosquitto": ("/mosquitto/config/mosquitto.conf",),
    "gatus": ("/config/config.yaml",),
    "alertmanager": ("/etc/alertmanager/alertmanager.yml",),
    "grafana": (
        "/etc/grafana/provisioning/datasources/datasources.yml",
        "/etc/grafana/provisioning/datasources/datasources.yaml",
        "/etc/grafana/provisioning/datasources/datasource.yml",
        "/etc/grafana/provisioning/datasources/prometheus.yml",
    ),
}
"""Image -> the files that it reads (each program's documentation)."""
MOST = 100_000
"""Characters of a file that are looked at."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """One file: its text, and where a line of it is."""

    text: str
    source: TraefikFile

    def place(self, line: int, column: int) -> tuple[str, Mark]:
        """The file and the mark; of a config in the compose file the place where that begins."""
        file, mark = self.source.place(())
        return file, Mark(line, column) if file == self.source.file and "/" in file else mark


def config_files(lab: Lab) -> Iterator[tuple[ServiceView, ConfigFile]]:
    """Each file that a well-known program of the lab reads, with the program; what cannot be seen is left out."""
    for service in lab.services:
        for path in _paths(service):
            try:
                found = Places(service).read(path)
            except Unknown:
                continue
            if found is not None and len(found.text) <= MOST:
                yield service, ConfigFile(found.text, found)


def _paths(service: ServiceView) -> list[str]:
    usual = _READ.get(service.image_name, ())
    if not usual or service.partial:
        return []
    mounted = [m.target for m in service.mounts if m.target.endswith((".yml", ".yaml", ".conf"))]
    below = [m for m in mounted if any(m.startswith(u.rpartition("/")[0]) for u in usual)]
    return list(dict.fromkeys([*usual, *below]))
