"""Give a service's own files to the user it runs as: only what is below its folders, and nothing through a link."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from homelab_mcp.core import env_file
from homelab_mcp.core.labels import OWNER
from homelab_mcp.core.operations import service_parts
from homelab_mcp.core.operations.data_places import places
from homelab_mcp.core.operations.lab_view import expand
from homelab_mcp.core.operations.stack_as_one import as_one_file
from homelab_mcp.core.operations.stack_paths import Root, declared_by
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Draft, OwnerChange, Risk, RiskReason

MOST_KEPT = 500
"""Former owners that a plan lists one by one; of more nothing is kept, so that nothing gives them back."""

_OWNER = re.compile(r"([0-9]{1,10})(?::([0-9]{1,10}))?")
_LARGEST = 2**32 - 2

Seen = Mapping[str, tuple[Sequence[tuple[str, int, int]], int, int]]
"""Folder -> (entries of other owners as (path, uid, gid), how many more, entries that are never given away)."""


def owner_of(snapshot: Snapshot, stack_name: str, service: str, wanted: str = "") -> tuple[int, int]:
    """(uid, gid) that a service's files should have: ``wanted``, else what its label says, its ``user``, its PUID.

    Raises:
        NotFound: no such stack or service.
        InvalidInput: nothing says (``owner_unknown``): it runs as its image's own user.
    """
    stack = as_one_file(service_parts.stack_of(snapshot, stack_name))
    body = service_parts.services_in(stack, service)[service]
    env = env_file.parse_or_empty(stack.env_text)
    given = ServiceEdit(stack.compose_text, service).entries("environment")
    user = expand(str(body.get("user") or ""), env)
    label = given_labels.get(OWNER, "") if isinstance(given_labels := body.get("labels"), dict) else ""
    puid, pgid = (expand(given.get(n) or "", env) for n in ("PUID", "PGID"))
    for text in (wanted, str(label), user, f"{puid}:{pgid}" if puid and pgid else ""):
        found = _OWNER.fullmatch(text)
        if found and max(int(found[1]), int(found[2] or found[1])) <= _LARGEST:
            return int(found[1]), int(found[2] or found[1])
        if text and text == wanted:
            raise InvalidInput(f"{text[:40]!r} is no owner.", code="bad_value", hint="Write it as 1000:1000.")
    raise InvalidInput(
        f"Nothing says whose files {service} needs: it runs as its image's own user.",
        code="owner_unknown",
        hint="Give 'owner' as uid:gid, after what its documentation says.",
    )


def own_folders(
    snapshot: Snapshot, stack_name: str, service: str, *, exists: Callable[[str], bool], root: Root = ""
) -> list[str]:
    """The files and folders of the stack that only this service uses.

    With the lab's ``root`` on its machine an absolute path is known for one of the lab.

    Raises:
        NotFound: no such stack or service.
        InvalidInput: it has none (``no_own_folder``).
    """
    stack = as_one_file(service_parts.stack_of(snapshot, stack_name))
    services = service_parts.services_in(stack, service)
    env = {**env_file.parse_or_empty(snapshot.shared_env), **env_file.parse_or_empty(stack.env_text)}
    declared = declared_by(stack)
    found = places(stack.name, services, [service], env, exists, root=root, declared=declared)
    if not found.own:
        more = f" {', '.join(found.shared)} is others' as well." if found.shared else ""
        raise InvalidInput(
            f"{service} has no folder in its stack that is there and its alone.{more}",
            code="no_own_folder",
            hint="Media and other shared folders are for a person to change.",
        )
    return found.own


def fix_permissions(stack: str, service: str, owner: tuple[int, int], seen: Seen) -> Draft:
    """A draft that changes the owners of what was seen.

    Raises:
        InvalidInput: all of it is as it should be (``nothing_to_do``).
    """
    uid, gid = owner
    kept = sum(len(found) for found, _, _ in seen.values())
    more = sum(count for _, count, _ in seen.values())
    left = sum(count for _, _, count in seen.values())
    if not kept + more:
        raise InvalidInput(
            f"Everything of {service} belongs to {uid}:{gid} already.", code="nothing_to_do", hint="No plan is needed."
        )
    return Draft(
        operation="fix_permissions",
        summary=f"Give {kept + more} files and folders of {service} in stack {stack} to {uid}:{gid}",
        edits=(),
        actions=(),
        owners=tuple(_changes(seen, owner, whole=bool(more or kept > MOST_KEPT))),
        risks=tuple(_risks(service, owner, more)),
        notes=tuple(_notes(service, left)),
        undo="Nothing gives the former owners back: they are too many to be kept."
        if more
        else "Roll this plan back: each gets its former owner again.",
        target=service,
    )


def _changes(seen: Seen, owner: tuple[int, int], *, whole: bool) -> Iterator[OwnerChange]:
    for folder, (found, _, _) in seen.items():
        if whole and found:
            yield OwnerChange(folder, *owner)
        else:
            yield from (OwnerChange(path, *owner, was_uid, was_gid) for path, was_uid, was_gid in found)


def _risks(service: str, owner: tuple[int, int], more: int) -> Iterator[RiskReason]:
    yield RiskReason(Risk.MEDIUM, f"Changes who owns files of {service}.")
    if owner[0] == 0:
        yield RiskReason(Risk.HIGH, "Gives files to root.")
    if more:
        yield RiskReason(Risk.HIGH, "Cannot be taken back: the former owners are too many to be kept.")


def _notes(service: str, left: int) -> Iterator[str]:
    if left:
        yield f"{left} links and files with several names are left as they are: they may be others' as well."
    yield f"Restart {service} if it gave up on files that it could not read."


def runs_as_lab_user(body: Any, env: Mapping[str, str], puid: int) -> bool:
    """Whether a service says that it works as the lab's user (``user`` or PUID)."""
    if not isinstance(body, Mapping):
        return False
    user = expand(str(body.get("user") or ""), env).partition(":")[0]
    environment = body.get("environment")
    rows = environment if isinstance(environment, list) else [f"{k}={v}" for k, v in (environment or {}).items()]
    return str(puid) in {user, *(expand(str(r)[5:], env) for r in rows if str(r).startswith("PUID="))}
