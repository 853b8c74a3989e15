"""The flags of ``docker run`` and the compose keys they become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Service:
    """A compose service on its way: its keys, and what has no place in them."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.lost: list[str] = []
        self.aliases: list[str] = []
        self.networks: list[str] = []

    def append(self, key: str, value: Any) -> None:
        """One item more of a list."""
        self.keys.setdefault(key, []).append(value)

    def put(self, *path: str, value: Any) -> None:
        """A value inside mappings."""
        place = self.keys
        for step in path[:-1]:
            place = place.setdefault(step, {})
        place[path[-1]] = value

    def finished(self) -> Service:
        """With its networks as Compose has them."""
        modes = [n for n in self.networks if n in {"host", "none", "bridge", "default"} or ":" in n]
        if modes:
            if modes[0] not in {"bridge", "default"}:
                self.keys["network_mode"] = modes[0]
        elif self.networks:
            aliases = {"aliases": self.aliases} if self.aliases else None
            self.keys["networks"] = dict.fromkeys(self.networks, aliases)
        return self


Take = Callable[[Service, str], None]


def _list(key: str) -> Take:
    return lambda service, value: service.append(key, value)


def _value(*path: str) -> Take:
    return lambda service, value: service.put(*path, value=value)


def _pair(key: str, sign: str = "=") -> Take:
    def take(service: Service, value: str) -> None:
        name, _, rest = value.partition(sign)
        service.put(key, name, value=rest)

    return take


def _lost(why: str) -> Take:
    return lambda service, value: service.lost.append(f"{why} ({value[:80]})")


def _nothing(service: Service, value: str) -> None:
    """What a stack does anyway, or what only matters to who types the command."""


def _number(*path: str) -> Take:
    return lambda service, value: service.put(*path, value=int(value) if value.lstrip("-").isdigit() else value)


def _environment(service: Service, value: str) -> None:
    name, equals, rest = value.partition("=")
    # Without a value Docker takes it from the shell that is typed in.
    service.put("environment", name, value=rest if equals else None)


def _label(service: Service, value: str) -> None:
    name, _, rest = value.partition("=")
    service.put("labels", name, value=rest)


def _network(service: Service, value: str) -> None:
    name = next((part[5:] for part in value.split(",") if part.startswith("name=")), value)
    service.networks.append(name)


def _alias(service: Service, value: str) -> None:
    service.aliases.append(value)


def _ulimit(service: Service, value: str) -> None:
    name, _, limits = value.partition("=")
    soft, colon, hard = limits.partition(":")
    both = {"soft": _int(soft), "hard": _int(hard)}
    service.put("ulimits", name, value=both if colon else _int(soft))


