"""HL110 to HL119: what makes a service hard to keep running."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import HUNGRY, UNCHECKED
from homelab_mcp.core.checks.traefik_static import static_config
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.stack_host import SWARM
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

SERVICES = "https://docs.docker.com/reference/compose-file/services/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"
_MOVING = frozenset({"latest", "stable", "nightly", "edge", "main", "master", "develop", "dev", "beta", "release"})


@rule(
    "HL110",
    Severity.WARNING,
    "A tag that moves",
    why="What runs after the next pull is not what runs now, and there is no way to say what ran before.",
    link="https://docs.docker.com/build/building/best-practices/#pin-base-image-versions",
    bad="services:\n  web:\n    image: nginx:latest\n",
    good=HEAD,
)
def moving_tag(ctx: LintContext) -> Iterable[Finding]:
    """``latest`` and the like without a digest."""
    for service in ctx.services():
        # What is built here is called by a name of one's own, and pulled from nowhere.
        if service.image and "@" not in service.image and not service.data.get("build"):
            tag = service.image.rsplit("/", 1)[-1].partition(":")[2].lower()
            if tag in _MOVING or tag.startswith(("latest-", "nightly-")) or tag.endswith("-latest"):
                yield ctx.on(service, ("image",), f"The tag {tag!r} moves; pin a release.")


@rule(
    "HL111",
    Severity.WARNING,
    "No tag",
    why="No tag means latest: what runs after the next pull is not what runs now.",
    link="https://docs.docker.com/build/building/best-practices/#pin-base-image-versions",
    bad="services:\n  web:\n    image: nginx\n",
    good=HEAD,
)
def no_tag(ctx: LintContext) -> Iterable[Finding]:
    """An image reference without tag and digest."""
    for service in ctx.services():
        if service.image and ":" not in service.image.rsplit("/", 1)[-1] and not service.data.get("build"):
            yield ctx.on(service, ("image",), "Without a tag it is 'latest'; pin a release.")


@rule(
    "HL112",
    Severity.INFO,
    "No memory limit",
    why="One leaking container can take the whole host down.",
    link="https://docs.docker.com/engine/containers/resource_constraints/",
    bad=HEAD,
    good=f"{HEAD}    mem_limit: 256m\n",
)
def no_memory_limit(ctx: LintContext) -> Iterable[Finding]:
    """Neither ``mem_limit`` nor ``deploy.resources.limits.memory``; a warning for programs that take all there is."""
    for service in ctx.services():
        if not service.partial and "mem_limit" not in service.data and not _limit(service.data):
            severity = Severity.WARNING if service.image_name in HUNGRY else None
            yield ctx.on(service, (), "It has no memory limit.", severity=severity)


def _limit(data: dict[str, Any]) -> bool:
    part: Any = data
    for key in ("deploy", "resources", "limits", "memory"):
        part = part.get(key) if isinstance(part, dict) else None
    return part is not None


@rule(
    "HL113",
    Severity.INFO,
    "No health check",
    why="Docker calls it running while it answers nothing; nothing can wait for it. (The image may bring its own.)",
    link=f"{SERVICES}#healthcheck",
    bad=HEAD,
    good=f"{HEAD}    healthcheck:\n      test: [CMD, curl, -f, http://localhost]\n",
)
def no_health_check(ctx: LintContext) -> Iterable[Finding]:
    """No ``healthcheck``; a warning for a database that others wait for, where its image is known to bring none."""
    awaited = _awaited(ctx)
    for service in ctx.services():
        if not service.partial and "healthcheck" not in service.data:
            early = id(service) in awaited and service.image_name in UNCHECKED
            message = "It has no health check" + (": who depends on it starts before it answers." if early else ".")
            yield ctx.on(service, (), message, severity=Severity.WARNING if early else None)


def _awaited(ctx: LintContext) -> set[int]:
    """``id()`` of the services that others depend on."""
    from homelab_mcp.core.checks.rules_dependencies import dependencies

    others = [s.stack.service(name) for s in ctx.having("depends_on") for name in dependencies(s)]
    return {id(other) for other in others if other}


@rule(
    "HL114",
    Severity.WARNING,
    "No restart policy",
    why="After a crash or a reboot it stays down until somebody notices.",
    link=f"{SERVICES}#restart",
    bad=HEAD,
    good=f"{HEAD}    restart: unless-stopped\n",
)
def no_restart(ctx: LintContext) -> Iterable[Finding]:
    """Neither ``restart`` nor ``deploy.restart_policy``."""
    once = jobs_that_end(ctx)
    for service in ctx.services():
        deploy = service.data.get("deploy")
        policy = isinstance(deploy, dict) and "restart_policy" in deploy
        if service.partial or service.stack.engine == SWARM or (isinstance(deploy, dict) and BY_SWARM & deploy.keys()):
            continue  # Swarm starts again whatever ends, unless it is told otherwise.
        if "restart" not in service.data and not policy and id(service) not in once:
            yield ctx.on(service, (), "It has no restart policy.")


BY_SWARM = frozenset({"mode", "placement", "endpoint_mode", "update_config", "rollback_config"})
"""Keys of ``deploy`` that only Swarm heeds: who writes one means the file for it."""


def jobs_that_end(ctx: LintContext) -> set[int]:
    """``id()`` of the services whose end another one waits for."""
    from homelab_mcp.core.checks.rules_dependencies import dependencies

    found: set[int] = set()
    for service in ctx.services():
        for name, (_, options) in dependencies(service).items():
            other = service.stack.service(name)
            if other and options.get("condition") == "service_completed_successfully":
                found.add(id(other))
    return found


@rule(
    "HL115",
    Severity.INFO,
    "Logs without an end",
    why="Docker's default json-file log grows until the disk is full.",
    link="https://docs.docker.com/engine/logging/configure/",
    bad=HEAD,
    good=f"{HEAD}    logging:\n      driver: json-file\n      options: {{max-size: 10m, max-file: '3'}}\n",
)
def endless_logs(ctx: LintContext) -> Iterable[Finding]:
    """json-file logging without ``max-size``."""
    for service in ctx.services():
        logging = service.data.get("logging")
        if service.partial or is_open(logging):
            continue
        options = logging.get("options") if isinstance(logging, dict) else None
        driver = logging.get("driver", "json-file") if isinstance(logging, dict) else "json-file"
        if driver == "json-file" and not (isinstance(options, dict) and "max-size" in options):
            path: Path = ("logging",) if logging else ()
            message = "Its log has no size limit here (the engine's daemon.json may set one)."
            # Who names the driver thought of the log, and believes it is bounded.
            written = isinstance(logging, dict) and "driver" in logging
            grave = written or _says_much(ctx, service)
            yield ctx.on(service, path, message, key=True, severity=Severity.WARNING if grave else None)


def _says_much(ctx: LintContext, service: ServiceView) -> bool:
    """Whether it is told to: a line for each request of Traefik's, or everything that helps who looks for a fault."""
    if any(_LEVEL.search(e.key) and (e.value or "").lower() in _MUCH for e in service.environment.values()):
        return True
    static = static_config(ctx.lab) if service is ctx.lab.traefik else None
    if static is None:
        return False
    on = any(option == "accesslog" or option.startswith("accesslog.") for option in static.options)
    off = static.options.get("accesslog", "").lower() in {"false", "f", "0"}
    file = static.options.get("accesslog.filepath", "")
    requests = on and not off and file in {"", "/dev/stdout", "/dev/stderr"}
    return requests or static.options.get("log.level", "").lower() in _MUCH


_LEVEL = re.compile(r"(?:^|_)LOG_?LEVEL$|^(?:VERBOSE|DEBUG)$", re.IGNORECASE)
_MUCH = frozenset({"debug", "trace", "true", "verbose"})
