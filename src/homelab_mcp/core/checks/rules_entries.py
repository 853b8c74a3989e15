"""HL158 to HL163: entries of environment, secrets and configs, the project's name, services that are not run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_dependencies import dependencies
from homelab_mcp.core.checks.view import ServiceView, StackView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

SERVICES = "https://docs.docker.com/reference/compose-file/services/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"


def _items(service: ServiceView, field: str) -> Iterator[tuple[str, str, bool, Path]]:
    """(name, value, whether there is one, where) of the entries that are written as a list."""
    part = service.data.get(field)
    for n, item in enumerate(part if isinstance(part, list) else ()):
        if isinstance(item, str) and not is_open(item):
            name, equals, value = item.partition("=")
            yield str(name), str(value), bool(equals), (field, n)


@rule(
    "HL158",
    Severity.ERROR,
    "An environment entry without a proper name",
    why="The engine refuses a variable without a name, Compose one whose name ends in a blank ('KEY = value'); other "
    "blanks become part of a name that no program asks for. 'KEY: value' in a list sets nothing at all.",
    link=f"{SERVICES}#environment",
    bad=f"{HEAD}    environment: ['TZ = Etc/UTC']\n",
    good=f"{HEAD}    environment: ['TZ=Etc/UTC']\n",
)
def nameless_variable(ctx: LintContext) -> Iterable[Finding]:
    """An entry of ``environment`` whose name is empty or has blanks."""
    for service in ctx.services():
        for name, _, has_value, path in _items(service, "environment"):
            if name.isidentifier():
                continue
            if not name:
                yield ctx.on(service, path, "The variable has no name.")
            elif has_value and name != name.rstrip():
                yield ctx.on(service, path, f"Write {name.strip()}=value without blanks around '='.")
            elif not has_value and re.match(r"[A-Za-z_][A-Za-z0-9_]*\s*:\s", name):
                key = name.partition(":")[0].strip()
                message = f"In a list it is {key}=value; this sets nothing."
                yield ctx.on(service, path, message, severity=Severity.WARNING)
            elif re.search(r"\s", name):
                message = "The blank is part of the variable's name."
                yield ctx.on(service, path, message, severity=Severity.WARNING)
        part = service.data.get("environment")
        for key in part if isinstance(part, dict) else ():
            if isinstance(key, str) and not key.isidentifier() and re.search(r"\s", key):
                message = "The blank is part of the variable's name."
                yield ctx.on(service, ("environment", key), message, key=True, severity=Severity.WARNING)


@rule(
    "HL159",
    Severity.WARNING,
    "Quotes that become part of the value",
    why="In 'KEY=\"value\"' the quotes stand inside the YAML text: Compose keeps them, and the program gets them as "
    "part of the value. Quote the whole entry, or use a mapping.",
    link=f"{SERVICES}#environment",
    bad=f'{HEAD}    environment:\n      - TZ="Etc/UTC"\n',
    good=f'{HEAD}    environment:\n      - "TZ=Etc/UTC"\n',
)
def quoted_value(ctx: LintContext) -> Iterable[Finding]:
    """A list's entry of ``environment`` or ``labels`` whose value is in quotes."""
    for service in ctx.services():
        for field in ("environment", "labels"):
            part = service.data.get(field)
            entries = service.environment if field == "environment" else service.labels
            if not isinstance(part, list) or not any(e.value and e.value[-1] in "'\"" for e in entries.values()):
                continue
            for name, value, _, path in _items(service, field):
                if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" and value[0] not in value[1:-1]:
                    yield ctx.on(service, path, f"{name} gets the quotes as part of its value.")


def _grants(service: ServiceView) -> Iterator[tuple[str, dict[str, Any], Path]]:
    for field in ("secrets", "configs"):
        part = service.data.get(field)
        for n, item in enumerate(part if isinstance(part, list) else ()):
            if isinstance(item, dict):
                yield field, item, (field, n)


@rule(
    "HL160",
    Severity.ERROR,
    "A secret or config whose owner or mode cannot be",
    why="A mode is octal: 0440 or '0440'; 440 means something else. uid and gid are numbers. Compose refuses words; "
    "and for a secret that comes from a file it ignores all three, for the file is mounted as it is.",
    link=f"{SERVICES}#long-syntax-4",
    bad=f"{HEAD}    secrets: [{{source: key, mode: 440}}]\nsecrets:\n  key: {{environment: KEY}}\n",
    good=f"{HEAD}    secrets: [{{source: key, mode: 0440}}]\nsecrets:\n  key: {{environment: KEY}}\n",
    needs="secrets configs",
)
def bad_grant(ctx: LintContext) -> Iterable[Finding]:
    """The long form of ``secrets`` and ``configs`` without a source, or with an owner or mode that is none."""
    for service in ctx.services():
        for field, item, path in _grants(service):
            source = item.get("source")
            if not source:
                yield ctx.on(service, path, "'source' is missing: which one?")
            mode = item.get("mode")
            if isinstance(mode, str) and not is_open(mode) and not re.fullmatch("[0-7]{1,6}", mode):
                yield ctx.on(service, (*path, "mode"), "A mode is octal, such as 0440.")
            elif isinstance(mode, int) and mode in _DECIMALS:
                message = f"{mode} is read as a decimal number, mode {mode:o}; write 0{mode}."
                yield ctx.on(service, (*path, "mode"), message, severity=Severity.WARNING)
            body = service.stack.section(field).get(source) if isinstance(source, str) else None
            made = isinstance(body, dict) and ("environment" in body or "content" in body)
            for owner in ("uid", "gid"):
                value = item.get(owner)
                if isinstance(value, str) and value and not is_open(value) and not value.isdigit() and made:
                    yield ctx.on(service, (*path, owner), f"'{owner}' is a number.")
            if isinstance(body, dict) and body.get("file") and (extra := {"uid", "gid", "mode"} & item.keys()):
                message = f"'{min(extra)}' does nothing here: the file is mounted with its own owner and mode."
                yield ctx.on(service, (*path, min(extra)), message, key=True, severity=Severity.INFO)


