"""Which tag of an image comes after the one in use: judged by the tag's own shape, so that flavours never mix."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from homelab_mcp.model.errors import InvalidInput

UPDATE_LABEL = "homelab.update"
"""On a service: ``ignore`` (never asked about), ``pin`` (reported as pinned), ``patch`` or ``minor`` (no more than
that)."""
WATCHTOWER_LABEL = "com.centurylinklabs.watchtower.enable"

Level = Literal["", "patch", "minor", "major", "dated", "moved"]
ORDER: dict[str, int] = {"moved": 0, "patch": 1, "dated": 2, "minor": 2, "major": 3}
_DIGITS = re.compile(r"[0-9]+")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9a-fA-F:]+\](:[0-9]{1,5})?")
_NAME = re.compile(r"[a-z0-9]+([._/-]+[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_HUB = frozenset({"docker.io", "index.docker.io", "registry.hub.docker.com"})


@dataclass(frozen=True, slots=True)
class ImageName:
    """A reference in its parts: the registry's host, the repository there, tag and digest ("" where there is none)."""

    registry: str
    repository: str
    tag: str
    digest: str = ""


def image_name(reference: str) -> ImageName:
    """The parts of an image reference, with Docker's defaults. Raises InvalidInput (``bad_image``)."""
    rest, _, digest = reference.partition("@")
    tag = ""
    if ":" in rest.rpartition("/")[2]:
        rest, _, tag = rest.rpartition(":")
    first, slash, below = rest.partition("/")
    # A first part is a host when it looks like one (distribution/reference, "splitDockerDomain").
    if slash and ("." in first or ":" in first or first == "localhost"):
        registry, repository = first, below
    else:
        registry, repository = "docker.io", rest
    if registry in _HUB:
        registry = "docker.io"
        repository = repository if "/" in repository else f"library/{repository}"
    tag = tag or ("" if digest else "latest")
    if not _HOST.fullmatch(registry) or not _NAME.fullmatch(repository) or (tag and not _TAG.fullmatch(tag)):
        raise InvalidInput(f"{reference[:120]!r} is no image reference.", code="bad_image", hint="Correct the image.")
    return ImageName(registry, repository, tag, digest)


def shape(tag: str) -> str:
    """The tag with every run of digits as one sign: ``34.0.3-apache`` is ``#.#.#-apache``."""
    return _DIGITS.sub("#", tag)


def numbers(tag: str) -> tuple[int, ...]:
    """The runs of digits, in order."""
    return tuple(int(n) for n in _DIGITS.findall(tag))


def newest(current: str, tags: Iterable[str], most: str = "") -> str:
    """The newest tag of the current one's shape; "" where none is newer.

    Args:
        current: the tag in use.
        tags: all tags of the repository.
        most: ``patch`` or ``minor``: no larger step than that.
    """
    mine, wanted = numbers(current), shape(current)
    if not mine:
        return ""
    lengths = [len(n) for n in _DIGITS.findall(current)]
    best, found = mine, ""
    for tag in tags:
        if shape(tag) != wanted:
            continue
        runs = _DIGITS.findall(tag)
        # A date or a build number that happens to have the shape of a version is no version.
        if any(len(run) > length + 1 for run, length in zip(runs, lengths, strict=True)):
            continue
        theirs = numbers(tag)
        if theirs > best and (not most or ORDER[level(current, tag)] <= ORDER[most]):
            best, found = theirs, tag
    return found


def level(current: str, new: str) -> Level:
    """How large a step it is, by the first number that differs; ``dated`` for versions that begin with a year."""
    mine, theirs = numbers(current), numbers(new)
    if not mine or mine == theirs:
        return ""
    if 1900 <= mine[0] <= 2200 or mine[0] > 19_000_000:
        return "dated"
    place = next((i for i, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), 0)
    words: tuple[Level, ...] = ("major", "minor", "patch")
    return words[min(place, 2)]
