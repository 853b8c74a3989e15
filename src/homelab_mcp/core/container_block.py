"""One container of a definition as the plain data of a compose service."""

from __future__ import annotations

from typing import Any

from homelab_mcp.core.references import Words, literal
from homelab_mcp.core.resources import deploy_of, logging_of
from homelab_mcp.core.traefik import published
from homelab_mcp.model.containers import KEPT
from homelab_mcp.model.definition import Companion, Container, Image, Volume
from homelab_mcp.model.lab import LabSettings

_SOCKET = "/var/run/docker.sock"


def container_block(
    container: Container, name: str, words: Words, settings: LabSettings, tag: str | None = None
) -> dict[str, Any]:
    """The service's block without labels, networks and what it depends on.

    A shared volume is the folder of the service that ``words`` speak of.
    """
    block: dict[str, Any] = {
        "image": image_of(container.image, tag),
        "container_name": name,
        "restart": "unless-stopped",
        "user": container.user,
        "command": [words.fill(part) for part in container.command] if container.command else None,
        "ports": [published(settings, p.publish, p.container, p.protocol) for p in container.ports if p.publish],
        "environment": {k: words.fill(v) for k, v in container.environment.items()},
        "volumes": [volume_of(v, words.service if v.shared else name, words.root, settings) for v in container.volumes],
        "tmpfs": list(container.tmpfs),
        "shm_size": container.shm_size,
        "stop_grace_period": container.stop_grace_period,
        "deploy": deploy_of(container.resources),
        "logging": logging_of(),
        **_privileges(container),
    }
    if container.health:
        health = container.health
        block["healthcheck"] = {
            "test": [words.fill(part) for part in health.test],
            "interval": health.interval,
            "timeout": health.timeout,
            "retries": health.retries,
            "start_period": health.start_period,
        }
    return {key: value for key, value in block.items() if value not in (None, [], {})}


def image_of(image: Image, tag: str | None) -> str:
    """The image reference; another tag than the pinned one drops the digest, which belongs to the pinned one."""
    return image.reference if tag in (None, image.tag) else f"{image.repository}:{tag}"


def volume_of(volume: Volume, service: str, root: str, settings: LabSettings) -> str:
    """A volume as Compose's short form."""
    mode = ":ro" if volume.read_only else ""
    if volume.kind in KEPT:
        return f"./{service}/{volume.name or volume.kind}:{volume.target}{mode}"
    if volume.kind == "socket":
        return f"{literal(settings.docker_socket)}:{volume.target or _SOCKET}{mode}"
    if volume.kind == "stacks":
        return f"{literal(root)}:{volume.target or literal(root)}{mode}"
    if volume.kind == "host":
        return f"{literal(volume.source or '')}:{volume.target}{mode}"
    variable = {"media": "${MEDIA_DIR}", "downloads": "${DOWNLOADS_DIR}"}[volume.kind]
    return f"{variable}:{volume.target}{mode}"


def depends_on(companions: dict[str, Companion]) -> dict[str, Any]:
    """``depends_on`` for companions by service name: healthy where they can say so, started else."""
    return {
        name: {"condition": "service_healthy" if c.wait == "healthy" and c.health else "service_started"}
        for name, c in companions.items()
    }


def _privileges(container: Container) -> dict[str, Any]:
    by_kind: dict[str, list[str]] = {}
    for privilege in container.privileges:
        by_kind.setdefault(privilege.kind, []).append(privilege.value)
    result: dict[str, Any] = {
        "cap_add": by_kind.get("capability", []),
        "devices": [d if ":" in d else f"{d}:{d}" for d in by_kind.get("device", [])],
        "sysctls": dict(v.partition("=")[::2] for v in by_kind.get("sysctl", [])),
        "privileged": True if "privileged" in by_kind else None,
        "pid": "host" if "host_pid" in by_kind else None,
        "network_mode": "host" if "host_network" in by_kind else None,
    }
    if "new_privileges" not in by_kind and "privileged" not in by_kind:
        result["security_opt"] = ["no-new-privileges:true"]
    return result
