"""Tests of the whole program: labs on disk; fixtures on the engine are in tests/fixtures.py."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.e2e.server import LabOnDisk


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lab with Traefik and sign-on in its files, made once through the command line."""
    made = LabOnDisk(tmp_path_factory.mktemp("pattern") / "stacks", {"HOMELAB_FILES_ONLY": "1"})
    made.init("--acme-challenge", "tls")
    for service in ("traefik", "authelia"):
        plan = made.json("add", service, "--plan-only", code=3)
        made.approve(plan["plan_id"], "--apply")
    return made.root


@pytest.fixture
def lab(tmp_path: Path, pattern: Path, monkeypatch: pytest.MonkeyPatch) -> LabOnDisk:
    """A copy of that lab, for one test, on files alone, with a copy of its key: a test may turn or lose that."""
    shutil.copytree(pattern, tmp_path / "stacks", symlinks=True)
    shutil.copytree(os.environ["XDG_CONFIG_HOME"], tmp_path / "config", symlinks=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return LabOnDisk(tmp_path / "stacks", {"HOMELAB_FILES_ONLY": "1"})
