"""Where services of a stack keep their data on disk: what is theirs alone, what they share, what is elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from homelab_mcp.core.compose_meaning import named_volumes
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.operations.stack_as_one import why_unseen
from homelab_mcp.core.operations.stack_paths import Declared, Near, Root, declared_by, files_beside, mounted
from homelab_mcp.core.stack_host import host_of
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import Snapshot

NOTHING = Declared()


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
        missing: files and folders of theirs alone that are not there (yet); none twice, and none inside another.
        bound: named volumes of theirs that are but another name of a folder of the stack -> that folder.
        fixed: files and folders of the stack that they name by a path from the machine's root.
    """

    own: list[str] = field(default_factory=list)
    shared: dict[str, list[str]] = field(default_factory=dict)
    outside: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    bound: dict[str, str] = field(default_factory=dict)
    fixed: list[str] = field(default_factory=list)


def places(
    stack: str,
    services: Mapping[str, Any],
    these: Sequence[str],
    env: Mapping[str, str],
    exists: Callable[[str], bool],
    *,
    files: bool = False,
    root: Root = "",
    declared: Declared = NOTHING,
) -> Places:
    """Where these services of a stack keep data.

    Args:
        stack: its name.
        services: all of its services.
        these: those that are meant.
        env: its variables.
        exists: whether a path of the lab is there.
        files: also what they read beside their mounts, as :meth:`Near.reads` has it; of others that always counts.
        root: the lab's on its machine; without it a path from the machine's root counts as elsewhere.
        declared: what the stack's files say beside them; without it each named volume is Docker's own.
    """
    found = Places()
    near = Near(stack, env, root, declared)
    # Who mounts the whole folder of the stack, as a file browser does, needs no part of it in particular.
    theirs = {n: near.paths(s, files=True) for n, s in services.items() if n not in these}
    others = {n: [p for p in of_one if p != stack] for n, of_one in theirs.items()}
    # Files that the stack is written in may lie in a service's folder; Compose reads nothing of the stack without them.
    others |= {file: [file] for file in declared.files}
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
        named = (*sources, *(near.reads(services[name]) if files else ()))
        found.fixed += [p for s in named if near.filled(s).startswith("/") and (p := near.own(s))]
        found.volumes += sorted(named_volumes(services[name]))
        found.bound |= {v: p for v in sorted(named_volumes(services[name])) if (p := near.own(near.device(v)))}
    found.own = folded(sorted(found.own))
    found.missing = folded(found.missing)
    found.volumes = list(dict.fromkeys(found.volumes))
    found.outside = [s for s in dict.fromkeys(found.outside) if s not in found.volumes]
    return found


def folded(paths: Iterable[str]) -> list[str]:
    """The paths without those that are told twice or lie inside another: a folder takes what is in it along."""
    distinct = list(dict.fromkeys(paths))
    return [p for p in distinct if not any(p.startswith(f"{o}/") for o in distinct)]


def used_elsewhere(
    snapshot: Snapshot,
    stack: str,
    paths: Sequence[str],
    *,
    root: Root = "",
    files: bool = True,
    host: str = "",
) -> dict[str, list[str]]:
    """What services of other stacks use of these files and folders, or around them: the path -> ``stack/service``.

    Of stacks on the same host alone (or ``host``): another one has a disk of its own. Without ``files`` only what they
    mount; else also what they read, and files that another stack itself is written in (-> ``stack``).
    """
    users: dict[str, list[str]] = {}
    host = host or _host(snapshot, stack)
    declared = {s.name: declared_by(s) for s in snapshot.stacks if host_of(s.compose_text) == host}
    seen = view(snapshot).on(host).services
    nears = {s.stack: Near(s.stack, s.env, root, declared.get(s.stack, NOTHING)) for s in seen}
    behind = folders_of_volumes(nears.values())
    for other in (s for s in seen if s.stack != stack):
        near = nears[other.stack]
        for source in (*mounted(other.data), *(near.reads(other.data) if files else ())):
            place = near.place(near.device(source) or source)
            place = place or behind.get(near.declared.volume_name(source, other.env), "")
            if place and any(_touch(place, path) for path in paths):
                users.setdefault(place, []).append(other.where)
    # Those are read here, whichever host the stack is on.
    for of in (s for s in snapshot.stacks if files and s.name != stack):
        for file in files_beside(of):
            if any(_touch(file, path) for path in paths):
                users.setdefault(file, []).append(of.name)
    return {place: list(dict.fromkeys(names)) for place, names in users.items()}


def folders_of_volumes(stacks: Iterable[Near]) -> dict[str, str]:
    """Docker's name of a volume -> the folder of the lab that it is but another name of, for all who declare one.

    Any stack may mount it by that name (``external``, or ``name``), and says nothing of the folder.
    """
    found = {}
    for near in stacks:
        for volume in near.declared.volumes:
            name, place = near.declared.volume_name(volume, near.env), near.place(near.device(volume))
            if name and place:
                found[name] = place
    return found


def refuse_used_elsewhere(snapshot: Snapshot, stack: str, paths: Sequence[str], hint: str, *, root: Root = "") -> None:
    """Raise InvalidInput (``data_shared``) where another stack uses what would go from its place.

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


def _host(snapshot: Snapshot, stack: str) -> str:
    found = snapshot.stack(stack)
    return host_of(found.compose_text) if found else LOCAL


def _users(path: str, others: Mapping[str, Sequence[str]]) -> list[str]:
    return [n for n, theirs in others.items() if any(_touch(path, p) for p in theirs)]


def _touch(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")
