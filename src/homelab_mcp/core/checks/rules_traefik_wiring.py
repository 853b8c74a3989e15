"""HL068 to HL071, HL220: what a route needs beside its own labels: network, TLS, scheme, Traefik's static options."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.alike import Words
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import asks_for_login, is_sign_on
from homelab_mcp.core.checks.traefik_static import StaticConfig
from homelab_mcp.core.checks.view import Lab, ServiceView
from homelab_mcp.model.finding import Finding, Severity

DOCS = "https://doc.traefik.io/traefik/reference/routing-configuration/other-providers/docker/"
LABELS = "services:\n  web:\n    image: nginx:1.29\n    labels:\n      traefik.enable: 'true'\n"
RULE = "      traefik.http.routers.web.rule: Host(`web.example.org`)\n"


@rule(
    "HL069",
    Severity.ERROR,
    "Routed, but on no network of Traefik's",
    why="Traefik cannot reach the container: 504 Gateway Timeout.",
    link=f"{DOCS}#network",
    bad=f"{LABELS}{RULE}      traefik.docker.network: proxy\n    networks: [inside]\nnetworks:\n  inside:\n",
    good=f"{LABELS}{RULE}      traefik.docker.network: proxy\n"
    f"    networks: [proxy]\nnetworks:\n  proxy:\n    external: true\n",
)
def off_network(ctx: LintContext) -> Iterable[Finding]:
    """A routed service not on its ``traefik.docker.network``, or on no network that the lab's Traefik is on."""
    proxies = [s for s in ctx.services() if s.image_name == "traefik"]
    reaches_all = not proxies or any(p.network_mode for p in proxies)
    shared = None if reaches_all else frozenset(n for p in proxies for n in p.real_networks)
    for service in ctx.services():
        if not service.routed or service.network_mode or service.partial or service in proxies:
            continue
        if any("$" in name for name in service.real_networks) or not tl.routers(service):
            continue
        wanted = service.labels.get("traefik.docker.network")
        name = (wanted.value or "") if wanted and not wanted.open else ""
        if wanted and name and name not in service.real_networks:
            # Traefik then takes the first network there is, with a warning in its log.
            yield _wrong_network(ctx, service, name, works=bool(shared) and service.real_networks <= (shared or set()))
        elif shared is not None and not shared & service.real_networks:
            path = ("networks",) if "networks" in service.data else ()
            names = ", ".join(sorted(shared))
            yield ctx.on(service, path, f"Traefik is on {names}; this service is on none of them.", key=True)
        elif wanted and name and shared and name not in shared and not any("$" in n for n in shared):
            message = f"Traefik is not on {name}; it is on {', '.join(sorted(shared & service.real_networks))}."
            yield ctx.on(service, wanted.path, message)


def _wrong_network(ctx: LintContext, service: ServiceView, name: str, *, works: bool) -> Finding:
    path = service.labels["traefik.docker.network"].path
    if name in service.networks:
        real = service.stack.real_network(name)
        message = f"The engine calls this network {real!r}; the label needs that name (or give the network a 'name:')."
        return ctx.on(service, path, message, severity=Severity.WARNING)
    severity = Severity.WARNING if works else None
    return ctx.on(service, path, f"The service is not on the network {name!r}.", severity=severity)


@rule(
    "HL070",
    Severity.WARNING,
    "An HTTPS router without TLS",
    why="On an entry point for HTTPS a router without tls does not answer HTTPS requests: 404 page not found.",
    link=f"{DOCS}",
    bad=f"{LABELS}{RULE}      traefik.http.routers.web.entrypoints: websecure\n",
    good=f"{LABELS}{RULE}      traefik.http.routers.web.entrypoints: websecure\n"
    f"      traefik.http.routers.web.tls: 'true'\n",
)
def no_tls(ctx: LintContext) -> Iterable[Finding]:
    """A router on ``websecure`` or ``https`` without any ``tls`` option, where the entry point sets none."""
    static = tl.static_config(ctx.lab)
    for router in tl.all_routers(ctx.lab):
        entry = router.options.get("entrypoints")
        points = _points(router)
        secure = points & {"websecure", "https"}
        if entry and secure and not _has_tls(router):
            if static and (static.tls_entry_points & points or not static.complete):
                continue
            if static is None and not ctx.lab.labels_seen:
                continue  # A Traefik that nobody sees may say it for its entry point.
            message = f"The router {router.name!r} has no tls; {sorted(secure)[0]} is for HTTPS."
            dead = reaches_nobody(ctx.lab, router)
            yield ctx.on(router.service, entry.path, message, severity=Severity.ERROR if dead else None)


def _points(router: tl.Router) -> set[str]:
    return {p.strip().lower() for p in router.value("entrypoints").split(",")}


