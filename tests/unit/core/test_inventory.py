"""The lab's page: made from files alone, around what people wrote, and harmless whatever stands in a label."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homelab_mcp.core import compose_edit
from homelab_mcp.core.inventory import BEGIN, END, block, is_kept, merged
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.model.external import ExternalRoute
from homelab_mcp.model.observed import Snapshot, StackFiles
from tests.unit.core.operation_parts import CATALOG, SETTINGS
from tests.unit.core.test_access import PORTAL, routed


def find(name: str) -> Any:
    return CATALOG[name]


def made(services: dict[str, dict[str, Any]], **updates: Any) -> str:
    text = compose_edit.add_services("", services) if services else "services: {}\n"
    env = "DOMAIN=lab.test\nMEDIA_DIR=/mnt/media\nSECRET=hunter2hunter2\n"
    seen = view(Snapshot((StackFiles("apps", "apps/compose.yaml", text, env),), None))
    return block(seen, SETTINGS.model_copy(update=updates), find)


def test_the_page_tells_addresses_access_ports_data_and_needs() -> None:
    web = routed("web", homelab__sso="two_factor", homelab__sso__groups="family") | {
        "volumes": [
            "./web/data:/data",
            "${MEDIA_DIR}:/media:ro",
            "/var/run/docker.sock:/var/run/docker.sock",
            "cache:/c",
        ],
        "ports": ["8080:80", "53:53/udp"],
        "depends_on": ["db"],
        "environment": {"PASSWORD": "${SECRET}"},
    }
    web["labels"]["homelab.service"] = "web"
    text = made({"web": web, "db": {"image": "postgres:17", "networks": ["private"]}, "authelia": PORTAL})
    assert "| web | apps | A service made for tests. | 53/udp, 8080 | `example/web:1` |" in text
    assert "| https://web.lab.test | apps/web | log-in with a second factor; groups family |" in text
    assert "| apps/web | `apps/web/data`, `/mnt/media`, `cache` | Nothing to keep. |" in text
    assert "- apps/web: apps/db, apps/authelia" in text
    assert 'visitor -- "web.lab.test: second factor" --> s2' in text
    assert "hunter2" not in text


def test_external_services_stand_on_it_too() -> None:
    nas = ExternalRoute(url="http://192.168.1.9:5000", sso="bypass", sso_reason="Own log-in.")
    text = made({"traefik": {"image": "traefik:v3"}}, external={"nas": nas})
    assert "| https://nas.lab.test | external nas | open: Own log-in. |" in text
    assert 'visitor -- "nas.lab.test: open" --> x0' in text


def test_an_empty_lab_and_a_broken_stack_are_told() -> None:
    assert "Nothing yet." in made({})
    seen = view(Snapshot((StackFiles("bad", "bad/compose.yaml", "a: [\n"),), None))
    assert "cannot be read: bad." in block(seen, SETTINGS, find)


def test_what_people_wrote_around_the_marks_stays() -> None:
    one, two = made({}), made({"web": routed("web")})
    page = merged(None, one)
    assert is_kept(page)
    page = page.replace("# Inventory\n", "# Our lab\n\nThe box is in the cellar.\n") + "\n## Fuses\nBox 3.\n"
    changed = merged(page, two)
    assert changed.startswith("# Our lab\n\nThe box is in the cellar.\n")
    assert changed.endswith("\n## Fuses\nBox 3.\n")
    assert merged(changed, one) == page
    assert not is_kept("# mine\n")
    assert merged("# mine\n", one) == f"# mine\n\n{one}"


@pytest.mark.parametrize("word", [END, BEGIN, "a|b", "x\ny", "<script>", '"]; evil', "```", "-->"])
def test_no_label_can_end_the_part_or_write_html(word: str) -> None:
    services = {"web": routed("web", sso=False, homelab__sso="bypass", homelab__sso__reason=word)}
    text = made(services)
    assert text.count(BEGIN) == text.count(END) == 1
    assert text.index(END) == len(text) - len(END) - 1
    assert "<script" not in text
    page = merged("above\n", text)
    assert merged(page, text) == page
    rows = [line for line in text.splitlines() if line.startswith("| https://")]
    assert len(rows) == 1
    assert len(re.findall(r"(?<!\\)\|", rows[0])) == 4


def test_a_large_lab_is_listed_and_not_drawn() -> None:
    text = made({f"s{n}": {"image": "x:1"} for n in range(70)})
    assert "70 services: too many to draw." in text
    assert "```mermaid" not in text


NAMES = ["web", "app", "free"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(NAMES)), max_size=10))
def test_the_page_follows_any_row_of_additions_and_removals_and_goes_back_with_them(
    steps: list[tuple[bool, str]],
) -> None:
    kinds = {"web": routed("web"), "app": routed("app", homelab__sso="two_factor"), "free": routed("free", sso=False)}
    there: dict[str, dict[str, Any]] = {}
    first = page = merged("note\n", made(there))
    for add, name in steps:
        if add:
            there[name] = kinds[name]
        else:
            there.pop(name, None)
        page = merged(page, made(there))
        assert {n for n in NAMES if f"| https://{n}.lab.test |" in page} == set(there)
    assert merged(page, made({})) == first
