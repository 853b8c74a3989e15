"""Traefik's static configuration, from its file, its command line or its environment: whichever Traefik takes.

Seen with Traefik 3.7: it takes one of the three and lets the others be, a file before options before variables
(``TRAEFIK_...``). Without entry points it opens one, ``http`` on port 80. Names of options have no case.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from homelab_mcp.core.checks.traefik_places import SUFFIXES, Places, TraefikFile, Unknown
from homelab_mcp.core.checks.view import Lab, ServiceView
from homelab_mcp.core.env_file import parse_or_empty
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.errors import HomelabError

PREFIX = "TRAEFIK_"


@dataclass(frozen=True, slots=True)
class StaticConfig:
    """What Traefik is started with. ``complete`` is False where nobody can see all of it.

    ``options`` has every option in lower case without its dashes, with its value; ``where`` the path of each, in
    ``file`` where there is one, else in Traefik's service. ``source`` is file, options, environment or "".
    ``ignored`` are places in the service that Traefik does not look at because of ``source``.
    """

    options: dict[str, str]
    entry_points: frozenset[str]
    resolvers: frozenset[str]
    tls_entry_points: frozenset[str]
    complete: bool
    source: str = ""
    where: Mapping[str, Path] = field(default_factory=dict)
    file: TraefikFile | None = None
    ignored: tuple[Path, ...] = ()


def static_config(lab: Lab) -> StaticConfig | None:
    """What the lab's Traefik is started with, worked out once; None where the lab has none, or several."""
    traefik = lab.traefik
    if traefik is None or sum(s.image_name == "traefik" for s in lab.services) > 1:
        return None
    known: StaticConfig | None = traefik.memo.get("static")
    if known is None:
        known = traefik.memo["static"] = _static(traefik)
    return known


def _static(traefik: ServiceView) -> StaticConfig:
    flags = list(_flags(traefik))
    named = next((value for name, value, _ in flags if name in {"configfile", "traefik.configfile"}), "")
    flags = [f for f in flags if not f[0].endswith("configfile")]
    variables = list(_variables(traefik))
    flag_paths = tuple(dict.fromkeys(path for _, _, path in flags))
    variable_paths = tuple(dict.fromkeys(path for _, _, path in variables if path))
    file, seen = _file(traefik, named)
    if file is not None:
        ignored = flag_paths + variable_paths
        if file.refused:
            return StaticConfig({}, frozenset(), frozenset(), frozenset(), False, "file", {}, file, ignored)
        return _config(list(flattened(file.data, "", ())), "file", file, ignored, complete=True)
    if flags or traefik.data.get("command"):
        return _config(flags, "options", None, variable_paths, complete=seen)
    return _config(variables, "environment" if variables else "", None, (), complete=seen)


def _config(
    found: list[tuple[str, str, Path]],
    source: str,
    file: TraefikFile | None,
    ignored: tuple[Path, ...],
    *,
    complete: bool,
) -> StaticConfig:
    options = {name: value for name, value, _ in found}
    where = {name: path for name, _, path in found}
    points = {o.split(".")[1] for o in options if o.startswith("entrypoints.") and o.count(".") >= 1}
    points = {p for p in points if p}
    resolvers = {o.split(".")[1] for o in options if o.startswith("certificatesresolvers.") and o.count(".") > 1}
    secure = {o.split(".")[1] for o in options if re.match(r"entrypoints\.[^.]+\.http\.tls", o)}
    if source == "file" and not points:
        points = {"http"}
    # Traefik makes this one itself for what it serves there.
    own = {"traefik"} if any(o.startswith(("api.insecure", "ping", "metrics.prometheus")) for o in options) else set()
    return StaticConfig(
        options,
        frozenset(points | own),
        frozenset(resolvers),
        frozenset(secure),
        complete and bool(points),
        source,
        where,
        file,
        ignored,
    )


def _file(traefik: ServiceView, named: str) -> tuple[TraefikFile | None, bool]:
    """The file that Traefik takes, and whether it is known that it takes no other."""
    places = Places(traefik)
    home = str(traefik.data.get("working_dir") or "/")
    stems = ("/etc/traefik/traefik", posixpath.join(home, "traefik"))
    candidates = [f"{stem}{suffix}" for stem in stems for suffix in (".toml", ".yaml", ".yml")]
    if named:
        candidates.insert(0, posixpath.normpath(posixpath.join(home, named)))
    seen = True
    for path in candidates:
        try:
            file = places.read(path)
        except Unknown:
            # A whole folder may hold the file or not; one that is named or mounted as such is there.
            seen = seen and path != (candidates[0] if named else "") and not places.exactly(path)
            continue
        if file is not None:
            return file, True
    return None, seen


def _flags(traefik: ServiceView) -> Iterator[tuple[str, str, Path]]:
    """(name in lower case, value, path in the service) of the options on the command line."""
    for field_ in ("entrypoint", "command"):
        part = traefik.data.get(field_)
        listed = isinstance(part, list)
        words = [str(w) for w in part] if isinstance(part, list) else str(part or "").split()
        for n, word in enumerate(words):
            if word.startswith("--"):
                name, equals, value = word.lstrip("-").partition("=")
                after = words[n + 1] if n + 1 < len(words) else "-"
                if not equals and not after.startswith("-"):
                    value = after
                yield name.lower(), value.strip("\"'"), (field_, n) if listed else (field_,)


def _variables(traefik: ServiceView) -> Iterator[tuple[str, str, Path]]:
    """The same of the variables; one from an ``env_file`` has the empty path."""
    given: dict[str, tuple[str, Path]] = {}
    files = traefik.data.get("env_file")
    for item in files if isinstance(files, list) else [files]:
        path = item.get("path") if isinstance(item, dict) else item
        if isinstance(path, str) and traefik.stack.read is not None:
            outside = posixpath.normpath(posixpath.join(posixpath.dirname(traefik.stack.file), path))
            try:
                text = traefik.stack.read(outside) or ""
            except HomelabError:
                continue
            given |= {name: (value, ()) for name, value in parse_or_empty(text).items()}
    given |= {entry.key: (entry.value or "", entry.path) for entry in traefik.environment.values()}
    for name, (value, where) in given.items():
        if name.upper().startswith(PREFIX) and len(name) > len(PREFIX):
            option = name[len(PREFIX) :].lower().replace("_", ".")
            yield re.sub(r"\.([0-9]+)(?=\.|$)", r"[\1]", option), value, where


def flattened(data: Any, prefix: str, path: Path) -> Iterator[tuple[str, str, Path]]:
    """(option in lower case, value, path) of everything in a file, lists of words joined with commas."""
    if isinstance(data, dict):
        if not data and prefix:
            yield prefix, "true", path
        for key, value in data.items():
            name = str(key).lower()
            yield from flattened(value, f"{prefix}.{name}" if prefix else name, (*path, str(key)))
    elif isinstance(data, list):
        if any(isinstance(item, dict | list) for item in data):
            for n, item in enumerate(data):
                yield from flattened(item, f"{prefix}[{n}]", (*path, n))
        else:
            yield prefix, ",".join(_word(item) for item in data), path
    elif data is not None:
        yield prefix, _word(data), path


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


__all__ = ["SUFFIXES", "StaticConfig", "flattened", "static_config"]
