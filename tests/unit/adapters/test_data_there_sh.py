"""What the shell for another host's data does while others wait, run by the shell of this machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from homelab_mcp.adapters.data_there_sh import DROP_SH

pytestmark = pytest.mark.unit


def test_emptying_the_trash_holds_up_no_other_run(tmp_path: Path) -> None:
    lock, told = tmp_path / "lock", tmp_path / "told"
    (tmp_path / "bin").mkdir()
    # The first thing that it does to a folder's content.
    stub = f'flock -n {lock} true && echo free >>{told} || echo held >>{told}\nexec /usr/bin/find "$@"\n'
    (tmp_path / "bin/find").write_text(f"#!/bin/sh\n{stub}")
    (tmp_path / "bin/find").chmod(0o755)
    (tmp_path / "lab/trash/old/deep").mkdir(parents=True)
    (tmp_path / "lab/trash/old/deep/file").write_text("x")
    text = DROP_SH.replace("/tmp/homelab-data", str(lock))
    argv = ["sh", "-c", text, "sh", str(tmp_path / "lab"), "1", "trash/old"]
    env = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.stdout == "ok\0end\0", done.stderr
    assert not (tmp_path / "lab/trash/old").exists()
    assert told.read_text().split() == ["free", "free"]