def reaches_nobody(lab: Lab, router: tl.Router) -> bool:
    """True for a router without TLS that only HTTPS comes to, where no other of its rule answers with TLS."""
    if not _https_alone(tl.static_config(lab), _points(router)):
        return False
    known: set[tuple[str, bool]] | None = lab.memo.get("rules with tls")
    if known is None:
        known = lab.memo["rules with tls"] = {(r.value("rule"), _has_tls(r)) for r in tl.all_routers(lab)}
    return (router.value("rule"), True) not in known


def _has_tls(router: tl.Router) -> bool:
    return any(option == "tls" or option.startswith("tls.") for option in router.options)


def _https_alone(static: StaticConfig | None, points: set[str]) -> bool:
    """Whether all of them listen at the port of HTTPS, where whatever comes speaks TLS: nobody reaches the router."""
    return static is not None and all(
        static.options.get(f"entrypoints.{point}.address", "").removesuffix("/tcp").endswith(":443") for point in points
    )


@rule(
    "HL071",
    Severity.ERROR,
    "An entry point or certificate resolver that Traefik has not",
    why="Traefik drops the router (entry point), or serves its self-signed default certificate (resolver).",
    link="https://doc.traefik.io/traefik/reference/install-configuration/entrypoints/",
    bad="services:\n  traefik:\n    image: traefik:v3.6.1\n    command: ['--entrypoints.websecure.address=:443']\n"
    "  web:\n    image: nginx:1.29\n    labels:\n      traefik.http.routers.web.entrypoints: secure\n"
    "      traefik.http.routers.web.tls: 'true'\n",
    good="services:\n  traefik:\n    image: traefik:v3.6.1\n    command: ['--entrypoints.websecure.address=:443']\n"
    "  web:\n    image: nginx:1.29\n    labels:\n      traefik.http.routers.web.entrypoints: websecure\n"
    "      traefik.http.routers.web.tls: 'true'\n",
)
def unknown_entry_point(ctx: LintContext) -> Iterable[Finding]:
    """Only where the lab's Traefik is configured on its command line."""
    static = tl.static_config(ctx.lab)
    if static is None or not static.complete:
        return
    for router in tl.all_routers(ctx.lab):
        entry = router.options.get("entrypoints")
        for point in (entry.value or "").split(",") if entry and not entry.open else ():
            if entry and point.strip().lower() not in static.entry_points:
                known = ", ".join(sorted(static.entry_points))
                yield ctx.on(
                    router.service, entry.path, f"Traefik has the entry points {known}, not {point.strip()!r}."
                )
        resolver = router.options.get("tls.certresolver")
        if resolver and not resolver.open and (resolver.value or "").lower() not in static.resolvers:
            yield ctx.on(router.service, resolver.path, f"Traefik has no certificate resolver {resolver.value!r}.")


@rule(
    "HL068",
    Severity.WARNING,
    "A middleware that nothing defines",
    why="Traefik refuses the router until the middleware exists: 404 page not found.",
    link=DOCS,
    bad="services:\n  traefik:\n    image: traefik:v3.6.1\n  web:\n    image: nginx:1.29\n    labels:\n"
    "      traefik.http.routers.web.middlewares: gone@docker\n",
    good="services:\n  traefik:\n    image: traefik:v3.6.1\n  web:\n    image: nginx:1.29\n    labels:\n"
    "      traefik.http.routers.web.middlewares: zip@docker\n      traefik.http.middlewares.zip.compress: 'true'\n",
)
def unknown_middleware(ctx: LintContext) -> Iterable[Finding]:
    """A middleware that no label, or none of Traefik's files, defines; without a Traefik only what looks misspelt."""
    if ctx.lab.traefik is None:
        yield from _misnamed(ctx)
        return
    known = tl.defined_middlewares(ctx.lab)
    in_files = ctx.lab.traefik_files.names("middlewares") or frozenset()
    sure = Severity.ERROR if _all_seen(ctx) else None
    later = not any(map(is_sign_on, ctx.services()))
    words = Words(known)
    for router in tl.all_routers(ctx.lab):
        entry = router.options.get("middlewares")
        for name in router.middlewares if entry and not entry.open else ():
            bare, _, provider = name.partition("@")
            if provider in {"", "docker"} and bare.lower() not in known:
                near = f"{bare}@file" if bare in in_files else words.near(bare.lower())
                tail = f" Did you mean {near!r}?" if near else ""
                message = f"No label defines {name!r}.{tail}"
                # A lab whose log-in comes later: its protected routes are shut until then, which harms nobody.
                severity = None if later and asks_for_login(bare) else sure
                yield ctx.on(router.service, router.options["middlewares"].path, message, severity=severity)
            elif provider == "file" and (message := _not_in_files(ctx, bare)):
                yield ctx.on(router.service, router.options["middlewares"].path, message, severity=Severity.ERROR)
    for service in ctx.lab.routing:
        for _, option, chain in tl.http_labels(service, "middlewares"):
            names = (chain.value or "").split(",") if option == "chain.middlewares" and not chain.open else []
            for n, name in enumerate(names):
                # A label is one text: of a path into it the label's own place is found.
                path = (*chain.path, n)
                bare, _, provider = name.strip().partition("@")
                if provider in {"", "docker"} and bare.lower() not in known:
                    tail = f" Did you mean '{bare}@file'?" if bare in in_files else ""
                    yield ctx.on(service, path, f"No label defines {bare!r}.{tail}", severity=sure)
                elif provider == "file" and (message := _not_in_files(ctx, bare)):
                    yield ctx.on(service, path, message, severity=Severity.ERROR)


