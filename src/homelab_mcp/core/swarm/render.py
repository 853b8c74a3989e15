"""A stack as Compose resolved it, in the form that ``docker stack deploy`` takes.

The compose file stays what people, Dockge and the checker read; this is made from it at each deploy and is nowhere on
disk. What a person says under ``deploy:`` wins over what is filled in here.

Facts: the Compose file format 3 reference (which ``docker stack deploy`` reads still), the Compose Deploy
Specification, and Docker CLI 28.2 and 20.10 on such files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from homelab_mcp.core.compose_model import is_external
from homelab_mcp.core.swarm.keys import CARRIED, IMPOSSIBLE
from homelab_mcp.model.errors import InvalidInput

FORMAT = "3.9"
"""The newest that CLI 20.10 knows; 28.2 takes it too."""

HASH = "homelab.swarm.hash"
"""Label of a deployed service: which text it was made from."""

NAMESPACE = "com.docker.stack.namespace"
"""Label that ``docker stack deploy`` gives to all that it makes: the stack's name."""

_RESTART = {"no": "none", "always": "any", "unless-stopped": "any", "on-failure": "on-failure"}
_UPDATE = {"parallelism": 1, "failure_action": "rollback", "monitor": "10s", "max_failure_ratio": 0}
_ROLLBACK = {"parallelism": 1, "failure_action": "pause", "monitor": "10s"}
_MOUNT_KEYS = {"type", "source", "target", "read_only", "consistency", "bind", "volume", "tmpfs"}
_OBJECT_NAME = 64
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a path inside containers
_EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


def render(resolved: Mapping[str, Any], digest: Callable[[str], str]) -> dict[str, Any]:
    """The stack file.

    Args:
        resolved: what ``docker compose config --format json`` prints: variables filled in, ``$`` still doubled.
        digest: of a secret's or config's file, by its path: a Swarm object never changes, so its name follows from
            what is in it, and another content is another object.

    Raises:
        InvalidInput: it needs what Swarm cannot give (``swarm_cannot``).
    """
    services = resolved.get("services") or {}
    objects = {part: dict(_objects(part, resolved.get(part) or {}, digest)) for part in ("secrets", "configs")}
    found: dict[str, Any] = {
        "version": FORMAT,
        "services": {name: _service(name, body or {}) for name, body in services.items()},
    }
    if networks := {n: _network(spec or {}) for n, spec in (resolved.get("networks") or {}).items()}:
        found["networks"] = networks
    if volumes := {n: _volume(spec or {}) for n, spec in (resolved.get("volumes") or {}).items()}:
        found["volumes"] = volumes
    for part, named in objects.items():
        if named:
            found[part] = named
    for name, body in found["services"].items():
        # With the objects it uses, for they are what it runs with.
        used = {p: {o["source"]: objects[p].get(o["source"]) for o in body.get(p, ())} for p in objects}
        body["deploy"]["labels"] = {**body["deploy"]["labels"], HASH: _hash(name, body, used)}
    return found


def hashes(stack: Mapping[str, Any]) -> dict[str, str]:
    """Service -> the hash that it would be labelled with."""
    return {name: str(body["deploy"]["labels"][HASH]) for name, body in stack["services"].items()}


def as_text(stack: Mapping[str, Any]) -> str:
    """The stack file as JSON, which is YAML too."""
    return json.dumps(stack, indent=1)


def _hash(name: str, body: Mapping[str, Any], used: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps([name, body, used], sort_keys=True).encode()).hexdigest()


