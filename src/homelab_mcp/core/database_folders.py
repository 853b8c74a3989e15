"""Which of a database's mounts hold the database itself: what its dump stands for, and nothing else.

A database's container mounts more than its data: settings, scripts for the first start, a folder shared with an
application. No dump holds those.

Facts: where the images keep their data, as their own pages say: Docker Official Images postgres (``PGDATA``, from 18 on
below ``/var/lib/postgresql``), mariadb and mysql (``--datadir``); LinuxServer.io's mariadb (``/config/databases``);
Bitnami's (``/bitnami/NAME/data``); Timescale's (``/home/postgres/pgdata``).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from homelab_mcp.core.operations.data_places import folders_of_volumes
from homelab_mcp.core.operations.lab_view import Known, LabView, expand
from homelab_mcp.core.operations.stack_paths import Declared, Near, Root, declared_by
from homelab_mcp.core.operations.volume_edit import source_of, target_of, writes
from homelab_mcp.core.service_facts import environment_of

_USUAL = {
    "postgres": re.compile(r"/var/lib/postgresql(/(data|[0-9]+)(/.*)?)?|/home/postgres/pgdata(/.*)?"),
    "mariadb": re.compile(r"/var/lib/mysql(/.*)?"),
}
_BITNAMI = re.compile(r"(?:^|/)bitnami[^/]*/(postgresql|mariadb|mysql)\b")
_CHOSEN = re.compile(r"--datadir[= ](/[^\s'\"]+)")


@dataclass(frozen=True, slots=True)
class DataMounts:
    """What a database's dump stands for: folders (relative to the lab's root) and named volumes."""

    folders: tuple[str, ...] = ()
    volumes: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the mounts of a lab's services lead.

    Args:
        nears: stack -> where its services' paths begin.
        volumes: host -> Docker's name of a volume there -> the folder of the lab that it is but another name of.
    """

    nears: Mapping[str, Near]
    volumes: Mapping[str, Mapping[str, str]]

    def behind(self, one: Known, volume: str) -> str:
        """The folder of the lab that a service's named volume is but another name of; "" for one that is none."""
        near = self.nears[one.stack]
        known = self.volumes.get(one.host, {}).get(near.declared.volume_name(volume, one.env), "")
        place = near.place(near.device(volume)) or known
        return "" if place == ".." or place.startswith("../") else place

    def folder(self, one: Known, mount: Any) -> str | None:
        """A mount's source as a path of the lab; None where it is elsewhere, or a stack as a whole."""
        source = source_of(mount)
        place = self.nears[one.stack].place(source) or self.behind(one, source)
        return place if "/" in place and not place.startswith("../") else None


def paths_of(view: LabView, root: Root = "") -> Paths:
    """Where the mounts lead; with the lab's ``root`` an absolute path is known for one of the lab."""
    declared = {s.name: declared_by(s) for s in view.stacks}
    nears = {s.stack: Near(s.stack, s.env, root, declared.get(s.stack, Declared())) for s in view.services}
    # Each host has volumes and disks of its own.
    hosts = {s.stack: s.host for s in view.services}
    there = {host: [n for n in nears.values() if hosts[n.stack] == host] for host in hosts.values()}
    return Paths(nears, {host: folders_of_volumes(mine) for host, mine in there.items()})


def data_mounts(view: LabView, one: Known, kind: str, paths: Paths) -> DataMounts:
    """The mounts where this database has its data directory or a part of it, and nobody anything else.

    A folder that a service writes to at another place, or that holds another mount, is left out: it is not known to
    be the database's alone, and is copied with the rest.

    Args:
        view: the lab.
        one: the database.
        kind: ``postgres`` or ``mariadb``.
        paths: where the lab's mounts lead.
    """
    folders, volumes = list[str](), set[str]()
    for mount in _mounts(one):
        source, below = expand(source_of(mount), one.env), _data_below(one, kind, mount)
        if not source or below is None:
            continue
        folder = paths.folder(one, mount)
        if folder is None:
            if not source.startswith(("/", ".", "~", "$")):
                volumes.add(source)
        elif _alone(view, one, kind, whole := posixpath.normpath(f"{folder}/{below}"), paths):
            folders.append(whole)
    return DataMounts(tuple(dict.fromkeys(folders)), frozenset(volumes))


def _data_below(one: Known, kind: str, mount: Any) -> str | None:
    """Where in a mount the data is ("." for all of it); None where it holds none."""
    target = posixpath.normpath(expand(target_of(mount), one.env))
    place = _place(one, kind)
    if not place:
        return "." if _USUAL[kind].fullmatch(target) else None
    if target == place or target.startswith(f"{place}/"):
        return "."
    return posixpath.relpath(place, target) if place.startswith(f"{target}/") else None


def _place(one: Known, kind: str) -> str:
    """The data directory that the service or its image chooses; "" where it is the usual one."""
    chosen = expand(environment_of(one).get("PGDATA", ""), one.env) if kind == "postgres" else ""
    command = one.data.get("command") or ""
    words = command if isinstance(command, list) else [command]
    if kind == "mariadb" and (found := _CHOSEN.search(" ".join(expand(str(w), one.env) for w in words))):
        chosen = found[1]
    if chosen.startswith("/"):
        return posixpath.normpath(chosen)
    image = expand(str(one.data.get("image", "")), one.env)
    if bitnami := _BITNAMI.search(image):
        return f"/bitnami/{bitnami[1]}/data"
    return "/config/databases" if "linuxserver/" in image else ""


def _alone(view: LabView, one: Known, kind: str, folder: str, paths: Paths) -> bool:
    for other in (s for s in view.services if s.host == one.host):
        for mount in _mounts(other):
            path = paths.folder(other, mount)
            if path is None:
                continue
            if other.where == one.where and _data_below(one, kind, mount) is not None:
                continue
            if path.startswith(f"{folder}/"):
                return False
            # Who has it at the same place, or only reads it, keeps nothing else there.
            if path == folder and writes(mount) and _data_below(other, kind, mount) is None:
                return False
    return True


def _mounts(one: Known) -> Iterator[Any]:
    volumes = one.data.get("volumes")
    yield from volumes if isinstance(volumes, list) else ()
