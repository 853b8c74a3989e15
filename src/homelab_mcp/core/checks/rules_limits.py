"""HL120 to HL125: numbers, limits and kernel settings that Compose or the engine refuses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

SERVICES = "https://docs.docker.com/reference/compose-file/services/"
DEPLOY = "https://docs.docker.com/reference/compose-file/deploy/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"
LIMITS = ("deploy", "resources", "limits")
RESERVED = ("deploy", "resources", "reservations")
_NUMBERS: tuple[Path, ...] = (
    *((key,) for key in ("cpus", "cpu_count", "cpu_percent", "cpu_period", "cpu_quota", "pids_limit", "scale")),
    ("healthcheck", "retries"),
    ("deploy", "replicas"),
    (*LIMITS, "cpus"),
    (*LIMITS, "pids"),
    (*RESERVED, "cpus"),
)


def value_at(data: Any, path: Path) -> Any:
    """What stands at a path of nested mappings; None where nothing does."""
    for step in path:
        if type(data) is not dict:
            return None
        data = data.get(step)
    return data


@rule(
    "HL120",
    Severity.ERROR,
    "Not a number",
    why="Compose refuses text where it needs a number; units such as Kubernetes' '500m' it does not know.",
    link=f"{DEPLOY}#cpus",
    bad=f"{HEAD}    cpus: 500m\n",
    good=f"{HEAD}    cpus: '0.5'\n",
)
def not_a_number(ctx: LintContext) -> Iterable[Finding]:
    """CPU shares, counts and retries that are no number."""
    for service in ctx.services():
        data = service.data
        for path in _NUMBERS:
            value = value_at(data, path) if path[0] in data else None
            if isinstance(value, str) and not is_open(value) and not NUMBER.fullmatch(value):
                yield ctx.on(service, path, f"'{path[-1]}' must be a number.")


NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


@rule(
    "HL121",
    Severity.ERROR,
    "A limit (ulimit) that Docker refuses",
    why="Docker knows the kernel's limits by name, and the soft one may not be above the hard one.",
    link=f"{SERVICES}#ulimits",
    bad=f"{HEAD}    ulimits:\n      nofiles: 1024\n",
    good=f"{HEAD}    ulimits:\n      nofile: {{soft: 1024, hard: 4096}}\n",
    needs="ulimits",
)
def bad_ulimit(ctx: LintContext) -> Iterable[Finding]:
    """An unknown name, text, or soft above hard."""
    for service in ctx.having("ulimits"):
        part = service.data.get("ulimits")
        for name, limit in part.items() if isinstance(part, dict) else ():
            if name not in ULIMITS and not str(name).startswith("x-"):
                yield ctx.on(service, ("ulimits", name), f"There is no limit {name!r}.", key=True)
            for key, value in limit.items() if isinstance(limit, dict) else ((None, limit),):
                path: Path = ("ulimits", name, key) if key else ("ulimits", name)
                if isinstance(value, str) and not is_open(value) and not re.fullmatch(r"-?[0-9]+", value):
                    yield ctx.on(service, path, "A limit is a whole number; -1 is none.")
                elif (number := _whole(value)) is not None:
                    # The kernel caps open files at fs.nr_open, 2147483584 at most.
                    if name == "nofile" and (number < 0 or number > 2**31):
                        yield ctx.on(service, path, "Open files cannot be unlimited; 1048576 works on every host.")
                    elif number < -1:
                        yield ctx.on(service, path, "A limit is a whole number; -1 is none.")
            soft, hard = (_whole(value_at(limit, (key,))) for key in ("soft", "hard"))
            if soft is not None and hard is not None and hard >= 0 and (soft > hard or soft == -1):
                message = f"The soft limit {soft} is above the hard one, {hard} (-1 is none at all)."
                yield ctx.on(service, ("ulimits", name, "soft"), message)


ULIMITS = frozenset(
    {"core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio"}
    | {"rttime", "sigpending", "stack"}
)


def _whole(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str) or is_open(value):
        return None
    return int(value) if re.fullmatch(r"-?[0-9]{1,18}", str(value)) else None


def _pairs(service: ServiceView, field: str) -> Iterator[tuple[str, Path]]:
    part = service.data.get(field)
    if isinstance(part, dict):
        yield from ((str(k), (field, k)) for k in part)
    for n, item in enumerate(part if isinstance(part, list) else ()):
        if isinstance(item, str) and not is_open(item):
            yield item.partition("=")[0], (field, n)


@rule(
    "HL122",
    Severity.ERROR,
    "A kernel setting that a container cannot have",
    why="The engine only takes settings of the container's own namespaces (net.*, IPC); others belong to the host's "
    "/etc/sysctl.d. With the host's network net.* is the host's too.",
    link=f"{SERVICES}#sysctls",
    bad=f"{HEAD}    sysctls: [vm.max_map_count=262144]\n",
    good=f"{HEAD}    sysctls: [net.core.somaxconn=1024]\n",
    needs="sysctls",
)
def bad_sysctl(ctx: LintContext) -> Iterable[Finding]:
    """A sysctl outside the container's namespaces."""
    for service in ctx.having("sysctls"):
        for written, path in _pairs(service, "sysctls"):
            name = written.replace("/", ".") if "." not in written else written
            if name != name.strip() or not name:
                yield ctx.on(service, path, f"Write {name.strip()}=value without blanks around '='.", key=True)
            elif name.startswith("net."):
                if service.network_mode == "host":
                    yield ctx.on(service, path, f"{name} cannot be set with the host's network.", key=True)
                elif name in _HOSTS_NET:
                    yield ctx.on(service, path, f"{name} is the host's; set it there.", key=True)
            elif name not in _IPC and not name.startswith("fs.mqueue."):
                yield ctx.on(service, path, f"{name} is the host's; set it there.", key=True)


