"""HL084 to HL089 and HL223: Sablier middlewares that cannot work, and admin pages that anybody may open."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.alike import Words
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.hosts import host_in
from homelab_mcp.core.checks.images import OPEN_ADMIN, words_of
from homelab_mcp.core.checks.rules_lazy import groups_of, is_lazy
from homelab_mcp.core.checks.view import Entry, ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.lab import LOCAL

SABLIER = "https://sablierapp.dev/"
PLUGIN = "https://plugins.traefik.io/plugins/633b4658a4caa9ddeffda119/sablier"
LAZY = "services:\n  web:\n    image: nginx:1.29\n    labels:\n      sablier.enable: 'true'\n      sablier.group: web\n"
ROUTE = (
    "      traefik.http.routers.web.rule: Host(`web.example.org`)\n      traefik.http.routers.web.middlewares: lazy\n"
)
GROUP = "      traefik.http.middlewares.lazy.plugin.sablier.group: "
URL = "      traefik.http.middlewares.lazy.plugin.sablier.sablierUrl: "
NAMES = "      traefik.http.middlewares.lazy.plugin.sablier.names: "
SERVER = "  sablier:\n    image: sablierapp/sablier:1.10.1\n"
PROXY = "  proxy:\n    image: traefik:v3.6.1\n    command:\n      - --entrypoints.web.address=:80\n"


def _options(ctx: LintContext, name: str) -> Iterator[tuple[ServiceView, Entry]]:
    """Labels that set an option of a Sablier middleware."""
    for service in ctx.lab.routing:
        for _, option, entry in tl.http_labels(service, "middlewares"):
            if option.startswith("plugin.") and option.endswith(f".{name}") and "sablier" in option.split(".")[1]:
                yield service, entry


@rule(
    "HL084",
    Severity.WARNING,
    "A Sablier group that nobody is in",
    why="The middleware asks Sablier for a group without containers: the visitor waits for ever.",
    link=SABLIER,
    bad=f"{LAZY}{ROUTE}{GROUP}wbe\n",
    good=f"{LAZY}{ROUTE}{GROUP}web\n",
)
def empty_group(ctx: LintContext) -> Iterable[Finding]:
    """A middleware's group that no container with ``sablier.enable`` has."""
    groups = {group for s in ctx.services() if is_lazy(s) for group in groups_of(s)}
    words = Words(groups)
    for service, entry in _options(ctx, "group") if ctx.lab.labels_seen else ():
        if entry.value and not entry.open and entry.value.lower() not in groups:
            near = words.near(entry.value.lower())
            tail = f" Did you mean {near!r}?" if near else ""
            message = f"No container of the lab is in the group {entry.value!r}.{tail}"
            yield ctx.on(service, entry.path, message, severity=Severity.ERROR if groups else None)


@rule(
    "HL223",
    Severity.WARNING,
    "A Sablier name that no container has",
    why="The middleware asks Sablier to start a container that is not there: the visitor waits for ever.",
    link=SABLIER,
    bad=f"{LAZY}    container_name: web\n{SERVER}    labels:\n{NAMES}wbe\n",
    good=f"{LAZY}    container_name: web\n{SERVER}    labels:\n{NAMES}web\n",
)
def unknown_name(ctx: LintContext) -> Iterable[Finding]:
    """A middleware's ``names`` with one that is no container's: ``container_name``, or what Compose calls it."""
    services = list(ctx.services())
    if not ctx.lab.whole or any(is_open(s.data.get("container_name")) for s in services):
        return
    own = {str(s.data.get("container_name") or "") for s in services}
    made = {s.name for s in services if not s.data.get("container_name")}
    for service, entry in _options(ctx, "names"):
        for name in (entry.value or "").split(",") if not entry.open else ():
            # Compose's own names: project-service-1, with '_' in older releases; Swarm's are stack_service.
            word = name.strip().removeprefix("/")
            fits = word in own or any(re.fullmatch(rf".+[-_]{re.escape(m)}(?:[-_][0-9]+)?", word) for m in made)
            if word and not fits:
                same = next((s for s in services if s.name == word and s.name in made), None)
                more = f" Without container_name {word!r} is called {same.stack.project}-{word}-1." if same else ""
                yield ctx.on(service, entry.path, f"No container of the lab is called {word!r}.{more}")


