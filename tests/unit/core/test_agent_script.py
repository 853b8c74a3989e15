"""Scripts of what an agent does: what is judged, filled in and refused."""

from __future__ import annotations

from typing import Any

import pytest

from homelab_mcp.core.agent_script import Step, astray, at, edited, filled, parse_script, unmet
from homelab_mcp.model.errors import InvalidInput

ANSWER = {"state": "done", "rows": [{"name": "it's", "n": 3}, {"name": "b", "on": True}], "none": None}


@pytest.mark.parametrize(
    ("expect", "problems"),
    [
        ({"state": "done", "rows.0.n": 3, "rows.1.on": True}, 0),
        ({"state": "pending"}, 1),
        ({"rows.7.n": 3, "rows.x": 1}, 2),
        ({"rows": {"contains": ["it's", "n: 3", "on: true"]}}, 0),
        ({"": {"contains": "it's", "lacks": ["absent"]}}, 0),
        ({"": {"lacks": "it's"}}, 1),
        ({"rows": {"some": ["absent", "b"]}}, 0),
        ({"rows": {"some": ["absent", "gone"]}}, 1),
        ({"state": {"any": ["done", "failed"]}}, 0),
        ({"state": {"any": ["failed"]}}, 1),
        ({"rows.0.n": {"lacks": "null"}, "none": {"contains": "null"}, "absent": {"contains": "null"}}, 0),
        ({"rows": [{"name": "other"}]}, 1),
        ({"rows.0.n": {"above": 2}}, 0),
        ({"rows.0.n": {"above": 3}, "rows.1.on": {"above": 0}, "absent": {"above": 0}, "state": {"above": 0}}, 4),
        ({"rows": {"has": {"name": "b", "on": True}}}, 0),
        ({"rows": {"has": {"name": {"contains": "it"}, "n": {"above": 2}}}}, 0),
        # Each is there, in no entry together.
        ({"rows": {"has": {"name": "b", "n": 3}}}, 1),
        ({"state": {"has": {"name": "b"}}, "absent": {"has": {"name": None}}}, 2),
    ],
)
def test_what_is_expected_is_told_where_it_does_not_hold(expect: dict[str, Any], problems: int) -> None:
    step = Step.model_validate({"tool": "x", "expect": expect})
    assert len(unmet(step, ANSWER)) == problems


def test_names_are_filled_in_and_others_stay() -> None:
    assert filled({"a": ["{plan}", "{other}"], "n": 1}, {"plan": "p1"}) == {"a": ["p1", "{other}"], "n": 1}
    assert filled(["{pid}", "({pid})", "{pid}{plan}"], {"pid": 7, "plan": "p"}) == [7, "(7)", "7p"]
    assert at(ANSWER, "") is ANSWER


def test_texts_and_edits() -> None:
    step = Step.model_validate({"file": "f", "contains": ["a", "z"], "lacks": ["b"]})
    assert astray(step, "a b", "the file") == ["the file does not hold 'z'", "the file holds 'b'"]
    assert edited(Step(write="f", text="new"), "old") == "new"
    assert edited(Step(write="f", append="new"), "old ") == "old new"
    assert edited(Step(write="f", replace={"l": "r"}), "lol") == "ror"
    with pytest.raises(InvalidInput, match="does not hold"):
        edited(Step(write="f", replace={"x": "y"}), "lol")


@pytest.mark.parametrize(
    "text",
    [
        "says: x\nsteps: []\n",
        "says: x\nsteps:\n  - {tool: a, file: b}\n",
        "says: x\nsteps:\n  - {expect: {a: b}}\n",
        "says: x\nsteps:\n  - {tool: a, wish: b}\n",
        "says: x\nsteps:\n  - {tool: a, within: -1}\n",
        "says: x\nsteps:\n  - {tool: a, start: sleep 1}\n",
        "says: [\n",
    ],
)
def test_what_is_no_script_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no script") as refused:
        parse_script(text, "f.yaml")
    assert refused.value.code == "bad_script"
    assert parse_script("says: x\nsteps:\n  - apply: p\n", "f").steps[0].kind == "apply"
