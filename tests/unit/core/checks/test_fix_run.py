"""Fixing a whole lab: everything at once, nothing that does harm, and nothing left for a second run."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.core.checks.fix_run import Fixed, fixed
from homelab_mcp.core.checks.frame import all_rules
from homelab_mcp.core.yaml12 import YamlRefused, load
from homelab_mcp.model.finding import Finding, Severity

ORDER = list(Severity)
MESSY = """\
version: "3"

services:
  web:   # the site
    image: nginx:1.29
    restart: allways
    enviroment:
      - A=1
      - A=2
    ports:
      - 22:22
    networks: [front]
    volumes: ['data:/data', 'more:/more']
    labels:
      - traefik.http.routers.web.rule=Hosts('web.example.org')
      - traefik.http.routers.web.entrypoint=websecure
  db: {image: "postgres:17.2", environment: {POSTGRES_PASSWORD: hunter2hunter2}, volumes: ["./db:/var/lib/postgresql/data"]}
"""  # noqa: E501
FIXED = """\
services:
  web:   # the site
    image: nginx:1.29
    restart: always
    environment:
      - A=2
    ports:
      - '22:22'
    networks: [front]
    volumes: ['data:/data', 'more:/more']
    labels:
      - traefik.http.routers.web.rule=Host(`web.example.org`)
      - traefik.http.routers.web.entrypoints=websecure
  db: {image: "postgres:17.2", environment: {POSTGRES_PASSWORD: hunter2hunter2}, volumes: ["./db:/var/lib/postgresql/data"], restart: unless-stopped}

networks:
  front: {}

volumes:
  data: {}
  more: {}
