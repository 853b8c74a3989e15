"""Stacks of more than one file: where findings point, what silences them, and what is too much."""

# ruff: noqa: E501 (one case a line reads best)

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.core.checks.view import StackView
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.finding import Finding

WEB = "services:\n  web:\n    image: nginx:1.29\n"


class Folder:
    """Texts by path; a path that begins with ``hidden`` may not be read."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self.asked: list[str] = []

    def read(self, path: str) -> str | None:
        self.asked.append(path)
        if path.startswith("hidden"):
            raise InvalidInput("It is outside the lab.")
        return self.texts.get(path)


def stack(first: str, *others: str, **beside: str) -> LintStack:
    folder = Folder({name.replace("__", "/") + ".yaml": text for name, text in beside.items()})
    more = tuple((f"s/over{n}.yaml", text) for n, text in enumerate(others))
    return LintStack("s", "s/compose.yaml", first, {}, others=more, read=folder.read)


def told(of: LintStack, *rules: str) -> list[tuple[str, str, int, int]]:
    return [(f.rule, f.file, f.line, f.column) for f in lint([of]) if f.rule in rules]


def test_a_finding_points_into_the_file_its_value_is_written_in() -> None:
    over = "services:\n  web:\n    # the override\n    restart: allways\n    labels:\n      - a=1\n      - traefik.enabled=true\n"
    assert told(stack(f"{WEB}    labels: {{b: 1}}\n", over), "HL014", "HL065") == [
        ("HL014", "s/over0.yaml", 4, 14),
        ("HL065", "s/over0.yaml", 7, 9),
    ]


def test_a_value_that_an_override_takes_away_is_not_judged() -> None:
    assert told(stack(f"{WEB}    restart: allways\n"), "HL014")
    assert not told(stack(f"{WEB}    restart: allways\n", "services: {web: {restart: always}}\n"), "HL014")
    assert not told(stack(f"{WEB}    restart: allways\n", "services: {web: {restart: !reset null}}\n"), "HL014")
    assert told(stack(f"{WEB}    ports: ['80:80', '80:81']\n"), "HL041")
    assert not told(stack(f"{WEB}    ports: ['80:80', '80:81']\n", "services: {web: {ports: !override []}}\n"), "HL041")


def test_what_another_file_defines_is_not_missing() -> None:
    base = f"{WEB}    networks: [front]\n    depends_on: [db]\n"
    more = "services: {db: {image: 'postgres:17.2'}}\nnetworks: {front: {}}\n"
    assert told(stack(base), "HL020", "HL030")
    assert not told(stack(base, more), "HL020", "HL030")
    assert not told(stack(f"include: [more.yaml]\n{base}", s__more=more), "HL020", "HL030")


def test_an_extended_service_brings_its_values_and_their_places() -> None:
    base = "services:\n  base:\n    image: nginx:1.29\n    restart: allways\n"
    of = stack("services:\n  web:\n    extends: {service: base, file: ../common.yaml}\n", common=base)
    assert told(of, "HL012", "HL014") == [("HL014", "common.yaml", 4, 14)]


def test_only_what_is_taken_of_an_extended_file_is_judged() -> None:
    base = "services:\n  base:\n    image: nginx:1.29\n  other:\n    imgae: x\n    restart: 5\n"
    of = stack("services:\n  web:\n    extends: {service: base, file: base.yaml}\n", s__base=base)
    assert not told(of, "HL010", "HL011")
    taken = stack("services:\n  web:\n    extends: {service: other, file: base.yaml}\n", s__base=base)
    assert told(taken, "HL010", "HL011") == [("HL011", "s/base.yaml", 5, 5), ("HL010", "s/base.yaml", 6, 14)]


def test_an_included_file_is_judged_whole() -> None:
    of = stack(f"include: [more.yaml]\n{WEB}", s__more="services:\n  b:\n    image: x:1.0\n    imgae: y\n")
    assert told(of, "HL011") == [("HL011", "s/more.yaml", 4, 5)]


def test_items_that_only_together_are_twice_are_told_where_the_second_is() -> None:
    text = f"{WEB}    security_opt: [no-new-privileges:true]\n"
    found = lint([stack(text, "services:\n  web:\n    security_opt: ['no-new-privileges:true']\n")])
    assert [f.message for f in found if f.rule == "HL010"] == ["'security_opt' has an item twice."]


def test_a_comment_silences_in_its_own_file_only() -> None:
    base = f"{WEB}    restart: always  # homelab: ignore=HL014\n"
    over = "services:\n  web:\n    image: nginx:1.29\n    restart: allways{}\n"
    assert told(stack(base, over.format("")), "HL014") == [("HL014", "s/over0.yaml", 4, 14)]
    assert not told(stack(base, over.format("  # homelab: ignore=HL014 so be it")), "HL014")


def test_reporting_a_stack_reports_all_its_files() -> None:
    of = stack(WEB, "services:\n  web:\n    restart: allways\n")
    other = LintStack("t", "t/compose.yaml", f"{WEB}    restart: allways\n", {})
    assert {f.file for f in lint([of, other], report=["s/compose.yaml"]) if f.rule == "HL014"} == {"s/over0.yaml"}


def test_a_missing_file_is_told_where_it_is_named() -> None:
    of = stack("include:\n  - path: [a.yaml, gone.yaml]\n" + WEB, s__a="services: {}\n")
    assert told(of, "HL106") == [("HL106", "s/compose.yaml", 2, 20)]


def test_a_file_that_may_not_be_read_makes_nothing_missing() -> None:
    of = stack(f"include: [../hidden/more.yaml]\n{WEB}    networks: [front]\n")
    assert told(of, "HL106", "HL020", "HL108") == [("HL108", "s/compose.yaml", 1, 11)]
    extending = stack("services:\n  web:\n    extends: {service: a, file: ../hidden/a.yaml}\n")
    assert told(extending, "HL012", "HL106", "HL108") == [("HL108", "s/compose.yaml", 3, 33)]


def test_pasted_text_reads_nothing_but_is_merged_with_itself() -> None:
    text = "services:\n  web:\n    extends: base\n    restart: allways\n  base:\n    image: nginx:1.29\n"
    found = lint([LintStack("s", "c.yaml", f"include: [more.yaml]\n{text}", {})])
    assert {(f.rule, f.line) for f in found if f.rule in {"HL012", "HL014", "HL108"}} == {("HL014", 5), ("HL108", 1)}


def test_an_included_file_that_is_no_yaml_is_told_in_it_and_the_rest_is_judged() -> None:
    of = stack(f"include: [more.yaml]\n{WEB}    restart: allways\n    networks: [front]\n", s__more="services: [\n")
    assert [(r, f) for r, f, _, _ in told(of, "HL001", "HL014", "HL020")] == [
        ("HL014", "s/compose.yaml"),
        ("HL001", "s/more.yaml"),
    ]


def test_paths_of_an_included_file_are_seen_from_the_stack() -> None:
    more = "services:\n  b:\n    image: x:1.0\n    env_file: [b.env, ../c.env]\n    build: .\n"
    asked: list[str] = []

    def exists(path: str) -> bool:
        asked.append(path)
        return path == "./sub/b.env"

    folder = Folder({"s/sub/more.yaml": more})
    of = LintStack("s", "s/compose.yaml", "include: [sub/more.yaml]\n", {}, exists, read=folder.read)
    assert told(of, "HL106") == [("HL106", "s/sub/more.yaml", 4, 23)]
    assert {"./sub/b.env", "./c.env"} <= set(asked)


def test_variables_of_an_included_file_come_from_its_own_env_too() -> None:
    more = "services:\n  b:\n    image: x:${TAG}\n    labels: [a=$GONE]\n"
    folder = Folder({"s/sub/more.yaml": more, "s/sub/.env": "TAG=1.0\n"})
    of = LintStack("s", "s/compose.yaml", "include: [sub/more.yaml]\n", {}, read=folder.read)
    assert told(of, "HL050") == [("HL050", "s/sub/more.yaml", 4, 14)]


def test_several_documents_are_one_stack() -> None:
    of = stack(f"{WEB}---\nservices:\n  web:\n    restart: allways\n---\nservices: [\n")
    assert told(of, "HL001", "HL014") == [("HL001", "s/compose.yaml", 10, 1)]
    assert told(stack(f"{WEB}---\nservices:\n  web:\n    restart: allways\n"), "HL001", "HL014") == [
        ("HL014", "s/compose.yaml", 7, 14)
    ]
    # Compose refuses an empty document, also a last one.
    assert told(stack(f"{WEB}---\n"), "HL010") == [("HL010", "s/compose.yaml", 5, 1)]


def test_one_stack_s_clash_with_another_is_seen_through_an_override() -> None:
    other = LintStack("t", "t/compose.yaml", f"{WEB}    ports: ['80:80']\n", {})
    found = lint([stack(WEB, "services:\n  web:\n    ports: ['80:81']\n"), other])
    assert {(f.file, f.line) for f in found if f.rule == "HL041"} == {("s/over0.yaml", 3), ("t/compose.yaml", 4)}


# --- what is too much -------------------------------------------------------------------------------------------------


def quickly(of: LintStack) -> list[Finding]:
    started = time.process_time()
    found = list(lint([of]))
    assert time.process_time() - started < 2
    return found


def test_a_bomb_of_files_is_refused() -> None:
    texts = {f"s__f{n}": f"include: [f{n + 1}.yaml, ./f{n + 1}.yaml]\n" for n in range(18)}
    found = quickly(stack("include: [f0.yaml]\n" + WEB, s__f18=WEB, **texts))
    assert [f.rule for f in found if f.severity == "error"] == ["HL003"]


def test_a_bomb_of_extended_services_is_refused() -> None:
    keys = "".join(f"      K{n}: x\n" for n in range(5000))
    base = f"services:\n  base:\n    image: x:1.0\n    environment:\n{keys}"
    heirs = "".join(f"  h{n}:\n    extends: base\n    environment: [A=1]\n" for n in range(2000))
    assert [f.rule for f in quickly(stack(base + heirs)) if f.severity == "error"] == ["HL003"]
    shared = "".join(f"  h{n}:\n    extends: base\n" for n in range(2000))
    assert [f.rule for f in quickly(stack(base + shared)) if f.severity == "error"] == ["HL003"]


def test_a_long_way_of_files_ends() -> None:
    texts = {f"s__f{n}": f"include: [f{n + 1}.yaml]\n" for n in range(60)}
    found = quickly(stack("include: [f0.yaml]\n", **texts))
    assert "HL038" in {f.rule for f in found}


def test_honest_use_of_one_template_is_fine() -> None:
    base = f"services:\n  base:\n    image: x:1.0\n    labels: [{', '.join(f'a{n}=1' for n in range(30))}]\n"
    heirs = "".join(f"  h{n}:\n    extends: base\n    ports: ['{8000 + n}:80']\n" for n in range(300))
    assert "HL003" not in {f.rule for f in quickly(stack(base + heirs))}


def test_a_stack_of_one_file_loads_nothing_of_this() -> None:
    code = (
        "import sys; from homelab_mcp.core.checks import LintStack, lint;"
        f"lint([LintStack('s', 'c.yaml', {WEB!r}, {{}})]);"
        "assert not {m for m in sys.modules if m.endswith(('compose_load', 'compose_merge', 'compose_extends'))}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_model_of_several_files_is_made_once() -> None:
    folder = Folder({"s/a.yaml": "services: {a: {image: 'x:1.0'}}\n"})
    text = "services:\n" + "".join(f"  w{n}: {{extends: {{service: a, file: a.yaml}}}}\n" for n in range(50))
    view = StackView(LintStack("s", "s/compose.yaml", text, {}, read=folder.read))
    assert len(view.services) == 50
    assert folder.asked == ["s/a.yaml"]


# --- nothing raises ---------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    ["a.yaml", "b.yaml", "../x.yaml", "web", "db", "", "hidden.yaml", "https://x/y", "${V}", "./d:/d"]
)
LEAVES = st.none() | st.booleans() | st.integers(0, 90) | WORDS
NAMES = st.sampled_from(
    [
        "file",
        "service",
        "path",
        "env_file",
        "project_directory",
        "image",
        "ports",
        "volumes",
        "environment",
        "labels",
        "extends",
        "build",
        "networks",
        "depends_on",
        "logging",
        "ulimits",
        "deploy",
        "ipam",
        "config",
        "A",
    ]
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))
SERVICES = st.dictionaries(
    st.sampled_from(["web", "db"]), st.dictionaries(NAMES, VALUES, max_size=4) | VALUES, max_size=2
)
FILES = st.fixed_dictionaries(
    {},
    optional={"services": SERVICES | VALUES, "include": VALUES, "networks": VALUES, "volumes": VALUES, "name": VALUES},
)


@settings(max_examples=120, deadline=None)
@given(st.lists(FILES | VALUES, min_size=4, max_size=4), st.booleans())
def test_no_files_raise_out_of_the_linter(datas: list[object], documents: bool) -> None:
    import yaml

    first, second, a, b = (yaml.safe_dump(data) for data in datas)
    folder = Folder({"a.yaml": a, "b.yaml": b})
    text = f"{first}---\n{a}" if documents else first
    of = LintStack("s", "c.yaml", text, {"V": "a.yaml"}, bool, (("o.yaml", second),), folder.read)
    for finding in lint([of]):
        assert finding.line >= 1
        assert finding.file in {"c.yaml", "o.yaml", "a.yaml", "b.yaml", "x.yaml"}


@pytest.mark.parametrize("tag", ["!reset", "!override"])
def test_tags_in_odd_places_do_no_harm(tag: str) -> None:
    texts = [
        f"{tag} services: {{}}\n",
        f"services: {tag}\n  web: {{image: x}}\n",
        f"services:\n  web:\n    ports: [{tag} '80:80', '81:81']\n    <<: {{labels: {tag} null}}\n",
        f"x-a: &a {{labels: {tag} [q=1]}}\nservices:\n  web:\n    <<: [*a]\n    image: x:1.0\n",
    ]
    for text in texts:
        lint([stack(text)])
        lint([stack(WEB, text), stack(text, WEB)])
