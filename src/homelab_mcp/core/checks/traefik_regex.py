"""Regular expressions in Traefik's rules: what Go cannot compile, and Traefik 2's braces where Traefik 3 reads them."""

from __future__ import annotations

import re
import warnings

from homelab_mcp.core.checks.traefik_rule import Matcher

_EXPRESSIONS = {"HostRegexp": 0, "PathRegexp": 0, "HeaderRegexp": 1, "QueryRegexp": 1}
"""Matchers with an expression, and the place of that among their values."""
_BRACES = re.compile(r"\{[A-Za-z_][\w-]*(?::[^`]*)?\}")
_ESCAPES = r"(?<!\\)(?:\\\\)*"
_NOT_GO = re.compile(rf"{_ESCAPES}(?:(?P<group>\(\?(?:<?[=!]|>))|(?P<back>\\[1-9]))")
_SHARED = ("missing )", "unbalanced parenthesis", "unterminated character set", "bad character range")
_REPEATED = ("nothing to repeat", "multiple repeat", "min repeat greater")


def braces_problem(matchers: list[Matcher]) -> str:
    """A value in the way of Traefik 2, ``{name:pattern}``, which Traefik 3 takes as it stands; "" when none."""
    for m in matchers:
        for value in m.values if m.name in {"HostRegexp", "Path", "PathPrefix"} else ():
            if _BRACES.search(value):
                new = "HostRegexp(`^.+\\.example\\.org$`)" if m.name == "HostRegexp" else "PathRegexp(`^/pattern`)"
                return f"{{name:pattern}} is Traefik 2's way, and matches nothing in Traefik 3: write {new}."
    return ""


def regex_problem(matchers: list[Matcher]) -> str:
    """Why Go compiles one of the expressions not, as far as its grammar is Python's; "" when nothing."""
    for m in matchers:
        at = _EXPRESSIONS.get(m.name, -1)
        value = m.values[at] if 0 <= at < len(m.values) else ""
        reason = refused_regex(value) if value else ""
        if reason:
            return f"{m.name} takes no such regular expression: {reason}."
    return ""


def refused_regex(text: str) -> str:
    """Why Go compiles an expression not, as far as its grammar is Python's; "" when it does."""
    if r"\Q" in text:
        return ""
    alien = _NOT_GO.search(text)
    if alien and "[" not in text[: alien.start()].replace("\\[", ""):
        return "Go's have no look-around" if alien.group("group") else "Go's have no references back"
    # Go takes flags and classes that Python does not, in places where it does not.
    known = re.sub(r"\(\?[a-zA-Z-]+\)", "", re.sub(r"\(\?[a-zA-Z-]+:|\(\?P?<\w+>", "(", text))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(known)
    except (re.error, OverflowError, RecursionError) as error:
        words = str(error)
        at = getattr(error, "pos", None) or 0
        if words.startswith(_SHARED) or (words.startswith(_REPEATED) and known[max(at - 1, 0) : at] not in {"^", "$"}):
            return words.partition(" at position")[0]
    return ""
