"""Lines of services' logs that are known to mean something: the signatures of ``failures/*.yaml``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from homelab_mcp.core.diagnosis.clues import call, quoted, whole_seconds
from homelab_mcp.model.diagnosis import Cause, Facts, Remedy, Signature
from homelab_mcp.model.observed import ContainerState

if TYPE_CHECKING:
    from homelab_mcp.model.definition import ServiceDefinition

_ENTRY = 0.85
"""How sure a catalog entry's own line is: nobody held it to a real log, as those of ``failures/`` are."""
LINES, LENGTH = 300, 600
"""How much of a log is matched: the last lines, and the beginning of each. It bounds the time of every pattern."""

SETTLED = 30.0
"""Seconds after which a run counts as one that lasts."""
LATELY = 3600.0
"""Seconds of a run that may be one of many: what restarts a sick container has its own counts, and Docker none."""
_BEFORE = 0.4
"""What stands before the present run counts for this share: below all that is seen now, for it may be mended."""


def settled_since(state: ContainerState, now: float) -> float | None:
    """When its present run began (Unix seconds), where that is all that counts: nothing ended it since.

    What it said before is a fault that a person or a plan has mended. None where the run is young or came of a crash,
    whose cause stands in the run before.
    """
    if state.state != "running" or state.restart_count or not state.started_at:
        return None
    begun = whole_seconds(state.started_at)
    return begun if begun is not None and now - begun >= SETTLED else None


def may_last(state: ContainerState, since: float, now: float, *, error: str, changed: float | None) -> bool:
    """Whether a fault of before the present run may be one that comes back, by who restarts a container from outside.

    Not after an hour, nor where a plan changed its stack at this start or since, nor of a service that is healthy and
    of which nobody says that it fails.

    Args:
        state: the container.
        since: when its present run began (:func:`settled_since`).
        now: Unix seconds.
        error: what the person saw.
        changed: when the last plan of its stack was done, Unix seconds.
    """
    mended = changed is not None and changed >= since
    return now - since < LATELY and not mended and (state.health != "healthy" or bool(error))


def causes(f: Facts) -> Iterator[Cause]:
    """One cause for each signature that its newest lines match; an entry's own only for a line that no other tells."""
    causes_now = tuple(_causes(f, (f.error, *f.logs)))
    yield from causes_now
    if not causes_now:
        for cause in _causes(f, f.logs_before):
            why = (*cause.evidence, "That was before its last start; if it was mended then, it is past.")
            yield replace(cause, confidence=cause.confidence * _BEFORE, evidence=why)


def _causes(f: Facts, lines: tuple[str, ...]) -> Iterator[Cause]:
    told: set[str] = set()
    for signature, found in matches(f.signatures, f.image, lines):
        if signature.of_entry and found.string in told:
            continue
        told.add(found.string)
        fix = _former_major(f, signature.fix, found) or _remedy(f, signature)
        yield Cause(signature.family, signature.confidence, signature.cause, (quoted(found), signature.source), fix)


def _former_major(f: Facts, what: str, found: re.Match[str]) -> Remedy | None:
    """Where the line names the major version that made the data (``major``): the tag of that version.

    Official tags are ``15`` and ``15-alpine`` (hub.docker.com/_/postgres); images built on them say ``pg15``.
    """
    major = found.groupdict().get("major")
    if not major:
        return None
    tag = f.image.partition("@")[0].rsplit("/", 1)[-1].partition(":")[2]
    former = re.sub(r"pg\d+", f"pg{major}", tag) if re.search(r"pg\d", tag) else major
    former += "-alpine" if former == major and "alpine" in tag else ""
    return call(f, "update_service", what, tag=former) if former != tag else None


def matches(
    signatures: tuple[Signature, ...], image: str, lines: tuple[str, ...]
) -> Iterator[tuple[Signature, re.Match[str]]]:
    """Each signature of the image with its newest match."""
    recent = [line[:LENGTH] for line in lines[-LINES:] if line]
    for signature in signatures:
        if not counts_for(signature, image):
            continue
        # An entry's author wrote the pattern for the page of the service, where upper and lower case differ.
        pattern = _compiled(signature.pattern, 0 if signature.of_entry else re.IGNORECASE)
        found = next((m for line in reversed(recent) if (m := pattern.search(line))), None)
        if found:
            yield signature, found


def counts_for(signature: Signature, image: str) -> bool:
    """Whether a signature is for lines of this image; one that names none is for everybody's."""
    repository = _repository(image)
    return not signature.images or any(_is_of(repository, known) for known in signature.images)


def of_entry(definition: ServiceDefinition) -> tuple[Signature, ...]:
    """What a catalog entry says of its lines, as signatures; they come after all others."""
    return tuple(
        Signature(
            id=f"{definition.id}_{number}",
            images=(),
            pattern=one.pattern,
            family=f"{definition.id}_{number}",
            cause=one.cause,
            fix=one.fix,
            source=definition.links.documentation,
            confidence=_ENTRY,
            of_entry=True,
        )
        for number, one in enumerate(definition.failures, 1)
    )


def _repository(image: str) -> str:
    """The image's repository, with a stroke before it so that its beginning is a boundary too."""
    folder, _, last = image.split("@", 1)[0].rpartition("/")
    return f"/{folder}/{last.partition(':')[0]}".lower().replace("//", "/")


def _is_of(repository: str, known: str) -> bool:
    """Whether a signature's word for images means this one (see :class:`Signature`)."""
    return repository.endswith(f"/{known}") if "/" in known else known in repository.rsplit("/", 1)[-1]


def _remedy(f: Facts, signature: Signature) -> Remedy:
    if not signature.tool:
        return Remedy(signature.fix)
    # Variables belong to a stack; everything else is planned for one service of it.
    place = {"stack": f.stack} if signature.tool == "set_env" else {"service": f.service, "stack": f.stack}
    return Remedy(signature.fix, signature.tool, {**place, **signature.arguments})


@lru_cache(maxsize=512)
def _compiled(pattern: str, flags: int) -> re.Pattern[str]:
    return re.compile(pattern, flags)
