"""A Traefik rule that was nearly right, put right; "" where nobody can say what was meant."""

from __future__ import annotations

import re

from homelab_mcp.core.checks.fix_edit import nearest
from homelab_mcp.core.checks.traefik_rule import (
    MATCHERS,
    OLD_MATCHERS,
    RuleInvalid,
    parse_rule,
    value_problem,
    version_problem,
)

_TOKEN = re.compile(r"`[^`]*`|\"(?:[^\"\\]|\\.)*\"|\s+|&&|\|\||[&|!(),]|[^\s&|!(),`\"]+")
_VARIABLE = re.compile(r"\$\{[^{}]*\}|\$[A-Za-z_]\w*")
_RENAMED = {"headers": "Header", "headersregexp": "HeaderRegexp", "hostheader": "Host"}
_JOINS = {"and": "&&", "or": "||", "&": "&&", "|": "||"}


def repaired(rule: str, version: int) -> str:
    """The rule as it must have been meant, for Traefik's major version (0: not known).

    Only its writing is put right: quotes, joins, brackets, names of matchers; never a host name.
    """
    for candidate in _candidates(rule, version):
        if candidate != rule and _fine(candidate, version):
            return candidate
    return ""


def _fine(rule: str, version: int) -> bool:
    known = _VARIABLE.sub("x", rule).replace("$$", "$")
    try:
        matchers = parse_rule(known)
    except RuleInvalid:
        return False
    hosts = [v for m in matchers if m.name == "Host" for v in m.values]
    return not value_problem(matchers) and not (version == 3 and version_problem(matchers)) and "" not in hosts


def _candidates(rule: str, version: int) -> list[str]:
    text = rule.strip()
    text = re.sub("[\u2018\u2019\u201c\u201d\u00b4]", "`", text)
    first = _old_way(text) or text
    quoted = re.sub(r"'([^'`\"]*)'", r"`\1`", first)
    quoted = re.sub(r"(?<=[(,])(\s*)([^\s`\"'(),&|!]+)(\s*)(?=[),])", r"\1`\2`\3", quoted)
    bare = re.sub(r"`https?://([^`/]+)/?`", r"`\1`", quoted)
    named = "".join(_token(t) for t in _TOKEN.findall(bare))
    split = _one_value_each(named) if version == 3 else named
    closed = [f"{t}{')' * n}" for t in (named, split) if (n := _open_brackets(t)) > 0]
    return [named, split, *closed]


def _old_way(text: str) -> str:
    """``Host:a.example.org`` of Traefik 1."""
    match = re.fullmatch(r"(Host|PathPrefix|Path):\s*([^\s;,(]+)", text)
    return f"{match.group(1)}(`{match.group(2)}`)" if match else ""


def _token(token: str) -> str:
    if token.lower() in _JOINS:
        return _JOINS[token.lower()]
    if token[:1] in '`"&|!(), \t' or token[:1].isspace():
        return token
    if token.lower() in _RENAMED:
        return _RENAMED[token.lower()]
    known = {m.lower(): m for m in MATCHERS}
    return known.get(token.lower()) or nearest(token, MATCHERS - OLD_MATCHERS, 0.7) or token


def _one_value_each(text: str) -> str:
    """``Host(`a`, `b`)`` as ``(Host(`a`) || Host(`b`))``."""

    def spread(match: re.Match[str]) -> str:
        values = re.findall(r"`[^`]*`|\"[^\"]*\"", match.group(2))
        parts = " || ".join(f"{match.group(1)}({v})" for v in values)
        return parts if match.group() == text.strip() else f"({parts})"

    names = "Host|HostRegexp|Path|PathPrefix|PathRegexp|Method|ClientIP"
    value = r"\s*(?:`[^`]*`|\"[^\"]*\")\s*"
    return re.sub(rf"\b({names})\(({value}(?:,{value})+)\)", spread, text)


def _open_brackets(text: str) -> int:
    bare = re.sub(r"`[^`]*`|\"[^\"]*\"", "", text)
    return bare.count("(") - bare.count(")")
