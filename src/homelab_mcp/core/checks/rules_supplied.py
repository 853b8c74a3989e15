"""HL320 to HL326 (but HL324): what a stack is given from outside its file, and nobody gives or nobody reads."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Any

from homelab_mcp.core import env_file
from homelab_mcp.core.checks import env_texts
from homelab_mcp.core.checks.asleep import sleeps
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_operations import BY_SWARM
from homelab_mcp.core.checks.view import ServiceView, StackView
from homelab_mcp.core.compose_model import is_external, is_open
from homelab_mcp.core.yaml12 import Mark
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.finding import Finding, Severity

DOCS = "https://docs.docker.com/reference/compose-file/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"


@rule(
    "HL320",
    Severity.ERROR,
    "An env file that Compose cannot read",
    why="One line that is no assignment, or a quote that is never closed, and Compose refuses the whole stack; no "
    "value of the file counts.",
    link="https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax",
    bad=f"{HEAD}    env_file: web.env # which holds the line 'MY KEY=1'\n",
    good=f"{HEAD}    env_file: web.env # which holds the line 'MY_KEY=1'\n",
)
def unreadable_env_file(ctx: LintContext) -> Iterable[Finding]:
    """A line of ``.env`` or of an ``env_file`` that Compose refuses."""
    seen: set[str] = set()
    for stack in ctx.lab.stacks:
        if stack.read is None:
            continue
        raw = {p for s in stack.services for p in _raw_files(s)}
        # The file of a service in a profile is read only when that is switched on.
        sure = {env_texts.beside(stack, ".env")}
        sure.update(p for s in stack.services if not s.profiles for p in env_texts.files_of(s))
        for path in env_texts.paths(stack):
            if path in seen or path in raw:
                continue
            seen.add(path)
            trouble = None if env_texts.read(ctx.lab, stack, path) else _trouble(stack, path)
            if trouble:
                line, why = trouble
                severity = Severity.ERROR if path in sure else Severity.WARNING
                yield Finding("HL320", severity, f"Compose cannot read this line: {why}", path, line, 1)


def _raw_files(service: ServiceView) -> Iterator[str]:
    """Files of ``format: raw``, of which Compose takes every line as it is."""
    part = service.data.get("env_file")
    for item in part if isinstance(part, list) else ():
        if isinstance(item, dict) and item.get("format") and isinstance(item.get("path"), str):
            yield env_texts.beside(service.stack, item["path"])


def _trouble(stack: StackView, path: str) -> tuple[int, str] | None:
    """The line that Compose refuses and why, without a word of what it says; None for a file that is right."""
    try:
        text = stack.read(path) if stack.read else None
    except HomelabError:
        return None
    if text is None or len(text) > env_texts.MOST:
        return None
    try:
        env_file.entries(text)
    except InvalidInput as error:
        return int(error.details["line"]), error.message.partition(": ")[2]
    return None


@rule(
    "HL321",
    Severity.ERROR,
    "A secret or config that only Swarm has",
    why="External secrets and configs lie in a Swarm's own store, which `docker compose up` does not ask: it ends with "
    "'unsupported external secret'. A stack that Swarm runs says so (x-homelab: {engine: swarm}).",
    link=f"{DOCS}secrets/",
    bad=f"{HEAD}    secrets: [key]\nsecrets:\n  key: {{external: true}}\n",
    good=f"{HEAD}    secrets: [key]\nsecrets:\n  key: {{file: ./key.txt}}\n",
    needs="secrets configs",
)
def swarms_only(ctx: LintContext) -> Iterable[Finding]:
    """An external secret or config that a service of a Compose stack uses; a warning where all such are in profiles."""
    for stack, section, name, body in _used(ctx):
        if is_external(body) and stack.engine != "swarm":
            message = f"Compose takes no external {section}: the {section[:-1]} {name!r} needs a file."
            users = [s for s in stack.services if name in _names(s.data.get(section))]
            # Compose asks for what is in a profile only when that is switched on.
            severity = Severity.WARNING if all(map(sleeps, users)) or _for_swarm(stack) else None
            yield ctx.at(stack, (section, name, "external"), message, severity=severity)


_MODES = ("global", "global-job", "replicated-job")
"""Modes of ``deploy`` beside the usual one, which only Swarm has."""


def _for_swarm(stack: StackView) -> bool:
    """True where a service has an overlay network, or keys of ``deploy`` that nobody writes but for Swarm.

    One of the others alone is also what people write who take ``deploy`` for Compose's.
    """
    bodies = stack.section("networks")
    overlays = {n for n, body in bodies.items() if isinstance(body, dict) and body.get("driver") == "overlay"}
    for service in stack.services:
        deploy = service.data.get("deploy")
        keys = deploy.keys() & (BY_SWARM | {"labels"}) if isinstance(deploy, dict) else set()
        told = "placement" in keys or (isinstance(deploy, dict) and deploy.get("mode") in _MODES)
        if told or len(keys - {"mode"}) > 1 or not overlays.isdisjoint(service.networks):
            return True
    return False


@rule(
    "HL322",
    Severity.WARNING,
    "A secret or config from a variable that is not set",
    why="`docker compose up` makes the secret of the variable and ends where that is not set. `config` never looks.",
    link=f"{DOCS}secrets/",
    bad=f"{HEAD}    secrets: [key]\nsecrets:\n  key: {{environment: WEB_KEY}}\n",
    good=f"{HEAD}    secrets: [key]\nsecrets:\n  key: {{file: ./key.txt}}\n",
    needs="secrets configs",
)
def unset_source(ctx: LintContext) -> Iterable[Finding]:
    """``environment: NAME`` of a secret or config in use, and no ``NAME`` in ``.env``."""
    for stack, section, name, body in _used(ctx):
        variable = body.get("environment")
        if isinstance(variable, str) and variable and not is_open(variable) and variable not in stack.env:
            yield ctx.at(stack, (section, name, "environment"), f"{variable} has no value in .env.")


def _used(ctx: LintContext) -> Iterator[tuple[StackView, str, str, dict[str, Any]]]:
    """(stack, section, name, body) of secrets and configs that a service mounts, whatever its profile."""
    for stack in ctx.lab.stacks:
        for section in ("secrets", "configs"):
            bodies = stack.section(section)
            named = {n for s in stack.services for n in _names(s.data.get(section))} if bodies else set()
            for name, body in bodies.items():
                if name in named and isinstance(body, dict):
                    yield stack, section, name, body


def _names(part: Any) -> Iterator[str]:
    for item in part if isinstance(part, list) else ():
        yield str(item.get("source") if isinstance(item, dict) else item)


@rule(
    "HL323",
    Severity.WARNING,
    "A whole command line as one word",
    why="In a list each item is one word: a line in one item is the name of a program that nobody has, and the "
    "container does not start. Write it as a text, which Compose splits, or one word an item.",
    link=f"{DOCS}services/#command",
    bad="services:\n  web:\n    image: python:3.13\n    command: ['python -m http.server']\n",
    good="services:\n  web:\n    image: python:3.13\n    command: [python, -m, http.server]\n",
    needs="command entrypoint",
)
def line_as_word(ctx: LintContext) -> Iterable[Finding]:
    """``entrypoint`` or ``command`` whose list begins with a well-known program's name and its words in one item."""
    for service in ctx.services():
        for field in ("entrypoint", "command"):
            value = service.data.get(field)
            # With an entry point of its own the command is what that takes: a line, for 'sh -c'.
            if not isinstance(value, list) or not value or (field == "command" and service.data.get("entrypoint")):
                continue
            first = value[0]
            if not isinstance(first, str) or is_open(first) or not (found := _LINE.match(first)):
                continue
            program = posixpath.basename(found[1])
            if field == "entrypoint" or (len(value) == 1 and program in _PROGRAMS):
                severity = Severity.ERROR if field == "entrypoint" else None
                message = f"This is one word, the name of a program; {program!r} and its words are items of their own."
                yield ctx.on(service, (field, 0), message, severity=severity)


