"""TCP rules and rule syntaxes, against what Traefik 3.7.15 said of the same routers (``/api/tcp/routers``)."""

from __future__ import annotations

import pytest

from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.core.checks.traefik_rule import (
    RuleInvalid,
    old_syntax_problem,
    parse_rule,
    parse_tcp_rule,
    tcp_problem,
)


def refused(rule: str, *, old_syntax: bool = False) -> bool:
    try:
        return bool(tcp_problem(parse_tcp_rule(rule), old_syntax))
    except RuleInvalid:
        return True


@pytest.mark.parametrize(
    "rule",
    [
        "HostSNI(`*`)",
        "hostsni(`*`)",
        "HostSNI(`a.example.org`)",
        "HostSNI(`*.example.org`)",
        "HostSNI(`*`) && ClientIP(`10.0.0.0/8`)",
        "HostSNI(`*`) || HostSNI(`a.b`)",
        "!HostSNI(`a.b`)",
        "ClientIP(`::1`)",
        "ALPN(`h2`)",
        r"HostSNIRegexp(`^.+\.b$`)",
    ],
)
def test_rules_that_traefik_takes(rule: str) -> None:
    assert not refused(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "HostSNI('*')",
        "HostSNI(*)",
        "HostSNI(``)",
        "HostSNI(`a b`)",
        "HostSNI(`a.b`, `c.d`)",
        "HostSNI(`*`, `a.b`)",
        "Host(`a.b`)",
        "PathPrefix(`/`)",
        "ClientIP(`300.0.0.1`)",
        "ALPN(`acme-tls/1`)",
        "HostSNI(`*`) & ClientIP(`10.0.0.1`)",
        "(HostSNI(`*`)",
    ],
)
def test_rules_that_traefik_refuses(rule: str) -> None:
    assert refused(rule)


def test_the_old_syntax_takes_several_values() -> None:
    assert not refused("HostSNI(`a.b`, `c.d`)", old_syntax=True)


def test_the_hint_shows_a_matcher_of_tcp() -> None:
    with pytest.raises(RuleInvalid, match="HostSNI"):
        parse_tcp_rule("HostSNI('*')")
    with pytest.raises(RuleInvalid, match="Did you mean 'HostSNI'"):
        parse_tcp_rule("HostSN(`*`)")
    with pytest.raises(RuleInvalid, match=r"Host\(`name`\)"):
        parse_rule("Host('a.b')")


@pytest.mark.parametrize("name", ["Header", "HeaderRegexp", "PathRegexp", "QueryRegexp"])
def test_matchers_that_the_old_http_syntax_has_not(name: str) -> None:
    assert old_syntax_problem(parse_rule(f"{name}(`a`, `b`)"))


@pytest.mark.parametrize(
    ("rule", "syntax", "wrong"),
    [
        ("Host(`a.b`, `c.d`)", "v2", False),
        ("Headers(`A`, `b`)", "v2", False),
        ("HostRegexp(`{x:[a-z]+}.a.b`)", "v2", False),
        ("PathRegexp(`^/x`)", "v2", True),
        ("Header(`A`, `b`)", "v2", True),
        ("Host(`a.b`, `c.d`)", "v3", True),
        ("PathRegexp(`^/x`)", "v3", False),
    ],
)
def test_a_routers_own_rule_syntax_counts(rule: str, syntax: str, wrong: bool) -> None:
    text = (
        "services:\n  traefik: {image: 'traefik:v3.6'}\n  web:\n    image: nginx:1.29\n    labels:\n"
        f'      traefik.http.routers.web.rule: "{rule}"\n      traefik.http.routers.web.rulesyntax: {syntax}\n'
    )
    hits = [f.line for f in lint([LintStack("s", "c.yaml", text, {})]) if f.rule == "HL064"]
    assert hits == ([6] if wrong else [])
