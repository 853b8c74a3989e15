"""Where the files of the lab's Traefik are: paths inside its container as files beside the compose file.

A mount, or a ``configs`` entry, takes a path in the container to one outside. What no mount covers is the image's own.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.checks.view import Mount, ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Document, Mark, YamlRefused, load_nodes
from homelab_mcp.model.errors import HomelabError

SUFFIXES = (".yml", ".yaml", ".toml")
MOST_FILES = 200
MOST_DEPTH = 5


_ACTION = re.compile(r"\{\{-?\s*(?:(?:if|else|end|range|with|define|template|block|break|continue)\b|\$)|^\s*\{\{")
"""What makes lines come and go: Go's actions, and a line that is nothing but a template."""


class Unknown(Exception):
    """Nobody here can say what Traefik finds there."""


class TraefikFile:
    """One of Traefik's own files: ``data`` as written, or ``refused``. Places are only known in YAML.

    ``holder`` is where an inline config's text stands in the compose file.
    """

    def __init__(self, file: str, text: str, holder: Callable[[], tuple[str, Mark]] | None = None) -> None:
        self.file = file
        self.text = text
        self.refused: tuple[str, Mark] | None = None
        self.data: Any = None
        self._document: Document | None = None
        self._holder = holder

    def load(self) -> None:
        """Read the text; what it is refused for is in ``refused``."""
        if self.file.endswith(".toml") and self._holder is None:
            self._load_toml()
            return
        try:
            self._document = load_nodes(self.text)
        except YamlRefused as error:
            self.refused = error.message, error.mark
            return
        self.data = self._document.data
        if self.data is not None and not isinstance(self.data, dict):
            self.refused = "The file is no mapping of sections.", Mark(1, 1)

    def _load_toml(self) -> None:
        import tomllib

        try:
            self.data = tomllib.loads(self.text)
        except (ValueError, RecursionError) as error:  # also numbers longer than Python reads
            line = re.search(r"line ([0-9]+)", str(error))
            self.refused = "The file is no TOML.", Mark(int(line[1]) if line else 1, 1)

    @property
    def is_template(self) -> bool:
        """True for a Go template: what it comes to is only known when Traefik runs it."""
        return "{{" in self.text

    @property
    def has_actions(self) -> bool:
        """True for a template whose lines come and go; one that only fills in values is YAML as it stands."""
        return self.is_template and any(map(_comes_and_goes, self.text.splitlines()))

    def place(self, path: Sequence[str | int], *, key: bool = False) -> tuple[str, Mark]:
        """The file, and where in it the value (or its key) stands."""
        if self._holder is not None:
            return self._holder()
        if self._document is None:
            return self.file, Mark(1, 1)
        return self.file, self._document.key_mark(path) if key else self._document.mark(path)


@dataclass(frozen=True, slots=True)
class _Spot:
    """A place in the container: the mount (or config) behind it, and the rest of the path below that."""

    mount: Mount | None
    config: str
    rest: str


