"""The grammar of Traefik's rules."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homelab_mcp.core.checks.traefik_rule import (
    Matcher,
    RuleInvalid,
    parse_rule,
    value_problem,
    version_problem,
)


def test_matchers_come_in_order_with_their_values_and_one_spelling() -> None:
    text = '(host(`a.org`)||!HostRegexp("^b\\"c$")) &&\n HEADER( `X`, `y` )'
    assert parse_rule(text) == [
        Matcher("Host", ("a.org",)),
        Matcher("HostRegexp", ('^b\\"c$',)),
        Matcher("Header", ("X", "y")),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("Host(`a`) &&", "missing"),
        ("&& Host(`a`)", "missing"),
        ("Host(`a`) Host(`b`)", "joined"),
        ("Host(`a`) (Host(`b`))", "joined"),
        ("Host(`a`) or Host(`b`)", "joined"),
        ("Host(`a`) | Host(`b`)", "joined"),
        ("(Host(`a`)", "brackets"),
        ("Host(`a`))", "brackets"),
        ("Host(`a`", "brackets"),
        ("()", "brackets"),
        ("Host(`a)", "left open"),
        ("Host('a')", "backticks"),
        ("Host(a)", "backticks"),
        ("Host()", "backticks"),
        ("Host:a.org", "Traefik 1"),
        ("Host", "needs its value"),
        ("`a`", "inside a matcher"),
        ("Hst(`a`)", "Did you mean 'Host'"),
    ],
)
def test_what_traefik_refuses(text: str, said: str) -> None:
    with pytest.raises(RuleInvalid, match=said):
        parse_rule(text)


def test_what_only_traefik_2_takes() -> None:
    assert "Header" in version_problem(parse_rule("Headers(`a`, `b`)"))
    assert "one value" in version_problem(parse_rule("Host(`a`, `b`)"))
    assert not version_problem(parse_rule("Host(`a`) && Query(`a`, `b`)"))


def test_what_no_request_matches() -> None:
    for text in ("Host(`https://a`)", "Host(`a/b`)", "Host(`*.a`)", "Host(`a b`)", "Host(``)", "Path(`a`)"):
        assert value_problem(parse_rule(text)), text
    assert not value_problem(parse_rule("Host(`a.org`) && (Path(`/`) || PathPrefix(`/a`)) && ClientIP(`10.0.0.0/8`)"))


@given(st.text(alphabet="Host(`a`)&|!, \"'\\:", max_size=40))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    with contextlib.suppress(RuleInvalid):
        assert parse_rule(text)
