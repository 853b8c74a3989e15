"""Texts that Compose is shown and that never are on disk."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from homelab_mcp.adapters.compose_scratch import laid_out, sweep
from homelab_mcp.ports import Lab
from homelab_mcp.queries.private_state import loose_state

KILLED = """
import os, signal, sys
from pathlib import Path
from homelab_mcp.adapters.compose_scratch import laid_out
with laid_out(Path(sys.argv[1]), "media", {"compose.yaml": "canary-5d11", ".env": "canary-5d11"}) as place:
    assert (place / ".env").read_text() == "canary-5d11"
    os.kill(os.getpid(), signal.SIGKILL)
"""


def lab(tmp_path: Path) -> Path:
    for name, text in (("media/compose.yaml", "old"), ("media/extra.env", "A=1"), ("media/.env", "B=1"), ("x/a", "a")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_planned_texts_stand_in_for_those_on_disk_and_all_else_is_where_it_was(tmp_path: Path) -> None:
    root = lab(tmp_path)
    with laid_out(root, "media", {"compose.yaml": "new", ".env": "C=ä"}) as place:
        assert (place / "compose.yaml").read_text() == "new"
        assert (place / ".env").read_text() == "C=ä"
        assert (place / "extra.env").read_text() == "A=1"
        assert (place / "../x/a").read_text() == "a"
        assert not [p for p in place.iterdir() if not p.is_symlink()]
        assert sweep(root) == []
        assert loose_state(cast("Lab", SimpleNamespace(root=str(root)))) == [], "doctor finds nothing open to others"
    assert (root / "media/compose.yaml").read_text() == "old"
    assert list((root / ".homelab/checks").iterdir()) == []


def test_a_kill_leaves_no_text_and_the_next_look_takes_away_what_is_left(tmp_path: Path) -> None:
    root = lab(tmp_path)
    subprocess.run([sys.executable, "-c", KILLED, str(root)], check=False)
    (left,) = (root / ".homelab/checks").iterdir()
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            assert "canary-5d11" not in (path.read_text() if path.exists() else "")
    time.sleep(1.05)
    assert sweep(root) == [left.name]
    assert list((root / ".homelab/checks").iterdir()) == []


def test_what_earlier_versions_left_in_the_temporary_folder_goes_once_it_is_old(tmp_path: Path) -> None:
    old = Path(tempfile.mkdtemp(prefix="homelab-check-"))
    fresh = Path(tempfile.mkdtemp(prefix="homelab-check-"))
    (old / ".env").write_text("A=1")
    os.utime(old, (time.time() - 3600, time.time() - 3600))
    try:
        sweep(tmp_path)
        assert (old.exists(), fresh.exists()) == (False, True)
    finally:
        fresh.rmdir()
