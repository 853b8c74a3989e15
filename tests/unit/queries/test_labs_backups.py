"""Which backups of a repository are this lab's, where several labs share it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from homelab_mcp.adapters.files import LabFiles
from homelab_mcp.ports import Lab
from homelab_mcp.queries.backups import listed, snapshots

pytestmark = pytest.mark.unit

MINE, THEIRS = "1" * 32, "2" * 32


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
    return cast(Lab, cast(Any, SimpleNamespace(files=LabFiles(folder), restic=restic)))


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
    first, every = listed(seen)
    assert ((first.id if first else ""), "".join(b.id for b in every)) == (newest, all_)
    assert snapshots(seen) == every
