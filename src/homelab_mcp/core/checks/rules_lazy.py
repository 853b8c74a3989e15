"""HL080 to HL089: single sign-on and lazy loading (Sablier)."""

from __future__ import annotations

from collections.abc import Iterable

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.alike import Words
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import SCHEDULERS, is_client, is_database, is_sign_on
from homelab_mcp.core.checks.log_in import LogIn
from homelab_mcp.core.checks.view import Lab, ServiceView
from homelab_mcp.model.finding import Finding, Severity

SABLIER = "https://sablierapp.dev/"
WEB = "  web:\n    image: nginx:1.29\n    labels:\n      traefik.enable: 'true'\n"
RULE = "      traefik.http.routers.web.rule: Host(`web.example.org`)\n"
AUTH = "services:\n  authelia:\n    image: authelia/authelia:4.39.4\n"
LAZY = "services:\n  web:\n    image: nginx:1.29\n    labels:\n      sablier.enable: 'true'\n      sablier.group: web\n"


def _lab_has_sign_on(lab: Lab, log_in: LogIn) -> bool:
    return any(is_sign_on(s) for s in lab.services) or any(map(log_in.guards, tl.all_routers(lab)))


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
    log_in = ctx.lab.log_in
    if not _lab_has_sign_on(ctx.lab, log_in):
        return
    for router in tl.all_routers(ctx.lab):
        service = router.service
        if is_sign_on(service) or service.label("homelab.sso"):
            continue
        if log_in.may_guard(router) or log_in.only_leads_on(router) or router.value("service") in _HARMLESS:
            continue
        narrower = any(word in router.value("rule") for word in ("Path", "Header(", "ClientIP("))
        entry = router.options.get("middlewares")
        if "rule" in router.options and not narrower and not (entry and entry.open):
            yield ctx.on(service, router.anchor.path, f"The router {router.name!r} asks nobody to log in.")


_HARMLESS = frozenset({"noop@internal", "ping@internal"})


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
    defined = tl.defined_middlewares(ctx.lab) | {
        f"{name.lower()}@file" for name in ctx.lab.traefik_files.names("middlewares") or ()
    }
    unseen = [m for r in tl.all_routers(ctx.lab) for m in _of_files(r, defined)]
    static = tl.static_config(ctx.lab)
    in_files = static is not None and not ctx.lab.traefik_files.complete
    whole = not in_files and ctx.lab.labels_seen
    seen = whole and static is not None and static.complete
    # Where all routes are seen, a middleware that none goes through wakes nobody.
    groups, names = woken(ctx.lab, _gone_through(ctx.lab) if seen else None)
    words = Words(groups)
    for service in ctx.services():
        routers = tl.routers(service)
        if not is_lazy(service) or (in_files and not routers):
            continue
        mine = groups_of(service)
        own = any("sablier" in m for r in routers for m in _of_files(r, defined))
        named = any("sablier" in m and any(g in m for g in mine) for m in unseen)
        called = {service.name.lower(), str(service.data.get("container_name") or "").lower()}
        if not own and not named and not groups & set(mine) and not names & called:
            listed = ", ".join(repr(g) for g in mine)
            asked = _asked_by(routers, ctx.lab)
            if not asked and not ctx.lab.labels_seen:
                continue  # What nobody could read may wake the group.
            near = any(words.near(g) for g in mine)
            # Where its own route wakes another group the label's group is wrong, elsewhere the middleware is missing.
            told = service.labels.get("sablier.group") if asked or near else None
            entry = told or service.labels["sablier.enable"]
            message = f"No router goes through a Sablier middleware for the group {listed}."
            if asked:
                message = f"Its route wakes the group {min(asked)!r}, and it is in {listed}."
            yield ctx.on(service, entry.path, message, severity=Severity.ERROR if asked and whole else None)


def _asked_by(routers: Iterable[tl.Router], lab: Lab) -> set[str]:
    """Groups that these routers' own Sablier middlewares ask for; empty where one of them cannot be told."""
    used = {m.lower().removesuffix("@docker") for r in routers for m in r.middlewares}
    found: set[str] = set()
    for service in lab.routing:
        for name, option, entry in tl.http_labels(service, "middlewares"):
            known = f"{name.lower()}@file" if service.of_file else name.lower()
            if known in used and _asks_sablier(name, option):
                if entry.open or not entry.value or option.endswith(".names"):
                    return set()
                found.add(entry.value.strip().lower())
    return found


def _of_files(router: tl.Router, defined: set[str]) -> list[str]:
    """A router's middlewares that no label and no file that was read defines, lower case."""
    lower = [m.lower() for m in router.middlewares if m.lower() not in defined]
    return [m for m in lower if m.partition("@")[2] not in {"", "docker"} or m.partition("@")[0] not in defined]


def _gone_through(lab: Lab) -> set[str] | None:
    """Names of the middlewares, without provider, that a router, an entry point or a chain names; None: unknown."""
    static = tl.static_config(lab)
    listed = [v for o, v in static.options.items() if o.endswith(".http.middlewares")] if static else []
    for service in lab.routing:
        entries = [e for _, o, e in tl.http_labels(service, "routers") if o == "middlewares"]
        entries += [e for _, o, e in tl.http_labels(service, "middlewares") if o.startswith("chain.middlewares")]
        if any(e.open for e in entries):
            return None
        listed += [e.value or "" for e in entries]
    return {m.strip().lower().partition("@")[0] for text in listed for m in text.split(",")}


def woken(lab: Lab, among: set[str] | None = None) -> tuple[set[str], set[str]]:
    """Groups, and names of containers, that Sablier middlewares (those ``among``) ask for, lower case."""
    groups: set[str] = set()
    names: set[str] = set()
    for service in lab.routing:
        for name, option, entry in tl.http_labels(service, "middlewares"):
            if _asks_sablier(name, option) and (among is None or name.lower() in among):
                value = (entry.value or "").lower()
                groups |= {value.strip()} if option.endswith(".group") else set()
                names |= {n.strip() for n in value.split(",")} if option.endswith(".names") else set()
    return groups, names


def _asks_sablier(name: str, option: str) -> bool:
    """True for what a Sablier middleware asks for; other plugins have groups too (those of people, as of LDAP)."""
    plugin = option.startswith("plugin.") and option.endswith((".group", ".names"))
    return plugin and ("sablier" in option.split(".")[1] or "sablier" in name.lower())


def is_lazy(service: ServiceView) -> bool:
    """True for a container that Sablier puts to sleep."""
    return "sablier.enable" in service.labels and service.label("sablier.enable").lower() == "true"


def groups_of(service: ServiceView) -> list[str]:
    """The Sablier groups a container is in, lower case: a list with commas, "default" where it names none."""
    listed = [g.strip().lower() for g in service.label("sablier.group").split(",")]
    return [g for g in listed if g] or ["default"]


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
        if is_database(service) and service.restart == "no" and not is_lazy(service) and not is_client(service):
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
        if is_lazy(service) and service.image_name in SCHEDULERS:
            entry = service.labels["sablier.enable"]
            yield ctx.on(service, entry.path, f"{service.image_name} works in the background; asleep it does nothing.")