"""  # noqa: E501


def lab(*texts: str) -> list[LintStack]:
    return [LintStack(f"s{n}", f"s{n}/compose.yaml", t, {}) for n, t in enumerate(texts)]


def test_a_messy_file_is_clean_but_for_what_needs_a_person() -> None:
    result = fixed(lab(MESSY))
    text = result.texts["s0/compose.yaml"]
    order = [re.split(r"(?m)^(?=networks:|volumes:)", t) for t in (text, FIXED)]
    assert sorted(p.strip() for p in order[0]) == sorted(p.strip() for p in order[1])
    assert not [f for f in result.findings if f.severity is Severity.ERROR]
    assert not result.env and not result.dropped
    assert result.findings == lint(lab(text))


def test_a_second_run_changes_nothing() -> None:
    for unsafe in (False, True):
        first = fixed(lab(MESSY), unsafe=unsafe)
        stack = LintStack("s0", "s0/compose.yaml", first.texts["s0/compose.yaml"], first.env.get("s0/.env", {}))
        assert fixed([stack], unsafe=unsafe).texts == {}


def test_suggestions_are_applied_only_when_asked_for() -> None:
    result = fixed(lab(MESSY), unsafe=True)
    text = result.texts["s0/compose.yaml"]
    assert "hunter2hunter2" not in text
    assert result.env == {"s0/.env": {"POSTGRES_PASSWORD": "hunter2hunter2"}}
    assert load(text)["services"]["web"]["mem_limit"] == "512m"


def test_only_the_rules_and_files_asked_for() -> None:
    result = fixed(lab(MESSY, MESSY), rules={"HL014"}, report={"s1/compose.yaml"})
    assert list(result.texts) == ["s1/compose.yaml"]
    assert result.texts["s1/compose.yaml"] == MESSY.replace("allways", "always")


def test_a_fix_that_would_bring_something_as_bad_is_dropped_and_the_others_stay() -> None:
    text = "services:\n  web:\n    image: nginx:1.29\n    restart: allways\n    labels: {P: q}\n"
    clash = (
        "services:\n  db:\n    image: postgres:17.2\n    restart: always\n    container_name: web-0\n"
        "  more:\n    image: nginx:1.29\n    container_name: web-0\n"
    )
    hidden = "services:\n  web:\n    image: nginx:1.29\n    networks: front\n"
    assert [(f.rule, why) for f, why in fixed(lab(hidden)).dropped] == [("HL010", "it would bring HL020")]
    result = fixed(lab(text, clash), unsafe=True, rules={"HL014", "HL042"})
    assert result.texts["s0/compose.yaml"] == text.replace("allways", "always")
    assert "container_name: more" in result.texts["s1/compose.yaml"]
    # The port that a label should have is the one whose publishing then goes round the proxy.
    port = (
        "services:\n  web:\n    image: nginx:1.29\n    restart: allways\n    ports: ['8080:80']\n    labels:\n"
        "      traefik.http.routers.web.rule: Host(`a.example.org`)\n"
        "      traefik.http.services.web.loadbalancer.server.port: '81'\n"
    )
    result = fixed(lab(port), unsafe=True, rules={"HL061", "HL014"})
    # HL014 is an error of the same service, so that the warning behind it may show when both are judged together.
    alone = fixed(lab(port.replace("allways", "always")), unsafe=True, rules={"HL061"})
    assert alone.texts == {}
    assert [(f.rule, why) for f, why in alone.dropped] == [("HL061", "it would bring HL044")]
    assert "restart: always" in result.texts["s0/compose.yaml"]


def test_two_services_with_one_variable_and_two_values_keep_both() -> None:
    text = "services:\n" + "".join(
        f"  {n}:\n    image: nginx:1.29\n    environment: {{DB_PASSWORD: {v}}}\n"
        for n, v in (("a", "first-value"), ("b", "second-value"), ("c", "first-value"))
    )
    result = fixed(lab(text), unsafe=True, rules={"HL054"})
    env = result.env["s0/.env"]
    data = load(result.texts["s0/compose.yaml"])["services"]
    for name, value in (("a", "first-value"), ("b", "second-value"), ("c", "first-value")):
        assert env[data[name]["environment"]["DB_PASSWORD"][2:-1]] == value


# Every rule's example, 10 s of a processor.
@pytest.mark.timeout(120)
def test_a_lab_of_the_rules_examples_is_fixed_without_a_new_error() -> None:
    for rule in all_rules():
        before = lab(rule.bad + "\n")
        check(before, fixed(before), unsafe=False)
        check(before, fixed(before, unsafe=True), unsafe=True)


def as_counts(findings: tuple[Finding, ...]) -> Counter[str]:
    return Counter(f.rule for f in findings)


def check(before: list[LintStack], result: Fixed, *, unsafe: bool) -> None:
    after = [
        LintStack(s.name, s.file, result.texts.get(s.file, s.text), {**s.env, **result.env.get("s0/.env", {})})
        for s in before
    ]
    for old, new in zip(before, after, strict=True):
        try:
            load(old.text)
        except YamlRefused:
            continue
        load(new.text)
    found, left = lint(before), lint(after)
    errors = [sum(f.severity is Severity.ERROR for f in part) for part in (found, left)]
    assert errors[1] <= errors[0]
    warnings = [sum(f.severity is Severity.WARNING for f in part) for part in (found, left)]
    assert warnings[1] <= warnings[0] or errors[1] < errors[0]
    if not result.fixed:
        assert [s.text for s in after] == [s.text for s in before]
    again = fixed(after, unsafe=unsafe)
    assert again.texts == {}, [f.as_line() for f in again.fixed]


PIECES = [
    *(r.bad for r in all_rules()),
    *(
        block.partition("\n")[2].partition("-->\n")[0]
        for block in (Path(__file__).parent / "fixes.txt").read_text().split("=== ")[1:]
    ),
]
DAMAGE = ["", "\t", "'", '"', "{", "]", ": ", "# ", "&a ", "*a", "\ufeff", "\x85", "${", "- ", "\n"]
LINES = sorted({line for piece in PIECES for line in piece.split("\n")})


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(st.sampled_from(LINES), min_size=1, max_size=14), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_lines_thrown_together_never_raise_nor_get_worse(lines: list[str], newline: str, unsafe: bool) -> None:
    before = lab(newline.join(["services:", "  web:", *lines, ""]))
    check(before, fixed(before, unsafe=unsafe), unsafe=unsafe)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(PIECES), st.data(), st.booleans())
def test_damaged_files_never_raise_nor_get_worse(piece: str, data: st.DataObject, unsafe: bool) -> None:
    at = data.draw(st.integers(0, len(piece)))
    put = data.draw(st.sampled_from(DAMAGE))
    before = lab(piece[:at] + put + piece[at + data.draw(st.integers(0, 2)) :])
    check(before, fixed(before, unsafe=unsafe), unsafe=unsafe)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_any_text_at_all(text: str) -> None:
    before = lab(text)
    check(before, fixed(before), unsafe=False)
