"""Sablier's middlewares, one a group, as a file of Traefik's dynamic folder: from the labels of who sleeps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from homelab_mcp.core import lazy
from homelab_mcp.core.derived import DerivedFile, LabAfter
from homelab_mcp.core.yaml_emit import Style, entry

_HEAD = (
    "# Made by homelab-mcp from the labels sablier.* and homelab.lazy.* of the services; made anew with every plan.\n"
    "# Middlewares of your own belong in another file of this folder.\n"
)
_TIMEOUT = "1m"


def sablier_file(lab: LabAfter) -> Iterable[DerivedFile]:
    """The file; none without a Traefik whose dynamic folder is in its stack, and none where nobody sleeps."""
    traefik, server = lab.view.made_from("traefik"), lab.view.made_from("sablier")
    folder = lazy.dynamic_folder(traefik) if traefik else ""
    if not folder:
        return
    path = f"{folder}/{lazy.FILE}"
    asleep = {one.group: one for one in lazy.sleepers(lab.view).values()} if server else {}
    now = lab.read(path)
    if not asleep:
        # A file of that name that is not ours is somebody's own.
        if now is not None and now.startswith(_HEAD):
            yield DerivedFile(path, None, "Nobody sleeps any more: Traefik's file of Sablier's middlewares goes.")
        return
    assert server is not None  # noqa: S101
    host = str(server.data.get("container_name") or server.name)
    middlewares = {one.middleware: {"plugin": {"sablier": _options(one, host)}} for _, one in sorted(asleep.items())}
    lines = entry("http", {"middlewares": middlewares}, 0, Style())
    yield DerivedFile(path, _HEAD + "\n".join(lines) + "\n", "Traefik's file of Sablier's middlewares follows.")


def _options(one: lazy.Lazy, host: str) -> dict[str, Any]:
    options: dict[str, Any] = {"sablierUrl": f"http://{host}:{lazy.PORT}", "group": one.group}
    if one.session:
        options["sessionDuration"] = one.session
    if one.strategy == "blocking":
        return {**options, "blocking": {"timeout": _TIMEOUT}}
    return {**options, "dynamic": {"displayName": one.name, **({"theme": one.theme} if one.theme else {})}}