def _service(name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    refused = [
        f"{key} ({IMPOSSIBLE[key]})" for key in body if key in IMPOSSIBLE and body[key] not in (None, [], {}, False)
    ]
    if refused:
        raise InvalidInput(
            f"{name} needs what Swarm cannot give: {', '.join(refused)}.",
            hint="Keep this service in a stack without `engine: swarm`; HL340 of the checker marks the lines.",
            code="swarm_cannot",
        )
    found = {key: body[key] for key in body if key in CARRIED and body[key] is not None}
    if health := found.get("healthcheck"):
        # Of a newer Compose than stack deploy's format.
        found["healthcheck"] = {k: v for k, v in health.items() if k != "start_interval"}
    if ports := [_port(p) for p in body.get("ports") or ()]:
        found["ports"] = ports
    mounts = [_mount(v) for v in body.get("volumes") or ()]
    mounts += [{"type": "tmpfs", "target": str(t).partition(":")[0]} for t in _list(body.get("tmpfs"))]
    if size := body.get("shm_size"):
        # Swarm has no key for it; what is mounted there is the same thing.
        mounts.append({"type": "tmpfs", "target": _SHARED_MEMORY, "tmpfs": {"size": int(size)}})
    if mounts:
        found["volumes"] = mounts
    if networks := body.get("networks"):
        found["networks"] = {n: _joined(spec) for n, spec in networks.items()}
    for part in ("secrets", "configs"):
        if used := [{k: v for k, v in one.items() if v is not None} for one in body.get(part) or ()]:
            found[part] = used
    found["deploy"] = _deploy(body)
    return found


def _deploy(body: Mapping[str, Any]) -> dict[str, Any]:
    deploy = dict(body.get("deploy") or {})
    labels = {**_labels(body.get("labels")), **_labels(deploy.get("labels"))}
    found = {k: v for k, v in deploy.items() if v not in (None, {}, [])}
    found["labels"] = labels
    if "scale" in body and "replicas" not in found and found.get("mode", "replicated") == "replicated":
        found["replicas"] = body["scale"]
    if "restart_policy" not in found:
        found["restart_policy"] = _restart(str(body.get("restart") or "always"))
    order = {"order": _order(body)}
    found["update_config"] = {**_UPDATE, **order, **(deploy.get("update_config") or {})}
    found["rollback_config"] = {**_ROLLBACK, **order, **(deploy.get("rollback_config") or {})}
    if resources := _resources(body, deploy.get("resources") or {}):
        found["resources"] = resources
    else:
        found.pop("resources", None)
    return found


def _restart(word: str) -> dict[str, Any]:
    kind, _, attempts = word.partition(":")
    policy: dict[str, Any] = {"condition": _RESTART.get(kind, "any"), "delay": "5s"}
    if attempts.isdigit():
        policy["max_attempts"] = int(attempts)
    return policy


def _order(body: Mapping[str, Any]) -> str:
    """The new task before the old one goes, where both can be at once: no data that both would write, no host port."""
    data = any(v.get("type") in {"bind", "volume"} and not v.get("read_only") for v in body.get("volumes") or ())
    fixed = any(p.get("mode") == "host" for p in body.get("ports") or ())
    return "stop-first" if data or fixed else "start-first"


def _resources(body: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    limits, held = dict(given.get("limits") or {}), dict(given.get("reservations") or {})
    if "devices" in held:
        raise InvalidInput(
            "Swarm gives no service a reserved device.", hint="Keep it in a stack without it.", code="swarm_cannot"
        )
    for key, where, name in (
        ("mem_limit", limits, "memory"), ("mem_reservation", held, "memory"), ("pids_limit", limits, "pids"),
    ):  # fmt: skip
        if body.get(key) and name not in where:
            where[name] = int(body[key]) if name == "pids" else str(body[key])
    if body.get("cpus") and "cpus" not in limits:
        limits["cpus"] = str(body["cpus"])
    return {k: v for k, v in (("limits", limits), ("reservations", held)) if v}


def _port(port: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"target": int(port["target"]), "mode": port.get("mode") or "ingress"}
    if (port.get("host_ip") or "") not in _EVERYWHERE:
        raise InvalidInput(
            f"Port {port.get('published')} is bound to {port['host_ip']}, and Swarm publishes on every address.",
            hint="Leave the address away if everybody may reach it, or publish nothing; HL344 marks the line.",
            code="swarm_cannot",
        )
    if port.get("published"):
        found["published"] = int(port["published"])
    if port.get("protocol"):
        found["protocol"] = port["protocol"]
    return found


def _mount(mount: Mapping[str, Any]) -> dict[str, Any]:
    found = {k: v for k, v in mount.items() if k in _MOUNT_KEYS and v not in (None, {})}
    if bind := {k: v for k, v in (found.get("bind") or {}).items() if k == "propagation"}:
        found["bind"] = bind
    else:
        found.pop("bind", None)
    if volume := {k: v for k, v in (found.get("volume") or {}).items() if k == "nocopy"}:
        found["volume"] = volume
    else:
        found.pop("volume", None)
    if size := (found.get("tmpfs") or {}).get("size"):
        found["tmpfs"] = {"size": int(size)}
    else:
        found.pop("tmpfs", None)
    return found


def _joined(spec: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {"aliases": list(spec["aliases"])} if spec and spec.get("aliases") else None


def _network(spec: Mapping[str, Any]) -> dict[str, Any]:
    name = {"name": spec["name"]} if spec.get("name") else {}
    if is_external(spec):
        return {**name, "external": True}
    found: dict[str, Any] = {**name, "driver": "overlay"}
    for key in ("driver_opts", "attachable", "internal", "labels"):
        if spec.get(key):
            found[key] = spec[key]
    if subnets := [{"subnet": c["subnet"]} for c in (spec.get("ipam") or {}).get("config") or () if c.get("subnet")]:
        found["ipam"] = {"config": subnets}
    return found


def _volume(spec: Mapping[str, Any]) -> dict[str, Any]:
    external = {"external": True} if is_external(spec) else {}
    return {**external, **{k: spec[k] for k in ("name", "driver", "driver_opts", "labels") if spec.get(k)}}


def _objects(part: str, named: Mapping[str, Any], digest: Callable[[str], str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, raw in named.items():
        spec = raw or {}
        name = str(spec.get("name") or key)
        if is_external(spec):
            yield key, {"name": name, "external": True}
        elif spec.get("file"):
            ending = f"-{digest(str(spec['file']))[:12]}"
            yield key, {"name": name[: _OBJECT_NAME - len(ending)] + ending, "file": str(spec["file"])}
        else:
            raise InvalidInput(
                f"{key} of {part} has its content in the compose file or a variable, and Swarm takes files alone.",
                hint="Put it into a file and name that; HL347 of the checker marks the line.",
                code="swarm_cannot",
            )


def _labels(labels: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in labels.items()} if isinstance(labels, Mapping) else {}


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, list) else [value] if value else []
