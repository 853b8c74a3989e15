"""Which of the linter's rules belong to which subject, and their findings as an audit's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from homelab_mcp.core.audit.facts import AuditFacts, AuditFinding, Remedy, Subject
from homelab_mcp.core.checks.fixes import fix_word

RULES: Mapping[Subject, frozenset[str]] = {
    "security": frozenset(
        [
            "HL043",
            "HL044",
            "HL049",
            "HL054",
            "HL058",
            "HL059",
            "HL070",
            "HL080",
            "HL088",
            "HL090",
            "HL091",
            "HL092",
            "HL093",
            "HL094",
            "HL095",
            "HL096",
            "HL097",
            "HL098",
            "HL099",
            "HL100",
            "HL101",
            "HL102",
            "HL103",
            "HL105",
            "HL110",
            "HL111",
            "HL118",
            "HL173",
            "HL212",
            "HL243",
            "HL245",
            "HL247",
            "HL307",
            "HL308",
        ]
    ),
    "resources": frozenset(["HL112", "HL114", "HL115", "HL124", "HL126", "HL155", "HL170"]),
    "backups": frozenset(["HL116", "HL171", "HL172", "HL216", "HL221"]),
    "monitoring": frozenset(["HL032", "HL113", "HL137", "HL153", "HL154", "HL242"]),
}
"""The linter's rules by subject; what none of these speaks of is validate_compose's business."""


def linted(facts: AuditFacts, subject: Subject) -> Iterator[AuditFinding]:
    """The linter's findings on this subject, each with fix_compose where it has a fix."""
    for found in facts.lint:
        if found.rule not in RULES[subject]:
            continue
        stack = found.file.partition("/")[0]
        word = fix_word(found.rule)
        arguments = {"stack": stack, "rules": [found.rule], **({"unsafe": True} if word == "suggestion" else {})}
        yield AuditFinding(
            found.rule,
            found.severity,
            f"{stack}/{found.service}" if found.service else stack,
            found.message,
            f"{found.file}:{found.line}",
            Remedy("fix_compose", arguments) if word else None,
            ask=word == "suggestion",
        )