_LINE = re.compile(r"\s*((?:/[\w.-]+)*/?[a-z][\w.-]*)\s+\S")
_PROGRAMS = frozenset(
    {"bash", "sh", "ash", "python", "python3", "node", "npm", "npx", "yarn", "pnpm", "php", "java", "ruby"}
    | {
        "perl",
        "uvicorn",
        "gunicorn",
        "celery",
        "flask",
        "dotnet",
        "bundle",
        "sleep",
        "tail",
        "redis-server",
        "nginx",
        "mysqld",
        "mongod",
    }
)
"""Programs that an image is told to run. Of other words an image's own entry point may know what to do with a line."""


_ORDER = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
"""The names that Compose looks for, the first that is there wins (compose-go, cli.DefaultFileNames)."""


@rule(
    "HL325",
    Severity.WARNING,
    "Two compose files in one folder",
    why="Compose takes the first of compose.yaml, compose.yml, docker-compose.yml and docker-compose.yaml that is "
    "there, and leaves the others unread: what is changed in those never happens.",
    link="https://docs.docker.com/compose/intro/compose-application-model/#the-compose-file",
    bad=f"{HEAD}# and a docker-compose.yml beside this compose.yaml\n",
    good=f"{HEAD}# and a compose.override.yaml beside this compose.yaml\n",
)
def two_files(ctx: LintContext) -> Iterable[Finding]:
    """A further file that Compose looks for, beside the one that it takes, where no ``COMPOSE_FILE`` says which."""
    for stack in ctx.lab.stacks:
        folder, own = posixpath.split(stack.file)
        if stack.names is None or own not in _ORDER or "COMPOSE_FILE" in stack.env:
            continue
        there = stack.names(folder or ".") or ()
        taken = {posixpath.basename(f.file) for f in stack.files}
        for other in _ORDER[_ORDER.index(own) + 1 :]:
            if other in there and other not in taken:
                yield ctx.at_mark(stack, Mark(1, 1), f"Compose reads this file and not {other!r} beside it.")


