"""What the tests' own waiting takes as an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from testbed.docker_engine import TestbedError, wait_until

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("nothing", [None, False, [], "", {}, (), set(), b""])
def test_nothing_yet_is_no_answer(nothing: Any) -> None:
    answers: Iterator[Any] = iter([nothing, nothing, ["found"]])
    assert wait_until(lambda: next(answers), "something", within=5, every=0) == ["found"]
    with pytest.raises(TestbedError, match="in vain for something"):
        wait_until(lambda: nothing, "something", within=0, every=0)


@pytest.mark.parametrize("something", [True, 0, 0.0, [0], "x"])
def test_a_number_is_an_answer_even_nought(something: Any) -> None:
    assert wait_until(lambda: something, "something", within=0, every=0) == something
