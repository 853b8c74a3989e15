"""HL050 to HL059: variables, environment and secrets in it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeGuard

from yaml.nodes import ScalarNode

from homelab_mcp.core.checks import env_texts
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import is_database
from homelab_mcp.core.checks.open_values import left_empty
from homelab_mcp.core.checks.ports_syntax import PublishedInvalid, parse_port
from homelab_mcp.core.checks.view import FileView, StackView
from homelab_mcp.core.compose_model import BadInterpolation, MissingVariable, Text, is_open
from homelab_mcp.core.yaml12 import Mark
from homelab_mcp.model.finding import Finding, Severity

VARIABLES = "https://docs.docker.com/reference/compose-file/interpolation/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"

_FROM_SHELL = frozenset({"HOME", "PWD", "USER", "HOSTNAME", "PATH", "COMPOSE_PROJECT_NAME"})


@rule(
    "HL050",
    Severity.WARNING,
    "A variable without a value",
    why="Compose puts in nothing and goes on; what comes out is seldom what was meant.",
    link=VARIABLES,
    bad=f"{HEAD}    environment:\n      TZ: ${{TIMEZONE}}\n",
    good=f"{HEAD}    environment:\n      TZ: ${{TIMEZONE:-Etc/UTC}}\n",
)
def missing_variable(ctx: LintContext) -> Iterable[Finding]:
    """A variable that is not in ``.env`` and has no default; told once a file.

    An error for a secret that ``.env`` has under nearly that name: the password is then empty.
    """
    for stack, file in ((s, f) for s in ctx.lab.stacks for f in s.files):
        places: dict[str, list[MissingVariable]] = {}
        for missing in file.model.missing if file.model else ():
            if not missing.required and missing.name not in _FROM_SHELL:
                places.setdefault(missing.name, []).append(missing)
        for name, used in places.items():
            more = f" ({len(used)} places)" if len(used) > 1 else ""
            near = difflib.get_close_matches(name, stack.env, n=1, cutoff=0.8) if stack.env else []
            tail = f" Did you mean {near[0]}?" if near else ""
            sure = (near and SECRET.search(name) and SECRET.search(near[0])) or _locks_out(stack, used)
            message = f"{name} has no value in .env and no default{more}.{tail}"
            yield ctx.at(file, used[0].path, message, severity=Severity.ERROR if sure else None)
    for stack in ctx.lab.stacks:
        for path, mark, name in env_texts.lost_dollars(ctx.lab, stack):
            message = f"{name}: its '$' begins a variable that nobody sets; put the whole value in '...'."
            yield Finding("HL050", Severity.WARNING, message, path, mark.line, mark.column)


def _locks_out(stack: StackView, used: list[MissingVariable]) -> bool:
    """True for the password of a database, where there is an ``.env`` that lacks it: the image refuses an empty one."""
    for missing in used if stack.env else ():
        service = stack.service(str(missing.path[1])) if len(missing.path) > 2 else None
        for entry in service.environment.values() if service and is_database(service) else ():
            alone = entry.raw.strip("\"' ") in {f"${{{missing.name}}}", f"${missing.name}"}
            if alone and entry.key in _PASSWORDS and service and service.path(*entry.path) == missing.path:
                return True
    return False


_PASSWORDS = frozenset({"POSTGRES_PASSWORD", "MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD"})


@rule(
    "HL051",
    Severity.ERROR,
    "A required variable without a value",
    why="The file says ${NAME:?...}: Compose refuses to go on without it.",
    link=VARIABLES,
    bad=f"{HEAD}    environment:\n      KEY: ${{KEY:?set it}}\n",
    good=f"{HEAD}    environment:\n      KEY: ${{KEY:-none}}\n",
)
def required_variable(ctx: LintContext) -> Iterable[Finding]:
    """A ``:?`` or ``?`` variable that is not in ``.env``."""
    for stack in ctx.lab.files:
        for missing in stack.model.missing if stack.model else ():
            if missing.required and missing.name not in _FROM_SHELL:
                yield ctx.at(stack, missing.path, f"{missing.name} is required and has no value in .env.")


@rule(
    "HL052",
    Severity.ERROR,
    "A dollar sign that begins no variable",
    why="Compose refuses the file; a '$' that is meant as such is written '$$'.",
    link=VARIABLES,
    bad=f"{HEAD}    environment:\n      PRICE: '${{5}}'\n",
    good=f"{HEAD}    environment:\n      PRICE: '$${{5}}'\n",
)
def bad_dollar(ctx: LintContext) -> Iterable[Finding]:
    """An interpolation that Compose cannot read."""
    for stack in ctx.lab.files:
        for bad in stack.model.bad if stack.model else ():
            message = f"{bad.message} Double a '$' that is meant as such."
            finding = ctx.at(stack, bad.path, message)
            mark = _dollar(stack, bad)
            yield replace(finding, line=mark.line, column=mark.column) if mark else finding


def _dollar(file: FileView, bad: BadInterpolation) -> Mark | None:
    """Where the ``$`` stands in a value of several lines; None for one of a single line."""
    node = file.model.node(bad.path) if file.model else None
    if not isinstance(node, ScalarNode) or node.end_mark.line <= node.start_mark.line:
        return None
    before = node.value.count("$", 0, bad.index)
    lines = file.model.document.text.split("\n") if file.model else []
    for n in range(node.start_mark.line, min(node.end_mark.line + 1, len(lines))):
        start = node.start_mark.column if n == node.start_mark.line else 0
        here = [i for i in range(start, len(lines[n])) if lines[n][i] == "$"]
        if before < len(here):
            return Mark(n + 1, here[before] + 1)
        before -= len(here)
    return None


@rule(
    "HL053",
    Severity.ERROR,
    "A missing variable that breaks the file",
    why="With nothing in its place Compose reads an empty part (':/data', no image, no number) and refuses the whole "
    "file.",
    link=VARIABLES,
    bad=f"{HEAD}    volumes: ['${{DATA}}:/data']\n",
    good=f"{HEAD}    volumes: ['${{DATA:-./data}}:/data']\n",
)
def breaking_variable(ctx: LintContext) -> Iterable[Finding]:
    """A volume without source, a port, an image, a number or a switch that is nothing but a missing variable."""
    if not any(stack.model and stack.model.missing for stack in ctx.lab.files):
        return
    for service in ctx.services():
        for path in left_empty(service):
            yield ctx.on(service, path, "A variable in it has no value, and Compose refuses what is left.")
        volumes = service.data.get("volumes")
        for n, item in enumerate(volumes if isinstance(volumes, list) else ()):
            if _lacks(item) and item not in {":", "::"} and (not item or _EMPTY_PART.search(item)):
                yield ctx.on(service, ("volumes", n), "A variable in it has no value, so that a part of it is empty.")
        ports = service.data.get("ports")
        for n, item in enumerate(ports if isinstance(ports, list) else ()):
            if isinstance(item, str) and is_open(item) and not _is_port(item):
                yield ctx.on(service, ("ports", n), "A variable in it has no value; what is left is no port.")
        name = service.data.get("container_name")
        if is_open(name) and not name:
            yield ctx.on(service, ("container_name",), "A variable in it has no value, and a name cannot be empty.")
        image = service.data.get("image")
        if isinstance(image, str) and is_open(image) and (image.endswith(":") or image.startswith((":", "/"))):
            yield ctx.on(service, ("image",), "A variable in it has no value; what is left is no image.")


_EMPTY_PART = re.compile(r"^:|::|:$")


def _lacks(item: object) -> TypeGuard[Text]:
    """Whether a variable in it has no value, and none from the shell that Compose is started in."""
    return isinstance(item, Text) and any(missing.name not in _FROM_SHELL for missing in item.missing)


def _is_port(text: str) -> bool:
    try:
        parse_port(str(text))
    except PublishedInvalid:
        return False
    return True


@rule(
    "HL054",
    Severity.WARNING,
    "A secret in the compose file",
    why="The file is in git, in backups and on screens; a secret belongs in .env (mode 0600) or in a secret file.",
    link="https://docs.docker.com/compose/how-tos/use-secrets/",
    bad=f"{HEAD}    environment:\n      DB_PASSWORD: hunter2hunter2\n",
    good=f"{HEAD}    environment:\n      DB_PASSWORD: ${{DB_PASSWORD:-}}\n",
)
def literal_secret(ctx: LintContext) -> Iterable[Finding]:
    """A variable whose name says secret has a value written out. The value is never shown."""
    for service in ctx.having("environment"):
        for entry in service.environment.values():
            if SECRET.search(entry.key) and not NO_SECRET.search(entry.key):
                default = _DEFAULT.fullmatch(entry.raw.strip())
                if _looks_secret(entry.raw):
                    yield ctx.on(service, entry.path, f"{entry.key} is written out; move its value to .env.")
                elif default and _looks_secret(default.group(1)):
                    yield ctx.on(service, entry.path, f"{entry.key} has a default that everybody can read.")


SECRET = re.compile(
    r"(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|APP_KEY|PRIVATE_?KEY|ENCRYPTION_?KEY|_PASS$|^PASS$|_PWD$|JWT)",
    re.IGNORECASE,
)
NO_SECRET = re.compile(
    r"(?:_FILE$|_PATH$|_URL$|_TTL$|EXPIR|LIFETIME|LENGTH|POLICY|_NAME$|ENABLE|ALLOW|DISABLE|REQUIRE|HASH_ALGO|ISSUER|_TYPE$"
    r"|TIMEOUT|_HEADER$|_ALG|ROTAT|RESET|ALGORITHM|_LIMIT|MAX_|TOKENIZ|PASSWORDLESS|_DIR$|_HOST$|_MODE$|_METHOD$|_FIELD$"
    r"|_USERS$|_ROLES?$|_AUD(?:IENCE)?$|REALM$|HOSTNAME$|_URI$|PUBLIC_?KEY)",
    re.IGNORECASE,
)


_DEFAULT = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*:?-([^${}]+)\}")


def _looks_secret(raw: str) -> bool:
    value = raw.strip()
    if len(value) < 4 or "$" in value or value.startswith(("/", "<", "file:")) or value.isdigit():
        return False
    return value.lower() not in {"true", "false", "none", "null"}


@rule(
    "HL055",
    Severity.WARNING,
    "The group id is the user id's variable",
    why="PGID=${PUID} gives files to a group whose number happens to be the user's: right only by luck.",
    link="https://docs.linuxserver.io/general/understanding-puid-and-pgid/",
    bad=f"{HEAD}    environment: ['PGID=${{PUID:-1000}}']\n",
    good=f"{HEAD}    environment: ['PGID=${{PGID:-1000}}']\n",
)
def group_is_user(ctx: LintContext) -> Iterable[Finding]:
    """``PGID`` takes ``${PUID}``, or the other way round."""
    for service in ctx.services():
        for mine, others in (("PGID", "PUID"), ("PUID", "PGID"), ("GID", "UID")):
            entry = service.environment.get(mine)
            if (
                entry
                and "$" in entry.raw
                and re.fullmatch(rf"\$\{{?{others}(?![A-Za-z0-9_]).*", entry.raw.strip("\"' "))
            ):
                yield ctx.on(service, entry.path, f"{mine} is set from {others}; use ${{{mine}}}.")


@rule(
    "HL056",
    Severity.WARNING,
    "The same item twice in a list",
    why="The later one wins in silence (environment, labels), or Compose refuses the file (ports, networks).",
    link="https://docs.docker.com/reference/compose-file/services/#environment",
    bad=f"{HEAD}    environment: ['A=1', 'A=2']\n",
    good=f"{HEAD}    environment: ['A=1', 'B=2']\n",
)
def item_twice(ctx: LintContext) -> Iterable[Finding]:
    """A variable or label set twice in one list."""
    for service in ctx.services():
        for field in ("environment", "labels"):
            part = service.data.get(field)
            entries = service.environment if field == "environment" else service.labels
            if not isinstance(part, list) or len(entries) == len(part):
                continue
            seen: set[str] = set()
            for n, item in enumerate(part):
                key = str(item).partition("=")[0]
                if key in seen:
                    yield ctx.on(service, (field, n), f"{key} is already set above; this one wins.")
                seen.add(key)
