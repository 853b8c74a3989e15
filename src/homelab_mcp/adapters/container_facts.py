"""``docker inspect`` of a container and its image, read for a diagnosis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from homelab_mcp.adapters import docker_answers
from homelab_mcp.adapters.hardware import listeners
from homelab_mcp.model.diagnosis import ContainerFacts, ContainerMount

CHECKS, OUTPUT = 3, 600
"""How many of its last health checks are kept, and how much of what each said."""


def read(raw: dict[str, Any], image: dict[str, Any], proc: Path = Path("/proc")) -> ContainerFacts:
    """The facts in ``GET /containers/ID/json`` and ``GET /images/ID/json`` ({} where it is gone)."""
    config: dict[str, Any] = raw.get("Config") or {}
    host: dict[str, Any] = raw.get("HostConfig") or {}
    state: dict[str, Any] = raw.get("State") or {}
    checks = (state.get("Health") or {}).get("Log") or []
    finished = str(state.get("FinishedAt") or "")
    seen = _listening(proc, int(state.get("Pid") or 0), str(raw.get("Id", "")))
    exposed = (image.get("Config") or {}).get("ExposedPorts") or {}
    return ContainerFacts(
        state=docker_answers.inspected(raw),
        oom=bool(state.get("OOMKilled")),
        error=str(state.get("Error") or ""),
        finished_at="" if finished.startswith("0001-") else finished,
        health_log=tuple(_said(check) for check in checks[-CHECKS:]),
        health_test=" ".join(str(part) for part in (config.get("Healthcheck") or {}).get("Test") or ()),
        user=str(config.get("User") or ""),
        restart=str((host.get("RestartPolicy") or {}).get("Name") or ""),
        network_mode=str(host.get("NetworkMode") or ""),
        read_only=bool(host.get("ReadonlyRootfs")),
        memory=int(host.get("Memory") or 0),
        pids=max(int(host.get("PidsLimit") or 0), 0),
        mounts=(*_mounts(raw.get("Mounts") or []), *(ContainerMount("tmpfs", "", t) for t in host.get("Tmpfs") or {})),
        image_architecture=str(image.get("Architecture") or ""),
        exposed=tuple(sorted(int(p.partition("/")[0]) for p in exposed if p.endswith("/tcp"))),
        listens=seen[0] if seen else None,
        listens_local=seen[1] if seen else frozenset(),
    )


def _said(check: dict[str, Any]) -> str:
    code, output = check.get("ExitCode"), " ".join(str(check.get("Output") or "").split())
    return f"exit code {code}: {output[:OUTPUT]}"


def _mounts(raw: list[dict[str, Any]]) -> list[ContainerMount]:
    return [
        ContainerMount(
            str(m.get("Type", "")),
            str(m.get("Name") or m.get("Source") or ""),
            str(m.get("Destination", "")),
            bool(m.get("RW")),
        )
        for m in raw
    ]


def _listening(proc: Path, pid: int, identity: str) -> tuple[frozenset[int], frozenset[int]] | None:
    """What its network listens on, by its first process; None where that is not of this machine, or nobody may look.

    The process must be the container's by its control group: an engine elsewhere (a virtual machine, a remote host)
    counts processes of its own.
    """
    if pid <= 0:
        return None
    try:
        if identity not in (proc / str(pid) / "cgroup").read_text():
            return None
        return listeners(proc / str(pid) / "net")
    except OSError:
        return None
