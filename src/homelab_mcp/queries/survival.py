"""Which services survive which failure, from the lab's files and from what its containers say of health checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from homelab_mcp.core import backup_jobs
from homelab_mcp.core.backup_config import parse_config
from homelab_mcp.core.hosts import machine_addresses
from homelab_mcp.core.operations.lab_view import LabView, view
from homelab_mcp.core.standby import core_stacks
from homelab_mcp.core.survival import survival
from homelab_mcp.core.survival_standby import Failure
from homelab_mcp.core.survival_swarm import in_swarm
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import HomelabError, NotFound
from homelab_mcp.model.lab import HOSTS_FILE, SHARED_ENV
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.standby import StandbySeen
from homelab_mcp.model.swarm import Node
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import read_stacks

_SHOWN = 100


def survives(lab: Lab) -> dict[str, Any]:
    """``failures``, each with who survives and who does not; ``not_read``: stacks that nobody could read.

    ``unknown`` has those of whom nobody here can tell, and why; ``returns`` those of ``down`` that come back once a
    person activates the standby core.

    Raises InvalidInput where the settings cannot be read.
    """
    known = known_of(lab, read_stacks(lab.files))
    found = failures(lab, known)
    return {
        "failures": [
            {
                "failure": one.what,
                "survive": len(one.survive),
                "down": dict(list(one.down.items())[:_SHOWN]),
                **({"returns": list(one.returns)[:_SHOWN]} if one.returns else {}),
                **({"unknown": dict(list(one.unknown.items())[:_SHOWN])} if one.unknown else {}),
                **({"data_gone": list(one.data_gone)[:_SHOWN]} if one.data_gone else {}),
                **({"note": one.note} if one.note else {}),
            }
            for one in found
        ],
        "services": len(known.services),
        **({"not_read": list(known.unreadable)} if known.unreadable else {}),
    }


def known_of(lab: Lab, stacks: Sequence[StackFiles]) -> LabView:
    """The services of these stacks, with the lab's shared variables filled in."""
    return view(Snapshot(tuple(stacks), None, shared_env=lab.files.read(SHARED_ENV) or ""))


def failures(lab: Lab, known: LabView) -> list[Failure]:
    """Every failure, by the lab's files, its containers and its Swarm's nodes where they answer."""
    uncovered, backed = _backed(lab, known)
    return survival(
        known,
        lab.settings,
        checked=_checked(lab),
        uncovered=uncovered,
        nodes=_nodes(lab, known),
        standbys=_standbys(lab, known),
        backed=backed,
        unread=tuple(h for h in backup_jobs.engines_of(known) if h not in backed),
        addresses=_addresses(lab),
    )


def _addresses(lab: Lab) -> dict[str, set[str]]:
    try:
        return machine_addresses(lab.files.read(HOSTS_FILE))
    except HomelabError:
        return {}


def _nodes(lab: Lab, known: LabView) -> tuple[Node, ...]:
    if lab.files_only or not any(in_swarm(s) for s in known.services):
        return ()
    try:
        return lab.swarm.nodes()
    except HomelabError:
        return ()


def _standbys(lab: Lab, known: LabView) -> tuple[StandbySeen, ...]:
    if lab.files_only or lab.files.read(HOSTS_FILE) is None:
        return ()
    try:
        return lab.standby.seen(core_stacks(known, lab.settings))
    except HomelabError:
        return ()


def _checked(lab: Lab) -> set[str] | None:
    if lab.files_only:
        return None
    try:
        return {f"{c.stack}/{c.service}" for c in lab.engine.containers() if c.health}
    except HomelabError:
        return None


def _backed(lab: Lab, known: LabView) -> tuple[dict[str, set[str]] | None, tuple[str, ...]]:
    """What of which services the lab's backups leave out, and the hosts that make backups.

    A host whose settings say nothing is left out of those: whether its backup holds anything is not known. None for the
    services where no host makes any.
    """

    def find(name: str) -> ServiceDefinition | None:
        try:
            return lab.catalog.get(name)
        except NotFound:
            return None

    found: dict[str, set[str]] = {}
    hosts, paths = list[str](), lab.settings.backup_paths
    engines = backup_jobs.engines_of(known)
    for host, engine in engines.items():
        try:
            text = lab.files.read(backup_jobs.config_path(engine.stack))
            if text is None:
                continue
            jobs = backup_jobs.jobs_of(known, parse_config(text), engine.stack, find, paths, root=lab.roots)
        except HomelabError:
            continue
        hosts.append(host)
        for where, what, _ in jobs.uncovered:
            found.setdefault(where, set()).update(what.split(", "))
    return (found if engines else None), tuple(hosts)
