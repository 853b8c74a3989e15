"""One service as rules look at it: its labels, ports, mounts and networks already read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from homelab_mcp.core.checks.ports_syntax import Published, PublishedInvalid, parse_port
from homelab_mcp.core.compose_model import is_open, raw_text
from homelab_mcp.core.compose_unique import volume_parts
from homelab_mcp.core.once import once
from homelab_mcp.core.stack_host import SWARM
from homelab_mcp.core.yaml12 import Mark, Path

if TYPE_CHECKING:
    from homelab_mcp.core.checks.view import StackView


class Entry(NamedTuple):
    """One ``KEY=value`` of labels or environment: value (None when unset), as written, and where in the service."""

    key: str
    value: str | None
    raw: str
    path: Path
    open: bool


class Mount(NamedTuple):
    """One volume of a service. ``kind``: bind, volume, anonymous, tmpfs or other; ``source`` may be ""."""

    kind: str
    source: str
    target: str
    read_only: bool
    path: Path
    open: bool

    def at(self, key: str) -> Path:
        """The place of a finding about one value: the key's in the long form, the item's where it has no such key."""
        # Of a missing place the nearest above it is found.
        return (*self.path, key)


@dataclass(frozen=True, slots=True)
class PortEntry:
    """One item of ``ports``: what it publishes, or why it is none; ``field`` is the long form's key that is wrong."""

    path: Path
    published: Published | None
    problem: str
    field: str = ""

    def at(self, key: str) -> Path:
        """The place of a finding about one value, as :meth:`Mount.at`."""
        return (*self.path, key)


