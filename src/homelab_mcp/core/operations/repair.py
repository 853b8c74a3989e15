"""Small changes of a service's file, by name, that settle a known fault: what ``diagnose`` offers.

A repair is written ``NAME`` or ``NAME:ARGUMENT``. Each changes what the fault stands in and nothing else. Those that
take a guard away, or open something, raise the plan's risk.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.compose_model import is_external
from homelab_mcp.core.operations import volume_edit
from homelab_mcp.core.resources import size_of
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Risk, RiskReason

FILES, LEAST_FILES = 65_536, 1024
"""Open files: what most images' own documentation asks for, and what Linux gives where nobody says otherwise."""
HEALTH_TIMEOUT = "30s"
"""As long as Docker's own default (docs.docker.com, Dockerfile reference, HEALTHCHECK)."""
_LEAST_TMPFS, _MORE = 64 * 2**20, 4
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,100}", re.IGNORECASE)
_ADDRESS = re.compile(r"(?<![\w.])(?:127\.0\.0\.1|localhost)(?=:\d|$|[\s\"'])")
_PLACES = ("command", "entrypoint", "environment")
_MIDDLEWARES = re.compile(r"traefik\.http\.routers\.[^.]+\.middlewares", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was done, why it is riskier than a recreation, what to know, and a network that is to be there first."""

    done: str
    risk: RiskReason | None = None
    note: str = ""
    network: str = ""


def repair(edit: ServiceEdit, spec: str) -> Repaired:
    """Carry one repair out.

    Args:
        edit: the service's.
        spec: ``NAME`` or ``NAME:ARGUMENT``, of :data:`REPAIRS`.

    Raises:
        InvalidInput: no such repair (``repair_unknown``), or there is nothing of the kind (``nothing_to_repair``).
        EditRefused: its lines cannot be changed alone.
    """
    name, _, argument = spec.partition(":")
    if name not in REPAIRS:
        raise InvalidInput(
            f"There is no repair {name[:40]!r}.", code="repair_unknown", hint=f"There are {', '.join(REPAIRS)}."
        )
    return REPAIRS[name](edit, argument)


def _absent(edit: ServiceEdit, what: str) -> InvalidInput:
    return InvalidInput(
        f"{edit.service} has no {what}.", code="nothing_to_repair", hint="Ask diagnose again: its file has changed."
    )


def _high(told: str) -> RiskReason:
    return RiskReason(Risk.HIGH, told)


def _route_on(edit: ServiceEdit, _: str) -> Repaired:
    edit.set_entry("labels", "traefik.enable", "true")
    return Repaired("Traefik routes to it", _high(f"{edit.service} can be reached by the address of its labels."))


def _route_network(edit: ServiceEdit, network: str) -> Repaired:
    if not _NAME.fullmatch(network):
        raise _absent(edit, "such network")
    edit.set_entry("labels", "traefik.docker.network", network)
    return Repaired(f"Traefik reaches it over {network}")


def _no_middleware(edit: ServiceEdit, middleware: str) -> Repaired:
    found = False
    for key, value in edit.entries("labels").items():
        names = [n.strip() for n in (value or "").split(",") if n.strip()]
        left = [n for n in names if n.partition("@")[0].lower() != middleware.partition("@")[0].lower()]
        if not _MIDDLEWARES.fullmatch(key) or left == names:
            continue
        found = True
        if left:
            edit.set_entry("labels", key, ",".join(left))
        else:
            edit.remove_entry("labels", key)
    if not found:
        raise _absent(edit, f"middleware {middleware[:60]}")
    return Repaired(f"no middleware {middleware}", _high(f"{edit.service} is reached without {middleware}."))


def _writable(edit: ServiceEdit, target: str) -> Repaired:
    for place, volume in enumerate(edit.items("volumes")):
        if volume_edit.target_of(volume).rstrip("/") != target.rstrip("/") or volume_edit.writes(volume):
            continue
        if isinstance(volume, Mapping):
            edit.remove(("volumes", place, "read_only"))
        else:
            head, _, flags = str(volume).rpartition(":")
            kept = [f for f in flags.split(",") if f not in ("ro", "readonly")]
            edit.set(("volumes", place), ":".join([head, *([",".join(kept)] if kept else [])]))
        source = volume_edit.source_of(volume)
        outside = source.startswith(("/", "~", ".."))
        told = _high(f"{edit.service} may write to {source} of the host.") if outside else None
        return Repaired(f"may write to {target}", told)
    raise _absent(edit, f"read-only mount at {target[:80]}")


def _writable_root(edit: ServiceEdit, _: str) -> Repaired:
    if not edit.get("read_only"):
        raise _absent(edit, "read-only root")
    edit.remove("read_only")
    note = "What it writes beside its mounts goes with the container; a tmpfs for that place keeps the root read-only."
    return Repaired("its root may be written", RiskReason(Risk.MEDIUM, "Its root is no longer read-only."), note)


def _bigger_tmpfs(edit: ServiceEdit, target: str) -> Repaired:
    def grown(size: str) -> str:
        return f"{max(size_of(size) * _MORE, _LEAST_TMPFS) // 2**20}m"

    rows = edit.get("tmpfs")
    listed = rows if isinstance(rows, list) else [rows] if rows else []
    for place, row in enumerate(listed):
        path, _, options = str(row).partition(":")
        if posixpath.normpath(path) != posixpath.normpath(target):
            continue
        size = re.search(r"\bsize=([0-9.]+[kKmMgG]?)", options)
        if not size:
            continue
        new = grown(size[1])
        text = f"{path}:{options.replace(size.group(), f'size={new}')}"
        edit.set(("tmpfs", place) if isinstance(rows, list) else "tmpfs", text)
        return Repaired(f"{new} for {path}", note=f"What is in {path} counts as the service's memory.")
    raise _absent(edit, f"tmpfs with a size at {target[:80]}")


def _more_files(edit: ServiceEdit, _: str) -> Repaired:
    own = edit.get("ulimits.nofile")
    numbers = [n for n in (own.values() if isinstance(own, Mapping) else [own]) if isinstance(n, int)]
    if numbers and max(numbers) < LEAST_FILES:
        # The engine's own is never below, and a rootless engine may set no higher one.
        edit.remove("ulimits.nofile")
        return Repaired("as many open files as the engine gives")
    more = max(FILES, _MORE * max(numbers, default=0))
    edit.set("ulimits.nofile", {"soft": more, "hard": more})
    return Repaired(f"{more} open files")


def _networked(edit: ServiceEdit, _: str) -> Repaired:
    if edit.get("network_mode") != "none":
        raise _absent(edit, "`network_mode: none`")
    edit.remove("network_mode")
    return Repaired("on its stack's network", _high(f"{edit.service} was cut off from every network."))


def _make_network(edit: ServiceEdit, network: str) -> Repaired:
    sections: Any = edit.document.get("networks") or {}
    for key in edit.names("networks") or ["default"]:
        body = sections.get(key)
        if isinstance(body, Mapping) and is_external(body) and str(body.get("name") or key) == network:
            return Repaired(f"with the network {network}", network=network)
    raise _absent(edit, f"network {network[:80]} of another")


def _own_command(edit: ServiceEdit, _: str) -> Repaired:
    # A file's entrypoint leaves the image's command out (Compose specification, services), so both go together.
    gone = [k for k in ("entrypoint", "command") if edit.get(k) is not None]
    if not gone:
        raise _absent(edit, "command or entrypoint of its own")
    for key in gone:
        edit.remove(key)
    return Repaired("the image's own command", note=f"Without {' and '.join(gone)} it runs what its image says.")


def _own_user(edit: ServiceEdit, _: str) -> Repaired:
    user = edit.get("user")
    if user is None:
        raise _absent(edit, "`user`")
    edit.remove("user")
    return Repaired("the image's own user", _high(f"{edit.service} may run as root: its image says as whom."))


def _no_device(edit: ServiceEdit, device: str) -> Repaired:
    def meant(row: Any) -> bool:
        source = str(row.get("source", "")) if isinstance(row, Mapping) else str(row).partition(":")[0]
        return source == device

    if not any(meant(row) for row in edit.items("devices")):
        raise _absent(edit, f"device {device[:80]}")
    edit.remove_items("devices", meant)
    return Repaired(f"no device {device}", note=f"It works without {device} until that is given to it again.")


def _unpublish(edit: ServiceEdit, port: str) -> Repaired:
    def meant(row: Any) -> bool:
        if isinstance(row, Mapping):
            return str(row.get("published", "")) == port
        places = str(row).partition("/")[0].split(":")
        return len(places) > 1 and places[-2] == port

    if not any(meant(row) for row in edit.items("ports")):
        raise _absent(edit, f"published port {port[:12]}")
    edit.remove_items("ports", meant)
    note = f"Others of this machine or network that used port {port} reach it no more; its route and other services do."
    return Repaired(f"port {port} is not published", note=note)


def _patient_health(edit: ServiceEdit, _: str) -> Repaired:
    if not edit.get("healthcheck"):
        raise _absent(edit, "health check of its own")
    edit.set("healthcheck.timeout", HEALTH_TIMEOUT)
    return Repaired(f"{HEALTH_TIMEOUT} for a health check")


def _listen(edit: ServiceEdit, _: str) -> Repaired:
    if not _put_in(edit, lambda text: _ADDRESS.sub("0.0.0.0", text)):  # noqa: S104 - the container's own network
        raise _absent(edit, "127.0.0.1 in its command or variables")
    return Repaired("listens for others of its networks", _high(f"Others on its networks reach {edit.service}."))


def _rename_host(edit: ServiceEdit, names: str) -> Repaired:
    old, _, new = names.partition(">")
    if not _NAME.fullmatch(old) or not _NAME.fullmatch(new):
        raise _absent(edit, "such name")
    pattern = re.compile(rf"(?<![\w.-]){re.escape(old)}(?![\w-]|\.\w)")
    if not _put_in(edit, lambda text: pattern.sub(new, text)):
        raise _absent(edit, f"name {old} in its command or variables")
    return Repaired(f"{new} instead of {old}")


def _put_in(edit: ServiceEdit, change: Callable[[str], str]) -> bool:
    """Change the texts of its command and variables; whether any changed. What stands in ``.env`` is not touched."""
    before = edit.text
    for field in _PLACES:
        value = edit.get(field)
        if field == "environment":
            for key, text in edit.entries(field).items():
                if text and change(text) != text:
                    edit.set_entry(field, key, change(text))
        elif isinstance(value, list):
            for place, text in enumerate(value):
                if isinstance(text, str) and change(text) != text:
                    edit.set((field, place), change(text))
        elif isinstance(value, str) and change(value) != value:
            edit.set(field, change(value))
    return edit.text != before


REPAIRS: Mapping[str, Callable[[ServiceEdit, str], Repaired]] = {
    "route_on": _route_on,
    "route_network": _route_network,
    "no_middleware": _no_middleware,
    "writable": _writable,
    "writable_root": _writable_root,
    "bigger_tmpfs": _bigger_tmpfs,
    "more_files": _more_files,
    "networked": _networked,
    "make_network": _make_network,
    "own_command": _own_command,
    "own_user": _own_user,
    "no_device": _no_device,
    "unpublish": _unpublish,
    "patient_health": _patient_health,
    "listen": _listen,
    "rename_host": _rename_host,
}
"""Name -> the function that carries it out."""
