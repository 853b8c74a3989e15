"""HL008, HL108 and HL219: stacks of more than one file."""

from __future__ import annotations

from collections.abc import Iterable

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_security import is_of_lab, of_file
from homelab_mcp.core.compose_model import is_open
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


@rule(
    "HL219",
    Severity.INFO,
    "A file of another stack",
    why="include and extends of a file inside the lab work, but the two stacks hang together: a change of the one is a "
    "change of the other, and neither can be moved alone. A plan that a model asks for may not bring one in.",
    link=f"{DOCS}include/",
    bad=f"include: [../other/compose.yaml]\n{HEAD}",
    good=HEAD,
)
def of_another_stack(ctx: LintContext) -> Iterable[Finding]:
    """``include`` or ``extends`` of a file of the lab outside the stack's own folder."""
    for file in ctx.lab.files:
        for named, path, compose in of_file(file.model) if file.model else ():
            if compose and isinstance(named, str) and not is_open(named) and is_of_lab(file.file, named):
                yield ctx.at(file, path, f"{str(named)!r} is another stack's.")
