"""Where services of a stack keep their data on disk: what is theirs alone, what they share, what is elsewhere."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from homelab_mcp.core.compose_meaning import named_volumes
from homelab_mcp.core.operations.lab_view import expand, view
from homelab_mcp.core.operations.volume_edit import source_of
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import Snapshot


@dataclass(slots=True)
class Places:
    """The data of some services of one stack; paths are relative to the lab's root.

    Args:
        own: files and folders of the stack that nobody else of it uses and that exist; a service's folder as a whole
            where all that is in it is these services'.
        shared: those that others of the stack use as well -> who.
        outside: mounts of the host that are not in the stack's folder, as written.
        volumes: named volumes.
        whole: services that mount the stack's folder itself.
        missing: files and folders of theirs alone that are not there (yet).
    """

    own: list[str] = field(default_factory=list)
    shared: dict[str, list[str]] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def places(
    stack: str,
    services: Mapping[str, Any],
    these: Sequence[str],
    env: Mapping[str, str],
    exists: Callable[[str], bool],
    *,
    files: bool = False,
) -> Places:
    """Where these services of a stack keep data.

    Args:
        stack: its name.
        services: all of its services.
        these: those that are meant.
        env: its variables.
        exists: whether a path of the lab is there.
        files: also what they read beside their mounts (``env_file``).
    """
    found = Places()
    others = {n: list(_paths(stack, s, env, files=True)) for n, s in services.items() if n not in these}
    for name in these:
        for path in _paths(stack, services[name], env, files=files):
            if path == stack:
                found.whole.append(name)
                continue
            first = "/".join(path.split("/")[:2])
            if first.partition("/")[2] in these and not _users(first, others) and exists(first):
                path = first
            if users := _users(path, others):
                found.shared[path] = users
            elif exists(path):
                found.own.append(path)
            else:
                found.missing.append(path)
        found.outside += [s for s in _sources(services[name]) if _place(stack, s, env) is None]
        found.volumes += sorted(named_volumes(services[name]))
    # A folder takes what is in it along.
    distinct = sorted(dict.fromkeys(found.own))
    found.own = [p for p in distinct if not any(p.startswith(f"{o}/") for o in distinct)]
    found.volumes = list(dict.fromkeys(found.volumes))
    found.outside = [s for s in dict.fromkeys(found.outside) if s not in found.volumes]
    return found


def used_elsewhere(snapshot: Snapshot, stack: str, paths: Sequence[str]) -> dict[str, list[str]]:
    """What services of other stacks mount of these files and folders, or around them: the path -> ``stack/service``."""
    users: dict[str, list[str]] = {}
    for other in (s for s in view(snapshot).services if s.stack != stack):
        for source in _sources(other.data):
            expanded = expand(source, other.env)
            place = posixpath.normpath(f"{other.stack}/{expanded}") if expanded.startswith(".") else ""
            if place and any(_touch(place, path) for path in paths):
                users.setdefault(place, []).append(other.where)
    return {place: list(dict.fromkeys(names)) for place, names in users.items()}


def refuse_used_elsewhere(snapshot: Snapshot, stack: str, paths: Sequence[str], hint: str) -> None:
    """Raise InvalidInput (``data_shared``) where another stack mounts what would go from its place.

    Who mounts the whole folder of a stack, as a file browser does, needs no part of it in particular.
    """
    for place, users in used_elsewhere(snapshot, stack, paths).items():
        if "/" in place:
            raise InvalidInput(f"{place} is used by {', '.join(users)} as well.", code="data_shared", hint=hint)


def _users(path: str, others: Mapping[str, Sequence[str]]) -> list[str]:
    return [n for n, theirs in others.items() if any(_touch(path, p) for p in theirs)]


def _touch(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _paths(stack: str, service: Any, env: Mapping[str, str], *, files: bool) -> Iterator[str]:
    """Paths of the stack's folder that a service mounts or reads, relative to the lab's root."""
    for source in (*_sources(service), *(_read_files(service) if files else ())):
        place = _place(stack, source, env)
        if place is not None:
            yield place


def _sources(service: Any) -> list[str]:
    volumes = service.get("volumes") if isinstance(service, Mapping) else None
    return [s for v in volumes or () if (s := source_of(v))] if isinstance(volumes, list) else []


def _read_files(service: Any) -> Iterator[str]:
    files = service.get("env_file") if isinstance(service, Mapping) else None
    for item in [files] if isinstance(files, (str, Mapping)) else files or ():
        path = str(item.get("path", "")) if isinstance(item, Mapping) else str(item)
        yield path if path.startswith((".", "/")) and path != ".env" else f"./{path}"


def _place(stack: str, source: str, env: Mapping[str, str]) -> str | None:
    """A source as a path of the lab, None where it is elsewhere (an absolute path, another stack, a named volume)."""
    path = expand(source, env)
    if not path.startswith("."):
        return None
    path = posixpath.normpath(f"{stack}/{path}")
    return path if path == stack or path.startswith(f"{stack}/") else None
