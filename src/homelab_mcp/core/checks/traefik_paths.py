"""Paths in Traefik's dynamic files (certificates, keys, users) that no mount of its container covers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from homelab_mcp.core.checks.traefik_places import Places
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding

if TYPE_CHECKING:
    from homelab_mcp.core.checks.frame import LintContext

_PATHS = frozenset({"certfile", "keyfile", "usersfile"})


def not_mounted(ctx: LintContext) -> Iterator[Finding]:
    """A finding for each absolute path that is an option's value and that nothing in the container is mounted at."""
    traefik = ctx.lab.traefik
    if traefik is None or traefik.partial or traefik.stack.partial:
        return
    places = Places(traefik)
    for file in ctx.lab.traefik_files.services:
        for text, path in _named(file.source.data, ()):
            if text.startswith("/") and "{{" not in text and not places.covered(text):
                yield ctx.at(file.source, path, f"Nothing is mounted at {text} in Traefik's container.")


def _named(data: Any, path: Path) -> Iterator[tuple[str, Path]]:
    if isinstance(data, list):
        for n, item in enumerate(data):
            yield from _named(item, (*path, n))
    for key, value in data.items() if isinstance(data, dict) else ():
        if str(key).lower() in _PATHS and isinstance(value, str):
            yield value, (*path, key)
        else:
            yield from _named(value, (*path, key))
