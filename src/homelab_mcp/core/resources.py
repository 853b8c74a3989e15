"""What a container may use: limits and reservations by resource class and host, and how much it may log."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.io_limits import UNKNOWN, IoSupport
from homelab_mcp.model.definition import ResourceClass
from homelab_mcp.model.errors import InvalidInput

# class: (limit cpus, memory, pids), (reserved cpus, memory). Source: the conventions' resource profiles.
_PROFILES: dict[ResourceClass, tuple[tuple[str, str, int], tuple[str, str]]] = {
    "tiny": (("0.25", "128M", 256), ("0.10", "64M")),
    "web": (("0.50", "256M", 512), ("0.25", "128M")),
    "database": (("1.0", "1G", 1024), ("0.50", "512M")),
    "media": (("2.0", "2G", 2048), ("1.0", "1G")),
    "downloader": (("1.0", "512M", 1024), ("0.50", "256M")),
    "heavy": (("1.5", "1G", 2048), ("0.75", "512M")),
    "monitoring": (("0.75", "512M", 1024), ("0.25", "256M")),
    # Not among those profiles: programs whose makers ask for gigabytes, and language models. A processor limit above
    # what the host has is refused by Docker, so it stays at two.
    "large": (("2.0", "4G", 4096), ("1.0", "2G")),
    "model": (("2.0", "16G", 4096), ("1.0", "4G")),
}

_UNITS = {"": 1, "b": 1, "k": 2**10, "kb": 2**10, "m": 2**20, "mb": 2**20, "g": 2**30, "gb": 2**30}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kmg]?b?)", re.IGNORECASE)
_STEP = 64 * 2**20
_LEAST_MEMORY = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Host:
    """What a machine has: processors, memory in bytes, and what its engine does with limits of disk traffic."""

    cpus: int
    memory: int
    io: IoSupport = UNKNOWN


@dataclass(frozen=True, slots=True)
class Usage:
    """What a container used at one moment: memory in bytes, processors (1.0 is one at work), processes."""

    memory: int
    cpus: float
    pids: int


def deploy_of(kind: ResourceClass, host: Host | None = None) -> dict[str, Any]:
    """The ``deploy`` block of a resource class, scaled down where the host is smaller (see :func:`fitted`)."""
    (cpus, memory, pids), (reserved_cpus, reserved_memory) = _PROFILES[kind]
    limits = {"cpus": cpus, "memory": memory, "pids": pids}
    deploy = {"resources": {"limits": limits, "reservations": {"cpus": reserved_cpus, "memory": reserved_memory}}}
    return fitted(deploy, host)[0]


def fitted(deploy: Mapping[str, Any], host: Host | None) -> tuple[dict[str, Any], list[str]]:
    """A ``deploy`` block of this project with limits that the host can give, and what became smaller.

    Docker refuses a limit of more processors than the host has, and memory beyond three quarters of it would leave the
    rest of the lab nothing. Reservations shrink with their limits.
    """
    limits, reserved = dict(deploy["resources"]["limits"]), dict(deploy["resources"]["reservations"])
    changed = []
    if host is not None and host.cpus and host.cpus < float(limits["cpus"]):
        reserved["cpus"] = _decimal(float(reserved["cpus"]) * host.cpus / float(limits["cpus"]))
        changed.append(f"cpus {_decimal(host.cpus)} instead of {limits['cpus']}")
        limits["cpus"] = _decimal(host.cpus)
    if host is not None and host.memory and _most(host) < size_of(limits["memory"]):
        reserved["memory"] = size_text(_most(host) // 2)
        changed.append(f"memory {size_text(_most(host))} instead of {limits['memory']}")
        limits["memory"] = size_text(_most(host))
    return {"resources": {"limits": limits, "reservations": reserved}}, changed


def fit_services(services: Mapping[str, dict[str, Any]], host: Host | None) -> list[str]:
    """Scale the services of a definition to the host, in place; a sentence for each that became smaller."""
    notes = []
    for name, block in services.items():
        if "deploy" in block:
            block["deploy"], changed = fitted(block["deploy"], host)
            if changed:
                notes.append(f"{name} is limited to what this host has: {', '.join(changed)}.")
    return notes


def reserved(services: Iterable[Mapping[str, Any]]) -> int:
    """Bytes of memory that these services reserve; what a variable says is not counted."""
    total = 0
    for block in services:
        found: Any = block
        for part in ("deploy", "resources", "reservations", "memory"):
            found = found.get(part) if isinstance(found, Mapping) else None
        found = found or block.get("mem_reservation")
        if found and _SIZE.fullmatch(str(found).strip()):
            total += size_of(str(found))
    return total


def overbooked(services: Iterable[Mapping[str, Any]], host: Host | None) -> list[str]:
    """A sentence where services together reserve more memory than the host has."""
    total = reserved(services)
    if host is None or not host.memory or total <= host.memory:
        return []
    return [f"The lab's services reserve {size_text(total)} of memory, and the host has {size_text(host.memory)}."]


def too_small(minimum: str | None, host: Host | None) -> list[str]:
    """A sentence where the host has less memory than a service's makers ask for; a tenth is the kernel's share."""
    if minimum is None or host is None or not host.memory or host.memory >= size_of(minimum) * 0.9:
        return []
    return [f"Its makers ask for {minimum} of memory, and the host has {size_text(host.memory)}."]


def _most(host: Host) -> int:
    return max(host.memory * 3 // 4 // 2**20, 32) * 2**20


def suggested(samples: Sequence[Usage], host: Host | None) -> dict[str, str]:
    """Limits from measured use: half again the highest memory, twice the busiest moment, four times the processes.

    Rounded up to steps that people write, never below what an idle container needs to start, never past the host.
    """
    memory = max(math.ceil(max(s.memory for s in samples) * 1.5 / _STEP) * _STEP, _LEAST_MEMORY)
    cpus = max(math.ceil(max(s.cpus for s in samples) * 2 / 0.25) * 0.25, 0.25)
    pids = max(math.ceil(max(s.pids for s in samples) * 4 / 64) * 64, 128)
    if host is not None and host.memory:
        memory = min(memory, _most(host))
    if host is not None and host.cpus:
        cpus = min(cpus, float(host.cpus))
    return {"memory": size_text(memory), "cpus": _decimal(cpus), "pids": str(pids)}


def size_of(text: str) -> int:
    """Bytes of a size as Compose takes it ("512M", "1.5g", "1024"). Raises InvalidInput (``bad_value``)."""
    found = _SIZE.fullmatch(str(text).strip())
    if not found:
        raise InvalidInput(f"{str(text)[:40]!r} is no size.", hint="Write it as 512M or 2G.", code="bad_value")
    return int(float(found[1]) * _UNITS[found[2].lower()])


def size_text(size: int) -> str:
    """A size as people write it: whole gigabytes, else megabytes."""
    return f"{size // 2**30}G" if size % 2**30 == 0 else f"{max(size // 2**20, 1)}M"


def _decimal(number: float) -> str:
    return f"{number:.2f}".rstrip("0").ljust(3, "0") if number % 1 else f"{number:.1f}"


def reserved_mib(kind: ResourceClass) -> int:
    """Memory that a resource class sets aside, MiB."""
    memory = _PROFILES[kind][1][1]
    return int(memory[:-1]) * (1024 if memory.endswith("G") else 1)


def logging_of() -> dict[str, Any]:
    """The ``logging`` block: Docker's own json-file, which grows without end unless told otherwise."""
    return {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}
