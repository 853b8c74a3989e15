"""Lines of services' logs that are known to mean something: the signatures of ``failures/*.yaml``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from homelab_mcp.core.diagnosis.clues import call, quoted
from homelab_mcp.model.diagnosis import Cause, Facts, Remedy, Signature

LINES, LENGTH = 300, 600
"""How much of a log is matched: the last lines, and the beginning of each. It bounds the time of every pattern."""


def causes(f: Facts) -> Iterator[Cause]:
    """One cause for each signature that its newest lines match."""
    for signature, found in matches(f.signatures, f.image, (f.error, *f.logs)):
        fix = _former_major(f, signature.fix, found) or Remedy(signature.fix)
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
    name = image.split("@", 1)[0].rsplit("/", 1)[-1].partition(":")[0].lower()
    recent = [line[:LENGTH] for line in lines[-LINES:] if line]
    for signature in signatures:
        if signature.images and not any(known in name for known in signature.images):
            continue
        pattern = _compiled(signature.pattern)
        found = next((m for line in reversed(recent) if (m := pattern.search(line))), None)
        if found:
            yield signature, found


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)
