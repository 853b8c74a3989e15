"""Records a terminal session, and draws it as one picture that moves and needs nobody else's host.

The recording is an asciicast of version 2: https://docs.asciinema.org/manual/asciicast/v2/. The picture is an SVG whose
lines scroll by CSS, so that it plays where an image may be and no script may run.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

COLUMNS, ROWS = 110, 32
LONGEST_PAUSE = 1.2
"""Seconds; what takes longer is shown as this long."""

LINE_SECONDS = 0.07
LAST_SECONDS = 6.0
_LINE, _CHAR, _EDGE = 18, 8.0, 14
_SGR = re.compile(r"\x1b\[([\d;]*)m")
_OTHER = re.compile(r"\x1b\[[\d;?]*[A-Za-ln-z]|\x1b[()][A-Z0-9]|\x07|\r")


@dataclass(frozen=True)
class Piece:
    """Output of a session: seconds since its begin, and the text."""

    at: float
    text: str


def record(argv: Sequence[str], environment: dict[str, str], answer: Callable[[str], str]) -> tuple[list[Piece], int]:
    """Run a program at a terminal of its own; what it wrote and when, and its exit code.

    Args:
        argv: the program.
        environment: all of it.
        answer: asked with the end of the screen whenever the program is quiet; what is typed then, or "".
    """
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    pieces: list[Piece] = []
    begun = time.monotonic()
    with subprocess.Popen(
        argv,
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**environment, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(ROWS)},
        start_new_session=True,
    ) as process:
        os.close(follower)
        while True:
            ready, _, _ = select.select([leader], [], [], 0.3)
            if not ready:
                for key in answer("".join(piece.text for piece in pieces[-40:])):
                    os.write(leader, key.encode())
                    time.sleep(0.06)
                continue
            try:
                said = os.read(leader, 65536)
            except OSError:  # Linux's word for: nobody has the other end open any more
                break
            if not said:
                break
            pieces.append(Piece(time.monotonic() - begun, said.decode("utf-8", "replace")))
        code = process.wait()
    os.close(leader)
    return pieces, code


def without_waiting(pieces: Sequence[Piece]) -> list[Piece]:
    """The same with every pause shortened to the longest that is shown."""
    shown: list[Piece] = []
    before = now = 0.0
    for piece in pieces:
        now += min(piece.at - before, LONGEST_PAUSE)
        before = piece.at
        shown.append(Piece(round(now, 3), piece.text))
    return shown


def as_cast(pieces: Sequence[Piece], title: str) -> str:
    """The session as an asciicast of version 2."""
    head = {"version": 2, "width": COLUMNS, "height": ROWS, "title": title}
    lines = [json.dumps(head), *(json.dumps([p.at, "o", p.text], ensure_ascii=False) for p in pieces)]
    return "\n".join(lines) + "\n"


def from_cast(text: str) -> list[Piece]:
    """The output of an asciicast of version 2. Raises ValueError for anything else."""
    head, *lines = text.splitlines()
    if json.loads(head).get("version") != 2:
        raise ValueError("not an asciicast of version 2")
    events = [json.loads(line) for line in lines]
    return [Piece(float(at), str(data)) for at, kind, data in events if kind == "o"]


def as_picture(pieces: Sequence[Piece], title: str) -> str:
    """The session as an SVG that plays over and over; who wants less motion sees its end."""
    rows: list[tuple[str, float]] = []
    colour, line, at = "", "", 0.0

    def finished(now: float) -> None:
        nonlocal line
        # A whole diff comes at once; line by line the eye can follow.
        rows.append((line, max(now, rows[-1][1] + LINE_SECONDS) if rows else now))
        line = ""

    width = 0
    for piece in pieces:
        at = piece.at
        for part in re.split(r"(\x1b\[[\d;]*m|\n)", _OTHER.sub("", piece.text)):
            if part == "\n":
                finished(at)
                width = 0
            elif found := _SGR.fullmatch(part):
                colour = _class(found[1])
            else:
                while part:
                    room = COLUMNS - width
                    line += _span(part[:room], colour)
                    width += len(part[:room])
                    part = part[room:]
                    if part:
                        finished(at)
                        width = 0
    if line:
        finished(at)
    return _svg(rows, title)


def _svg(rows: Sequence[tuple[str, float]], title: str) -> str:
    whole = rows[-1][1] + LAST_SECONDS
    # The screen fills from its top, behind a cover that goes down; from then on the text goes up.
    cover: dict[float, int] = {0.0: 0}
    shifts: dict[float, int] = {0.0: 0}
    for number, (_, at) in enumerate(rows, 1):
        moved, moment = (cover, min(number, ROWS)) if number <= ROWS else (shifts, ROWS - number)
        moved[round(100 * at / whole, 2)] = moment * _LINE
    text = "".join(
        f'<text y="{(number + 1) * _LINE - 5}">{line}</text>' for number, (line, _) in enumerate(rows) if line
    )
    wide, high = int(COLUMNS * _CHAR) + 2 * _EDGE, ROWS * _LINE + 2 * _EDGE
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" role="img" aria-label="{escape(title)}">
<title>{escape(title)}</title>
<style>
.r{{fill:#d8dee4;font:13.3px ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;white-space:pre}}
.b{{font-weight:bold}}.g{{fill:#7ee787}}.e{{fill:#ff9492}}.y{{fill:#f2cc60}}.c{{fill:#79c0ff}}.d{{fill:#9aa4af}}
{_moves("s", shifts, whole)}
{_moves("k", cover, whole)}
@media (prefers-reduced-motion:reduce){{.s,.k{{animation:none}}}}
</style>
<rect width="{wide}" height="{high}" rx="8" fill="#14191f"/>
<svg x="{_EDGE}" y="{_EDGE}" width="{wide - 2 * _EDGE}" height="{ROWS * _LINE}"><g class="r s" xml:space="preserve">
{text}
</g><rect class="k" width="{wide}" height="{high}" fill="#14191f"/></svg>
</svg>
"""


def _moves(name: str, moments: dict[float, int], whole: float) -> str:
    """A class of what moves by steps: where it is from each hundredth of the time on, and at last."""
    last = list(moments.values())[-1]
    frames = "".join(f"{at:g}%{{transform:translateY({y}px)}}" for at, y in sorted(moments.items()))
    return (
        f".{name}{{transform:translateY({last}px);animation:{name} {whole:.1f}s step-end infinite}}"
        f"@keyframes {name}{{{frames}100%{{transform:translateY({last}px)}}}}"
    )


def _span(text: str, kind: str) -> str:
    if not text:
        return ""
    # Hard spaces: others are drawn as one, and none at a line's begin.
    shown = escape(text.replace(" ", "\u00a0"))
    return f'<tspan class="{kind}">{shown}</tspan>' if kind else f"<tspan>{shown}</tspan>"


def _class(codes: str) -> str:
    """The class for a terminal's colour codes (ECMA-48 SGR)."""
    names = {"1": "b", "2": "d", "31": "e", "32": "g", "33": "y", "36": "c"}
    return " ".join(names[code] for code in codes.split(";") if code in names)


def draw(cast: Path, picture: Path, title: str) -> None:
    """Draw a recording that is on disk."""
    picture.write_text(as_picture(from_cast(cast.read_text("utf-8")), title), "utf-8")