@rule(
    "HL326",
    Severity.WARNING,
    "A command of the shell where no shell works it out",
    why="Compose puts variables in and runs nothing: '$(hostname)' reaches the program as these very characters. Work "
    "it out before, and put the answer into .env.",
    link=f"{DOCS}interpolation/",
    bad=f"{HEAD}    user: $(id -u)\n",
    good=f"{HEAD}    user: '${{PUID:-1000}}'\n",
)
def nobody_runs_it(ctx: LintContext) -> Iterable[Finding]:
    """A whole value that is ``$(...)`` or in backticks, in ``environment``, ``user``, ``volumes`` and the like."""
    for service in ctx.services():
        for entry in service.environment.values():
            if entry.value and entry.value[-1] in ")`" and _SHELL.fullmatch(entry.value):
                written = service.stack.node(service.path(*entry.path))
                if written is not None and "$$(" in str(written.value):
                    continue
                yield ctx.on(service, entry.path, f"{entry.key}: Compose does not run this command.")
        for field in ("user", "image", "hostname", "container_name"):
            text = service.data.get(field)
            if isinstance(text, str) and "$(" in text:
                yield ctx.on(service, (field,), "Compose does not run the command in '$(...)'.")
        part = service.data.get("volumes")
        for n, item in enumerate(part if isinstance(part, list) else ()):
            if isinstance(item, str) and item.startswith(("$(", "`")):
                yield ctx.on(service, ("volumes", n), "Compose does not run this command; './' is the stack's folder.")


_SHELL = re.compile(r"\$\([a-z/][^()]*\)|`[a-z/][^`]*`")
