"""HL339: routers that lack what makes them a route: a rule, or a service."""

from __future__ import annotations

from collections.abc import Iterable

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.model.finding import Finding, Severity

LABELS = (
    "services:\n  traefik:\n    image: traefik:v3.6.2\n    command: ['--entrypoints.websecure.address=:443', "
    "'--providers.docker.exposedbydefault=false']\n  web:\n    image: nginx:1.29\n    labels:\n"
    "      traefik.enable: 'true'\n"
)


@rule(
    "HL339",
    Severity.WARNING,
    "Half a router",
    why="A router without a rule gets Traefik's default one, the host 'service-stack', which nobody asks for; often "
    "its rule stands under a name that is spelt otherwise. In a file a router without a rule or a service is dropped.",
    link="https://doc.traefik.io/traefik/reference/routing-configuration/http/router/rules-and-priority/",
    bad=f"{LABELS}      traefik.http.routers.web.entrypoints: websecure\n",
    good=f"{LABELS}      traefik.http.routers.web.entrypoints: websecure\n"
    "      traefik.http.routers.web.rule: Host(`web.example.org`)\n      traefik.http.routers.web.tls: 'true'\n",
)
def half_a_router(ctx: LintContext) -> Iterable[Finding]:
    """HTTP routers with other options and no rule; in files also those without a service, of TCP and UDP too.

    Nothing of labels where Traefik's own options cannot be seen: they may hold another default rule.
    """
    static = tl.static_config(ctx.lab)
    by_default = static is None or not static.complete or any(o.endswith(".defaultrule") for o in static.options)
    everyone = tl.all_routers(ctx.lab)
    parents = _parents(everyone)
    for router in everyone:
        service = router.service
        if service.of_file:
            # A parent hands on to its children: since Traefik 3.6 it has no service.
            wanted = ("rule",) if router.name.lower() in parents else ("rule", "service")
            missing = [o for o in wanted if o not in router.options]
            if missing and not any(o.startswith("parentrefs") for o in router.options):
                path = router.anchor.path[:3]
                message = f"The router {router.name!r} has no {missing[0]}: Traefik drops it."
                yield ctx.on(service, path, message, key=True, severity=Severity.ERROR)
        elif "rule" not in router.options and not by_default and not service.partial and not service.stack.partial:
            others = [r.name for r in tl.routers(service) if "rule" in r.options]
            tail = f" The container has one for {others[0]!r}." if others else ""
            yield ctx.on(service, router.anchor.path, f"The router {router.name!r} has no rule.{tail}")
    for kind in ("tcp", "udp"):
        for router in tl.all_stream_routers(ctx.lab, kind):
            # Of a container's own ports Traefik makes a service; HL180 speaks of rules.
            if router.service.of_file and "service" not in router.options:
                message = f"The {kind.upper()} router {router.name!r} has no service: Traefik drops it."
                yield ctx.on(router.service, router.anchor.path[:3], message, key=True, severity=Severity.ERROR)


def _parents(routers: Iterable[tl.Router]) -> frozenset[str]:
    """Names, in lower case and without their provider, that a router's ``parentRefs`` hold."""
    held = [e.value or "" for r in routers for o, e in r.options.items() if o.startswith("parentrefs")]
    return frozenset(name.strip().partition("@")[0].lower() for text in held for name in text.split(","))
