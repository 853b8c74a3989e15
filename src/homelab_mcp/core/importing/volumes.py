"""Somebody's mounts: into folders of the stack where they can be, kept with a risk or refused where not."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from homelab_mcp.core.compose_model import is_external
from homelab_mcp.core.importing.mounts import Place, place_of, shared
from homelab_mcp.core.references import literal
from homelab_mcp.model.lab import LabSettings

_HERE = re.compile(r"^(?:\$\{?(?:PWD|HOME)\}?|~)(?=/|$)")
_VARIABLE = re.compile(r"^\$\{?([A-Za-z_][A-Za-z0-9_]*)(?::?-[^}]*)?\}?(?=/|$)")
_OURS = frozenset({"MEDIA_DIR", "DOWNLOADS_DIR"})
_FILE = re.compile(
    r"\.(conf|cfg|cnf|ini|ya?ml|json|toml|xml|env|sh|php|sql|txt|js|crt|pem|key|properties|lua|html)$|/(\.htpasswd|Caddyfile)$"
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(slots=True)
class Mounts:
    """Turns mounts over, service by service.

    Args:
        settings: the lab's.
        root: the lab's absolute path.
        declared: the text's own named volumes.
        keep: leave named volumes as they are.
    """

    settings: LabSettings
    root: str
    declared: Mapping[str, Any]
    keep: bool
    used: dict[str, Any] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    socket: list[str] = field(default_factory=list)
    _folders: dict[str, str] = field(default_factory=dict)

    def of(self, service: str, body: Mapping[str, Any], *, as_root: bool) -> list[Any]:
        """The service's ``volumes``; ``as_root`` False: its image runs as a user of its own, and named ones stay."""
        part = body.get("volumes")
        found: list[Any] = []
        for item in part if isinstance(part, list) else ():
            memory = isinstance(item, Mapping) and item.get("type") == "tmpfs"
            volume = item if memory else self._one(service, *split(item), as_root)
            if volume and volume not in found:
                found.append(volume)
        return found

    def _one(self, service: str, source: str, target: str, mode: str, as_root: bool) -> str:
        end = f"{target}:{mode}" if mode else target
        if not target.startswith("/"):
            self.lost.append(f"{service}: the mount {target[:80]!r} cannot be read here.")
            return ""
        if not source:
            return self._moved(service, target, "", f"{target} had no name", end)
        if _NAME.fullmatch(source):
            return self._named(service, source, end, as_root)
        rest = _HERE.sub(".", source)
        variable = _VARIABLE.match(rest)
        if variable and variable[1] in _OURS:
            return f"{source}:{end}"
        if variable or "$" in rest:
            return self._moved(service, rest[variable.end() :] if variable else target, "", source, end)
        if not rest.startswith("/"):
            return self._beside(service, rest, source, end)
        return self._absolute(service, rest, end)

    def _named(self, service: str, name: str, end: str, as_root: bool) -> str:
        options = self.declared.get(name)
        special = is_external(options) or (
            isinstance(options, Mapping) and any(k in options for k in ("driver", "driver_opts", "name"))
        )
        if self.keep or special or not as_root:
            self._judge_declared(service, name, options)
            self.used[name] = options if special else None
            if not as_root and not special and not self.keep:
                self.changed.append(f"{service}: the volume {name} stays, as its image runs as a user of its own.")
            return f"{name}:{end}"
        if name not in self._folders:
            short = re.sub(rf"^{re.escape(service)}[_-]|[_-](?:data|volume|vol)$", "", name) or name
            self._folders[name] = f"./{service}/{_plain(short)}"
            self.changed.append(
                f"{service}: the volume {name} became the folder {self._folders[name]}; data that is in a volume of "
                "that name does not come along."
            )
        return f"{self._folders[name]}:{end}"

    def _judge_declared(self, service: str, name: str, options: Any) -> None:
        """A named volume can be a host folder in disguise, or another stack's.

        Raises:
            InvalidInput: it is a folder that no service may have (code ``mount_refused``).
        """
        part = options if isinstance(options, Mapping) else {}
        driver = part.get("driver_opts")
        device = str(driver.get("device", "")) if isinstance(driver, Mapping) else ""
        if device.startswith("/") or "$" in device:
            place_of(device, self.settings, self.root)
            self.outside.append(f"{service} sees {device} of the host, by the volume {name}.")
        if is_external(part) or part.get("name"):
            self.outside.append(f"{service} uses the volume {name}, which may be another stack's.")

    def _beside(self, service: str, path: str, source: str, end: str) -> str:
        plain = posixpath.normpath(path.removeprefix("./") or ".")
        while plain.startswith("../"):
            plain = plain[3:]
        plain = plain if plain not in {".", ".."} else "data"
        folder = f"./{plain}" if plain.split("/")[0] == service else f"./{service}/{plain}"
        if _FILE.search(plain):
            self.lost.append(
                f"{service}: put the file {source} at {folder[2:]} in the stack's folder before applying, or Docker "
                "makes an empty folder of that name."
            )
        elif folder != source:
            self.changed.append(f"{service}: {source} became {folder}; data that is there already has to be copied.")
        return f"{folder}:{end}"

    def _moved(self, service: str, path: str, _: str, source: str, end: str) -> str:
        base = _plain(posixpath.basename(path.rstrip("/"))) or "data"
        folder = f"./{service}/{base}"
        self.changed.append(f"{service}: {source} became {folder}; data that is there already has to be copied.")
        return f"{folder}:{end}"

    def _absolute(self, service: str, path: str, end: str) -> str:
        place = place_of(path, self.settings, self.root)
        if place is Place.CLOCK:
            self.changed.append(f"{service}: {path} is left out: the time zone comes from TZ.")
            return ""
        if place is Place.MADE_UP:
            return self._moved(service, path, "", path, end)
        if place in {Place.MEDIA, Place.DOWNLOADS}:
            return f"{shared(path, place, self.settings)}:{end}"
        if place is Place.SOCKET:
            self.socket.append(service)
            return f"{literal(self.settings.docker_socket)}:{end}"
        self.outside.append(f"{service} sees {path} of the host.")
        return f"{literal(path)}:{end}"


def split(item: Any) -> tuple[str, str, str]:
    """(source, target, mode) of a mount in either form; "" for a part that is not there."""
    if isinstance(item, Mapping):
        mode = "ro" if item.get("read_only") else ""
        return str(item.get("source") or ""), str(item.get("target") or ""), mode
    text = str(item)
    # A colon inside ${NAME:-default} separates nothing.
    parts = re.split(r":(?![^${}]*\})", text)
    if len(parts) == 1:
        return "", parts[0], ""
    return parts[0], parts[1], ",".join(p for p in parts[2].split(",") if p != "rw") if len(parts) > 2 else ""


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")
