"""Which failed tests get a second try, and what it says."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.once_more import FAILED, MOST, why_not

ROOT = Path(__file__).parents[2]
ON_DOCKER = "tests/docker/test_a.py::test_b[x]"


def test_only_a_few_on_real_parts_get_a_second_try() -> None:
    assert not why_not([ON_DOCKER, "tests/e2e/test_a.py::test_b"])
    assert "no failed test" in why_not([])
    assert "more than" in why_not([f"{ON_DOCKER}{n}" for n in range(MOST + 1)])
    assert "waits for no other program" in why_not([ON_DOCKER, "tests/unit/test_a.py::test_b"])
    assert "waits for no other program" in why_not(["tests/docker/test_a.py"]), "a file that did not even load"


@pytest.mark.parametrize("heals", [True, False])
def test_what_passes_alone_is_named_and_what_does_not_is_a_failure(heals: bool, tmp_path: Path) -> None:
    place = tmp_path / "tests/docker"
    place.mkdir(parents=True)
    (place / "test_a.py").write_text(f"def test_b():\n    assert {heals}\n\ndef test_c():\n    assert False\n")
    kept = tmp_path / FAILED
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps({"tests/docker/test_a.py::test_b": True}))
    argv = [sys.executable, "-m", "testbed.once_more"]
    done = subprocess.run(
        argv, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == (0 if heals else 1), done.stdout + done.stderr
    assert ("UNSTEADY" in done.stdout) is heals
    assert "test_c" not in done.stdout.split("short test summary")[0]
