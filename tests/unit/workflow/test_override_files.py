"""A stack of several files is seen as Compose sees it, and a change that another file undoes is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from homelab_mcp.core.operations.control import ControlRequest, control
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.operations.service_parts import services_in
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.observed import Snapshot, StackFiles
from tests.unit.workflow.bench_lab import BenchLab

BASE = "services:\n  web:\n    image: web:1\n    labels: [traefik.enable=true]\n"
OVER = """\
services:
  web:
    ports: ["8443:443"]
    labels: {traefik.http.routers.w.rule: "Host(`web.${DOMAIN}`)"}
  more: {image: more:1, ports: ["9000:9000"]}
"""


def stack(*, others: tuple[tuple[str, str], ...] = (), named: tuple[tuple[str, str], ...] = ()) -> Snapshot:
    return Snapshot((StackFiles("apps", "apps/compose.yaml", BASE, "DOMAIN=lab.test\n", others, named),), None)


def test_services_ports_and_hosts_of_an_override_file_are_seen() -> None:
    lab = view(stack(others=(("apps/compose.override.yaml", OVER),)))
    assert [s.name for s in lab.services] == ["web", "more"]
    assert lab.routed("web.lab.test") is not None
    assert lab.publishes(8443, "tcp") is not None and lab.publishes(9000, "tcp") is not None
    assert view(stack()).routed("web.lab.test") is None


def test_services_of_an_included_file_are_seen() -> None:
    seen = stack(named=(("apps/more.yaml", "services:\n  more: {image: more:1, ports: ['9000:9000']}\n"),))
    text = f"include: [more.yaml]\n{BASE}"
    lab = view(replace(seen, stacks=(replace(seen.stacks[0], compose_text=text),)))
    assert sorted(s.name for s in lab.services) == ["more", "web"]
    assert lab.publishes(9000, "tcp") is not None


def test_a_service_that_stands_in_another_file_is_refused_with_its_place_and_started_all_the_same() -> None:
    seen = stack(others=(("apps/compose.override.yaml", OVER),))
    with pytest.raises(NotFound) as told:
        services_in(seen.stacks[0], "more")
    assert told.value.code == "service_elsewhere"
    assert told.value.message.startswith("more of stack apps stands in apps/compose.override.yaml, line 5;")
    assert "apps/compose.yaml" in told.value.hint
    with pytest.raises(NotFound, match="no service called less"):
        services_in(seen.stacks[0], "less")
    draft = control(replace(seen, containers=()), ControlRequest(action="start", stack="apps", services=("more",)))
    assert [a.services for a in draft.actions] == [("more",)]


@pytest.fixture
def lab(tmp_path: Path) -> BenchLab:
    return BenchLab(tmp_path / "lab")


def test_a_change_that_an_override_file_takes_back_is_refused(lab: BenchLab) -> None:
    over = lab.root / "media/compose.override.yaml"
    over.write_text("services:\n  web:\n    image: web:7\n")
    with pytest.raises(InvalidInput) as told:
        lab.plan(lab.change_draft("web:2"))
    assert told.value.code == "override_wins"
    assert "image of web would stay" in told.value.message
    assert "media/compose.override.yaml" in told.value.hint


def test_a_change_that_counts_is_told_of_the_other_file(lab: BenchLab) -> None:
    over = lab.root / "media/compose.override.yaml"
    over.write_text("services:\n  web:\n    environment: {A: b}\n")
    plan = lab.plan(lab.change_draft("web:2"))
    assert any("media/compose.override.yaml speaks of web too" in note for note in plan.draft.notes)
    over.write_text("services:\n  other:\n    image: other:1\n")
    assert not [n for n in lab.plan(lab.change_draft("web:2")).draft.notes if "speaks of" in n]


def test_a_stack_that_takes_the_changed_file_of_another_is_named_with_what_changes_there(lab: BenchLab) -> None:
    other = lab.root / "more/compose.yaml"
    other.parent.mkdir()
    other.write_text("include: [../media/compose.yaml]\nservices: {}\n")
    notes = lab.plan(lab.change_draft("web:2")).draft.notes
    assert "Stack more takes media/compose.yaml too: its next `up` changes web there." in notes
    other.write_text("services:\n  own: {extends: {file: ../media/compose.yaml, service: web}, image: 'own:1'}\n")
    assert not [n for n in lab.plan(lab.change_draft("web:2")).draft.notes if "Stack more" in n]
