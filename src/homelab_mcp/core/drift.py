"""Drift: what differs between the last commit, the files, and the containers."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from homelab_mcp.core.operations.lab_view import expand
from homelab_mcp.core.project_name import is_one_off
from homelab_mcp.model.observed import ContainerMake, ContainerState, PublishedPort
from homelab_mcp.model.plan import FileEdit

LAZY_LABEL = "sablier.enable"
LAB = "."
"""Stands for the lab's own files (homelab.yaml, policy.yaml), where a stack is asked for."""

_NO_VARIABLES: Mapping[str, str] = MappingProxyType({})
_UP = frozenset({"running", "restarting"})
_ENDED_WELL = re.compile(r"^Exited \(0\)")


class FileWord(StrEnum):
    """What became of a file."""

    CHANGED = "changed"
    NEW = "new"
    REMOVED = "removed"


class DriftWord(StrEnum):
    """How a container and its file differ."""

    DIFFERS = "differs"
    ORPHAN = "orphan"
    MISSING = "missing"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that is not as the last commit (or, where git must not hold it, the last apply) left it.

    Args:
        path: relative to the lab's root.
        word: what became of it.
        before: its text then; None where it was absent, or (``known`` False) where nobody kept it.
        after: its text now.
        mode: its permission bits.
        secret: git never holds it, and its content is never shown.
        known: whether ``before`` is known.
    """

    path: str
    word: FileWord
    before: str | None
    after: str | None
    mode: int = 0o644
    secret: bool = False
    known: bool = True

    @property
    def made(self) -> FileEdit:
        """The change as an edit that a person made already."""
        return FileEdit(self.path, self.before, self.after, self.mode, self.secret)

    @property
    def undone(self) -> FileEdit:
        """The edit that takes the change back."""
        return FileEdit(self.path, self.after, self.before, self.mode, self.secret)


@dataclass(frozen=True, slots=True)
class ContainerDrift:
    """One service whose containers are not as its file says; ``what`` names the parts, never a variable's value.

    ``sure`` is False for an orphan that a file may know which nobody could read.
    """

    stack: str
    service: str
    word: DriftWord
    what: tuple[str, ...] = ()
    sure: bool = True

    def as_line(self) -> str:
        """One line for people."""
        return f"{self.stack}/{self.service} {self.word}{': ' if self.what else ''}{'; '.join(self.what)}"


def in_scope(path: str, stack: str) -> bool:
    """Whether a file belongs to the stack ("": any; ".": the lab's own files)."""
    if stack == LAB:
        return "/" not in path
    return not stack or path.startswith(f"{stack}/")


def file_word(before: str | None, after: str | None) -> FileWord:
    """What became of a file with these texts."""
    if before is None:
        return FileWord.NEW
    return FileWord.REMOVED if after is None else FileWord.CHANGED


def drift_of(
    stack: str,
    *,
    declared: Mapping[str, Any],
    wanted: Collection[str],
    hashes: Mapping[str, str] | None,
    containers: Sequence[ContainerState],
    env: Mapping[str, str] = _NO_VARIABLES,
) -> list[ContainerDrift]:
    """What of a stack's containers is not as its files say, without the details of ``differs``.

    Args:
        stack: its folder's name.
        declared: service -> its data, for every service of the file.
        wanted: those that ``up`` starts (profiles that are not active are left out).
        hashes: service -> Compose's hash of it now, "" where nobody can tell; None where Compose was not asked.
        containers: the stack's containers, in any state.
        env: the stack's variables.
    """
    by_service: dict[str, list[ContainerState]] = {}
    for one in containers:
        if not is_one_off(one.labels):
            by_service.setdefault(one.service, []).append(one)
    found = []
    ending = _ending(declared)
    for name in declared:
        mine = by_service.pop(name, [])
        if not mine:
            # Whether its profile is active, only Compose tells.
            asleep = hashes is None and bool(_data(declared[name]).get("profiles"))
            if name in wanted and not asleep and _replicas(declared[name], env) > 0:
                found.append(ContainerDrift(stack, name, DriftWord.MISSING, ("no container",)))
            continue
        moved = any(c.image.startswith("sha256:") for c in mine)
        wanted_hash = (hashes or {}).get(name)
        if moved or (wanted_hash and any(c.config_hash != wanted_hash for c in mine)):
            found.append(ContainerDrift(stack, name, DriftWord.DIFFERS))
        down = [c for c in mine if c.state not in _UP]
        if len(down) == len(mine) and not _may_rest(declared[name], down, ends=name in ending):
            found.append(ContainerDrift(stack, name, DriftWord.STOPPED, (down[0].state,)))
    for name in sorted(by_service):
        names = ", ".join(c.name for c in by_service[name])
        what = f"container {names}, which no file knows"
        found.append(ContainerDrift(stack, name, DriftWord.ORPHAN, (what,), sure=hashes is not None))
    return found


def differences(made: ContainerMake, service: Mapping[str, Any]) -> tuple[str, ...]:
    """In what a container differs from its service as Compose reads it; names only, no variable's value.

    Args:
        made: what the container was made from.
        service: the service's part of ``docker compose config --format json``.
    """
    found = [*_image(made, service)]
    found += _names("environment", made.env, made.image_env, _mapping(service.get("environment")))
    found += _names("labels", made.labels, made.image_labels, _mapping(service.get("labels")))
    found += _ports(made.ports, service.get("ports") or ())
    return tuple(found) or ("other settings, by Compose's config hash",)


def _image(made: ContainerMake, service: Mapping[str, Any]) -> Iterator[str]:
    wanted = str(service.get("image") or "")
    if wanted and wanted != made.image:
        yield f"image {made.image}, file: {wanted}"
    elif made.image_moved:
        yield f"image {made.image} was pulled or built anew since"


def _names(what: str, now: Mapping[str, str], own: Mapping[str, str], wanted: Mapping[str, str | None]) -> list[str]:
    changed = sorted(n for n, v in wanted.items() if v is not None and n in now and now[n] != v)
    lacking = sorted(n for n, v in wanted.items() if v is not None and n not in now)
    extra = sorted(n for n, v in now.items() if n not in wanted and own.get(n) != v)
    words = (("changed", changed), ("only in the file", lacking), ("only in the container", extra))
    return [f"{what} {word}: {', '.join(names)}" for word, names in words if names]


def _ports(now: Sequence[PublishedPort], wanted: Sequence[Any]) -> list[str]:
    here = {(_address(p.host_ip), p.host_port, p.container_port, p.protocol) for p in now if p.host_port}
    there = set()
    for port in wanted:
        published = str(port.get("published") or "") if isinstance(port, Mapping) else ""
        if published in {"", "0"}:
            continue
        if not published.isdigit():
            # A range: which of its ports it became, only the engine knows.
            return []
        address = _address(str(port.get("host_ip") or ""))
        there.add((address, int(published), int(port["target"]), str(port.get("protocol") or "tcp")))
    if here == there:
        return []
    return [f"ports {_told(here)}, file: {_told(there)}"]


def _address(text: str) -> str:
    return "" if text in {"0.0.0.0", "::"} else text  # noqa: S104 - compared, not bound


def _told(ports: Collection[tuple[str, int, int, str]]) -> str:
    return ", ".join(f"{a + ':' if a else ''}{h}:{c}/{p}" for a, h, c, p in sorted(ports)) or "none"


def _mapping(value: Any) -> dict[str, str | None]:
    # Compose writes a dollar sign doubled, so that its output can be read back.
    pairs = value.items() if isinstance(value, Mapping) else ()
    return {str(k): None if v is None else str(v).replace("$$", "$") for k, v in pairs}


def _ending(declared: Mapping[str, Any]) -> set[str]:
    """Services that another waits for to complete."""
    found = set()
    for service in declared.values():
        needs = service.get("depends_on") if isinstance(service, Mapping) else None
        for name, how in (needs if isinstance(needs, Mapping) else {}).items():
            if isinstance(how, Mapping) and how.get("condition") == "service_completed_successfully":
                found.add(str(name))
    return found


def _may_rest(service: Any, down: Sequence[ContainerState], *, ends: bool) -> bool:
    """Whether a service that is down is as it should be: it ran to its end, or is started on demand."""
    data = _data(service)
    labels = data.get("labels") or {}
    pairs = labels.items() if isinstance(labels, Mapping) else (str(entry).split("=", 1) for entry in labels)
    if any(len(pair) == 2 and pair[0] == LAZY_LABEL and str(pair[1]).lower() == "true" for pair in map(tuple, pairs)):
        return True
    ended_well = all(_ENDED_WELL.match(c.status) for c in down)
    return ended_well and (ends or str(data.get("restart") or "no") == "no")


def _replicas(service: Any, env: Mapping[str, str]) -> int:
    """How many containers are wanted; of a text that is no number, as one with a variable that is not set, none."""
    data = _data(service)
    deploy = data.get("deploy")
    wanted = data.get("scale", deploy.get("replicas", 1) if isinstance(deploy, Mapping) else 1)
    text = expand(str(1 if wanted is None else wanted), env).strip()
    return int(text) if text.isdecimal() else 0


def _data(service: Any) -> Mapping[str, Any]:
    return service if isinstance(service, Mapping) else {}
