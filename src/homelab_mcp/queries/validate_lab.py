"""Check a lab's compose files, or pasted text, with the linter."""

from __future__ import annotations

from dataclasses import dataclass

from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.core.env_file import parse_or_empty
from homelab_mcp.model.errors import NotFound
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import read_stacks

_ORDER = list(Severity)


@dataclass(frozen=True, slots=True)
class Checked:
    """Findings of at least the asked severity, worst first; ``counts`` counts all of them by severity."""

    findings: tuple[Finding, ...]
    counts: dict[str, int]


def check(lab: Lab, *, stack: str = "", content: str = "", severity: str = "info") -> Checked:
    """Lint the lab (or one stack of it, seen among the others), or ``content`` alone.

    Raises:
        NotFound: no such stack.
    """
    if content:
        findings = lint([LintStack(name="pasted", file="pasted.yaml", text=content, env={})])
    else:
        folders = lab.files.stack_folders()
        if stack and stack not in {name for name, _ in folders}:
            raise NotFound(
                f"There is no stack '{stack}'.", hint=f"Stacks: {', '.join(n for n, _ in folders) or 'none yet'}."
            )
        stacks = [
            LintStack(name=s.name, file=s.compose_path, text=s.compose_text, env=parse_or_empty(s.env_text))
            for s in read_stacks(lab.files)
        ]
        findings = lint(stacks, report=[path for name, path in folders if name == stack] if stack else None)
    counts = {str(s): sum(f.severity is s for f in findings) for s in Severity}
    least = _ORDER.index(Severity(severity))
    shown = sorted((f for f in findings if _ORDER.index(f.severity) <= least), key=lambda f: _ORDER.index(f.severity))
    return Checked(findings=tuple(shown), counts=counts)