def _misnamed(ctx: LintContext) -> Iterator[Finding]:
    """A name that no label has, on a service that defines a middleware of nearly that name which no router uses."""
    known = tl.defined_middlewares(ctx.lab)
    used = {m.partition("@")[0].lower() for r in tl.all_routers(ctx.lab) for m in r.middlewares}
    for router in tl.all_routers(ctx.lab):
        own = {name.lower() for name, _, _ in tl.http_labels(router.service, "middlewares")} - used
        entry = router.options.get("middlewares")
        for name in router.middlewares if own and entry and not entry.open else ():
            bare, _, provider = name.partition("@")
            near = difflib.get_close_matches(bare.lower(), own, n=1)
            if near and provider in {"", "docker"} and bare.lower() not in known:
                message = f"No label defines {name!r}. Did you mean {near[0]!r}?"
                sure = Severity.ERROR if ctx.lab.labels_seen else None
                yield ctx.on(router.service, router.options["middlewares"].path, message, severity=sure)


def _all_seen(ctx: LintContext) -> bool:
    """True when no label is somewhere else and Traefik's options and files were read completely."""
    return ctx.lab.traefik_files.complete and ctx.lab.labels_seen and "" not in tl.defined_middlewares(ctx.lab)


def _not_in_files(ctx: LintContext, name: str) -> str:
    """What is wrong with ``name@file``, "" where it is there or nobody can see all of Traefik's files."""
    known = ctx.lab.traefik_files.names("middlewares")
    static = tl.static_config(ctx.lab)
    if known is None or name in known or static is None:
        return ""
    if not any(o.startswith("providers.file") for o in static.options):
        return f"Traefik's options have no file provider, where '{name}@file' would be."
    near = difflib.get_close_matches(name, known, n=1)
    return f"No file of Traefik's defines the middleware {name!r}." + (f" Did you mean {near[0]!r}?" if near else "")


@rule(
    "HL220",
    Severity.WARNING,
    "A page that speaks HTTPS, asked by HTTP",
    why="Traefik asks a container by HTTP unless it is told otherwise: a port that speaks TLS answers with an error "
    "(400 or 502). Set loadbalancer.server.scheme to https; a certificate of its own needs a serversTransport too.",
    link="https://doc.traefik.io/traefik/reference/routing-configuration/http/load-balancing/service/",
    bad="services:\n  portainer:\n    image: portainer/portainer-ce:2.31.0\n    labels:\n"
    "      traefik.http.services.portainer.loadbalancer.server.port: '9443'\n",
    good="services:\n  portainer:\n    image: portainer/portainer-ce:2.31.0\n    labels:\n"
    "      traefik.http.services.portainer.loadbalancer.server.port: '9443'\n"
    "      traefik.http.services.portainer.loadbalancer.server.scheme: https\n",
)
def asked_by_http(ctx: LintContext) -> Iterable[Finding]:
    """A port label of 443, 9443 or a well-known image's HTTPS port without ``loadbalancer.server.scheme``."""
    for service in ctx.services():
        own = next((ports for word, ports in _HTTPS_PORTS.items() if word in service.image_name), frozenset())
        told = {n.lower() for n, o, _ in tl.http_labels(service, "services") if o == "loadbalancer.server.scheme"}
        for name, entry in tl.port_labels(service):
            value = (entry.value or "").strip()
            if not entry.open and name.lower() not in told and value in {"443", "9443"} | own:
                message = f"Port {value} speaks HTTPS; set traefik.http.services.{name}.loadbalancer.server.scheme."
                yield ctx.on(service, entry.path, message, severity=Severity.ERROR if value in own else None)


_HTTPS_PORTS: dict[str, frozenset[str]] = {
    **dict.fromkeys(("unifi", "portainer"), frozenset({"8443", "9443"})),
    **dict.fromkeys(("proxmox", "pve-"), frozenset({"8006", "8443"})),
    "omada": frozenset({"8043", "8843"}),
    "keycloak": frozenset({"8443"}),
    "kasm": frozenset({"3001", "6901"}),
    "webtop": frozenset({"3001"}),
}
"""Ports that speak HTTPS only, by a word of the image's name (the images' own documentation)."""
