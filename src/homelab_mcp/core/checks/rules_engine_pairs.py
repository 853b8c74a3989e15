"""HL248 to HL250: switches, settings that exclude or need each other, and what a service cannot do with its mounts."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import CACHES, is_client, is_database
from homelab_mcp.core.checks.rules_container import texts
from homelab_mcp.core.checks.rules_keeping import data_folder
from homelab_mcp.core.checks.rules_limits import LIMITS, RESERVED, value_at
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

SERVICES = "https://docs.docker.com/reference/compose-file/services/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"


@rule(
    "HL248",
    Severity.ERROR,
    "A switch that is neither on nor off",
    why="Compose takes true or false here (also y, yes, on and their opposites as text) and refuses any other word.",
    link=SERVICES,
    bad=f"{HEAD}    init: 'yup'\n",
    good=f"{HEAD}    init: 'true'\n",
)
def odd_switch(ctx: LintContext) -> Iterable[Finding]:
    """Text that is no boolean where Compose casts to one."""
    for service in ctx.services():
        data = service.data
        for key in _SWITCHES & data.keys():
            if _is_odd(data[key]):
                yield ctx.on(service, (key,), f"{key!r} is true or false, not {str(data[key])!r}.")
        for path, value in _inner_switches(data):
            if _is_odd(value):
                yield ctx.on(service, path, f"'{path[-1]}' is true or false, not {str(value)!r}.")


_SWITCHES = frozenset({"init", "tty", "stdin_open", "privileged", "read_only", "oom_kill_disable", "attach"})
_LISTED = {"env_file": ("required",), "volumes": ("read_only",)}
_WORDS = frozenset({"true", "false", "y", "n", "yes", "no", "on", "off", "1", "0", "t", "f"})


def _is_odd(value: Any) -> bool:
    return isinstance(value, str) and not is_open(value) and value.lower() not in _WORDS


def _inner_switches(data: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    for field, names in _LISTED.items():
        part = data.get(field)
        for n, item in enumerate(part if isinstance(part, list) else ()):
            for name in names if isinstance(item, dict) else ():
                yield (field, n, name), item.get(name)
    check, needs = data.get("healthcheck"), data.get("depends_on")
    if isinstance(check, dict):
        yield ("healthcheck", "disable"), check.get("disable")
    for key, item in needs.items() if isinstance(needs, dict) else ():
        for name in ("restart", "required") if isinstance(item, dict) else ():
            yield ("depends_on", key, name), item.get(name)


@rule(
    "HL249",
    Severity.ERROR,
    "Settings of build, develop or limits that do not go together",
    why="Compose or the engine refuses two ways to say one thing, one that lacks its other half, and numbers outside "
    "their range.",
    link="https://docs.docker.com/reference/compose-file/build/",
    bad="services:\n  web:\n    build: {context: ., dockerfile: a.Dockerfile, dockerfile_inline: FROM nginx}\n",
    good="services:\n  web:\n    build: {context: ., dockerfile: a.Dockerfile}\n",
)
def bad_pair(ctx: LintContext) -> Iterable[Finding]:
    """``dockerfile`` twice, ``sync`` without a target, reservations above limits, weights and modes out of range."""
    for service in ctx.services():
        for key in _CHECKS.keys() & service.data.keys():
            yield from _CHECKS[key](ctx, service)


def _build(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    build = service.data["build"]
    if isinstance(build, dict) and build.get("dockerfile") and build.get("dockerfile_inline"):
        yield ctx.on(service, ("build", "dockerfile_inline"), "'dockerfile' says this already.", key=True)


def _deploy(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    reserved = _float(value_at(service.data, (*RESERVED, "cpus")))
    limit = _float(value_at(service.data, (*LIMITS, "cpus"))) if reserved else None
    if limit and reserved and reserved > limit:
        yield ctx.on(service, (*RESERVED, "cpus"), "More CPU is reserved than the limit allows.")
    yield from _two_policies(ctx, service)


def _weight(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    weight = _float(value_at(service.data, ("blkio_config", "weight")))
    if weight and not 10 <= weight <= 1000:
        yield ctx.on(service, ("blkio_config", "weight"), "A weight is 10 to 1000.")


def _isolation(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    if service.data["isolation"] in ("process", "hyperv"):
        message = f"Docker on Linux knows no isolation {service.data['isolation']!r}."
        yield ctx.on(service, ("isolation",), message)


def _volumes_from(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    for text, path in texts(service, "volumes_from"):
        mode = text.removeprefix("container:").partition(":")[2]
        if mode and mode not in {"ro", "rw", "z", "Z"}:
            yield ctx.on(service, path, f"{mode!r} is no mode: ro or rw.")


def _mounts(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    part = service.data["volumes"]
    for n, item in enumerate(part if isinstance(part, list) else ()):
        spread = value_at(item, ("bind", "propagation")) if isinstance(item, dict) else None
        if isinstance(spread, str) and spread and spread.removeprefix("r") not in _SPREAD and not is_open(spread):
            yield ctx.on(service, ("volumes", n, "bind", "propagation"), f"There is no propagation {str(spread)!r}.")


def _runtime(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    runtime = service.data["runtime"]
    if isinstance(runtime, str) and runtime not in _RUNTIMES:
        near = difflib.get_close_matches(runtime, _RUNTIMES, n=1, cutoff=0.75)
        if near:
            message = f"Docker knows no runtime {str(runtime)!r} of itself. Did you mean {near[0]!r}?"
            yield ctx.on(service, ("runtime",), message, severity=Severity.WARNING)


def _devices(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    for text, path in texts(service, "devices"):
        parts = text.split(":")
        if len(parts) == 3 and not re.fullmatch("[rwm]{1,3}", parts[2]):
            yield ctx.on(service, path, f"{parts[2]!r} is no access: r, w and m, such as rwm.")


_SPREAD = frozenset({"private", "shared", "slave"})
_RUNTIMES = frozenset({"nvidia", "runc", "runsc", "kata", "kata-runtime", "sysbox-runc", "crun", "youki"})


def _float(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, int | float | str) and not is_open(value) else None
    except ValueError:
        return None


def _watches(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    watch = value_at(service.data, ("develop", "watch"))
    for n, item in enumerate(watch if isinstance(watch, list) else ()):
        action = item.get("action") if isinstance(item, dict) else None
        if action in {"sync", "sync+restart", "sync+exec"} and not item.get("target"):
            yield ctx.on(service, ("develop", "watch", n), f"The action {action!r} needs a 'target'.")


def _platform(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    text = service.data.get("platform")
    if isinstance(text, str) and text and not is_open(text):
        parts = text.split("/")
        known = parts[0] in _SYSTEMS and (len(parts) < 2 or parts[1] in _MACHINES) and len(parts) < 4
        if not known and not (len(parts) == 1 and parts[0] in _MACHINES):
            yield ctx.on(
                service, ("platform",), f"There is no platform {str(text)!r}; write linux/amd64 or linux/arm64."
            )


_SYSTEMS = frozenset({"linux", "windows", "darwin", "freebsd", "wasi", "wasip1"})
_MACHINES = frozenset(
    {"amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64", "mips64le", "mips64", "loong64", "x86_64"}
    | {"wasm", "aarch64", "armhf", "armel", "i386", "x86-64", "loongarch64"}
)


def _two_policies(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    condition = value_at(service.data, ("deploy", "restart_policy", "condition"))
    meant = {"any": {"always", "unless-stopped"}, "none": {"no"}, "on-failure": {"on-failure"}}.get(str(condition))
    if meant and service.restart and service.restart.partition(":")[0] not in meant:
        message = f"'restart' says {service.restart!r}: the two do not agree."
        path: Path = ("deploy", "restart_policy", "condition")
        yield ctx.on(service, path, message, severity=Severity.WARNING)


_CHECKS: Mapping[str, Callable[[LintContext, ServiceView], Iterator[Finding]]] = {
    "build": _build,
    "develop": _watches,
    "deploy": _deploy,
    "blkio_config": _weight,
    "isolation": _isolation,
    "volumes_from": _volumes_from,
    "volumes": _mounts,
    "runtime": _runtime,
    "devices": _devices,
    "platform": _platform,
}


@rule(
    "HL250",
    Severity.WARNING,
    "A network or mount that keeps a service from working",
    why="A database cannot write into a read-only folder; ports of a service on internal networks alone are published "
    "to nobody; one alias for two containers is answered by either; addresses of the internet used inside hide the "
    "real ones.",
    link="https://docs.docker.com/reference/compose-file/networks/",
    bad="services:\n  db:\n    image: mariadb:11.8\n    volumes: ['./db:/var/lib/mysql:ro']\n",
    good="services:\n  db:\n    image: mariadb:11.8\n    volumes: ['./db:/var/lib/mysql']\n",
)
def keeps_from_working(ctx: LintContext) -> Iterable[Finding]:
    """Read-only data, ports on internal networks, aliases twice, public subnets, volumes without their options."""
    aliases: dict[tuple[str, str], ServiceView] = {}
    for service in ctx.services():
        if is_database(service) and not is_client(service):
            folder = data_folder(service) or ("/data" if service.image_name in CACHES else "")
            for mount in service.mounts:
                if folder and mount.read_only and mount.target.rstrip("/") == folder:
                    message = "The database cannot write into its own folder: it is mounted read-only."
                    yield ctx.on(service, mount.path, message, severity=Severity.ERROR)
        yield from _nobody(ctx, service)
        yield from _aliases(ctx, service, aliases)
    for stack in ctx.lab.stacks:
        for name, body in stack.section("networks").items():
            for n, item in enumerate(_configs(body)):
                subnet = item.get("subnet") if isinstance(item, dict) else None
                if isinstance(subnet, str) and not is_open(subnet) and _public(subnet):
                    message = f"{subnet} belongs to somebody on the internet: from here it cannot be reached any more."
                    yield ctx.at(stack, ("networks", name, "ipam", "config", n, "subnet"), message)
        for name, body in stack.section("volumes").items():
            yield from _volume(ctx, stack, name, body)


def _nobody(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    bodies = [service.stack.section("networks").get(key) for key in service.networks]
    internal = bodies and all(isinstance(b, dict) and b.get("internal") in (True, "true") for b in bodies)
    if internal and service.published and not service.network_mode:
        message = "All its networks are internal: nothing is published, whatever stands here."
        yield ctx.on(service, service.published[0][0].path, message)
    elif internal and service.image_name in _OUTWARD and not service.network_mode and not service.partial:
        first = next(iter(service.networks.values()))
        yield ctx.on(service, first, "All its networks are internal, and it works with the internet.")


_OUTWARD = frozenset(
    {"gluetun", "cloudflared", "watchtower", "diun", "ddns-updater", "duckdns", "cloudflare-ddns", "tailscale"}
    | {"speedtest-tracker", "qbittorrent", "prowlarr", "transmission", "sabnzbd"}
)
"""Programs whose work is out on the internet."""


def _aliases(ctx: LintContext, service: ServiceView, seen: dict[tuple[str, str], ServiceView]) -> Iterator[Finding]:
    networks = service.data.get("networks")
    for key, options in networks.items() if isinstance(networks, dict) else ():
        part = options.get("aliases") if isinstance(options, dict) else None
        real = service.stack.real_network(str(key))
        for n, alias in enumerate(part if isinstance(part, list) else ()):
            other = seen.setdefault((real, str(alias)), service)
            namesake = service.stack.service(str(alias))
            if namesake is not None and namesake is not service and real in namesake.real_networks:
                other = namesake
            if other is not service and service.is_beside(other) and isinstance(alias, str) and not is_open(alias):
                message = f"{other.name!r} answers to {str(alias)!r} too: which one is asked is chance."
                yield ctx.on(service, ("networks", key, "aliases", n), message)


def _configs(body: Any) -> list[Any]:
    found = value_at(body, ("ipam", "config"))
    return found if isinstance(found, list) else []


def _public(subnet: str) -> bool:
    try:
        network = ipaddress.ip_network(subnet, strict=False)
    except ValueError:
        return False
    return network.is_global and not network.is_multicast


def _volume(ctx: LintContext, stack: Any, name: str, body: Any) -> Iterator[Finding]:
    options = body.get("driver_opts") if isinstance(body, dict) else None
    if (
        not isinstance(options, dict)
        or body.get("driver") not in (None, "local")
        or any(map(is_open, options.values()))
    ):
        return
    kind, given = str(options.get("type") or ""), str(options.get("o") or "")
    path: Path = ("volumes", name, "driver_opts")
    if kind.startswith("nfs") and "addr=" not in given and "://" not in given:
        message = "NFS needs the server in 'o': addr=192.168.1.10,rw."
        yield ctx.at(stack, path, message, severity=Severity.ERROR, key=True)
    elif kind.startswith("nfs") and options.get("device") and ":" not in str(options["device"]):
        message = "What NFS mounts is written with a colon: ':/export/media', the server being in 'o'."
        yield ctx.at(stack, (*path, "device"), message, severity=Severity.ERROR)
    elif kind == "cifs" and options.get("device") and not str(options["device"]).startswith(("//", "\\\\")):
        message = "What CIFS mounts begins with two slashes: //192.168.1.10/share."
        yield ctx.at(stack, (*path, "device"), message, severity=Severity.ERROR)
    elif kind in {"none", "bind"} and options.get("device") and "bind" not in given:
        message = "A folder of the host needs 'o: bind'."
        yield ctx.at(stack, path, message, severity=Severity.ERROR, key=True)