_HOSTS_NET = frozenset(
    {f"net.core.{x}mem_{y}" for x in "rw" for y in ("max", "default")}
    | {f"net.core.{x}" for x in ("netdev_max_backlog", "netdev_budget", "default_qdisc", "busy_poll", "bpf_jit_enable")}
    | {"net.ipv4.tcp_mem", "net.ipv4.udp_mem", "net.ipv4.tcp_max_orphans", "net.netfilter.nf_conntrack_max"}
)
"""Settings under net. that a network namespace of its own lacks or may only read (Linux 6.18, as root)."""

_IPC = frozenset(
    {"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax"}
    | {"kernel.shmmni", "kernel.shm_rmid_forced"}
)


@rule(
    "HL123",
    Severity.ERROR,
    "A capability that the kernel has not",
    why="The engine refuses to make the container.",
    link="https://man7.org/linux/man-pages/man7/capabilities.7.html",
    bad=f"{HEAD}    cap_add: [NET_ADMIM]\n",
    good=f"{HEAD}    cap_add: [NET_ADMIN]\n",
    needs="cap_add cap_drop",
)
def bad_capability(ctx: LintContext) -> Iterable[Finding]:
    """``cap_add`` or ``cap_drop`` of an unknown name."""
    for service in ctx.services():
        for field in ("cap_add", "cap_drop"):
            part = service.data.get(field)
            for n, item in enumerate(part if isinstance(part, list) else ()):
                if isinstance(item, str) and not is_open(item):
                    name = item.upper().removeprefix("CAP_")
                    if name not in CAPABILITIES:
                        yield ctx.on(service, (field, n), f"The kernel has no capability {item!r}.")


CAPABILITIES = frozenset(
    [
        "ALL",
        "AUDIT_CONTROL",
        "AUDIT_READ",
        "AUDIT_WRITE",
        "BLOCK_SUSPEND",
        "BPF",
        "CHECKPOINT_RESTORE",
        "CHOWN",
        "DAC_OVERRIDE",
        "DAC_READ_SEARCH",
        "FOWNER",
        "FSETID",
        "IPC_LOCK",
        "IPC_OWNER",
        "KILL",
        "LEASE",
        "LINUX_IMMUTABLE",
        "MAC_ADMIN",
        "MAC_OVERRIDE",
        "MKNOD",
        "NET_ADMIN",
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_RAW",
        "PERFMON",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_CHROOT",
        "SYS_MODULE",
        "SYS_NICE",
        "SYS_PACCT",
        "SYS_PTRACE",
        "SYS_RAWIO",
        "SYS_RESOURCE",
        "SYS_TIME",
        "SYS_TTY_CONFIG",
        "SYSLOG",
        "WAKE_ALARM",
    ]
)


