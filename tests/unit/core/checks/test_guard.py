"""A rule that fails ends no look at a lab: it is told and logged, and the other rules go on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from homelab_mcp.core.checks import LintStack, fixes, frame, guard, lint
from homelab_mcp.core.checks.engine_rules import listed_rules
from homelab_mcp.core.checks.frame import LintContext, all_rules
from homelab_mcp.core.checks.view import Lab, StackView
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.lab import LintSettings
from homelab_mcp.queries.validate import validate_text
from tests.unit.core.checks.corpus_reader import Case, read_cases

TEXT = "services:\n  web:\n    image: nginx:latest\n  db:\n    image: postgres:latest\n"
STACK = LintStack("s", "s/compose.yaml", TEXT, {})
OTHER = LintStack("t", "t/compose.yaml", TEXT, {})


def fails(ctx: LintContext) -> Iterator[Finding]:
    yield ctx.at(ctx.lab.stacks[0], ("services", "web", "image"), "Said before.")
    raise TypeError("hunter2")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = tuple(replace(r, check=fails) if r.id == "HL110" else r for r in all_rules())
    monkeypatch.setattr(frame, "all_rules", lambda: rules)
    monkeypatch.setattr(guard, "STRICT", False)


@pytest.mark.usefixtures("failing")
def test_a_rule_that_fails_is_told_and_logged_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        found = lint([STACK])

    told = [f for f in found if f.rule == "HL903"]
    assert [(f.file, f.line, f.severity) for f in told] == [("s/compose.yaml", 1, Severity.WARNING)]
    assert "HL110" in told[0].message
    assert "TypeError" in told[0].message
    assert "report" in told[0].message
    assert "hunter2" not in told[0].message
    assert {"HL110", "HL112"} <= {f.rule for f in found}
    assert "HL110" in caplog.text
    assert "hunter2" in caplog.text


@pytest.mark.usefixtures("failing")
def test_it_is_told_for_the_files_that_were_asked_for() -> None:
    assert [f.file for f in lint([STACK, OTHER], report=["t/compose.yaml"]) if f.rule == "HL903"] == ["t/compose.yaml"]
    assert "HL903" in {f.rule for f in validate_text(TEXT).findings}


@pytest.mark.usefixtures("failing")
def test_settings_hold_for_it_as_for_any_other() -> None:
    assert "HL903" not in {f.rule for f in lint([STACK], settings=LintSettings(ignore=("HL903",)))}
    softer = lint([STACK], settings=LintSettings(severity={"HL903": "info"}))
    assert {f.severity for f in softer if f.rule == "HL903"} == {Severity.INFO}
    assert "HL903" in {r.id for r in listed_rules()}


@pytest.mark.usefixtures("failing")
def test_tests_see_a_rule_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "STRICT", True)
    with pytest.raises(TypeError, match="hunter2"):
        lint([STACK])


def test_every_test_is_strict() -> None:
    assert guard.STRICT


def broken(*_: object) -> None:
    raise KeyError("x")


def test_what_lies_before_and_behind_the_rules_ends_nothing_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "STRICT", False)
    monkeypatch.setattr(frame, "StackView", lambda s: broken() if s.name == "s" else StackView(s))
    monkeypatch.setattr(Lab, "authelia_files", property(broken))
    monkeypatch.setattr(fixes, "fix_for", broken)

    found = lint([STACK, OTHER], fixes=True)

    told = {f.message.partition(" failed")[0]: f.file for f in found if f.rule == "HL903"}
    assert told["Reading this stack"] == "s/compose.yaml"
    assert "Reading Authelia's files" in told
    assert any(what.startswith("The fix for") for what in told)
    assert {f.file for f in found if f.rule == "HL110"} == {"t/compose.yaml"}


@pytest.mark.parametrize(
    ("report", "where", "what"),
    [
        (None, "s/compose.yaml", "Reading this stack failed"),
        (["s/compose.yaml"], "s/compose.yaml", "Reading this stack failed"),
        (["t/compose.yaml"], "t/compose.yaml", "Reading s/compose.yaml failed"),
    ],
)
def test_a_stack_that_cannot_be_read_is_told_where_somebody_asked(
    report: list[str] | None, where: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "STRICT", False)
    monkeypatch.setattr(frame, "StackView", lambda s: broken() if s.name == "s" else StackView(s))

    (told,) = [f for f in lint([STACK, OTHER], report=report) if f.rule == "HL903"]
    assert told.file == where
    assert told.message.startswith(what)


SERVICE = "services:\n  %s:\n    image: nginx:1.29\n    labels:\n      traefik.http.%s: '%s'\n"
NAMED = LintStack("s", "s/compose.yaml", SERVICE % ("a", "services.films.loadbalancer.server.port", "80"), {})
NEAR = LintStack("t", "t/compose.yaml", SERVICE % ("b", "services.film.loadbalancer.server.port", "80"), {})
ASKS = LintStack("u", "u/compose.yaml", SERVICE % ("c", "routers.c.service", "films@docker"), {})
UNSEEN = {
    "fails": NAMED,
    "is no YAML": replace(NAMED, text="services: [\n"),
    "includes what nobody may read": replace(NAMED, text="include: [../../far/compose.yaml]\n"),
    "extends what nobody may read": replace(
        NAMED, text="services:\n  a:\n    extends: {file: ../../far/compose.yaml, service: a}\n"
    ),
}


@pytest.mark.parametrize("how", UNSEEN)
def test_what_an_unseen_stack_may_define_is_not_missing_and_nothing_is_mended(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "fails":
        monkeypatch.setattr(guard, "STRICT", False)
        monkeypatch.setattr(frame, "StackView", lambda s: broken() if s.name == "s" else StackView(s))

    assert [f for f in lint([UNSEEN[how], NEAR, ASKS], fixes=True) if f.rule == "HL066"] == []
    assert [f.rule for f in lint([NEAR, ASKS]) if f.rule == "HL066"] == ["HL066"]


def _labs() -> Iterator[Case]:
    here = Path(__file__).parent
    for path in sorted((*here.glob("corpus/HL*.txt"), *here.glob("realistic/*.txt"), here / "seeded" / "clean.txt")):
        yield from (c for c in read_cases(path) if len(c.stacks) > 1 and not c.title.startswith("bad: "))


def test_a_stack_that_cannot_be_looked_at_makes_no_error_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "STRICT", False)
    more: list[str] = []
    for case in _labs():
        told = lint(case.stacks, facts=case.facts)
        known = {(f.rule, f.file, f.line) for f in told if f.severity is Severity.ERROR}
        for gone in case.stacks:
            with monkeypatch.context() as patch:
                patch.setattr(
                    frame, "StackView", lambda s, name=gone.name: broken() if s.name == name else StackView(s)
                )
                found = lint(case.stacks, facts=case.facts)
            new = (f for f in found if f.severity is Severity.ERROR and (f.rule, f.file, f.line) not in known)
            # Of two proxies in one lab HL247 says nothing, as each may be another's.
            more += [f"{case.title}: {f.as_line()}" for f in new if f.rule != "HL247"]

    assert more == []


ROUTED = """services:
  %s:
    image: amir20/dozzle:v8.13
    labels:
      traefik.http.routers.%s.rule: Host(`%s.example.org`)
