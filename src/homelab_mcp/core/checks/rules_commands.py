"""HL151 to HL153: commands and health checks that do not run what they say."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Any

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.shellwords import split
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

SERVICES = "https://docs.docker.com/reference/compose-file/services/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"
_SIGNS = frozenset({"&&", "||", ";", "|", ">", ">>", "<", "2>&1", "&", "2>", "1>"})


def _commands(service: ServiceView) -> Iterator[tuple[Any, Path]]:
    for field in ("command", "entrypoint"):
        if field in service.data:
            yield service.data[field], (field,)


@rule(
    "HL151",
    Severity.ERROR,
    "A command that Compose cannot read",
    why="A command written as one text is split into words by Compose, as a shell would: an open quote or a bracket "
    "makes it refuse the file. A list takes every character as it is.",
    link=f"{SERVICES}#command",
    bad=f"{HEAD}    command: echo it's running\n",
    good=f"{HEAD}    command: [echo, it's running]\n",
    needs="command entrypoint",
)
def unreadable_command(ctx: LintContext) -> Iterable[Finding]:
    """``command`` or ``entrypoint`` as one text with an open quote or stray brackets."""
    for service in ctx.services():
        for value, path in _commands(service):
            if isinstance(value, str) and not is_open(value) and split(value) is None:
                yield ctx.on(service, path, "A quote or a bracket in it is left open.")


@rule(
    "HL152",
    Severity.WARNING,
    "Shell signs where no shell reads them",
    why="Compose starts a command without a shell. Of one text it takes what stands before the first ;, &, |, < or > "
    "and throws the rest away without a word; in a list the sign is just another argument. Ask for a shell: "
    "[sh, -c, 'a && b'].",
    link=f"{SERVICES}#command",
    bad=f"{HEAD}    command: ./migrate && ./serve\n",
    good=f"{HEAD}    command: sh -c './migrate && ./serve'\n",
    needs="command entrypoint",
)
def lost_command(ctx: LintContext) -> Iterable[Finding]:
    """A text that is cut off at a shell sign, or a list with such a sign as an item and no shell."""
    for service in ctx.services():
        for value, path in _commands(service):
            if isinstance(value, str) and not is_open(value):
                words = split(value)
                if words and words.lost:
                    message = f"Compose throws away everything from {words.lost[:2].strip()!r} on; use [sh, -c, '...']."
                    yield ctx.on(service, path, message)
            elif isinstance(value, list) and not _shell(service):
                for n, item in enumerate(value):
                    if isinstance(item, str) and item in _SIGNS:
                        message = f"{str(item)!r} is handed to the program as a word; use [sh, -c, '...']."
                        yield ctx.on(service, (*path, n), message)


def _shell(service: ServiceView) -> bool:
    """True when a shell reads the command: nobody knows what an image's own entrypoint does with it."""
    for field in ("entrypoint", "command"):
        part = service.data.get(field)
        words = part if isinstance(part, list) else str(part or "").split()
        if any(isinstance(w, str) and (re.fullmatch(r"-[a-z]*c", w) or "eval" in w) for w in words):
            return True
    return False


