"""Work on the backups of several hosts at once: who is late, silent or wrong keeps nobody else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from homelab_mcp.core.at_once import at_once
from homelab_mcp.model.errors import EngineFailed
from homelab_mcp.ports import Restic
from homelab_mcp.queries.backup_everywhere import on_each

pytestmark = pytest.mark.unit


class Maker:
    """One host's."""

    def __init__(self, name: str) -> None:
        self.name = name


def each(makers: dict[str, Maker], work: Callable[..., Any], said: list[str]) -> dict[str, Any]:
    return on_each({n: cast(Restic, m) for n, m in makers.items()}, work, said.append)


def test_all_are_at_work_at_the_same_time_and_each_step_says_whose_it_is() -> None:
    makers, both, said = {n: Maker(n) for n in ("local", "nas")}, threading.Barrier(2, timeout=5), list[str]()

    def work(one: Maker, step: Callable[[str], None]) -> str:
        both.wait()
        step("copying")
        if one.name == "nas":
            raise EngineFailed("No.", hint="Look.", code="backup_failed")
        return "made"

    found = each(makers, work, said)
    assert found["local"] == "made"
    assert isinstance(found["nas"], EngineFailed)
    assert sorted(said) == ["local: copying", "nas: copying"]


def test_what_a_step_raises_is_raised_here_and_leaves_the_work_to_itself() -> None:
    done = threading.Event()

    def work(_: Maker, step: Callable[[str], None]) -> str:
        step("copying")
        done.set()
        return "made"

    def stop(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        on_each({n: cast(Restic, Maker(n)) for n in ("a", "b")}, cast(Any, work), stop)
    assert done.wait(5)


def test_a_late_answer_is_told_as_such() -> None:
    wait = threading.Event()
    found = at_once({"a": lambda: 1, "b": lambda: wait.wait(20)}, 0.2)
    wait.set()
    assert found["a"] == 1
    assert str(found["b"]) == "no answer within 0.2 s"
