"""Which backups of a repository are this lab's, where several labs share it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from homelab_mcp.adapters.files import LabFiles
from homelab_mcp.ports import Lab
from homelab_mcp.queries.backup_list import listing, snapshots

pytestmark = pytest.mark.unit

MINE, THEIRS, THIRD = "1" * 32, "2" * 32, "3" * 32


def lab(folder: Path, ident: str, *rows: tuple[str, str, str]) -> Lab:
    """A lab with that id, and a repository with backups: id, day, whose."""
    (folder / ".homelab").mkdir()
    if ident:
        (folder / ".homelab/id").write_text(f"{ident}\n")
    raw = [
        {
            "short_id": name,
            "time": f"2026-01-0{day}T00:00:00Z",
            "tags": ["homelab", *([f"lab-{whose}"] if whose else [])],
        }
        for name, day, whose in rows
    ]
    restic = SimpleNamespace(read=lambda words, seconds: json.dumps(raw))
    return cast(Lab, cast(Any, SimpleNamespace(files=LabFiles(folder), restic_at=lambda host: restic)))


@pytest.mark.parametrize(
    ("ident", "rows", "newest", "all_"),
    [
        (MINE, [("a", "1", MINE), ("b", "2", THEIRS), ("c", "3", ""), ("d", "4", THEIRS)], "a", "ca"),
        (MINE, [("a", "1", MINE), ("b", "2", MINE)], "b", "ba"),
        # Of a version before, and on a new machine that has another id by now.
        (MINE, [("a", "1", ""), ("b", "2", "")], "b", "ba"),
        (MINE, [("a", "1", ""), ("b", "2", THEIRS)], "b", "ba"),
        ("", [("a", "1", ""), ("b", "2", THEIRS)], "b", "ba"),
        (MINE, [], "", ""),
    ],
)
def test_the_backups_of_another_lab_are_none_of_this(
    tmp_path: Path, ident: str, rows: list[tuple[str, str, str]], newest: str, all_: str
) -> None:
    seen = lab(tmp_path, ident, *rows)
    first, every = listing(seen).newest, listing(seen).backups
    assert ((first.id if first else ""), "".join(b.id for b in every)) == (newest, all_)
    assert snapshots(seen) == every


def test_backups_without_a_labs_tag_are_told_beside_own_ones(tmp_path: Path) -> None:
    def note(name: str, *whose: str) -> str | None:
        (tmp_path / name).mkdir()
        return listing(lab(tmp_path / name, MINE, *((str(n), "1", one) for n, one in enumerate(whose)))).note

    assert note("several", MINE, "", "", THEIRS) == (
        "2 backups of older versions have no lab's tag and are never let go of: remove them by id "
        "with restic forget ID."
    )
    assert str(note("one", MINE, "")).startswith("1 backup of an older version has no lab's tag and is never let go of")
    assert [note("own", MINE, THEIRS), note("before", "", ""), note("new", "", THEIRS)] == [None, None, None]


@pytest.mark.parametrize(
    ("ident", "rows", "doubtful", "others"),
    [
        # A new machine.
        (MINE, [("a", "1", THEIRS), ("b", "2", THEIRS)], "", ""),
        (MINE, [("a", "1", THEIRS), ("b", "2", "")], "ba", ""),
        (MINE, [("a", "1", THIRD), ("b", "2", THEIRS), ("c", "3", "")], "cba", ""),
        ("", [("a", "1", "")], "", ""),
        ("", [("a", "1", ""), ("b", "2", THEIRS)], "ba", ""),
        # After its first own backup.
        (MINE, [("a", "1", THIRD), ("b", "2", THEIRS), ("d", "3", THEIRS), ("c", "4", MINE), ("e", "5", "")], "", "da"),
    ],
)
def test_where_none_is_known_to_be_this_labs_the_latest_of_several_labs_is_nobodys(
    tmp_path: Path, ident: str, rows: list[tuple[str, str, str]], doubtful: str, others: str
) -> None:
    seen = listing(lab(tmp_path, ident, *rows))
    assert "".join(o.newest.id for o in seen.doubtful) == doubtful
    assert "".join(o.newest.id for o in seen.others) == others
    assert all(o.total == (2 if o.newest.id == "d" else 1) for o in seen.others)


@pytest.mark.parametrize(
    ("rows", "foreign"),
    [
        ([("a", "1", THEIRS), ("b", "2", THEIRS)], f"lab-{THEIRS}"),
        ([("a", "1", THEIRS), ("b", "2", MINE)], ""),
        ([("a", "1", ""), ("b", "2", "")], ""),
        ([("a", "1", THEIRS), ("b", "2", THIRD)], ""),
        ([], ""),
    ],
)
def test_that_all_are_of_another_lab_is_told(tmp_path: Path, rows: list[tuple[str, str, str]], foreign: str) -> None:
    assert listing(lab(tmp_path, MINE, *rows)).foreign == foreign
