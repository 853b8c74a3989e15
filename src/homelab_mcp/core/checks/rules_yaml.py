"""HL001 to HL009: is it YAML, and does it mean what it seems to?"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

from yaml.nodes import ScalarNode

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.view import FileView, StackView
from homelab_mcp.core.compose_model import raw_text
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.core.yaml_words import handed_on
from homelab_mcp.model.finding import Finding, Severity

YAML = "https://yaml.org/spec/1.2.2/"
_LIMIT_REASONS = frozenset({"too_large", "too_deep", "alias_expansion", "recursive_alias"})


def _refused(ctx: LintContext, *, limits: bool) -> Iterator[Finding]:
    for stack in ctx.lab.files:
        error = stack.refused
        if error and (error.reason in _LIMIT_REASONS) == limits:
            hint = f" {error.hint}" if error.hint else ""
            yield ctx.at_mark(stack, error.mark, f"{error.sentence[0].upper()}{error.sentence[1:]}{hint}")


@rule(
    "HL001",
    Severity.ERROR,
    "Not YAML",
    why="Compose cannot read the file at all.",
    link=YAML,
    bad="services:\n\tweb:\n",
    good="services:\n  web:\n    image: nginx:1.29\n",
)
def syntax(ctx: LintContext) -> Iterable[Finding]:
    """The text is no YAML, or has several documents."""
    return _refused(ctx, limits=False)


@rule(
    "HL002",
    Severity.ERROR,
    "A key twice",
    why="Compose refuses the file; other readers silently keep the last of the two.",
    link=f"{YAML}#3213-node-comparison",
    bad="services:\n  web:\n    image: nginx:1.28\n    image: nginx:1.29\n",
    good="services:\n  web:\n    image: nginx:1.29\n",
)
def duplicate_key(ctx: LintContext) -> Iterable[Finding]:
    """A mapping has a key twice."""
    for stack in ctx.lab.files:
        for twice in stack.model.document.duplicates if stack.model else ():
            yield ctx.at_mark(
                stack, twice.second, f"The key {twice.key!r} is already defined at line {twice.first.line}."
            )


@rule(
    "HL003",
    Severity.ERROR,
    "YAML that nobody should expand",
    why="Aliases inside aliases grow to gigabytes in a few hundred bytes, and Compose expands them before it looks.",
    link="https://en.wikipedia.org/wiki/Billion_laughs_attack",
    bad="a: &a [*a]\n",
    good="x-a: &a [1]\nservices:\n  web:\n    image: nginx:1.29\n    expose: *a\n",
)
def limits(ctx: LintContext) -> Iterable[Finding]:
    """Too large, too deep, or aliases without measure."""
    return _refused(ctx, limits=True)


@rule(
    "HL004",
    Severity.ERROR,
    "A date without quotes",
    why="Compose reads an unquoted date as a time and then refuses the file.",
    link=f"{YAML}#1032-tag-resolution",
    bad="services:\n  web:\n    image: nginx:1.29\n    environment:\n      SINCE: 2024-01-01\n",
    good="services:\n  web:\n    image: nginx:1.29\n    environment:\n      SINCE: '2024-01-01'\n",
)
def unquoted_date(ctx: LintContext) -> Iterable[Finding]:
    """A plain scalar that go-yaml reads as a timestamp; as a key everywhere, in fields that begin with x- too."""
    for stack in ctx.lab.files:
        if not stack.model or not _END_OF_DATE.search(stack.text):
            continue
        for path, value in _scalars(stack.model.raw, ()):
            if isinstance(value, str) and _DATE.fullmatch(value) and stack.model.document.is_plain(path):
                yield ctx.at(stack, path, f"{value} is read as a date, which Compose refuses here; quote it.")
        for path in _keys(stack.model.raw, ()):
            key = str(path[-1])
            found = stack.model.document.find(path) if _DATE.fullmatch(key) else None
            if found and isinstance(found[0], ScalarNode) and not found[0].style:
                yield ctx.at(stack, path, f"The key {key} is read as a date, and no text; quote it.", key=True)


_FREE_KEYS = frozenset({"environment", "labels", "args", "annotations", "options", "driver_opts", "extra_hosts"})
"""Mappings in which a key that begins with ``x-`` is no extension."""
_END_OF_DATE = re.compile(r"-[0-9]{2}-[0-9]{2}")  # looked for in the whole text: fast, as it begins with one character
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[Tt ][0-9:.]+(?:Z|[-+][0-9:]+)?)?")
_OLD_BOOL = frozenset({"no", "No", "NO", "off", "Off", "OFF", "yes", "Yes", "YES", "on", "On", "ON"})


@rule(
    "HL005",
    Severity.WARNING,
    "restart: no without quotes",
    why="Compose takes it, but YAML 1.1 tools (PyYAML, older editors) turn it into false and write that back, which "
    "Compose refuses.",
    link="https://docs.docker.com/reference/compose-file/services/#restart",
    bad="services:\n  web:\n    image: nginx:1.29\n    restart: no\n",
    good='services:\n  web:\n    image: nginx:1.29\n    restart: "no"\n',
)
def old_boolean(ctx: LintContext) -> Iterable[Finding]:
    """A word that is a boolean to YAML 1.1, in a place for words."""
    for service in ctx.services():
        if service.restart in _OLD_BOOL and _plain(service.stack, service.path("restart")):
            yield ctx.on(service, ("restart",), f"Quote {service.restart!r}: YAML 1.1 tools read it as a boolean.")


@rule(
    "HL006",
    Severity.WARNING,
    "A port that YAML 1.1 reads as a base-60 number",
    why="Unquoted 22:22 is the number 1342 to YAML 1.1 tools, which then write that back.",
    link="https://docs.docker.com/reference/compose-file/services/#short-syntax-3",
    bad="services:\n  web:\n    image: nginx:1.29\n    ports:\n      - 22:22\n",
    good='services:\n  web:\n    image: nginx:1.29\n    ports:\n      - "22:22"\n',
    needs="ports",
)
def sexagesimal(ctx: LintContext) -> Iterable[Finding]:
    """An unquoted HOST:CONTAINER whose container part is below 60."""
    for service in ctx.having("ports"):
        ports = service.data.get("ports")
        for n, item in enumerate(ports if isinstance(ports, list) else ()):
            path = service.path("ports", n)
            if isinstance(item, str) and _SEXAGESIMAL.fullmatch(raw_text(item)) and _plain(service.stack, path):
                yield ctx.at(service.stack, path, f"Quote {item!r}: YAML 1.1 tools read it as a base-60 number.")


_SEXAGESIMAL = re.compile(r"[1-9][0-9]*(?::[0-5]?[0-9])+")


@rule(
    "HL007",
    Severity.WARNING,
    "A value that arrives as another text",
    why="Compose reads a value without quotes as YAML does and hands on what that means: 022 is octal and arrives as "
    "18, 1.10 as 1.1, 1_000 as 1000.",
    link=f"{YAML}#1032-tag-resolution",
    bad="services:\n  web:\n    image: nginx:1.29\n    environment:\n      UMASK: 022\n",
    good="services:\n  web:\n    image: nginx:1.29\n    environment:\n      UMASK: '022'\n",
)
def other_text(ctx: LintContext) -> Iterable[Finding]:
    """Unquoted numbers and switches in environment, labels, annotations and build arguments that change on the way."""
    for file in ctx.lab.files:
        for path, value in _handed_on(file):
            node = file.model.node(path) if file.model and isinstance(value, int | float) else None
            if not isinstance(node, ScalarNode) or node.style or _is_too_big(node.value, value):
                continue
            told = handed_on(value)
            if told != node.value:
                severity = Severity.INFO if isinstance(value, bool) else None
                message = f"{node.value} arrives as {told!r}; quote it if it is meant as written."
                yield ctx.at(file, path, message, severity=severity)


@rule(
    "HL222",
    Severity.WARNING,
    "A value that is a comment",
    why="A '#' behind a blank begins a comment: the value is empty, and what follows reaches nobody.",
    link=f"{YAML}#66-comments",
    bad="services:\n  web:\n    image: nginx:1.29\n    environment:\n      COLOR: #ff8800\n",
    good="services:\n  web:\n    image: nginx:1.29\n    environment:\n      COLOR: '#ff8800'\n",
)
def value_in_comment(ctx: LintContext) -> Iterable[Finding]:
    """An environment variable, label or build argument without a value before a comment without a blank."""
    for file in ctx.lab.files:
        empty = [path for path, value in _handed_on(file) if value is None] if "#" in file.text else []
        lines = _LINE_END.split(file.model.document.text) if file.model and empty else []
        for path in empty:
            finding = ctx.at(file, path, "Everything after '#' is a comment; quote the value.", key=True)
            if _ALL_COMMENT.match(lines[finding.line - 1][finding.column - 1 :]):
                yield finding


_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""Where libyaml, whose places these are, begins another line."""
_ALL_COMMENT = re.compile(
    r"(?:\"[^\"]*\"|'[^']*'|[^\s#'\"{][^\s#]*?)[ \t]*:[ \t]+#(?!\s*homelab:)[^\s#]",
)