@rule(
    "HL085",
    Severity.ERROR,
    "A plugin that Traefik has not loaded",
    why="Plugins are loaded by Traefik's static configuration (experimental.plugins); a router through a middleware of "
    "one that is not loaded is dropped.",
    link=PLUGIN,
    bad=f"{LAZY}{ROUTE}{GROUP}web\n{PROXY}",
    good=f"{LAZY}{ROUTE}{GROUP}web\n{PROXY}"
    "      - --experimental.plugins.sablier.modulename=github.com/sablierapp/sablier\n",
)
def no_plugin(ctx: LintContext) -> Iterable[Finding]:
    """A ``plugin.<name>`` middleware whose name Traefik's options do not load."""
    static = tl.static_config(ctx.lab)
    if static is None or not static.complete:
        return
    loaded = {o.split(".")[2] for o in static.options if o.startswith("experimental.") and "plugins." in o}
    told: set[tuple[int, str]] = set()
    for service in ctx.lab.routing:
        for name, option, entry in tl.http_labels(service, "middlewares"):
            parts = option.split(".")
            if parts[0] == "plugin" and len(parts) > 1 and parts[1] not in loaded and (id(service), name) not in told:
                told.add((id(service), name))
                # In a file the plug-in's name has a line of its own, above its options.
                depth = len(entry.path) - len(parts) + 2 if service.of_file else len(entry.path)
                message = f"Traefik's options load no plugin {parts[1]!r}."
                yield ctx.on(service, entry.path[:depth], message, key=service.of_file)


@rule(
    "HL086",
    Severity.WARNING,
    "Sablier and Docker pull at one container",
    why="restart: always brings back after every reboot what Sablier had stopped; 'no' or 'unless-stopped' leaves it "
    "to Sablier.",
    link=SABLIER,
    bad=f"{LAZY}    restart: always\n",
    good=f"{LAZY}    restart: unless-stopped\n",
)
def both_start(ctx: LintContext) -> Iterable[Finding]:
    """``sablier.enable`` beside ``restart: always``."""
    for service in ctx.services():
        if is_lazy(service) and service.restart == "always":
            yield ctx.on(service, ("restart",), "Docker starts it whenever Sablier stopped it before a reboot.")


@rule(
    "HL087",
    Severity.ERROR,
    "A Sablier address that nobody has",
    why="Traefik cannot ask Sablier: every visit ends in an error page.",
    link=SABLIER,
    bad=f"{LAZY}{URL}http://sablier-service:10000\n{SERVER}",
    good=f"{LAZY}{URL}http://sablier:10000\n{SERVER}",
)
def unknown_server(ctx: LintContext) -> Iterable[Finding]:
    """``sablierUrl`` with a host that is no service or container of the lab, which has its Sablier."""
    if not any("sablier" in s.image_name for s in ctx.services()):
        return
    given = (n for s in ctx.services() for n in (s.name, s.data.get("container_name"), s.data.get("hostname")))
    names = {str(n) for n in given if n}
    names |= {alias for s in ctx.services() for alias in aliases(s)}
    for service, entry in _options(ctx, "sablierurl"):
        host = (entry.value or "").partition("://")[2].partition("/")[0].partition(":")[0]
        if host and not entry.open and "." not in host and host not in names:
            if ctx.lab.whole:
                yield ctx.on(service, entry.path, f"No service or container of the lab is called {host!r}.")
        elif host and not entry.open and (port := host_in(entry.value or "")[1]) not in _ports_of(ctx, host):
            message = f"Sablier listens on 10000 unless told otherwise, not on {port}."
            yield ctx.on(service, entry.path, message, severity=Severity.WARNING)


