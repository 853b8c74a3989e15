"""Which files and folders the stacks of a lab name, so that nobody takes one of them for left over."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any

from homelab_mcp.core.checks.rules_security import of_file
from homelab_mcp.core.checks.view import Lab, ServiceView, StackView
from homelab_mcp.core.compose_model import is_open


def folders_used(lab: Lab) -> frozenset[str]:
    """Every path that some stack names, its own folder and the folders above, from the lab's root; worked out once."""
    known: frozenset[str] | None = lab.memo.get("folders used")
    if known is None:
        named = {
            posixpath.normpath(posixpath.join(posixpath.dirname(file), path))
            for stack in lab.stacks
            for file, path in _of_stack(stack)
        }
        known = lab.memo["folders used"] = frozenset(above for path in named for above in _above(path))
    return known


def _above(path: str) -> Iterator[str]:
    # The folder above "//", which POSIX tells from "/", is itself.
    while path not in ("", ".") and posixpath.dirname(path) != path:
        yield path
        path = posixpath.dirname(path)


def _of_stack(stack: StackView) -> Iterator[tuple[str, str]]:
    """(the file that names it, a path as written)."""
    yield stack.file, "."
    for each in stack.files:
        yield each.file, posixpath.basename(each.file)
        for named, _, _ in of_file(each.model) if each.model else ():
            yield from ((each.file, path) for path in _texts(named))
    parts = [part for s in stack.services for part in _of_service(s)]
    for section in ("configs", "secrets"):
        parts += [body.get("file") for body in stack.section(section).values() if isinstance(body, dict)]
    for body in stack.section("volumes").values():
        options = body.get("driver_opts") if isinstance(body, dict) else None
        parts.append(options.get("device") if isinstance(options, dict) else None)
    yield from ((stack.file, path) for part in parts for path in _texts(part))


def _of_service(service: ServiceView) -> Iterator[Any]:
    yield from (m.source for m in service.mounts if m.kind == "bind" and not m.open)
    data = service.data
    yield from (data.get("label_file"), data.get("env_file"))
    env_files = data.get("env_file")
    yield from (e.get("path") for e in (env_files if isinstance(env_files, list) else ()) if isinstance(e, dict))
    build = data.get("build")
    yield build
    if isinstance(build, dict):
        yield build.get("context")
        more = build.get("additional_contexts")
        yield list(more.values()) if isinstance(more, dict) else more
    develop = data.get("develop")
    watch = develop.get("watch") if isinstance(develop, dict) else None
    yield from (w.get("path") for w in (watch if isinstance(watch, list) else ()) if isinstance(w, dict))


def _texts(part: Any) -> Iterator[str]:
    """The text or the texts of a list, but for those with a variable that has no value."""
    for each in part if isinstance(part, list) else [part]:
        if isinstance(each, str) and each and not is_open(each):
            yield str(each)
