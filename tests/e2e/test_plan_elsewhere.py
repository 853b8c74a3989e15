"""A plan's command typed where nothing says which lab it belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.server import LabOnDisk

PLAN = "0123456789abcdef0123456789abcdef"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("command", ["approve", "apply", "plan"])
def test_a_plan_that_is_not_here_is_told_with_the_lab_that_was_looked_in(tmp_path: Path, command: str) -> None:
    lab = LabOnDisk(tmp_path / "stacks", {"HOMELAB_FILES_ONLY": "1"})
    lab.init()
    told = lab.run(command, PLAN)
    assert told.returncode == 1
    assert str(lab.root) in told.stderr
    assert "--root FOLDER" in told.stderr
