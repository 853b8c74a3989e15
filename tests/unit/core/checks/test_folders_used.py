"""What a stack of the lab names is no slip of another's, wherever it lies below the lab's root."""

from __future__ import annotations

import pytest

from homelab_mcp.core.checks import NO_FACTS, LintStack, lint
from homelab_mcp.core.checks.folders_used import folders_used
from homelab_mcp.core.checks.view import Lab, StackView
from homelab_mcp.model.lab import LintSettings

THERE = {"data": ["readarr/"], ".": ["radar/", "radarr2/", "data/"]}
APP = "services:\n  app:\n    image: nginx:1.29\n    volumes: ['%s:/config']\n"


def stack(name: str, text: str) -> LintStack:
    return LintStack(name, f"{name}/compose.yaml", text, {}, lambda path: False, names=THERE.get)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (stack("readarr", APP % "../data/readarr/books"), 0),
        (stack("readarr", "services: {app: {build: {context: ../data/readarr}}}\n"), 0),
        (stack("readarr", "services: {app: {image: a, develop: {watch: [{path: ../data/readarr}]}}}\n"), 0),
        (stack("readarr", "volumes: {v: {driver_opts: {type: none, o: bind, device: ../data/readarr}}}\n"), 0),
        (stack("readarr", "services: [\n"), 0),
        (stack("readarr", APP % "../data/other"), 1),
    ],
    ids=["mounted", "built", "watched", "volume", "unseen", "nobody"],
)
def test_a_folder_that_another_stack_uses_is_its_own(other: LintStack, told: int) -> None:
    found = lint([stack("radarr", APP % "../data/radarr"), other], settings=LintSettings())
    assert len([f for f in found if f.rule == "HL352"]) == told


def test_a_stacks_own_folder_is_used() -> None:
    found = lint([stack("web", APP % "../radarr"), stack("radar", APP % "./x"), stack("radarr2", APP % "./x")])
    assert [f for f in found if f.rule == "HL352"] == []


def test_the_folders_above_count_and_what_has_an_open_variable_does_not() -> None:
    text = "services: {app: {image: a, env_file: [a/b/c.env, {path: d.env}, '${X}/e.env']}}\n"
    lab = Lab([StackView(stack("s", text))], NO_FACTS)
    assert folders_used(lab) == {"s", "s/compose.yaml", "s/a", "s/a/b", "s/a/b/c.env", "s/d.env"}


def test_a_path_that_begins_with_two_slashes_ends() -> None:
    lab = Lab([StackView(stack("s", APP % "//var/run/docker.sock"))], NO_FACTS)
    assert folders_used(lab) >= {"//var/run/docker.sock", "//var/run", "//var", "s"}