# No usual mode is one of these when it is written in octal.
_DECIMALS = (400, 440, 444, 600, 640, 644, 660, 666, 700, 750, 755, 770, 775, 777)


@rule(
    "HL161",
    Severity.ERROR,
    "A project name that Compose cannot use",
    why="Compose makes a project's name lower case and drops what is no letter, digit, '-' or '_': where nothing is "
    "left it refuses the file, else its networks and volumes are called otherwise than the file says.",
    link="https://docs.docker.com/reference/compose-file/version-and-name/",
    bad=f"name: '__'\n{HEAD}",
    good=f"name: my-lab\n{HEAD}",
)
def bad_project(ctx: LintContext) -> Iterable[Finding]:
    """A top-level ``name`` of which nothing, or something else, is left, or that another stack of the lab has."""
    for stack in ctx.lab.stacks:
        name = stack.model.data.get("name") if stack.model else None
        if isinstance(name, str) and (name or is_open(name)):
            used = re.sub(r"[^a-z0-9_-]", "", name.lower()).lstrip("_-")
            if not used:
                why = "its variable has no value" if is_open(name) else "it needs a letter or digit"
                yield ctx.at(stack, ("name",), f"Nothing is left of the name: {why}.")
            elif used != name and not is_open(name):
                yield ctx.at(stack, ("name",), f"Compose calls it {used!r}.", severity=Severity.INFO)
    first: dict[str, StackView] = {}
    for stack in ctx.lab.stacks:
        other = first.setdefault(stack.project, stack)
        named = [s for s in (stack, other) if s.model and "name" in s.model.data]
        if other is not stack and stack.file != other.file and stack.services and other.services and named:
            one = other if named[0] is stack else stack
            message = f"{one.file} is the project {stack.project!r} too: each takes the other's containers for its own."
            yield ctx.at(named[0], ("name",), message, severity=Severity.WARNING)


def _count(service: ServiceView) -> Any:
    deploy = service.data.get("deploy")
    return service.data.get("scale", deploy.get("replicas") if isinstance(deploy, dict) else None)


@rule(
    "HL162",
    Severity.WARNING,
    "Depends on a service with no container",
    why="With scale or replicas 0 there is no container: Compose waits for nothing and starts the other without what "
    "it needs; one that borrows its network cannot start at all.",
    link="https://docs.docker.com/reference/compose-file/deploy/#replicas",
    bad=f"{HEAD}    depends_on: [db]\n  db:\n    image: redis:8.2\n    deploy: {{replicas: 0}}\n",
    good=f"{HEAD}    depends_on: [db]\n  db:\n    image: redis:8.2\n",
    needs="depends_on network_mode ipc pid",
)
def depends_on_none(ctx: LintContext) -> Iterable[Finding]:
    """``depends_on`` or a shared namespace of a service that is scaled to 0."""
    for service in ctx.services():
        zero = {s.name for s in service.stack.services if type(_count(s)) is int and _count(s) == 0} - {service.name}
        if not zero or _count(service) == 0:
            continue
        for name, (path, options) in dependencies(service).items():
            if name in zero and options.get("required") is not False:
                yield ctx.on(service, path, f"{name!r} has no container: it is scaled to 0.", key=True)
        for field in ("network_mode", "ipc", "pid"):
            value = service.data.get(field)
            if isinstance(value, str) and value.startswith("service:") and value[8:] in zero:
                message = f"{str(value)[8:]!r} has no container to share with: it is scaled to 0."
                yield ctx.on(service, (field,), message, severity=Severity.ERROR)


@rule(
    "HL163",
    Severity.INFO,
    "Links are a leftover",
    why="Services of one network find each other by name without 'links'; across networks a link does not make a way.",
    link=f"{SERVICES}#links",
    bad=f"{HEAD}    links: [db]\n  db:\n    image: redis:8.2\n",
    good=f"{HEAD}    depends_on: [db]\n  db:\n    image: redis:8.2\n",
    needs="links",
)
def links(ctx: LintContext) -> Iterable[Finding]:
    """``links``; a warning where the two services share no network."""
    for service in ctx.having("links"):
        part = service.data.get("links")
        for n, item in enumerate(part if isinstance(part, list) else ()):
            other = service.stack.service(str(item).partition(":")[0])
            if not isinstance(item, str) or is_open(item) or other is None or service.network_mode == "host":
                continue
            if other.network_mode or service.network_mode or service.real_networks & other.real_networks:
                yield ctx.on(service, ("links", n), "On one network the service's name is enough (or an alias).")
            else:
                message = f"{other.name!r} is on none of this service's networks: the link leads nowhere."
                yield ctx.on(service, ("links", n), message, severity=Severity.WARNING)
