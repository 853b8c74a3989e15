"""The Docker Engine's JSON and log stream, read into this project's types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from homelab_mcp.core.project_name import HASH_LABEL, PROJECT_LABEL, SERVICE_LABEL
from homelab_mcp.core.resources import Usage
from homelab_mcp.model.image import ImageFacts
from homelab_mcp.model.observed import ContainerMake, ContainerState, PublishedPort

LINE_LIMIT = 16_384
_HEALTH = re.compile(r"\((healthy|unhealthy|health: starting)\)")
_STREAMS = {1: "stdout", 2: "stderr"}
_HEADER = 8


def listed(raw: dict[str, Any]) -> ContainerState:
    """One element of ``GET /containers/json``; health is only in its status text."""
    labels: dict[str, str] = raw.get("Labels") or {}
    status = str(raw.get("Status") or "")
    found = _HEALTH.search(status)
    names = raw.get("Names") or [""]
    # Engines that are none of Docker's list them as mere texts: what they say of status is told all the same.
    mounts = [mount for mount in raw.get("Mounts") or () if isinstance(mount, Mapping)]
    written = set(map(_mounted, (m for m in mounts if m.get("RW") is not False)))
    all_mounts = tuple(sorted(filter(None, map(_mounted, mounts))))
    return ContainerState(
        id=str(raw.get("Id", "")),
        name=str(names[0]).lstrip("/"),
        image=str(raw.get("Image", "")),
        state=str(raw.get("State", "")),
        health=found[1].removeprefix("health: ") if found else "",
        stack=labels.get(PROJECT_LABEL, ""),
        service=labels.get(SERVICE_LABEL, ""),
        config_hash=labels.get(HASH_LABEL, ""),
        status=status,
        labels=labels,
        ports=tuple(sorted(_listed_ports(raw.get("Ports") or []), key=_place)),
        networks=tuple(sorted((raw.get("NetworkSettings") or {}).get("Networks") or {})),
        image_id=str(raw.get("ImageID") or ""),
        mounts=all_mounts,
        only_read=tuple(m for m in all_mounts if m not in written),
    )


def _mounted(mount: Mapping[str, Any]) -> str:
    # A volume may be but another name of a folder, and its own place says nothing of that.
    return str(mount.get("Name" if mount.get("Type") == "volume" else "Source") or "")


def inspected(raw: dict[str, Any]) -> ContainerState:
    """``GET /containers/ID/json``, with restart count, exit code (of one that has ended) and start time."""
    config: dict[str, Any] = raw.get("Config") or {}
    state: dict[str, Any] = raw.get("State") or {}
    network: dict[str, Any] = raw.get("NetworkSettings") or {}
    labels: dict[str, str] = config.get("Labels") or {}
    word = str(state.get("Status", ""))
    health = str((state.get("Health") or {}).get("Status") or "")
    return ContainerState(
        id=str(raw.get("Id", "")),
        name=str(raw.get("Name", "")).lstrip("/"),
        image=str(config.get("Image", "")),
        state=word,
        health="" if health == "none" else health,
        stack=labels.get(PROJECT_LABEL, ""),
        service=labels.get(SERVICE_LABEL, ""),
        config_hash=labels.get(HASH_LABEL, ""),
        restart_count=int(raw.get("RestartCount") or 0),
        exit_code=None if word in {"running", "created", "paused"} else int(state.get("ExitCode") or 0),
        started_at="" if str(state.get("StartedAt", "")).startswith("0001-") else str(state.get("StartedAt", "")),
        status="killed: out of memory" if state.get("OOMKilled") else str(state.get("Error") or ""),
        labels=labels,
        ports=tuple(sorted(_inspected_ports(network.get("Ports") or {}), key=_place)),
        networks=tuple(sorted(network.get("Networks") or {})),
        image_id=str(raw.get("Image") or ""),
        stop_seconds=_stop_seconds(config.get("StopTimeout")),
    )


def _stop_seconds(asked: object) -> float:
    """``StopTimeout`` as the engine takes it: 10 s where it is not set, without end (an hour here) below zero."""
    seconds = float(asked) if isinstance(asked, int) else 10.0
    return seconds if seconds >= 0 else 3600.0


def made_from(raw: dict[str, Any], image: dict[str, Any]) -> ContainerMake:
    """``GET /containers/ID/json`` and ``GET /images/REF/json`` ({} where that reference names none)."""
    config: dict[str, Any] = raw.get("Config") or {}
    brought: dict[str, Any] = image.get("Config") or {}
    asked = (raw.get("HostConfig") or {}).get("PortBindings") or {}
    return ContainerMake(
        image=str(config.get("Image", "")),
        image_moved=bool(image.get("Id")) and image["Id"] != raw.get("Image"),
        env=_pairs(config.get("Env")),
        labels={k: v for k, v in (config.get("Labels") or {}).items() if not k.startswith("com.docker.compose.")},
        image_env=_pairs(brought.get("Env")),
        image_labels=dict(brought.get("Labels") or {}),
        ports=tuple(sorted(_inspected_ports(asked), key=_place)),
        user=str(config.get("User") or ""),
    )


def _pairs(env: list[str] | None) -> dict[str, str]:
    return {name: value for name, _, value in (entry.partition("=") for entry in env or ())}


def environment(raw: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """(name, value) of each variable in ``GET /containers/ID/json``."""
    pairs = ((raw.get("Config") or {}).get("Env")) or ()
    return tuple((name, value) for name, _, value in (str(pair).partition("=") for pair in pairs))


def _place(port: PublishedPort) -> tuple[int, int, str]:
    return port.container_port, port.host_port, port.host_ip


def _listed_ports(raw: Iterable[dict[str, Any]]) -> Iterator[PublishedPort]:
    for port in raw:
        if port.get("PublicPort"):
            yield PublishedPort(
                str(port.get("IP") or ""),
                int(port["PublicPort"]),
                int(port["PrivatePort"]),
                str(port.get("Type", "tcp")),
            )


def _inspected_ports(raw: dict[str, list[dict[str, str]] | None]) -> Iterator[PublishedPort]:
    for inner, places in raw.items():
        number, _, protocol = inner.partition("/")
        for place in places or []:
            if place.get("HostPort"):
                yield PublishedPort(place.get("HostIp", ""), int(place["HostPort"]), int(number), protocol or "tcp")


def log_lines(chunks: Iterable[bytes]) -> Iterator[tuple[str, str, str]]:
    """(RFC 3339 time, stream, line) from the body of ``GET /containers/ID/logs?timestamps=1``.

    Without a terminal each piece has an 8-byte header (stream, three zeros, big-endian length); with one the body
    is plain text. The two cannot be mixed up: plain text begins with a time. At most ``LINE_LIMIT`` bytes of a line
    are held.
    """
    buffer = bytearray()
    source = iter(chunks)
    if not _fill(buffer, source, _HEADER):
        yield from _plain(buffer, iter(()))
    elif buffer[0] in (0, 1, 2) and bytes(buffer[1:4]) == b"\0\0\0":
        yield from _multiplexed(buffer, source)
    else:
        yield from _plain(buffer, source)


def _fill(buffer: bytearray, source: Iterator[bytes], size: int) -> bool:
    while len(buffer) < size:
        piece = next(source, None)
        if piece is None:
            return False
        buffer += piece
    return True


def _multiplexed(buffer: bytearray, source: Iterator[bytes]) -> Iterator[tuple[str, str, str]]:
    while _fill(buffer, source, _HEADER):
        stream = _STREAMS.get(buffer[0], "stdout")
        left = int.from_bytes(buffer[4:_HEADER], "big")
        del buffer[:_HEADER]
        line = bytearray()
        while left:
            if not buffer and not _fill(buffer, source, 1):
                break
            taken = min(left, len(buffer))
            if len(line) < LINE_LIMIT:
                line += buffer[:taken]
            del buffer[:taken]
            left -= taken
        yield _split(bytes(line), stream)


def _plain(buffer: bytearray, source: Iterator[bytes]) -> Iterator[tuple[str, str, str]]:
    while True:
        end = buffer.find(b"\n")
        if end >= 0:
            yield _split(bytes(buffer[:end]), "stdout")
            del buffer[: end + 1]
            continue
        if len(buffer) > 2 * LINE_LIMIT:
            del buffer[LINE_LIMIT:]
        if not _fill(buffer, source, len(buffer) + 1):
            break
    if buffer:
        yield _split(bytes(buffer), "stdout")


def _split(raw: bytes, stream: str) -> tuple[str, str, str]:
    when, _, line = raw[:LINE_LIMIT].decode("utf-8", "replace").rstrip("\r\n").partition(" ")
    return when, stream, line


def image_facts(raw: Mapping[str, Any]) -> ImageFacts:
    """What the engine's answer about an image (``GET /images/{name}/json``) says of how it is run."""
    config = raw.get("Config") or {}
    ports = (str(p).partition("/") for p in config.get("ExposedPorts") or ())
    health = (config.get("Healthcheck") or {}).get("Test") or []
    return ImageFacts(
        ports=tuple(sorted((int(number), kind or "tcp") for number, _, kind in ports if number.isdigit())),
        volumes=tuple(sorted(map(str, config.get("Volumes") or ()))),
        user=str(config.get("User") or ""),
        workdir=str(config.get("WorkingDir") or ""),
        health=bool(health) and health != ["NONE"],
        variables=tuple(str(v).partition("=")[0] for v in config.get("Env") or ()),
    )


