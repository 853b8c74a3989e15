"""Changing one service: exactly the change that was asked, every other byte as it was, and a way back."""

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homelab_mcp.core import yaml12
from homelab_mcp.core.compose_edit import remove_service
from homelab_mcp.core.compose_meaning import read
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.core.text_edits import apply_edits
from homelab_mcp.model.errors import EditRefused, HomelabError, NotFound
from tests.unit.core.checks.corpus_reader import read_cases

HERE = Path(__file__).parent
HAND_WRITTEN = (HERE / "data" / "hand-written.yaml").read_bytes().decode()


def named(text: str) -> list[str]:
    """The services of a file that can be edited: one document, each service a mapping."""
    try:
        services = read(text).get("services") or {}
    except HomelabError:
        return []
    return [name for name, block in services.items() if isinstance(block, dict)]


REALISTIC = [
    (f"{path.stem}: {case.title}", stack.text)
    for path in sorted((HERE / "checks" / "realistic").glob("*.txt"))
    for case in read_cases(path)
    for stack in case.stacks
    if named(stack.text)
]

PLAIN = """\
services:
  # the first one
  app:
    image: "x:1" # pinned
    restart: unless-stopped
    ports:
      - 8080:80 # web
      - "53:53/udp"
    environment:
      - TZ=UTC
      - FLAG
    labels:
      traefik.enable: "true"   # on
      number: 5
    networks: [one, two]
    deploy:
      resources:
        limits: {memory: 1G, cpus: '0.5'}
    empty:
  other:
    image: y

networks:
  one: {}
  two:
"""


def service(text: str, name: str = "app") -> Any:
    return yaml12.load(text)["services"][name]


def lines_changed(old: str, new: str) -> tuple[list[str], list[str]]:
    """Lines that went and lines that came."""
    before, after = old.split("\n"), new.split("\n")
    return [x for x in before if x not in after], [x for x in after if x not in before]


@pytest.mark.parametrize(
    ("path", "value", "went", "came"),
    [
        ("image", "x:2", ['    image: "x:1" # pinned'], ['    image: "x:2" # pinned']),
        ("restart", "no", ["    restart: unless-stopped"], ["    restart: 'no'"]),
        ("restart", "always", ["    restart: unless-stopped"], ["    restart: always"]),
        (
            "deploy.resources.limits.memory",
            "2G",
            ["        limits: {memory: 1G, cpus: '0.5'}"],
            ["        limits: {memory: 2G, cpus: '0.5'}"],
        ),
        (
            "deploy.resources.limits.pids",
            200,
            ["        limits: {memory: 1G, cpus: '0.5'}"],
            ["        limits: {memory: 1G, cpus: '0.5', pids: 200}"],
        ),
        ("deploy.replicas", 2, [], ["      replicas: 2"]),
        ("empty", "now", ["    empty:"], ["    empty: now"]),
        ("empty", {"a": [1]}, [], ["      a:", "        - 1"]),
        (("ports", 0), "9090:80", ["      - 8080:80 # web"], ["      - 9090:80 # web"]),
        (("labels", "number"), 6, ["      number: 5"], ["      number: 6"]),
        ("healthcheck", {"disable": True}, [], ["    healthcheck:", "      disable: true"]),
        ("restart", ["a"], ["    restart: unless-stopped"], ["    restart:", "      - a"]),
        ("networks", {"one": {}}, ["    networks: [one, two]"], ["    networks:", "      one: {}"]),
    ],
)
def test_setting_a_value_changes_its_lines_only(path: Any, value: Any, went: list[str], came: list[str]) -> None:
    edit = ServiceEdit(PLAIN, "app").set(path, value)

    assert lines_changed(PLAIN, edit.text) == (went, came)
    assert edit.get(path) == value
    assert apply_edits(edit.text, edit.undo()) == PLAIN


@pytest.mark.parametrize(
    ("path", "went"),
    [
        ("restart", ["    restart: unless-stopped"]),
        (("labels", "number"), ["      number: 5"]),
        (("ports", 0), ["      - 8080:80 # web"]),
        ("deploy.resources.limits", ["    deploy:", "      resources:", "        limits: {memory: 1G, cpus: '0.5'}"]),
        ("nothing.there", []),
    ],
)
def test_removing_takes_the_entry_and_parents_it_leaves_empty(path: Any, went: list[str]) -> None:
    edit = ServiceEdit(PLAIN, "app").remove(path)

    assert lines_changed(PLAIN, edit.text) == (went, [])
    assert edit.changed == bool(went)
    assert apply_edits(edit.text, edit.undo()) == PLAIN