def _ports_of(ctx: LintContext, host: str) -> Container[int]:
    """Ports that the Sablier of that name may listen on."""
    known = ctx.lab.hosts.get(host, [])
    for service in known:
        words = " ".join([*words_of(service, "command"), *words_of(service, "entrypoint")])
        moved = "server.port" in words or any("PORT" in key.upper() for key in service.environment)
        files = (
            service.partial
            or service.data.get("env_file")
            or any(m.target.endswith((".yml", ".yaml")) for m in service.mounts)
        )
        if "sablier" not in service.image_name or moved or files:
            return range(65536)
    return (10000,) if known else range(65536)


def aliases(service: ServiceView) -> Iterator[str]:
    """Other names that a service has on its networks."""
    networks = service.data.get("networks")
    for options in networks.values() if isinstance(networks, dict) else ():
        aliases = options.get("aliases") if isinstance(options, dict) else None
        yield from (str(a) for a in aliases) if isinstance(aliases, list) else ()


@rule(
    "HL088",
    Severity.WARNING,
    "An admin page that asks nobody",
    why="This program shows logs, files or the host to everyone who opens its page, and has no log-in unless one is "
    "set up. Put a middleware that asks for log-in before it.",
    link="https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/forwardauth/",
    bad="services:\n  dozzle:\n    image: amir20/dozzle:v8.13\n    labels:\n"
    "      traefik.http.routers.logs.rule: Host(`logs.example.org`)\n",
    good="services:\n  dozzle:\n    image: amir20/dozzle:v8.13\n    labels:\n"
    "      traefik.http.routers.logs.rule: Host(`logs.example.org`)\n"
    "      traefik.http.routers.logs.middlewares: auth@file\n",
)
def open_admin(ctx: LintContext) -> Iterable[Finding]:
    """A routed admin page without a middleware of any kind that could ask for log-in."""
    log_in = ctx.lab.log_in
    for service in ctx.services():
        if service.image_name not in OPEN_ADMIN or service.label("homelab.sso"):
            continue
        for router in tl.routers(service):
            entry = router.options.get("middlewares")
            open_to_all = not log_in.may_guard(router) and not log_in.only_leads_on(router)
            if "rule" in router.options and open_to_all and not (entry and entry.open):
                yield ctx.on(service, router.anchor.path, f"{service.image_name} has no log-in of its own.")


@rule(
    "HL089",
    Severity.WARNING,
    "A route that goes to sleep with its container",
    why="Traefik forgets the labels of a container that does not run, the route and the middleware that would wake it "
    "with them: 404 page not found, for ever. From 3.6 on the label traefik.docker.allownonrunning keeps them; before, "
    "they belong in a file or on a container that stays awake.",
    link="https://doc.traefik.io/traefik/reference/routing-configuration/other-providers/docker/",
    bad=f"{LAZY}{ROUTE}{GROUP}web\n",
    good=f"{LAZY}{ROUTE}{GROUP}web\n      traefik.docker.allownonrunning: 'true'\n",
)
def route_asleep(ctx: LintContext) -> Iterable[Finding]:
    """A route through Sablier on the sleeping container itself, without ``traefik.docker.allownonrunning``."""
    waking = {s for service in ctx.services() for s in _sablier_middlewares(service)}
    # Of a host without a Traefik of its own the routes are in a file, which no container takes along.
    own = {s.stack.host for s in ctx.lab.services if s.image_name == "traefik"}
    served = {s.stack.host for s in ctx.lab.services} - own - {LOCAL}
    for service in ctx.services():
        kept = service.labels.get("traefik.docker.allownonrunning")
        if not is_lazy(service) or (kept and kept.open) or service.stack.host in served:
            continue
        # A route that leads past Sablier is HL081's.
        routers = [
            r
            for r in tl.routers(service)
            if "rule" in r.options
            and any("sablier" in m.lower() or m.lower().partition("@")[0] in waking for m in r.middlewares)
        ]
        if routers and service.label("traefik.docker.allownonrunning").lower() not in {"true", "1"}:
            message = "Once it sleeps Traefik no longer knows this route; set traefik.docker.allownonrunning=true."
            yield ctx.on(service, routers[0].anchor.path, message)


def _sablier_middlewares(service: ServiceView) -> Iterator[str]:
    for name, option, _ in tl.http_labels(service, "middlewares"):
        if option.startswith("plugin.") and "sablier" in option.split(".")[1]:
            yield name.lower()
