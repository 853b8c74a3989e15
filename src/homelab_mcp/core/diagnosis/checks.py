"""What was looked at, in the order a person would: the tree that the causes stand on."""

from __future__ import annotations

from collections.abc import Iterator

from homelab_mcp.model.diagnosis import Facts, RouteFacts
from homelab_mcp.model.plan import Evidence


def looked_at(f: Facts) -> tuple[Evidence, ...]:
    """Every check with its outcome."""
    return tuple(_checks(f))


def _checks(f: Facts) -> Iterator[Evidence]:
    yield Evidence("compose takes the files", not f.compose_error, f.compose_error[:160])
    yield Evidence("variables have values", not f.missing, ", ".join(f.missing[:8]))
    one = f.one
    if one is None:
        yield Evidence("container", False, "there is none")
    else:
        state = one.state
        ended = f", exit code {state.exit_code}" if state.exit_code is not None else ""
        restarts = f", restarted {state.restart_count} times" if state.restart_count else ""
        yield Evidence("container", f.runs and not state.restart_count, f"{state.state}{ended}{restarts}")
        if one.error:
            yield Evidence("engine could start it", False, one.error[:160])
        if state.health and f.runs:
            # What has ended keeps the word that its health check said last.
            last = one.health_log[-1][:120] if one.health_log else ""
            yield Evidence(
                "health check", state.health != "unhealthy", f"{state.health}; {last}" if last else state.health
            )
        yield Evidence("memory", not one.oom, "killed for its memory" if one.oom else "")
    yield Evidence("same as its file", not f.drift, "the file was changed since" if f.drift else "")
    yield from _around(f)
    if f.route:
        yield from _route(f, f.route)


def _around(f: Facts) -> Iterator[Evidence]:
    if f.image_here is not None:
        yield Evidence("image", f.image_here or bool(f.containers), f.image)
    gone = [n for n in (*f.wanted_networks,) if n not in f.networks]
    yield Evidence("networks", not gone, ", ".join(gone))
    lost = [p.path for p in f.paths if not p.kind]
    lost += [v for v in f.wanted_volumes if f.volumes is not None and v not in f.volumes]
    yield Evidence("mounts", not lost, ", ".join(lost[:5]))
    yield Evidence("ports", not f.takers, ", ".join(f"{p}: {who}" for p, who in list(f.takers.items())[:5]))
    bad = [o for n in (*f.depends, f.gateway) if n and (o := f.other(n)) and (o.down or o.health == "unhealthy")]
    yield Evidence("services it needs", not bad, ", ".join(f"{o.where}: {o.health or o.state}" for o in bad[:5]))
    yield Evidence("disk", not f.total or f.free > f.total * 0.02, f"{f.free // 2**30} GiB free")
    if f.recent:
        yield Evidence("last change of its stack", True, f"{f.recent[1]} ({int(f.recent[2] // 60)} min ago)")


def _route(f: Facts, r: RouteFacts) -> Iterator[Evidence]:
    yield Evidence("Traefik runs", bool(r.traefik and not r.traefik.down), r.traefik.where if r.traefik else "none")
    if f.one and r.port and f.one.listens is not None:
        seen = ", ".join(map(str, sorted(f.one.listens)[:6])) or "nothing"
        yield Evidence(f"listens on {r.port}", r.port in f.one.listens, seen)
    if r.resolves is not None:
        yield Evidence(f"{r.hosts[0]} is in DNS", bool(r.resolves), ", ".join(r.resolves[:3]))
    well = 0 < r.status < 500 and r.status != 404
    yield Evidence(f"https://{r.hosts[0]} answers", well, str(r.status) if r.status else r.error[:120])
    if r.certificate:
        yield Evidence("certificate", r.verified, r.certificate[:160])
    if r.sso:
        yield Evidence("log-in runs", bool(r.login and not r.login.down), r.login.where if r.login else "none")
