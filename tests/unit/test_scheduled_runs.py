"""What runs by a clock: the night's tests in shares that leave nothing out, and the week's newer tags as a branch."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CI = ROOT / ".ci"
ENTRY = 'id: notes\ncontainer:\n  image: {repository: me/notes, tag: "1.0"}\n'


def workflow(name: str) -> dict[str, Any]:
    text = (ROOT / ".github" / "workflows" / f"{name}.yml").read_text("utf-8")
    # YAML 1.1, which PyYAML reads, takes the key "on" for true.
    return {"on" if key is True else key: value for key, value in yaml.safe_load(text).items()}


def commands(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def test_the_night_runs_every_file_of_tests_once() -> None:
    night = workflow("nightly")
    assert [re.fullmatch(r"\d+ \d+ \* \* \*", one["cron"]) is not None for one in night["on"]["schedule"]] == [True]
    assert "workflow_dispatch" in night["on"]
    (job,) = night["jobs"].values()
    assert commands(job) == ["script/test --nightly ${{ matrix.files }}"]
    assert job["timeout-minutes"] <= 360, "GitHub's own limit"
    assert not job["strategy"]["fail-fast"]
    dealt = [file for share in job["strategy"]["matrix"]["files"] for file in files_of(share)]
    assert sorted(dealt) == sorted(ROOT.glob("tests/**/test_*.py"))


def files_of(share: str) -> list[Path]:
    """The files of tests that a folder or a pattern stands for."""
    found = sorted(ROOT.glob(share))
    assert found, f"no file is {share}"
    return [file for one in found for file in (sorted(one.rglob("test_*.py")) if one.is_dir() else [one])]


def test_the_week_asks_for_newer_tags_and_may_push_a_branch_and_no_more() -> None:
    week = workflow("catalog-updates")
    assert [re.fullmatch(r"\d+ \d+ \* \* [0-6]", one["cron"]) is not None for one in week["on"]["schedule"]] == [True]
    assert "workflow_dispatch" in week["on"]
    (job,) = week["jobs"].values()
    assert commands(job) == [".ci/catalog-updates"]
    assert (week["permissions"], job["permissions"]) == ({}, {"contents": "write"})
    assert job["env"]["CATALOG_REMOTE"] == "origin"
    assert {"GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"} <= job["env"].keys()
    # The push takes the checkout's own token.
    assert all(step.get("with", {}).get("persist-credentials", True) for step in job["steps"])


@pytest.mark.parametrize("script", sorted(path.name for path in CI.iterdir()))
def test_the_scripts_of_ci_are_read_by_a_shell(script: str) -> None:
    done = subprocess.run(["bash", "-n", CI / script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert os.access(CI / script, os.X_OK)


class Clone:
    """A clone with an entry, and stand-ins for the scripts that the job calls, which note that they were called."""

    def __init__(self, folder: Path) -> None:
        self.root, self.called = folder / "clone", folder / "called"
        (self.root / ".ci").mkdir(parents=True)
        (self.root / "catalog" / "notes").mkdir(parents=True)
        (self.root / "docs" / "services").mkdir(parents=True)
        (self.root / "script").mkdir()
        shutil.copy2(CI / "catalog-updates", self.root / ".ci")
        (self.root / "catalog" / "notes" / "notes.yaml").write_text(ENTRY)
        (self.root / "docs" / "services" / "notes.md").write_text("1.0\n")
        for name in ("setup", "lint", "with-docker"):
            self.script(name)
        self.script("services-doc", "echo 1.1 > docs/services/notes.md")
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            **{f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }
        self.git("init", "--quiet", "--initial-branch", "main")
        subprocess.run(["git", "init", "--quiet", "--bare", folder / "remote"], check=True)
        self.git("remote", "add", "origin", str(folder / "remote"))

    def script(self, name: str, does: str = "") -> None:
        path = self.root / "script" / name
        path.write_text(f'#!/bin/sh\necho {name} "$@" >> "{self.called}"\n{does}\n')
        path.chmod(0o755)

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.root, env=self.env, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Commit what is there, and run the job."""
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "Begin")
        env = {**self.env, "CATALOG_REMOTE": "origin"}
        return subprocess.run(
            [".ci/catalog-updates", *words], cwd=self.root, env=env, capture_output=True, text=True, check=False
        )


def test_nothing_newer_leaves_no_branch(tmp_path: Path) -> None:
    clone = Clone(tmp_path)
    clone.script("catalog-updates", 'echo "0 newer tags written."')
    done = clone.run("--level", "patch")
    assert (done.returncode, done.stdout) == (0, "0 newer tags written.\n"), done.stderr
    assert clone.called.read_text().splitlines() == ["setup --quiet", "catalog-updates --write --level patch"]
    assert clone.git("branch", "--format", "%(refname:short)") == "main"


@pytest.mark.parametrize("answered", [0, 1])
def test_one_newer_is_tried_and_left_as_a_branch_of_one_commit(tmp_path: Path, answered: int) -> None:
    """Also where the registry of another image did not answer."""
    clone = Clone(tmp_path)
    newer = "sed -i 's/1\\.0/1.1/' catalog/notes/notes.yaml; echo 'notes: me/notes 1.0 -> 1.1'"
    clone.script("catalog-updates", f"{newer}; exit {answered}")
    done = clone.run()
    assert done.returncode == 0, done.stderr
    assert ("a registry did not answer" in done.stderr) == bool(answered)
    _, _, *tried = clone.called.read_text().splitlines()
    assert [line.split()[0] for line in tried] == ["services-doc", "lint", "with-docker"]
    assert "--entries notes tests/docker/test_catalog_shards.py" in tried[-1]
    branch = clone.git("branch", "--show-current")
    assert re.fullmatch(r"catalog-updates-\d{4}-\d\d-\d\d", branch)
    assert clone.git("log", "--format=%s", f"main..{branch}") == "Take newer tags for notes"
    changed = clone.git("diff", "--name-only", "main", branch).splitlines()
    assert changed == ["catalog/notes/notes.yaml", "docs/services/notes.md"]
    assert clone.git("ls-remote", "--heads", "origin").split()[1:] == [f"refs/heads/{branch}"]


def test_an_entry_that_does_not_start_leaves_no_branch(tmp_path: Path) -> None:
    clone = Clone(tmp_path)
    clone.script("catalog-updates", "sed -i 's/1\\.0/1.1/' catalog/notes/notes.yaml")
    clone.script("with-docker", "exit 1")
    assert clone.run().returncode == 1
    assert clone.git("branch", "--format", "%(refname:short)") == "main"
    assert clone.git("ls-remote", "--heads", "origin") == ""


def test_changes_that_are_there_already_are_left_alone(tmp_path: Path) -> None:
    clone = Clone(tmp_path)
    clone.script("catalog-updates", "exit 3")
    clone.git("add", ".")
    clone.git("commit", "--quiet", "--message", "Begin")
    (clone.root / "catalog" / "notes" / "notes.yaml").write_text("mine\n")
    done = subprocess.run([".ci/catalog-updates"], cwd=clone.root, env=clone.env, capture_output=True, check=False)
    assert done.returncode == 2
    assert not clone.called.exists()
