"""Volumes given to a service and taken from it: folders, named volumes, and shares of a file server.

A share becomes a named volume whose driver mounts it (Docker's documentation, Volumes: ``type=nfs`` and ``type=cifs``
with the ``local`` driver). Docker keeps a volume's options in the clear, the password of a Windows share among them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.model.errors import InvalidInput

CIFS_VARIABLES = ("CIFS_USERNAME", "CIFS_PASSWORD")
_SHARE = re.compile(r"(nfs|cifs|smb)://([A-Za-z0-9][A-Za-z0-9.-]*)(/[A-Za-z0-9._/@+-]+):(/[^:]*)(?::(ro|rw))?")
_SPEC = re.compile(r"([^:]+):(/[^:]*)(?::([a-zA-Z,]+))?")
_VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


def add(edit: ServiceEdit, spec: str, env: Mapping[str, str]) -> list[str]:
    """Mount one more: ``SOURCE:TARGET[:ro]``, SOURCE a folder (``./x`` or ``/x``), a volume's name, or a share.

    Shares are ``nfs://HOST/EXPORT`` and ``cifs://HOST/SHARE``. Notes for the person.

    Raises:
        InvalidInput: not of that form, a target that has a mount, or a share's credentials missing (``missing_input``).
    """
    if share := _SHARE.fullmatch(spec):
        return _add_share(edit, share, env)
    found = _SPEC.fullmatch(spec)
    if not found or not (found[1].startswith(("./", "/", "../", "~", "$")) or _VOLUME.fullmatch(found[1])):
        raise InvalidInput(
            f"{spec[:80]!r} is no volume.", code="bad_value", hint="Write SOURCE:/path/in/container, with :ro behind."
        )
    _refuse_taken(edit, found[2])
    if _VOLUME.fullmatch(found[1]):
        edit.declare("volumes", found[1], None)
    edit.add_item("volumes", spec)
    return []


def take(edit: ServiceEdit, spec: str) -> list[str]:
    """Unmount what is written as ``spec``, or is mounted at that path; what is in it stays.

    Raises:
        InvalidInput: there is no such mount (``not_mounted``).
    """

    def meant(volume: Any) -> bool:
        return spec in (volume, target_of(volume), source_of(volume))

    gone = [v for v in edit.items("volumes") if meant(v)]
    if not gone:
        there = ", ".join(target_of(v) for v in edit.items("volumes")) or "none"
        raise InvalidInput(f"{edit.service} mounts no {spec[:80]}.", code="not_mounted", hint=f"It mounts {there}.")
    edit.remove_items("volumes", meant)
    for name in {source_of(v) for v in gone if _VOLUME.fullmatch(source_of(v))}:
        edit.undeclare("volumes", name)
    return [f"What is in {', '.join(source_of(v) or target_of(v) for v in gone)} stays."]


def source_of(volume: Any) -> str:
    """A mount's source as written; "" for one without."""
    if isinstance(volume, Mapping):
        return str(volume.get("source") or "")
    source, mark, _ = split(str(volume))
    return source if mark else ""


def target_of(volume: Any) -> str:
    """Where a mount is in the container."""
    if isinstance(volume, Mapping):
        return str(volume.get("target") or "")
    source, mark, rest = split(str(volume))
    return rest.partition(":")[0] if mark else source


def split(volume: str) -> tuple[str, str, str]:
    """(source, ":", rest) of a short form; a variable with a default holds a colon of its own."""
    found = re.match(r"((?:\$\{[^}]*\}|[^:$]|\$)*):(.*)", volume)
    return (found[1], ":", found[2]) if found else (volume, "", "")


def writes(volume: Any) -> bool:
    """Whether a mount with a source may be written to."""
    if isinstance(volume, Mapping):
        return volume.get("type") in {"bind", "volume"} and not volume.get("read_only")
    _, mark, rest = split(str(volume))
    return bool(mark) and "ro" not in rest.rpartition(":")[2].split(",")


def _add_share(edit: ServiceEdit, share: re.Match[str], env: Mapping[str, str]) -> list[str]:
    kind, host, path, target, mode = share[1], share[2], share[3], share[4], share[5] or "rw"
    _refuse_taken(edit, target)
    last = path.rstrip("/").rpartition("/")[2].lower()
    name = re.sub(r"[^a-z0-9_.-]", "-", f"{edit.service}-{last}")
    if kind == "nfs":
        options = {"type": "nfs", "o": f"addr={host},nfsvers=4,{mode}", "device": f":{path}"}
        notes = [f"Docker mounts {host}:{path} by NFS when the service starts; it does not start without the server."]
    else:
        missing = [n for n in CIFS_VARIABLES if not env.get(n)]
        if missing:
            raise InvalidInput(
                f"Values are missing: {', '.join(missing)} (who may read the share).",
                code="missing_input",
                hint=f"A person runs `homelab-mcp env set STACK {missing[0]}`; they never pass through the model.",
                details={"variables": [{"name": n, "description": "For the share.", "secret": True} for n in missing]},
            )
        who = "username=${CIFS_USERNAME},password=${CIFS_PASSWORD}"
        owner = ",uid=${PUID},gid=${PGID}" if env.get("PUID") and env.get("PGID") else ""
        options = {"type": "cifs", "o": f"addr={host},{who},vers=3.0{owner},{mode}", "device": f"//{host}{path}"}
        notes = ["Docker keeps the share's password in the volume's options, readable by whoever may ask Docker."]
    if name in (edit.document.get("volumes") or {}):
        raise InvalidInput(f"There is a volume {name} already.", code="volume_taken", hint="Mount it by its name.")
    edit.declare("volumes", name, {"driver": "local", "driver_opts": options})
    edit.add_item("volumes", f"{name}:{target}" + (":ro" if mode == "ro" else ""))
    return notes


def _refuse_taken(edit: ServiceEdit, target: str) -> None:
    there = {target_of(v).rstrip("/") for v in edit.items("volumes")}
    if target.rstrip("/") in there:
        raise InvalidInput(
            f"{edit.service} has a mount at {target} already.", code="mount_taken", hint="Take that one out as well."
        )
