"""What Traefik's file provider defines: routers, services and middlewares of its dynamic files.

Each file is shown to the rules as a service with Traefik's labels, so that what holds for labels holds for files. A
name that a file gives without '@' is one of the file provider and gets ``@file`` here. Go templates are left
alone where their lines come and go; a value that one fills in is open.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import Any

from homelab_mcp.core.checks.traefik_places import SUFFIXES, Places, TraefikFile, Unknown
from homelab_mcp.core.checks.traefik_static import StaticConfig, flattened, static_config
from homelab_mcp.core.checks.view import Entry, Lab, ServiceView, StackView
from homelab_mcp.core.once import once
from homelab_mcp.core.stack_host import COMPOSE
from homelab_mcp.core.yaml12 import Mark, Path
from homelab_mcp.model.lab import LOCAL

KINDS = ("routers", "services", "middlewares", "serverstransports")
_NAMING = {
    "routers": ("middlewares", "service", "tls.options"),
    "middlewares": ("chain.middlewares", "errors.service"),
    "services": ("loadbalancer.serverstransport", "mirroring.service", "failover.service", "failover.fallback"),
}
"""Options that name other things of the file provider."""


class FileStack(StackView):
    """One dynamic file in a stack's place."""

    def __init__(self, source: TraefikFile) -> None:
        self.name = posixpath.basename(source.file)
        self.file = source.file
        self.host = LOCAL
        self.engine = COMPOSE
        self.text = source.text
        self.env = {}
        self.exists = None
        self.read = None
        self.names = None
        self.reads = False
        self.model = None
        self.troubles = ()
        self.partial = True
        self.files = []
        self.services = []
        self._sections = {}
        self._networks = {}
        self._source = source

    @property
    def project(self) -> str:
        """A file has none."""
        return ""

    def place(self, path: Sequence[str | int], *, key: bool = False) -> tuple[str, Mark]:
        """See the base class."""
        return self._source.place(path, key=key)


class FileService(ServiceView):
    """One dynamic file in a service's place: its routers, services and middlewares as if they were labels."""

    of_file = True

    def __init__(self, source: TraefikFile) -> None:
        super().__init__(FileStack(source), posixpath.basename(source.file), {})
        self.source = source
        streams = {
            (kind, part): [(n.lower(), o, e) for n, o, e in self._section(kind, part)]
            for kind in ("tcp", "udp")
            for part in ("routers", "services", "middlewares")
        }
        self.memo["streams"] = {key: found for key, found in streams.items() if found}

    def path(self, *inside: str | int) -> Path:
        """A path in the file itself."""
        return inside

    @once
    def http_labels(self) -> dict[str, list[tuple[str, str, Entry]]]:
        """See the base class."""
        return {part: found for part in KINDS if (found := list(self._section("http", part)))}

    @once
    def tls_options(self) -> frozenset[str]:
        """Names of the TLS options it defines."""
        part = _get(_get(self.source.data, "tls"), "options")
        return frozenset(map(str, part)) if isinstance(part, dict) else frozenset()

    def defined(self, part: str) -> Iterator[tuple[str, Path]]:
        """(name, path) of everything its HTTP section defines of a kind."""
        for path, body in _sections(self.source.data, "http", part):
            yield from ((str(name), (*path, str(name))) for name in body)

    def _section(self, kind: str, part: str) -> Iterator[tuple[str, str, Entry]]:
        for path, body in _sections(self.source.data, kind, part):
            for name, options in body.items():
                for option, value, where in flattened(options, "", (*path, str(name))):
                    text = _qualified(value) if option in _NAMING.get(part, ()) else value
                    key = f"traefik.{kind}.{part}.{name}.{option}"
                    made = "{{" in text
                    yield str(name), option, Entry(key, None if made else text, text, where, made)


class TraefikFiles:
    """The lab's dynamic files. ``complete`` is False where there may be more than ``services`` shows.

    ``refused`` are files that are no YAML or TOML; ``missing`` is the path in the container that Traefik is told to
    read and that nobody put there.
    """

    def __init__(self, lab: Lab) -> None:
        self.services: tuple[FileService, ...] = ()
        self.refused: tuple[TraefikFile, ...] = ()
        self.missing = ""
        self.complete = False
        self.static: TraefikFile | None = None
        static = static_config(lab)
        if static is None or lab.traefik is None:
            return
        self.static = static.file
        options = static.options
        folder, name = (options.get(f"providers.file.{o}", "") for o in ("directory", "filename"))
        if not folder and not name:
            self.complete = static.complete and not any(o.startswith("providers.file") for o in options)
            return
        places = Places(lab.traefik)
        home = str(lab.traefik.data.get("working_dir") or "/")
        path = posixpath.normpath(posixpath.join(home, folder or name))
        if "$" in path:
            return
        if not places.covered(path):
            self.missing = path
        try:
            found = places.folder(path) if folder else [f for f in [places.read(path)] if f is not None]
        except Unknown:
            return
        self.refused = tuple(f for f in found if f.refused and not f.is_template)
        self.services = tuple(FileService(f) for f in found if not f.refused and not f.has_actions)
        self.complete = static.complete and len(self.services) == len(found)

    @property
    def all(self) -> list[TraefikFile]:
        """The files that were read and are no template, the static one with them."""
        return [*([self.static] if self.static else ()), *self.refused, *(s.source for s in self.services)]

    def names(self, part: str) -> frozenset[str] | None:
        """Names of the HTTP section's parts of this kind, None where there may be others."""
        if not self.complete:
            return None
        return frozenset(name for service in self.services for name, _ in service.defined(part))

    def tls_options(self) -> frozenset[str] | None:
        """Names of TLS options, None where there may be others."""
        return frozenset(n for s in self.services for n in s.tls_options) if self.complete else None


def _sections(data: Any, kind: str, part: str) -> Iterator[tuple[Path, dict[Any, Any]]]:
    """The mappings ``kind`` / ``part`` of a file, whatever the case of these words."""
    for first, inside in data.items() if isinstance(data, dict) else ():
        if str(first).lower() == kind and isinstance(inside, dict):
            for second, body in inside.items():
                if str(second).lower() == part and isinstance(body, dict):
                    yield (str(first), str(second)), body


def _get(data: Any, name: str) -> Any:
    if not isinstance(data, dict):
        return None
    return next((value for key, value in data.items() if str(key).lower() == name), None)


def _qualified(text: str) -> str:
    names = [name.strip() for name in text.split(",") if name.strip()]
    return ",".join(name if "@" in name else f"{name}@file" for name in names)


__all__ = ["SUFFIXES", "FileService", "StaticConfig", "TraefikFiles"]
