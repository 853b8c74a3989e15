"""How rules are listed, silenced, sorted, and documented; and that nothing raises out of the linter."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from homelab_mcp.core.checks import LabFacts, LintStack, lint
from homelab_mcp.core.checks.frame import all_rules, rule
from homelab_mcp.core.checks.schema import schema
from homelab_mcp.model.finding import Severity

ROOT = Path(__file__).resolve().parents[4]
LATEST = "services:\n  web:\n    image: nginx:latest{same}\n"


def rules_at(text: str, line: int) -> set[str]:
    return {f.rule for f in lint([LintStack("s", "c.yaml", text, {})]) if f.line == line}


def test_a_comment_on_the_line_or_above_silences_the_rule_named() -> None:
    assert "HL110" in rules_at(LATEST.format(same=""), 3)
    assert "HL110" not in rules_at(LATEST.format(same="  # homelab: ignore=HL110 we like it"), 3)
    above = "services:\n  web:\n    # homelab: ignore=HL111, HL110 both\n    image: nginx:latest\n"
    assert "HL110" not in rules_at(above, 4)


def test_a_comment_silences_no_other_rule_and_no_other_line() -> None:
    assert "HL110" in rules_at(LATEST.format(same="  # homelab: ignore=HL111"), 3)
    elsewhere = "services:\n  # homelab: ignore=HL110\n  web:\n    image: nginx:latest\n"
    assert "HL110" in rules_at(elsewhere, 4)


LONG = """services:
  web:
    image: nginx:1.29
    volumes:
{above}      - type: bind{same}
        # the way in

        source: /var/run/docker.sock
        target: /var/run/docker.sock
      - type: bind
        source: /var/run/docker.sock
        target: /run/docker.sock
"""


def socket_lines(text: str) -> list[int]:
    return [f.line for f in lint([LintStack("s", "c.yaml", text, {})]) if f.rule == "HL091"]


def test_a_comment_at_the_first_line_of_an_item_silences_the_item_and_no_other() -> None:
    plain = socket_lines(LONG.format(above="", same=""))
    assert plain == [8, 11]
    assert socket_lines(LONG.format(above="", same=" # homelab: ignore=HL091 it has to")) == [11]
    assert socket_lines(LONG.format(above="      # homelab: ignore=HL091 it has to\n", same="")) == [12]
    assert socket_lines(LONG.format(above="      # homelab: ignore=HL092 another\n", same="")) == [9, 12]


EXTERNAL = """services:
  web: {{image: a, networks: [p]}}
networks:
{above}  p:{same}
    external: true
    name: proxy{name}
"""


@pytest.mark.parametrize("place", ["above", "same", "name"])
def test_a_comment_at_a_network_silences_what_is_said_at_its_name(place: str) -> None:
    def told(rule_id: str) -> list[int]:
        said = f"  # homelab: ignore={rule_id} made by hand"
        text = EXTERNAL.format_map({"above": "", "same": "", "name": ""} | {place: said + "\n" * (place == "above")})
        found = lint([LintStack("s", "c.yaml", text, {})], facts=LabFacts(networks=set()))
        return [f.line for f in found if f.rule == "HL025"]

    assert told("HL025") == []
    assert told("HL020") == [6 + (place == "above")]


def test_only_the_files_asked_for_are_reported_though_all_are_looked_at() -> None:
    text = "services:\n  web:\n    image: nginx:1.29\n    ports: ['80:80']\n"
    stacks = [LintStack("a", "a.yaml", text, {}), LintStack("b", "b.yaml", text, {})]
    findings = lint(stacks, report=["b.yaml"])
    assert {f.file for f in findings} == {"b.yaml"}
    assert [f.rule for f in findings if f.severity is Severity.ERROR] == ["HL041"]


def test_findings_come_in_the_order_of_the_file() -> None:
    text = "version: '3'\nservices:\n  b:\n    image: x\n  a:\n    image: y\n"
    findings = lint([LintStack("s", "b.yaml", text, {}), LintStack("t", "a.yaml", text, {})])
    keys = [(f.file, f.line, f.column, f.rule) for f in findings]
    assert keys == sorted(keys)


def test_ids_are_unique_and_a_taken_one_is_refused() -> None:
    ids = [r.id for r in all_rules()]
    assert len(ids) == len(set(ids)) >= 45
    with pytest.raises(ValueError, match="twice"):
        rule(ids[0], Severity.INFO, "", why="", link="", bad="", good="")(lambda ctx: [])


def test_the_rules_page_is_current() -> None:
    done = subprocess.run([sys.executable, ROOT / "script" / "rules-doc", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_vendored_schema_is_the_one_check_jsonschema_has() -> None:
    theirs = files("check_jsonschema.builtin_schemas").joinpath("vendor/compose-spec.json").read_text("utf-8")
    assert schema() == json.loads(theirs)


KEYS = st.sampled_from(
    [
        "image",
        "ports",
        "volumes",
        "environment",
        "labels",
        "networks",
        "depends_on",
        "healthcheck",
        "deploy",
        "restart",
        "build",
        "env_file",
        "extends",
        "command",
        "network_mode",
        "secrets",
        "configs",
        "cap_add",
        "logging",
        "profiles",
        "container_name",
        "x-a",
        "nonsense",
    ]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        ["80:80", "a:b:c", "${V}", "${V:?x}", "$", "traefik.http.routers.x.rule=Host(`a`)", "/:/", "service:x"]
    ),
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=8), inner, max_size=3)
)
SERVICES = st.dictionaries(
    st.sampled_from(["web", "db", "traefik"]), st.dictionaries(KEYS, VALUES, max_size=6) | VALUES
)
FILES = st.fixed_dictionaries(
    {"services": SERVICES},
    optional={"networks": VALUES, "volumes": VALUES, "include": VALUES, "name": VALUES, "secrets": VALUES},
)


@settings(max_examples=150, deadline=None)
@given(FILES | VALUES)
def test_no_data_raises_out_of_the_linter(data: object) -> None:
    text = yaml.safe_dump(data, allow_unicode=True)
    stacks = [LintStack("s", "c.yaml", text, {"V": "80:80"}, bool), LintStack("t", "d.yaml", text, {})]
    for finding in lint(stacks, facts=LabFacts(networks=set())):
        assert finding.line >= 1
        assert finding.message


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=120))
def test_no_text_raises_out_of_the_linter(text: str) -> None:
    lint([LintStack("s", "c.yaml", text, {})])
