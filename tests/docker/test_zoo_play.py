"""A case of the zoo played by its own scripts alone, as a person or an agents' harness plays it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from homelab_mcp.cli.diagnose import command
from homelab_mcp.model.plan import PlanState
from testbed.docker_engine import docker
from tests.docker.zoo_cases import FOLDER, case_names
from tests.docker.zoo_play import PLACE_VARIABLE, Stage

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("testbed_run")]


class Player:
    """What a person has: the case's scripts, a shell, and the variables that set-up leaves in ``env``."""

    def __init__(self, name: str, place: Path) -> None:
        self.name = name
        self.stage = Stage(place)
        programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._environment = {**os.environ, "PATH": programs, PLACE_VARIABLE: str(place)}

    def script(self, part: str, *options: str) -> subprocess.CompletedProcess[str]:
        return self._run([str(FOLDER / self.name / f"{part}.sh"), *options])

    def shell(self, line: str) -> str:
        done = self._run(["/bin/sh", "-c", f". {self.stage.folder}/env && {line}"])
        # 1 says that there are causes, and 3 that a plan wants approval: both are answers.
        assert done.returncode in (0, 1, 3), (line, done.stdout, done.stderr)
        return done.stdout

    def _run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, env=self._environment, cwd="/", capture_output=True, text=True, timeout=200, check=False
        )


def on_the_engine() -> set[str]:
    """Every container, network and volume."""
    rows = (
        docker("ps", "-aq", "--no-trunc"),
        docker("network", "ls", "-q", "--no-trunc"),
        docker("volume", "ls", "-q"),
    )
    return set("\n".join(rows).split())


def test_a_case_is_set_up_diagnosed_repaired_verified_and_cleaned_up(tmp_path: Path) -> None:
    before = on_the_engine()
    player = Player("wrong-port", tmp_path / "zoo")
    try:
        made = player.script("setup")
        assert made.returncode == 0, made.stderr
        other = Player("paused", tmp_path / "zoo").script("cleanup")
        assert (other.returncode, player.stage.root.is_dir()) == (2, True)
        broken = player.script("verify", "--within", "0")
        assert (broken.returncode, "Not settled" in broken.stdout) == (1, True), broken

        causes = json.loads(player.shell("homelab-mcp diagnose wrong-port --what route --json"))["causes"]
        assert causes[0]["cause"] == "wrong_port"
        plan = json.loads(player.shell(f"{command(causes[0]['fix'])} --plan-only --json"))
        player.shell(f"homelab-mcp approve {plan['plan_id']} --apply --json")

        settled = player.script("verify")
        assert settled.returncode == 0, settled
    finally:
        cleaned = player.script("cleanup")
    assert cleaned.returncode == 0, cleaned
    assert not player.stage.folder.exists()
    assert on_the_engine() == before


@pytest.mark.nightly
@pytest.mark.parametrize("name", case_names())
def test_every_case_can_be_played_by_its_scripts(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = on_the_engine()
    player = Player(name, tmp_path / "zoo")
    try:
        made = player.script("setup")
        assert made.returncode == 0, made.stderr
        for variable, value in player.stage.settings().items():
            monkeypatch.setenv(variable, value)
        lab = player.stage.lab(name)
        exhibit = lab.exhibits[name]
        assert [c["cause"] for c in lab.ask(exhibit)][:1] == [exhibit.task["cause"]]
        if "verify" in exhibit.task:
            broken = player.script("verify", "--within", "0")
            assert broken.returncode == 1, broken
            assert lab.repair(exhibit).state is PlanState.DONE
            assert lab.troubles == []
        settled = player.script("verify")
        assert settled.returncode == 0, settled
    finally:
        cleaned = player.script("cleanup")
    assert cleaned.returncode == 0, cleaned
    assert not player.stage.folder.exists()
    assert on_the_engine() == before
