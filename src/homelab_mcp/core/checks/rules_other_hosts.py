"""HL270 and HL271: routes of services on other Docker hosts, which this machine's Traefik serves from a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.view import Lab, ServiceView
from homelab_mcp.core.host_routes import has_own_traefik, host_routes
from homelab_mcp.core.lazy import lazy_of
from homelab_mcp.core.lazy_hosts import traefik_of, unwoken
from homelab_mcp.core.operations.lab_view import Known, LabView
from homelab_mcp.core.route_labels import not_carried
from homelab_mcp.core.stack_host import SWARM
from homelab_mcp.core.stream_routes import stream_routes
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.lab import LOCAL

DOCS = "https://doc.traefik.io/traefik/reference/install-configuration/providers/others/file/"
_STREAMS = ("traefik.tcp.", "traefik.udp.")
HEAD = """x-homelab: {host: nas}
services:
  web:
    image: nginx:1.29
    labels:
      traefik.enable: 'true'
      traefik.http.routers.web.rule: Host(`web.example.org`)
      traefik.http.services.web.loadbalancer.server.port: '80'
"""


def _known(service: ServiceView) -> Known:
    return Known(
        service.stack.name, service.name, service.data, service.stack.env, service.stack.host, service.stack.engine
    )


def _elsewhere(lab: Lab) -> Iterator[ServiceView]:
    """Routed services that this machine's Traefik cannot see by itself: on other hosts, and those that Swarm runs."""
    if all(stack.host == LOCAL and stack.engine != SWARM for stack in lab.stacks):
        return
    view = LabView(tuple(_known(s) for s in lab.services), ())
    own = {s.host for s in lab.stacks if has_own_traefik(view, s.host)}
    away = (s for s in lab.services if s.stack.host not in {LOCAL, *own} or s.stack.engine == SWARM)
    yield from (s for s in away if s.traefik_labels)


def _streams(lab: Lab, addresses: Mapping[str, str]) -> dict[tuple[str, str], list[str]]:
    """(stack, service) -> why a TCP or UDP route of it is not served, which may be another service's doing."""
    if not any(k.startswith(_STREAMS) for s in _elsewhere(lab) for k, _ in s.traefik_labels):
        return {}
    found: dict[tuple[str, str], list[str]] = {}
    view = LabView(tuple(_known(s) for s in lab.services), ())
    for route in stream_routes(view, addresses, lab.facts.devices):
        if route.why:
            found.setdefault((route.service.stack, route.service.name), []).append(route.why)
    return found


def _unwoken(lab: Lab, addresses: Mapping[str, str]) -> dict[tuple[str, str], list[str]]:
    """(stack, service) -> why nobody wakes it, of sleepers on other hosts; {} where not all of the lab is seen."""
    away = [s for s in _elsewhere(lab) if s.stack.engine != SWARM] if lab.whole else []
    sleepers = [s for s in away if lazy_of(_known(s)) is not None]
    view = LabView(tuple(_known(s) for s in lab.services), ()) if sleepers else LabView((), ())
    if traefik_of(view) is None:
        return {}
    found = unwoken(view, addresses)
    told = {(s.stack.name, s.name): found.get(_known(s).where) for s in sleepers}
    return {where: [f"it sleeps, and {why}"] for where, why in told.items() if why}


def _place(service: ServiceView) -> str:
    return "in Swarm" if service.stack.engine == SWARM else f"on {service.stack.host}"


@rule(
    "HL270",
    Severity.WARNING,
    "A route to another host that leads nowhere",
    why="Traefik sees the containers of its own host alone; a service elsewhere is reached by a port published on that "
    "host's private address, as hosts.yaml has it. Without it the route is not served. Nor is one by TCP or UDP that "
    "would take the connections of others: without TLS nothing names a host, so each needs an entry point of its own; "
    "with TLS it may be among websites where its rule only lists names (HostSNI, joined by ||) that none of those has. "
    "One that sleeps is woken by its own host's Sablier, whose port must be published there too.",
    link=DOCS,
    bad=HEAD,
    good=f"{HEAD}    ports: ['192.168.1.20:8080:80']\n",
    needs="labels",
)
def leads_nowhere(ctx: LintContext) -> Iterable[Finding]:
    """A routed service on another host whose port is not on the private address; silent where no host is known."""
    addresses = ctx.lab.facts.hosts
    asleep = _unwoken(ctx.lab, addresses or {})
    streams = _streams(ctx.lab, addresses or {})
    for service in _elsewhere(ctx.lab):
        if addresses is None and service.stack.engine != SWARM:
            continue
        routes = host_routes(LabView((_known(service),), ()), addresses or {})
        reasons = [r.why for r in routes if r.why] + streams.get((service.stack.name, service.name), [])
        reasons += asleep.get((service.stack.name, service.name), [])
        if why := next(iter(reasons), ""):
            yield ctx.on(service, (), f"No route leads to {service.name} {_place(service)}: {why}.")


@rule(
    "HL271",
    Severity.WARNING,
    "A label for Traefik that does not reach another host",
    why="Of a service on another host Traefik gets its routers (HTTP, TCP, UDP), entry points, log-in, certificate and "
    "port, by a file. "
    "Middlewares and options that its labels define besides are seen by no Traefik: define them beside Traefik.",
    link=DOCS,
    bad=f"{HEAD}      traefik.http.middlewares.web.compress: 'true'\n",
    good=HEAD,
    needs="labels",
)
def not_seen(ctx: LintContext) -> Iterable[Finding]:
    """A label of a service on another host, or in Swarm, that the file cannot say."""
    for service in _elsewhere(ctx.lab):
        if lost := not_carried(_known(service)):
            more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
            entry = service.labels.get(lost[0])
            path = entry.path if entry else ()
            yield ctx.on(
                service, path, f"The label {lost[0]!r}{more} of a service {_place(service)} is seen by no Traefik."
            )
