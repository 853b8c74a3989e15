"""What random sequences of operations leave behind is what Docker Compose itself takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.plan import Plan
from tests.unit.workflow.deployed_readers import compose_files
from tests.unit.workflow.random_labs import STEPS, make_core, run


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_compose_takes_every_stack_that_a_sequence_leaves(tmp_path: Path) -> None:
    root = tmp_path / "lab"
    run(root, 1, make_core(root))
    compose = open_lab(str(root)).compose
    stacks = list(compose_files(root))
    assert len(stacks) > 5
    for stack in stacks:
        compose.config(stack)


def compose_takes(root: Path, plan: Plan) -> None:
    """Compose reads every stack that the plan wrote to, as it is now."""
    compose, there = open_lab(str(root)).compose, set(compose_files(root))
    for stack in sorted({e.path.partition("/")[0] for e in plan.draft.edits} & there):
        try:
            compose.config(stack)
        except HomelabError as refused:
            raise AssertionError(f"Compose refuses {stack}: {refused.message} {refused.details}") from refused


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(100))
def test_compose_takes_the_lab_after_every_step(tmp_path: Path, seed: int) -> None:
    root = tmp_path / "lab"
    applied, told = run(root, seed, make_core(root), judged=compose_takes)
    assert len(applied) >= STEPS // 3, told
