"""HL248, HL249: switches, and settings that exclude or need each other."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_container import texts
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
            # daemon.json may give any name to a runtime, and nobody has asked Docker for its own.
            message = f"Docker knows no runtime {str(runtime)!r} of itself. Did you mean {near[0]!r}?"
            yield ctx.on(service, ("runtime",), message, severity=Severity.WARNING)


def _devices(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    for text, path in texts(service, "devices"):
        parts = text.split(":")
        if len(parts) == 3 and not re.fullmatch("[rwm]{1,3}", parts[2]):
            yield ctx.on(service, path, f"{parts[2]!r} is no access: r, w and m, such as rwm.")


_SPREAD = frozenset({"private", "shared", "slave"})
_RUNTIMES = frozenset(
    {"nvidia", "runc", "runsc", "kata", "kata-runtime", "sysbox-runc", "crun", "krun", "youki", "kata-qemu"}
    | {"nvidia-cdi", "nvidia-legacy", "nvidia-container-runtime", "runsc-kvm", "runsc-ptrace"}
)


def _float(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, int | float | str) and not is_open(value) else None
    except (ValueError, OverflowError):
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
