"""What holds for the unit tests alone."""

from collections.abc import Generator
from pathlib import Path

import pytest

from homelab_mcp.adapters import approver

HERE = Path(__file__).parent
COST = dict(approver._ARGON2)
FULL_PRICE = {"test_private_stores.py"}
"""Tests of the approver itself, some of them by several processes."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Stretch PINs by less work than people's: hundreds of approvals show nothing more for taking their time.

    By item and no fixture: it is there before any module's fixtures, and tests of other folders never meet it.
    """
    if item.path.is_relative_to(HERE) and item.path.name not in FULL_PRICE:
        approver._ARGON2.update(time_cost=1, memory_cost=1 << 8)
    try:
        return (yield)
    finally:
        approver._ARGON2.update(COST)
