"""The grammar of Traefik's rules: matchers with quoted values, joined with ``&&``, ``||``, ``!`` and brackets."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

MATCHERS = frozenset(
    {"Host", "HostRegexp", "Path", "PathPrefix", "PathRegexp", "Method", "Header", "HeaderRegexp", "Query"}
    | {"QueryRegexp", "ClientIP"}
)
"""Matchers of Traefik 3 (its reference, "Rules & Priority")."""
OLD_MATCHERS = frozenset({"Headers", "HeadersRegexp", "HostHeader"})
"""Matchers that Traefik 2 had and 3 has not."""
TCP_MATCHERS = frozenset({"HostSNI", "HostSNIRegexp", "ClientIP", "ALPN"})
"""Matchers of TCP routers (the reference's page on TCP rules)."""
_HTTP = MATCHERS | OLD_MATCHERS
_BY_LOWER = {known: {m.lower(): m for m in known} for known in (_HTTP, TCP_MATCHERS)}
_NEW_MATCHERS = {
    "Header": "Headers",
    "HeaderRegexp": "HeadersRegexp",
    "PathRegexp": "Path(`/{name:pattern}`)",
    "QueryRegexp": "Query(`name={value:pattern}`)",
}
_TWO_VALUES = frozenset({"Header", "HeaderRegexp", "Query", "QueryRegexp"})
_TOKEN = re.compile(r"\s*(?:(?P<text>`[^`]*`|\"(?:[^\"\\]|\\.)*\")|(?P<name>[A-Za-z]\w*)|(?P<mark>&&|\|\||[!(),]))")


@dataclass(frozen=True, slots=True)
class Matcher:
    """One matcher of a rule under its canonical name."""

    name: str
    values: tuple[str, ...]


class RuleInvalid(ValueError):
    """Traefik cannot read the rule; the text is the sentence for a person."""


def parse_rule(text: str) -> list[Matcher]:
    """The matchers of an HTTP rule.

    Raises:
        RuleInvalid: it is none.
    """
    return _parse(text, _HTTP, "Host(`name`)")


def parse_tcp_rule(text: str) -> list[Matcher]:
    """The matchers of a TCP rule.

    Raises:
        RuleInvalid: it is none.
    """
    return _parse(text, TCP_MATCHERS, "HostSNI(`*`)")


def _parse(text: str, known: frozenset[str], example: str) -> list[Matcher]:
    by_lower = _BY_LOWER[known]
    try:
        tokens = _tokens(text)
    except _Stray as stray:
        raise RuleInvalid(str(stray).format(example)) from None
    found: list[Matcher] = []
    depth = at = 0
    operand = True
    while at < len(tokens):
        kind, word = tokens[at]
        if operand and word == "!":
            at += 1
        elif operand and word == "(":
            depth, at = depth + 1, at + 1
        elif operand and kind == "name":
            matcher, at = _matcher(tokens, at, by_lower, example)
            found.append(matcher)
            operand = False
        elif not operand and word == ")" and depth:
            depth, at = depth - 1, at + 1
        elif not operand and word in {"&&", "||"}:
            operand, at = True, at + 1
        else:
            raise RuleInvalid(_misplaced(kind, word, operand, example))
    if depth:
        raise RuleInvalid("The brackets do not match.")
    if operand:
        raise RuleInvalid("The rule ends where a matcher is missing." if found else "The rule is empty.")
    return found


def _misplaced(kind: str, word: str, operand: bool, example: str) -> str:
    if word == ")":
        return "The brackets do not match."
    if not operand and (kind == "name" or word in {"!", "("}):
        return "Matchers are joined with && and ||."
    if kind == "text":
        return f"A value stands inside a matcher: {example}."
    return f"Where {word!r} stands a matcher is missing."


class _Stray(ValueError):
    """Text that is no token; the sentence has a gap for an example of a matcher."""


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if not match:
            raise _Stray(_stray(text[at:].lstrip()))
        kind = match.lastgroup or ""
        tokens.append((kind, match.group(kind)))
        at = match.end()
    return tokens


def _stray(rest: str) -> str:
    if rest.startswith("'"):
        return "Values stand in backticks: {}."
    if rest.startswith(("`", '"')):
        return "A quote is left open."
    if rest.startswith(("&", "|")):
        return "Matchers are joined with && and ||."
    if rest.startswith(":"):
        return "That is Traefik 1's way; today it is {}."
    return "Values stand in backticks: {}."


def _matcher(tokens: list[tuple[str, str]], at: int, by_lower: Mapping[str, str], example: str) -> tuple[Matcher, int]:
    written = tokens[at][1]
    name = by_lower.get(written.lower(), "")
    if written.lower() in {"and", "or", "not"}:
        raise RuleInvalid("Matchers are joined with && and ||.")
    if not name:
        near = difflib.get_close_matches(written, set(by_lower.values()) - OLD_MATCHERS, n=1, cutoff=0.5)
        raise RuleInvalid(f"Traefik knows no matcher {written!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
    if tokens[at + 1 : at + 2] != [("mark", "(")]:
        raise RuleInvalid(f"{name} needs its value: {name}(`...`).")
    values: list[str] = []
    at += 2
    while True:
        kind, word = tokens[at] if at < len(tokens) else ("", "")
        if kind != "text":
            raise RuleInvalid(f"Values stand in backticks: {example}." if word else "The brackets do not match.")
        values.append(word[1:-1])
        after = tokens[at + 1][1] if at + 1 < len(tokens) else ""
        at += 2
        if after == ")":
            return Matcher(name, tuple(values)), at
        if after != ",":
            raise RuleInvalid("The brackets do not match." if not after else "Values are separated by commas.")


def version_problem(matchers: list[Matcher]) -> str:
    """What Traefik 3 refuses of a rule that Traefik 2 took; "" when nothing."""
    for m in matchers:
        if m.name in OLD_MATCHERS:
            new = {"Headers": "Header", "HeadersRegexp": "HeaderRegexp"}.get(m.name, "Host")
            return f"{m.name} is Traefik 2's; Traefik 3 has {new}."
        if m.name not in _TWO_VALUES and len(m.values) > 1:
            return f"{m.name} takes one value in Traefik 3; write {m.name}(`a`) || {m.name}(`b`)."
    return ""


def old_syntax_problem(matchers: list[Matcher]) -> str:
    """What the rules of Traefik 2 (``ruleSyntax: v2``) have not; "" when nothing."""
    for m in matchers:
        if m.name in _NEW_MATCHERS:
            return f"{m.name} is Traefik 3's; with ruleSyntax v2 it is {_NEW_MATCHERS[m.name]}."
    return ""


def tcp_problem(matchers: list[Matcher], old_syntax: bool) -> str:
    """A value that Traefik refuses in a TCP rule; "" when there is none."""
    for m in matchers:
        if len(m.values) > 1 and not old_syntax:
            return f"{m.name} takes one value; write {m.name}(`a`) || {m.name}(`b`)."
        for value in m.values:
            if m.name == "HostSNI" and not re.fullmatch(r"\*|[A-Za-z0-9_*.:{}-]+", value):
                return f"{value!r} is no host name; every host is HostSNI(`*`)."
            if m.name == "ClientIP" and not _is_address(value):
                return f"{value!r} is no address and no range such as 10.0.0.0/8."
            if m.name == "ALPN" and value == "acme-tls/1":
                return "Traefik keeps the protocol acme-tls/1 to itself."
    return ""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def value_problem(matchers: list[Matcher]) -> str:
    """A value that no request can have; "" when there is none."""
    for m in matchers:
        for value in m.values:
            if m.name == "Host":
                if "://" in value or "/" in value:
                    return f"Host takes the bare name, without scheme or path: {value!r} matches nothing."
                if "*" in value:
                    return f"Host knows no wildcard: {value!r} matches nothing; HostRegexp does."
                if ":" in value and re.fullmatch(r"[^:]+:[0-9]*", value):
                    return f"Traefik compares the host without its port: {value!r} matches nothing."
                if not value or len(value.split()) != 1 or value != value.strip():
                    return "Host is empty or has a blank in it: it matches nothing."
            elif m.name == "ClientIP" and not _is_address(value):
                return f"{value!r} is no address and no range such as 10.0.0.0/8."
            elif m.name in {"Path", "PathPrefix"} and not value.startswith(("/", "{")):
                return f"A path begins with '/': {value!r} is refused."
    return ""
