import pytest

from homelab_mcp.core.project_name import folder_project, project_name, written_name


@pytest.mark.parametrize(
    ("folder", "project"), [("media", "media"), ("My.Stack 2", "mystack2"), ("_x-", "x-"), ("A_b", "a_b")]
)
def test_folders_become_projects_as_in_compose(folder: str, project: str) -> None:
    assert folder_project(folder) == project


def test_only_a_top_level_name_counts() -> None:
    assert written_name("services:\n  web:\n    name: inner\n") is None
    assert written_name("# name: no\nname: 'mine' # why\n") == "mine"
    assert project_name("media", 'name: "own"\n') == "own"
    assert project_name("media", "name: ${X}\n") == "media"
