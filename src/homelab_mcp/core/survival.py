"""Which of a lab's services survive which failure: what files and containers say, and no more than that.

Facts: Docker's documentation, "Start containers automatically" (``on-failure`` does not start a container with the
daemon; a failing health check alone restarts nothing); willfarrell/docker-autoheal's README (its labels).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType

from homelab_mcp.core.access import routers_of
from homelab_mcp.core.audit.keeping import keeps_data
from homelab_mcp.core.host_routes import has_own_traefik
from homelab_mcp.core.operations.lab_view import Known, LabView
from homelab_mcp.core.service_facts import environment_of
from homelab_mcp.core.survival_gates import Gate, gates_of, with_gates
from homelab_mcp.core.survival_shares import HELD, WAITS, Uncovered, gone_beside, gone_with, shares_lost, shares_of
from homelab_mcp.core.survival_standby import Failure, with_standby
from homelab_mcp.core.survival_swarm import UNASKED, Fate, bound_to, fate, in_swarm
from homelab_mcp.model.lab import LOCAL, LabSettings
from homelab_mcp.model.standby import StandbySeen
from homelab_mcp.model.swarm import Node

_UNASKED = " Containers were not asked, so a check that an image brings is not counted."
_UNREAD = "Its backup's settings (backup.yaml) cannot be read, so nobody can tell what it holds."
_COMES_BACK = frozenset({"always", "unless-stopped"})
_IN_DEPLOY = {"any": "always", "on-failure": "on-failure", "none": "no"}


def survival(
    lab: LabView,
    settings: LabSettings,
    *,
    checked: Collection[str] | None,
    uncovered: Uncovered | None,
    nodes: Sequence[Node] = (),
    standbys: Sequence[StandbySeen] = (),
    backed: Collection[str] = (LOCAL,),
    addresses: Mapping[str, Collection[str]] = MappingProxyType({}),
    unread: Collection[str] = (),
) -> list[Failure]:
    """Every failure that was thought through, the smallest first.

    Args:
        lab: the lab's services.
        settings: the lab's.
        checked: ``stack/service`` whose containers have a health check; None: no engine could be asked.
        uncovered: ``stack/service`` -> what of its data the lab's backups do not hold; None: the lab makes none.
        nodes: the Swarm's, where this machine manages one and was asked.
        standbys: of the core, on hosts that were asked.
        backed: Docker hosts that make backups.
        addresses: of each Docker host beside the lab's machine; one of these is a file server's where both are one.
        unread: of others that make some, whose settings cannot be read.
    """
    services = [s for s in lab.services if not _ends_by_itself(s, lab)]
    found = [
        _judged("A service's program ends", services, lambda s: "" if _policy(s) != "no" else "no restart policy"),
        _judged(
            "A service's program hangs",
            services,
            lambda s: _hangs(s, lab, checked or ()),
            "Docker itself restarts nothing for a failing health check." + ("" if checked is not None else _UNASKED),
        ),
        _judged("Docker or a machine starts anew", services, _after_boot),
    ]
    gates = list(gates_of(lab, settings, services))
    found += [_without(gate, services) for gate in gates]
    shares = shares_of(lab, services)
    hosts = {s.host for s in services}
    machines = {a.lower(): host for host, those in addresses.items() if host in hosts for a in those}
    found += shares_lost(services, shares, machines, uncovered, backed, gates)
    for host in sorted(hosts, key=lambda h: (h != LOCAL, h)):
        on_it = {w: [s for s in those if machines.get(s.server.lower()) == host] for w, those in shares.items()}
        beside = {w: [s for s in those if s not in on_it[w]] for w, those in shares.items()}
        mounting = {s.where: on_it[s.where][0].why for s in services if s.host != host and on_it[s.where]}
        gone = {s.where for s in services if s.host == host and gone_beside(s, beside[s.where], uncovered, backed)}
        gone |= {s.where for s in services if s.host != host and gone_with(s, on_it[s.where], uncovered, backed)}
        note = "The lab makes no backup." if host == LOCAL else f"No backup is made on {host}."
        note = HELD if uncovered is not None and host in backed else _UNREAD if host in unread else note
        lost = _lost(host, lab, services, nodes, gates, mounting=mounting, gone=gone, note=note)
        found.append(with_standby(lost, lab, settings, standbys) if host == LOCAL else lost)
    found += [_node_lost(node, services, nodes) for node in nodes if not node.here]
    return found


def _judged(what: str, services: list[Known], why: Callable[[Known], str], note: str = "") -> Failure:
    reasons = {s.where: why(s) for s in services}
    survive = tuple(w for w, reason in reasons.items() if not reason)
    return Failure(what, survive, {w: reason for w, reason in reasons.items() if reason}, note=note)


def _policy(service: Known) -> str:
    said = service.data.get("restart")
    if isinstance(said, str) and said:
        return said.partition(":")[0]
    deploy = service.data.get("deploy")
    policy = deploy.get("restart_policy") if isinstance(deploy, Mapping) else None
    if isinstance(policy, Mapping):
        return _IN_DEPLOY.get(str(policy.get("condition", "any")), "no")
    # Without a word Compose starts nothing again, and a stack that is handed to Swarm is given `any`.
    return "always" if in_swarm(service) and not said else "no"


def _after_boot(service: Known) -> str:
    policy = _policy(service)
    return "" if policy in _COMES_BACK else f"restart policy {policy} starts nothing with Docker"


def _hangs(service: Known, lab: LabView, checked: Collection[str]) -> str:
    check = service.data.get("healthcheck")
    off = isinstance(check, Mapping) and bool(check.get("disable"))
    if off or not (check or service.where in checked):
        return "no health check, so nobody notices"
    if in_swarm(service):
        return ""  # Swarm starts another task in its place
    return "" if any(_heals(one, service) for one in lab.on(service.host).services) else "noticed, and not restarted"


def _heals(one: Known, service: Known) -> bool:
    """Whether ``one`` restarts this service's container when it is unhealthy."""
    if "autoheal" not in str(one.data.get("image", "")) or one.where == service.where:
        return False
    label = environment_of(one).get("AUTOHEAL_CONTAINER_LABEL") or "autoheal"
    return label == "all" or service.labels.get(label, "").lower() == "true"


