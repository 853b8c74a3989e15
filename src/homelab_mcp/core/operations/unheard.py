"""A route or a health check that nothing would answer: refused while the request can still be put right."""

from __future__ import annotations

from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.core.checks.frame import all_rules
from homelab_mcp.core.env_file import parse_or_empty
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.finding import Severity
from homelab_mcp.model.lab import LintSettings
from homelab_mcp.model.observed import StackFiles

RULES = ("HL061", "HL242")
"""What judges the port of a route, and where and by which program a health check asks."""


def refuse_unheard(before: StackFiles | None, after: StackFiles, service: str, said: LintSettings) -> None:
    """Nothing, unless a change has a service's route or health check ask where or how its image gives no answer.

    The linter would refuse the plan for it too, but as a fault of the file; here it is one of the request. ``said`` is
    how the lab sets the rules: who lets them be is not held up.

    Raises:
        InvalidInput: it does (``unheard``), and did not before.
    """
    new = _errors(after, service, said) - (_errors(before, service, said) if before is not None else set())
    if new:
        raise InvalidInput(
            f"{service} would not answer: {' '.join(sorted(new))}",
            code="unheard",
            hint="Give the port in the container that its program listens on, and a health check that asks the same by "
            "a program that the image has.",
        )


def _errors(stack: StackFiles, service: str, said: LintSettings) -> set[str]:
    others = tuple(r.id for r in all_rules() if r.id not in RULES)
    settings = said.model_copy(update={"ignore": (*said.ignore, *others)})
    env = parse_or_empty(stack.env_text)
    seen = LintStack(stack.name, stack.compose_path, stack.compose_text, env, others=stack.others)
    found = lint([seen], settings=settings)
    return {f.message for f in found if f.service == service and f.severity is Severity.ERROR}
