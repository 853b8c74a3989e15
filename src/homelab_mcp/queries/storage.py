"""Where services keep their data: is it there, on which disk, with room, and owned by who writes it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from homelab_mcp.core.operations.fix_permissions import runs_as_lab_user
from homelab_mcp.core.operations.lab_view import Known, expand, view
from homelab_mcp.core.operations.volume_edit import source_of, target_of, writes
from homelab_mcp.core.stack_host import host_of
from homelab_mcp.model.lab import COMPOSE_NAMES, LOCAL, LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import Draft
from homelab_mcp.ports import Lab, Place
from homelab_mcp.queries.find import find_in, read_stacks
from homelab_mcp.queries.on_host import own_machine

MOST_ROWS = 40
LOW_SHARE = 0.05
LOW_BYTES = 2**30
_TOLD = 10
_DATABASES = ("postgres", "mariadb", "mysql", "mongo")
_NETWORK = ("nfs", "cifs", "smb", "fuse.sshfs", "9p")


@dataclass(frozen=True, slots=True)
class StorageRow:
    """One mount of a service; ``problems`` are sentences, none where all is well."""

    service: str
    source: str
    target: str
    place: Place
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Storage:
    """Every mount that was looked at, with its problems, and what is wrong with the lab's shared folders.

    ``notes`` are sentences on what is on other hosts, whose disks cannot be seen from here.
    """

    rows: tuple[StorageRow, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def as_dict(self, *, most: int = MOST_ROWS) -> dict[str, Any]:
        """``problems`` first, then mounts, those with problems before others; at most ``most`` of each."""
        ordered = sorted(self.rows, key=lambda r: not r.problems)
        rows = [
            {
                "service": r.service,
                "source": r.source,
                "target": r.target,
                "kind": r.place.kind or "missing",
                **({"mount": r.place.mount, "filesystem": r.place.filesystem} if r.place.kind else {}),
                **({"free_gb": round(r.place.free / 2**30, 1)} if r.place.kind else {}),
                **({"owner": f"{r.place.uid}:{r.place.gid}"} if r.place.kind else {}),
                **({"problems": list(r.problems)} if r.problems else {}),
            }
            for r in ordered[:most]
        ]
        found: dict[str, Any] = {"problems": list(self.problems[:most]), "mounts": rows, "total": len(self.rows)}
        if len(self.problems) > most:
            found["problems"].append(f"… and {len(self.problems) - most} more; name a stack or a service.")
        if self.notes:
            found["notes"] = list(self.notes)
        return found | ({"more": len(ordered) - most} if len(ordered) > most else {})


def check_storage(lab: Lab, service: str = "", stack: str = "") -> Storage:
    """Look at the mounts of one service, of a stack, or of the whole lab. Raises NotFound, InvalidInput."""
    stacks = read_stacks(lab.files)
    settings = lab.settings
    known = view(Snapshot(stacks, None)).services
    if service:
        pair = find_in(stacks, service, stack)
        known = tuple(k for k in known if (k.stack, k.name) == pair)
    elif stack:
        known = tuple(k for k in known if k.stack == stack)
    rows = [row for one in known if one.host == LOCAL for row in _rows(lab, settings, one)]
    away = [(one, sources) for one in known if one.host != LOCAL and (sources := list(_folders_of(one)))]
    # A variable without a value is one on every machine.
    rows += [_unset(one, volume) for one, sources in away for volume, path in sources if "$" in path]
    folders = _shared(settings) if own_machine(lab) else []
    shared = [f"{name}: {why}" for name, path in folders for why in _of_shared(lab.hardware.place(path), settings)]
    told = [f"{r.service}, {r.source}: {p}" for r in rows for p in r.problems]
    return Storage(tuple(rows), (*shared, *told), tuple(_unseen(away)))


def with_storage_notes(lab: Lab, draft: Draft) -> Draft:
    """The draft with a sentence for each host folder that it newly mounts and that is missing or nearly full."""
    notes: list[str] = []
    env = {e.path.partition("/")[0]: e.after or "" for e in draft.edits if e.path.endswith("/.env")}
    for edit in (e for e in draft.edits if e.path.partition("/")[2] in COMPOSE_NAMES and e.after):
        stack = edit.path.partition("/")[0]
        if host_of(edit.after or "") != LOCAL:
            continue
        text = env.get(stack, lab.files.read(f"{stack}/.env") or "")
        had = _host_paths(stack, edit.path, edit.before or "", text)
        for path in sorted(_host_paths(stack, edit.path, edit.after or "", text) - had):
            notes += [f"{path}: {why}" for why in _room(lab.hardware.place(path))]
    return replace(draft, notes=(*draft.notes, *notes))


def _host_paths(stack: str, path: str, text: str, env: str) -> set[str]:
    """Absolute host paths that the services of a compose text mount."""
    known = view(Snapshot((StackFiles(stack, path, text, env),), None)).services
    rows = [(k, v) for k in known for v in (k.data.get("volumes") or ()) if isinstance(k.data.get("volumes"), list)]
    found = {expand(source_of(volume), one.env) for one, volume in rows}
    return {p for p in found if p.startswith("/") and not p.endswith(".sock") and "$" not in p}


def _shared(settings: LabSettings) -> list[tuple[str, str]]:
    return [("media_dir", settings.media_dir), ("downloads_dir", settings.downloads_dir)]


def _of_shared(place: Place, settings: LabSettings) -> Iterator[str]:
    yield from _room(place)
    if place.kind and place.mount == "/":
        yield f"{place.path} is on the system's own disk; a disk that is not mounted looks like this too."
    if place.kind and place.uid not in (settings.puid, 0) and place.mode & 0o002 == 0:
        yield f"{place.path} belongs to {place.uid}:{place.gid}, services write as {settings.puid}:{settings.pgid}."


def _room(place: Place) -> Iterator[str]:
    if not place.kind:
        yield "it is not there, and Docker would make it as root."
        return
    if place.total and (place.free < LOW_BYTES or place.free < place.total * LOW_SHARE):
        yield f"only {place.free / 2**30:.1f} GiB of {place.total / 2**30:.0f} GiB are free."


def _folders_of(one: Known) -> Iterator[tuple[Any, str]]:
    """Each mount of a folder, and its path with variables filled in, as far as they have a value."""
    volumes = one.data.get("volumes")
    for volume in volumes if isinstance(volumes, list) else ():
        path = expand(source_of(volume), one.env)
        if "$" in path or path.startswith(("/", ".")):
            yield volume, path


def _unset(one: Known, volume: Any) -> StorageRow:
    source = source_of(volume)
    return StorageRow(
        one.where, source, target_of(volume), Place(expand(source, one.env)), ("its variable has no value.",)
    )


def _unseen(away: Sequence[tuple[Known, Sequence[tuple[Any, str]]]]) -> Iterator[str]:
    """A sentence a host: a folder of that path on this machine is another one, and says nothing of it."""
    for host in sorted({one.host for one, _ in away}):
        told = [f"{one.where} ({', '.join(path for _, path in sources)})" for one, sources in away if one.host == host]
        more = f" and {len(told) - _TOLD} more services" if len(told) > _TOLD else ""
        yield (
            f"Not looked at, as they are on host {host}, whose disks cannot be seen from here: "
            f"{'; '.join(told[:_TOLD])}{more}. Look there: `ls -ld` and `df -h` of each."
        )


def _rows(lab: Lab, settings: LabSettings, one: Known) -> Iterator[StorageRow]:
    for volume, path in _folders_of(one):
        source, target = source_of(volume), target_of(volume)
        if "$" in path:
            yield _unset(one, volume)
            continue
        whole = path if path.startswith("/") else posixpath.normpath(f"{lab.root}/{one.stack}/{path}")
        place = lab.hardware.place(whole)
        problems = [*_room(place), *_of_database(one, place)]
        if place.kind and writes(volume) and runs_as_lab_user(one.data, one.env, settings.puid):
            problems += _of_owner(lab, settings, one, path, place)
        yield StorageRow(one.where, source, target, place, tuple(problems))


def _of_owner(lab: Lab, settings: LabSettings, one: Known, path: str, place: Place) -> Iterator[str]:
    wanted = f"{settings.puid}:{settings.pgid}"
    below = posixpath.normpath(f"{one.stack}/{path}")
    if path.startswith(".") and not below.startswith(".."):
        seen = lab.data.strangers(below, settings.puid, settings.pgid, 1)
        if seen.found:
            count = len(seen.found) + seen.more
            yield f"{count} entries belong to others than {wanted} (fix_permissions gives them to it)."
    elif place.uid != settings.puid and place.mode & 0o002 == 0:
        yield f"belongs to {place.uid}:{place.gid}, and the service writes as {wanted}."


def _of_database(one: Known, place: Place) -> Iterator[str]:
    image = str(one.data.get("image", "")).rpartition("/")[2]
    if place.filesystem.startswith(_NETWORK) and image.startswith(_DATABASES):
        yield f"a database on {place.filesystem}, whose locks may not hold."
