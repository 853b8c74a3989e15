"""HL190 to HL191: middlewares whose options cannot work: Sablier's plug-in, and the log-in of a forward request."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import is_sign_on
from homelab_mcp.core.checks.rules_own_address import given_hosts
from homelab_mcp.core.checks.rules_sablier import aliases
from homelab_mcp.core.checks.view import Entry, ServiceView
from homelab_mcp.model.finding import Finding, Severity

WEB = "services:\n  web:\n    image: nginx:1.29\n    labels:\n"
LAZY = "      traefik.http.middlewares.lazy.plugin.sablier."
AUTH = "services:\n  authelia:\n    image: authelia/authelia:4.39.4\n    labels:\n"
ADDRESS = "      traefik.http.middlewares.auth.forwardauth.address: http://"
# Go's time.ParseDuration, which the plug-in reads its times with.
_DURATION = re.compile(r"[-+]?(?:0|(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:ns|us|\u00b5s|ms|s|m|h))+)")


@rule(
    "HL190",
    Severity.ERROR,
    "A Sablier middleware that cannot be set up",
    why="The plug-in needs one strategy, dynamic or blocking, and times such as 30m or 1h30m; with others it refuses "
    "to start, and Traefik drops the routes that go through it.",
    link="https://plugins.traefik.io/plugins/633b4658a4caa9ddeffda119/sablier",
    bad=f"{WEB}{LAZY}names: web\n{LAZY}dynamic.theme: ghost\n{LAZY}sessionDuration: 30 minutes\n",
    good=f"{WEB}{LAZY}names: web\n{LAZY}dynamic.theme: ghost\n{LAZY}sessionDuration: 30m\n",
)
def bad_plugin(ctx: LintContext) -> Iterable[Finding]:
    """Times that Go cannot read, two strategies; none at all is told as a warning."""
    for service in ctx.lab.routing:
        for options in _sablier(service).values():
            for name in ("sessionduration", "dynamic.refreshfrequency", "blocking.timeout"):
                entry = options.get(name)
                if entry and entry.value and not entry.open and not _DURATION.fullmatch(entry.value):
                    yield ctx.on(service, entry.path, f"{entry.value!r} is no time; write 30m or 1h30m.")
            kinds = {name.partition(".")[0] for name in options} & {"dynamic", "blocking"}
            if len(kinds) == 2:
                entry = next(e for name, e in options.items() if name.startswith("blocking"))
                yield ctx.on(service, entry.path, "The strategies 'dynamic' and 'blocking' exclude each other.")
            for name, entry in options.items():
                near = difflib.get_close_matches(name.partition(".")[0], _OPTIONS, n=1, cutoff=0.8)
                if name.partition(".")[0] not in _OPTIONS and near:
                    message = f"The plug-in has no option {name.partition('.')[0]!r}. Did you mean {near[0]!r}?"
                    yield _named(ctx, service, entry, name, message)
                    kinds.add(near[0])
            if not kinds and {"names", "group"} & set(options):
                message = "It names no strategy: add an option of 'dynamic' or of 'blocking'."
                yield ctx.on(service, next(iter(options.values())).path, message, severity=Severity.WARNING)


_OPTIONS = (
    *("sablierurl", "group", "names", "sessionduration", "keepaliveinterval", "failopen", "ignoreuseragent"),
    *("dynamic", "blocking"),
)
"""Options of Sablier's plug-in for Traefik (its ``config.go``), lower case."""


def _named(ctx: LintContext, service: ServiceView, entry: Entry, name: str, message: str) -> Finding:
    """A warning at the first word of an option: in a file that is a key of its own."""
    path = entry.path[: len(entry.path) - name.count(".")] if service.of_file else entry.path
    return ctx.on(service, path, message, key=True, severity=Severity.WARNING)


def _sablier(service: ServiceView) -> dict[str, dict[str, Entry]]:
    """Options of a service's Sablier middlewares by the middleware's name."""
    found: dict[str, dict[str, Entry]] = {}
    for name, option, entry in tl.http_labels(service, "middlewares"):
        parts = option.split(".", 2)
        if parts[0] == "plugin" and len(parts) == 3 and "sablier" in parts[1]:
            found.setdefault(name.lower(), {})[parts[2]] = entry
    return found


@rule(
    "HL191",
    Severity.WARNING,
    "A log-in address that nobody has",
    why="Traefik asks this address before every visit; when nobody answers, every page behind it is an error.",
    link="https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/forwardauth/",
    bad=f"{AUTH}{ADDRESS}autelia:9091/api/authz/forward-auth\n",
    good=f"{AUTH}{ADDRESS}authelia:9091/api/authz/forward-auth\n",
)
def unknown_log_in(ctx: LintContext) -> Iterable[Finding]:
    """``forwardauth.address`` with a host that is no service or container of a lab that has its sign-on."""
    if not any(map(is_sign_on, ctx.services())):
        return
    whole = ctx.lab.whole
    names = {
        str(n) for s in ctx.services() for n in (s.name, s.data.get("container_name"), s.data.get("hostname")) if n
    }
    names |= {alias for s in ctx.services() for alias in aliases(s)}
    # It is Traefik that asks, whoever has the label.
    names |= {name for s in ctx.services() if s.image_name == "traefik" for name in given_hosts(s)}
    for service in ctx.services():
        for _, option, entry in tl.http_labels(service, "middlewares"):
            if option == "forwardauth.address" and entry.value and not entry.open:
                host = entry.value.partition("://")[2].partition("/")[0].partition(":")[0]
                here = host in {"localhost", "127.0.0.1"} and not (ctx.lab.traefik and ctx.lab.traefik.network_mode)
                if here or (whole and host and "." not in host and host not in names and host != "localhost"):
                    yield _nobody(ctx, service, entry, host)


def _nobody(ctx: LintContext, service: ServiceView, entry: Entry, host: str) -> Finding:
    """An error where the path is the one of a log-in of the lab, and the lab has no more than that one."""
    message = f"No service or container of the lab is called {host!r}."
    path = entry.value.partition("://")[2].partition("/")[2] if entry.value else ""
    meant = [s for s in ctx.services() if is_sign_on(s) and any(w in path for w in _PATHS.get(s.image_name, ()))]
    if len(meant) != 1 or not ctx.lab.whole:
        return ctx.on(service, entry.path, message)
    name = meant[0].data.get("container_name") or meant[0].name
    return ctx.on(service, entry.path, f"{message} Did you mean {str(name)!r}?", severity=Severity.ERROR)


_PATHS = {"authelia": ("api/authz/", "api/verify"), "tinyauth": ("api/auth/",), "server": ("outpost.goauthentik.io",)}
"""Image of a log-in -> what only its address has in it (the documentation of each for Traefik)."""
