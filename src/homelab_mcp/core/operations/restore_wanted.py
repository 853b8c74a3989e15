"""What a restore comes to: whose data, which files and folders, and what stands still for it."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from homelab_mcp.core import env_file
from homelab_mcp.core.backup_jobs import Dump
from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.core.operations import service_parts
from homelab_mcp.core.operations.data_places import folded, places, used_elsewhere
from homelab_mcp.core.operations.stack_as_one import as_one_file, why_unseen
from homelab_mcp.core.operations.stack_paths import Near, Root, declared_by, files_beside
from homelab_mcp.core.secret_files import SECRET_NAMES, is_secret_file
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import COMPOSE_NAMES, DATABASE_ENDINGS, DATABASE_LOGS, OVERRIDE_NAMES
from homelab_mcp.model.observed import Snapshot, StackFiles

_RUN = ("running", "restarting", "paused")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be restored.

    Args:
        stack: of these services.
        services: those that stand still while their data is swapped, and run again after it.
        paths: files and folders relative to the lab's root.
        dumps: databases that begin anew.
        left: sentences on what cannot be restored here.
        written: files in them that stacks are written in, or that hold secrets.
    """

    stack: str
    services: tuple[str, ...]
    paths: tuple[str, ...]
    dumps: tuple[Dump, ...]
    left: tuple[str, ...] = ()
    written: tuple[str, ...] = ()

    def emptied(self, dump: Dump) -> tuple[str, ...]:
        """Folders that a dump's database begins anew in, but for those that come (empty) with a folder around them."""
        around = [*self.paths, *(f for d in self.dumps for f in d.folders)]
        return tuple(f for f in folded(dump.folders) if not any(f.startswith(f"{p}/") for p in around))


def wanted(
    snapshot: Snapshot, dumps: Sequence[Dump], stack_name: str, service: str, path: str, *, root: Root = ""
) -> Wanted:
    """What a service (with its companions), a whole stack (``service`` "") or one path of a service comes to.

    With the lab's ``root`` on its machine an absolute path is known for one of the lab.

    Raises NotFound; InvalidInput: a path that is no service's, no data but what others of the stack use
    (``data_shared``), or files of a database that only its dump holds (``data_in_dump``).
    """
    written_so = service_parts.stack_of(snapshot, stack_name)
    stack = as_one_file(written_so)
    services = service_parts.services_in(stack, service) if service else services_of(read(stack.compose_text))
    these = [service, *service_parts.companions(services, service)] if service else list(services)
    env = {**env_file.parse_or_empty(snapshot.shared_env), **env_file.parse(stack.env_text)}
    mine = [d for d in dumps if d.stack == stack_name and d.service in these]
    if path:
        return _with_others_told(snapshot, _one_path(snapshot, stack, services, env, path, dumps, root, service), root)
    found = places(stack_name, services, these, env, lambda _: False, root=root, declared=declared_by(stack))
    # What others use stays as it is and is told; one who asks for a service's own data gets that.
    if found.shared and not found.missing:
        shared, users = next(iter(found.shared.items()))
        raise InvalidInput(
            f"{shared} is used by {', '.join(users)} as well.", code="data_shared", hint="Restore the whole stack."
        )
    inside = {f for d in mine for f in d.folders}
    left = [
        f"{path} stays as it is, as {', '.join(users)} uses it as well: restore the whole stack for it."
        for path, users in found.shared.items()
    ]
    left += [
        f"{v} is a named volume of Docker, which this backup does not hold."
        for v in found.volumes
        if v not in found.bound
    ]
    if not service and (why := why_unseen(written_so)):
        left.append(f"Services in files of {stack_name} that cannot be seen are not restored: {why}")
    for dump in mine:
        if not dump.folders:
            raise InvalidInput(
                f"{dump.service} keeps its data in a named volume, or in no folder that is known to be its own "
                "alone, which cannot be put aside by a rename.",
                code="data_in_volume",
                hint=f"Mount ./{dump.service}/database there instead; or load its dump by hand.",
            )
    # What is below a database's own folder is its dump's business; a folder around it comes back with that one empty.
    paths = tuple(p for p in found.missing if not any(p == f or p.startswith(f"{f}/") for f in inside))
    written = [f for f in _no_data(snapshot, stack, services, env, root) if any(_within(f, p) for p in paths)]
    awake = _awake(snapshot, stack_name, services, these, env, asked=these if service else ())
    if still := [n for n in these if n not in awake and n not in [d.service for d in mine]]:
        left.append(f"{', '.join(still)} did not run, so it is not started.")
    what = Wanted(stack_name, awake, paths, tuple(mine), tuple(left), tuple(written))
    return _with_others_told(snapshot, what, root)


def _awake(
    snapshot: Snapshot,
    stack: str,
    services: Mapping[str, Any],
    these: Sequence[str],
    env: Mapping[str, str],
    *,
    asked: Sequence[str] = (),
) -> tuple[str, ...]:
    """Those of ``these`` that run, the first of ``asked``, and the rest of it but for sleeping profiles.

    Where nothing is known of the stack's containers, or there are none (a new machine), all but sleeping profiles.
    """
    run = {c.service: c.state for c in snapshot.containers or () if c.stack == stack and c.state in _RUN}
    known = any(c.stack == stack for c in snapshot.containers or ())
    active = {p.strip() for p in env.get("COMPOSE_PROFILES", "").split(",")}

    def sleeps(name: str) -> bool:
        of = services[name] if isinstance(services[name], Mapping) else {}
        profiles = {str(p) for p in of.get("profiles") or ()}
        return bool(profiles) and "*" not in active and not active & profiles

    return tuple(n for n in these if n in run or ((n in asked or not known) and not sleeps(n)) or n in asked[:1])