"""


def test_a_middleware_that_nobody_sees_may_ask_for_log_in_and_is_no_sign_on_of_the_lab() -> None:
    with_it = ROUTED.replace(
        "(`%s.example.org`)\n", "(`%s.example.org`)\n      traefik.http.routers.a.middlewares: x\n"
    )
    stacks = [
        LintStack("t", "t/c.yaml", with_it % ("a", "a", "a"), {}),
        LintStack("u", "u/c.yaml", ROUTED % (("b",) * 3), {}),
    ]

    whole = {(f.rule, f.file) for f in lint(stacks) if f.rule in ("HL080", "HL088")}
    partly = {(f.rule, f.file) for f in lint([UNSEEN["is no YAML"], *stacks]) if f.rule in ("HL080", "HL088")}
    assert whole == {("HL088", "t/c.yaml"), ("HL088", "u/c.yaml")}
    assert partly == {("HL088", "u/c.yaml")}


TRAEFIK = (
    "services:\n  traefik:\n    image: traefik:v3.6.1\n    volumes: ['./traefik.yml:/etc/traefik/traefik.yml:ro']\n"
)
LABELS_OF = "services:\n  d:\n    image: nginx:1.29\n    label_file: more.labels\n"


@pytest.mark.parametrize("unseen", [UNSEEN["is no YAML"], LintStack("v", "v/c.yaml", LABELS_OF, {})])
@pytest.mark.parametrize(
    ("name", "traefik", "told"),
    [
        ("x", True, False),
        ("x@docker", True, False),
        ("x@file", False, False),
        ("x@file", True, True),
        ("secure-headers", True, True),
        ("without-auth@docker", False, True),
    ],
)
def test_a_middleware_asks_for_log_in_only_where_an_unseen_label_may_make_it(
    name: str, unseen: LintStack, *, traefik: bool, told: bool
) -> None:
    text = ROUTED % (("a",) * 3) + f"      traefik.http.routers.a.middlewares: {name}\n"
    stacks = [LintStack("t", "t/c.yaml", text, {})]
    stacks += [LintStack("p", "p/c.yaml", TRAEFIK, {})] if traefik else []
    found = {(f.rule, f.file) for f in lint([unseen, *stacks])}
    assert (("HL088", "t/c.yaml") in found) is told