def usage(raw: dict[str, Any]) -> Usage:
    """``GET /containers/ID/stats``: processors by the two readings, memory without what the kernel can give back.

    As the ``docker stats`` command counts: ``inactive_file`` (``total_inactive_file`` on cgroup v1) is the page cache.
    """
    memory: dict[str, Any] = raw.get("memory_stats") or {}
    kept: dict[str, Any] = memory.get("stats") or {}
    cache = kept.get("total_inactive_file", kept.get("inactive_file", 0))
    now, then = raw.get("cpu_stats") or {}, raw.get("precpu_stats") or {}
    used = _total(now) - _total(then)
    passed = int(now.get("system_cpu_usage") or 0) - int(then.get("system_cpu_usage") or 0)
    count = int(now.get("online_cpus") or len((now.get("cpu_usage") or {}).get("percpu_usage") or ()) or 1)
    return Usage(
        memory=max(int(memory.get("usage") or 0) - int(cache or 0), 0),
        cpus=used / passed * count if used > 0 and passed > 0 else 0.0,
        pids=int((raw.get("pids_stats") or {}).get("current") or 0),
    )


def _total(stats: dict[str, Any]) -> int:
    return int((stats.get("cpu_usage") or {}).get("total_usage") or 0)


def pools(networks: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Name -> subnets of what the engine lists as networks."""
    found = {}
    for network in networks:
        config = (network.get("IPAM") or {}).get("Config") or ()
        found[str(network["Name"])] = tuple(str(c["Subnet"]) for c in config if c.get("Subnet"))
    return found
