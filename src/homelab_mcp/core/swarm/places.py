"""Where a service's data is: on one node's disk, or wherever its tasks are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.swarm.keys import SHARED_SYSTEM

_ONE_NODE = re.compile(r"\s*node\.(hostname|id|labels\.[\w.-]+)\s*==\s*(\S+)\s*")
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
    placement = (service.get("deploy") or {}).get("placement") if isinstance(service.get("deploy"), Mapping) else None
    wanted = placement.get("constraints") if isinstance(placement, Mapping) else None
    found = (_ONE_NODE.fullmatch(str(item)) for item in (wanted if isinstance(wanted, list) else ()))
    return {match[1]: match[2] for match in found if match}


def _everywhere(volume: Any) -> bool:
    if not isinstance(volume, Mapping):
        return False
    options = volume.get("driver_opts")
    kind = str(options.get("type", "")) if isinstance(options, Mapping) else ""
    return kind in _BY_NETWORK or volume.get("driver") not in (None, "local")
