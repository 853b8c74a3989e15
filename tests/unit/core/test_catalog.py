"""Reading definitions, finding them by name, searching, and the rules beyond the model."""

from typing import Any

import pytest

from homelab_mcp.core.catalog import Catalog, parse_definition
from homelab_mcp.core.catalog_rules import catalog_findings
from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound

SMALL = """
id: notes-box
name: Notes Box
aliases: [notebox]
summary: Keeps short notes for a family and shows them on the wall.
category: productivity
level: generated
stack: productivity
links: {upstream: "https://example.org/notes", documentation: "https://example.org/notes/docs"}
sources:
  - {facts: image tag and port, where: "example/notes compose.yaml"}
container:
  image: {repository: example/notes, tag: 1.2.3}
  user: ${PUID}:${PGID}
  environment: {NOTES_URL: "@{url}", NOTES_PASSWORD: "${NOTES_PASSWORD}"}
  ports: [{container: 8080, purpose: web}]
  volumes: [{kind: data, target: /data}]
  health: {test: [CMD, notes, ping]}
  resources: web
variables:
  - {name: NOTES_PASSWORD, description: First password., secret: true, generate: {length: 24}}
route: {port: 8080, subdomain: notes, sso: {policy: protect, why: It has no log-in.}}
lazy: {ok: true, why: Nobody waits for it.}
vpn: {use: "no", why: Local only.}
gpu: {use: none, why: Nothing to compute.}
backup: {notes: One folder., include: [data]}
"""


def small() -> dict[str, Any]:
    data = load(SMALL)
    assert isinstance(data, dict)
    return data


def definition(**changes: Any) -> ServiceDefinition:
    return ServiceDefinition.model_validate(small() | changes)


def container(**changes: Any) -> dict[str, Any]:
    return {"container": small()["container"] | changes}


def findings(**changes: Any) -> list[str]:
    return catalog_findings(definition(**changes), [])


# --- reading --------------------------------------------------------------------------------------------------------


def test_a_definition_is_read_from_yaml() -> None:
    assert parse_definition(SMALL, "notes.yaml") == definition()


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("tag: 1.2.3", "tag: latest", "container.image"),
        ("container: 8080,", "container: 70000,", "container.ports.0.container"),
        ("level: generated", "level: perfect", "level"),
        ("stack: productivity", "stack: productivity\nprivileged: true", "privileged"),
        ("route: {port: 8080", "route: {port: 9999", "(top)"),
        ("secret: true, ", "", "variables.0"),
    ],
)
def test_a_bad_field_is_named_with_its_file_and_a_way_on(old: str, new: str, field: str) -> None:
    text = SMALL.replace(old, new, 1)
    assert text != SMALL
    with pytest.raises(InvalidInput) as caught:
        parse_definition(text, "lab/notes.yaml")
    assert caught.value.code == "bad_definition"
    assert caught.value.details["field"] == field
    assert caught.value.message.startswith(f"lab/notes.yaml: {field}: ")
    assert "docs/catalog.md" in caught.value.hint


