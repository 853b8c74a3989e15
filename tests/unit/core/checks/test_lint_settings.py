"""A lab's settings turn rules off and change how severe they are; facts reach the rules that need them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from homelab_mcp.core.checks import LabFacts, LintStack, lint
from homelab_mcp.model.finding import Severity
from homelab_mcp.model.lab import LintSettings

TEXT = "services:\n  web:\n    image: nginx:latest\n    restart: allways\n"
STACKS = [LintStack("s", "s/compose.yaml", TEXT, {})]


def severities(settings: LintSettings | None) -> dict[str, Severity]:
    return {f.rule: f.severity for f in lint(STACKS, settings=settings)}


def test_an_ignored_rule_is_not_run_and_the_others_are() -> None:
    before, after = severities(None), severities(LintSettings(ignore=("HL110", "HL014")))
    assert {"HL110", "HL014"} <= before.keys()
    assert after == {k: v for k, v in before.items() if k not in {"HL110", "HL014"}}


def test_a_changed_severity_counts_for_its_rule_alone() -> None:
    before, after = severities(None), severities(LintSettings(severity={"HL110": "error", "HL112": "warning"}))
    assert (before["HL110"], before["HL112"]) == (Severity.WARNING, Severity.INFO)
    assert after == before | {"HL110": Severity.ERROR, "HL112": Severity.WARNING}


def test_a_rule_that_grades_its_findings_gives_them_all_the_severity_asked_for() -> None:
    text = "services:\n  a: {image: 'x:1.0', ipc: sharable, pid: hots}\n"
    stack = LintStack("s", "c.yaml", text, {})
    assert [f.severity for f in lint([stack]) if f.rule == "HL140"] == ["error", "warning"]
    softer = lint([stack], settings=LintSettings(severity={"HL140": "info"}))
    assert [f.severity for f in softer if f.rule == "HL140"] == ["info", "info"]


def test_ignoring_wins_over_a_severity() -> None:
    assert "HL110" not in severities(LintSettings(ignore=("HL110",), severity={"HL110": "error"}))


def test_a_rule_that_is_not_there_changes_nothing() -> None:
    assert severities(LintSettings(ignore=("HL999",), severity={"HL998": "error"})) == severities(None)


@pytest.mark.parametrize("bad", [{"ignore": ["HL1"]}, {"severity": {"HL110": "fatal"}}, {"severity": {"x": "info"}}])
def test_settings_that_are_no_rule_or_no_severity_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        LintSettings.model_validate(bad)


def test_without_facts_no_rule_judges_by_them() -> None:
    text = (
        "services:\n  web:\n    image: nginx:1.29\n    mem_limit: 9999g\n    networks: [gone]\n"
        "    volumes: ['/opt/x:/x', 'data:/data']\nvolumes: {data: {}}\nnetworks: {gone: {external: true}}\n"
    )
    stack = LintStack("s", "s/compose.yaml", text, {})
    needs_facts = {"HL025", "HL170", "HL171", "HL172", "HL173"}
    assert needs_facts.isdisjoint(f.rule for f in lint([stack]))
    known = LabFacts(networks=[], memory=2**33, tracked=["s/.env"], backup_paths=[])
    assert needs_facts <= {f.rule for f in lint([stack], facts=known)}


def test_a_finding_about_another_file_names_it_and_can_be_filtered() -> None:
    facts = LabFacts(tracked=["s/.env", "s/compose.yaml"])
    hits = [f for f in lint(STACKS, facts=facts) if f.rule == "HL173"]
    assert [(f.file, f.line) for f in hits] == [("s/.env", 1)]
    # What Compose reads for a stack belongs to it; of another stack it is none.
    assert [f for f in lint(STACKS, facts=facts, report=["s/compose.yaml"]) if f.rule == "HL173"] == hits
    assert not [f for f in lint(STACKS, facts=facts, report=["t/compose.yaml"]) if f.rule == "HL173"]
    assert [f.fix for f in lint(STACKS, facts=facts, fixes=True) if f.rule == "HL173"] == [None]
