"""HL072 to HL079: Traefik labels against each other across stacks, and against Traefik's own options."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.traefik_rule import RuleInvalid
from homelab_mcp.core.checks.traefik_static import StaticConfig
from homelab_mcp.core.checks.view import Entry, ServiceView
from homelab_mcp.model.finding import Finding, Severity

DOCS = "https://doc.traefik.io/traefik/reference/routing-configuration/other-providers/docker/"
RULES = "https://doc.traefik.io/traefik/reference/routing-configuration/http/router/rules-and-priority/"
WEB = "services:\n  web:\n    image: nginx:1.29\n    labels:\n"
MORE = "  more:\n    image: nginx:1.29\n    labels:\n"
RULE = "      traefik.http.routers.web.rule: Host(`web.example.org`)\n"
PROXY = "  proxy:\n    image: traefik:v3.6.1\n    command:\n      - --entrypoints.web.address=:80\n"


@rule(
    "HL072",
    Severity.ERROR,
    "One name for two Traefik services or middlewares",
    why="Names of the Docker provider are shared by all stacks: Traefik mixes two containers under one service, and "
    "drops a middleware that is defined in two ways.",
    link=DOCS,
    bad=f"{WEB}      traefik.http.services.a.loadbalancer.server.port: '80'\n"
    f"{MORE}      traefik.http.services.a.loadbalancer.server.port: '81'\n",
    good=f"{WEB}      traefik.http.services.a.loadbalancer.server.port: '80'\n"
    f"{MORE}      traefik.http.services.b.loadbalancer.server.port: '81'\n",
)
def name_twice(ctx: LintContext) -> Iterable[Finding]:
    """A Traefik service or middleware that two containers define differently."""
    for kind in ("services", "middlewares"):
        first: dict[str, tuple[ServiceView, dict[str, str | None]]] = {}
        for service in ctx.services():
            mine: dict[str, dict[str, Entry]] = {}
            for name, option, entry in tl.http_labels(service, kind) if _looked_at(service) else ():
                mine.setdefault(name.lower(), {})[option] = entry
            for name, options in mine.items():
                values = {option: entry.value for option, entry in options.items()}
                other, theirs = first.setdefault(name, (service, values))
                if other is not service and values != theirs and service.is_beside(other):
                    where = f"{other.name!r} in {other.stack.file}"
                    path = next(iter(options.values())).path
                    yield ctx.on(service, path, f"The {kind[:-1]} {name!r} is defined differently by {where}.")


def _looked_at(service: ServiceView) -> bool:
    return service.label("traefik.enable").lower() != "false"


@rule(
    "HL073",
    Severity.WARNING,
    "Two routers share an address",
    why="Where the rules are equally long Traefik's choice between them is chance; a priority settles it.",
    link=RULES,
    bad=f"{WEB}{RULE}{MORE}      traefik.http.routers.more.rule: Host(`more.example.org`) || Host(`web.example.org`)\n",
    good=f"{WEB}{RULE}{MORE}      traefik.http.routers.more.rule: Host(`more.example.org`)\n",
)
def address_twice(ctx: LintContext) -> Iterable[Finding]:
    """Two routers made of nothing but hosts have one of them in common, on one entry point, without priorities."""
    static = tl.static_config(ctx.lab)
    seen: dict[str, list[tl.Router]] = {}
    for router in tl.all_routers(ctx.lab):
        for host in _only_hosts(router) if "priority" not in router.options else ():
            before = seen.setdefault(host, [])
            other = next((r for r in before if tl.rivals(r, router, static)), None)
            before.append(router)
            if other and "".join(router.value("rule").split()) != "".join(other.value("rule").split()):
                where = f"{other.name!r} of {other.service.name!r} in {other.service.stack.file}"
                yield ctx.on(router.service, router.options["rule"].path, f"{host} is also the router {where}'s.")


def _only_hosts(router: tl.Router) -> list[str]:
    entry = router.options.get("rule")
    if entry is None or entry.open or "&&" in router.value("rule") or "!" in router.value("rule"):
        return []
    try:
        matchers = router.matchers()
    except RuleInvalid:
        return []
    if any(m.name != "Host" for m in matchers):
        return []
    return list(dict.fromkeys(v.lower() for m in matchers for v in m.values))


@rule(
    "HL074",
    Severity.ERROR,
    "A label whose value Traefik cannot read",
    why="Over one label that it cannot read Traefik leaves the whole container out.",
    link=DOCS,
    bad=f"{WEB}{RULE}      traefik.enable: ture\n",
    good=f"{WEB}{RULE}      traefik.enable: 'true'\n",
)
def bad_value(ctx: LintContext) -> Iterable[Finding]:
    """``traefik.enable`` that is no boolean, a port that is no number, a priority that is none."""
    for service in ctx.services():
        for key, entry in service.traefik_labels:
            if key == "traefik.enable" and not entry.open and entry.value not in _BOOLEANS:
                yield ctx.on(service, entry.path, f"traefik.enable is true or false, not {str(entry.value)!r}.")
        for _, entry in tl.port_labels(service):
            value = entry.value or ""
            if not entry.open and not (re.fullmatch("[0-9]+", value) and 0 < int(value[:6]) < 65536):
                yield ctx.on(service, entry.path, f"{value!r} is no port.")
        for router in tl.routers(service):
            priority = router.options.get("priority")
            if priority and not priority.open and not (priority.value or "").lstrip("-").isdigit():
                yield ctx.on(service, priority.path, "A priority is a whole number.")


_BOOLEANS = frozenset(["1", "t", "T", "true", "TRUE", "True", "0", "f", "F", "false", "FALSE", "False"])


@rule(
    "HL076",
    Severity.ERROR,
    "Labels without traefik.enable",
    why="The lab's Traefik only looks at containers that say traefik.enable=true: this route is never made.",
    link=f"{DOCS}#enable",
    bad=f"{WEB}{RULE}{PROXY}      - --providers.docker.exposedbydefault=false\n",
    good=f"{WEB}{RULE}      traefik.enable: 'true'\n{PROXY}      - --providers.docker.exposedbydefault=false\n",
)
def not_enabled(ctx: LintContext) -> Iterable[Finding]:
    """Router labels without ``traefik.enable`` where Traefik has ``exposedByDefault=false``."""
    static = tl.static_config(ctx.lab)
    if static and static.options.get("providers.docker.exposedbydefault", "").lower() == "false":
        for service in ctx.services():
            routers = tl.routers(service)
            if routers and not service.label("traefik.enable"):
                message = "traefik.enable=true is missing; Traefik needs it here."
                yield ctx.on(service, routers[0].anchor.path[:-1], message, key=True)


@rule(
    "HL077",
    Severity.WARNING,
    "A host that the wildcard certificate does not cover",
    why="*.example.org covers one label: for a.b.example.org each router asks for a certificate of its own, or serves "
    "one that browsers refuse.",
    link="https://letsencrypt.org/docs/faq/",
    bad=f"{WEB}      traefik.http.routers.web.rule: Host(`web.lan.example.org`)\n"
    f"{PROXY}      - --entrypoints.web.http.tls.domains[0].sans=*.example.org\n",
    good=f"{WEB}{RULE}{PROXY}      - --entrypoints.web.http.tls.domains[0].sans=*.example.org\n",
)
def not_covered(ctx: LintContext) -> Iterable[Finding]:
    """A host two labels below a wildcard of Traefik's options or of the router's own."""
    static = tl.static_config(ctx.lab)
    lab_wide = [v for k, v in static.options.items() if ".tls.domains[" in k] if static else []
    shared = [name.strip().lower() for v in lab_wide for name in v.split(",")]
    asked = {id(r): _asked(r) for r in tl.all_routers(ctx.lab)}
    # A router that asks for no certificate gets one that others asked for, or Traefik's own, which nobody trusts.
    by_others = [] if shared or _resolver(static) else [name for names in asked.values() for name in names]
    for router in tl.all_routers(ctx.lab):
        names = asked[id(router)] or shared or ([] if "tls.certresolver" in router.options else by_others)
        zones = [n[2:] for n in names if n.startswith("*.")]
        entry = router.options.get("rule")
        for host in router.hosts if zones and entry and not entry.open else ():
            inside = [z for z in zones if host.endswith(f".{z}")]
            if inside and host not in names and not any(host.removesuffix(f".{z}").count(".") == 0 for z in inside):
                yield ctx.on(router.service, router.options["rule"].path, f"*.{inside[0]} does not cover {host}.")


def _asked(router: tl.Router) -> list[str]:
    own = [(e.value or "").split(",") for o, e in router.options.items() if o.startswith("tls.domains[")]
    return [n.strip().lower() for part in own for n in part]


def _resolver(static: StaticConfig | None) -> bool:
    """Whether entry points ask for the certificates of their routers, or nobody can tell."""
    return static is None or any(k.endswith(".http.tls.certresolver") for k in static.options)


@rule(
    "HL078",
    Severity.WARNING,
    "Several networks, and no word which is Traefik's",
    why="Traefik takes one of the container's networks by chance, after some restarts one that it cannot reach: 504.",
    link=f"{DOCS}#network",
    bad=f"{WEB}{RULE}    networks: [a, b]\nnetworks: {{a: {{}}, b: {{}}}}\n",
    good=f"{WEB}{RULE}      traefik.docker.network: a\n    networks: [a, b]\nnetworks: {{a: {{name: a}}, b: {{}}}}\n",
)
def which_network(ctx: LintContext) -> Iterable[Finding]:
    """A routed service on two networks without ``traefik.docker.network``, unless Traefik has a default."""
    static = tl.static_config(ctx.lab)
    if (static and "providers.docker.network" in static.options) or (
        ctx.lab.traefik and not (static and static.complete)
    ):
        return
    traefik = ctx.lab.traefik
    for service in ctx.services():
        if service is traefik or len(service.networks) < 2 or not tl.routers(service):
            continue
        shared = service.real_networks & traefik.real_networks if traefik else service.real_networks
        named = service.label("traefik.docker.network") or service.label("traefik.swarm.network")
        if not named and (traefik is None or shared):
            yield ctx.on(
                service, ("networks",), "Name Traefik's network in the label traefik.docker.network.", key=True
            )


@rule(
    "HL079",
    Severity.WARNING,
    "A route on a container that has no network of its own",
    why="Docker shows no port on a container that borrows another's network: without a port label Traefik leaves it "
    "out. The labels are best on the owner (the VPN gateway), with the client's port.",
    link=DOCS,
    bad=f"{WEB}{RULE}    network_mode: service:vpn\n  vpn:\n    image: qmcgaw/gluetun:v3.40.0\n"
    "    cap_add: [NET_ADMIN]\n",
    good="services:\n  web:\n    image: nginx:1.29\n    network_mode: service:vpn\n  vpn:\n"
    f"    image: qmcgaw/gluetun:v3.40.0\n    cap_add: [NET_ADMIN]\n    labels:\n{RULE}",
    needs="network_mode",
)
def borrowed_network(ctx: LintContext) -> Iterable[Finding]:
    """Router labels beside ``network_mode: service:`` or ``container:``; an error where no label has the port."""
    for service in ctx.services():
        if service.network_mode.startswith(("service:", "container:")):
            # With a port Traefik asks the owner's address, seen in its source (Docker provider, getIPAddress).
            known = any(o.startswith("loadbalancer.server") for _, o, _ in tl.http_labels(service, "services"))
            for router in _ruled(service):
                message = (
                    f"Put the router {router.name!r} on the network's owner, {service.network_mode.split(':')[1]!r}."
                )
                yield ctx.on(service, router.anchor.path, message, severity=None if known else Severity.ERROR)


def _ruled(service: ServiceView) -> Iterator[tl.Router]:
    yield from (r for r in tl.routers(service) if "rule" in r.options)
