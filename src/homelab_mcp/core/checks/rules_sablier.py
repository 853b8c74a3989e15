"""HL084 to HL088: Sablier middlewares that cannot work, and admin pages that anybody may open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import OPEN_ADMIN, asks_for_login
from homelab_mcp.core.checks.view import Entry, ServiceView
from homelab_mcp.model.finding import Finding, Severity

SABLIER = "https://sablierapp.dev/"
PLUGIN = "https://plugins.traefik.io/plugins/633b4658a4caa9ddeffda119/sablier"
LAZY = "services:\n  web:\n    image: nginx:1.29\n    labels:\n      sablier.enable: 'true'\n      sablier.group: web\n"
ROUTE = (
    "      traefik.http.routers.web.rule: Host(`web.example.org`)\n      traefik.http.routers.web.middlewares: lazy\n"
)
GROUP = "      traefik.http.middlewares.lazy.plugin.sablier.group: "
URL = "      traefik.http.middlewares.lazy.plugin.sablier.sablierUrl: "
SERVER = "  sablier:\n    image: sablierapp/sablier:1.10.1\n"
PROXY = "  proxy:\n    image: traefik:v3.6.1\n    command:\n      - --entrypoints.web.address=:80\n"


def _options(ctx: LintContext, name: str) -> Iterator[tuple[ServiceView, Entry]]:
    """Labels that set an option of a Sablier middleware."""
    for service in ctx.services():
        for _, option, entry in tl.http_labels(service, "middlewares"):
            if option.startswith("plugin.") and option.endswith(f".{name}") and "sablier" in option.split(".")[1]:
                yield service, entry


def _lazy(service: ServiceView) -> bool:
    return service.label("sablier.enable").lower() == "true"


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
    groups = {(s.label("sablier.group") or "default").lower() for s in ctx.services() if _lazy(s)}
    for service, entry in _options(ctx, "group"):
        if entry.value and not entry.open and entry.value.lower() not in groups:
            yield ctx.on(service, entry.path, f"No container of the lab is in the group {entry.value!r}.")


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
    """A ``plugin.<name>`` middleware whose name Traefik's command line does not load."""
    static = tl.static_config(ctx.lab)
    if static is None or not static.complete:
        return
    loaded = {o.split(".")[2] for o in static.options if o.startswith("experimental.") and "plugins." in o}
    told: set[tuple[int, str]] = set()
    for service in ctx.services():
        for name, option, entry in tl.http_labels(service, "middlewares"):
            parts = option.split(".")
            if parts[0] == "plugin" and len(parts) > 1 and parts[1] not in loaded and (id(service), name) not in told:
                told.add((id(service), name))
                yield ctx.on(service, entry.path, f"Traefik's options load no plugin {parts[1]!r}.")


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
        if _lazy(service) and service.restart == "always":
            yield ctx.on(service, ("restart",), "Docker starts it whenever Sablier stopped it before a reboot.")


@rule(
    "HL087",
    Severity.WARNING,
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
    names = {n for s in ctx.services() for n in (s.name, s.data.get("container_name"), s.data.get("hostname")) if n}
    for service, entry in _options(ctx, "sablierurl"):
        host = (entry.value or "").partition("://")[2].partition("/")[0].partition(":")[0]
        if host and not entry.open and "." not in host and host not in {str(n) for n in names}:
            yield ctx.on(service, entry.path, f"No service or container of the lab is called {host!r}.")


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
    for service in ctx.services():
        if service.image_name not in OPEN_ADMIN or service.label("homelab.sso"):
            continue
        for router in tl.routers(service):
            entry = router.options.get("middlewares")
            guarded = any(asks_for_login(m) or "secur" in m.lower() or "chain" in m.lower() for m in router.middlewares)
            if "rule" in router.options and not guarded and not (entry and entry.open):
                yield ctx.on(service, router.anchor.path, f"{service.image_name} has no log-in of its own.")
