"""Searches a container's whole log for a word as it streams by, looking into those stretches alone that have it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from homelab_mcp.adapters import docker_answers
from homelab_mcp.ports.meter import Stretch

BLOCK = 1 << 20
MOST_BLOCK = 8 << 20
AROUND = 32_768
# Where a frame begins: text never holds a line end but at its own end, so this is nobody's text.
_FRAME = re.compile(rb"\n(?=[\x01\x02]\x00\x00\x00.{4}\d{4}-\d\d-\d\dT)", re.S)
_LINE = re.compile(rb"\n(?=\d{4}-\d\d-\d\dT)")
_COLOURS = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")
_HEADER = 8


def stretches(chunks: Iterable[bytes], word: bytes, *, fold: bool) -> Iterator[Stretch]:
    """Lines of each block that has the word, with some before and after it, oldest first, in memory for a few blocks.

    For any other block a stretch comes that is empty but for a line that tells how far the search is.
    """
    before = b""
    held: bytes | None = None
    for block in _blocks(chunks):
        if held is not None:
            yield _stretch(before, held, _head(block))
            before, held = held[-_tail(held) :], None
            found = _has(block, word, fold=fold)
        else:
            found = _has(block, word, fold=fold)
        if found:
            held = block
        else:
            before = block[-_tail(block) :]
            yield Stretch(list(islice(docker_answers.log_lines([before[:AROUND]]), 1)), 0, 0)
    if held is not None:
        yield _stretch(before, held, b"")


def _has(block: bytes, word: bytes, *, fold: bool) -> bool:
    if b"\x1b" in block:
        block = _COLOURS.sub(b"", block)
    return word in (block.lower() if fold else block)


def _stretch(before: bytes, block: bytes, after: bytes) -> Stretch:
    first = list(docker_answers.log_lines([before])) if before else []
    middle = list(docker_answers.log_lines([block]))
    last = list(docker_answers.log_lines([after])) if after else []
    return Stretch([*first, *middle, *last], len(first), len(first) + len(middle))


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The stream in pieces of about a megabyte, each of whole frames."""
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size < BLOCK:
            continue
        whole = b"".join(parts)
        end = _last_begin(whole)
        if end <= 0 and size < MOST_BLOCK:
            parts = [whole]
            continue
        end = end if end > 0 else _walked(whole)
        yield whole[:end]
        parts, size = [whole[end:]], len(whole) - end
    if rest := b"".join(parts):
        yield rest


def _begins(block: bytes) -> re.Pattern[bytes]:
    return _FRAME if block[:1] in b"\x00\x01\x02" else _LINE


def _last_begin(block: bytes) -> int:
    """Where the last frame begins that is preceded by a line's end; 0 for none in the block's last part."""
    pattern = _begins(block)
    start = max(len(block) - 4 * AROUND, 0)
    last = 0
    for found in pattern.finditer(block, start):
        last = found.end()
    return last


def _walked(block: bytes) -> int:
    """Where the last whole frame ends, from header to header; the block's end for a plain stream."""
    if _begins(block) is _LINE:
        return len(block)
    place = 0
    while place + _HEADER <= len(block):
        after = place + _HEADER + int.from_bytes(block[place + 4 : place + _HEADER], "big")
        if after > len(block):
            break
        place = after
    return place or len(block)


def _tail(block: bytes) -> int:
    """How many bytes at the end are whole frames that show what came before."""
    found = _begins(block).search(block, max(len(block) - AROUND, 0))
    return len(block) - found.end() if found else len(block)


def _head(block: bytes) -> bytes:
    found = _begins(block).search(block, min(AROUND, len(block)))
    return block[: found.end()] if found else block