class ServiceView:
    """One service of a stack. ``of_file`` is True for one that stands for a file of Traefik's.

    ``partial`` is True when the rest of it is somewhere else (``extends``), so that nothing can be called missing;
    ``network_mode`` and ``restart`` are "" where there is none.
    """

    of_file = False

    def __init__(self, stack: StackView, name: str, data: dict[str, Any]) -> None:
        self.stack = stack
        self.name = name
        self.data = data
        mode, restart = data.get("network_mode"), data.get("restart")
        self.network_mode = mode if isinstance(mode, str) else ""
        self.restart = str(restart) if isinstance(restart, str) else ""
        self.partial = "extends" in data
        self.memo: dict[str, Any] = {}  # what readers of its labels have worked out already

    @once
    def name_place(self) -> tuple[str, Mark]:
        """The file, and where in it the service's name stands."""
        return self.stack.place(self.path(), key=True)

    def path(self, *inside: str | int) -> Path:
        """A path in the file from one inside the service."""
        return ("services", self.name, *inside)

    @once
    def image(self) -> str:
        """The image reference, "" where there is none or a variable in it has no value."""
        image = self.data.get("image")
        return "" if not isinstance(image, str) or is_open(image) else str(image)

    @once
    def image_name(self) -> str:
        """Last part of the image's repository, lower case: ``postgres`` of ``docker.io/library/postgres:16``."""
        image = self.data.get("image")
        text = raw_text(image) if is_open(image) else str(image or "")
        return text.split("@")[0].rsplit("/", 1)[-1].split(":")[0].lower()

    @once
    def labels(self) -> dict[str, Entry]:
        """Labels by key."""
        return {e.key: e for e in _entries(self.data.get("labels"), "labels")}

    @once
    def http_labels(self) -> dict[str, list[tuple[str, str, Entry]]]:
        """Labels ``traefik.http.<kind>.<name>.<option>`` by kind: (name, option in lower case, label)."""
        found: dict[str, list[tuple[str, str, Entry]]] = {}
        for key, entry in self.traefik_labels:
            if key[:13] == "traefik.http.":
                parts = key.split(".", 4)
                option = parts[4] if len(parts) > 4 else ""
                name = entry.key.split(".", 4)[3] if len(parts) > 3 else ""
                found.setdefault(parts[2], []).append((name, option, entry))
        return found

    @once
    def traefik_labels(self) -> list[tuple[str, Entry]]:
        """Traefik's labels: (key in lower case, label)."""
        keys = ((key.lower(), entry) for key, entry in self.labels.items())
        return [pair for pair in keys if pair[0].startswith("traefik.")]

    @once
    def other_labels(self) -> list[tuple[str, Entry]]:
        """Everybody else's labels: (key, label)."""
        return [(key, entry) for key, entry in self.labels.items() if key[:8].lower() != "traefik."]

    @once
    def environment(self) -> dict[str, Entry]:
        """Environment variables by name."""
        return {e.key: e for e in _entries(self.data.get("environment"), "environment")}

    @once
    def ports(self) -> list[PortEntry]:
        """Published ports; an item whose variables have no value is left out."""
        return list(_ports(self.data.get("ports")))

    @once
    def published(self) -> list[tuple[PortEntry, Published]]:
        """Published ports that could be read."""
        return [(entry, entry.published) for entry in self.ports if entry.published]

    @once
    def mounts(self) -> list[Mount]:
        """Volumes, long and short."""
        return [m for n, item in enumerate(_list(self.data.get("volumes"))) if (m := _mount(item, ("volumes", n)))]

    @once
    def networks(self) -> dict[str, Path]:
        """Network keys it names -> where; {"default": ...} where it names none and has no network_mode."""
        part = self.data.get("networks")
        if isinstance(part, list):
            return {str(name): ("networks", n) for n, name in enumerate(part) if isinstance(name, str)}
        if isinstance(part, dict):
            return {str(name): ("networks", str(name)) for name in part}
        return {} if self.network_mode else {"default": ()}

    @once
    def real_networks(self) -> frozenset[str]:
        """Names the engine knows its networks by."""
        return frozenset(self.stack.real_network(key) for key in self.networks)

    @once
    def profiles(self) -> frozenset[str]:
        """Profiles it is limited to."""
        return frozenset(str(p) for p in _list(self.data.get("profiles")))

    def is_beside(self, other: ServiceView) -> bool:
        """False on different hosts, between Swarm and Traefik's files, and for two of one stack of other profiles."""
        if self.stack is not other.stack and self.stack.host != other.stack.host:
            return False
        if self.of_file != other.of_file and SWARM in (self.stack.engine, other.stack.engine):
            # A file of Traefik's says what no Traefik sees in Swarm itself.
            return False
        if self.stack is not other.stack or not self.profiles or not other.profiles:
            return True
        return bool(self.profiles & other.profiles)

    def label(self, key: str) -> str:
        """A label's value, "" where it is not there; keys compare without case, as Traefik does."""
        entry = self.labels.get(key) or self._labels_by_lower.get(key)
        return (entry.value or "") if entry else ""

    @once
    def _labels_by_lower(self) -> dict[str, Entry]:
        """Labels by key in lower case; the first of several that differ in case only."""
        own = {key.lower(): entry for key, entry in reversed(self.other_labels)}
        return own | {key: entry for key, entry in reversed(self.traefik_labels)}

    @once
    def routed(self) -> bool:
        """True when Traefik is told to route to it."""
        enabled = self.label("traefik.enable").lower()
        if enabled == "false":
            return False
        return enabled == "true" or any(k.lower().startswith("traefik.http.routers.") for k in self.labels)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _entries(part: Any, name: str) -> Iterator[Entry]:
    if isinstance(part, dict):
        for key, value in part.items():
            text = None if value is None else _text(value)
            yield Entry(str(key), text, raw_text(value) or (text or ""), (name, str(key)), is_open(value))
    for n, item in enumerate(_list(part)):
        if isinstance(item, str):
            key, equals, value = item.partition("=")
            if type(item) is str:
                yield Entry(key, value if equals else None, value, (name, n), False)
            else:
                raw = raw_text(item).partition("=")[2]
                yield Entry(key, value if equals else None, raw, (name, n), is_open(item))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _ports(part: Any) -> Iterator[PortEntry]:
    for n, item in enumerate(_list(part)):
        path: Path = ("ports", n)
        if is_open(item) or (isinstance(item, dict) and any(is_open(v) for v in item.values())):
            continue
        try:
            yield PortEntry(path, parse_port(item), "")
        except PublishedInvalid as error:
            yield PortEntry(path, None, str(error), error.field)


def _mount(item: Any, path: Path) -> Mount | None:
    if isinstance(item, str):
        return _short_mount(item, path)
    if not isinstance(item, dict):
        return None
    kind, source, target = (item.get(k) for k in ("type", "source", "target"))
    return Mount(
        str(kind or "other"),
        str(source or ""),
        str(target or ""),
        item.get("read_only") in (True, "true"),
        path,
        any(is_open(v) for v in item.values()),
    )


_A_PATH = re.compile(r"[./~]|[A-Za-z]:|\\\\")


def _short_mount(item: str, path: Path) -> Mount:
    parts = volume_parts(item)
    if len(parts) == 1:
        return Mount("anonymous", "", parts[0], False, path, is_open(item))
    source, target = parts[0], parts[1]
    options = parts[2].split(",") if len(parts) > 2 else []
    bind = bool(_A_PATH.match(source)) or (is_open(item) and raw_text(item).startswith("$"))
    return Mount("bind" if bind else "volume", source, target, "ro" in options, path, is_open(item))
