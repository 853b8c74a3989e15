"""Paths of an included or extended file, as the stack's own folder would write them.

Source: compose-go 2.9.1, ``paths.ResolveRelativePaths``: what a file of another folder says is meant from there.
"""

from __future__ import annotations

import posixpath

from homelab_mcp.core.compose_model import Text, is_open
from homelab_mcp.core.compose_parts import Part

_FILES = ("configs", "secrets")


def rebased(root: Part, folder: str, top: str) -> Part:
    """The model with the relative paths of ``folder`` written as from ``top``; both relative to one place."""
    move = _Move(folder, top)
    result = dict(root.value)
    services = root.get("services")
    if services is not None and isinstance(services.value, dict):
        result["services"] = services.like({k: move.service(v) for k, v in services.value.items()})
    for section in _FILES:
        found = root.get(section)
        if found is not None and isinstance(found.value, dict):
            result[section] = found.like({k: move.within(v, "file") for k, v in found.value.items()})
    return root.like(result)


class _Move:
    """One pair of folders."""

    def __init__(self, folder: str, top: str) -> None:
        self._between = posixpath.relpath(folder or ".", top or ".")

    def service(self, part: Part) -> Part:
        """A service's paths: build, env_file, label_file and bind mounts; ``extends`` is followed before."""
        if not isinstance(part.value, dict):
            return part
        result = dict(part.value)
        for key, how in (("build", self._build), ("env_file", self._files), ("label_file", self._files)):
            if key in result:
                result[key] = how(result[key])
        volumes = result.get("volumes")
        if volumes is not None and isinstance(volumes.value, list):
            result["volumes"] = volumes.like([self._volume(v) for v in volumes.value])
        return part.like(result)

    def within(self, part: Part, key: str) -> Part:
        """A mapping with the path under one key moved."""
        inside = part.get(key)
        return part if inside is None else part.like({**part.value, key: self._moved(inside)})

    def _build(self, part: Part) -> Part:
        return self._moved(part) if isinstance(part.value, str) else self.within(part, "context")

    def _files(self, part: Part) -> Part:
        if isinstance(part.value, list):
            return part.like([self._files(p) for p in part.value])
        return self.within(part, "path") if isinstance(part.value, dict) else self._moved(part)

    def _volume(self, part: Part) -> Part:
        value = part.value
        if isinstance(value, dict):
            kind = part.get("type")
            return self.within(part, "source") if kind is not None and kind.value == "bind" else part
        if not isinstance(value, str):
            return part
        source, colon, rest = value.partition(":")
        if not colon or not source.startswith("."):
            return part
        return part.like(_like(value, f"{self._path(source)}:{rest}"))

    def _moved(self, part: Part) -> Part:
        value = part.value
        if not isinstance(value, str) or not value or is_open(value) or value[0] in "/~$" or "://" in value:
            return part
        return part.like(_like(value, self._path(str(value))))

    def _path(self, path: str) -> str:
        moved = posixpath.normpath(posixpath.join(self._between, path))
        return moved if moved.startswith(("/", "..")) else f"./{moved}" if moved != "." else "."


def _like(old: str, new: str) -> str:
    """The moved text; one with variables keeps what it says of them."""
    if not isinstance(old, Text):
        return new
    return Text.of(new, old.raw, old.missing)
