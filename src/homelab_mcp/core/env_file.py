"""A stack's ``.env``: read as Compose reads it, edited without touching any other line.

Rules after compose-go's ``dotenv`` package, checked against the Compose CLI itself in
``tests/docker/test_env_file_compose.py``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from homelab_mcp.model.errors import EditRefused, InvalidInput

RESERVED_PREFIXES = ("COMPOSE_", "DOCKER_")
"""Variables that steer Compose and Docker themselves (project name, files, host): never set by this project."""

LONGEST_VALUE = 65_536

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KEY = re.compile(r"(?P<export>export[ \t]+)?(?P<name>[\w.\[\]-]+)[ \t]*(?P<sep>[=:])?")
_BARE = re.compile(r"[A-Za-z0-9_./:@%+,=-]+")
_SPACE = " \t\v\f\r\x85\xa0"
_BEFORE = f"{_SPACE}\n\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""What may stand before a name: Go's ``unicode.IsSpace``; elsewhere compose-go knows those of ``_SPACE`` alone."""
_ESCAPE = re.compile(r"\\(?:[abcfnrtv$\"\\]|0[0-7]{0,3})")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "\\": "\\"}
_REFERENCE = re.compile(
    r"\$(?:(?P<escaped>\$)|(?P<bare>[A-Za-z_][A-Za-z0-9_]*)"
    r"|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<operator>:?[-+?])(?P<operand>[^{}]*))?\})"
)

Quote = Literal["", "'", '"']


@dataclass(frozen=True, slots=True)
class Entry:
    """One assignment: what it says and where it stands (offsets into the text).

    ``raw`` is the value before expansion and escapes; ``value_start`` to ``end`` spans it with its quotes.
    """

    name: str
    raw: str
    quote: Quote
    start: int
    value_start: int
    end: int


def parse_or_empty(text: str) -> dict[str, str]:
    """As :func:`parse`; empty for a text that Compose refuses, for those to whom the stack is one among others."""
    try:
        return parse(text)
    except InvalidInput:
        return {}


def parse_leniently(text: str) -> dict[str, str]:
    """As :func:`parse`; line by line for a text that Compose refuses, so that one bad line does not hide the others.

    For the linter, which says what is wrong with the file and need not call each of its variables missing as well.
    """
    try:
        return parse(text)
    except InvalidInput:
        values: dict[str, str] = {}
        for line in text.splitlines():
            key = _KEY.match(line)
            if key is not None and key["sep"] is not None:
                values |= parse_or_empty(line) or {key["name"]: line[key.end() :].strip()}
        return values


def parse(text: str) -> dict[str, str]:
    """Names and values as Compose sees them, references to earlier variables expanded; the last of a name wins.

    Raises:
        InvalidInput: a line that Compose refuses as well (code ``env_unreadable``).
    """
    values: dict[str, str] = {}
    for entry in entries(text):
        values[entry.name] = _meaning(entry, values)
    return values


def entries(text: str) -> list[Entry]:
    """Every assignment in the order it stands. A bare name without ``=`` (Compose's own environment's) is none.

    Raises:
        InvalidInput: as :func:`parse`.
    """
    found: list[Entry] = []
    place = 1 if text.startswith("\ufeff") else 0
    while (place := _skip(text, place)) < len(text):
        key = _KEY.match(text, place)
        if key is None:
            raise _unreadable(text, place, "a variable's name was expected")
        if key["sep"] is None:
            line = _line_end(text, key.end())
            if text[key.end() : line].strip(_SPACE):
                raise _unreadable(text, place, "'=' was expected after the name")
            place = line
            continue
        entry = _entry(text, place, key)
        found.append(entry)
        place = entry.end
    return found


def set_values(text: str, values: Mapping[str, str]) -> str:
    """The text with these values, in place where the name is there (its last line), at the end where it is not.

    Raises:
        InvalidInput: a name or value that may not be written (see :func:`check_name`, :func:`check_value`).
        EditRefused: the edited text would not read back exactly.
    """
    newline = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
    result = text
    for name, value in values.items():
        check_name(name)
        check_value(name, value)
        present = [e for e in entries(result) if e.name == name]
        if present:
            last = present[-1]
            if _meaning(last, {}) == value and (last.quote == "'" or "$" not in last.raw):
                continue
            written = quote(value)
            if result[last.end : _line_end(result, last.end)].strip() and written == value:
                # A comment follows, and might be taken for a part of bare text.
                written = f"'{value}'"
            result = result[: last.value_start] + written + result[last.end :]
        else:
            if result.removeprefix("\ufeff") and not result.endswith("\n"):
                result += newline
            result += f"{name}={quote(value)}{newline}"
    _check(text, result, values, frozenset())
    return result


def remove(text: str, names: Iterable[str]) -> str:
    """The text without the assignments of these names (every one of them), their comments left.

    Raises:
        EditRefused: the edited text would not read back exactly.
    """
    gone = frozenset(names)
    result = text
    for entry in reversed(entries(text)):
        if entry.name in gone:
            end = _line_end(result, entry.end)
            rest = result[entry.end : end].strip()
            start = result.rfind("\n", 0, entry.start) + 1
            if rest and not rest.startswith("#"):
                raise EditRefused(f"{entry.name} shares its line with another assignment.", code="shared_line")
            bom = start == 0 and result.startswith("\ufeff")
            result = ("\ufeff" if bom else result[:start]) + result[end + 1 if end < len(result) else end :]
    _check(text, result, {}, gone)
    return result