def _int(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdigit() else text


def _gpus(service: Service, value: str) -> None:
    cards: dict[str, Any] = {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    words = value.strip("\"'").split(",")
    for word in words:
        if word.isdigit():
            cards["count"] = int(word)
        elif word.startswith("device="):
            del cards["count"]
            cards["device_ids"] = [w for w in [word[7:], *(o for o in words if "=" not in o)] if w]
            break
    service.put("deploy", "resources", "reservations", "devices", value=[cards])


def _mount(service: Service, value: str) -> None:
    parts = dict(p.partition("=")[::2] for p in value.split(","))
    kind = parts.get("type", "volume")
    target = next((parts[k] for k in ("target", "dst", "destination") if k in parts), "")
    source = parts.get("source") or parts.get("src") or ""
    if kind == "tmpfs":
        size = f":size={parts['tmpfs-size']}" if "tmpfs-size" in parts else ""
        service.append("tmpfs", f"{target}{size}")
        return
    if not target or kind not in {"bind", "volume"}:
        service.lost.append(f"--mount of an unknown kind ({value[:80]})")
        return
    read_only = any(parts.get(k, "no") in {"", "true", "1"} for k in ("readonly", "ro"))
    volume = {"type": kind, "source": source, "target": target, "read_only": read_only}
    service.append("volumes", {k: v for k, v in volume.items() if v})


def _stop_timeout(service: Service, value: str) -> None:
    service.keys["stop_grace_period"] = f"{value}s" if value.isdigit() else value


def _health(service: Service, value: str) -> None:
    service.put("healthcheck", "test", value=["CMD-SHELL", value])


def _log(service: Service, value: str) -> None:
    name, _, rest = value.partition("=")
    service.keys.setdefault("logging", {}).setdefault("options", {})[name] = rest


def _entrypoint(service: Service, value: str) -> None:
    service.keys["entrypoint"] = [value] if value else []


def _true(*path: str) -> Take:
    return lambda service, value: service.put(*path, value=True)


_LIMITS = ("deploy", "resources", "limits")
_RESERVED = ("deploy", "resources", "reservations")

FLAGS: dict[str, Take] = {
    "add-host": _list("extra_hosts"),
    "annotation": _lost("--annotation is for the runtime"),
    "attach": _nothing,
    "blkio-weight": _lost("--blkio-weight, a share of disk time"),
    "blkio-weight-device": _lost("--blkio-weight-device, a share of disk time"),
    "cap-add": _list("cap_add"),
    "cap-drop": _list("cap_drop"),
    "cgroup-parent": _lost("--cgroup-parent"),
    "cgroupns": _lost("--cgroupns"),
    "cidfile": _nothing,
    "cpu-period": _lost("--cpu-period; use cpus"),
    "cpu-quota": _lost("--cpu-quota; use cpus"),
    "cpu-rt-period": _lost("--cpu-rt-period"),
    "cpu-rt-runtime": _lost("--cpu-rt-runtime"),
    "cpu-shares": _number("cpu_shares"),
    "cpus": _value(*_LIMITS, "cpus"),
    "cpuset-cpus": _value("cpuset"),
    "cpuset-mems": _lost("--cpuset-mems"),
    "detach-keys": _nothing,
    "device": _list("devices"),
    "device-cgroup-rule": _list("device_cgroup_rules"),
    "device-read-bps": _lost("--device-read-bps"),
    "device-read-iops": _lost("--device-read-iops"),
    "device-write-bps": _lost("--device-write-bps"),
    "device-write-iops": _lost("--device-write-iops"),
    "dns": _list("dns"),
    "dns-opt": _list("dns_opt"),
    "dns-option": _list("dns_opt"),
    "dns-search": _list("dns_search"),
    "domainname": _value("domainname"),
    "entrypoint": _entrypoint,
    "env": _environment,
    "env-file": _lost("--env-file: its variables have to be set with `homelab-mcp env set`"),
    "expose": _list("expose"),
    "gpus": _gpus,
    "group-add": _list("group_add"),
    "health-cmd": _health,
    "health-interval": _value("healthcheck", "interval"),
    "health-retries": _number("healthcheck", "retries"),
    "health-start-interval": _value("healthcheck", "start_interval"),
    "health-start-period": _value("healthcheck", "start_period"),
    "health-timeout": _value("healthcheck", "timeout"),
    "hostname": _value("hostname"),
    "ip": _lost("--ip: addresses are given by the lab's networks"),
    "ip6": _lost("--ip6: addresses are given by the lab's networks"),
    "ipc": _value("ipc"),
    "isolation": _nothing,
    "kernel-memory": _lost("--kernel-memory, which Docker itself ignores"),
    "label": _label,
    "label-file": _lost("--label-file: its labels have to be written out"),
    "link": _lost("--link: containers of one stack find each other by name"),
    "link-local-ip": _lost("--link-local-ip"),
    "log-driver": _value("logging", "driver"),
    "log-opt": _log,
    "mac-address": _value("mac_address"),
    "memory": _value(*_LIMITS, "memory"),
    "memory-reservation": _value(*_RESERVED, "memory"),
    "memory-swap": _value("memswap_limit"),
    "memory-swappiness": _lost("--memory-swappiness"),
    "mount": _mount,
    "name": _value("container_name"),
    "net": _network,
    "net-alias": _alias,
    "network": _network,
    "network-alias": _alias,
    "oom-score-adj": _number("oom_score_adj"),
    "pid": _value("pid"),
    "pids-limit": _number(*_LIMITS, "pids"),
    "platform": _value("platform"),
    "publish": _list("ports"),
    "pull": _nothing,
    "restart": _value("restart"),
    "runtime": _value("runtime"),
    "security-opt": _list("security_opt"),
    "shm-size": _value("shm_size"),
    "stop-signal": _value("stop_signal"),
    "stop-timeout": _stop_timeout,
    "storage-opt": _lost("--storage-opt"),
    "sysctl": _pair("sysctls"),
    "tmpfs": _list("tmpfs"),
    "ulimit": _ulimit,
    "user": _value("user"),
    "userns": _value("userns_mode"),
    "uts": _lost("--uts"),
    "volume": _list("volumes"),
    "volume-driver": _lost("--volume-driver"),
    "volumes-from": _lost("--volumes-from: name the volumes themselves"),
    "workdir": _value("working_dir"),
}
"""Flags with a value. What only matters at a terminal, and pulling (which is a step of every plan), does nothing."""

SWITCHES: dict[str, Take] = {
    "detach": _nothing,
    "disable-content-trust": _nothing,
    "help": _nothing,
    "init": _true("init"),
    "interactive": _nothing,
    "no-healthcheck": _true("healthcheck", "disable"),
    "oom-kill-disable": _true("oom_kill_disable"),
    "privileged": _true("privileged"),
    "publish-all": _lost("--publish-all: ports are reached through Traefik"),
    "quiet": _nothing,
    "read-only": _true("read_only"),
    "replace": _nothing,
    "rm": _nothing,
    "sig-proxy": _nothing,
    "tty": _nothing,
    "use-api-socket": _lost("--use-api-socket hands Docker itself to the container"),
}
"""Flags without one."""

SHORT: dict[str, str] = {
    "P": "publish-all",
    "a": "attach",
    "c": "cpu-shares",
    "d": "detach",
    "e": "env",
    "h": "hostname",
    "i": "interactive",
    "l": "label",
    "m": "memory",
    "p": "publish",
    "q": "quiet",
    "t": "tty",
    "u": "user",
    "v": "volume",
    "w": "workdir",
}
