"""Values that fit where a compose file uses a variable, for asking whether all but the variables is right."""

from __future__ import annotations

import re
from collections.abc import Iterable

from homelab_mcp.core.compose_model import ComposeFile
from homelab_mcp.core.yaml12 import Path

WORD = "standin"

_NUMBERS = frozenset(
    [
        "blkio_config",
        "cpu_count",
        "cpu_percent",
        "cpu_period",
        "cpu_quota",
        "cpu_rt_period",
        "cpu_rt_runtime",
        "cpu_shares",
        "cpus",
        "gid",
        "max_attempts",
        "max_replicas_per_node",
        "mem_swappiness",
        "mode",
        "oom_score_adj",
        "parallelism",
        "pids",
        "pids_limit",
        "port",
        "priority",
        "published",
        "rate_bps",
        "rate_iops",
        "replicas",
        "retries",
        "scale",
        "soft",
        "hard",
        "target",
        "uid",
        "weight",
        "count",
        "nofile",
        "nproc",
    ]
)
_SIZES = frozenset(["mem_limit", "mem_reservation", "memory", "memswap_limit", "shm_size", "size"])
_BOOLS = frozenset(
    [
        "attachable",
        "disable",
        "enable_ipv4",
        "enable_ipv6",
        "external",
        "init",
        "internal",
        "no_cache",
        "oom_kill_disable",
        "privileged",
        "pull",
        "read_only",
        "required",
        "restart",
        "stdin_open",
        "tty",
        "use_api_socket",
    ]
)
_DURATIONS = frozenset(
    [
        "cpu_rt_period",
        "cpu_rt_runtime",
        "delay",
        "interval",
        "max_retry_time",
        "monitor",
        "start_interval",
        "start_period",
        "stop_grace_period",
        "timeout",
        "window",
    ]
)
_ADDRESSES = {
    "extra_hosts": "192.0.2.{n}",
    "dns": "192.0.2.{n}",
    "ipv4_address": "192.0.2.{n}",
    "ipv6_address": "2001:db8::{n}",
    "gateway": "192.0.2.1",
    "host_ip": "127.0.0.1",
    "subnet": "192.0.{n}.0/24",
    "mac_address": "02:42:ac:11:00:{n:02x}",
}
_PATHS = frozenset(
    ["volumes", "devices", "tmpfs", "build", "context", "dockerfile", "env_file", "label_file", "file", "source"]
)
_FREE = frozenset(
    ["environment", "labels", "command", "entrypoint", "annotations", "args", "driver_opts", "options", "test"]
)
_IS_PORT_HOST = re.compile(r"^\$\{[^}]*\}:[^:]*(?:\$\{[^}]*\})?[^:]*:")


def stand_ins(models: Iterable[ComposeFile]) -> dict[str, str]:
    """A value for each variable of the files that has none: a number where a port or a count is wanted, and so on.

    A variable used in several places gets the value of the strictest of them; no two get the same port or address.
    """
    chosen: dict[str, tuple[int, str]] = {}
    order: dict[str, int] = {}
    for model, missing in [(m, missing) for m in models for missing in m.missing]:
        # Host 2 to 251: neither a network's own address nor its gateway's.
        number = 2 + order.setdefault(missing.name, len(order)) % 250
        fitting = _value(missing.name, missing.path, model, number)
        if fitting[0] > chosen.get(missing.name, (-1, ""))[0]:
            chosen[missing.name] = fitting
    return {name: value for name, (_, value) in chosen.items()}


def _value(name: str, path: Path, model: ComposeFile, number: int) -> tuple[int, str]:
    if name == "COMPOSE_PROJECT_NAME":
        # Compose takes the project's own name from it, wherever else it is used.
        return 10, WORD
    inside = [step for step in path[2:] if isinstance(step, str)]
    last = inside[-1] if inside else ""
    if not _FREE.isdisjoint(inside):
        return 0, WORD
    if "ports" in inside or last == "expose":
        return 9, _port_part(name, path, model, number)
    for word, address in _ADDRESSES.items():
        if word in inside:
            return 8, address.format(n=number)
    if inside == ["restart"]:
        return 7, "always"
    for group, rank, value in ((_BOOLS, 7, "true"), (_DURATIONS, 6, "10s"), (_NUMBERS, 5, "1"), (_SIZES, 4, "64m")):
        if last in group:
            return rank, value
    if not _PATHS.isdisjoint(inside) or path[0] in {"secrets", "configs"}:
        return 3, f"/{WORD}"
    return 1, WORD


def _port_part(name: str, path: Path, model: ComposeFile, number: int) -> str:
    """A port, but for an address before two colons, a protocol after a slash, and the long form's text keys."""
    port = str(20_000 + number)
    key = path[-1]
    if isinstance(key, str):
        return {"protocol": "tcp", "host_ip": "127.0.0.1", "mode": "host"}.get(key, port)
    raw = model.raw
    for step in path:
        raw = raw[step]
    text = str(raw)
    before = text[: text.find(name)]
    if before.endswith(("/${", "/$")):
        return "tcp"
    return "127.0.0.1" if before in {"${", "$"} and _IS_PORT_HOST.match(text) else port
