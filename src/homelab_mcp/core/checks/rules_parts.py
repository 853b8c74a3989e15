"""HL008 and HL108: stacks of more than one file."""

from __future__ import annotations

from collections.abc import Iterable

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.model.finding import Finding, Severity

DOCS = "https://docs.docker.com/reference/compose-file/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"


@rule(
    "HL008",
    Severity.ERROR,
    "Parts that Compose cannot merge",
    why="Compose refuses a mapping where another file has a list or a single value, and a service, network or volume "
    "that an included file has too.",
    link=f"{DOCS}merge/",
    bad=f"{HEAD}    cap_add: [CHOWN]\n---\nservices:\n  web:\n    cap_add: {{CHOWN: true}}\n",
    good=f"{HEAD}    cap_add: [CHOWN]\n---\nservices:\n  web:\n    cap_add: [KILL]\n",
)
def unmergeable(ctx: LintContext) -> Iterable[Finding]:
    """Values of two files that do not fit together, or one thing defined twice by way of ``include``."""
    for stack in ctx.lab.stacks:
        yield from ctx.troubles(stack, "conflict")


@rule(
    "HL108",
    Severity.INFO,
    "A file that was not looked at",
    why="What it brings is unknown here, so nothing that could be in it is called missing.",
    link=f"{DOCS}include/",
    bad=f"include: [more.yaml]\n{HEAD}",
    good=HEAD,
)
def unseen(ctx: LintContext) -> Iterable[Finding]:
    """An included or extended file that may not be read here, or is on another machine."""
    for stack in ctx.lab.stacks:
        yield from ctx.troubles(stack, "unseen")
