"""Whether a lab is well: what a timer asks while nobody chats. A line for each thing that is not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from homelab_mcp.core.drift import ContainerDrift, FileChange
from homelab_mcp.core.operations.lab_view import LabView
from homelab_mcp.core.status_view import ASLEEP, MISSING, UNDECLARED, UNREADABLE
from homelab_mcp.model.host import Check

AREAS = ("services", "routes", "certificates", "backups", "host", "drift", "updates")
ASKED_FOR = frozenset({"updates"})
"""Areas that are looked at only when asked for: registries count who asks them, and a newer image is no trouble yet."""
CERT_DAYS = 14
"""Traefik renews a certificate of 90 days when 30 are left: with 14 left it has failed for two weeks."""
_DAY = 86_400
_ENDS = frozenset({"", "no", "false", "on-failure"})
_CERT_WORDS = {0: "today", 1: "in one day"}


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is not well: its area, what it is about, and a sentence."""

    area: str
    what: str
    message: str

    def as_line(self) -> str:
        """One line for people and mails."""
        return f"{self.area} {self.what}: {self.message}" if self.what else f"{self.area}: {self.message}"


@dataclass(frozen=True, slots=True)
class Checked:
    """A lab's check.

    Args:
        troubles: what is not well, by area; none where all is.
        looked_at: area -> how many things were looked at; an area that was left out is not there.
        unseen: sentences on what could not be looked at.
    """

    troubles: tuple[Trouble, ...]
    looked_at: dict[str, int] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with what was looked at."""
        return not self.troubles

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        rows = [{"area": t.area, "what": t.what, "message": t.message} for t in self.troubles]
        return {"ok": self.ok, "problems": rows, "looked_at": self.looked_at, "unseen": list(self.unseen)}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route answered: HTTP status (0: none, ``error`` says why) and its certificate.

    ``expires`` is Unix time, 0 where no certificate was seen. ``place`` is the other Docker host it leads to, or "".
    """

    host: str
    status: int
    error: str = ""
    verified: bool = False
    expires: float = 0.0
    place: str = ""


def services(
    rows: Iterable[Mapping[str, Any]], lab: LabView, ended: Mapping[tuple[str, str], str]
) -> Iterator[Trouble]:
    """Services that should run and do not, or say that they are not well.

    Args:
        rows: the lab's status, as ``Row.as_dict`` has it.
        lab: the services as the files have them.
        ended: (stack, service) -> the engine's words on its container, such as "Exited (1) 2 hours ago".
    """
    known = {(s.stack, s.name): s.data for s in lab.services}
    for row in rows:
        place = (str(row["stack"]), str(row["service"]))
        state, data = str(row.get("state") or ""), known.get(place, {})
        where = "/".join(p for p in place if p)
        if row.get("note") in (ASLEEP, UNDECLARED):
            continue
        if state == UNREADABLE:
            yield Trouble("services", where, "its compose file cannot be read.")
        elif state == MISSING and not data.get("profiles"):
            yield Trouble("services", where, "it has no container.")
        elif row.get("health") == "unhealthy":
            yield Trouble("services", where, "its health check fails.")
        elif state in ("restarting", "dead", "paused"):
            yield Trouble("services", where, f"it is {state}.")
        elif state == "exited" and not _job(data, ended.get(place, "")):
            yield Trouble("services", where, f"it has ended ({ended.get(place) or 'exited'}).")


def _job(data: Mapping[str, Any], status: str) -> bool:
    """Whether it ended well and was meant to end: nothing starts it again."""
    return status.startswith("Exited (0)") and str(data.get("restart", "")).lower().partition(":")[0] in _ENDS


def routes(
    answers: Iterable[Answer], *, now: float, days: int, silent: Collection[str] = frozenset()
) -> Iterator[Trouble]:
    """Routes that do not answer, and certificates that are not trusted or end within ``days``.

    Those that do not answer and lead to one of the ``silent`` Docker hosts are one trouble a host.
    """
    gone: dict[str, list[str]] = {}
    for one in answers:
        if one.place in silent and one.status in _NOBODY:
            gone.setdefault(one.place, []).append(one.host)
        elif one.status == 0:
            yield Trouble("routes", one.host, f"no answer: {one.error or 'unknown'}.")
        elif one.status in _WHY:
            yield Trouble("routes", one.host, f"Traefik answers {one.status}: {_WHY[one.status]}.")
        if one.expires:
            left = int((one.expires - now) // _DAY)
            if one.expires <= now:
                yield Trouble("certificates", one.host, "its certificate has ended.")
            elif left < days:
                yield Trouble(
                    "certificates", one.host, f"its certificate ends {_CERT_WORDS.get(left, f'in {left} days')}."
                )
        if one.status and not one.verified and not (one.expires and one.expires <= now):
            yield Trouble("certificates", one.host, "its certificate is not trusted.")
    for place, hosts in gone.items():
        more = f" and {len(hosts) - _NAMED} more" if len(hosts) > _NAMED else ""
        told = f"its Docker does not answer, and neither do routes that lead there: {', '.join(hosts[:_NAMED])}{more}."
        yield Trouble("routes", f"host {place}", told)


_NAMED = 5
_NOBODY = frozenset({0, 502, 503, 504})
_WHY = {
    404: "no router of that name, or the page at / is not there",
    500: "the service fails, or it or the log-in is not healthy",
    502: "the service does not answer it",
    503: "no container behind it is healthy",
    504: "the service takes too long",
}


def host(checks: Iterable[Check]) -> Iterator[Trouble]:
    """What a person should act on: full or dead disks, memory, clock. A busy machine alone is no trouble."""
    for one in checks:
        if not one.ok and one.name not in _BUSY:
            yield Trouble("host", "", one.sentence)


_BUSY = frozenset({"load", "zombies"})


def updates(rows: Iterable[Mapping[str, Any]]) -> Iterator[Trouble]:
    """Services with a newer image: rows as ``ImageUpdate`` has them. What a registry did not answer is no trouble.

    Security is told where the release notes mention it; that they do not, or could not be read, is no news to a timer.
    """
    for row in rows:
        where = f"{row['stack']}/{row['service']}"
        if row["state"] == "update":
            said = f"{row['newest']} is there ({row['level']}), it runs {row['image']}."
            if row["security"] == "yes":
                ids = f" ({', '.join(row['security_ids'])})" if row["security_ids"] else ""
                said += f" SECURITY: its release notes mention it{ids}: {row['security_link']}"
            yield Trouble("updates", where, said)
        elif row["state"] == "moved":
            yield Trouble("updates", where, f"the tag of {row['image']} names a newer image.")


def drift(files: Iterable[FileChange], containers: Iterable[ContainerDrift]) -> Iterator[Trouble]:
    """What was changed by hand since the last apply."""
    for file in files:
        yield Trouble("drift", file.path, f"the file is {file.word} by hand; see homelab-mcp review.")
    for one in containers:
        yield Trouble("drift", f"{one.stack}/{one.service}", f"its container is not as its file says ({one.word}).")