def test_an_error_does_not_repeat_the_value_it_is_about() -> None:
    text = SMALL.replace("secret: true, generate: {length: 24}", "secret: true, default: hunter2-hunter2")
    with pytest.raises(InvalidInput) as caught:
        parse_definition(text, "notes.yaml")
    assert "hunter2" not in str(caught.value.as_dict())
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("text", ["", "just words", "- a\n- list\n"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="a definition is a mapping"):
        parse_definition(text, "x.yaml")


@pytest.mark.parametrize("text", ["id: a\nid: b\n", "id: [unclosed\n", "id: a\n---\nid: b\n"])
def test_bad_yaml_is_refused_with_file_and_line(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"x\.yaml: Line \d+") as caught:
        parse_definition(text, "x.yaml")
    assert caught.value.details["where"] == "x.yaml"


def test_no_stays_a_word() -> None:
    """YAML 1.1 would read ``use: no`` as false."""
    assert parse_definition(SMALL.replace('use: "no"', "use: no"), "x").vpn.use == "no"


# --- by name --------------------------------------------------------------------------------------------------------


def catalog() -> Catalog:
    return Catalog(
        [
            definition(),
            definition(
                id="notes", name="Notes", aliases=["family notes", "Notes Box"], summary="Other words entirely."
            ),
            definition(id="wall", name="Wall", aliases=[], summary="Shows pictures, and a note now and then."),
        ]
    )


@pytest.mark.parametrize("name", ["notes-box", "notes_box", "NOTES BOX", " Notes.Box ", "notebox", "Note Box"])
def test_case_and_separators_do_not_matter(name: str) -> None:
    assert catalog().get(name).id == "notes-box"


def test_an_id_or_name_beats_another_ones_alias_whatever_the_order() -> None:
    both = catalog().all()
    assert Catalog(both).get("notesbox").id == "notes-box"
    assert Catalog(reversed(both)).get("notesbox").id == "notes-box"


def test_of_two_with_one_id_the_later_counts() -> None:
    own = definition(summary="The lab's own kind of notes.")
    found = Catalog([definition(), own])
    assert len(found) == 1
    assert found.get("notebox") is own


@pytest.mark.parametrize(("typo", "meant"), [("notse", "notes"), ("walll", "wall"), ("notesbx", "notes-box")])
def test_a_typo_is_not_found_but_gets_a_suggestion(typo: str, meant: str) -> None:
    with pytest.raises(NotFound) as caught:
        catalog().get(typo)
    assert caught.value.code == "unknown_service"
    assert meant in caught.value.details["nearest"]
    assert meant in caught.value.hint
    assert len(caught.value.details["nearest"]) <= 3


@pytest.mark.parametrize("name", ["", "   ", "zzzzzz", "x" * 100_000, "../../etc/passwd", "\n"])
def test_nonsense_is_not_found_in_one_short_line(name: str) -> None:
    with pytest.raises(NotFound) as caught:
        catalog().get(name)
    assert len(caught.value.as_text()) < 400
    assert "\n" not in caught.value.as_text()


def test_a_definition_that_cannot_be_read_says_why_when_it_is_asked_for() -> None:
    broken = InvalidInput("catalog/my-app.yaml: level: no.", code="bad_definition")
    found = Catalog([definition()], {"myapp": broken})
    with pytest.raises(HomelabError) as caught:
        found.get("My App")
    assert caught.value is broken
    assert found.get("notebox").id == "notes-box"


# --- search ---------------------------------------------------------------------------------------------------------


def ids(query: str, **options: Any) -> list[str]:
    return [match.id for match in catalog().search(query, **options).matches]


def test_the_exact_name_is_first_then_prefixes_then_words() -> None:
    assert ids("notes") == ["notes", "notes-box"]
    assert ids("notes box") == ["notes-box", "notes"]  # the id, before the other one's alias
    assert ids("note") == ["notes", "notes-box", "wall"]  # beginnings of names, then a word of the summary


def test_a_word_of_the_summary_finds_and_all_words_beat_some() -> None:
    assert ids("pictures") == ["wall"]
    assert ids("short family") == ["notes-box", "notes"]  # both words; then one
    assert ids("wall mount") == ["wall", "notes-box"]  # of two that fit one word, the one whose name it is
    assert ids("wall family")[0] == "notes-box"  # who is all that is asked for, before who is only called so


def test_nothing_that_fits_falls_back_to_names_spelled_alike() -> None:
    assert ids("walll") == ["wall"]
    assert ids("qqqqqq") == []


def test_an_empty_query_lists_all_and_pages_join_up() -> None:
    everything = catalog().search("").matches
    assert [d.id for d in everything] == ["notes", "notes-box", "wall"]
    pages = [catalog().search("", None, 1, offset) for offset in range(4)]
    assert [d for page in pages for d in page.matches] == list(everything)
    assert {page.total for page in pages} == {3}


def test_a_category_narrows_and_an_unknown_one_lists_those_there_are() -> None:
    two = Catalog([definition(), definition(id="tv", name="TV", aliases=[], category="media")])
    assert [d.id for d in two.search("", "MEDIA").matches] == ["tv"]
    assert two.search("notebox", "media").total == 0
    assert two.search("", "games").total == 0
    with pytest.raises(InvalidInput, match="no category 'movies'") as caught:
        two.search("", "movies")
    assert "media" in caught.value.hint


def test_negative_pages_are_empty_or_first() -> None:
    assert ids("", limit=-1) == []
    assert ids("", offset=-5) == ["notes", "notes-box", "wall"]


# --- rules ----------------------------------------------------------------------------------------------------------


def test_the_small_definition_keeps_every_rule() -> None:
    assert findings() == []


RULES: list[tuple[str, dict[str, Any], str]] = [
    ("unknown variable", container(command=["--x=${NOPE}"]), "${NOPE} is neither"),
    ("dollar without braces", container(command=["--x=$HOME"]), "written as ${NAME}"),
    ("default in the reference", container(command=["--x=${TZ:-UTC}"]), "written as ${NAME}"),
    ("unused variable", container(environment={}), "NOTES_PASSWORD is used nowhere"),
    ("unknown word", container(labels={"a": "@{hots}"}), "@{hots} is not a known word"),
    ("open brace", container(labels={"a": "@{host"}), "no closing brace"),
    ("missing companion", container(labels={"a": "@{companion.db}"}), "names no companion"),
    ("setting in a label", container(labels={"a": "@{setting.domain}"}), "files and commands only"),
    ("unknown setting", container(command=["@{setting.colour}"]), "names no lab setting"),
    ("hash outside a secret file", container(command=["@{argon2.NOTES_PASSWORD}"]), "secret files only"),
    ("plain secret", container(environment={"A_TOKEN": "abc", "P": "${NOTES_PASSWORD}"}), "secret in plain text"),
    ("unmarked secret", container(environment={"A_PASSWORD": "${TZ}", "P": "${NOTES_PASSWORD}"}), "marked as a secret"),
    ("secret in a label", container(labels={"a": "${NOTES_PASSWORD}"}), "labels can be read"),
    ("no user, no reason", container(user=None), "say in user_note why"),
    (
        "a check that only knocks",
        container(health={"test": ["CMD", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080"]}),
        "opens a port and asks nothing",
    ),
    ("a check by nc -z", container(health={"test": ["CMD-SHELL", "nc -z localhost 8080"]}), "asks nothing"),
    ("figures without a source", {"metrics": {"port": 8080}}, "none of them covers the metrics"),
    (
        "same folder twice",
        container(volumes=[{"kind": "data", "target": t} for t in ("/data", "/b")]),
        "share the folder",
    ),
    ("file nobody mounts", {"files": [{"path": "config/a.yaml", "content": {}}]}, "in no folder that the container"),
    ("file outside", {"files": [{"path": "data/../../a", "content": {}}]}, "leaves the service's folder"),
    ("variable in a file", {"files": [{"path": "data/a", "content": {"tz": "${TZ}"}}]}, "nobody fills in ${TZ}"),
    ("backup of nothing", {"backup": {"notes": "All.", "include": ["config"]}}, "config is in no folder"),
    ("missing requirement", {"requires": ["elsewhere"]}, "no definition elsewhere"),
    (
        "missing gateway",
        {"gateway": "elsewhere", "vpn": {"use": "possible", "why": "Peers."}},
        "no definition elsewhere",
    ),
    ("VPN without gateway", {"vpn": {"use": "recommended", "why": "Peers."}}, "no gateway is named"),
    ("no source of the tag", {"sources": [{"facts": "the port", "where": "a/b c"}]}, "covers the image's tag"),
    ("vague source", {"sources": [{"facts": "tag", "where": "internet"}]}, "name the repository"),
]


@pytest.mark.parametrize(("changes", "message"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES])
def test_a_broken_rule_is_the_only_finding(changes: dict[str, Any], message: str) -> None:
    found = findings(**changes)
    assert len(found) == 1, found
    assert message in found[0]


def test_names_and_subdomains_belong_to_one_service() -> None:
    other = definition(id="other", name="Other", aliases=["note box"])
    found = catalog_findings(definition(), [definition(), other])
    assert found == ["aliases: notebox is a name of other too.", "route: the sub-domain notes is other's too."]


def test_a_hash_is_a_use_of_its_variable() -> None:
    users = {"path": "data/users.yaml", "secret": True, "content": {"hash": "@{argon2.NOTES_PASSWORD}"}}
    assert findings(files=[users], **container(environment={})) == []
    assert findings(files=[users | {"secret": False}], **container(environment={})) != []


def test_a_database_needs_health_and_a_dump() -> None:
    part = small()["container"] | {"role": "database", "environment": {}}
    assert findings(companions={"db": part}) == ["backup: a database needs a dump command."]
    dump = {"notes": "Dump it.", "dump": ["pg_dump"], "dump_container": "db"}
    assert findings(companions={"db": part}, backup=dump) == []
    assert findings(companions={"db": part}, backup=dump | {"dump_container": "cache"}) == [
        "backup: there is no companion cache."
    ]
    assert findings(companions={"db": part | {"health": None}}, backup=dump) == [
        "companions.db: it is waited for until healthy, but has no health check."
    ]


def test_a_check_that_asks_or_says_why_it_cannot_is_well() -> None:
    knock = {"test": ["CMD", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080"]}
    assert findings(**container(health=knock, health_note="It speaks a language of its own.")) == []
    asking = (
        "exec 3<>/dev/tcp/127.0.0.1/8080; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; read -r _ s _ <&3; [[ $$s == 200 ]]"
    )
    assert findings(**container(health={"test": ["CMD", "bash", "-c", asking]})) == []


def test_two_dollars_are_one_for_the_program() -> None:
    assert findings(**container(health={"test": ["CMD-SHELL", 'test -n "$$HOME"']})) == []
