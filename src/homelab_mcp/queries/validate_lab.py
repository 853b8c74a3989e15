"""Check a lab's compose files, or pasted text, with the linter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.model.errors import NotFound
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import read_stacks
from homelab_mcp.queries.lab_stacks import lint_stacks

_ORDER = list(Severity)


@dataclass(frozen=True, slots=True)
class Checked:
    """Findings of at least the asked severity, worst first; ``counts`` counts all of them by severity."""

    findings: tuple[Finding, ...]
    counts: dict[str, int]


def check(lab: Lab, *, stack: str = "", content: str | Sequence[str] = (), severity: str = "info") -> Checked:
    """Lint the lab (or one stack of it, seen among the others), or ``content`` alone.

    Args:
        lab: the lab.
        stack: only its findings.
        content: a compose text, or several that are merged in this order (``docker compose -f a -f b``). No file is
            read for it: what it includes or extends elsewhere stays unknown.
        severity: the least that is shown.

    Raises:
        NotFound: no such stack.
    """
    texts = [content] if isinstance(content, str) else list(content)
    if any(texts):
        (file, text), *others = [(f"pasted{n or ''}.yaml", t) for n, t in enumerate(texts)]
        findings = lint([LintStack(name="pasted", file=file, text=text, env={}, others=tuple(others))])
    else:
        folders = lab.files.stack_folders()
        if stack and stack not in {name for name, _ in folders}:
            raise NotFound(
                f"There is no stack '{stack}'.", hint=f"Stacks: {', '.join(n for n, _ in folders) or 'none yet'}."
            )
        stacks = lint_stacks(lab.files, read_stacks(lab.files))
        findings = lint(stacks, report=[path for name, path in folders if name == stack] if stack else None)
    counts = {str(s): sum(f.severity is s for f in findings) for s in Severity}
    least = _ORDER.index(Severity(severity))
    shown = sorted((f for f in findings if _ORDER.index(f.severity) <= least), key=lambda f: _ORDER.index(f.severity))
    return Checked(findings=tuple(shown), counts=counts)
