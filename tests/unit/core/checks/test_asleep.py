"""Services whose profiles are switched off: Compose leaves them out, so what it would refuse is a warning."""

from __future__ import annotations

import pytest

from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.model.finding import Severity

TEXT = """services:
  web: {image: nginx:1.29}
  job:
    image: busybox:1.37
    profiles: [PROFILE]
    networks: [gone]
    depends_on: [nobody]
"""


def severities(text: str, **env: str) -> dict[str, Severity]:
    found = lint([LintStack("s", "s/compose.yaml", text, env)])
    return {f.rule: f.severity for f in found if f.rule in ("HL020", "HL030")}


def test_what_a_sleeping_service_lacks_is_a_warning_that_says_when_it_fails() -> None:
    assert severities(TEXT) == {"HL020": Severity.WARNING, "HL030": Severity.WARNING}
    told = [f.message for f in lint([LintStack("s", "s/compose.yaml", TEXT, {})]) if f.rule == "HL020"]
    assert told and "once a profile" in told[0]


@pytest.mark.parametrize("switched", ["PROFILE", "other, PROFILE", "*"])
def test_it_is_an_error_where_the_profile_is_switched_on(switched: str) -> None:
    assert set(severities(TEXT, COMPOSE_PROFILES=switched).values()) == {Severity.ERROR}


def test_it_is_an_error_without_profiles() -> None:
    assert set(severities(TEXT.replace("    profiles: [PROFILE]\n", "")).values()) == {Severity.ERROR}


def test_what_compose_reads_of_every_service_stays_an_error() -> None:
    text = TEXT.replace("    networks: [gone]\n", "    mem_limit: 3 megs\n").replace("    depends_on: [nobody]\n", "")
    (found,) = [f for f in lint([LintStack("s", "s/compose.yaml", text, {})]) if f.rule == "HL017"]
    assert found.severity is Severity.ERROR


def test_a_file_of_two_stacks_is_judged_by_the_one_that_starts_it() -> None:
    text = TEXT.replace("  web: {image: nginx:1.29}\n", "")
    shared = {"shared.yaml": text}

    def stack(name: str, **env: str) -> LintStack:
        including = "include: [../shared.yaml]\n"
        return LintStack(name, f"{name}/compose.yaml", including, env, lambda path: path in shared, (), shared.get)

    for order in ([stack("a", COMPOSE_PROFILES="PROFILE"), stack("b")], [stack("b"), stack("a", COMPOSE_PROFILES="*")]):
        found = [f for f in lint(order) if f.rule == "HL020"]
        assert {f.severity for f in found} == {Severity.ERROR}, found
    assert {f.severity for f in lint([stack("b")]) if f.rule == "HL020"} == {Severity.WARNING}
