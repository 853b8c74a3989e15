"""What the loss of a file server (a NAS) does to those that mount a share of it.

Only shares that a compose file declares are seen: what the machine itself mounts looks like any other folder.

Facts: Docker's documentation, "Volumes" (``type=nfs`` and ``type=cifs`` of the driver ``local``, mounted when a
container starts); nfs(5), ``hard``, the default: a program that reads waits until the server is back.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from homelab_mcp.core.audit.keeping import keeps_data
from homelab_mcp.core.operations.lab_view import Known, LabView, expand
from homelab_mcp.core.operations.stack_paths import declared_by
from homelab_mcp.core.operations.volume_edit import source_of, target_of
from homelab_mcp.core.survival_gates import Gate, with_gates
from homelab_mcp.core.survival_standby import Failure

_ADDRESS = re.compile(r"(?:^|,)addr=([^,]+)")
_IN_DEVICE = re.compile(r"(?://|\\\\)([^/\\]+)[/\\]|([^:/]+):/")
WAITS = "What mounts by NFS waits until it is back, and Docker starts none of them anew before that."
HELD = "What the backup holds comes back on a new machine, if its repository is elsewhere and a restore was tried."

Uncovered = Mapping[str, Collection[str]]
"""``stack/service`` -> what of its data the lab's backups do not hold; a named volume by its name."""


@dataclass(frozen=True, slots=True)
class Share:
    """One share that a service mounts: the server's address as written, the volume's name, the container's folder."""

    server: str
    volume: str
    target: str

    @property
    def why(self) -> str:
        """Why the service is down without the server."""
        return f"its {self.target} is on it"


def shares_of(lab: LabView, services: Sequence[Known]) -> dict[str, list[Share]]:
    """``stack/service`` -> the shares that it mounts by volumes that its stack's files declare."""
    volumes = {stack.name: declared_by(stack).volumes for stack in lab.stacks}
    return {s.where: list(_mounted(s, volumes.get(s.stack, {}))) for s in services}


def shares_lost(
    services: Sequence[Known],
    shares: Mapping[str, Sequence[Share]],
    machines: Mapping[str, str],
    uncovered: Uncovered | None,
    backed: Collection[str],
    gates: Sequence[Gate],
) -> Iterator[Failure]:
    """The loss of each file server that is no Docker host of the lab, by its address as it is written there.

    Args:
        services: those that are judged.
        shares: of each, as :func:`shares_of` has them.
        machines: address -> Docker host, whose loss is told as one.
        uncovered: None: the lab makes no backup.
        backed: Docker hosts that make backups.
        gates: what services go through.
    """
    servers = {share.server for those in shares.values() for share in those}
    for server in sorted(s for s in servers if s.lower() not in machines):
        lost = {s.where: [one for one in shares[s.where] if one.server == server] for s in services}
        mounting = {where: those[0].why for where, those in lost.items() if those}
        down = with_gates(mounting, mounting, gates)
        yield Failure(
            f"The file server {server} is lost",
            tuple(s.where for s in services if s.where not in down),
            down,
            tuple(s.where for s in services if gone_with(s, lost[s.where], uncovered, backed)),
            f"{WAITS} {'The lab makes no backup.' if uncovered is None else HELD}",
        )


def gone_with(service: Known, lost: Sequence[Share], uncovered: Uncovered | None, backed: Collection[str]) -> bool:
    """Whether it writes to one of these shares and no backup holds that."""
    held = uncovered is not None and service.host in backed and service.where not in uncovered
    return not held and keeps_data(_with_mounts(service, {s.volume for s in lost}, among=True))


def gone_beside(service: Known, kept: Sequence[Share], uncovered: Uncovered | None, backed: Collection[str]) -> bool:
    """Whether it keeps data elsewhere than on these shares and no backup holds that."""
    volumes = {s.volume for s in kept}
    if uncovered is not None and service.host in backed and not set(uncovered.get(service.where, ())) - volumes:
        return False
    return keeps_data(_with_mounts(service, volumes, among=False))


def _with_mounts(service: Known, volumes: Collection[str], *, among: bool) -> Known:
    mounts = service.data.get("volumes")
    listed = mounts if isinstance(mounts, list) else ()
    those = [m for m in listed if (expand(source_of(m), service.env) in volumes) is among]
    return replace(service, data={**service.data, "volumes": those})


def _mounted(service: Known, volumes: Mapping[str, Any]) -> Iterator[Share]:
    mounts = service.data.get("volumes")
    for mount in mounts if isinstance(mounts, list) else ():
        volume = expand(source_of(mount), service.env)
        spec = volumes.get(volume)
        options = spec.get("driver_opts") if isinstance(spec, Mapping) else None
        if isinstance(options, Mapping) and (server := _server(options, service.env)):
            yield Share(server, volume, expand(target_of(mount), service.env))


def _server(options: Mapping[str, Any], env: Mapping[str, str]) -> str:
    """Where the share is; "" for what is no share, or where a variable hides it."""
    kind, given, device = (expand(str(options.get(key) or ""), env) for key in ("type", "o", "device"))
    if not kind.startswith(("nfs", "cifs", "smb")):
        return ""
    address, other = _ADDRESS.search(given), _IN_DEVICE.match(device)
    found = address[1] if address else (other[1] or other[2]) if other else ""
    return "" if "$" in found else found.strip()
