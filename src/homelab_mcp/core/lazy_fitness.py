"""Which services may sleep, and why others may not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from homelab_mcp.core.checks.images import DATABASES, SCHEDULERS, SIGN_ON
from homelab_mcp.core.host_routes import has_own_traefik
from homelab_mcp.core.network_sharers import owner_of
from homelab_mcp.core.operations.lab_view import Known, LabView
from homelab_mcp.core.stack_host import SWARM
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import ContainerState

_PROXIES = frozenset(
    {"traefik", "caddy", "haproxy", "swag", "nginx-proxy-manager", "nginx-proxy", "cloudflared", "sablier"}
    | {"docker-socket-proxy", "socket-proxy"}
)
_BROKERS = frozenset(
    {"mosquitto", "eclipse-mosquitto", "rabbitmq", "nats", "emqx", "kafka", "redpanda", "activemq-artemis", "vernemq"}
)
_GATEWAYS = frozenset({"gluetun", "wireguard", "wg-easy", "tailscale", "headscale", "netbird", "zerotier"})
_NAMES = frozenset({"pihole", "adguardhome", "unbound", "coredns", "dns-server", "blocky", "dnsmasq"})
_BACKUPS = frozenset({"kopia", "restic", "rest-server", "docker-volume-backup", "borg-server", "urbackup-server"})

_KINDS: tuple[tuple[Collection[str], str], ...] = (
    (DATABASES, "It is a database: nobody visits it, and who uses it would find it gone. It sleeps with its service."),
    (_GATEWAYS, "It is a network's gateway: containers behind it lose all network when it stops."),
    (_PROXIES, "Every route, or what wakes the others, goes through it."),
    (_BROKERS, "It is a broker: messages that come while it sleeps are lost."),
    (_NAMES, "It answers name look-ups, which come at any time and by no route of Traefik."),
    (SCHEDULERS | _BACKUPS, "It works while nobody looks at its page; asleep it does nothing."),
)


def image_name(service: Mapping[str, Any]) -> str:
    """The last part of a service's image, without its tag: ``nginx`` of ``docker.io/library/nginx:1.29``."""
    return str(service.get("image") or "").rpartition("/")[2].partition("@")[0].partition(":")[0].lower()


def routers_of(service: Known) -> list[str]:
    """Its HTTP routers' names, in the order of its labels."""
    parts = (k.split(".") for k in service.labels if k.lower().startswith("traefik.http.routers."))
    return list(dict.fromkeys(p[3] for p in parts if len(p) > 4))


def check_may_sleep(
    service: Known,
    lab: LabView,
    definition: ServiceDefinition | None,
    group: Collection[str],
    containers: Collection[ContainerState] | None,
) -> None:
    """Refuse lazy loading where it would do harm or never wake the service.

    Args:
        service: which.
        lab: the lab.
        definition: what it was made from, where that is known.
        group: services of its stack that would sleep with it.
        containers: what runs, where the engine was asked.

    Raises:
        InvalidInput: code ``lazy_refused``, or ``lazy_needs_health`` where it has no health check, though it could.
    """
    if reason := next(_reasons(service, lab, definition, group), ""):
        raise InvalidInput(
            f"{service.where} is not put to sleep: {reason}",
            hint="Leave it running; limits keep it small.",
            code="lazy_refused",
        )
    running = next((c for c in containers or () if (c.stack, c.service) == (service.stack, service.name)), None)
    check = service.data.get("healthcheck")
    off = isinstance(check, Mapping) and bool(check.get("disable"))
    without = definition is not None and definition.container.health is None
    if off or not (check or without or (running and running.health)):
        raise InvalidInput(
            f"{service.where} has no health check: Sablier would let visitors in before it can answer.",
            hint="Give it a healthcheck first.",
            code="lazy_needs_health",
        )


def _reasons(
    service: Known, lab: LabView, definition: ServiceDefinition | None, group: Collection[str]
) -> Iterator[str]:
    if service.engine == SWARM:
        yield "Swarm runs it, and Sablier wakes containers of Compose alone."
    if has_own_traefik(lab, service.host):
        yield f"A Traefik of its own serves host {service.host}, and no plan writes middlewares for that one."
    name = image_name(service.data)
    if definition is not None and not definition.lazy.ok:
        yield definition.lazy.why
    for names, reason in _KINDS:
        if name in names:
            yield reason
    image = str(service.data.get("image") or "").lower()
    if any(word in image for word in SIGN_ON) or "goauthentik" in image:
        yield "It is the lab's log-in: without it no protected page opens, its own included."
    neighbours = [s for s in lab.services if s.stack == service.stack and s.name not in group]
    if owner_of(service.data) or str(service.data.get("network_mode") or "").startswith("container:"):
        yield "It lives in another container's network, whose gateway carries its route."
    if sharing := [s.name for s in neighbours if owner_of(s.data) == service.name]:
        yield f"{', '.join(sharing)} lives in its network."
    if needing := [s.name for s in neighbours if service.name in _depends(s.data)]:
        yield f"{', '.join(needing)} depends on it and may ask it at any time."
    if not routers_of(service):
        yield "It has no HTTP route through Traefik, so nothing would wake it."


def _depends(service: Mapping[str, Any]) -> list[str]:
    found = service.get("depends_on")
    return [str(n) for n in found] if isinstance(found, (list, Mapping)) else []


def depends_on(service: Known) -> list[str]:
    """The services of its stack that it waits for."""
    return _depends(service.data)


def ends_by_itself(service: Known, name: str) -> bool:
    """Whether the service waits for that one to end (an init or migration job) and not to run."""
    found = service.data.get("depends_on")
    options = found.get(name) if isinstance(found, Mapping) else None
    return isinstance(options, Mapping) and options.get("condition") == "service_completed_successfully"
