"""What the loss of a file server (a NAS) does to those that mount a share of it.

Only shares that a compose file declares are seen: what the machine itself mounts looks like any other folder.

Facts: Docker's documentation, "Volumes" (``type=nfs`` and ``type=cifs`` of the driver ``local``, mounted when a
container starts); nfs(5), ``hard``, the default: a program that reads waits until the server is back.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from homelab_mcp.core.audit.keeping import keeps_data
from homelab_mcp.core.operations.lab_view import Known, LabView, expand
from homelab_mcp.core.operations.stack_paths import declared_by
from homelab_mcp.core.operations.volume_edit import source_of, target_of
from homelab_mcp.core.survival_standby import Failure

_ADDRESS = re.compile(r"(?:^|,)addr=([^,]+)")
_IN_DEVICE = re.compile(r"(?://|\\\\)([^/\\]+)[/\\]|([^:/]+):/")
_NOTE = "What mounts by NFS waits until it is back, and Docker starts none of them anew before that."


def shares_lost(
    lab: LabView, services: Sequence[Known], uncovered: Collection[str] | None, backed: Collection[str]
) -> Iterator[Failure]:
    """The loss of each file server that a declared volume names, by its address as it is written there.

    Args:
        lab: with the stacks' files, which declare the volumes.
        services: those that are judged.
        uncovered: ``stack/service`` with data that the lab's backups do not hold; None: the lab makes none.
        backed: Docker hosts that make backups.
    """
    volumes = {stack.name: declared_by(stack).volumes for stack in lab.stacks}
    down: dict[str, dict[str, str]] = {}
    for service in services:
        for server, target in _mounted(service, volumes.get(service.stack, {})):
            down.setdefault(server, {}).setdefault(service.where, f"its {target} is on it")
    for server, those in sorted(down.items()):
        keeping = [s for s in services if s.where in those and keeps_data(s)]
        gone = [s.where for s in keeping if uncovered is None or s.host not in backed or s.where in uncovered]
        yield Failure(
            f"The file server {server} is lost",
            tuple(s.where for s in services if s.where not in those),
            those,
            tuple(gone),
            f"{_NOTE} The lab makes no backup." if uncovered is None else _NOTE,
        )


def _mounted(service: Known, volumes: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(server, folder in the container) of each share that it mounts."""
    mounts = service.data.get("volumes")
    for mount in mounts if isinstance(mounts, list) else ():
        spec = volumes.get(expand(source_of(mount), service.env))
        options = spec.get("driver_opts") if isinstance(spec, Mapping) else None
        if isinstance(options, Mapping) and (server := _server(options, service.env)):
            yield server, expand(target_of(mount), service.env)


def _server(options: Mapping[str, Any], env: Mapping[str, str]) -> str:
    """Where the share is; "" for what is no share, or where a variable hides it."""
    kind, given, device = (expand(str(options.get(key) or ""), env) for key in ("type", "o", "device"))
    if not kind.startswith(("nfs", "cifs", "smb")):
        return ""
    address, other = _ADDRESS.search(given), _IN_DEVICE.match(device)
    found = address[1] if address else (other[1] or other[2]) if other else ""
    return "" if "$" in found else found.strip()
