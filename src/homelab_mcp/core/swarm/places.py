"""Where a service's data is: on one node's disk, or wherever its tasks are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.swarm.keys import SHARED_SYSTEM
from homelab_mcp.model.swarm import Node

_ONE_NODE = re.compile(r"\s*node\.(hostname|id|labels\.[\w.-]+)\s*==\s*(\S+)\s*")
_CONSTRAINT = re.compile(r"\s*([A-Za-z_][\w.-]+)\s*(==|!=)\s*(.*?)\s*")
_BY_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3"})


@dataclass(frozen=True, slots=True)
class Local:
    """One mount from a node's own disk: its place among the service's volumes, its source, and who writes."""

    index: int
    source: str
    read_only: bool


def local_data(service: Mapping[str, Any], volumes: Mapping[str, Any]) -> Iterator[Local]:
    """The mounts that bind a service to the node which has them.

    Args:
        service: as its compose file has it.
        volumes: the file's declared volumes; one that a network file system is behind is on every node.
    """
    mounts = service.get("volumes")
    for index, mount in enumerate(mounts if isinstance(mounts, list) else ()):
        if isinstance(mount, Mapping):
            kind, source, read_only = mount.get("type"), str(mount.get("source") or ""), bool(mount.get("read_only"))
            if kind not in {"bind", "volume"}:
                continue
        else:
            # Without a source it is the container's own, gone with it in Swarm as in Compose.
            source, colon, rest = str(mount).partition(":")
            if not colon:
                continue
            read_only = "ro" in rest.partition(":")[2].split(",")
        if source and not source.startswith(SHARED_SYSTEM) and not _everywhere(volumes.get(source)):
            yield Local(index, source, read_only)


def nodes_named(service: Mapping[str, Any]) -> dict[str, str]:
    """What its placement constraints ask of a node: ``hostname``, ``id`` or ``labels.NAME`` -> value."""
    found = (_ONE_NODE.fullmatch(item) for item in constraints(service))
    return {match[1]: match[2] for match in found if match}


def constraints(service: Mapping[str, Any]) -> list[str]:
    """Its placement constraints, as they are written."""
    deploy = service.get("deploy")
    placement = deploy.get("placement") if isinstance(deploy, Mapping) else None
    wanted = placement.get("constraints") if isinstance(placement, Mapping) else None
    return [str(item) for item in wanted] if isinstance(wanted, list) else []


def takes(node: Node, wanted: Sequence[str]) -> bool | None:
    """Whether a node meets every one of these constraints; None: one asks what a manager's list does not say.

    Fact: swarmkit's ``manager/constraint``: all must hold, and values and attributes are compared whatever their case.
    """
    answers = {_meets(node, one) for one in wanted}
    return False if False in answers else None if None in answers else True


def _meets(node: Node, constraint: str) -> bool | None:
    match = _CONSTRAINT.fullmatch(constraint)
    if match is None or "$" in match[3]:
        return None
    told = {"node.id": node.id, "node.hostname": node.name, "node.role": node.role}.get(match[1].lower())
    if told is None:
        return None
    return (told.casefold() == match[3].casefold()) is (match[2] == "==")


def _everywhere(volume: Any) -> bool:
    if not isinstance(volume, Mapping):
        return False
    options = volume.get("driver_opts")
    kind = str(options.get("type", "")) if isinstance(options, Mapping) else ""
    return kind in _BY_NETWORK or volume.get("driver") not in (None, "local")