@rule(
    "HL153",
    Severity.ERROR,
    "A health check whose command cannot run",
    why="CMD starts a program without a shell, each word an item of its own: a whole line in one item is no program's "
    "name, and || or && are just words to the program. The check fails for ever. CMD-SHELL takes a line.",
    link=f"{SERVICES}#healthcheck",
    bad=f"{HEAD}    healthcheck: {{test: [CMD, 'curl -f http://localhost || exit 1']}}\n",
    good=f"{HEAD}    healthcheck: {{test: [CMD-SHELL, 'curl -f http://localhost || exit 1']}}\n",
    needs="healthcheck",
)
def bad_check_command(ctx: LintContext) -> Iterable[Finding]:
    """``CMD`` with a line in one item, with shell signs, or with nothing; an empty ``CMD-SHELL``, or one in a text."""
    for service in ctx.services():
        check = service.data.get("healthcheck")
        test = check.get("test") if isinstance(check, dict) else None
        path: Path = ("healthcheck", "test")
        begins = re.match(r"(CMD|CMD-SHELL)\s", test) if isinstance(test, str) else None
        if begins:
            message = (
                f"As one text it goes to a shell, which has no program {begins[1]}; write a list, or leave it out."
            )
            yield ctx.on(service, path, message)
        if (
            not isinstance(test, list)
            or not test
            or any(type(w) is not str and (not isinstance(w, str) or is_open(w)) for w in test)
        ):
            continue
        if test[0] in ("CMD", "CMD-SHELL") and len(test) == 1:
            yield ctx.on(service, path, f"{test[0]} needs a command.")
        elif test[0] == "CMD":
            if len(test) == 2 and re.search(r"\s", test[1].strip()):
                yield ctx.on(service, (*path, 1), "CMD takes one word an item; a whole line needs CMD-SHELL.")
            elif not _SIGNS.isdisjoint(test) and not any(re.fullmatch(r"-[a-z]*c", w) for w in test[2:]):
                for n, item in enumerate(test):
                    if item in _SIGNS:
                        message = f"{str(item)!r} is handed to the program as a word; use CMD-SHELL with one line."
                        # What asks for an address takes the word for one more, and fails on it.
                        sure = posixpath.basename(test[1]) in _ASKING and item in ("||", "&&", "|", ";")
                        # It may be an option's value (-w '|'), and curl tells how the last address went.
                        sure = sure and not test[n - 1].startswith("-") and "/" not in test[-1] and test[-1] != "0"
                        yield ctx.on(service, (*path, n), message, severity=None if sure else Severity.WARNING)
                        break


_ASKING = frozenset({"curl", "wget", "pg_isready"})


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


_PARTS = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|µs|ms|s|m|h|d)")


def seconds(value: Any) -> float | None:
    """Seconds of a duration as Compose writes them; None for what is none or has a variable without a value."""
    if not isinstance(value, str) or is_open(value):
        return None
    parts = _PARTS.findall(value)
    if not parts or "".join(a + b for a, b in parts) != value:
        return None
    return float(sum(float(number[:12]) * _UNITS[unit] for number, unit in parts))


@rule(
    "HL154",
    Severity.INFO,
    "Times of a health check that do not fit",
    why="0 means the engine's default (30 s, three tries), not 'at once' or 'never'; a check that may take longer than "
    "the pause between two is late in telling that something is wrong. The engine refuses less than 1 ms.",
    link=f"{SERVICES}#healthcheck",
    bad=f"{HEAD}    healthcheck: {{test: [CMD, 'true'], interval: 10s, timeout: 1m}}\n",
    good=f"{HEAD}    healthcheck: {{test: [CMD, 'true'], interval: 1m, timeout: 10s}}\n",
    needs="healthcheck",
)
def check_times(ctx: LintContext) -> Iterable[Finding]:
    """0 or next to it for interval, timeout or retries; a timeout above the interval; a test beside ``disable``."""
    for service in ctx.services():
        check = service.data.get("healthcheck")
        if not isinstance(check, dict):
            continue
        times = {name: seconds(check.get(name)) for name in ("interval", "timeout", "start_period", "start_interval")}
        for name, value in times.items():
            path: Path = ("healthcheck", name)
            if value is not None and 0 < value < 0.001:
                yield ctx.on(service, path, "The engine refuses less than 1ms.", severity=Severity.ERROR)
            elif value == 0 and name in ("interval", "timeout"):
                yield ctx.on(service, path, f"0 stands for the default 30s of '{name}'.")
        interval, timeout = times["interval"] or 30.0, times["timeout"] or 30.0
        if check.get("timeout") and timeout > interval:
            yield ctx.on(service, ("healthcheck", "timeout"), "It may take longer than the pause between two checks.")
        if check.get("disable") is True and check.get("test"):
            yield ctx.on(service, ("healthcheck", "test"), "'disable: true' switches this test off.", key=True)
