"""The documentation's pictures can be made anew: the demo at a terminal, the approval page in a real Chromium."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.docs_shots import IMAGES
from testbed.recording import from_cast

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.nightly, pytest.mark.timeout(580)]


def made(folder: Path, what: str) -> list[str]:
    """The names of the files that were made. As script/docs-shots runs it, which first installs what is missing."""
    done = subprocess.run(
        [sys.executable, "-m", "testbed.docs_shots", what, "--into", str(folder)],
        cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": "1"}, capture_output=True, text=True, timeout=560, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(path.name for path in folder.iterdir())


def test_the_approval_page_is_taken_as_the_docs_show_it(tmp_path: Path) -> None:
    assert made(tmp_path, "pages") == sorted(path.name for path in IMAGES.glob("*.png"))


@pytest.mark.usefixtures("docker_engine")
def test_the_demo_is_recorded_and_drawn(tmp_path: Path) -> None:
    assert made(tmp_path, "session") == ["demo.cast", "demo.svg"]
    text = "".join(piece.text for piece in from_cast((tmp_path / "demo.cast").read_text("utf-8")))
    assert text.count("✔") == (IMAGES / "demo.cast").read_text("utf-8").count("✔") == 13
