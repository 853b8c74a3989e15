"""HL333: Traefik's own options against its networks, and against what the lab's routes ask for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_traefik_options import told
from homelab_mcp.core.checks.traefik_static import StaticConfig
from homelab_mcp.model.finding import Finding, Severity

INSTALL = "https://doc.traefik.io/traefik/reference/install-configuration/"
PROXY = (
    "services:\n  traefik:\n    image: traefik:v3.6.1\n    networks: [web]\n    command:\n"
    "      - --entrypoints.web.address=:80\n      - --providers.docker.exposedbydefault=false\n"
    "      - --providers.docker.network="
)
NETWORK = "\nnetworks: {web: {name: web}}\n"


@rule(
    "HL333",
    Severity.WARNING,
    "Routes that Traefik's own options do not allow",
    why="Traefik reaches containers only on a network that it is on itself. A route to its dashboard needs the api, "
    "and a route of one protocol an entry point of that protocol: without them nobody answers.",
    link=f"{INSTALL}providers/docker/#network",
    bad=f"{PROXY}proxy{NETWORK}",
    good=f"{PROXY}web{NETWORK}",
)
def do_not_agree(ctx: LintContext) -> Iterable[Finding]:
    """``providers.docker.network``, ``api@internal`` without api, and routers on an entry point of another protocol."""
    static, traefik = tl.static_config(ctx.lab), ctx.lab.traefik
    if static is None or traefik is None:
        return
    network = static.options.get("providers.docker.network", "")
    mine = traefik.real_networks
    unsure = traefik.network_mode or traefik.partial or traefik.stack.partial or any("$" in n for n in mine)
    if network and "$" not in network and not unsure and network not in mine:
        listed = ", ".join(sorted(mine)) or "none"
        message = f"Traefik itself is not on the network {network!r} (it is on {listed})."
        yield told(ctx, static, "providers.docker.network", message)
    if static.complete:
        yield from _dashboard(ctx, static)
        yield from _protocols(ctx, static)


def _dashboard(ctx: LintContext, static: StaticConfig) -> Iterator[Finding]:
    on = [v.lower() for o, v in static.options.items() if o == "api" or o.startswith("api.")]
    if any(v != "false" for v in on):
        return
    for router in tl.all_routers(ctx.lab):
        entry = router.options.get("service")
        if entry and (entry.value or "").lower() in {"api@internal", "dashboard@internal"}:
            message = "Traefik's options do not switch on its api: there is no such service."
            yield ctx.on(router.service, entry.path, message)


def _protocols(ctx: LintContext, static: StaticConfig) -> Iterator[Finding]:
    """A UDP router on entry points of TCP alone, another one on entry points of UDP alone."""
    addresses = {p: static.options.get(f"entrypoints.{p}.address", "").lower() for p in static.entry_points}
    by_udp = {p for p, address in addresses.items() if address.endswith("/udp")}
    shown = {p for p in static.entry_points if f"entrypoints.{p}.address" in static.options}
    for kind in ("udp", "tcp", "http"):
        routers = tl.all_routers(ctx.lab) if kind == "http" else tl.all_stream_routers(ctx.lab, kind)
        for router in routers:
            entry = router.options.get("entrypoints")
            points = [p.strip().lower() for p in router.value("entrypoints").split(",") if p.strip()]
            if entry is None or entry.open or not points or not shown.issuperset(points):
                continue
            if not any((p in by_udp) == (kind == "udp") for p in points):
                which, other = ("TCP", "/udp") if kind == "udp" else ("UDP", "")
                tail = f"; its address ends in {other}" if other else ""
                message = f"{points[0]!r} is an entry point of {which}, this is a {kind.upper()} router{tail}."
                yield ctx.on(router.service, entry.path, message, severity=Severity.ERROR)
