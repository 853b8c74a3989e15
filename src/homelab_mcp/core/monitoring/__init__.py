"""What watches the lab: which services Prometheus asks, what it warns of, what Gatus visits, what Grafana shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from homelab_mcp.core.labels import COMPANION_OF, SERVICE
from homelab_mcp.core.operations.lab_view import Known, LabView, expand
from homelab_mcp.core.published_ports import bracketed, published_at
from homelab_mcp.core.yaml_emit import Style, entry, items
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.lab import LOCAL

HEAD = "# Made by homelab-mcp from the services of this lab; made anew with every plan: what is changed here is lost.\n"
TARGETS_FILE = "homelab-targets.yml"
RULES_FILE = "homelab-rules.yml"
ALERTMANAGERS_FILE = "homelab-alertmanager.yml"
MONITORS_FILE = "homelab.yaml"
SOURCES_FILE = "homelab.yaml"
DASHBOARD_FILE = "homelab-lab.json"


@dataclass(frozen=True, slots=True)
class Target:
    """What Prometheus asks: ``address`` is host:port; "" where it cannot be reached, and ``why``.

    ``kind`` is the definition's id.
    """

    kind: str
    stack: str
    service: str
    address: str
    path: str
    why: str = ""

    @property
    def note(self) -> str:
        """A sentence on what is not asked."""
        return f"{self.stack}/{self.service} is not asked: {self.why}."


def by_kind(lab: LabView, kind: str) -> list[Known]:
    """Every service that was made from that definition, by its label alone: only those are set up as it says."""
    return [s for s in lab.services if s.labels.get(SERVICE) == kind and not s.labels.get(COMPANION_OF)]


def mounted(service: Known, target: str) -> str:
    """The folder that a service sees at ``target``, relative to the lab's root; "" where it is none of its stack's."""
    volumes = service.data.get("volumes")
    for volume in volumes if isinstance(volumes, list) else ():
        if isinstance(volume, Mapping):
            source, there = str(volume.get("source", "")), str(volume.get("target", ""))
        else:
            source, _, rest = str(volume).partition(":")
            there = rest.partition(":")[0]
        if there.rstrip("/") == target and source.startswith("./"):
            return f"{service.stack}/{source.removeprefix('./').rstrip('/')}"
    return ""


def host_of(service: Known) -> str:
    """The name by which other containers reach a service."""
    return expand(str(service.data.get("container_name") or service.name), service.env)


def reached(asker: Known, service: Known, port: int, addresses: Mapping[str, str]) -> tuple[str, str]:
    """host:port by which one service reaches another; else "", and why.

    Beside it by the container's name. From this machine to another host as Traefik gets there: by the private address,
    where the port is published on it. Other ways are shut, as each host is to let this machine in alone.

    Args:
        asker: who asks.
        service: who is asked.
        port: the container's.
        addresses: private address by host; "" or missing where none is known.
    """
    if service.host == asker.host:
        return f"{host_of(service)}:{port}", ""
    if asker.host != LOCAL:
        return "", f"it is on host {service.host}, which {asker.name} on host {asker.host} has no way to"
    address = addresses.get(service.host, "")
    if not address:
        return "", f"no private address of host {service.host} is known"
    on_host = service.data.get("network_mode") == "host"
    at = port if on_host else published_at(service.data.get("ports"), service.env, port, address)
    if not at:
        return "", f"it is on host {service.host}, and port {port} of its container is not published on {address} there"
    return f"{bracketed(address)}:{at}", ""


def targets_of(
    lab: LabView,
    prometheus: Known,
    find: Callable[[str], ServiceDefinition | None],
    addresses: Mapping[str, str] = MappingProxyType({}),
) -> list[Target]:
    """Every service with figures that shares a network with this Prometheus or is on another host, by stack and name.

    Those that it has no way to are among them, without an address.
    """
    near = _networks(prometheus)
    found = []
    for service in lab.services:
        kind = service.labels.get(SERVICE, "")
        definition = find(kind) if kind and not service.labels.get(COMPANION_OF) else None
        if definition is None or definition.metrics is None:
            continue
        if service.host == prometheus.host and not near & _networks(service):
            continue
        metrics = definition.metrics
        address, why = reached(prometheus, service, metrics.port, addresses)
        found.append(Target(kind, service.stack, service.name, address, metrics.path, why))
    return sorted(found, key=lambda t: (t.stack, t.service))


def targets_text(targets: Sequence[Target]) -> str:
    """The file of targets (Prometheus ``file_sd_configs``), which Prometheus reads again by itself."""
    groups = [
        {
            "targets": [t.address],
            "labels": {
                "job": t.service,
                "stack": t.stack,
                "kind": t.kind,
                **({"__metrics_path__": t.path} if t.path != "/metrics" else {}),
            },
        }
        for t in targets
        if t.address
    ]
    return listed(groups) + "".join(f"# {t.note}\n" for t in targets if not t.address)


def alertmanagers_text(addresses: Sequence[str]) -> str:
    """The file of Alertmanagers, in the same form."""
    return listed([{"targets": [address]} for address in addresses])


def listed(values: Sequence[Any]) -> str:
    """A list as a YAML file with our head."""
    return HEAD + ("\n".join(items(list(values), 0, Style())) if values else "[]") + "\n"


def mapped(value: Mapping[str, Any]) -> str:
    """A mapping as a YAML file with our head."""
    return HEAD + "\n".join(line for key, part in value.items() for line in entry(key, part, 0, Style())) + "\n"


def _networks(service: Known) -> set[str]:
    networks = service.data.get("networks")
    return {str(n) for n in networks} if isinstance(networks, (list, Mapping)) else {f"{service.stack}_default"}
