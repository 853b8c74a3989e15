"""HL257 to HL259: values that are nearly right: schedules, switches and levels, addresses."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import words_of
from homelab_mcp.core.checks.variable_words import one_off
from homelab_mcp.core.checks.view import Entry, ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

SERVICES = "https://docs.docker.com/reference/compose-file/services/"
HEAD = "services:\n  app:\n    image: example/app:1.2.0\n"


@rule(
    "HL257",
    Severity.ERROR,
    "A schedule that never comes",
    why="Five fields: minute 0-59, hour 0-23, day 1-31, month 1-12, day of the week 0-7, with six a second before "
    "them. With another number, or fewer fields, the program refuses to start, or never does its work.",
    link="https://man7.org/linux/man-pages/man5/crontab.5.html",
    bad=f"{HEAD}    environment: {{BACKUP_CRON: '0 25 * * *'}}\n",
    good=f"{HEAD}    environment: {{BACKUP_CRON: '0 23 * * *'}}\n",
)
def odd_schedule(ctx: LintContext) -> Iterable[Finding]:
    """Cron expressions in variables and labels that are called schedule or cron: numbers out of range, fields."""
    for service in ctx.services():
        labels = [e for k, e in service.other_labels if _SCHEDULES.search(k)]
        for entry in [*(e for k, e in service.environment.items() if _SCHEDULES.search(k)), *labels]:
            text = (entry.value or "").strip()
            if entry.open or not _LIKE_CRON.fullmatch(text) or " " not in text:
                continue
            fields = text.split()
            if len(fields) in {3, 4} and fields[-1] in {"*", "?"}:
                message = f"{len(fields)} fields; a schedule has five."
                yield ctx.on(service, entry.path, f"{entry.key}: {message}", severity=Severity.WARNING)
                continue
            # With six the program decides whether seconds come first or years come last.
            if len(fields) == 5:
                problem = next((p for f, r in zip(fields, _RANGES, strict=True) if (p := _out_of(f, *r))), "")
                if problem:
                    yield ctx.on(service, entry.path, f"{entry.key}: {problem}")


_SCHEDULES = re.compile(r"(?:^|[_.-])(?:cron|schedule|cron_?expression|cron_?time|cron_?schedule)$", re.IGNORECASE)
_LIKE_CRON = re.compile(r"[0-9*][0-9A-Za-z*/,\-?#L ]*")
_RANGES = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("day of the week", 0, 7))


def _out_of(field: str, name: str, low: int, high: int) -> str:
    for part in field.split(","):
        for number in re.findall(r"(?<![A-Za-z0-9/#])[0-9]+(?![0-9A-Za-z])", part):
            if len(number) > 9 or not low <= int(number) <= high:
                return f"there is no {name} {number} ({low} to {high})."
    return ""


@rule(
    "HL258",
    Severity.WARNING,
    "A word that is nearly right",
    why="A program reads 'true' or 'info' letter by letter: anything else is off, the default, or an error.",
    link=f"{SERVICES}#environment",
    bad=f"{HEAD}    environment: {{SIGNUPS_ALLOWED: flase}}\n",
    good=f"{HEAD}    environment: {{SIGNUPS_ALLOWED: 'false'}}\n",
)
def nearly_a_word(ctx: LintContext) -> Iterable[Finding]:
    """``true``, ``false``, ``enabled``, ``disabled`` and levels of logs with a letter wrong, in variables."""
    for service in ctx.having("environment"):
        for key, entry in service.environment.items():
            text = entry.value or ""
            if entry.open or not 3 <= len(text) <= 9 or not text.isalpha():
                continue
            meant = _switch(text.lower())
            if not meant and key.upper().endswith(_LEVELS_OF) and text.lower() not in _LEVELS:
                near = difflib.get_close_matches(text.lower(), _LEVELS, n=1, cutoff=0.75)
                meant = near[0] if near else ""
            if meant:
                shown = meant.upper() if text.isupper() else meant
                yield ctx.on(service, entry.path, f"{key} says {text!r}. Did you mean {shown!r}?")


def _switch(text: str) -> str:
    if text in _OTHER:
        return ""
    return next((word for word in ("true", "false", "enabled", "disabled") if one_off(text, word)), "")


_OTHER = frozenset({"trues", "tree", "trie", "falses", "enables", "disables"})
"""Words of their own."""
_LEVELS_OF = ("LOG_LEVEL", "LOGLEVEL", "LOGGING_LEVEL", "LOG_LVL")
_LEVELS = frozenset(
    {"trace", "debug", "info", "information", "notice", "warn", "warning", "error", "fatal", "panic", "critical"}
    | {"verbose", "silent", "none", "off", "quiet", "silly", "all", "err", "http", "basic", "detailed", "default"}
    | {"release", "production", "disabled", "crit", "emerg", "alert", "normal", "low", "high", "minimal", "dev"}
)


@rule(
    "HL259",
    Severity.ERROR,
    "An address that no machine has",
    why="The parts of an IPv4 address are 0 to 255 and a range has at most 32 bits: nothing answers there, and most "
    "programs refuse it at the start.",
    link="https://datatracker.ietf.org/doc/html/rfc4632",
    bad=f"{HEAD}    environment: {{SERVER_IP: 192.168.1.300}}\n",
    good=f"{HEAD}    environment: {{SERVER_IP: 192.168.1.30}}\n",
)
def impossible_address(ctx: LintContext) -> Iterable[Finding]:
    """IPv4 addresses of private ranges, in variables, labels and commands, with an impossible part or range."""
    for service in ctx.lab.routing:
        for path, text in _texts(service):
            for match in _IPV4.finditer(text) if "." in text else ():
                parts, bits = match.group(1), match.group(2)
                if any(int(p) > 255 for p in parts.split(".")):
                    yield ctx.on(service, path, f"There is no address {parts}.")
                elif bits and int(bits) > 32:
                    yield ctx.on(service, path, f"There is no range {parts}/{bits}: /32 is a single address.")


_IPV4 = re.compile(
    r"(?<![0-9A-Za-z.\-_])((?:10|127|172|192\.168|100|169\.254|1\.1|8\.8|9\.9)(?:\.[0-9]{1,4}){2,3})(?:/([0-9]{1,3}))?"
    r"(?![0-9A-Za-z.\-_/])"
)


def _texts(service: ServiceView) -> Iterator[tuple[Path, str]]:
    if not service.of_file:
        for entry in service.environment.values():
            if _is_told(entry):
                yield entry.path, entry.value or ""
        part = service.data.get("command")
        if isinstance(part, list):
            yield from ((("command", n), str(word)) for n, word in enumerate(part) if not is_open(word))
        else:
            yield ("command",), " ".join(words_of(service, "command"))
    for entry in service.labels.values():
        if _is_told(entry):
            yield entry.path, entry.value or ""


def _is_told(entry: Entry) -> bool:
    return bool(entry.value) and not entry.open and entry.value is not None and entry.value[:1] != "{"
