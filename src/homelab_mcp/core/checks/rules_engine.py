"""HL155 to HL157: numbers, users and folders that the engine refuses, and namesakes in lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_container import texts
from homelab_mcp.core.checks.rules_limits import byte_size, value_at
from homelab_mcp.core.checks.rules_namespaces import word
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

SERVICES = "https://docs.docker.com/reference/compose-file/services/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"
_CPUS: tuple[Path, ...] = (("cpus",), ("deploy", "resources", "limits", "cpus"))


def _number(value: Any) -> float | None:
    """A number, also one written as text; None for what is none or has a variable without a value."""
    if isinstance(value, bool) or is_open(value) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


@rule(
    "HL155",
    Severity.ERROR,
    "A CPU or memory setting that the engine refuses",
    why="A share of CPUs is 0.01 at least, 'cpus' and 'cpu_quota' are two ways to say one thing and exclude each "
    "other, swap needs a memory limit. Compose passes all of it on unread.",
    link="https://docs.docker.com/engine/containers/resource_constraints/",
    bad=f"{HEAD}    memswap_limit: 1g\n",
    good=f"{HEAD}    mem_limit: 512m\n    memswap_limit: 1g\n",
)
def refused_setting(ctx: LintContext) -> Iterable[Finding]:
    """A CPU share, quota, swappiness or swap limit that the engine refuses."""
    for service in ctx.services():
        data = service.data
        if data.keys().isdisjoint(_SETTINGS):
            continue
        yield from _cpus(ctx, service)
        for field in _RANGES.keys() & data.keys():
            low, high, free = _RANGES[field]
            value = _number(data[field])
            if value is not None and value not in free and not low <= value <= high:
                span = f"{low} to {high}" if high < 2**60 else f"{low} at least, or -1"
                yield ctx.on(service, (field,), f"'{field}' is {span}.")
        shm = data.get("shm_size")
        if isinstance(shm, int) and shm < 0:
            yield ctx.on(service, ("shm_size",), "A size cannot be below 0.")
        size = byte_size(shm) or 0
        if 0 < size < 2**20:
            message = f"{size:.0f} bytes are next to nothing; a size without a unit is bytes (64m is the default)."
            yield ctx.on(service, ("shm_size",), message, severity=Severity.WARNING)
        if "memswap_limit" in data and byte_size(data["memswap_limit"]) and not _memory(service):
            yield ctx.on(service, ("memswap_limit",), "'memswap_limit' needs 'mem_limit'.", key=True)
        text = word(service, "cpuset") if "cpuset" in data else ""
        if text and not re.fullmatch(r"[0-9]+(?:-[0-9]+)?(?:,[0-9]+(?:-[0-9]+)?)*", text):
            yield ctx.on(service, ("cpuset",), f"{text!r} names no CPUs; it is a list such as 0-2,5.")
        for path in (("scale",), ("deploy", "replicas"), ("healthcheck", "retries")):
            count = _number(value_at(data, path))
            if count is not None and count < 0:
                yield ctx.on(service, path, f"'{path[-1]}' cannot be below 0.")


_RANGES: dict[str, tuple[int, int, frozenset[float]]] = {
    "mem_swappiness": (0, 100, frozenset({-1.0})),
    "cpu_period": (1000, 1000000, frozenset({0.0})),
    "cpu_quota": (1000, 2**62, frozenset({0.0, -1.0})),
}


def _cpus(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    data = service.data
    for path in _CPUS:
        cpus = _number(value_at(data, path))
        if cpus is not None and (cpus < 0 or 0 < cpus < 0.01):
            yield ctx.on(service, path, "The least share of CPUs is 0.01 (0 means no limit).")
        if cpus and (data.get("cpu_quota") or data.get("cpu_period")):
            other = "cpu_quota" if data.get("cpu_quota") else "cpu_period"
            yield ctx.on(service, (other,), f"'{other}' cannot stand beside 'cpus'.", key=True)


_SETTINGS = frozenset(
    {"cpus", "cpuset", "deploy", "healthcheck", "scale", "shm_size", "memswap_limit", *_RANGES},
)


def _memory(service: ServiceView) -> bool:
    limits = value_at(service.data, ("deploy", "resources", "limits", "memory"))
    return service.partial or service.data.get("mem_limit") not in (None, 0) or limits is not None


@rule(
    "HL156",
    Severity.ERROR,
    "A user, folder or device rule that the engine refuses",
    why="'user' is a name or number, with ':group' behind it; a working folder is an absolute path; a rule for devices "
    "is 'type major:minor access'. Compose passes all of it on unread, and the container does not start.",
    link=f"{SERVICES}#user",
    bad=f"{HEAD}    user: '1000: 1000'\n",
    good=f"{HEAD}    user: '1000:1000'\n",
    needs="user working_dir hostname domainname device_cgroup_rules",
)
def refused_text(ctx: LintContext) -> Iterable[Finding]:
    """``user``, ``working_dir``, ``hostname`` or ``device_cgroup_rules`` in a form that cannot be."""
    for service in ctx.services():
        if service.data.keys().isdisjoint(_TEXTS):
            continue
        user = word(service, "user")
        if re.search(r"\s", user) or user.count(":") > 1:
            yield ctx.on(service, ("user",), f"{user!r} is no user; write 1000:1000, without blanks.")
        folder = word(service, "working_dir")
        if folder and not folder.startswith("/") and not re.match(r"[A-Za-z]:|\\", folder):
            yield ctx.on(service, ("working_dir",), f"The folder {folder!r} must begin with '/'.")
        if len(word(service, "hostname").encode()) > 64:
            yield ctx.on(service, ("hostname",), "The kernel's host names have 64 bytes at most.")
        if re.search(r"\s", word(service, "domainname")):
            message = "A domain name has no blanks."
            yield ctx.on(service, ("domainname",), message, severity=Severity.WARNING)
        for text, path in texts(service, "device_cgroup_rules"):
            if not re.fullmatch(r"[acb] (?:[0-9]+|\*):(?:[0-9]+|\*) [rwm]{1,3}", text):
                yield ctx.on(service, path, "A rule for devices is written like 'c 189:* rmw'.")


_TEXTS = frozenset({"user", "working_dir", "hostname", "domainname", "device_cgroup_rules"})


@rule(
    "HL157",
    Severity.WARNING,
    "One thing named twice in a list",
    why="Of two tmpfs or devices with one place in the container only the last one counts, without a word; a repeated "
    "name is left over from an edit.",
    link=f"{SERVICES}#devices",
    bad=f"{HEAD}    devices: ['/dev/ttyUSB0:/dev/zigbee', '/dev/ttyUSB1:/dev/zigbee']\n",
    good=f"{HEAD}    devices: ['/dev/ttyUSB0:/dev/zigbee', '/dev/ttyUSB1:/dev/zwave']\n",
    needs="tmpfs devices dns cap_add cap_drop extra_hosts group_add",
)
def named_twice(ctx: LintContext) -> Iterable[Finding]:
    """The same place in the container for two devices or tmpfs (warning), or the very same item (info)."""
    for service in ctx.services():
        for field in service.data.keys() & _LISTS:
            seen: dict[str, str] = {}
            for key, text, path in _keyed(service, field):
                if key in seen:
                    same = seen[key] == text
                    message = f"{key!r} is already named above" + ("." if same else "; only this one counts.")
                    yield ctx.on(service, path, message, severity=Severity.INFO if same else None)
                seen.setdefault(key, text)


_LISTS = frozenset({"tmpfs", "devices", "dns", "cap_add", "cap_drop", "extra_hosts", "group_add"})


def _keyed(service: ServiceView, field: str) -> Iterator[tuple[str, str, Path]]:
    """What makes an item of a list the same as another, the item, and where it is."""
    for text, path in texts(service, field):
        parts = text.split(":")
        if field == "tmpfs":
            yield parts[0].rstrip("/") or "/", text, path
        elif field == "devices":
            yield parts[1] if len(parts) > 1 else parts[0], text, path
        elif field in ("cap_add", "cap_drop"):
            yield text.upper().removeprefix("CAP_"), "", path
        else:
            yield text, text, path
