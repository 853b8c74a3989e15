"""HL010 to HL019: the Compose Specification, and what Compose asks beyond its schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.schema import non_text_keys
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

SPEC = "https://docs.docker.com/reference/compose-file/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"


@rule(
    "HL010",
    Severity.ERROR,
    "Breaks the Compose Specification",
    why="Compose refuses the file.",
    link=SPEC,
    bad=f"{HEAD}    restart: false\n",
    good=f'{HEAD}    restart: "no"\n',
)
def breaks_schema(ctx: LintContext) -> Iterable[Finding]:
    """A value of the wrong type or form."""
    return _schema(ctx, unknown=False)


@rule(
    "HL011",
    Severity.ERROR,
    "Unknown key",
    why="Compose refuses keys it does not know; extensions begin with 'x-'.",
    link=SPEC,
    bad="services:\n  web:\n    imgae: nginx:1.29\n",
    good=HEAD,
)
def unknown_key(ctx: LintContext) -> Iterable[Finding]:
    """A key that the specification has not, or one that is no text."""
    yield from _schema(ctx, unknown=True)
    for stack in ctx.lab.files:
        # A mapping that should be none is HL010's.
        wrong = {problem.path for problem in stack.schema_problems if not problem.key}
        for path in non_text_keys(stack.model.raw) if stack.model and not stack.is_json else ():
            if path[:-1] not in wrong:
                yield ctx.at(stack, path, f"The key {path[-1]!r} must be text; quote it.", key=True)


def _schema(ctx: LintContext, *, unknown: bool) -> Iterator[Finding]:
    for stack in ctx.lab.files:
        if not stack.model:
            continue
        if not isinstance(stack.model.raw, dict):
            if not unknown:
                message = "The file is empty." if stack.model.raw is None else "A compose file is a mapping."
                yield ctx.at(stack, (), message)
            continue
        for problem in stack.schema_problems:
            if bool(problem.key) == unknown:
                yield ctx.at(stack, problem.path, problem.message, key=bool(problem.key) or problem.at_key)
    for whole in ctx.lab.stacks:
        for problem in whole.merged_problems:
            if bool(problem.key) == unknown:
                yield ctx.at(whole, problem.path, problem.message, key=bool(problem.key) or problem.at_key)


@rule(
    "HL012",
    Severity.ERROR,
    "Neither image nor build",
    why="Compose does not know what to run.",
    link=f"{SPEC}services/#image",
    bad="services:\n  web:\n    restart: unless-stopped\n",
    good=HEAD,
)
def nothing_to_run(ctx: LintContext) -> Iterable[Finding]:
    """A service with neither ``image`` nor ``build``."""
    for service in ctx.services():
        if service.partial or "provider" in service.data or service.data.get("build"):
            continue
        if not service.data.get("image"):
            path: Path = ("image",) if "image" in service.data else ()
            yield ctx.on(service, path, "It has neither 'image' nor 'build'.")


@rule(
    "HL013",
    Severity.ERROR,
    "Not an image reference",
    why="Compose and the engine refuse it: a reference is [registry/]name[:tag][@digest], the name in lower case.",
    link="https://docs.docker.com/reference/cli/docker/image/tag/",
    bad="services:\n  web:\n    image: Nginx:1.29\n",
    good=HEAD,
)
def bad_image(ctx: LintContext) -> Iterable[Finding]:
    """An image reference the engine cannot read."""
    for service in ctx.services():
        if service.image and not _IMAGE.fullmatch(service.image):
            yield ctx.on(
                service, ("image",), "That is no image reference ([registry/]name[:tag][@digest], lower case)."
            )


# The first of two parts is a registry only with a dot, a port or as localhost: Grafana/grafana is none.
_IMAGE = re.compile(
    r"(?:(?=[^/]*[.:]|localhost/)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[A-Za-z0-9+._-]+:[0-9a-fA-F]{32,})?"
)


@rule(
    "HL014",
    Severity.ERROR,
    "A restart policy that Docker does not know",
    why="Compose lets it pass, then the engine refuses to make the container.",
    link=f"{SPEC}services/#restart",
    bad=f"{HEAD}    restart: allways\n",
    good=f"{HEAD}    restart: always\n",
)
def bad_restart(ctx: LintContext) -> Iterable[Finding]:
    """``restart`` is none of no, always, on-failure[:n], unless-stopped."""
    for service in ctx.services():
        if service.restart and not is_open(service.data["restart"]) and not _RESTART.fullmatch(service.restart):
            # Compose drops a count that is none, without a word.
            severity = Severity.WARNING if service.restart.startswith("on-failure:") else None
            message = "The policies are no, always, unless-stopped and on-failure[:times]."
            yield ctx.on(service, ("restart",), message, severity=severity)


_RESTART = re.compile(r"no|always|unless-stopped|on-failure(?::[0-9]+)?")


@rule(
    "HL015",
    Severity.INFO,
    "The obsolete 'version' key",
    why="Compose ignores it and warns each time; it says nothing about the file any more.",
    link=f"{SPEC}version-and-name/",
    bad=f"version: '3.8'\n{HEAD}",
    good=HEAD,
)
def obsolete_version(ctx: LintContext) -> Iterable[Finding]:
    """A top-level ``version``."""
    for stack in ctx.lab.files:
        if stack.model and "version" in stack.model.data:
            yield ctx.at(stack, ("version",), "Compose ignores 'version'; remove it.", key=True)


@rule(
    "HL016",
    Severity.ERROR,
    "Not a duration",
    why="Compose refuses it: durations are written like 30s, 1m30s or 500ms.",
    link=f"{SPEC}extension/#specifying-durations",
    bad=f"{HEAD}    healthcheck:\n      test: [CMD, true]\n      interval: 30 seconds\n",
    good=f"{HEAD}    healthcheck:\n      test: [CMD, 'true']\n      interval: 30s\n",
)
def bad_duration(ctx: LintContext) -> Iterable[Finding]:
    """A duration without a unit that Compose knows."""
    for service in ctx.services():
        check = service.data.get("healthcheck")
        places: list[tuple[Path, object]] = [(("stop_grace_period",), service.data.get("stop_grace_period"))]
        if isinstance(check, dict):
            names = ("interval", "timeout", "start_period", "start_interval")
            places += [(("healthcheck", name), check.get(name)) for name in names]
        for path, value in places:
            if isinstance(value, str) and not is_open(value) and not _DURATION.fullmatch(value):
                yield ctx.on(service, path, "That is no duration; write it like 30s, 1m30s or 500ms.")


_DURATION = re.compile(r"0|(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|m|h|d|w|y))+")


@rule(
    "HL017",
    Severity.ERROR,
    "Not a size",
    why="Compose refuses it: sizes are written like 512m, 1.5g or 2GiB; Kubernetes' 512Mi is none.",
    link=f"{SPEC}extension/#specifying-byte-values",
    bad=f"{HEAD}    mem_limit: 512 megs\n",
    good=f"{HEAD}    mem_limit: 512m\n",
)
def bad_size(ctx: LintContext) -> Iterable[Finding]:
    """A byte size that Compose cannot read."""
    for service in ctx.services():
        places: list[tuple[Path, object]] = [
            ((key,), service.data.get(key)) for key in ("mem_limit", "mem_reservation", "shm_size", "memswap_limit")
        ]
        deploy = service.data.get("deploy")
        resources = deploy.get("resources") if isinstance(deploy, dict) else None
        for part in ("limits", "reservations"):
            limit = resources.get(part) if isinstance(resources, dict) else None
            if isinstance(limit, dict):
                places.append((("deploy", "resources", part, "memory"), limit.get("memory")))
        volumes = service.data.get("volumes")
        for n, item in enumerate(volumes if type(volumes) is list else ()):
            tmpfs = item.get("tmpfs") if type(item) is dict else None
            if isinstance(tmpfs, dict):
                places.append((("volumes", n, "tmpfs", "size"), tmpfs.get("size")))
        for path, value in places:
            if isinstance(value, str) and not is_open(value) and not _SIZE.fullmatch(value):
                yield ctx.on(service, path, "That is no size; write it like 512m or 1.5g.")


_SIZE = re.compile(r"-1|[0-9]+(?:\.[0-9]+)? ?(?:[kKmMgGtTpP](?:[iI]?[bB])?|[bB])?")


@rule(
    "HL018",
    Severity.ERROR,
    "The same place in the container mounted twice",
    why="Of two volumes with the very same target Compose takes the last and says nothing. Where it cannot tell that "
    "they are the same ('/data' and '/data/', a volume and a tmpfs), the engine refuses the container.",
    link=f"{SPEC}services/#volumes",
    bad=f"{HEAD}    volumes: ['./a:/data', './b:/data/']\n",
    good=f"{HEAD}    volumes: ['./a:/data', './b:/more']\n",
)
def mounted_twice(ctx: LintContext) -> Iterable[Finding]:
    """Two volumes with one target."""
    for service in ctx.services():
        seen: dict[str, str] = {}
        for mount in service.mounts:
            target = mount.target.rstrip("/") or "/"
            if mount.target and not mount.open and target in seen:
                same = seen[target] == mount.target
                message = f"{target!r} is already mounted above" + ("; only this one counts." if same else ".")
                yield ctx.on(service, mount.at("target"), message, severity=Severity.WARNING if same else None)
            seen.setdefault(target, mount.target)
        part = service.data.get("tmpfs")
        for n, item in enumerate(part if isinstance(part, list) else [part]):
            if isinstance(item, str) and item.partition(":")[0].rstrip("/") in seen:
                path: Path = ("tmpfs", n) if isinstance(part, list) else ("tmpfs",)
                yield ctx.on(service, path, f"{item.partition(':')[0]!r} is a volume's place already.")


@rule(
    "HL019",
    Severity.ERROR,
    "container_name with several replicas",
    why="A container's name is unique on a host: the second replica cannot start.",
    link=f"{SPEC}services/#container_name",
    bad=f"{HEAD}    container_name: web\n    deploy:\n      replicas: 2\n",
    good=f"{HEAD}    deploy:\n      replicas: 2\n",
)
def named_replicas(ctx: LintContext) -> Iterable[Finding]:
    """``container_name`` beside ``scale`` or ``replicas`` above one."""
    for service in ctx.services():
        deploy = service.data.get("deploy")
        replicas = [service.data.get("scale"), deploy.get("replicas") if isinstance(deploy, dict) else None]
        if service.data.get("container_name") and any(_SEVERAL.fullmatch(str(n)) for n in replicas):
            yield ctx.on(service, ("container_name",), "A service with a fixed container_name has one replica at most.")


_SEVERAL = re.compile(r"0*(?:[2-9]|1[0-9])[0-9]*")
