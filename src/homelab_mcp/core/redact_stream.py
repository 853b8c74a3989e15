"""Redaction of text that comes in pieces: nothing is let out that may be the beginning of a secret."""

from __future__ import annotations

import re
from collections.abc import Callable

from homelab_mcp.core.redact import Redactor
from homelab_mcp.core.redact_shapes import open_key

HELD = 65_536
"""Characters held back at most, where no line's end is safe to cut at: more than a private key has."""

_CODED_LINE = re.compile(r"(?:\S* ){0,6}[A-Za-z0-9+/=_-]{16,}\s*")
_LINES = 400


def settled(text: str, redactor: Redactor) -> int:
    """How much of the text, whole lines, can be masked without what comes after it.

    Not settled are: a line without its end, a private key without its end, encoded text at the end that may go on in
    the next line, and what may be the first lines of a known value of several.
    """
    cut = text.rfind("\n") + 1
    if "-----BEGIN" in text:
        key = open_key(text)
        if key >= 0:
            cut = min(cut, text.rfind("\n", 0, key) + 1)
    for _ in range(_LINES):
        before = text.rfind("\n", 0, max(cut - 1, 0)) + 1
        if not cut or not _CODED_LINE.fullmatch(text, before, cut):
            break
        cut = before
    for form in redactor.known.of_several_lines:
        end = form.find("\n")
        while end >= 0:
            if text.endswith(form[: end + 1], 0, cut):
                cut = text.rfind("\n", 0, cut - end - 1) + 1
                break
            end = form.find("\n", end + 1)
    return cut


class RedactStream:
    """Masks a text that comes in pieces as if it were whole; ``close`` gives the rest.

    Args:
        redactor: asked for at each piece, since secrets may become known meanwhile.
        named: as in :meth:`Redactor.redact`.
    """

    def __init__(self, redactor: Callable[[], Redactor], *, named: bool = True) -> None:
        self._redactor = redactor
        self._named = named
        self._held = ""

    def feed(self, text: str) -> str:
        """Take a piece in; what of the text so far may go out."""
        self._held += text
        if "\n" not in text and len(self._held) < HELD:
            return ""
        redactor = self._redactor()
        cut = settled(self._held, redactor)
        if not cut and len(self._held) >= HELD:
            cut = self._within_a_line(redactor)
        return self._out(cut, redactor)

    def flush(self) -> str:
        """What may go out without waiting for a line's end: all, unless a known value may be about to go on."""
        if not self._held:
            return ""
        redactor = self._redactor()
        longest = min(redactor.known.longest, 256)
        tail = self._held[-longest:]
        if redactor.known.begins_in(tail) or open_key(self._held) >= 0:
            return self._out(settled(self._held, redactor), redactor)
        return self._out(len(self._held), redactor)

    def close(self) -> str:
        """The rest."""
        return self._out(len(self._held), self._redactor())

    def _within_a_line(self, redactor: Redactor) -> int:
        """Where an endless line can be cut: half of what is held, moved before any secret that spans the place."""
        cut = len(self._held) // 2
        for start, end in redactor.known.spans(self._held):
            if start < cut < end:
                cut = start
        # What is found by its shape (a token, a log-in) has no space in it.
        space = self._held.rfind(" ", 0, cut) + 1
        return space or cut or len(self._held) // 2

    def _out(self, cut: int, redactor: Redactor) -> str:
        text, self._held = self._held[:cut], self._held[cut:]
        return redactor.redact(text, named=self._named) if text else ""
