"""Which keys of a compose service are carried over, which follow the lab's own ways, and which go with a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from homelab_mcp.core.resources import deploy_of, logging_of
from homelab_mcp.model.definition import ResourceClass
from homelab_mcp.model.plan import Risk, RiskReason

KEPT = (
    *("command", "entrypoint", "working_dir", "user", "hostname", "domainname", "devices", "device_cgroup_rules"),
    *("cap_add", "cap_drop", "tmpfs", "shm_size", "ulimits", "sysctls", "extra_hosts", "dns", "dns_opt", "dns_search"),
    *("init", "stop_grace_period", "stop_signal", "read_only", "privileged", "pid", "ipc", "group_add", "runtime"),
    *("gpus", "platform", "tty", "stdin_open", "mac_address", "memswap_limit", "cpu_shares", "cpuset"),
    *("oom_kill_disable", "oom_score_adj", "userns_mode", "healthcheck", "security_opt"),
)
_SETTLED = frozenset(
    {"image", "ports", "volumes", "environment", "labels", "networks", "network_mode", "container_name", "deploy"}
    | {"mem_limit", "mem_reservation", "cpus", "pids_limit", "expose", "restart", "depends_on", "logging", "extends"}
    | {"links", "pull_policy", "container_name"}
)
_WHY = {
    "build": "is not built here: its image is taken as named",
    "env_file": "names files that are not here: set their variables with `homelab-mcp env set`",
    "profiles": "is dropped: what is added is started",
    "secrets": "names files that are not here: give the values as variables",
    "configs": "names files that are not here: mount them from the stack's folder",
    "scale": "is dropped: one container each",
    "develop": "is for building programs",
}
_HEAVY_CAPABILITIES = frozenset({"ALL", "SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF"})
_USUAL_DEVICE = re.compile(r"/dev/(dri|net/tun|tty(USB|ACM)\d+|serial/by-id|snd|video\d+|bus/usb|kfd|nvidia\w*|null)\b")
"""Devices that many services are made for; others may be disks or memory."""

_FROM = {"mem_limit": ("limits", "memory"), "cpus": ("limits", "cpus"), "pids_limit": ("limits", "pids")}


def lost_keys(service: str, body: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each key that is not carried over."""
    for key in body:
        name = str(key)
        if name in KEPT or name in _SETTLED or name.startswith("x-"):
            continue
        yield f"{service}: '{name}' {_WHY.get(name, 'has no place in this lab and is dropped')}."
    deploy = body.get("deploy")
    for key in deploy if isinstance(deploy, Mapping) else ():
        if key != "resources":
            yield f"{service}: 'deploy.{key}' is for swarms or several copies and is dropped."


def deploy_block(body: Mapping[str, Any], kind: ResourceClass) -> tuple[dict[str, Any], bool]:
    """``deploy`` with the text's own limits over those of a resource class, and whether it had any of its own."""
    deploy = body.get("deploy")
    resources = deploy.get("resources") if isinstance(deploy, Mapping) else None
    own = {k: dict(v) for k, v in (resources or {}).items() if isinstance(v, Mapping)}
    for key, (part, name) in _FROM.items():
        if body.get(key) not in (None, ""):
            own.setdefault(part, {})[name] = body[key]
    limits = {k: v if k == "pids" else str(v) for k, v in own.get("limits", {}).items()}
    usual = deploy_of(kind)["resources"]
    # A reservation of the class may be more than a limit that was set for this service.
    reserved = {} if limits else usual["reservations"]
    reserved = {**reserved, **own.get("reservations", {})}
    merged = {"limits": {**usual["limits"], **limits}, **({"reservations": reserved} if reserved else {})}
    return {"resources": merged}, bool(limits)


def logging_block(body: Mapping[str, Any]) -> dict[str, Any]:
    """``logging``: the text's own, with an end where it is Docker's usual files; the lab's else."""
    own = body.get("logging")
    if not isinstance(own, Mapping) or not own:
        return logging_of()
    if own.get("driver", "json-file") != "json-file":
        return dict(own)
    return {"driver": "json-file", "options": {**logging_of()["options"], **(own.get("options") or {})}}


def security_opt(body: Mapping[str, Any]) -> list[str]:
    """``security_opt`` with new privileges refused, unless the text says otherwise or the container is privileged."""
    own = [str(o) for o in body.get("security_opt") or ()]
    if body.get("privileged") or any(o.startswith("no-new-privileges") for o in own):
        return own
    return [*own, "no-new-privileges:true"]


def risks(service: str, body: Mapping[str, Any]) -> Iterator[RiskReason]:
    """What a service may do beyond the usual."""
    if body.get("privileged"):
        yield RiskReason(Risk.HIGH, f"{service} runs privileged: it commands the host.")
    for key, word in (("network_mode", "network"), ("pid", "processes"), ("ipc", "memory"), ("userns_mode", "users")):
        value = str(body.get(key) or "")
        if value == "host":
            yield RiskReason(Risk.HIGH, f"{service} uses the host's own {word}.")
        elif value.startswith("container:"):
            yield RiskReason(Risk.HIGH, f"{service} shares the {word} of the container {value.partition(':')[2]}.")
    added = [str(c).upper().removeprefix("CAP_") for c in body.get("cap_add") or ()]
    if added:
        worst = Risk.HIGH if _HEAVY_CAPABILITIES & set(added) else Risk.MEDIUM
        yield RiskReason(worst, f"{service} gets the capabilities {', '.join(added)}.")
    if body.get("devices"):
        devices = [str(d.get("source", d) if isinstance(d, Mapping) else d) for d in body["devices"]]
        usual = all(_USUAL_DEVICE.match(d) for d in devices)
        yield RiskReason(Risk.MEDIUM if usual else Risk.HIGH, f"{service} gets {', '.join(devices)} of the host.")
    if body.get("device_cgroup_rules"):
        yield RiskReason(Risk.HIGH, f"{service} may open kinds of devices of the host.")
    loose = [o for o in map(str, body.get("security_opt") or ()) if "unconfined" in o or o.endswith(":disable")]
    if loose:
        yield RiskReason(Risk.HIGH, f"{service} switches protection off: {', '.join(loose)}.")
