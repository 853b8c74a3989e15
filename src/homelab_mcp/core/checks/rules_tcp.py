"""HL180 to HL184: Traefik's TCP and UDP routers, and providers that it has not."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.traefik_rule import RuleInvalid, parse_tcp_rule, tcp_problem
from homelab_mcp.core.checks.view import Entry
from homelab_mcp.model.finding import Finding, Severity

DOCS = "https://doc.traefik.io/traefik/reference/routing-configuration/other-providers/docker/"
RULES = "https://doc.traefik.io/traefik/reference/routing-configuration/tcp/router/rules-and-priority/"
DB = "services:\n  db:\n    image: redis:8.2\n    labels:\n"
PORT = "      traefik.tcp.services.db.loadbalancer.server.port: '6379'\n"
ANY = "      traefik.tcp.routers.db.rule: HostSNI(`*`)\n"


@rule(
    "HL180",
    Severity.ERROR,
    "Not a TCP rule",
    why="A TCP router needs a rule, and TCP has matchers of its own: HostSNI, HostSNIRegexp, ClientIP and ALPN, with "
    "values in backticks. Traefik drops the router otherwise; nothing answers. A UDP router has no rule.",
    link=RULES,
    bad=f"{DB}      traefik.tcp.routers.db.rule: HostSNI('*')\n{PORT}",
    good=f"{DB}{ANY}{PORT}",
)
def bad_tcp_rule(ctx: LintContext) -> Iterable[Finding]:
    """A TCP rule that Traefik cannot read, or none; a UDP router with one."""
    for router in tl.all_stream_routers(ctx.lab, "tcp"):
        entry = router.options.get("rule")
        if entry is None:
            message = f"The router {router.name!r} has no rule; HostSNI(`*`) takes every connection."
            yield ctx.on(router.service, router.anchor.path, message)
        elif not entry.open:
            try:
                problem = tcp_problem(parse_tcp_rule(entry.value or ""), router.value("rulesyntax") == "v2")
            except RuleInvalid as error:
                problem = str(error)
            if problem:
                yield ctx.on(router.service, entry.path, problem)


@rule(
    "HL181",
    Severity.ERROR,
    "A host name without TLS",
    why="A client names the host only when it opens TLS: without it Traefik cannot tell and drops the router. Give the "
    "router tls (tls.passthrough=true leaves it to the service), or take every connection with HostSNI(`*`).",
    link=RULES,
    bad=f"{DB}      traefik.tcp.routers.db.rule: HostSNI(`db.example.org`)\n{PORT}",
    good=f"{DB}      traefik.tcp.routers.db.rule: HostSNI(`db.example.org`)\n"
    f"      traefik.tcp.routers.db.tls: 'true'\n{PORT}",
)
def sni_without_tls(ctx: LintContext) -> Iterable[Finding]:
    """A rule of ``HostSNI(`name`)`` alone on a router without any ``tls`` option."""
    for router in tl.all_stream_routers(ctx.lab, "tcp"):
        entry = router.options.get("rule")
        secure = any(o == "tls" or o.startswith("tls.") for o in router.options) and (
            router.value("tls").lower() != "false"
        )
        if entry is None or entry.open or secure:
            continue
        try:
            names = [v for m in parse_tcp_rule(entry.value or "") if m.name == "HostSNI" for v in m.values]
        except RuleInvalid:
            continue
        plain = "!" not in (entry.value or "")
        if plain and names and "*" not in names:
            yield ctx.on(router.service, entry.path, f"HostSNI(`{names[0]}`) needs tls on the router {router.name!r}.")


@rule(
    "HL182",
    Severity.WARNING,
    "A TCP or UDP label that Traefik does not know",
    why="Traefik refuses the whole container's labels over one it cannot place, and says so only in its log.",
    link=DOCS,
    bad=f"{DB}{ANY}      traefik.tcp.routers.db.entrypoint: db\n{PORT}",
    good=f"{DB}{ANY}      traefik.tcp.routers.db.entrypoints: db\n{PORT}",
)
def unknown_stream_label(ctx: LintContext) -> Iterable[Finding]:
    """A label below ``traefik.tcp.`` or ``traefik.udp.`` with an option that is none."""
    for service in ctx.having("labels"):
        for lower, entry in service.traefik_labels:
            if lower[:12] not in ("traefik.tcp.", "traefik.udp."):
                continue
            key, parts = entry.key, lower.split(".")
            if len(parts) < 5 or parts[0] != "traefik" or (parts[1], parts[2]) not in _STREAM or "$" in key:
                continue
            option = ".".join(parts[4:])
            if not re.fullmatch(_STREAM[parts[1], parts[2]], option):
                near = difflib.get_close_matches(option, _WORDS[parts[2]], n=1)
                tail = f" Did you mean {near[0]!r}?" if near else ""
                kind = f"{parts[1].upper()} {parts[2][:-1]}"
                yield ctx.on(service, entry.path, f"{key}: a {kind} has no option {option!r}.{tail}", key=True)


_BALANCER = r"loadbalancer\.(?:server\.(?:port|tls|weight)|serverstransport|terminationdelay"
_STREAM = {
    ("tcp", "routers"): r"rule|rulesyntax|entrypoints|middlewares|service|priority"
    r"|tls(?:\.(?:passthrough|options|certresolver|domains\[[0-9]+\]\.(?:main|sans)))?",
    ("udp", "routers"): r"entrypoints|service",
    ("tcp", "services"): rf"{_BALANCER}|proxyprotocol(?:\.version)?|healthcheck\..+)|weighted\..+",
    ("udp", "services"): r"loadbalancer\.server\.(?:port|weight)|weighted\..+",
    ("tcp", "middlewares"): r"inflightconn\.amount|ip(?:allow|white)list\.(?:sourcerange|ipstrategy\..+)"
    r"|ipallowlist\.sourcerange\[[0-9]+\]",
}
_WORDS = {
    "routers": ["rule", "entrypoints", "middlewares", "service", "priority", "tls.certresolver", "tls.passthrough"],
    "services": ["loadbalancer.server.port", "loadbalancer.server.tls", "loadbalancer.proxyprotocol.version"],
    "middlewares": ["inflightconn.amount", "ipallowlist.sourcerange"],
}


@rule(
    "HL183",
    Severity.ERROR,
    "A TCP or UDP router that leads nowhere",
    why="Traefik drops a router whose service, middleware or entry point does not exist; nothing answers. TCP has its "
    "own services and middlewares: those of HTTP do not count.",
    link=DOCS,
    bad=f"{DB}{ANY}      traefik.tcp.routers.db.service: redis\n{PORT}",
    good=f"{DB}{ANY}      traefik.tcp.routers.db.service: db\n{PORT}",
)
def stream_to_nowhere(ctx: LintContext) -> Iterable[Finding]:
    """A service, middleware, entry point, priority or port of a TCP or UDP router that cannot be."""
    static = tl.static_config(ctx.lab)
    for kind in ("tcp", "udp"):
        services = {n for s in ctx.lab.services for n, _, _ in tl.stream_labels(s, kind, "services")}
        middlewares = {n for s in ctx.lab.services for n, _, _ in tl.stream_labels(s, kind, "middlewares")}
        for router in tl.all_stream_routers(ctx.lab, kind):
            for option, known in (("service", services), ("middlewares", middlewares)):
                for name, entry in _names(router.options.get(option)):
                    bare, _, provider = name.partition("@")
                    if (
                        ctx.lab.labels_seen
                        and provider in ("", "docker")
                        and bare.lower() not in known
                        and not _own(router, bare)
                    ):
                        what = option.removesuffix("s")
                        message = f"No label defines the {kind.upper()} {what} {bare!r}."
                        yield ctx.on(router.service, entry.path, message)
            for point, entry in _names(router.options.get("entrypoints")):
                if static and static.complete and point.lower() not in static.entry_points:
                    listed = ", ".join(sorted(static.entry_points))
                    message = f"Traefik has the entry points {listed}, not {point!r}."
                    yield ctx.on(router.service, entry.path, message)
            priority = router.options.get("priority")
            if priority and not priority.open and not re.fullmatch(r"[+-]?[0-9]+", priority.value or ""):
                yield ctx.on(router.service, priority.path, "A priority is a whole number.")
        for service in ctx.services():
            for _, option, entry in tl.stream_labels(service, kind, "services"):
                port = entry.value or ""
                if option == "loadbalancer.server.port" and not entry.open and not _PORT.fullmatch(port):
                    yield ctx.on(service, entry.path, f"{port!r} is no port.")


_PORT = re.compile(r"0*(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])")


def _own(router: tl.Router, name: str) -> bool:
    """True for the service that Traefik makes of a container by itself."""
    made = re.findall(r"[^\W_]+", f"{router.service.name}-{router.service.stack.project}".lower())
    return name.lower() == "-".join(made)


def _names(entry: Entry | None) -> Iterator[tuple[str, Entry]]:
    """The names of a list in a label."""
    for part in (entry.value or "").split(",") if entry and not entry.open else ():
        if entry and part.strip():
            yield part.strip(), entry


@rule(
    "HL184",
    Severity.ERROR,
    "A provider that Traefik has not",
    why="Behind the '@' stands where a name is defined: docker for labels, file for Traefik's own files, internal for "
    "its built-in services. With any other word Traefik finds nothing and drops the router. What files define this "
    "check cannot see.",
    link="https://doc.traefik.io/traefik/reference/install-configuration/providers/overview/",
    bad="services:\n  web:\n    image: nginx:1.29\n    labels:\n"
    "      traefik.http.routers.web.middlewares: login@dokcer\n",
    good="services:\n  web:\n    image: nginx:1.29\n    labels:\n"
    "      traefik.http.routers.web.middlewares: login@file\n",
)
def unknown_provider(ctx: LintContext) -> Iterable[Finding]:
    """``name@provider`` in a router's middlewares, service or TLS options with a provider that is none."""
    for service in ctx.services():
        routers = [*tl.routers(service), *(r for k in ("tcp", "udp") for r in tl.stream_routers(service, k))]
        for router in routers:
            for option in ("middlewares", "service", "tls.options"):
                for name, entry in _names(router.options.get(option)):
                    provider = name.partition("@")[2]
                    if provider and not tl.is_provider(provider):
                        near = difflib.get_close_matches(provider.lower(), tl.PROVIDERS, n=1)
                        tail = f" Did you mean {near[0]!r}?" if near else " Labels are 'docker'."
                        yield ctx.on(service, entry.path, f"There is no provider {provider!r}.{tail}")
