"""Findings as SARIF and as GitHub's commands."""

from __future__ import annotations

from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.core.checks.formats import github, sarif
from homelab_mcp.model.finding import Finding, Severity

TEXT = "services:\n  web:\n    image: nginx:latest\n    restart: allways\n"


def test_sarif_has_each_finding_at_its_place_and_its_rule_once() -> None:
    findings = lint([LintStack("s", "s/compose.yaml", TEXT, {})])
    log = sarif(findings, "1.2.3")
    run = log["runs"][0]
    assert log["version"] == "2.1.0"
    rules = [r["id"] for r in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    wrong = next(r for r in run["results"] if r["ruleId"] == "HL014")
    assert rules[wrong["ruleIndex"]] == "HL014"
    assert wrong["level"] == "error"
    place = wrong["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "s/compose.yaml"}, "region": {"startLine": 4, "startColumn": 14}}
    assert len(run["results"]) == len(findings)


def test_a_place_that_is_not_known_has_no_region() -> None:
    log = sarif([Finding("HL001", Severity.INFO, "x.")], "1")
    assert log["runs"][0]["results"][0]["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": ""}}}]


def test_github_commands_escape_what_would_end_them() -> None:
    finding = Finding("HL014", Severity.ERROR, "50 % of\nit: a, b", "a,b:c.yaml", 3, 4, "web")
    assert github([finding]) == [
        "::error file=a%2Cb%3Ac.yaml,line=3,col=4,title=HL014::[web] 50 %25 of%0Ait: a, b",
    ]
    assert github([Finding("HL112", Severity.INFO, "x.")])[0].startswith("::notice ")


def test_sarif_fixes_have_the_shape_of_section_3_55_and_make_the_fixed_file() -> None:
    text = TEXT + "    environment: {API_TOKEN: abcdef0123456789}\n"
    findings = lint([LintStack("s", "s/compose.yaml", text, {})], fixes=True)
    results = sarif(findings, "1")["runs"][0]["results"]
    assert sarif(findings, "1")["runs"][0]["columnKind"] == "unicodeCodePoints"
    (fix,) = next(r["fixes"] for r in results if r["ruleId"] == "HL014")
    assert set(fix) == {"description", "artifactChanges"}
    assert set(fix["description"]) == {"text"}
    (change,) = fix["artifactChanges"]
    assert change["artifactLocation"] == {"uri": "s/compose.yaml"}
    (replacement,) = change["replacements"]
    assert set(replacement) == {"deletedRegion", "insertedContent"}
    region = replacement["deletedRegion"]
    assert region == {"startLine": 4, "startColumn": 16, "endLine": 4, "endColumn": 17}
    assert replacement["insertedContent"] == {"text": ""}
    assert next(r["fixes"] for r in results if r["ruleId"] == "HL112")[0]["description"]["text"].startswith(
        "Suggestion: "
    )


def test_sarif_never_holds_a_secret_that_a_fix_would_move() -> None:
    text = TEXT + "    environment: {API_TOKEN: abcdef0123456789}\n"
    findings = lint([LintStack("s", "s/compose.yaml", text, {})], fixes=True)
    moved = next(f for f in findings if f.rule == "HL054")
    assert moved.fix and "abcdef0123456789" in str(moved.fix.edits)
    assert "abcdef0123456789" not in str(sarif(findings, "1"))
    assert "fixes" not in next(r for r in sarif(findings, "1")["runs"][0]["results"] if r["ruleId"] == "HL054")
