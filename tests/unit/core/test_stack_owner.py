"""Which stack a container belongs to."""

from __future__ import annotations

import pytest

from homelab_mcp.core.project_name import FOLDER_LABEL, PROJECT_LABEL
from homelab_mcp.core.stack_owner import by_folder, owner, owners, project_of
from homelab_mcp.model.observed import ContainerState, Snapshot, StackFiles

STACKS = (
    StackFiles("media", "media/compose.yaml", "services: {}\n", ""),
    StackFiles("my.lab", "my.lab/compose.yaml", "name: other\nservices: {}\n", ""),
    StackFiles("second", "second/compose.yaml", "name: media\nservices: {}\n", ""),
)


def container(project: str, folder: str = "") -> ContainerState:
    labels = {FOLDER_LABEL: folder} if folder else {}
    return ContainerState("1", "x", "x:1", "running", stack=project, service="web", labels=labels)


@pytest.mark.parametrize(
    ("project", "folder", "stack"),
    [
        ("whatever", "/lab/second", "second"),  # its folder says more than its project
        ("media", "", "media"),  # two stacks have that project: the first
        ("other", "", "my.lab"),  # by the name in its file
        ("mylab", "", "my.lab"),  # by its folder's name
        ("strange", "/elsewhere/media", "strange"),  # of no stack
    ],
)
def test_a_container_is_its_folders_then_its_projects(project: str, folder: str, stack: str) -> None:
    one = container(project, folder)
    assert owner(one, STACKS, "/lab/") == owners(STACKS, "/lab")(one) == stack


def test_one_that_knows_many_tells_each_alone() -> None:
    whose = owners(STACKS, "/lab")
    assert [whose(container(p)) for p in ("media", "gone", "other")] == ["media", "gone", "my.lab"]


NAMED = StackFiles("media", "media/compose.yaml", 'name: "home-${ENV}"\nservices: {}\n', "ENV=prod\n")
SET = StackFiles("media", "media/compose.yaml", "services: {}\n", "COMPOSE_PROJECT_NAME=home-prod\n")


@pytest.mark.parametrize("stack", [NAMED, SET])
@pytest.mark.parametrize(("project", "whose"), [("home-prod", "media"), ("home-dev", ""), ("media", "")])
def test_what_runs_in_its_folder_by_another_name_is_of_no_stack(stack: StackFiles, project: str, whose: str) -> None:
    labels = {FOLDER_LABEL: "/lab/media", PROJECT_LABEL: project}
    one = ContainerState("1", "x", "x:1", "running", stack=project, service="web", labels=labels)
    (seen,) = by_folder(Snapshot((stack,), None, containers=(one,)), ("/lab",)).containers or ()
    assert seen.stack == whose


def test_a_project_is_named_as_compose_names_it() -> None:
    assert [project_of(s) for s in (*STACKS, NAMED, SET)] == ["media", "other", "media", "home-prod", "home-prod"]
    assert project_of(StackFiles("My.Lab", "x", "services: {}\n", "")) == "mylab"
    assert project_of(STACKS[0], "COMPOSE_PROJECT_NAME=of-all\n") == "of-all"
