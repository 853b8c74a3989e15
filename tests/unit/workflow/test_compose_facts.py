"""What applying needs to know of a compose file."""

from homelab_mcp.workflow.compose_facts import bind_folders, folder_owners, services_written

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


def owned(said: str) -> dict[str, tuple[int, int]]:
    text = f"services:\n  a:\n    image: x\n    volumes: ['./a/data:/d', './a/logs:/l', './b/x:/x']\n{said}"
    return folder_owners("s", text, ["a"])


def test_folders_are_whose_the_label_says_or_else_whose_the_user_in_figures_is() -> None:
    assert owned("") == {}
    assert owned("    user: 33:34\n") == dict.fromkeys(("s/a/data", "s/a/logs", "s/b/x"), (33, 34))
    assert owned("    user: '1000'\n")["s/a/data"] == (1000, 1000)
    assert owned("    user: 0:0\n") == owned("    user: ${PUID}:${PGID}\n") == owned("    user: www-data\n") == {}
    both = "    user: 33:34\n    labels: {homelab.owner: '2000:0'}\n"
    assert set(owned(both).values()) == {(2000, 0)}
    assert owned("    labels: {homelab.owner: 'data=5050:5050,x=7:7'}\n") == {"s/a/data": (5050, 5050)}
    assert owned("    labels: {homelab.owner: 'anybody'}\n") == owned("    labels: [homelab.owner=1:1]\n") == {}
