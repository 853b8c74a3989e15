"""Its files: mounts that are not there or not its own, disks that are full or cannot be written."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from homelab_mcp.core.diagnosis.clues import call, quoted, repair, said
from homelab_mcp.model.diagnosis import Cause, Facts, HostPath, Remedy

_LOW_SHARE, _LOW_BYTES = 0.02, 300 * 2**20
_DENIED = (
    r"permission denied|EACCES|Operation not permitted|EPERM|is not writable|not writeable|"
    r"Access to the path .{1,200} is denied|AccessDeniedException"
)


def causes(f: Facts) -> Iterator[Cause]:
    """Mounts, owners, read-only places and room."""
    yield from _wrong_kind(f)
    yield from _denied(f)
    yield from _read_only(f)
    yield from _full(f)


def _wrong_kind(f: Facts) -> Iterator[Cause]:
    for path in f.paths:
        looks_like_file = bool(posixpath.splitext(path.target)[1]) and not path.target.endswith(".d")
        if path.kind == "folder" and looks_like_file:
            found = said(f, r"is a directory|EISDIR|not a directory")
            seen: tuple[str, ...] = (
                f"{path.path} is a folder, mounted at {path.target}",
                *([quoted(found)] if found else []),
            )
            fix = Remedy(f"Remove the empty folder {path.path}, put the file there, then recreate the service.")
            title = f"{path.target} is a folder where a file is meant."
            yield Cause("mount_is_folder", 0.94 if found else 0.7, title, seen, fix)
        elif not path.kind:
            found = said(f, r"no such file or directory|ENOENT|does not exist|not found")
            secret = "/run/secrets" in path.target or path.target.startswith("secret ")
            identity = "secret_missing" if secret else "mount_missing"
            title = (
                f"{path.path} is not there." if not secret else f"The file of its secret, {path.path}, is not there."
            )
            fix = Remedy(f"Put it there (or mount the disk it is on), then recreate the service: {path.path}.")
            seen = (f"{path.path} ({path.target}) does not exist", *([quoted(found)] if found else []))
            yield Cause(identity, 0.9 if not f.runs else 0.5, title, seen, fix)


def _denied(f: Facts) -> Iterator[Cause]:
    one = f.one
    user = one.user.partition(":")[0] if one else ""
    uid = int(user) if user.isdigit() else f.puid
    strange = [p for p in f.paths if p.kind and not p.read_only and uid > 0 and not _may_write(p, uid)]
    found = said(f, _DENIED)
    if found and ("exec" in found.string and one and one.error):
        return
    if not found and not strange:
        return
    named = [p for p in f.paths if found and p.target and p.target.rstrip("/") in found.string]
    mine = [p for p in strange if p in named] or strange or named
    seen = [quoted(found)] if found else []
    seen += [f"{p.path} belongs to {p.uid}:{p.gid} (mode {p.mode:o}), it works as {uid}" for p in mine if uid > 0]
    sure = 0.93 if found and strange else 0.82 if found else 0.45
    if mine:
        fix = call(f, "fix_permissions", "Give its folders to the user that it works as, then restart it.")
        if uid >= 0 and user.isdigit():
            group = one.user.partition(":")[2] if one else ""
            fix = call(f, "fix_permissions", fix.what, owner=f"{uid}:{group if group.isdigit() else uid}")
    else:
        fix = Remedy(
            "Look which file the line names, and who may write there; a restricted `user` or `cap_drop` may be why."
        )
    yield Cause("permission_denied", sure, "It may not read or write its files.", tuple(seen), fix)


def _may_write(path: HostPath, uid: int) -> bool:
    return path.uid == uid or bool(path.mode & 0o002) or (bool(path.mode & 0o020) and path.gid == uid)


def _read_only(f: Facts) -> Iterator[Cause]:
    found = said(f, r"read-only file system|EROFS")
    if not found:
        return
    named = [p for p in f.paths if p.read_only and p.target.rstrip("/") in found.string]
    one = f.one
    if named:
        target = named[0].target
        fix = repair(f, f"Take `:ro` off the mount {target}, if it is to write there.", f"writable:{target}")
        seen: tuple[str, ...] = (quoted(found), f"{named[0].target} is mounted read-only")
        yield Cause("mount_read_only", 0.94, f"It writes to {named[0].target}, which is mounted read-only.", seen, fix)
    elif one and one.read_only:
        what = "Let it write to its root (`read_only` goes). Or mount a volume or a tmpfs where it writes, by hand."
        fix = repair(f, what, "writable_root")
        seen = (quoted(found), "read_only: true")
        yield Cause("root_read_only", 0.93, "It writes to its own root, which is read-only.", seen, fix)
    else:
        fix = Remedy("Look at the host's disk: a file system that met an error is mounted read-only (`dmesg`).")
        yield Cause("disk_read_only", 0.7, "It cannot write: a disk is read-only.", (quoted(found),), fix)


def _full(f: Facts) -> Iterator[Cause]:
    found = said(f, r"no space left on device|ENOSPC(?!: System limit)|disk (?:is )?full|database or disk is full")
    low = bool(f.total) and (f.free < _LOW_BYTES or f.free < f.total * _LOW_SHARE)
    tight = [p for p in f.paths if p.total and (p.free < p.total * _LOW_SHARE or p.free < _LOW_BYTES // 3)]
    one = f.one
    tmpfs = [m.target for m in (one.mounts if one else ()) if m.kind == "tmpfs"]
    if low or tight:
        place = tight[0].path if tight else "the lab's disk"
        fix = Remedy(f"Free room on {place}: old images (`docker image prune`), logs, downloads.")
        seen: tuple[str, ...] = (
            *([quoted(found)] if found else []),
            f"{place}: {(tight[0].free if tight else f.free) // 2**20} MiB free",
        )
        yield Cause("disk_full", 0.95 if found else 0.5, f"There is no room left on {place}.", seen, fix)
    elif found:
        inside = [t for t in tmpfs if t in found.string] or tmpfs
        seen = (quoted(found), *(f"tmpfs at {t}" for t in inside))
        fix = Remedy("Free room on that disk, or give it a larger quota.")
        if inside:
            fix = repair(f, f"Make the memory disk {inside[0]} four times as large.", f"bigger_tmpfs:{inside[0]}")
        title = f"The memory disk {inside[0]} is full." if inside else "A disk of it is full (quota, tmpfs or inodes)."
        yield Cause("tmpfs_full" if inside else "disk_full", 0.92 if inside else 0.75, title, seen, fix)
