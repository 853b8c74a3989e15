"""What random sequences of operations leave behind is what Docker Compose itself takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from homelab_mcp.bootstrap import open_lab
from tests.unit.workflow.deployed_readers import compose_files
from tests.unit.workflow.random_labs import make_core, run


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
