"""What many services go through (Traefik, the log-in, a VPN's gateway), and who goes down with it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from homelab_mcp.core.access import routers_of, same_middleware
from homelab_mcp.core.host_routes import has_own_traefik
from homelab_mcp.core.kept_routes import is_traefik
from homelab_mcp.core.labels import SERVICE
from homelab_mcp.core.network_sharers import owner_of
from homelab_mcp.core.operations.lab_view import Known, LabView
from homelab_mcp.model.lab import LOCAL, LabSettings


@dataclass(frozen=True, slots=True)
class Gate:
    """What others go through.

    Args:
        what: its name.
        where: ``stack/service`` of it; "" where no service of the lab is known to be it.
        through: ``stack/service`` of those that go through it.
        why: what becomes of them without it, with {} for it.
        stops: whether they do not work at all then; else only who asks them by their address is turned away.
    """

    what: str
    where: str
    through: tuple[str, ...]
    why: str
    stops: bool = False

    def down(self, called: str) -> dict[str, str]:
        """``stack/service`` -> why it is down without this gate, which is ``called`` so."""
        return {where: self.why.format(called) for where in self.through}


def gates_of(lab: LabView, settings: LabSettings, services: Collection[Known]) -> Iterator[Gate]:
    """Every gate; Traefik and gateways also where nobody goes through, the log-in only where somebody does."""
    routed = [s for s in services if routers_of(s.labels) and not has_own_traefik(lab, s.host)]
    for traefik in (s for s in services if s.host == LOCAL and is_traefik(s)):
        yield Gate(traefik.where, traefik.where, tuple(s.where for s in routed), "its address is served by {}")
    login = settings.sso_middleware
    behind = [s for s in routed if any(same_middleware(m, login) for r in routers_of(s.labels) for m in r.middlewares)]
    if behind:
        where = _login_of(services, login.partition("@")[0].lower())
        yield Gate(f"The log-in ({login})", where, tuple(s.where for s in behind), "nobody gets past {}")
    for owner in services:
        inside = tuple(s.where for s in services if s.stack == owner.stack and owner_of(s.data) == owner.name)
        if inside:
            yield Gate(owner.where, owner.where, inside, "it has no network without {}", stops=True)


def with_gates(down: Mapping[str, str], stopped: Collection[str], gates: Collection[Gate]) -> dict[str, str]:
    """``down`` with those that go through a gate which is among the ``stopped``, or inside of one that is."""
    found, still = dict(down), set(stopped)
    for _ in gates:
        # One gate may be inside of another: a Traefik in a gateway's network.
        for gate in (g for g in gates if g.where in still):
            found = {**gate.down(gate.where), **found}
            still |= set(gate.through) if gate.stops else set()
    return found


def _login_of(services: Collection[Known], name: str) -> str:
    """The service that the log-in's middleware asks: whose label defines it, else the one of that name."""
    prefix = f"traefik.http.middlewares.{name}."
    mine = [s for s in services if any(k.lower().startswith(prefix) for k in s.labels)]
    mine += [s for s in services if name in (s.name.lower(), s.labels.get(SERVICE))]
    return mine[0].where if mine else ""
