"""Whose network a service uses is told from what ``ps`` of Compose prints, old or new."""

from __future__ import annotations

import json

import pytest

from homelab_mcp.adapters.compose_lent import ids_of

pytestmark = pytest.mark.unit

PROJECT = "com.docker.compose.project=vpn"
ONE_OFF = "com.docker.compose.oneoff"


def test_an_object_a_line_with_labels_as_one_text() -> None:
    beside = {"ID": "a1", "Service": "gate", "Labels": f"{PROJECT},{ONE_OFF}=True,com.docker.compose.service=gate"}
    own = {"ID": "b2", "Service": "gate", "Labels": f"{PROJECT},{ONE_OFF}=False,com.docker.compose.service=gate"}
    assert ids_of("\n".join(map(json.dumps, (beside, own)))) == {"gate": "b2"}


def test_one_list_with_labels_as_a_mapping_or_without_any() -> None:
    beside = {"ID": "a1", "Service": "gate", "Labels": {ONE_OFF: "True"}}
    said = json.dumps([beside, {"ID": "b2", "Service": "gate"}, {"ID": "c3", "Service": "other", "Labels": None}])
    assert ids_of(said) == {"gate": "b2", "other": "c3"}


def test_nothing_runs() -> None:
    assert ids_of("") == ids_of("[]\n") == {}


def test_blank_lines_and_what_is_no_container_are_passed_over() -> None:
    own = json.dumps({"ID": "b2", "Service": "gate"})
    assert ids_of(f"\n{own}\n  \n[null, 3]\nnull\n") == {"gate": "b2"}


def test_what_is_no_json_names_nobody() -> None:
    assert ids_of('time="2026-01-01" level=warning\n[]') == {}