def _handed_on(file: FileView) -> Iterator[tuple[Path, Any]]:
    """What is in the mappings whose values a container gets as text."""
    raw = file.model.raw if file.model and file.judged else None
    services = raw.get("services") if isinstance(raw, dict) else None
    for name, body in services.items() if isinstance(services, dict) else ():
        for inside in _HANDED_ON:
            part = body
            for step in inside:
                part = part.get(step) if type(part) is dict else None
            for key, value in part.items() if type(part) is dict else ():
                yield ("services", name, *inside, key), value


_HANDED_ON = (
    *(("environment",), ("labels",), ("annotations",)),
    *(("build", "args"), ("build", "labels"), ("deploy", "labels")),
)


def _is_too_big(written: str, value: float) -> bool:
    """True for a number beyond Go's float64, which stays a text."""
    try:
        return math.isinf(value) and written.lstrip("+-")[:1] != "."
    except OverflowError:
        return True


def _plain(stack: StackView, path: Path) -> bool:
    return stack.is_plain(path)


def _keys(value: Any, path: Path) -> Iterator[Path]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in pairs:
        if isinstance(value, dict):
            yield (*path, step)
        yield from _keys(item, (*path, step))


def _scalars(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if not str(key).startswith("x-") or (path and path[-1] in _FREE_KEYS):
                yield from _scalars(item, (*path, key))
    elif isinstance(value, list):
        for n, item in enumerate(value):
            yield from _scalars(item, (*path, n))
    else:
        yield path, value
