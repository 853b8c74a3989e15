"""What a container may use: limits and reservations by resource class, and how much it may log."""

from __future__ import annotations

from typing import Any

from homelab_mcp.model.definition import ResourceClass

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


def deploy_of(kind: ResourceClass) -> dict[str, Any]:
    """The ``deploy`` block of a resource class."""
    (cpus, memory, pids), (reserved_cpus, reserved_memory) = _PROFILES[kind]
    return {
        "resources": {
            "limits": {"cpus": cpus, "memory": memory, "pids": pids},
            "reservations": {"cpus": reserved_cpus, "memory": reserved_memory},
        }
    }


def logging_of() -> dict[str, Any]:
    """The ``logging`` block: Docker's own json-file, which grows without end unless told otherwise."""
    return {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}
