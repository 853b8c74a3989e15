"""HL080 to HL089: single sign-on and lazy loading (Sablier)."""

from __future__ import annotations

from collections.abc import Iterable

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import SCHEDULERS, asks_for_login, is_database, is_sign_on
from homelab_mcp.core.checks.view import Entry, Lab, ServiceView
from homelab_mcp.model.finding import Finding, Severity

SABLIER = "https://sablierapp.dev/"
WEB = "  web:\n    image: nginx:1.29\n    labels:\n      traefik.enable: 'true'\n"
RULE = "      traefik.http.routers.web.rule: Host(`web.example.org`)\n"
AUTH = "services:\n  authelia:\n    image: authelia/authelia:4.39.4\n"
LAZY = "services:\n  web:\n    image: nginx:1.29\n    labels:\n      sablier.enable: 'true'\n      sablier.group: web\n"


def _lab_has_sign_on(lab: Lab) -> bool:
    return any(is_sign_on(s) for s in lab.services) or any(
        asks_for_login(m) for r in tl.all_routers(lab) for m in r.middlewares
    )


@rule(
    "HL080",
    Severity.WARNING,
    "Routed without log-in",
    why="The lab has single sign-on, but anyone who knows this address gets in without. If the service has a log-in of "
    "its own, say so with the label homelab.sso=bypass.",
    link="https://www.authelia.com/integration/proxies/traefik/",
    bad=f"{AUTH}{WEB}{RULE}",
    good=f"{AUTH}{WEB}{RULE}      traefik.http.routers.web.middlewares: authelia@docker\n",
)
def no_log_in(ctx: LintContext) -> Iterable[Finding]:
    """A router without an authenticating middleware in a lab that has one elsewhere, and no opt-out label."""
    if not _lab_has_sign_on(ctx.lab):
        return
    chained = {name.lower(): e.value or "" for name, o, e in _chains(ctx.lab) if o == "chain.middlewares"}
    for router in tl.all_routers(ctx.lab):
        service = router.service
        names = [*router.middlewares, *(chained.get(m.partition("@")[0].lower(), "") for m in router.middlewares)]
        if is_sign_on(service) or any(asks_for_login(m) for m in names) or service.label("homelab.sso"):
            continue
        narrower = any(word in router.value("rule") for word in ("Path", "Header(", "ClientIP("))
        entry = router.options.get("middlewares")
        if "rule" in router.options and not narrower and not (entry and entry.open):
            yield ctx.on(service, router.anchor.path, f"The router {router.name!r} asks nobody to log in.")


def _chains(lab: Lab) -> Iterable[tuple[str, str, Entry]]:
    for service in lab.services:
        yield from tl.http_labels(service, "middlewares")


@rule(
    "HL081",
    Severity.WARNING,
    "Sablier labels that nothing uses",
    why="Sablier only wakes what a router sends through one of its middlewares: without that the container stays down "
    "once it is stopped.",
    link=SABLIER,
    bad=LAZY,
    good=f"{LAZY}{RULE}      traefik.http.routers.web.middlewares: sablier-web@file\n",
)
def sablier_unused(ctx: LintContext) -> Iterable[Finding]:
    """``sablier.enable`` on a container whose group no router's middleware mentions."""
    used = [m.lower() for r in tl.all_routers(ctx.lab) for m in r.middlewares]
    groups = {
        (e.value or "").lower()
        for s in ctx.lab.services
        for _, option, e in tl.http_labels(s, "middlewares")
        if option.startswith("plugin.") and option.endswith((".group", ".names"))
    }
    for service in ctx.services():
        if not _lazy(service):
            continue
        group = service.label("sablier.group").lower() or service.name.lower()
        own = any("sablier" in m.lower() for r in tl.routers(service) for m in r.middlewares)
        named = any("sablier" in m and group in m for m in used)
        if not own and not named and group not in groups:
            entry = service.labels["sablier.enable"]
            yield ctx.on(service, entry.path, f"No router goes through a Sablier middleware for the group {group!r}.")


def _lazy(service: ServiceView) -> bool:
    return "sablier.enable" in service.labels and service.label("sablier.enable").lower() == "true"


@rule(
    "HL082",
    Severity.WARNING,
    "A database that nothing starts again",
    why="With restart: no it stays down after a reboot, and it is in no Sablier group that would wake it.",
    link="https://docs.docker.com/reference/compose-file/services/#restart",
    bad='services:\n  db:\n    image: postgres:17.2\n    restart: "no"\n',
    good="services:\n  db:\n    image: postgres:17.2\n    restart: unless-stopped\n",
)
def database_stays_down(ctx: LintContext) -> Iterable[Finding]:
    """A database with ``restart: no`` and no Sablier group."""
    for service in ctx.services():
        if is_database(service) and service.restart == "no" and not _lazy(service):
            yield ctx.on(service, ("restart",), "Nothing starts this database again after a reboot.")


@rule(
    "HL083",
    Severity.WARNING,
    "A worker put to sleep",
    why="It does its work while nobody looks at its page (backups, checks, updates): asleep it does none.",
    link=SABLIER,
    bad="services:\n  backrest:\n    image: garethgeorge/backrest:v1.8.1\n    labels: ['sablier.enable=true']\n",
    good="services:\n  backrest:\n    image: garethgeorge/backrest:v1.8.1\n",
)
def sleeping_worker(ctx: LintContext) -> Iterable[Finding]:
    """``sablier.enable`` on a scheduler, a monitor or a gateway."""
    for service in ctx.services():
        if _lazy(service) and service.image_name in SCHEDULERS:
            entry = service.labels["sablier.enable"]
            yield ctx.on(service, entry.path, f"{service.image_name} works in the background; asleep it does nothing.")
