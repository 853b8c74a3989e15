"""Volumes as a person asks for them, as a definition has them."""

from __future__ import annotations

import posixpath
import re

from homelab_mcp.core.importing.mounts import Place, place_of
from homelab_mcp.core.operations.custom_request import CustomRequest
from homelab_mcp.model.definition import Volume
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.image import ImageFacts
from homelab_mcp.model.lab import LabSettings

_NAMED = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def volumes_of(
    request: CustomRequest, facts: ImageFacts | None, settings: LabSettings, root: str, assumed: list[str]
) -> tuple[list[Volume], list[str]]:
    """The volumes, and the host folders among them; what the image keeps and nobody named becomes a folder.

    Raises:
        InvalidInput: one that cannot be read (``bad_volume``), or that is refused (``mount_refused``).
    """
    found: list[Volume] = []
    outside: list[str] = []
    for text in request.volumes:
        volume = _volume(text, settings, root)
        if volume is None:
            assumed.append(f"{text.partition(':')[0]} is left out: the time zone comes from TZ.")
            continue
        if volume.kind == "host":
            outside.append(volume.source or "")
        found.append(volume)
    targets = {v.target for v in found}
    for target in facts.volumes if facts else ():
        if not any(t and (t == target or target.startswith(f"{t}/")) for t in targets):
            found.append(Volume(kind="data", name=_folder(target, found), target=target))
            assumed.append(f"The image keeps data in {target}, so that is a folder of the stack.")
    return found, outside


def _volume(text: str, settings: LabSettings, root: str) -> Volume | None:
    parts = text.split(":")
    read_only = len(parts) > 1 and parts[-1] in {"ro", "rw"} and parts.pop() == "ro"
    source, target = ("", parts[0]) if len(parts) == 1 else (parts[0], parts[1]) if len(parts) == 2 else ("", "")
    if not target.startswith("/") or "$" in text or "@{" in text:
        raise InvalidInput(
            f"{text!r} is no volume.",
            hint="Write /data, NAME:/data, media:/data, downloads:/data or /host/path:/data; :ro may follow.",
            code="bad_volume",
        )
    if source in {"media", "downloads"}:
        return Volume.model_validate({"kind": source, "target": target, "read_only": read_only})
    if not source.startswith("/"):
        name = source or _folder(target, [])
        if not _NAMED.fullmatch(name):
            raise InvalidInput(f"{source!r} is no name of a folder.", hint="Lower-case letters, digits, - and _.")
        return Volume(kind="data", name=name, target=target, read_only=read_only)
    place = place_of(source, settings, root)
    if place is Place.CLOCK:
        return None
    if place is Place.SOCKET:
        return Volume(kind="socket", target=target, read_only=read_only, why="Asked for when it was added.")
    return Volume(kind="host", source=source, target=target, read_only=read_only, why="Asked for when it was added.")


def _folder(target: str, others: list[Volume]) -> str:
    base = re.sub(r"[^a-z0-9_-]+", "-", posixpath.basename(target.rstrip("/")).lower()).strip("-_") or "data"
    return base if base not in {v.name for v in others} else f"{base}-{len(others)}"
