"""The real Compose of the development environment, and its model of services in a form that ours can be set beside."""

from __future__ import annotations

import importlib.util
import json
import posixpath
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from homelab_mcp.core.checks.ports_syntax import parse_port
from homelab_mcp.core.compose_unique import volume_parts


def compose_binary() -> str:
    """The program of the package that brings Compose 2.40.3."""
    spec = importlib.util.find_spec("compose")
    assert spec is not None and spec.origin is not None
    return str(Path(spec.origin).parent / "docker-compose")


def real_model(folder: Path, files: Sequence[str]) -> tuple[dict[str, Any] | None, str]:
    """What Compose makes of these files; None and what it says where it refuses them."""
    named = [word for file in files for word in ("-f", file)]
    options = ["config", "--format", "json", "--no-path-resolution", "--no-env-resolution"]
    done = subprocess.run(
        [compose_binary(), "-p", "x", "--profile", "*", *named, *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return (json.loads(done.stdout) if done.returncode == 0 else None), done.stderr


def write(folder: Path, files: Mapping[str, str]) -> None:
    """These texts, below a folder."""
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def theirs(service: Mapping[str, Any]) -> dict[str, Any]:
    """A service as ``docker compose config`` shows it, as far as it is compared."""
    return {
        "image": service.get("image"),
        "command": service.get("command"),
        "environment": service.get("environment") or {},
        "labels": service.get("labels") or {},
        "ports": [
            (p.get("host_ip", ""), str(p.get("published", "")), str(p["target"]), p.get("protocol", "tcp"))
            for p in service.get("ports") or []
        ],
        "volumes": [
            (v["type"], _path(v.get("source", "")), v["target"], v.get("read_only", False))
            for v in service.get("volumes") or []
        ],
        "networks": {k: v or {} for k, v in (service.get("networks") or {}).items()},
        "depends_on": {k: v["condition"] for k, v in (service.get("depends_on") or {}).items()},
        **{
            key: service.get(key) or []
            for key in ("cap_add", "cap_drop", "dns", "expose", "profiles", "tmpfs", "security_opt", "group_add")
        },
        "healthcheck": (service.get("healthcheck") or {}).get("test"),
        "logging": service.get("logging") or {},
        "env_file": [e["path"] if isinstance(e, dict) else e for e in service.get("env_file") or []],
        "devices": [(d["source"], d["target"]) for d in service.get("devices") or []],
        "sysctls": service.get("sysctls") or {},
        "extra_hosts": sorted(service.get("extra_hosts") or []),
        "build": _build(service.get("build")),
    }


def ours(service: Mapping[str, Any]) -> dict[str, Any]:
    """A service of our merged model in the same form."""
    networks = service.get("networks", ["default"])
    depends = service.get("depends_on") or {}
    return {
        "image": service.get("image"),
        "command": _words(service.get("command")),
        "environment": _pairs(service.get("environment"), unset=None),
        "labels": _pairs(service.get("labels"), unset=""),
        "ports": [p for item in service.get("ports") or [] for p in _ports(item)],
        "volumes": [_volume(item) for item in service.get("volumes") or []],
        "networks": {n: {} for n in networks}
        if isinstance(networks, list)
        else {k: v or {} for k, v in networks.items()},
        "depends_on": {
            k: (
                (depends[k] or {}).get("condition", "service_started")
                if isinstance(depends, dict)
                else "service_started"
            )
            for k in depends
        },
        **{
            key: [str(item) for item in _list(service.get(key))]
            for key in ("cap_add", "cap_drop", "dns", "expose", "profiles", "tmpfs", "security_opt", "group_add")
        },
        "healthcheck": _test((service.get("healthcheck") or {}).get("test")),
        "logging": service.get("logging") or {},
        "env_file": [e["path"] if isinstance(e, dict) else e for e in _list(service.get("env_file"))],
        "devices": [_device(d) for d in service.get("devices") or []],
        "sysctls": _pairs(service.get("sysctls"), unset=""),
        "extra_hosts": sorted(_hosts(service.get("extra_hosts"))),
        "build": _build(service.get("build")),
    }


def _path(text: str) -> str:
    return posixpath.normpath(text) if text else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _test(value: Any) -> Any:
    return ["CMD-SHELL", value] if isinstance(value, str) else value


def _hosts(value: Any) -> list[str]:
    return [f"{k}={v}" for k, v in value.items()] if isinstance(value, dict) else _list(value)


def _words(value: Any) -> Any:
    return value.split() if isinstance(value, str) else value


def _pairs(value: Any, *, unset: str | None) -> dict[str, str | None]:
    if isinstance(value, list):
        found = (item.partition("=") for item in value)
        return {key: text if equals else unset for key, equals, text in found}
    return {
        k: unset if v is None else str(v).lower() if isinstance(v, bool) else str(v) for k, v in (value or {}).items()
    }


def _ports(item: Any) -> list[tuple[str, str, str, str]]:
    port = parse_port(item)
    if port.picks and port.host:
        return [(port.address, f"{port.host[0]}-{port.host[1]}", str(port.container[0]), port.protocol)]
    count = port.container[1] - port.container[0] + 1
    return [
        (port.address, str(port.host[0] + n) if port.host else "", str(port.container[0] + n), port.protocol)
        for n in range(count)
    ]


def _volume(item: Any) -> tuple[str, str, str, bool]:
    if isinstance(item, dict):
        kind = item["type"]
        return kind, _path(item.get("source", "")), posixpath.normpath(item["target"]), item.get("read_only", False)
    parts = volume_parts(item)
    if len(parts) == 1:
        return "volume", "", posixpath.normpath(parts[0]), False
    kind = "bind" if parts[0][0] in "./~" else "volume"
    return kind, _path(parts[0]), posixpath.normpath(parts[1]), "ro" in parts[2:]


def _device(item: Any) -> tuple[str, str]:
    if isinstance(item, dict):
        return item["source"], item["target"]
    parts = item.split(":")
    return parts[0], parts[1] if len(parts) > 1 else parts[0]


def _build(part: Any) -> Any:
    if part is None:
        return None
    whole = {"context": part} if isinstance(part, str) else part
    # An argument without a value is taken from the environment, and dropped where that has none.
    args = {k: v for k, v in _pairs(whole.get("args"), unset=None).items() if v is not None}
    return {"context": _path(whole.get("context", ".")), "args": args}
