"""Known secrets in text: each form that a value travels in, and one index that finds all of them in one walk."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import compress
from urllib.parse import quote, quote_plus, unquote

MASK = "[redacted]"
SHORTEST = 6
"""Values below this length are not searched for: they would match ordinary words."""

Span = tuple[int, int]

_STEP = 3
_WIDTH = SHORTEST - _STEP + 1
"""Any text of ``SHORTEST`` characters holds a whole window of this width that begins at a multiple of the step."""

_PIECE = 1_024 * _STEP
_SLICES = tuple(slice(at, at + _WIDTH) for at in range(0, _PIECE, _STEP))

_HEAD = 6

_LINE = 12
"""A single line of a value of several lines is searched for by itself from this length on."""

_TOLD = re.compile(r"[\\\"'$`!*?&|;<>(){}\[\]#~ \t]")
_LOGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/@]*?:([^\s/]+)@")
_RUN = r"[A-Za-z0-9+/=_-]"
_WRAPPED = re.compile(
    rf"(?<!{_RUN}){_RUN}{{16,}}+"
    rf"(?:(?:(?:\r?\n|\\r\\n|\\n)[ \t]*)(?:\}}⟦[0-9a-f]{{1,32}}:\d{{1,9}}⟧[ \t]*)?{_RUN}++)+"
)
_BREAK = re.compile(r"(?:\r?\n|\\r\\n|\\n)[ \t]*(?:\}⟦[0-9a-f]{1,32}:\d{1,9}⟧[ \t]*)?")


def forms(value: str) -> frozenset[str]:
    """Every text by which this value may be found: itself, quoted, escaped, in hex, and in base64 at each alignment.

    Empty for a value that is too short, or part of the mask itself.
    """
    if len(value) < SHORTEST or value in MASK:
        return frozenset()
    found = {value, value.strip(), *_quoted(value), *_encoded(value)}
    if "\n" in value:
        lines = [line.strip() for line in value.splitlines()]
        for line in lines:
            if len(line) >= _LINE and not line.startswith("-----"):
                found |= {line, *_quoted(line)}
        found |= {"\n".join(lines), "".join(lines), " ".join(lines), "\r\n".join(lines)}
    if login := _LOGIN.match(value):
        for part in {login[1], unquote(login[1])}:
            if len(part) >= SHORTEST and part not in MASK:
                found |= {part, *_quoted(part), *_encoded(part)}
    return frozenset(form for form in found if len(form) >= SHORTEST)


def _quoted(value: str) -> Iterator[str]:
    if value.isalnum() and value.isascii():
        return
    for safe in ("", "/", "/:@", "~()*!'"):
        yield quote(value, safe=safe)
    percent = quote(value, safe="")
    yield re.sub(r"%[0-9A-F]{2}", lambda m: m[0].lower(), percent)
    yield quote_plus(value)
    plain = json.dumps(value, ensure_ascii=False)[1:-1]
    told = json.dumps(value)[1:-1]
    # Go's encoder also escapes what HTML gives a meaning.
    web = plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    for text in (plain, told, web):
        yield text
        yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield plain.replace("/", "\\/")
    yield value.replace("$", "$$")
    yield plain.replace("$", "$$")
    yield value.replace("\\", "\\\\")
    yield value.replace("'", "'\\''")
    yield value.replace("'", "'\"'\"'")
    yield value.replace("'", "''")
    yield re.sub(r"[\\\"$`]", lambda m: f"\\{m[0]}", value)
    yield re.sub(r"[\\\"$]", lambda m: f"\\{m[0]}", value)
    yield value.replace('"', '\\"')
    yield _TOLD.sub(lambda m: f"\\{m[0]}", value)
    yield repr(value)[1:-1]
    yield repr(value.encode("utf-8", "replace"))[2:-1]
    yield html.escape(value)
    yield html.escape(value, quote=False)


def _encoded(value: str) -> Iterator[str]:
    raw = value.encode("utf-8", "replace")
    yield raw.hex()
    yield raw.hex().upper()
    yield "".join(f"\\x{byte:02x}" for byte in raw)
    yield "".join(f"%{byte:02X}" for byte in raw)
    yield base64.b64encode(raw).decode().rstrip("=")
    yield base64.urlsafe_b64encode(raw).decode().rstrip("=")
    yield base64.b64encode(raw + b"\n").decode().rstrip("=")
    for before in range(3):
        # Only the characters that these bytes alone decide: what stands around them is not known.
        text = base64.b64encode(bytes(before) + raw).decode()
        inner = text[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


class Known:
    """Finds known values in text, in every form, in time that hardly depends on how many there are."""

    def __init__(self, values: Iterable[str]) -> None:
        every: set[str] = set()
        for value in values:
            every |= forms(value)
        self._grams: dict[str, list[tuple[str, int]]] = {}
        self.longest = max(map(len, every), default=0)
        self.of_several_lines = sorted(form for form in every if "\n" in form)
        self._heads = {form[:_HEAD] for form in every}
        for form in sorted(every, key=lambda f: (len(f), f)):
            self._add(form)

    def _add(self, form: str) -> None:
        """File the form under the windows of one of its places: those with the fewest others, against common heads."""
        last = len(form) - SHORTEST
        place = min({0, last // 2, last}, key=lambda at: (self._crowd(form, at), at))
        for at in range(place, place + _STEP):
            self._grams.setdefault(form[at : at + _WIDTH], []).append((form, at))

    def _crowd(self, form: str, place: int) -> int:
        return sum(len(self._grams.get(form[at : at + _WIDTH], ())) for at in range(place, place + _STEP))

    def spans(self, text: str) -> list[Span]:
        """(start, end) of each stretch of the text that holds known values; in order, none touching another."""
        if not self._grams:
            return []
        found = self._found(text)
        if "\n" in text or "\\n" in text:
            for block in _WRAPPED.finditer(text):
                found += self._wrapped(block)
        return _merged(found)

    def mask(self, text: str) -> str:
        """The text with each such stretch masked."""
        spans = self.spans(text)
        if not spans:
            return text
        pieces, at = [], 0
        for start, end in spans:
            pieces += [text[at:start], MASK]
            at = end
        return "".join([*pieces, text[at:]])

    def begins_in(self, tail: str) -> bool:
        """Whether the text's end may be the beginning of a known value, from two characters on.

        The end of what a program prints before it waits, such as a question, is hardly ever one.
        """
        ends = {tail[-size:] for size in range(2, _HEAD + 1)}
        return any(head[: len(end)] == end for head in self._heads for end in ends) or any(
            head in tail for head in self._heads
        )

    def _found(self, text: str) -> list[Span]:
        grams = self._grams
        found: list[Span] = []
        # In pieces, so that the slices are made once; the interpreter's own code then does the whole walk.
        for base in range(0, len(text), _PIECE):
            piece = text[base : base + _PIECE + _WIDTH] if len(text) > _PIECE else text
            seen = map(grams.__contains__, map(piece.__getitem__, _SLICES))
            for at in compress(range(base, min(base + _PIECE, len(text)), _STEP), seen):
                for form, inner in grams[text[at : at + _WIDTH]]:
                    if at >= inner and text.startswith(form, at - inner):
                        found.append((at - inner, at - inner + len(form)))
        return found

    def _wrapped(self, block: re.Match[str]) -> list[Span]:
        """As ``_found`` for encoded text that was broken into lines, whatever their length."""
        places: list[int] = []
        at = block.start()
        for gap in _BREAK.finditer(block[0]):
            places += range(at, block.start() + gap.start())
            at = block.start() + gap.end()
        places += range(at, block.end())
        whole = _BREAK.sub("", block[0])
        return [(places[start], places[end - 1] + 1) for start, end in self._found(whole)]


@lru_cache(maxsize=16)
def known(values: tuple[str, ...]) -> Known:
    """The index of these values, made once."""
    return Known(values)


def _merged(spans: list[Span]) -> list[Span]:
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