def _without(gate: Gate, services: list[Known]) -> Failure:
    down = gate.down("the log-in" if gate.what != gate.where else "it")
    if gate.what == gate.where:
        down = {gate.where: "it is it", **down}
    return Failure(f"{gate.what} is down", tuple(s.where for s in services if s.where not in down), down)


def _lost(
    host: str,
    lab: LabView,
    services: list[Known],
    nodes: Sequence[Node],
    gates: Sequence[Gate],
    *,
    mounting: Mapping[str, str],
    gone: Collection[str],
    note: str,
) -> Failure:
    """A machine that does not come back, with those of other hosts who mount a share of it."""
    here = next((n for n in nodes if n.here), None)
    down: dict[str, str] = dict(mounting)
    stopped = set(mounting)
    unknown: dict[str, str] = {}
    for one in services:
        if one.host == host and in_swarm(one):
            found = fate(one, here, nodes) if here else Fate(UNASKED)
            why = found.why
            stopped |= {one.where} if why else set()
            if not why and routers_of(one.labels) and not has_own_traefik(lab, one.host):
                runs = "" if found.unknown else "it runs on, but "
                why = f"{runs}its address, certificate and log-in are on this machine"
            if why:
                down[one.where] = why
            elif found.unknown:
                unknown[one.where] = found.unknown
        elif one.host == host:
            down[one.where] = "it runs there and nowhere else"
            stopped.add(one.where)
        elif host == LOCAL and routers_of(one.labels) and not has_own_traefik(lab, one.host):
            down[one.where] = "it runs on, but its address, certificate and log-in are on this machine"
    down = with_gates(down, stopped, gates)
    unknown = {where: why for where, why in unknown.items() if where not in down}
    elsewhere = [n for n in nodes if not n.here]
    lost = [s.where for s in services if s.where in gone and not any(bound_to(s, n) for n in elsewhere)]
    return Failure(
        f"The machine {'of the lab' if host == LOCAL else host} is lost",
        tuple(s.where for s in services if s.where not in down and s.where not in unknown),
        down,
        tuple(lost),
        f"{note} {WAITS}" if mounting else note,
        unknown,
    )


def _node_lost(node: Node, services: list[Known], nodes: Sequence[Node]) -> Failure:
    """Another node of the Swarm is gone; what Compose runs on that machine is told with the machine."""
    found = {s.where: fate(s, node, nodes) for s in services if in_swarm(s)}
    moved = [where for where, one in found.items() if one.moved]
    note = "Of replicas elsewhere nobody notices a gap; Swarm takes some seconds to call a node lost."
    if moved:
        note += f" Starts anew on another node: {', '.join(moved)}."
    return Failure(
        f"The Swarm's node {node.name} is lost",
        tuple(where for where, one in found.items() if not one.why and not one.unknown),
        {where: one.why for where, one in found.items() if one.why},
        tuple(s.where for s in services if in_swarm(s) and bound_to(s, node) and keeps_data(s)),
        note,
        {where: one.unknown for where, one in found.items() if one.unknown},
    )


def _ends_by_itself(service: Known, lab: LabView) -> bool:
    """Whether another service waits for this one to end, so that its end is no failure."""
    for one in lab.services:
        waits = one.data.get("depends_on") if one.stack == service.stack else None
        options = waits.get(service.name) if isinstance(waits, Mapping) else None
        if isinstance(options, Mapping) and options.get("condition") == "service_completed_successfully":
            return True
    return False
