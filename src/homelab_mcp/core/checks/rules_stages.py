"""HL324: a stage to build that the Dockerfile has not."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Any

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_starts import folder_of_build
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.finding import Finding, Severity

MOST = 100_000
"""Characters of a Dockerfile that are looked at."""


@rule(
    "HL324",
    Severity.ERROR,
    "A build stage that the Dockerfile has not",
    why="The build ends at once: 'target stage could not be found'.",
    link="https://docs.docker.com/reference/compose-file/build/#target",
    bad="services:\n  web:\n    build:\n      target: prod\n      dockerfile_inline: FROM nginx:1.29 AS production\n",
    good="services:\n  web:\n    build:\n      target: prod\n      dockerfile_inline: FROM nginx:1.29 AS prod\n",
    needs="build",
)
def no_such_stage(ctx: LintContext) -> Iterable[Finding]:
    """``build.target`` that no ``FROM ... AS`` of the Dockerfile names; silent where that cannot be read."""
    for service in ctx.having("build"):
        build = service.data["build"]
        target = build.get("target") if isinstance(build, dict) else None
        if not isinstance(target, str) or not target or is_open(target):
            continue
        text = _dockerfile(service, build)
        joined = _joined(text) if text is not None else None
        if joined is None:
            continue
        stages = [found[1].lower() for found in _STAGE.finditer(joined)]
        # A stage is known by its number as well; one named by an argument may be called anything.
        if target.lower() in stages or target.isdigit() or any("$" in s for s in stages):
            continue
        listed = ", ".join(stages[:5]) or "none with a name"
        yield ctx.on(service, ("build", "target"), f"The Dockerfile has no stage {target!r} (it has {listed}).")


_STAGE = re.compile(r"(?im)^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*\S+[ \t]+AS[ \t]+(\S+)")
_DIRECTIVE = re.compile(r"#[ \t]*([A-Za-z][A-Za-z0-9]*)[ \t]*=[ \t]*(\S.*?)\s*")
_FRONTEND = re.compile(r"(?:docker\.io/)?docker/dockerfile(?:-upstream)?(?:[:@].*)?")


def _joined(text: str) -> str | None:
    """The Dockerfile without comments, each instruction on one line; None where nobody can say what it comes to.

    After BuildKit's parser: directives are the comments at the very top, and lines go on after a backslash or after
    what ``escape`` says.
    """
    text = text.removeprefix("\ufeff")
    told: dict[str, str] = {}
    for line in text.splitlines():
        found = _DIRECTIVE.fullmatch(line)
        if found is None:
            break
        told[found[1].lower()] = found[2]
    if not _FRONTEND.fullmatch(told.get("syntax", "docker/dockerfile")):
        return None
    bare = re.sub(r"(?m)^[ \t]*#.*\n?", "", text)
    escape = re.escape(told.get("escape", "\\"))
    if re.search(rf"(?m){escape}{escape}[ \t]*\r?$", bare):
        return None  # Earlier parsers go on after a doubled one, later ones do not.
    return re.sub(escape + r"[ \t]*\r?\n(?:[ \t]*\r?\n)*", " ", bare)


def _dockerfile(service: ServiceView, build: dict[str, Any]) -> str | None:
    inline = build.get("dockerfile_inline")
    if inline is not None:
        return inline if isinstance(inline, str) and not is_open(inline) else None
    stack, context, given = service.stack, build.get("context") or ".", build.get("dockerfile") or "Dockerfile"
    if stack.read is None or not folder_of_build(context) or not isinstance(given, str) or is_open(given):
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(stack.file), context, given))
    try:
        text = stack.read(path)
    except HomelabError:
        return None
    return text if text is not None and len(text) <= MOST else None
