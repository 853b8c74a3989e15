"""HL062 and HL063: two routers of one name, and two for one address."""

from __future__ import annotations

from collections.abc import Iterable

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.model.finding import Finding, Severity

DOCS = "https://doc.traefik.io/traefik/reference/routing-configuration/other-providers/docker/"
LABELS = "services:\n  web:\n    image: nginx:1.29\n    labels:\n      traefik.enable: 'true'\n"
RULE = "      traefik.http.routers.web.rule: Host(`web.example.org`)\n"
MORE = "  more:\n    image: nginx:1.29\n    labels:\n"


@rule(
    "HL062",
    Severity.ERROR,
    "Two routers of one name",
    why="Traefik keeps neither: routers of the Docker provider share one namespace over all stacks.",
    link=DOCS,
    bad=f"{LABELS}{RULE}{MORE}      traefik.http.routers.web.rule: Host(`b.example.org`)\n",
    good=f"{LABELS}{RULE}{MORE}      traefik.http.routers.more.rule: Host(`b.example.org`)\n",
)
def router_twice(ctx: LintContext) -> Iterable[Finding]:
    """Two services define one router differently."""
    first: dict[str, tl.Router] = {}
    for router in tl.all_routers(ctx.lab):
        # A name in a file is another one than the same in a label.
        other = router if router.service.of_file else first.setdefault(router.name.lower(), router)
        if other is router or not router.service.is_beside(other.service):
            continue
        if {k: e.value for k, e in other.options.items()} != {k: e.value for k, e in router.options.items()}:
            for mine, theirs in _seen_from(router, other):
                where = f"{theirs.service.name!r} in {theirs.service.stack.file}"
                yield ctx.on(mine.service, mine.anchor.path, f"The router {mine.name!r} is also defined by {where}.")


def _seen_from(one: tl.Router, other: tl.Router) -> list[tuple[tl.Router, tl.Router]]:
    """Both ways round where they are in two files: whoever looks at one file does not see the other."""
    return [(one, other), (other, one)][: 1 if one.service.stack is other.service.stack else 2]


@rule(
    "HL063",
    Severity.ERROR,
    "Two routers for one address",
    why="With the same rule only one of the two gets the requests, and which one is chance.",
    link="https://doc.traefik.io/traefik/reference/routing-configuration/http/router/rules-and-priority/",
    bad=f"{LABELS}{RULE}{MORE}      traefik.http.routers.more.rule: Host(`web.example.org`)\n",
    good=f"{LABELS}{RULE}{MORE}      traefik.http.routers.more.rule: Host(`b.example.org`)\n",
)
def rule_twice(ctx: LintContext) -> Iterable[Finding]:
    """Two routers have one rule on one entry point and no priorities to tell them apart."""
    static = tl.static_config(ctx.lab)
    seen: dict[tuple[str, str], list[tl.Router]] = {}
    for router in tl.all_routers(ctx.lab):
        rule_text = "".join(router.value("rule").split())
        if not rule_text or router.options["rule"].open:
            continue
        before = seen.setdefault((rule_text, router.value("priority")), [])
        other = next((r for r in before if tl.rivals(r, router, static)), None)
        before.append(router)
        if other:
            for mine, theirs in _seen_from(router, other):
                where = f"{theirs.name!r} of {theirs.service.name!r} in {theirs.service.stack.file}"
                yield ctx.on(mine.service, mine.options["rule"].path, f"The router {where} has the same rule.")
