"""Answers a client's first questions on stdin before anything of the server is imported.

A client asks the same at each start: who are you, which tools have you. Where an earlier start has answered that
(:mod:`homelab_mcp.opening.kept`), so does this one, in a twentieth of a second. The server is loaded as soon as
anything else comes, or the client rests; it is told all that was said (:mod:`homelab_mcp.opening.handover`).

Standard library alone, and little of it: this runs before everything.
"""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from homelab_mcp.opening.kept import Kept, Talk, kept

REST = 0.5
"""Seconds without a word after which the server is loaded, so that it is there when it is needed."""


@dataclass(slots=True)
class Opening:
    """What was said before the server was there.

    Args:
        kept: the answers kept for it.
        lines: all that came, a message each, without ends of line.
        answered: the JSON of the results that went out, by the request's id.
    """

    kept: Kept
    lines: list[bytes] = field(default_factory=list)
    answered: dict[str | int, str] = field(default_factory=dict)


_now: list[Opening] = []


def taken() -> Opening | None:
    """This process's opening, once; None where it has none."""
    return _now.pop() if _now else None


def under_way() -> bool:
    """Whether this process is a server on stdio, of arguments that are all understood."""
    return bool(_now)


def answered_all(arguments: Sequence[str]) -> bool:
    """Answer on stdout what can be; whether the client ended without asking for more, so that nothing is to load.

    Args:
        arguments: of the command line, without the program.
    """
    if sys.platform == "win32":  # select knows no pipes there
        return False
    found = kept(arguments, os.environ)
    if found is None:
        return False
    _now.append(Opening(found))
    return bool(found.answers) and _talk(_now[0])


def _talk(opening: Opening) -> bool:
    talk, rest = Talk(), bytearray()
    while True:
        try:
            if not select.select([0], [], [], REST)[0]:
                break
            came = os.read(0, 65536)
        except OSError:
            return False
        lines = _lines(rest, came)
        opening.lines += lines
        for line in lines:
            try:
                known = _answered(opening, talk, line)
            except OSError:  # whom it was for is gone
                return True
            except (ValueError, RecursionError):  # no JSON, or more of it than Python takes
                known = False
            if not known:
                _to_the_end_of_a_line(opening, rest)
                return False
        if not came:
            opening.lines += [bytes(rest)] if rest else []
            return bool(opening.answered) and not rest
    _to_the_end_of_a_line(opening, rest)
    return False


def _answered(opening: Opening, talk: Talk, line: bytes) -> bool:
    """Answer that message; False where the server must. Raises ValueError or RecursionError for what is no message."""
    message = json.loads(line.decode())
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0" or message.keys() - _MEMBERS:
        return False
    method, asked = message.get("method"), message.get("id")
    if not isinstance(method, str):
        return False
    if "id" not in message:
        return talk.noted(method)
    if not isinstance(asked, int | str) or isinstance(asked, bool) or asked in opening.answered:
        return False
    found = opening.kept.answers.get(talk.key(method, message.get("params")))
    if found is None:
        return False
    _write(f"{start_of_answer(asked)}{found}}}\n".encode())
    opening.answered[asked] = found
    return True


_MEMBERS = {"jsonrpc", "id", "method", "params"}


def start_of_answer(asked: Any) -> str:
    """A response to the request of that id up to its result, as the SDK writes it."""
    return f'{{"jsonrpc":"2.0","id":{json.dumps(asked, ensure_ascii=False)},"result":'


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _lines(rest: bytearray, came: bytes) -> list[bytes]:
    """The lines that end in what came; what has no end yet stays in ``rest``."""
    ended = came.rfind(b"\n") + 1
    if not ended:
        # Looked through once, however long the line is: it may be a whole lab's text.
        rest += came
        return []
    *lines, _ = (bytes(rest) + came[:ended]).split(b"\n")
    rest[:] = came[ended:]
    return lines


def _to_the_end_of_a_line(opening: Opening, rest: bytearray) -> None:
    # What was read of a message cannot be put back: the rest of it is waited for, with what comes behind it.
    while rest:
        try:
            select.select([0], [], [])
            came = os.read(0, 65536)
        except OSError:
            came = b""
        opening.lines += _lines(rest, came)
        if not came:
            opening.lines.append(bytes(rest))
            return
