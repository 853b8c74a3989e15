"""Every case of the zoo has the parts of a task folder, and they agree with each other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docker.zoo_cases import FOLDER, OURS, case_names, read_cases, task_file

PARTS = ("setup", "verify", "cleanup")
WORDS = {
    "RUN": "0a0a",
    "NET": "net",
    "NET2": "net2",
    "IMAGE": "i:1",
    "IMAGES": "i",
    "DOMAIN": "z.test",
    "TAKEN": "1",
    "FREE": "2",
}


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(task_file(name).read_text())
    return found


def test_there_are_as_many_as_were_asked_for() -> None:
    assert len(case_names()) >= 40


@pytest.mark.parametrize("name", case_names())
def test_a_folder_has_the_four_parts_and_the_task_names_them(name: str) -> None:
    folder = FOLDER / name
    assert {p.name for p in folder.iterdir()} == {f"{name}.yaml", *(f"{part}.sh" for part in PARTS), "artifacts"}
    task = read(name)
    assert (task["kind"], task["metadata"]["name"]) == ("Task", name)
    assert task["metadata"]["difficulty"] in ("easy", "medium", "hard")
    assert {k: v for k, v in task["spec"].items() if k != "prompt"} == {
        part: [{"script": {"file": f"{part}.sh"}}] for part in PARTS
    }
    assert task["spec"]["prompt"]["inline"].strip()
    for part in PARTS:
        assert os.access(folder / f"{part}.sh", os.X_OK), part


@pytest.mark.parametrize("part", PARTS)
def test_a_script_calls_the_shared_player_for_its_own_case(part: str, tmp_path: Path) -> None:
    """Each is run, from another folder, with a player that only says how it was called."""
    player = tmp_path / "play"
    player.write_text('#!/bin/sh\necho "$@"\n')
    player.chmod(0o755)
    for name in case_names():
        script = tmp_path / name / f"{part}.sh"
        script.parent.mkdir()
        shutil.copy(FOLDER / name / script.name, script)
        said = subprocess.run([script, "--within", "1"], cwd="/", capture_output=True, text=True, check=True)
        assert said.stdout == f"{part} {name} --within 1\n"


@pytest.mark.parametrize("name", case_names())
def test_what_is_asked_and_verified_is_in_the_case(name: str) -> None:
    (case,) = read_cases(WORDS, [name])
    services = yaml.safe_load(case.compose)["services"]
    assert case.service in services
    assert case.task.get("b", case.service) in services
    assert ("verify" in case.task) != ("by_hand" in case.task)
    assert case.task.get("verify", "running") in ("running", "steady", "healthy", "answers")
    if case.task.get("verify") == "answers":
        assert "Host(`" in case.compose
    assert not re.findall(r"@[A-Z0-9]+@", case.compose + yaml.safe_dump(case.task))


def test_a_case_that_touches_another_stack_names_its_case() -> None:
    """Played alone, there is nothing else beside it."""
    for case in read_cases(WORDS, case_names()):
        text = yaml.safe_dump(case.task) + case.compose
        others = {n for n in case_names() if n != case.name and f"{n}-0a0a-" in text}
        assert others <= set(case.task.get("with", ())), case.name


def test_every_field_of_a_case_is_told_in_the_readme() -> None:
    told = (FOLDER / "README.md").read_text()
    used = {field for name in case_names() for field in read(name)[OURS]}
    assert {f for f in used if f"`{f}`" not in told} == set()
