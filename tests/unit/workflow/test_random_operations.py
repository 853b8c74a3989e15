"""Random sequences of operations: after each one the lab is sound, and undoing all gives the starting bytes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from homelab_mcp.ports import Signer
from tests.unit.workflow.random_labs import STEPS, make_core, run, texts, undo


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Signer]:
    made = tmp_path_factory.mktemp("core") / "lab"
    return made, make_core(made)


def sequence(core: tuple[Path, Signer], place: Path, seed: int) -> None:
    made, signer = core
    root = Path(shutil.copytree(made, place / "lab"))
    start = texts(root)
    applied, told = run(root, seed, signer)
    assert len(applied) >= STEPS // 3, told
    undo(root, applied, signer)
    end = texts(root)
    changed = [path for path in sorted(start | end) if start.get(path) != end.get(path)]
    assert not changed, f"undone, but not as it was: {changed}"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(3))
def test_any_sequence_leaves_a_sound_lab_and_can_be_undone(
    core: tuple[Path, Signer], tmp_path: Path, seed: int
) -> None:
    sequence(core, tmp_path, seed)


@pytest.mark.nightly
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(3, 100))
def test_many_more_sequences(core: tuple[Path, Signer], tmp_path: Path, seed: int) -> None:
    sequence(core, tmp_path, seed)