def _with_others_told(snapshot: Snapshot, what: Wanted, root: Root) -> Wanted:
    """With a sentence on services of other stacks that mount what is swapped: nothing here stops those.

    Who mounts a folder around it sees there what is put in its place.
    """
    folders = (*what.paths, *(f for d in what.dumps for f in d.folders))
    users = used_elsewhere(snapshot, what.stack, folders, root=root, files=False)
    told = (
        f"{', '.join(names)} mounts {place} too and is not stopped: stop it before, and make it anew "
        "after, or it goes on with what is put aside."
        for place, names in users.items()
        if any(place == f or place.startswith(f"{f}/") for f in folders)
    )
    return replace(what, left=(*what.left, *told))


def _touch(one: str, other: str) -> bool:
    """Whether one is the other, or in it."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _no_data(
    snapshot: Snapshot, of: StackFiles, services: Mapping[str, Any], env: Mapping[str, str], root: Root
) -> list[str]:
    """Files in the stack's folder that stacks are written in, and those with secrets that its services read."""
    near = Near(of.name, env, root, declared_by(of))
    read_ = [near.own(path) or "" for service in services.values() for path in near.reads(service)]
    written = [f for s in (of, *snapshot.stacks) for f in (s.compose_path, *files_beside(s))]
    return list(dict.fromkeys((*written, *(path for path in read_ if is_secret_file(path)))))


def _by_name(path: str, of: StackFiles, no_data: Sequence[str], mounted: Sequence[str]) -> bool:
    """Whether a file is called as one that a stack is written in, or that holds secrets, and may be one.

    What a service keeps by such a name in its data is its own business (Portainer's stacks): but for secret files that
    this program knows, and for what lies beside files of the stack, or where not all of those are seen.
    """
    folder, _, name = path.rpartition("/")
    if name in SECRET_NAMES:
        return True
    called = name in (*COMPOSE_NAMES, *OVERRIDE_NAMES) or is_secret_file(path)
    own = folder in {f.rpartition("/")[0] for f in no_data} or not any(_within(path, m) for m in mounted)
    return called and (own or bool(why_unseen(of)))


def _one_path(
    snapshot: Snapshot,
    of: StackFiles,
    services: Mapping[str, Any],
    env: Mapping[str, str],
    path: str,
    dumps: Sequence[Dump],
    root: Root,
    asked: str,
) -> Wanted:
    stack, declared = of.name, declared_by(of)
    clean = path.strip("/")
    if posixpath.normpath(clean) != clean or not clean.startswith(f"{stack}/"):
        raise InvalidInput(
            f"{path!r} is no path of stack {stack}.", code="bad_path", hint=f"For example {stack}/service/data/file."
        )
    # A database's log by itself is worth nothing: the file comes with it.
    base = next((clean.removesuffix(end) for end in DATABASE_LOGS if clean.endswith(end)), "")
    clean = base if base.endswith(DATABASE_ENDINGS) else clean
    no_data = _no_data(snapshot, of, services, env, root)
    mounted = places(stack, services, list(services), env, lambda _: False, root=root, declared=declared)
    if clean in no_data or _by_name(clean, of, no_data, [*mounted.missing, *mounted.shared]):
        raise InvalidInput(
            f"{clean} is no data: it comes back by a plan that shows what it says.",
            code="not_data",
            hint="Use rollback, or `homelab-mcp snapshot restore` for secret files.",
        )
    if inside := next((f for f in no_data if f.startswith(f"{clean}/")), ""):
        raise InvalidInput(
            f"{clean} holds {inside}, which is no data: it comes back by a plan that shows what it says.",
            code="not_data",
            hint=f"Restore what is beside {inside}, one by one; for that use rollback, or `homelab-mcp snapshot "
            "restore` for secret files.",
        )
    around = [d for d in dumps if any(_touch(clean, f) for f in d.folders)]
    for dump in around:
        # The backup holds an empty folder in its place; and what is another stack's is not stopped here.
        if dump.stack != stack or any(_touch(clean, f) and not f.startswith(f"{clean}/") for f in dump.folders):
            raise InvalidInput(
                f"{clean} is data of the database {dump.stack}/{dump.service}, which the backup holds as a dump.",
                code="data_in_dump",
                hint=f"Restore {dump.stack}/{dump.service} itself: its dump is loaded.",
            )
    users = []
    for name in services:
        # One that mounts a part of it stands still too: its container holds the very folder that is put aside. And one
        # that is given a file of it (a config, a secret, an `env_file`) would go on with the old one.
        own = places(stack, services, [name], env, lambda _: False, files=True, root=root, declared=declared)
        if any(_touch(clean, p) for p in (*own.missing, *own.shared)):
            users.append(name)
    awake = _awake(snapshot, stack, services, users, env, asked=[asked] if asked else ())
    still = [n for n in users if n not in awake and n not in [d.service for d in around]]
    left = (f"{', '.join(still)} did not run, so it is not started.",) if still else ()
    return Wanted(stack, awake, (clean,), tuple(around), left)
