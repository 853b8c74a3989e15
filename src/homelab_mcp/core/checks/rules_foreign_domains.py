"""HL309: certificates for domains that nothing of the lab is below."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.model.finding import Finding, Severity

LONGEST_NAME = 253
"""Characters of a host name in DNS at most (RFC 1035, 2.3.4, without the dot at its end)."""
PROXY = (
    "services:\n  traefik:\n    image: traefik:v3.7.13\n    command:\n      - --entrypoints.websecure.address=:443\n"
)


@rule(
    "HL309",
    Severity.WARNING,
    "A wildcard certificate for a domain that nothing here is below",
    why="It stands for somebody else's lab: no route gets its certificate from it, so each asks for its own and meets "
    "the authority's limits.",
    link="https://letsencrypt.org/docs/rate-limits/",
    bad=f"{PROXY}      - --entrypoints.websecure.http.tls.domains[0].main=author.example.net\n"
    "  web:\n    image: nginx:1.29\n    labels:\n      traefik.http.routers.web.rule: Host(`web.example.org`)\n",
    good=f"{PROXY}      - --entrypoints.websecure.http.tls.domains[0].main=example.org\n"
    "  web:\n    image: nginx:1.29\n    labels:\n      traefik.http.routers.web.rule: Host(`web.example.org`)\n",
)
def foreign_certificate(ctx: LintContext) -> Iterable[Finding]:
    """A ``tls.domains`` entry that no host of any other router of the lab is, or is below."""
    routers = tl.all_routers(ctx.lab)
    known = [r for r in routers if r.options.get("rule") is not None and not r.options["rule"].open]
    if len(known) != len(routers) or not ctx.lab.labels_seen:
        return
    own = [set(r.hosts) for r in known]
    zones = Counter(zone for each in own for h in each for zone in _zones(h))
    static, traefik = tl.static_config(ctx.lab), ctx.lab.traefik
    if static is not None and traefik is not None and zones:
        for option, value in static.options.items():
            if option.endswith(".main") and ".tls.domains[" in option and "$" not in value and not zones[_zone(value)]:
                message = f"No route of the lab is at or below {value}."
                where = static.where[option]
                yield ctx.at(static.file, where, message) if static.file else ctx.on(traefik, where, message)
    everyone = sum(map(len, own))
    for router, mine in zip(known, own, strict=True):
        for option, entry in router.options.items():
            ours = option.startswith("tls.domains[") and option.endswith(".main") and not entry.open
            if not ours or not entry.value:
                continue
            zone = _zone(entry.value)
            if everyone > len(mine) and zones[zone] == sum(zone in _zones(h) for h in mine):
                yield ctx.on(router.service, entry.path, f"No other route of the lab is at or below {entry.value}.")


def _zones(host: str) -> Iterator[str]:
    """A host and every domain that it is below; none of what is longer than a name can be."""
    while 0 < len(host) <= LONGEST_NAME:
        yield host
        host = host.partition(".")[2]


def _zone(domain: str) -> str:
    return domain.strip().lower().removeprefix("*.")