def test_what_is_inside_braces_is_removed_there() -> None:
    edit = ServiceEdit(PLAIN, "app").remove("deploy.resources.limits.memory")

    assert "        limits: {cpus: '0.5'}\n" in edit.text


def test_labels_and_variables_are_changed_in_the_form_the_file_has() -> None:
    edit = ServiceEdit(PLAIN, "app")
    edit.set_entry("environment", "TZ", "Europe/Rome").set_entry("environment", "NEW", "a b")
    edit.set_entry("environment", "FLAG", "1").set_entry("labels", "number", "5").set_entry("labels", "n2", "7")

    assert service(edit.text)["environment"] == ["TZ=Europe/Rome", "FLAG=1", "NEW=a b"]
    assert service(edit.text)["labels"] == {"traefik.enable": "true", "number": 5, "n2": "7"}
    edit.remove_entry("environment", "TZ").remove_entry("environment", "FLAG").remove_entry("environment", "NEW")
    assert "environment" not in service(edit.text)
    assert edit.remove_entry("labels", "none").remove_entry("labels", "n2").entries("labels")["number"] == "5"


def test_lists_and_names_grow_and_shrink() -> None:
    edit = ServiceEdit(PLAIN, "app")
    edit.add_item("ports", "1:1").add_item("ports", "1:1").add_item("volumes", {"type": "bind", "source": "./a"})
    edit.add_name("networks", "three").add_name("depends_on", "other").remove_name("networks", "one")

    changed = service(edit.text)
    assert changed["ports"] == ["8080:80", "53:53/udp", "1:1"]
    assert changed["volumes"] == [{"type": "bind", "source": "./a"}]
    assert "    networks: [two, three]\n" in edit.text
    assert changed["depends_on"] == {"other": {"condition": "service_started"}}
    edit.add_name("networks", "two", {"aliases": ["x"]})
    assert service(edit.text)["networks"] == {"two": {"aliases": ["x"]}, "three": {}}
    edit.remove_name("networks", "two").remove_name("networks", "three").remove_items("ports", lambda p: True)
    assert {"networks", "ports"} & service(edit.text).keys() == set()


MERGED = """\
x-env: &env
  TZ: UTC
x-base: &base
  restart: always
  labels: {a: "1"}
  logging:
    options:
      max-size: 10m
services:
  app:
    <<: *base
    image: x
    environment: *env
  b: &b
    image: y
    environment: *env
  c:
    <<: *b
    image: z
"""


def test_what_comes_by_merge_or_alias_is_changed_beside_it() -> None:
    edit = ServiceEdit(MERGED, "app")
    edit.set("restart", "no").set_entry("environment", "NEW", "1").set("logging.options.max-size", "5m")
    edit.set_entry("labels", "b", "2")

    assert '    environment:\n      <<: *env\n      NEW: "1"\n' in edit.text
    assert service(edit.text) == {
        "image": "x",
        "restart": "no",
        "environment": {"TZ": "UTC", "NEW": "1"},
        "logging": {"options": {"max-size": "5m"}},
        "labels": {"a": "1", "b": "2"},
    }
    assert {n: s for n, s in yaml12.load(edit.text)["services"].items() if n != "app"} == {
        n: s for n, s in yaml12.load(MERGED)["services"].items() if n != "app"
    }
    assert apply_edits(edit.text, edit.undo()) == MERGED


def test_what_others_share_by_an_anchor_is_refused_with_their_names() -> None:
    edit = ServiceEdit(MERGED, "b")

    with pytest.raises(EditRefused) as caught:
        edit.set("restart", "no")
    assert (caught.value.code, caught.value.details) == ("shared_by_anchor", {"services": ["c"]})
    assert edit.text == MERGED
    assert service(edit.set("image", "y:2").text, "c")["image"] == "z"
    with pytest.raises(EditRefused) as caught:
        ServiceEdit(MERGED, "app").remove("restart")
    assert caught.value.code == "not_written_here"
    with pytest.raises(NotFound):
        ServiceEdit(MERGED, "nobody")


def test_a_key_below_a_list_or_a_text_is_refused() -> None:
    edit = ServiceEdit(PLAIN, "app").set("healthcheck", ["a"])

    for path in ("healthcheck.interval", "restart.x", "image.x.y"):
        with pytest.raises(EditRefused):
            edit.set(path, "1")