class Places:
    """Finds and reads what a service has at a path in its container."""

    def __init__(self, service: ServiceView) -> None:
        self.service = service
        self.stack = service.stack

    def covered(self, path: str) -> bool:
        """True when a mount, a config, a secret or a tmpfs is at the path, above it or below it, or nobody can tell."""
        data = self.service.data
        if "build" in data or "volumes_from" in data or self.service.partial or self.stack.partial:
            return True
        hidden = list(self._hidden())
        targets = [m.target for m in self.service.mounts] + [target for target, _ in self._configs()] + hidden
        spot = f"{path.rstrip('/')}/"
        return (
            any(m.open for m in self.service.mounts)
            or any(map(is_open, hidden))
            or any(spot.startswith(f"{t.rstrip('/')}/") or t.startswith(spot) for t in targets if t)
        )

    def handed(self, path: str) -> bool:
        """True where a config, a secret or a tmpfs is at the path or above it, whatever is mounted there."""
        targets = [*(target for target, _ in self._configs()), *self._hidden()]
        return any(is_open(t) or f"{path}/".startswith(f"{t.rstrip('/')}/") for t in targets)

    def exactly(self, path: str) -> bool:
        """True when a mount or a config is that very file."""
        return path in {m.target for m in self.service.mounts} or path in {t for t, _ in self._configs()}

    def outside(self, path: str) -> str:
        """Where a path in the container is on the host, as the compose file is named; whether it exists is not asked.

        Raises:
            Unknown: nobody can say, or it is the image's own.
        """
        spot = self._spot(path)
        if spot is None or spot.config:
            raise Unknown
        return self._outside(spot)

    def read(self, path: str) -> TraefikFile | None:
        """The file at a path in the container; None where there is none.

        Raises:
            Unknown: nobody can say.
        """
        spot = self._spot(path)
        if spot is None:
            return None
        if spot.config:
            return self._config(spot.config)
        outside = self._outside(spot)
        text = self._text(outside)
        return None if text is None else _loaded(TraefikFile(outside, text))

    def folder(self, path: str) -> list[TraefikFile]:
        """The files Traefik takes from a folder in the container, sorted by path.

        Raises:
            Unknown: nobody can say what is in it.
        """
        spot = self._spot(path)
        inner = [m for m in self.service.mounts if m.target.startswith(f"{path.rstrip('/')}/")]
        files: list[TraefikFile] = []
        if spot is not None:
            for outside in _walk(self.stack.names, self._outside(spot), 0):
                text = self._text(outside)
                if text is not None:
                    files.append(_loaded(TraefikFile(outside, text)))
        others = [*(t for t, _ in self._configs()), *self._hidden()]
        for target in [*(m.target for m in inner), *(t for t in others if t.startswith(f"{path.rstrip('/')}/"))]:
            if not target.endswith(SUFFIXES):
                raise Unknown
            found = self.read(target)
            if found is not None:
                files.append(found)
        return files

    def _text(self, outside: str) -> str | None:
        if self.stack.read is None:
            raise Unknown
        try:
            return self.stack.read(outside)
        except HomelabError as error:
            raise Unknown from error

    def _outside(self, spot: _Spot) -> str:
        mount = spot.mount
        if mount is None or mount.kind != "bind" or mount.open or mount.source.startswith("~"):
            raise Unknown
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.stack.file), mount.source, spot.rest))

    def _spot(self, path: str) -> _Spot | None:
        """What is mounted at the path or nearest above it; None where it is the image's own."""
        hidden = any(f"{path}/".startswith(f"{t.rstrip('/')}/") for t in self._hidden())
        if hidden or any(m.open for m in self.service.mounts):
            raise Unknown
        best: _Spot | None = None
        for target, name in self._configs():
            if target == path:
                best = _Spot(None, name, "")
        length = 0
        for mount in self.service.mounts:
            target = mount.target.rstrip("/")
            if target and (path == target or path.startswith(f"{target}/")) and len(target) > length:
                best, length = _Spot(mount, "", path[len(target) + 1 :]), len(target)
        return best

    def _configs(self) -> Iterator[tuple[str, str]]:
        """(place in the container, name) of the service's configs."""
        part = self.service.data.get("configs")
        for item in part if isinstance(part, list) else ():
            if isinstance(item, str):
                yield f"/{item}", item
            elif isinstance(item, dict) and isinstance(item.get("source"), str):
                yield str(item.get("target") or f"/{item['source']}"), item["source"]

    def _hidden(self) -> Iterator[str]:
        """Places in the container of the service's secrets and tmpfs, into which nobody looks."""
        secrets, tmpfs = self.service.data.get("secrets"), self.service.data.get("tmpfs")
        for item in secrets if isinstance(secrets, list) else ():
            name = (item.get("target") or item.get("source")) if isinstance(item, dict) else item
            if name:
                yield posixpath.join("/run/secrets", str(name))
        for item in tmpfs if isinstance(tmpfs, list) else [tmpfs] if isinstance(tmpfs, str) else ():
            yield str(item).partition(":")[0]

    def _config(self, name: str) -> TraefikFile | None:
        body = self.stack.section("configs").get(name)
        content, file = (body.get("content"), body.get("file")) if isinstance(body, dict) else (None, None)
        if isinstance(content, str) and not is_open(content):
            return _loaded(TraefikFile(name, str(content), lambda: self.stack.place(("configs", name, "content"))))
        if isinstance(file, str) and not is_open(file) and not file.startswith("~"):
            outside = posixpath.normpath(posixpath.join(posixpath.dirname(self.stack.file), file))
            text = self._text(outside)
            return None if text is None else _loaded(TraefikFile(outside, text))
        raise Unknown


def _comes_and_goes(line: str) -> bool:
    """True where a line of a template is an action, goes on in the next line, or has a key that is filled in."""
    if "{{" not in line:
        return False
    key = line.partition(": ")[0].lstrip("- ")
    open_end = "{{" in re.sub(r"\{\{.*?\}\}", "", line)
    return bool(_ACTION.search(line)) or open_end or (": " in line and "{{" in key)


def _loaded(file: TraefikFile) -> TraefikFile:
    file.load()
    return file


def configuration(service: ServiceView, path: str, variable: str) -> TraefikFile | None:
    """The file that a service reads at a path, or where a variable says; None where there is none to be seen."""
    entry = service.environment.get(variable)
    if entry is not None and (entry.open or "," in (entry.value or "")):
        return None
    try:
        return Places(service).read((entry.value if entry else None) or path)
    except Unknown:
        return None


def _walk(names: Callable[[str], Sequence[str] | None] | None, folder: str, depth: int) -> list[str]:
    """Paths of the files below a folder that Traefik would read."""
    found = names(folder) if names is not None else None
    if found is None or depth > MOST_DEPTH:
        raise Unknown
    result: list[str] = []
    for name in sorted(found):
        if name.endswith("/"):
            result += _walk(names, posixpath.join(folder, name.rstrip("/")), depth + 1)
        elif name.endswith(SUFFIXES):
            result.append(posixpath.join(folder, name))
        if len(result) > MOST_FILES:
            raise Unknown
    return result
