"""Which stack a container belongs to."""

from __future__ import annotations

import pytest

from homelab_mcp.core.project_name import FOLDER_LABEL
from homelab_mcp.core.stack_owner import owner, owners
from homelab_mcp.model.observed import ContainerState, StackFiles

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
