"""Which services have a newer image: asked of the registries, in parallel and within a time limit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from typing import Any

from homelab_mcp.core.image_updates import (
    UPDATE_LABEL,
    WATCHTOWER_LABEL,
    ImageName,
    image_name,
    level,
    newest,
    numbers,
)
from homelab_mcp.core.lazy_needs import definition_of
from homelab_mcp.core.operations.lab_view import Known, expand, view
from homelab_mcp.core.release_notes import changelog
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable, HomelabError, InvalidInput, NotFound
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import nearest, read_stacks

AT_ONCE = 8
TOTAL_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ImageUpdate:
    """One service's image.

    Args:
        stack: its stack.
        service: its name.
        image: the reference in its file.
        state: current, update (a newer tag), moved (the tag names another image than the one that is here),
            pinned, ignored, or unknown (``why`` says).
        newest: the tag to go to, or "".
        level: patch, minor, major, dated, moved or "".
        digest: of what the tag names now, where it moved.
        beyond: a larger step than its label allows.
        changelog: where to read what changed.
        security: where there is a newer image, whether the notes of the releases on the way mention security: yes,
            no or unknown; "" where nobody asked (:func:`queries.security_notes.with_security` does).
        security_ids: of the advisories that they name (CVE, GHSA).
        security_link: the newest release that mentions it.
        security_why: why it is unknown.
        why: a sentence.
        described: whether the image is the one of a catalog entry: another image of the same program may count its
            versions in another way.
        limit: patch or minor: its label takes no larger step; "" where it has none.
    """

    stack: str
    service: str
    image: str
    state: str
    newest: str = ""
    level: str = ""
    digest: str = ""
    beyond: str = ""
    changelog: str = ""
    security: str = ""
    security_ids: tuple[str, ...] = ()
    security_link: str = ""
    security_why: str = ""
    why: str = ""
    described: bool = False
    limit: str = ""

    def as_row(self) -> dict[str, Any]:
        """What is told of it, JSON-ready."""
        return {k: v for k, v in asdict(self).items() if k not in ("described", "limit")}


def check_updates(
    lab: Lab, stack: str = "", services: Iterable[str] = (), *, seconds: float = TOTAL_SECONDS, most: str = ""
) -> tuple[ImageUpdate, ...]:
    """Every service's image, or those of one stack or of these services (``service`` or ``stack/service``).

    What was not answered within ``seconds`` is unknown, and says so. With ``most`` (patch, minor) a larger step is
    told as ``beyond``, as where a service's label says so.

    What a tag names is compared with the image on the service's own host. Hosts are asked at once, each within its
    time; of one that does not answer the registry's word alone is told.
    """
    wanted = set(services)
    seen = view(Snapshot(read_stacks(lab.files), None)).services
    mine = [
        s for s in seen if (not stack or s.stack == stack) and (not wanted or s.name in wanted or s.where in wanted)
    ]
    there = {name for s in seen if not stack or s.stack == stack for name in (s.name, s.where)}
    for word in sorted(wanted - there):
        where = f" in stack {stack[:80]}" if stack else " in this lab"
        known = {s.name for s in seen if not stack or s.stack == stack}
        raise NotFound(f"There is no service {word[:80]!r}{where}.", hint=nearest(word, known, "Services"))
    if stack and not mine:
        raise NotFound(f"There is no stack {stack[:80]!r}.", hint=nearest(stack, {s.stack for s in seen}, "Stacks"))
    silent = _silent(lab, {s.host for s in mine if s.host != LOCAL})
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="registry")
    try:
        asked: dict[Future[ImageUpdate], Known] = {
            pool.submit(_one, lab, one, most, silent.get(one.host, "")): one for one in mine
        }
        done, _ = wait(asked, timeout=seconds)
        found = [f.result() if f in done else _late(one, seconds) for f, one in asked.items()]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return tuple(found)


def _late(one: Known, seconds: float) -> ImageUpdate:
    image = expand(str(one.data.get("image", "")), one.env)
    return ImageUpdate(one.stack, one.name, image, "unknown", why=f"not answered within {seconds:g} seconds")


def _silent(lab: Lab, hosts: set[str]) -> Mapping[str, str]:
    """Which of these do not answer, and why: asked once, so that none of their services waits for it."""
    if lab.files_only or not hosts:
        return {}
    try:
        known = sorted(hosts & set(lab.hosts.settings.hosts))
        return {look.name: look.error for look in lab.hosts.looks(tuple(known)) if look.error} if known else {}
    except HomelabError:
        # A hosts.yaml that cannot be read is told of each service that it matters for.
        return {}


def _one(lab: Lab, one: Known, most: str, silent: str = "") -> ImageUpdate:
    reference = expand(str(one.data.get("image", "")), one.env)
    rule = one.labels.get(UPDATE_LABEL, "")
    limit = rule if rule in ("patch", "minor") else ""
    start = ImageUpdate(one.stack, one.name, reference, "unknown", limit=limit)
    if rule == "ignore":
        return replace(start, state="ignored", why=f"its label {UPDATE_LABEL} says so")
    if one.data.get("build") or not reference:
        return replace(start, state="ignored", why="built here")
    if one.labels.get(WATCHTOWER_LABEL, "").lower() == "true":
        start = replace(start, why="Watchtower updates it by itself")
    definition = definition_of(one, lab.catalog.get)
    if definition is not None:
        start = replace(start, changelog=changelog(definition.links.upstream))
    try:
        image = image_name(reference)
        found = _asked(lab, image, _Place(one.host, reference, silent), rule, start, most)
    except (InvalidInput, NotFound, EngineUnavailable, EngineFailed) as error:
        return replace(start, why=error.message)
    except HomelabError as error:  # pragma: no cover - whatever else fails must not hide the other services
        return replace(start, why=error.message)
    described = definition is not None and _last(definition.container.image.repository) == _last(image.repository)
    return replace(found, described=described)


def _last(repository: str) -> str:
    return repository.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an image is meant to be: the service's host, and why it does not answer, "" where it may."""

    host: str
    reference: str
    silent: str

    @property
    def lacks(self) -> str:
        """A sentence's part on an image that is not there."""
        where = "this machine" if self.host == LOCAL else f"host {self.host}"
        return self.silent or f"its image is not on {where}"


