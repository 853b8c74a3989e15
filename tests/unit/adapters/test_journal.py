"""The journal over several files: rotation, lines cut off its end, crashes, and many writers at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from homelab_mcp.adapters.journal import JsonlJournal
from homelab_mcp.adapters.journal_files import HEAD, rotated
from homelab_mcp.core.open_applies import open_applies
from homelab_mcp.model.errors import JournalUnwritable
from tests.kills import killed_after

SPAWN = multiprocessing.get_context("spawn")


def small(root: Path | str) -> JsonlJournal:
    return JsonlJournal(root, most_lines=10)


def numbers(journal: JsonlJournal) -> list[int]:
    return [e["data"]["n"] for e in journal.entries() if e["event"] == "event"]


def files(root: Path) -> list[Path]:
    folder = root / ".homelab"
    return [folder / n for n in (*rotated(folder), "journal.jsonl") if (folder / n).exists()]


def test_a_full_file_is_set_aside_and_the_chain_goes_on(tmp_path: Path) -> None:
    journal = small(tmp_path)
    for n in range(95):
        journal.append("event", {"n": n})
    assert len(files(tmp_path)) == 11
    assert numbers(journal) == list(range(95))
    assert journal.verify() == ""
    lasts = [json.loads(p.read_text().splitlines()[-1])["hash"] for p in files(tmp_path)]
    firsts = [json.loads(p.read_text().splitlines()[0])["prev"] for p in files(tmp_path)]
    assert firsts[1:] == lasts[:-1]
    assert all(len(p.read_text().splitlines()) <= 10 for p in files(tmp_path))
    assert all(p.stat().st_mode & 0o777 == 0o600 for p in files(tmp_path))
    by_size = JsonlJournal(tmp_path / "x", most_bytes=2000)
    (tmp_path / "x").mkdir()
    for n in range(40):
        by_size.append("event", {"n": n, "text": "x" * 300})
    assert all(p.stat().st_size < 2700 for p in files(tmp_path / "x"))
    assert numbers(by_size) == list(range(40))


def test_the_entries_of_an_event_are_found_in_all_files_and_nothing_else_is_read(tmp_path: Path) -> None:
    journal = small(tmp_path)
    for n in range(35):
        journal.append("approved" if n % 7 == 0 else "event", {"n": n, "who": '"event": "approved"'})
    assert [e["data"]["n"] for e in journal.entries(of=("approved",))] == [0, 7, 14, 21, 28]
    assert len(journal.entries(of=("approved", "event"))) == 35
    assert journal.entries(of=("approve", "none")) == []
    file = files(tmp_path)[1]
    lines = file.read_text().splitlines(keepends=True)
    other, mine = (next(i for i, line in enumerate(lines) if f'"event": "{e}"' in line) for e in ("event", "approved"))
    file.write_text("".join([*lines[:other], "{torn\n", *lines[other + 1 :]]))
    assert len(journal.entries(of=("approved",))) == 5
    with pytest.raises(JournalUnwritable):
        journal.entries()
    file.write_text("".join([*lines[:mine], lines[mine][:-20] + "\n", *lines[mine + 1 :]]))
    with pytest.raises(JournalUnwritable, match=f"line {mine + 1}"):
        journal.entries(of=("approved",))


def test_a_change_in_any_file_is_told_with_file_and_line(tmp_path: Path) -> None:
    journal = small(tmp_path)
    for n in range(35):
        journal.append("event", {"n": n})
    for path in files(tmp_path):
        whole = path.read_bytes()
        lines = whole.splitlines(keepends=True)
        for number in range(1, len(lines)):
            path.write_bytes(
                b"".join([*lines[:number], lines[number].replace(b'"n": ', b'"n": 7'), *lines[number + 1 :]])
            )
            assert journal.verify().startswith(f"{path.name} line {number + 1} "), (path.name, number)
        path.write_bytes(whole)
    first = files(tmp_path)[0]
    first.rename(first.with_suffix(".away"))
    assert journal.verify().startswith("journal-0002.jsonl line 1 ")


def test_lines_cut_off_the_end_show_and_stay_shown(tmp_path: Path) -> None:
    for cut, left in ((1, 4), (4, 1), (5, 0)):
        root = tmp_path / str(cut)
        root.mkdir()
        journal = small(root)
        for n in range(5):
            journal.append("event", {"n": n})
        path = root / ".homelab/journal.jsonl"
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:left]))
        assert f"{cut} more were written" in journal.verify()
        journal.append("event", {"n": 9})
        assert "cut off" in journal.verify()
        assert f"line {left + 1} " in journal.verify()
        for n in range(30):
            journal.append("event", {"n": n})
        assert "cut off" in journal.verify()


def test_a_last_line_that_was_replaced_with_a_fitting_one_shows(tmp_path: Path) -> None:
    journal, twin = small(tmp_path), small(tmp_path / "twin")
    (tmp_path / "twin").mkdir()
    journal.append("event", {"n": 1})
    (tmp_path / "twin/.homelab").mkdir()
    (tmp_path / "twin/.homelab/journal.jsonl").write_bytes((tmp_path / ".homelab/journal.jsonl").read_bytes())
    journal.append("event", {"n": 2})
    twin.append("event", {"n": 666})
    (tmp_path / ".homelab/journal.jsonl").write_bytes((tmp_path / "twin/.homelab/journal.jsonl").read_bytes())
    assert "not the one that was written" in journal.verify()
    journal.append("event", {"n": 3})
    assert "cut off" in journal.verify()


def test_a_note_of_the_end_that_is_behind_torn_or_missing_is_no_alarm(tmp_path: Path) -> None:
    journal = small(tmp_path)
    note = tmp_path / ".homelab" / HEAD
    for n in range(14):
        before = note.read_bytes() if note.exists() else b""
        journal.append("event", {"n": n})
        after = note.read_bytes()
        for state in (before, after[:40], b"", after):
            note.write_bytes(state)
            assert journal.verify() == "", (n, state)
    note.unlink()
    assert journal.verify() == ""
    for n in range(14, 60):
        note.unlink(missing_ok=True)
        journal.append("event", {"n": n})
    assert numbers(journal) == list(range(60))
    assert len(files(tmp_path)) > 5, "it rotates all the same"


def test_an_apply_open_across_rotations_is_found_by_reading_only_what_is_needed(tmp_path: Path) -> None:
    journal = small(tmp_path)

    def fill(count: int) -> None:
        for n in range(count):
            journal.append("event", {"n": n})

    fill(25)
    journal.append("apply_begin", {"plan": "a", "summary": "first"})
    fill(25)
    journal.append("apply_begin", {"plan": "b"})
    journal.append("apply_done", {"plan": "b"})
    fill(25)
    assert [d["summary"] for d in open_applies(journal.recent())] == ["first"]
    assert len(journal.recent()) < len(journal.entries())
    journal.append("rollback_failed", {"plan": "a", "outcome": "failed"})
    fill(25)
    assert open_applies(journal.recent()) == []
    assert [d["plan"] for d in open_applies(journal.recent(), retry_failed=True)] == ["a"]
    journal.append("recovered", {"plan": "a", "outcome": "rolled_back"})
    fill(25)
    assert open_applies(journal.recent(), retry_failed=True) == []
    assert len(journal.recent()) <= 10
    assert journal.verify() == ""


@pytest.mark.timeout(120)
def test_appends_killed_at_any_touch_lose_no_line_that_was_acknowledged(tmp_path: Path) -> None:
    """Some of the kills fall into the rotation, between the renaming and the first line of the next file."""
    kills = between = 0
    for touches in range(2, 400, 3):
        root = tmp_path / str(touches)
        root.mkdir()
        journal = JsonlJournal(root, most_lines=4)
        journal.append("apply_begin", {"plan": "a"})
        for n in range(2):
            journal.append("event", {"n": n})
        acknowledged = root / "acknowledged"

        def work(journal: JsonlJournal = journal, acknowledged: Path = acknowledged) -> None:
            for n in range(2, 7):
                journal.append("event", {"n": n})
                acknowledged.write_text(str(n))

        killed = killed_after(touches, work)
        kills += killed
        between += not (root / ".homelab/journal.jsonl").exists()
        known = int(acknowledged.read_text() or 1) if acknowledged.exists() else 1
        assert journal.verify() == "", touches
        assert set(range(known + 1)) <= set(numbers(journal)), touches
        assert [d["plan"] for d in open_applies(journal.recent())] == ["a"]
        journal.append("event", {"n": 99})
        assert journal.verify() == "", touches
        assert numbers(journal)[-1] == 99
        if not killed:
            break
    assert kills >= 50
    assert between >= 1, "a kill fell in the middle of a rotation"


def append_many(root: str, worker: int) -> None:
    journal = JsonlJournal(root, most_lines=60)
    for n in range(50):
        journal.append("event", {"n": worker * 1000 + n})


@pytest.mark.timeout(120)
def test_eight_processes_that_append_fifty_lines_each_keep_the_chain_whole(tmp_path: Path) -> None:
    workers = [SPAWN.Process(target=append_many, args=(str(tmp_path), n)) for n in range(8)]
    for worker in workers:
        worker.start()
    journal = JsonlJournal(tmp_path)
    while any(w.is_alive() for w in workers):
        assert journal.verify() == "", "also while others write"
        time.sleep(0.3)
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert journal.verify() == ""
    assert sorted(numbers(journal)) == sorted(w * 1000 + n for w in range(8) for n in range(50))
    assert len(files(tmp_path)) >= 7


def test_processes_killed_at_random_moments_leave_a_whole_chain(tmp_path: Path) -> None:
    rng = random.Random(4)
    for _ in range(12):
        child = os.fork()
        if child == 0:
            try:
                for n in range(10_000):
                    small(tmp_path).append("event", {"n": n})
            finally:
                os._exit(1)
        time.sleep(rng.uniform(0.005, 0.06))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert small(tmp_path).verify() == ""
    small(tmp_path).append("event", {"n": -1})
    assert small(tmp_path).verify() == ""
    assert len(small(tmp_path).entries()) > 12


def test_a_line_costs_the_same_in_a_long_journal(tmp_path: Path) -> None:
    def bytes_read() -> int:
        rows = Path("/proc/self/io").read_text().splitlines()
        return int(rows[0].split()[1])

    journal = JsonlJournal(tmp_path, most_bytes=50_000_000, most_lines=10**9)
    journal.append("event", {"n": 0, "text": "x" * 4_000_000})
    journal.append("event", {"n": 1})
    before = bytes_read()
    for n in range(10):
        journal.append("event", {"n": n})
    assert (bytes_read() - before) / 10 < 200_000
