"""Adding and removing a service: only its own lines change, and taking it out restores the bytes."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from homelab_mcp.core import yaml12
from homelab_mcp.core.compose_edit import add_service, add_services, new_document, remove_service, remove_services
from homelab_mcp.model.errors import EditRefused, InvalidInput, NotFound

HAND_WRITTEN = (Path(__file__).parent / "data" / "hand-written.yaml").read_bytes().decode()
NETWORKS = {"traefik-network": {"external": True}, "homelab-network": {"external": True}}
BLOCK: dict[str, Any] = {
    "image": "traefik/whoami:v1.11.0",
    "restart": "no",
    "networks": ["traefik-network", "homelab-network"],
    "ports": ["22:22"],
    "environment": {"FLAG": "yes", "OCTAL": "010", "HASH": "a # b", "COLON": "a: b"},
    "volumes": ["probe-data:/data"],
}


def add(text: str, name: str = "probe", **changes: Any) -> str:
    block = {**BLOCK, **changes}
    return add_service(
        text, name, block, networks=NETWORKS, volumes={"probe-data": None}, urls=[f"https://{name}.${{DOMAIN}}"]
    )


def test_the_fixture_is_a_300_line_file_with_the_hard_things_in_it() -> None:
    assert len(HAND_WRITTEN.splitlines()) >= 300
    for hard in ("&", "<<: *", "{", "|+", ">-", "\t# a tab", "#\ta", "'", "switched off"):
        assert hard in HAND_WRITTEN


def test_add_then_remove_on_the_hand_written_file_is_byte_identical() -> None:
    added = add(HAND_WRITTEN)

    assert added != HAND_WRITTEN
    assert remove_service(added, "probe") == HAND_WRITTEN


def test_adding_keeps_every_line_of_the_hand_written_file_and_their_order() -> None:
    new, old = add(HAND_WRITTEN).splitlines(), HAND_WRITTEN.splitlines()

    kept = iter(new)
    changed = [line for line in old if not any(line == candidate for candidate in kept)]

    assert changed == []


def test_two_services_removed_in_either_order_give_the_same_bytes() -> None:
    both = add(add(HAND_WRITTEN, "one"), "two")

    assert remove_service(remove_service(both, "two"), "one") == HAND_WRITTEN
    assert remove_service(remove_service(both, "one"), "two") == HAND_WRITTEN


@pytest.mark.parametrize(
    "text",
    [
        "services:\n",
        "services: # mine\n  # nothing here yet\n",
        "services: {}\n",
        "services:\n  a:\n    image: x",
        "services:\r\n    a:\r\n        image: x\r\n\r\n\r\n",
        "\ufeffservices:\n  a:\n    image: x\n",
        "---\nservices:\n  a:\n    image: x\n...\n",
        "# only a comment\n",
        "services:\n  a:\n    image: x\n    # ports:\n    #   - 80:80\n\n# The networks\nnetworks:\n  default: {}\n",
        "services:\n  a:\n    image: x\n#    ports:\n#      - 80:80\nvolumes: {probe-data: {}}\n",
        "services:\n  a:\n    command: |+\n      echo\n\n\nnetworks: {}\n",
        "services:\n  a: {image: x}\nnetworks: {default: {name: lab}, }\nx-dockge: {urls: [https://a]}\n",
        "services:\n  a:\n    image: x\nnetworks:\n# none\nvolumes:\n\nx-dockge:\n",
        "x-dockge:\n  urls:\n  - https://a # first\nservices:\n  a:\n    ports:\n    - 80:80\n",
        'services:\n  a:\n    image: "x"\t# a tab\n\nnetworks:\n  traefik-network:\n    external: true\n',
        "name: lab\ninclude:\n  - other.yaml\n",
        "services:\n  été:\n    image: x # 🙂\n\n\n",
    ],
)
def test_add_then_remove_is_byte_identical_in_every_style(text: str) -> None:
    added = add(text)

    assert "probe" in yaml12.load(added)["services"]
    assert remove_service(added, "probe") == text


def test_an_unused_network_of_the_persons_own_stays() -> None:
    text = "services:\n  a:\n    image: x\nnetworks:\n  traefik-network:\n    external: true\n"

    added = add(text)

    assert added.count("traefik-network:\n") == 1
    assert "networks:traefik-network" not in added
    assert remove_service(added, "probe") == text


def test_a_network_that_another_service_began_to_use_stays() -> None:
    added = add("services:\n  a:\n    image: x\n")
    edited = added.replace("    image: x\n", "    image: x\n    networks: [homelab-network]\n")

    left = yaml12.load(remove_service(edited, "probe"))

    assert left["networks"] == {"homelab-network": {"external": True}}


def test_a_network_that_the_person_changed_stays() -> None:
    edited = add("services:\n  a:\n    image: x\n").replace(
        "  homelab-network:\n    external: true\n", "  homelab-network:\n    external: true\n    name: home\n"
    )

    assert yaml12.load(remove_service(edited, "probe"))["networks"] == {
        "homelab-network": {"external": True, "name": "home"}
    }


def test_indentation_list_style_and_line_ending_follow_the_file() -> None:
    added = add("services:\r\n    a:\r\n        ports:\r\n        - 80:80\r\n")

    assert '\r\n    probe:\r\n        image: traefik/whoami:v1.11.0\r\n        restart: "no"\r\n' in added
    assert '        ports:\r\n        - "22:22"\r\n' in added
    assert "\n" not in added.replace("\r\n", "")


def test_values_come_back_as_they_were_given() -> None:
    block = yaml12.load(add("services:\n"))["services"]["probe"]

    assert {k: block[k] for k in BLOCK} == BLOCK


def test_a_new_document_has_its_sections_in_order_and_ends_empty_when_all_is_removed() -> None:
    blocks = {"app": {"image": "a:1", "networks": ["homelab-network"]}, "app-db": {"image": "b:1", "networks": ["p"]}}
    text = new_document(blocks, networks={**NETWORKS, "p": {"internal": True}}, urls=["https://app.lab.test"])

    assert list(yaml12.load(text)) == ["services", "networks", "x-dockge"]
    assert remove_services(text, blocks) == ""


def test_several_services_are_added_to_a_file_and_removed_as_one() -> None:
    blocks = {"app": {"image": "a:1", "networks": ["p"]}, "app-db": {"image": "b:1", "networks": ["p"]}}
    text = add_services(HAND_WRITTEN, blocks, networks={"p": {}})

    assert remove_services(text, ["app", "app-db"]) == HAND_WRITTEN


def test_a_hand_written_service_is_removed_with_its_lines_only() -> None:
    text = "services:\n  a:\n    image: x\n\n  b: # mine\n    image: y\n\n  c:\n    image: z\nnetworks:\n  n: {}\n"

    assert remove_service(text, "b") == "services:\n  a:\n    image: x\n\n  c:\n    image: z\nnetworks:\n  n: {}\n"


def test_removing_a_service_whose_anchor_others_use_is_refused() -> None:
    text = "services:\n  a: &base\n    image: x\n  b:\n    <<: *base\n"

    with pytest.raises(EditRefused) as caught:
        remove_service(text, "a")
    assert caught.value.code == "edit_broke_file"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("services: {a: {image: x}}\n", "flow_style"),
        ("x: &s\n  a: {image: x}\nservices: *s\n", "not_a_mapping"),
        ('{"services": {"a": {"image": "x"}}}\n', "flow_style"),
    ],
)
def test_what_cannot_be_added_to_is_refused_with_a_way_out(text: str, code: str) -> None:
    with pytest.raises(EditRefused) as caught:
        add(text)
    assert (caught.value.code, bool(caught.value.hint)) == (code, True)


@pytest.mark.parametrize("text", ["a: b: c", "services:\n  a: {}\n  a: {}\n", "--- {}\n---\n{}\n"])
def test_what_is_no_single_readable_document_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        add(text)
    assert caught.value.code == "yaml_refused"


def test_a_taken_name_and_a_missing_one_are_refused() -> None:
    with pytest.raises(InvalidInput, match="already has"):
        add("services:\n  probe:\n    image: x\n")
    with pytest.raises(NotFound):
        remove_service("services:\n  a:\n    image: x\n", "probe")


text_values = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
trees = st.recursive(
    text_values | st.booleans() | st.integers(-(10**9), 10**9) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text_values, inner, max_size=3),
    max_leaves=8,
)


@given(block=st.dictionaries(text_values, trees, min_size=1, max_size=4))
@example(block={"A\n": []})
@example(block={"k": "yes\n", "n": "plain\n"})
@settings(max_examples=150, deadline=None)
def test_any_data_is_emitted_so_that_it_reads_back_equal(block: dict[str, Any]) -> None:
    block = {k: v for k, v in block.items() if k != "<<"} or {"k": 1}
    text = "services:\n  a:\n    image: x\n"

    added = add_service(text, "probe", block)

    assert yaml12.load(added)["services"]["probe"] == block
    assert remove_service(added, "probe") == text
