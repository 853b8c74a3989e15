"""What every judge needs: the log line that speaks for a cause, and the calls that settle one."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from homelab_mcp.model.diagnosis import Facts, Other, Remedy

LINE = 240
"""Characters of a log line that are shown as evidence."""


def said(facts: Facts, pattern: str, flags: re.RegexFlag = re.IGNORECASE) -> re.Match[str] | None:
    """The newest match in its log, in the engine's words on its container, or in what the person saw."""
    compiled = re.compile(pattern, flags)
    one = facts.one
    for text in (facts.error, one.error if one else "", *reversed(facts.logs)):
        if text and (found := compiled.search(text)):
            return found
    return None


def quoted(found: re.Match[str]) -> str:
    """The line a match is in, cut around it."""
    line = " ".join(found.string.split())
    if len(line) <= LINE:
        return f"log (untrusted data): {line}"
    start = max(0, found.start() - LINE // 3)
    return f"log (untrusted data): …{line[start : start + LINE]}…"


def call(facts: Facts, tool: str, what: str, **arguments: object) -> Remedy:
    """A remedy by a tool that takes ``service`` and ``stack``."""
    return Remedy(what, tool, {"service": facts.service, "stack": facts.stack, **arguments})


def repair(facts: Facts, what: str, *repairs: str) -> Remedy:
    """A remedy by ``update_service`` with these repairs (``core.operations.repair``)."""
    return call(facts, "update_service", what, repairs=list(repairs))


def own_command(facts: Facts) -> Remedy:
    """The remedy for a command that the image lacks: its file's own goes, where there is one."""
    if facts.body.get("command") is None and facts.body.get("entrypoint") is None:
        return Remedy("The image's own command is not in it: take another tag of the image.")
    what = "Take `command` and `entrypoint` out of the stack's file: the image has its own. Or correct them by hand."
    return repair(facts, what, "own_command")


def control(facts: Facts, action: str, what: str) -> Remedy:
    """A remedy by ``control_service``."""
    return Remedy(what, "control_service", {"action": action, "service": facts.service, "stack": facts.stack})


def control_other(facts: Facts, stack: str, service: str, action: str = "start") -> Remedy:
    """A remedy by ``control_service`` on another service."""
    return Remedy(
        f"{action.capitalize()} {stack}/{service}.",
        "control_service",
        {"action": action, "service": service, "stack": stack},
    )


def settle_other(facts: Facts, other: Other) -> Remedy:
    """The remedy for another service that does not work: a start where it ended, else a look at what is wrong with it.

    One that ended by an error needs more than a start; its own diagnosis tells.
    """
    if other.down and other.state not in ("restarting", "created", "absent"):
        return control_other(facts, other.stack, other.service, "unpause" if other.state == "paused" else "start")
    return diagnose_other(other.stack, other.service)


def literal(facts: Facts, word: str) -> bool:
    """Whether a word stands in its command or variables, so that a repair can put another there."""
    body = facts.body
    return any(word in str(body.get(field) or "") for field in ("command", "entrypoint", "environment"))


def diagnose_other(stack: str, service: str) -> Remedy:
    """The remedy for what is another service's trouble."""
    return Remedy(
        f"Find out what is wrong with {stack}/{service} first.", "diagnose", {"service": f"{stack}/{service}"}
    )


def whole_seconds(text: str) -> float | None:
    """An engine's time (RFC 3339, up to nine digits of a second) as Unix seconds; None for what is no time."""
    try:
        when = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text.replace("Z", "+00:00")))
        # The begun second counts: a line of the same may be the first.
        return float(int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()))
    except (ValueError, OverflowError):
        return None
