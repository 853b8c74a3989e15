"""Which backups a repository holds, and whose they are: several labs may share one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from homelab_mcp.model.errors import EngineFailed, HomelabError
from homelab_mcp.model.lab import LOCAL, PRIVATE_FOLDER
from homelab_mcp.ports import Lab, Restic

READ_SECONDS = 120.0
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Backup:
    """One snapshot of the repository: its short id, and when (RFC 3339, UTC)."""

    id: str
    time: str


@dataclass(frozen=True, slots=True)
class Others:
    """Backups of one other lab: its tag ("" for those that do not say whose they are), how many, the newest."""

    tag: str
    total: int
    newest: Backup

    @property
    def told(self) -> str:
        """In words, with the id by which the newest can be restored."""
        return f"{self.newest.id} ({self.newest.time}, {self.tag or 'no tag'}, {self.total} in all)"


@dataclass(frozen=True, slots=True)
class Listing:
    """What a repository holds, as one lab sees it.

    Args:
        newest: the newest that is known to be this lab's; where none is, the newest of all.
        backups: all that may be this lab's, the newest first. Those of older versions do not say whose they are. Where
            none is known to be this lab's, as on a new machine, it may be any of the repository.
        others: what has another lab's id and is not among them.
        untagged: how many of an older version are among them beside this lab's own; no run lets go of those.
        every: all that the repository holds, of whatever lab and Docker host, the newest first.
        makers: id -> the Docker host that made it.
        doubtful: whose they are, where none is known to be this lab's and they are several's: no "latest" then.
        foreign: the other lab's tag, where they are all of that one, as on a new machine.
        former: this lab's, of hosts that it has no more by that name, which is the tag.
        host: the Docker host whose backups are listed.
    """

    newest: Backup | None
    backups: tuple[Backup, ...]
    others: tuple[Others, ...] = ()
    doubtful: tuple[Others, ...] = ()
    foreign: str = ""
    untagged: int = 0
    every: tuple[Backup, ...] = ()
    makers: Mapping[str, str] = field(default_factory=dict)
    former: tuple[Others, ...] = ()
    host: str = LOCAL

    @property
    def note(self) -> str | None:
        """What to do about those without a tag, or of a former host; None where there are none."""
        return " ".join(told for told in (self._untagged, self._former) if told) or None

    @property
    def of_others(self) -> str:
        """A sentence on backups that hosts of other names made, by the newest of each; "" where there are none."""
        newest: dict[str, Backup] = {}
        for one in self.every:
            if (maker := self.makers.get(one.id, self.host)) != self.host:
                newest.setdefault(maker, one)
        named = [f"{b.id} ({b.time}, {'this machine' if m == LOCAL else m})" for m, b in list(newest.items())[:_SHOWN]]
        return f" Of other hosts, the newest: {', '.join(named)}; one that is named can be restored." if named else ""

    @property
    def _former(self) -> str:
        if not self.former:
            return ""
        return (
            f"Of hosts that the lab has no more by that name, the newest: {told_of(self.former)}. "
            "A restore takes them by id, and no run lets go of them."
        )

    @property
    def _untagged(self) -> str | None:
        if not self.untagged:
            return None
        if self.untagged == 1:
            return (
                "1 backup of an older version has no lab's tag and is never let go of: remove it by id with "
                "restic forget ID."
            )
        return (
            f"{self.untagged} backups of older versions have no lab's tag and are never let go of: remove them by id "
            "with restic forget ID."
        )


def listing(lab: Lab, host: str = LOCAL) -> Listing:
    """What the repository of one of the lab's Docker hosts holds of that host. Raises as ``Restic`` does."""
    everything, own = _raw(lab.restic_at(host)), f"lab-{(lab.files.read(f'{PRIVATE_FOLDER}/id') or '').strip()}"
    every, makers = _sorted(everything), {one.id: _maker(s) for s in everything for one in _sorted([s])}
    raw = [s for s in everything if _maker(s) == host]
    gone = _former(everything, own, lab)
    labs = [(s, sorted({str(t) for t in s.get("tags") or () if str(t).startswith("lab-")})) for s in raw]
    ours = [s for s, names in labs if own in names]
    theirs = _by_tag((names[0] if names else "", s) for s, names in labs if own not in names)
    if ours:
        there = _sorted([s for s, names in labs if own in names or not names])
        return Listing(
            _sorted(ours)[0],
            there,
            tuple(o for o in theirs if o.tag),
            untagged=len(there) - len(ours),
            every=every,
            makers=makers,
            former=gone,
            host=host,
        )
    there = _sorted(raw)
    # Those without a tag may be of yet another lab, which has no id.
    several = len(theirs) > 1
    foreign = "" if several else next((o.tag for o in theirs), "")
    doubtful = theirs if several else ()
    return Listing(
        next(iter(there), None),
        there,
        doubtful=doubtful,
        foreign=foreign,
        every=every,
        makers=makers,
        former=gone,
        host=host,
    )


def _former(everything: list[dict[str, Any]], own: str, lab: Lab) -> tuple[Others, ...]:
    """This lab's backups that hosts made of whom its ``hosts.yaml`` says nothing, the newest first."""
    mine = [(_maker(s), s) for s in everything if own in (s.get("tags") or ())]
    if all(maker == LOCAL for maker, _ in mine):
        return ()
    try:
        known = {LOCAL, *lab.hosts.settings.hosts}
    except HomelabError:
        return ()
    return _by_tag((maker, s) for maker, s in mine if maker not in known)


def snapshots(lab: Lab) -> tuple[Backup, ...]:
    """Every backup of this lab's machine, the newest first, as :func:`listing` has it. Raises as ``Restic`` does."""
    return listing(lab).backups


def snapshots_of(restic: Restic) -> tuple[Backup, ...]:
    """Every backup of the repository, the newest first, by the container alone."""
    return _sorted(_raw(restic))


def told_of(others: Iterable[Others]) -> str:
    """The newest of each, in words."""
    every = list(others)
    more = f", and of {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return f"{', '.join(o.told for o in every[:_SHOWN])}{more}"


def _by_tag(marked: Iterable[tuple[str, dict[str, Any]]]) -> tuple[Others, ...]:
    """The newest first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for tag, snapshot in marked:
        found.setdefault(tag, []).append(snapshot)
    every = [Others(tag, len(raw), _sorted(raw)[0]) for tag, raw in found.items()]
    return tuple(sorted(every, key=lambda o: o.newest.time, reverse=True))


def _maker(snapshot: dict[str, Any]) -> str:
    """The script gives each backup a name of its own for a host; what has none is of the lab's machine."""
    lab, _, host = str(snapshot.get("hostname", "")).partition("/")
    return host if lab == "lab" and host else LOCAL


def _raw(restic: Restic) -> list[dict[str, Any]]:
    try:
        found = json.loads(restic.read(["snapshots"], seconds=READ_SECONDS) or "null") or []
    except ValueError:
        raise EngineFailed("restic's list of backups cannot be read.", code="backup_failed") from None
    return [s for s in found if isinstance(s, dict)]


def _sorted(raw: list[dict[str, Any]]) -> tuple[Backup, ...]:
    found = [Backup(str(s.get("short_id") or str(s.get("id", ""))[:8]), _utc(str(s.get("time", "")))) for s in raw]
    return tuple(sorted(found, key=lambda b: b.time, reverse=True))


def _utc(text: str) -> str:
    """Restic's time, with nanoseconds and a zone, to the second in UTC."""
    plain = re.sub(r"\.[0-9]+", "", text)
    try:
        return datetime.fromisoformat(plain.replace("Z", "+00:00")).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return text
