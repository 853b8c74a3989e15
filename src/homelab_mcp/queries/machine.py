"""What is known of the host when a plan is made: its size, its graphics processors, what a service uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from homelab_mcp.core.gpu import Gpus
from homelab_mcp.core.io_limits import io_support
from homelab_mcp.core.resources import Host, Usage
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.image import IMAGES_FOR
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.ports import Lab


def host_of(lab: Lab, name: str = LOCAL) -> Host | None:
    """The size of the lab's machine, or of another Docker host; None where nobody can tell."""
    if lab.files_only:
        return None
    try:
        info = (lab.engine if name == LOCAL else lab.hosts.engine(name)).info()
    except HomelabError:
        return None
    files = lab.hardware.weighs_disks() if name == LOCAL else None
    return Host(info.cpus, info.memory, io_support(info.cgroup, info.kernel, info.warnings, files=files))


def room_of(lab: Lab) -> dict[str, Any]:
    """What ``Catalog.search`` takes for services that the one host can run which the lab is seen through; else nothing.

    Raises EngineUnavailable, EngineFailed.
    """
    if not lab.seen or lab.files_only:
        return {}
    info = lab.engine.info()
    architecture = IMAGES_FOR.get(info.architecture, info.architecture)
    return {"architecture": architecture, "memory": info.memory // 2**20}


def gpus_of(lab: Lab) -> Gpus:
    """This machine's graphics processors; the engine's list of runtimes also tells of NVIDIA's toolkit."""
    found = lab.hardware.gpus()
    if found.nvidia and not found.toolkit and not lab.files_only:
        try:
            return replace(found, toolkit="nvidia" in lab.engine.info().runtimes)
        except HomelabError:
            return found
    return found


def measure(lab: Lab, containers: Sequence[str], seconds: float) -> tuple[tuple[Usage, ...], float]:
    """Look at containers (by id) for that long; what was seen, and the seconds that it took.

    Raises EngineUnavailable, EngineFailed.
    """
    begun = lab.clock.monotonic()
    seen: list[Usage] = []
    while containers:
        seen += [lab.engine.usage(one) for one in containers]
        if lab.clock.monotonic() - begun >= seconds:
            break
    return tuple(seen), lab.clock.monotonic() - begun