@rule(
    "HL124",
    Severity.ERROR,
    "Memory that does not add up",
    why="Docker refuses less than 6 MB, and a reservation above the limit.",
    link=f"{DEPLOY}#memory",
    bad=f"{HEAD}    mem_limit: 64m\n    mem_reservation: 128m\n",
    good=f"{HEAD}    mem_limit: 128m\n    mem_reservation: 64m\n",
)
def memory(ctx: LintContext) -> Iterable[Finding]:
    """A memory limit below Docker's least or below what is reserved, or one that no home server reaches."""
    for service in ctx.services():
        for limit_path, reserved_path in (
            (("mem_limit",), ("mem_reservation",)),
            ((*LIMITS, "memory"), (*RESERVED, "memory")),
        ):
            limit, reserved = (byte_size(value_at(service.data, path)) for path in (limit_path, reserved_path))
            if limit and 0 < limit < 6 * 1024**2:
                yield ctx.on(service, limit_path, "Docker gives a container 6 MB at least.")
            if limit and limit >= BEYOND_HOMES:
                message = f"{limit // 1024**3} GB is more than a machine at home has: this limits nothing."
                yield ctx.on(service, limit_path, message, severity=Severity.WARNING)
            if limit_path == ("mem_limit",):
                swap = byte_size(service.data.get("memswap_limit"))
                if limit and swap and swap < limit:
                    yield ctx.on(
                        service, ("memswap_limit",), "Memory and swap together are less than the memory limit."
                    )
            if limit and reserved and limit > 0 and reserved > limit:
                yield ctx.on(service, reserved_path, "More is reserved than the limit allows.")


BEYOND_HOMES = 256 * 1024**3


def byte_size(value: Any) -> int | None:
    """Bytes of a size as Compose writes them; None for what is none, or has a variable without a value."""
    if value is None or isinstance(value, bool) or is_open(value):
        return None
    match = _SIZE.fullmatch(str(value))
    if not match:
        return None
    unit = (match.group(2) or "").lower()
    return int(float(match.group(1)) * 1024 ** (" kmgtp".index(unit) if unit else 0))


_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]+)?) ?(?:([kKmMgGtTpP])(?:[iI]?[bB])?|[bB])?")


@rule(
    "HL125",
    Severity.ERROR,
    "A graphics card asked for in a way that Compose refuses",
    why="A device reservation needs its capabilities, and either a count or ids.",
    link=f"{DEPLOY}#devices",
    bad=f"{HEAD}    deploy:\n      resources:\n        reservations:\n"
    "          devices: [{driver: nvidia, capabilities: [gpu], count: 1, device_ids: ['0']}]\n",
    good=f"{HEAD}    deploy:\n      resources:\n        reservations:\n"
    "          devices: [{driver: nvidia, capabilities: [gpu]}]\n",
)
def bad_gpu(ctx: LintContext) -> Iterable[Finding]:
    """A reserved device with count and ids, or without capabilities."""
    for service in ctx.services():
        devices = value_at(service.data, (*RESERVED, "devices"))
        for n, item in enumerate(devices if isinstance(devices, list) else ()):
            path = (*RESERVED, "devices", n)
            if isinstance(item, dict) and "count" in item and "device_ids" in item:
                yield ctx.on(service, path, "'count' and 'device_ids' exclude each other.")
            words = item.get("capabilities") if isinstance(item, dict) else None
            for at, text in enumerate(words if isinstance(words, list) else ()):
                if isinstance(text, str) and text in _GPU:
                    message = f"No card has the capability {str(text)!r}. Did you mean {_GPU[text]!r}?"
                    yield ctx.on(service, (*path, "capabilities", at), message)


_GPU = {"gpus": "gpu", "utils": "utility", "utilities": "utility", "videos": "video"}  # others may be a driver's own
