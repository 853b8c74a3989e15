"""Lines of services' logs that are known to mean something: the signatures of ``failures/*.yaml``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from homelab_mcp.core.diagnosis.clues import quoted
from homelab_mcp.model.diagnosis import Cause, Facts, Remedy, Signature

LINES, LENGTH = 300, 600
"""How much of a log is matched: the last lines, and the beginning of each. It bounds the time of every pattern."""


def causes(f: Facts) -> Iterator[Cause]:
    """One cause for each signature that its newest lines match."""
    for signature, found in matches(f.signatures, f.image, (f.error, *f.logs)):
        fix = _remedy(f, signature)
        yield Cause(signature.family, signature.confidence, signature.cause, (quoted(found), signature.source), fix)


def matches(
    signatures: tuple[Signature, ...], image: str, lines: tuple[str, ...]
) -> Iterator[tuple[Signature, re.Match[str]]]:
    """Each signature of the image with its newest match."""
    repository = _repository(image)
    recent = [line[:LENGTH] for line in lines[-LINES:] if line]
    for signature in signatures:
        if signature.images and not any(_is_of(repository, known) for known in signature.images):
            continue
        pattern = _compiled(signature.pattern)
        found = next((m for line in reversed(recent) if (m := pattern.search(line))), None)
        if found:
            yield signature, found


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
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)