def _asked(lab: Lab, image: ImageName, place: _Place, rule: str, start: ImageUpdate, most: str) -> ImageUpdate:
    if image.digest and not image.tag:
        return replace(start, state="pinned", why="its file names a digest and no tag")
    tags = lab.registry.tags(image) if numbers(image.tag) else ()
    limits = [step for step in (rule, most) if step in ("patch", "minor")]
    most = "patch" if "patch" in limits else "minor" if limits else ""
    best, beyond = newest(image.tag, tags, most), newest(image.tag, tags)
    if rule == "pin":
        why = f"pinned; {beyond} is there" if beyond else "pinned"
        return replace(start, state="pinned", beyond=beyond, why=why)
    if best:
        return replace(
            start,
            state="update",
            newest=best,
            level=level(image.tag, best),
            beyond=beyond if beyond != best else "",
        )
    now = lab.registry.digest(image)
    here = frozenset({image.digest}) if image.digest else _here(lab, place)
    beyond = beyond if most else ""
    if now and here and now not in here:
        why = start.why or "the tag names another image by now"
        return replace(start, state="moved", level="moved", digest=now, beyond=beyond, why=why)
    if not here and not numbers(image.tag):
        return replace(start, why=f"its tag moves, and {place.lacks}" if not place.silent else place.silent)
    if not here:
        return replace(start, state="current", beyond=beyond, why=start.why or place.lacks)
    return replace(start, state="current", beyond=beyond)


def _here(lab: Lab, place: _Place) -> frozenset[str]:
    """What the image is called on the service's own host; another host's may be newer or older."""
    if lab.files_only or place.silent:
        return frozenset()
    try:
        # All of several hosts as one engine would tell of an image that any of them has.
        engine = lab.hosts.engine(place.host) if place.host != LOCAL or lab.hosts.settings.hosts else lab.engine
        return engine.image_digests(place.reference)
    except (EngineUnavailable, EngineFailed):
        return frozenset()
