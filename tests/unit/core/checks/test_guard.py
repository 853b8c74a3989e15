"""A rule that fails ends no look at a lab: it is told and logged, and the other rules go on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from homelab_mcp.core.checks import LintStack, fixes, frame, guard, lint
from homelab_mcp.core.checks.engine_rules import listed_rules
from homelab_mcp.core.checks.frame import LintContext, all_rules
from homelab_mcp.core.checks.view import Lab, StackView
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.lab import LintSettings
from homelab_mcp.queries.validate import validate_text

TEXT = "services:\n  web:\n    image: nginx:latest\n  db:\n    image: postgres:latest\n"
STACK = LintStack("s", "s/compose.yaml", TEXT, {})
OTHER = LintStack("t", "t/compose.yaml", TEXT, {})


def fails(ctx: LintContext) -> Iterator[Finding]:
    yield ctx.at(ctx.lab.stacks[0], ("services", "web", "image"), "Said before.")
    raise TypeError("hunter2")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = tuple(replace(r, check=fails) if r.id == "HL110" else r for r in all_rules())
    monkeypatch.setattr(frame, "all_rules", lambda: rules)
    monkeypatch.setattr(guard, "STRICT", False)


@pytest.mark.usefixtures("failing")
def test_a_rule_that_fails_is_told_and_logged_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        found = lint([STACK])

    told = [f for f in found if f.rule == "HL903"]
    assert [(f.file, f.line, f.severity) for f in told] == [("s/compose.yaml", 1, Severity.WARNING)]
    assert "HL110" in told[0].message
    assert "TypeError" in told[0].message
    assert "report" in told[0].message
    assert "hunter2" not in told[0].message
    assert {"HL110", "HL112"} <= {f.rule for f in found}
    assert "HL110" in caplog.text
    assert "hunter2" in caplog.text


@pytest.mark.usefixtures("failing")
def test_it_is_told_for_the_files_that_were_asked_for() -> None:
    assert [f.file for f in lint([STACK, OTHER], report=["t/compose.yaml"]) if f.rule == "HL903"] == ["t/compose.yaml"]
    assert "HL903" in {f.rule for f in validate_text(TEXT).findings}


@pytest.mark.usefixtures("failing")
def test_settings_hold_for_it_as_for_any_other() -> None:
    assert "HL903" not in {f.rule for f in lint([STACK], settings=LintSettings(ignore=("HL903",)))}
    softer = lint([STACK], settings=LintSettings(severity={"HL903": "info"}))
    assert {f.severity for f in softer if f.rule == "HL903"} == {Severity.INFO}
    assert "HL903" in {r.id for r in listed_rules()}


@pytest.mark.usefixtures("failing")
def test_tests_see_a_rule_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "STRICT", True)
    with pytest.raises(TypeError, match="hunter2"):
        lint([STACK])


def test_every_test_is_strict() -> None:
    assert guard.STRICT


def broken(*_: object) -> None:
    raise KeyError("x")


def test_what_lies_before_and_behind_the_rules_ends_nothing_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "STRICT", False)
    monkeypatch.setattr(frame, "StackView", lambda s: broken() if s.name == "s" else StackView(s))
    monkeypatch.setattr(Lab, "authelia_files", property(broken))
    monkeypatch.setattr(fixes, "fix_for", broken)

    found = lint([STACK, OTHER], fixes=True)

    told = {f.message.partition(" failed")[0]: f.file for f in found if f.rule == "HL903"}
    assert told["Reading this stack"] == "s/compose.yaml"
    assert "Reading Authelia's files" in told
    assert any(what.startswith("The fix for") for what in told)
    assert {f.file for f in found if f.rule == "HL110"} == {"t/compose.yaml"}
