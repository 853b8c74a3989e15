"""Its route: whether Traefik knows it, can reach it, and leads to the port it listens on."""

from __future__ import annotations

from collections.abc import Iterator

from homelab_mcp.core.diagnosis.clues import call, control_other, literal, repair
from homelab_mcp.model.diagnosis import Cause, Facts, Remedy, RouteFacts


def causes(f: Facts) -> Iterator[Cause]:
    """Traefik, its view of the labels, the network and the port."""
    r = f.route
    if r is None:
        return
    if not r.traefik:
        fix = Remedy("Add Traefik.", "add_service", {"service": "traefik"})
        yield Cause("traefik_missing", 0.9, "The lab has no Traefik, so no address leads anywhere.", (), fix)
        return
    if r.traefik.down:
        fix = control_other(f, r.traefik.stack, r.traefik.service)
        seen: tuple[str, ...] = (f"{r.traefik.where}: {r.traefik.state}", r.error[:200])
        yield Cause("traefik_down", 0.95, "Traefik does not run.", seen, fix)
    yield from _labels(f, r)
    if f.runs and r.port and not _slow(f):
        yield from _port(f, r)
    yield from _network(f, r)


def _slow(f: Facts) -> bool:
    """Traefik sends nobody to containers that are not healthy yet.

    Its Docker provider leaves them out (404) or, with allowEmptyServices, keeps the route without a server (503) or,
    from 3.7.2 on, with one that has no address (500; traefik/traefik issue 13261).
    """
    return f.one is not None and f.runs and f.one.state.health in ("starting", "unhealthy")


def _labels(f: Facts, r: RouteFacts) -> Iterator[Cause]:
    if r.enabled != "true" and r.status in (0, 404):
        fix = repair(f, "Set its label traefik.enable to true.", "route_on")
        seen: tuple[str, ...] = (
            f"traefik.enable is {r.enabled or 'not set'}",
            f"the route answers {r.status or 'nothing'}",
        )
        yield Cause("traefik_disabled", 0.93, "Traefik is told to leave it out.", seen, fix)
    if r.undefined:
        gone = r.undefined[0]
        fix = Remedy(f"Define {gone} (add the service that brings it), or take it out of the router's middlewares.")
        if not r.sso:
            # With the log-in among them it may be the log-in that is undefined, which no plan takes away.
            what = f"Take {gone} out of the router's middlewares. Or add the service that brings it."
            fix = repair(f, what, f"no_middleware:{gone}")
        seen = (f"router uses {', '.join(r.undefined)}", "no label or file defines it", f"answer: {r.status}")
        yield Cause("middleware_undefined", 0.94, f"Its router uses {r.undefined[0]}, which is not defined.", seen, fix)
    if r.clashes:
        fix = call(f, "update_service", "Give it another host name.", subdomain="NAME")
        seen = (f"{', '.join(r.clashes)} answers to {r.hosts[0]} too",)
        yield Cause("rule_clash", 0.9, f"{r.clashes[0]} has the same address.", seen, fix)
    if f.one and r.status in (404, 500, 503) and not r.undefined and r.enabled == "true":
        if _slow(f):
            fix = Remedy("Traefik sends nobody to what is not healthy: settle its health check first.")
            seen = (f"health: {f.one.state.health}", f"the route answers {r.status}")
            how = "leaves it out" if r.status == 404 else "keeps its route and sends nobody there"
            yield Cause("left_out_unhealthy", 0.7, f"Traefik {how}, as it is not healthy.", seen, fix)
        elif f.runs and r.status == 404:
            fix = Remedy("Correct the router's rule in the stack's file.", "validate_compose", {"stack": f.stack})
            yield Cause("router_unknown", 0.5, "Traefik knows no such route.", ("the route answers 404",), fix)


def _port(f: Facts, r: RouteFacts) -> Iterator[Cause]:
    one = f.one
    if one is None:
        return
    bad = r.status in (0, 502, 503, 504)
    if one.listens is not None and r.port not in one.listens:
        open_ones = sorted(one.listens - one.listens_local)
        if r.port in one.listens_local:
            open_ones = []
        if not open_ones and not bad:
            return
        best = next((p for p in one.exposed if p in open_ones), open_ones[0] if open_ones else 0)
        seen: tuple[str, ...] = (
            f"its labels lead to {r.port}",
            f"it listens on {', '.join(map(str, open_ones)) or 'nothing that others reach'}",
            f"the route answers {r.status or 'nothing'}",
        )
        fix = (
            call(f, "update_service", f"Lead the route to {best}.", port=best)
            if best
            else Remedy(
                "Read its log for why it does not listen.", "read_logs", {"services": [f"{f.stack}/{f.service}"]}
            )
        )
        identity = "wrong_port" if best else "not_listening"
        yield Cause(
            identity, 0.95 if bad else 0.6, f"Its route leads to port {r.port}, where nothing listens.", seen, fix
        )
    elif r.port in one.listens_local and bad:
        fix = Remedy("Let it listen on 0.0.0.0 (often a variable such as HOST or BIND), then recreate it.")
        if literal(f, "127.0.0.1") or literal(f, "localhost"):
            fix = repair(f, "Let it listen on 0.0.0.0 where its command or variables say 127.0.0.1.", "listen")
        seen = (f"port {r.port} is bound to 127.0.0.1", f"the route answers {r.status or 'nothing'}")
        yield Cause("listens_on_loopback", 0.95, "It listens for itself alone (127.0.0.1).", seen, fix)
    elif one.listens is None and one.exposed and r.port not in one.exposed and bad:
        best = one.exposed[0]
        seen = (f"its labels lead to {r.port}", f"its image says {', '.join(map(str, one.exposed))}")
        fix = call(f, "update_service", f"Lead the route to {best}.", port=best)
        yield Cause("wrong_port", 0.8, f"Its route leads to {r.port}, and the image serves {best}.", seen, fix)


def _network(f: Facts, r: RouteFacts) -> Iterator[Cause]:
    if r.traefik is None or r.traefik.down or not f.one or not f.runs or f.gateway:
        return
    mine = frozenset(f.one.state.networks)
    shared = mine & r.traefik.networks
    if f.one.network_mode in ("host", "none") or (shared and (not r.network or r.network in shared)):
        return
    arguments = {"a": r.traefik.where, "b": f"{f.stack}/{f.service}"}
    seen = (
        f"it is on {', '.join(sorted(mine)) or 'no network'}",
        f"Traefik is on {', '.join(sorted(r.traefik.networks))}",
        *([f"traefik.docker.network names {r.network}"] if r.network else []),
        f"the route answers {r.status or 'nothing'}",
    )
    if shared:
        name = sorted(shared)[0]
        fix = repair(f, f"Let traefik.docker.network name {name}.", f"route_network:{name}")
        yield Cause("wrong_traefik_network", 0.9, f"Traefik is sent to {r.network}, where it is not.", seen, fix)
        return
    fix = Remedy("Put it on Traefik's network.", "connect_services", arguments)
    sure = 0.94 if r.status in (0, 404, 502, 504) else 0.6
    yield Cause("not_on_traefik_network", sure, "It shares no network with Traefik.", seen, fix)
