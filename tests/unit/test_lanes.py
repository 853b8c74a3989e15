"""Who runs which tests: played with real processes on files made up for it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lanes import LONGEST_FIRST, ON_THE_MACHINE, Process, may_run, order

ROOT = Path(__file__).parents[2]
CONFTEST = (
    "from tests.lanes import Lanes\n\ndef pytest_xdist_make_scheduler(config, log):\n    return Lanes(config, log)\n"
)
OPTIONS = ["-p", "no:cacheprovider", "--import-mode=importlib", "--dist", "load", "--no-loadscope-reorder"]
PLAIN = ("--tx", "popen")
NICE = ("--tx", f"popen//python=nice -n 5 {sys.executable}")
# `env` takes the place of the script, which starts an engine: only the name is looked at.
OWN = ("--tx", f"popen//python=env OF=script/own-engine {sys.executable}")


def played(folder: Path, *processes: str) -> dict[str, set[str]]:
    """Which processes ran the tests of each file."""
    for number in range(4):
        for kind in ("unit", "docker", "e2e"):
            file = folder / "tests" / kind / f"test_{number}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("import time\n\ndef test_a():\n    time.sleep(0.05)\n\ndef test_b():\n    pass\n")
    for path in ON_THE_MACHINE:
        (folder / path).write_text("def test_it():\n    pass\n")
    (folder / "conftest.py").write_text(CONFTEST)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "--rootdir", str(folder), str(folder), *OPTIONS, *processes],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    who: dict[str, set[str]] = {}
    for worker, file in re.findall(r"^\[(gw\d)\].*PASSED (\S+)::", run.stdout, re.MULTILINE):
        who.setdefault(file, set()).add(worker)
    assert len(who) == 12 + len(ON_THE_MACHINE), run.stdout
    return who


@pytest.mark.timeout(180)
def test_a_second_engine_takes_a_share_but_not_what_needs_the_machine(tmp_path: Path) -> None:
    who = played(tmp_path, *PLAIN, *NICE, *OWN)

    assert all(len(workers) == 1 for workers in who.values()), "a file was torn apart"
    of_engines = {worker for file, workers in who.items() for worker in workers if "unit" not in file}
    assert of_engines == {"gw0", "gw2"}
    assert all(who[file] == {"gw0"} for file in ON_THE_MACHINE)


@pytest.mark.parametrize("path", [*ON_THE_MACHINE, *LONGEST_FIRST])
def test_the_files_named_exist(path: str) -> None:
    assert (ROOT / path).is_file()


def test_long_files_come_first_and_files_without_an_engine_last() -> None:
    queue = ["tests/unit/test_x.py", "tests/e2e/test_short.py", LONGEST_FIRST[1], LONGEST_FIRST[0]]

    assert sorted(queue, key=lambda file: order(Process.OWN_ENGINE, file)) == queue[::-1]
    assert not may_run(Process.FILES, "tests/e2e/test_short.py")
