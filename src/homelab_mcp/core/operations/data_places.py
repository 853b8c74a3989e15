"""Where services of a stack keep their data on disk: what is theirs alone, what they share, what is elsewhere."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from homelab_mcp.core.compose_meaning import named_volumes, read
from homelab_mcp.core.operations.lab_view import expand, view
from homelab_mcp.core.operations.stack_as_one import as_one_file, why_unseen
from homelab_mcp.core.operations.volume_edit import source_of
from homelab_mcp.core.stack_host import host_of
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import Snapshot, StackFiles


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
        bound: named volumes of theirs that are but another name of a folder of the stack.
        fixed: files and folders of the stack that they name by a path from the machine's root.
    """

    own: list[str] = field(default_factory=list)
    shared: dict[str, list[str]] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    bound: list[str] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)


def places(
    stack: str,
    services: Mapping[str, Any],
    these: Sequence[str],
    env: Mapping[str, str],
    exists: Callable[[str], bool],
    *,
    files: bool = False,
    root: str = "",
    declared: Mapping[str, Any] = {},
) -> Places:
    """Where these services of a stack keep data.

    Args:
        stack: its name.
        services: all of its services.
        these: those that are meant.
        env: its variables.
        exists: whether a path of the lab is there.
        files: also what they read beside their mounts (``env_file``).
        root: the lab's on its machine; without it a path from the machine's root counts as elsewhere.
        declared: the stack's named volumes, as :func:`declared_volumes` has them; without them each is Docker's own.
    """
    found = Places()
    near = _Near(stack, env, root, declared)
    others = {n: list(near.paths(s, files=True)) for n, s in services.items() if n not in these}
    for name in these:
        for path in near.paths(services[name], files=files):
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
        sources = near.sources(services[name])
        found.outside += [s for s in sources if near.own(s) is None]
        named = (*sources, *(_read_files(services[name]) if files else ()))
        found.fixed += [p for s in named if expand(s, env).startswith("/") and (p := near.own(s))]
        found.volumes += sorted(named_volumes(services[name]))
        found.bound += [v for v in sorted(named_volumes(services[name])) if near.own(near.device(v))]
    # A folder takes what is in it along.
    distinct = sorted(dict.fromkeys(found.own))
    found.own = [p for p in distinct if not any(p.startswith(f"{o}/") for o in distinct)]
    found.volumes = list(dict.fromkeys(found.volumes))
    found.outside = [s for s in dict.fromkeys(found.outside) if s not in found.volumes]
    return found


def used_elsewhere(snapshot: Snapshot, stack: str, paths: Sequence[str], *, root: str = "") -> dict[str, list[str]]:
    """What services of other stacks mount of these files and folders, or around them: the path -> ``stack/service``.

    Of stacks on the same host alone: another one has a disk of its own.
    """
    users: dict[str, list[str]] = {}
    stacks = {s.name: s for s in snapshot.stacks}
    declared: dict[str, Mapping[str, Any]] = {}
    for other in (s for s in view(snapshot).on(_host(snapshot, stack)).services if s.stack != stack):
        if other.stack not in declared:
            declared[other.stack] = declared_volumes(stacks[other.stack])
        near = _Near(other.stack, other.env, root, declared[other.stack])
        for source in near.sources(other.data):
            place = near.place(source)
            if place and any(_touch(place, path) for path in paths):
                users.setdefault(place, []).append(other.where)
    return {place: list(dict.fromkeys(names)) for place, names in users.items()}


def refuse_used_elsewhere(snapshot: Snapshot, stack: str, paths: Sequence[str], hint: str, *, root: str = "") -> None:
    """Raise InvalidInput (``data_shared``) where another stack mounts what would go from its place.

    Who mounts the whole folder of a stack, as a file browser does, needs no part of it in particular.
    """
    for place, users in used_elsewhere(snapshot, stack, paths, root=root).items():
        if "/" in place:
            raise InvalidInput(f"{place} is used by {', '.join(users)} as well.", code="data_shared", hint=hint)


def told_of_unseen(snapshot: Snapshot, stack: str, paths: Sequence[str]) -> tuple[str, ...]:
    """A note on other stacks of the same host that may mount what goes from its place, as not all of them is seen."""
    broken, host = view(snapshot).unreadable, _host(snapshot, stack)
    names = [
        s.name
        for s in snapshot.stacks
        if s.name != stack and (s.name in broken or (host_of(s.compose_text) == host and why_unseen(s)))
    ]
    if not names or not paths:
        return ()
    return (f"Whether {', '.join(names)} mounts {', '.join(paths)} cannot be told: not all of its files can be read.",)


def declared_volumes(stack: StackFiles) -> Mapping[str, Any]:
    """The named volumes that a stack's files declare; none where they cannot be read."""
    try:
        found = read(as_one_file(stack).compose_text).get("volumes")
    except HomelabError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _host(snapshot: Snapshot, stack: str) -> str:
    found = snapshot.stack(stack)
    return host_of(found.compose_text) if found else LOCAL


@dataclass(frozen=True, slots=True)
class _Near:
    """A stack as where its services' paths begin. ``env`` are its variables, ``declared`` its named volumes."""

    stack: str
    env: Mapping[str, str]
    root: str
    declared: Mapping[str, Any]

    def paths(self, service: Any, *, files: bool) -> Iterator[str]:
        """Paths of the stack's folder that a service mounts or reads, relative to the lab's root."""
        for source in (*self.sources(service), *(_read_files(service) if files else ())):
            if place := self.own(source):
                yield place

    def sources(self, service: Any) -> list[str]:
        """What a service mounts, as written; the folder behind a named volume where it is one of the machine's."""
        volumes = service.get("volumes") if isinstance(service, Mapping) else None
        listed = volumes if isinstance(volumes, list) else ()
        return [self.device(s) or s for v in listed if (s := source_of(v))]

    def device(self, volume: str) -> str:
        """The folder that a named volume is but another name of (``driver_opts``, ``device``); "" for another."""
        spec = self.declared.get(volume)
        options = spec.get("driver_opts") if isinstance(spec, Mapping) else None
        device = str(options.get("device") or "") if isinstance(options, Mapping) else ""
        # A share of Windows begins with two, one of NFS with a colon.
        path = expand(device, self.env)
        return device if path.startswith((".", "/")) and not path.startswith("//") else ""

    def place(self, source: str) -> str:
        """A source as a path of the lab; "" for a named volume, and what cannot be told or is not in the lab."""
        path = expand(source, self.env)
        if path.startswith("."):
            path = f"{self.root}/{self.stack}/{path}" if self.root else f"{self.stack}/{path}"
        elif not (self.root and path.startswith("/")):
            return ""
        path = posixpath.normpath(path)
        return posixpath.relpath(path, self.root) if self.root else path

    def own(self, source: str) -> str | None:
        """The same where it is in the stack's folder, else None."""
        path = self.place(source)
        return path if path == self.stack or path.startswith(f"{self.stack}/") else None


def _users(path: str, others: Mapping[str, Sequence[str]]) -> list[str]:
    return [n for n, theirs in others.items() if any(_touch(path, p) for p in theirs)]


def _touch(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _read_files(service: Any) -> Iterator[str]:
    files = service.get("env_file") if isinstance(service, Mapping) else None
    for item in [files] if isinstance(files, (str, Mapping)) else files or ():
        path = str(item.get("path", "")) if isinstance(item, Mapping) else str(item)
        yield path if path.startswith((".", "/")) and path != ".env" else f"./{path}"
