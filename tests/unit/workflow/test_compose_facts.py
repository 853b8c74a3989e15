"""What applying needs to know of a compose file."""

from homelab_mcp.workflow.compose_facts import bind_folders, services_written

BEFORE = "services:\n  a:\n    image: x\n    volumes: ['./a/data:/data']\n  b:\n    image: y\n"


def test_services_written_are_the_new_and_the_changed_ones() -> None:
    after = BEFORE.replace("image: y", "image: z") + "  c:\n    image: w\n"

    assert services_written(BEFORE, after) == {"b", "c"}
    assert services_written("", BEFORE) == {"a", "b"}
    assert services_written(BEFORE, "# a remark\n" + BEFORE) == frozenset()
    assert services_written(BEFORE, "") == frozenset()
    assert services_written("", "A=1\n") == frozenset()


def test_bind_folders_are_those_of_the_named_services_inside_the_stack() -> None:
    text = BEFORE + "    volumes: ['./b/app.conf:/c', './../out:/o', '/host:/h', 'named:/n', './b/x:/x:ro']\n"

    assert bind_folders("s", text, ["a"]) == ["s/a/data"]
    assert bind_folders("s", text, []) == ["s/a/data", "s/b/x"]
