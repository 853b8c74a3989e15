"""Findings in the forms that other programs read: SARIF 2.1.0 and GitHub's workflow commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from homelab_mcp.core.checks.engine_rules import listed_rules
from homelab_mcp.core.checks.frame import Rule
from homelab_mcp.core.diff import is_env
from homelab_mcp.model.finding import Finding, Severity

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def sarif(findings: Sequence[Finding], version: str) -> dict[str, Any]:
    """A SARIF 2.1.0 log (OASIS) with one run and the rules that were broken.

    Args:
        findings: what to report.
        version: of this program.
    """
    broken = {f.rule for f in findings}
    rules = [r for r in listed_rules() if r.id in broken]
    order = {r.id: n for n, r in enumerate(rules)}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "homelab-mcp", "version": version, "rules": [_rule(r) for r in rules]}},
                "columnKind": "unicodeCodePoints",
                "results": [_result(f, order) for f in findings],
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "helpUri": rule.link,
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _result(finding: Finding, order: dict[str, int]) -> dict[str, Any]:
    who = f"{finding.service}: " if finding.service else ""
    place: dict[str, Any] = {"artifactLocation": {"uri": finding.file}}
    if finding.line:
        place["region"] = {"startLine": finding.line, "startColumn": max(finding.column, 1)}
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{who}{finding.message}"},
        "locations": [{"physicalLocation": place}],
    }
    if finding.rule in order:
        result["ruleIndex"] = order[finding.rule]
    if fixes := _fixes(finding):
        result["fixes"] = fixes
    return result


def _fixes(finding: Finding) -> list[dict[str, Any]]:
    """SARIF's fixes (section 3.55), one change a file.

    A fix that puts a line in a ``.env`` is left out: the value is secret, and a SARIF log is for others to read.
    """
    if finding.fix is None or any(is_env(e.file) for e in finding.fix.edits):
        return []
    changes: dict[str, list[dict[str, Any]]] = {}
    for edit in finding.fix.edits:
        region = {
            "startLine": edit.line,
            "startColumn": edit.column,
            "endLine": edit.end_line,
            "endColumn": edit.end_column,
        }
        changes.setdefault(edit.file, []).append({"deletedRegion": region, "insertedContent": {"text": edit.text}})
    body = [{"artifactLocation": {"uri": uri}, "replacements": made} for uri, made in changes.items()]
    word = "" if finding.fix.safe else "Suggestion: "
    return [{"description": {"text": f"{word}{finding.fix.title}"}, "artifactChanges": body}]


def github(findings: Iterable[Finding]) -> list[str]:
    """One workflow command a finding, which GitHub shows at the line of a pull request."""
    lines = []
    for f in findings:
        where = f"file={_property(f.file)},line={f.line},col={f.column},title={f.rule}"
        who = f"[{f.service}] " if f.service else ""
        lines.append(f"::{_COMMANDS[f.severity]} {where}::{_escape(who + f.message)}")
    return lines


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