def quote(value: str) -> str:
    """The value as it is written behind ``=``: bare, in single quotes, or in double quotes with escapes.

    In single quotes Compose takes everything as it stands but ``'`` and a backslash before it or at the end.
    """
    if not value or _BARE.fullmatch(value):
        return value
    if "'" not in value and not value.endswith("\\"):
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def check_name(name: str) -> None:
    """Raise InvalidInput for a name that no ``.env`` of a stack may hold (code ``bad_name`` or ``reserved_name``)."""
    if not _NAME.fullmatch(name) or len(name) > 128:
        raise InvalidInput(
            "A variable's name has letters, digits and underscores, and starts with no digit.", code="bad_name"
        )
    if name.upper().startswith(RESERVED_PREFIXES):
        raise InvalidInput(
            f"{name} steers Docker Compose itself and is not set through this project.",
            hint="Edit the stack's .env by hand if you are sure.",
            code="reserved_name",
        )


def check_value(name: str, value: str) -> None:
    """Raise InvalidInput (code ``bad_value``) for a value that holds control characters or is too long.

    The message never holds the value.
    """
    if len(value) > LONGEST_VALUE:
        raise InvalidInput(f"The value of {name} is longer than {LONGEST_VALUE} characters.", code="bad_value")
    if any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in value):
        raise InvalidInput(
            f"The value of {name} holds a line break or another control character.",
            hint="Use one line of text; put certificates and keys in a file.",
            code="bad_value",
        )


def _entry(text: str, place: int, key: re.Match[str]) -> Entry:
    start = key.end()
    while start < len(text) and text[start] in _SPACE:
        start += 1
    mark = text[start : start + 1]
    if mark not in {"'", '"'}:
        line = _line_end(text, start)
        body = text[start:line].partition(" #")[0].rstrip()
        return Entry(key["name"], body, "", place, start, start + len(body))
    raw: list[str] = []
    index = start + 1
    while index < len(text):
        char = text[index]
        if char == mark:
            quoted: Quote = "'" if mark == "'" else '"'
            return Entry(key["name"], "".join(raw), quoted, place, start, index + 1)
        if char == "\\" and text[index + 1 : index + 2]:
            following = text[index + 1]
            raw.append(following if following == mark else char + following)
            index += 2
        else:
            raw.append(char)
            index += 1
    raise _unreadable(text, place, "the quoted value has no end")


def _meaning(entry: Entry, earlier: Mapping[str, str]) -> str:
    if entry.quote == "'":
        return entry.raw
    if entry.quote == '"':
        return _expand(_ESCAPE.sub(_escaped, entry.raw), earlier)
    return _expand(entry.raw, earlier)


def _escaped(match: re.Match[str]) -> str:
    body = match.group()[1:]
    if body == "$":
        return "$$"
    if body[0] == "0":
        return chr(int(body, 8) & 0xFF) if len(body) == 4 else match.group()
    return _ESCAPES.get(body, match.group())


def _expand(value: str, earlier: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda found: _resolved(found, earlier), value)


def _resolved(found: re.Match[str], earlier: Mapping[str, str]) -> str:
    if found["escaped"]:
        return "$"
    name = found["bare"] or found["braced"]
    value = earlier.get(name)
    operator, operand = found["operator"] or "", found["operand"] or ""
    present = value is not None and (value != "" or not operator.startswith(":"))
    if operator.endswith("-"):
        return (value or "") if present else operand
    if operator.endswith("+"):
        return operand if present else ""
    return value or ""


def _skip(text: str, place: int) -> int:
    """Past white space and comment lines."""
    while place < len(text):
        if text[place] == "#":
            place = _line_end(text, place)
        elif text[place] in _BEFORE:
            place += 1
        else:
            break
    return place


def _line_end(text: str, place: int) -> int:
    """Offset of the line break that ends the line holding ``place``, or the text's length."""
    found = text.find("\n", place)
    return len(text) if found < 0 else found


def _unreadable(text: str, place: int, why: str) -> InvalidInput:
    line = text.count("\n", 0, place) + 1
    return InvalidInput(
        f"Line {line} of the .env file cannot be read: {why}.",
        hint="Correct that line; Docker Compose would refuse the file as well.",
        code="env_unreadable",
        details={"line": line},
    )


def _check(before: str, after: str, wanted: Mapping[str, str], gone: frozenset[str]) -> None:
    """Refuse an edit after which any other assignment differs, or one of ours does not read back."""
    try:
        old, new = entries(before), entries(after)
    except InvalidInput as error:
        raise EditRefused("The .env file could not be read after the edit.", code="edit_broke_file") from error
    touched = gone | wanted.keys()
    others = [[(e.name, e.raw, e.quote) for e in part if e.name not in touched] for part in (old, new)]
    values = parse(after)
    if others[0] != others[1] or any(values.get(n) != v for n, v in wanted.items()) or gone & values.keys():
        raise EditRefused("The edit of the .env file would not read back exactly.", code="edit_changed_more")
