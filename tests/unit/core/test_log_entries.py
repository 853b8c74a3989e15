"""Which lines are one entry, how grave it is, and when it was."""

from __future__ import annotations

import pytest

from homelab_mcp.core.log_entries import MOST_PARTS, chosen, counted, joined
from homelab_mcp.core.log_levels import at_least, level_of
from homelab_mcp.core.log_lines import LogLine, entries, page
from homelab_mcp.core.log_times import time_of

PYTHON = """\
ERROR in app: boom
Traceback (most recent call last):
  File "a.py", line 1, in <module>
    f()
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "b.py", line 2, in g
ValueError: bad"""
JAVA = """\
2026-01-01 10:00:00 ERROR Servlet.service() threw
java.lang.IllegalStateException: no
\tat org.example.A.run(A.java:10)
Caused by: java.io.IOException: gone
\t... 12 more"""
GO = """\
panic: runtime error: index out of range

goroutine 1 [running]:
main.main()
\t/app/main.go:7 +0x1d
exit status 2"""


def lines_of(text: str, service: str = "app") -> list[LogLine]:
    return [
        LogLine(f"2026-01-01T00:{n // 60:02}:{n % 60:02}.000000000Z", service, "stdout", t)
        for n, t in enumerate(text.split("\n"))
    ]


@pytest.mark.parametrize(("text", "count"), [(PYTHON, 1), (JAVA, 2), (GO, 1), ("one\ntwo\nthree", 3), ("", 1)])
def test_traces_are_one_entry(text: str, count: int) -> None:
    found = entries(joined(lines_of(f"INFO before\n{text}\nINFO after")))
    assert len(found) == count + 2
    assert [line.text for entry in found for line in entry] == f"INFO before\n{text}\nINFO after".split("\n")


def test_an_entry_is_found_by_any_of_its_lines_and_shown_whole_and_in_one_text() -> None:
    lines = joined(lines_of(f"INFO before\n{PYTHON}\nINFO after"))
    marks = chosen(lines, lambda text: "KeyError" in text, "", 0)
    kept = [line for line, mark in zip(lines, marks, strict=True) if mark]
    texts, covered = page(kept, 10_000)
    assert covered == len(PYTHON.split("\n"))
    assert len(texts) == 1
    assert texts[0].endswith(PYTHON.split("\n", 1)[1])


def test_levels_choose_entries_and_context_brings_lines_around() -> None:
    lines = joined(lines_of("a\nb\nlevel=error msg=x\n  detail\nc\nd\ninfo: fine"))
    assert chosen(lines, lambda _: True, "warn", 0) == [False, False, True, True, False, False, False]
    assert chosen(lines, lambda _: True, "error", 1) == [False, True, True, True, True, False, False]
    assert counted(lines) == {"error": 1, "info": 1}


def test_an_entry_has_an_end_and_equal_ones_are_counted() -> None:
    assert len(entries(joined(lines_of("head\n" + "\n".join(["  x"] * 500))))) == -(-501 // (MOST_PARTS + 1))
    twice = joined(lines_of("oops\n  at a\noops\n  at a\nother"))
    texts, covered = page(twice, 10_000)
    assert covered == 5
    assert texts[0] == "2026-01-01T00:00:00.000Z app oops (x2)\n  at a"
    long, _ = page(joined(lines_of("head\n" + "\n".join(f"  {n} {'y' * 100}" for n in range(150)))), 10_000)
    assert len(long[0]) < 6_000
    assert long[0].count("more lines") == 1
    assert "  149 y" in long[0]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ('{"level":"warn","msg":"x"}', "warn"),
        ('{"time":1,"severity":"ERROR"}', "error"),
        ('{"level":50,"msg":"pino"}', "error"),
        ("time=2026-01-01T00:00:00Z level=debug msg=x", "debug"),
        ("[Warn] SceneService: slow", "warn"),
        ("2026-01-01 10:00:00.123 UTC [12] FATAL:  database does not exist", "fatal"),
        ("2026/01/01 10:00:00 [error] 7#7: *1 open() failed", "error"),
        ("E0101 10:00:00.000000 1 main.go:1] x", "error"),
        ("1:M 01 Jan 2026 10:00:00.000 # WARNING overcommit", "warn"),
        ("panic: oh", "fatal"),
        ("Traceback (most recent call last):", "error"),
        ('{"DownstreamStatus":502,"level":"info"}', "error"),
        ('10.0.0.1 - - [01/Jan/2026:10:00:00 +0000] "GET /x HTTP/1.1" 404 12', "warn"),
        ("there was no error in this sentence", ""),
        ("", ""),
        ("�" * 500, ""),
    ],
)
def test_levels_as_programs_write_them(text: str, level: str) -> None:
    assert level_of(text) == level


def test_a_line_that_does_not_say_is_as_grave_as_nothing() -> None:
    assert at_least("", "")
    assert not at_least("", "debug")
    assert at_least("fatal", "error")


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ('{"ClientAddr":"x","time":"2026-01-02T03:04:05+01:00"}', "2026-01-02T02:04:05.000000000Z"),
        ('{"StartUTC":"2026-01-02T03:04:05.123456789Z"}', "2026-01-02T03:04:05.123456789Z"),
        ("2026-01-02 03:04:05,250 INFO x", "2026-01-02T03:04:05.250000000Z"),
        ('1.2.3.4 - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 200 1', "2026-01-02T03:04:05.000000000Z"),
        ('{"ts":1767323045.5,"msg":"x"}', "2026-01-02T03:04:05.500000000Z"),
        ("no time", ""),
        ("2026-99-99 03:04:05 x", ""),
    ],
)
def test_times_that_lines_of_files_name(text: str, when: str) -> None:
    assert time_of(text) == when
