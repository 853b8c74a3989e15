"""HL106 to HL107: files that the compose file names and that are not on disk."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Any

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.view import ServiceView, StackView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

SERVICES = "https://docs.docker.com/reference/compose-file/services/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"


def _readable(path: Any) -> bool:
    """True for a path of this machine that is known to its last character."""
    return isinstance(path, str) and bool(path) and not is_open(path) and "://" not in path and path[0] not in "~$"


def _needed(service: ServiceView) -> Iterator[tuple[Any, Path]]:
    """Files without which Compose refuses a service, and where they are named."""
    files = service.data.get("env_file")
    single = isinstance(files, str)
    for n, item in enumerate([files] if single else files if isinstance(files, list) else ()):
        path: Path = ("env_file",) if single else ("env_file", n)
        if isinstance(item, dict):
            if item.get("required") not in (False, "false"):
                yield item.get("path"), (*path, "path")
        else:
            yield item, path
    extends = service.data.get("extends")
    if isinstance(extends, dict) and extends.get("file") and not service.stack.reads:
        yield extends["file"], ("extends", "file")
    options = service.data.get("security_opt")
    for n, item in enumerate(options if isinstance(options, list) else ()):
        # Compose reads a seccomp profile itself, and hands its text to the engine.
        profile = _PROFILE.fullmatch(item) if isinstance(item, str) else None
        if profile and not is_open(item):
            yield profile[1], ("security_opt", n)


_PROFILE = re.compile(r"seccomp[:=](?!unconfined$|builtin$|\{)(.+)")


def _of_stack(stack: StackView) -> Iterator[tuple[Any, Path]]:
    included = stack.model.data.get("include") if stack.model and not stack.reads else None
    for n, item in enumerate(included if isinstance(included, list) else ()):
        paths = item.get("path") if isinstance(item, dict) else item
        for each in paths if isinstance(paths, list) else [paths]:
            yield each, ("include", n)
    for section in ("secrets", "configs"):
        used = {name for s in stack.services for name in _names(s.data.get(section))}
        for name, body in stack.section(section).items():
            if isinstance(body, dict) and body.get("file") and name in used:
                yield body["file"], (section, name, "file")


def _names(part: Any) -> Iterator[str]:
    for item in part if isinstance(part, list) else ():
        yield str(item.get("source") if isinstance(item, dict) else item)


@rule(
    "HL106",
    Severity.ERROR,
    "A file that is not there",
    why="Compose refuses a stack whose env_file, extended or included file or seccomp profile is missing; the engine "
    "one whose secret or config is.",
    link=f"{SERVICES}#env_file",
    bad=f"{HEAD}    env_file: missing.env\n",
    good=f"{HEAD}    env_file: [{{path: missing.env, required: false}}]\n",
)
def missing_file(ctx: LintContext) -> Iterable[Finding]:
    """A file that is needed and not on disk; silent where nobody can look."""
    for stack in ctx.lab.stacks:
        yield from ctx.troubles(stack, "missing")
        if stack.exists is None:
            continue
        for text, path in _of_stack(stack):
            if _readable(text) and not stack.exists(text):
                yield ctx.at(stack, path, f"There is no file {str(text)!r}.")
        for service in stack.services:
            for text, path in _needed(service):
                if _readable(text) and not stack.exists(text):
                    # Compose looks for it only when a profile of the service is switched on.
                    severity = Severity.WARNING if service.profiles else None
                    yield ctx.on(service, path, f"There is no file {str(text)!r}.", severity=severity)


@rule(
    "HL107",
    Severity.ERROR,
    "A mounted file that is not there",
    why="Docker makes a folder of that name in its place, and the program finds a folder where its settings should be.",
    link="https://docs.docker.com/engine/storage/bind-mounts/",
    bad=f"{HEAD}    volumes: ['./missing.conf:/etc/nginx/nginx.conf:ro']\n",
    good=f"{HEAD}    volumes: ['./data:/data']\n",
)
def missing_mount(ctx: LintContext) -> Iterable[Finding]:
    """A bind mount whose source looks like a file (it has an extension, as its target has) and is not on disk."""
    for service in ctx.having("volumes"):
        exists = service.stack.exists
        for mount in service.mounts if exists else ():
            source = mount.source
            suffix = posixpath.splitext(source)[1]
            like_file = suffix and suffix == posixpath.splitext(mount.target)[1] and suffix != ".d"
            named = mount.kind == "bind" and not mount.open and _readable(source) and like_file and suffix != ".sock"
            if exists and named and not exists(source):
                yield ctx.on(service, mount.at("source"), f"There is no file {source!r}: Docker would make a folder.")
