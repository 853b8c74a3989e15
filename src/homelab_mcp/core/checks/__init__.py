"""Lint rules over a whole lab: :func:`lint` is the way in, one module a family of rules beside it.

A new rule is one function with the ``@rule`` decorator, in a family's module or in a new one (modules here are found
by themselves).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from homelab_mcp.model.finding import Finding


@dataclass(frozen=True)
class LintStack:
    """One stack to be linted.

    Args:
        name: the stack's (folder's) name; Compose's project name unless the file gives one.
        file: the compose file's path as shown to people.
        text: its text.
        env: variables it can use (its ``.env``).
        exists: says whether a path, as written in the file, is on disk; None where nobody can look.
    """

    name: str
    file: str
    text: str
    env: Mapping[str, str]
    exists: Callable[[str], bool] | None = None


def lint(
    stacks: Sequence[LintStack],
    *,
    report: Collection[str] | None = None,
    known_networks: Collection[str] | None = None,
) -> tuple[Finding, ...]:
    """What is wrong in a lab, sorted by file, line, column, rule.

    Args:
        stacks: all stacks of the lab: rules look across them.
        report: files whose findings are wanted; all by default.
        known_networks: networks that the engine has; None when nobody asked it.
    """
    from homelab_mcp.core.checks.frame import run

    return run(stacks, report=report, known_networks=known_networks)