def test_a_declaration_comes_and_goes_with_its_service() -> None:
    edit = ServiceEdit(PLAIN, "other").declare("networks", "three", {"external": True}).add_name("networks", "three")
    edit.declare("volumes", "data", None).add_item("volumes", "data:/data").declare("networks", "one", {})

    assert edit.data["x-homelab-added"] == ["networks:three", "volumes:data", "section:volumes"]
    assert edit.document["networks"]["three"] == {"external": True}
    assert yaml12.load(remove_service(edit.text, "other")).keys() == {"services", "networks"}
    edit.undeclare("networks", "three")
    assert "three" in edit.document["networks"], "it is still used"
    edit.remove_name("networks", "three").remove_items("volumes", lambda v: True)
    edit.undeclare("networks", "three").undeclare("volumes", "data").undeclare("networks", "one")
    assert yaml12.load(edit.text) == yaml12.load(PLAIN)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_endings_a_mark_and_a_missing_last_line_end_stay(newline: str, mark: str) -> None:
    text = mark + PLAIN.replace("\n", newline).removesuffix(newline).replace("  two:", "  two: {name: n}")
    edit = ServiceEdit(text, "app").set("deploy.replicas", 1).set("command", ["a"]).declare("networks", "z", None)

    assert "\n" not in edit.text.replace("\r\n", "") or newline == "\n"
    assert apply_edits(edit.text, edit.undo()) == text


PATHS: list[tuple[str, ...]] = [
    ("image",),
    ("restart",),
    ("healthcheck",),
    ("healthcheck", "interval"),
    ("deploy", "resources", "limits", "memory"),
    ("deploy", "resources", "limits", "pids"),
    ("command",),
    ("logging", "options", "max-size"),
]
VALUES = st.sampled_from(
    [
        "1g",
        "no",
        "a: b",
        "x#y",
        "${TAG:-1}",
        "two\nlines",
        "'q'",
        '"',
        7,
        1.5,
        True,
        None,
        {"test": ["CMD", "x"]},
        ["a"],
    ]
)
STEPS = st.one_of(
    st.tuples(st.just("set"), st.sampled_from(PATHS), VALUES),
    st.tuples(st.just("remove"), st.sampled_from(PATHS)),
    st.tuples(
        st.just("set_entry"),
        st.sampled_from(["labels", "environment"]),
        st.sampled_from(["TZ", "traefik.enable", "NEW"]),
        st.sampled_from(["true", "a b", "Host(`x`)", ""]),
    ),
    st.tuples(st.just("remove_entry"), st.sampled_from(["labels", "environment"]), st.sampled_from(["TZ", "NEW"])),
    st.tuples(st.just("add_item"), st.sampled_from(["ports", "volumes", "devices"]), st.sampled_from(["1:1", "a:/b"])),
    st.tuples(st.just("add_name"), st.sampled_from(["networks", "depends_on"]), st.sampled_from(["one", "zed"])),
    st.tuples(st.just("remove_name"), st.sampled_from(["networks", "depends_on"]), st.sampled_from(["one", "zed"])),
    st.tuples(st.just("declare"), st.just("networks"), st.sampled_from(["one", "zed"]), st.just({"external": True})),
)


@given(data=st.data())
@settings(max_examples=120, deadline=None)
def test_any_steps_on_any_realistic_file_change_what_they_say_and_can_be_undone(data: st.DataObject) -> None:
    _, text = data.draw(st.sampled_from([*REALISTIC, ("hand-written", HAND_WRITTEN), ("plain", PLAIN), ("m", MERGED)]))
    name = data.draw(st.sampled_from(named(text)))
    edit = ServiceEdit(text, name)
    for step, *arguments in data.draw(st.lists(STEPS, min_size=1, max_size=5)):
        before, meant = edit.text, copy.deepcopy(edit.document)
        try:
            getattr(edit, step)(*arguments)
        except HomelabError as refusal:
            assert refusal.message
            assert edit.text == before
            continue
        after = yaml12.load(edit.text)
        assert others(after, name) == others(meant, name)
        assert top(after, step) == top(meant, step)
        if step == "set":
            assert edit.get(arguments[0]) == arguments[1]
        if step == "set_entry":
            assert edit.entries(arguments[0])[arguments[1]] == arguments[2]
        if step == "remove":
            assert edit.get(arguments[0]) is None
        untouched = [x for x in before.splitlines() if x.lstrip().startswith("#") and x not in edit.text]
        assert step in ("set", "remove") or not untouched, "a comment went"
    assert apply_edits(edit.text, edit.undo()) == text


def others(data: Any, name: str) -> Any:
    return {n: s for n, s in data["services"].items() if n != name}


def top(data: Any, step: str) -> Any:
    return {k: v for k, v in data.items() if k != "services" and (step != "declare" or k != "networks")}
