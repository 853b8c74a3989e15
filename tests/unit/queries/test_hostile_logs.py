"""Logs of any kind and size: never an error, never more than an answer holds, never a control character."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from homelab_mcp.adapters.docker_answers import log_lines as of_engine
from homelab_mcp.adapters.docker_search import stretches
from homelab_mcp.adapters.log_files import LabLogFiles
from homelab_mcp.core.log_times import stamp
from homelab_mcp.core.redact import Redactor
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.ports import Lab
from homelab_mcp.queries.follow_logs import waited
from homelab_mcp.queries.read_logs import LogQuestion, page_of
from homelab_mcp.tools.bounded import RESULT_LIMIT
from homelab_mcp.tools.read_logs import LogOutput
from homelab_mcp.tools.shape import result

CHANCE = random.Random(7)
BEGUN = 1_770_000_000.0
LABEL = "com.docker.compose.project"


def frames(lines: list[bytes]) -> bytes:
    """As the engine sends them: what is longer than 16 KiB in pieces, each with the time."""
    whole = bytearray()
    for number, line in enumerate(lines):
        for start in range(0, max(len(line), 1), 16_384):
            body = stamp(BEGUN + number * 0.01).encode() + b" " + line[start : start + 16_384]
            body += b"\n" if start + 16_384 >= len(line) else b""
            whole += bytes([1, 0, 0, 0]) + len(body).to_bytes(4, "big") + body
    return bytes(whole)


ART = b"\x1b[31m" + "▄▀█\u202e\u200b".encode() * 40 + b"\x1b[0m\r"
LOGS: dict[str, list[bytes]] = {
    "nothing": [],
    "one byte": [b"x"],
    "a line end": [b""],
    "ten thousand lines": [b"line %d of many, with some words behind it" % n for n in range(10_000)],
    "binary": [CHANCE.randbytes(300).replace(b"\n", b"") for _ in range(400)],
    "a line of a megabyte": [b"a" * 1_000_000, b"after"],
    "lines of a megabyte with quotes": [b'"\\' * 500_000, b'{"k": "\\u0000"}' * 60_000],
    "terminal art": [ART] * 500,
    "no head, all parts": [b"\tat com.example.X" + str(n).encode() for n in range(3_000)],
    "one trace without an end": [b"Traceback (most recent call last):"]
    + [b'  File "x", line %d' % n for n in range(2_000)],
    "marks of our own": ["}⟦0:0⟧⟦ab:1⟧".encode()] * 50,
    "four bytes a letter": ["\U0001d518".encode() * 3_000] * 50,
}


class Box:
    """A lab with one container whose log is given, and nothing else that this question asks for."""

    def __init__(self, lines: list[bytes], tmp_path: Path) -> None:
        (tmp_path / "s").mkdir(exist_ok=True)
        (tmp_path / "s" / "compose.yaml").write_text("services: {app: {image: x}}\n")
        from homelab_mcp.adapters.files import LabFiles
        from homelab_mcp.bootstrap import open_lab

        self.raw = frames(lines)
        self.state = ContainerState("1", "s-app-1", "x", "running", stack="s", service="app")
        self.files = LabFiles(tmp_path)
        self.engine = self.meter = self
        self.catalog = open_lab(str(tmp_path)).catalog
        self.log_files = LabLogFiles(str(tmp_path))
        self.redactor = Redactor(["hunter22-canary"])
        self.clock = SimpleNamespace(now=lambda: BEGUN + 1000, monotonic=time.monotonic, sleep=lambda _: None)

    def silent(self) -> dict[str, str]:
        return {}

    def containers(self) -> tuple[ContainerState, ...]:
        return (self.state,)

    def logs(self, _: str, *, tail: int, since: float | None = None, until: float | None = None) -> Iterator[Any]:
        found = list(of_engine(self.raw[n : n + 65_536] for n in range(0, len(self.raw), 65_536)))
        first, last = stamp(since or 0), stamp(until or 4e9)
        yield from [line for line in found if first <= line[0] <= last][-tail:]

    def search(self, _: str, word: str, *, fold: bool, since: float | None, until: float | None) -> Iterator[Any]:
        chunks = (self.raw[n : n + 65_536] for n in range(0, len(self.raw), 65_536))
        return stretches(chunks, word.encode(), fold=fold)


def lab_with(lines: list[bytes], tmp_path: Path) -> Lab:
    return cast("Lab", Box(lines, tmp_path))


@pytest.mark.parametrize("kind", LOGS)
@pytest.mark.parametrize(
    "asked",
    [{}, {"tail": 1000}, {"grep": "."}, {"grep": "nowhere"}, {"level": "error", "context": 5}],
    ids=lambda asked: "-".join(asked) or "plain",
)
def test_any_log_fits_an_answer(kind: str, asked: dict[str, Any], tmp_path: Path) -> None:
    page = page_of(lab_with(LOGS[kind], tmp_path), LogQuestion(["app"], **asked))
    answer = result(LogOutput(**page.as_dict()))
    text = json.dumps(answer.structured_content, ensure_ascii=False)
    assert len(text.encode()) <= RESULT_LIMIT
    assert len(page.lines) <= 1000
    for line in page.lines:
        assert not [c for c in line if (ord(c) < 32 and c not in "\n\t") or c in "\u202e\u200b\x7f"]


def test_a_rare_line_far_from_the_end_is_found_whole_and_once(tmp_path: Path) -> None:
    far = [b"ERROR oops", b"Traceback (most recent call last):", b"  in f", b"KeyError: 'rare-word'"]
    lines = [b"line %d" % n for n in range(30_000)]
    lab = lab_with([*lines[:4_000], *far, *lines[4_000:], b"hunter22-canary rare-word"], tmp_path)
    page = page_of(lab, LogQuestion(["app"], grep="rare-word"))
    assert [line.split(" ", 2)[2].split("\n") for line in page.lines] == [
        [line.decode() for line in far],
        ["[redacted] rare-word"],
    ]
    assert not page.truncated
    # What no line must have cannot be looked for in this way: the end is told, and where to go on.
    odd = page_of(lab, LogQuestion(["app"], grep="rare-word|nothing"))
    assert len(odd.lines) == 1
    assert odd.next_cursor
    hasty = page_of(lab, LogQuestion(["app"], grep="line 3999$", scan_seconds=1e-9))
    assert "was not searched" in hasty.notes[0]
    assert page_of(lab, LogQuestion(["app"], grep="canary rare")).lines == ()


@pytest.mark.parametrize("kind", ["ten thousand lines", "no head, all parts", "one trace without an end"])
def test_pages_come_to_an_end_and_lose_nothing(kind: str, tmp_path: Path) -> None:
    lab = lab_with(LOGS[kind][-1200:], tmp_path)
    seen, cursor = "", ""
    for _ in range(200):
        page = page_of(lab, LogQuestion(["app"], tail=1000, cursor=cursor))
        seen = "\n".join(page.lines) + "\n" + seen
        cursor = page.next_cursor or ""
        if not cursor:
            break
    assert not cursor
    if kind == "ten thousand lines":
        assert all(f"line {n} of" in seen for n in range(8_800, 10_000))


def test_the_same_goes_for_files_and_following(tmp_path: Path) -> None:
    (tmp_path / "s" / "app").mkdir(parents=True)
    for kind, lines in LOGS.items():
        (tmp_path / "s" / "app" / "x.log").write_bytes(b"\n".join(lines))
        found = list(LabLogFiles(str(tmp_path)).lines("s/app/x.log", tail=200))
        assert len(found) <= 200, kind
        assert all(len(text) <= 16_384 for _, _, text in found)
    page = waited(lab_with(LOGS["binary"], tmp_path), LogQuestion(["app"]), 0.05, lambda *_: None)
    assert len(json.dumps(page.as_dict(), ensure_ascii=False).encode()) <= RESULT_LIMIT


def test_files_follow_no_link_and_lead_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "lab" / "s").mkdir(parents=True)
    (tmp_path / "outside.log").write_text("secret\n")
    (tmp_path / "lab" / "s" / "link.log").symlink_to(tmp_path / "outside.log")
    (tmp_path / "lab" / "s" / "folder.log").mkdir()
    logs = LabLogFiles(str(tmp_path / "lab"))
    for path in ("s/link.log", "../outside.log", "s/folder.log", "s/none.log"):
        assert logs.size(path) is None


def test_a_log_file_is_read_by_the_times_in_it(tmp_path: Path) -> None:
    text = "".join(f'{{"time":"2026-01-01T00:00:{n:02}Z","DownstreamStatus":{200 + n}}}\n' for n in range(30))
    (tmp_path / "a.log").write_text(text + "  goes on\n")
    found = list(LabLogFiles(str(tmp_path)).lines("a.log", tail=3))
    assert [t[:19] for t, _, _ in found] == ["2026-01-01T00:00:28", "2026-01-01T00:00:29", "2026-01-01T00:00:29"]
    early = list(LabLogFiles(str(tmp_path)).lines("a.log", tail=2, until=1_767_225_605.0))
    assert [t[17:19] for t, _, _ in early] == ["04", "05"]
