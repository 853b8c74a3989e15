"""Data of others that is mounted by its path from the machine's root, or through a volume, and who cannot be seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.core.operations.change_request import MoveServiceRequest
from homelab_mcp.core.operations.data_places import used_elsewhere
from homelab_mcp.core.operations.fix_permissions import own_folders
from homelab_mcp.core.operations.lab_view import expand
from homelab_mcp.core.operations.move_service import move_service
from homelab_mcp.core.operations.remove_service import remove_service
from homelab_mcp.core.operations.request import RemoveServiceRequest
from homelab_mcp.core.operations.restore_backup import wanted
from homelab_mcp.core.operations.stack_paths import Root
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Draft, Requester
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.propose_changes import propose_move_service, propose_remove_service
from tests.unit.core.operation_parts import SETTINGS, find, lab

ROOT = "/opt/stacks"
MEDIA = """\
services:
  immich: {image: 'i:1', environment: {KEY: '${KEY}'}, volumes: ['./immich/upload:/data']}
  other: {image: 'x:1'}
"""
VOLUME = """\
services:
  p: {image: p, volumes: ['up:/o']}
volumes:
  up: {driver: local, driver_opts: {type: none, o: bind, device: DEVICE}}
"""


def remove(snapshot: Snapshot, data: str = "delete", env: str = "keep", root: Root = ROOT) -> Draft:
    request = RemoveServiceRequest(stack="media", service="immich", data=data, env=env)
    exists = lambda path: path.startswith("media/")  # noqa: E731 # as short as what it says
    return remove_service(snapshot, SETTINGS, request, find=find, exists=exists, trash=".homelab/trash/x", root=root)


def move(snapshot: Snapshot) -> Draft:
    request = MoveServiceRequest(stack="media", service="immich", to="new")
    exists = lambda path: path.startswith("media/")  # noqa: E731 # as short as what it says
    return move_service(snapshot, SETTINGS, request, exists=exists, read_text=lambda _: None, root=ROOT)


def refused(call: Callable[[], object]) -> HomelabError:
    with pytest.raises(HomelabError) as caught:
        call()
    assert caught.value.hint
    return caught.value


def media(text: str = MEDIA, env: str = "KEY=a\n", **more: tuple[str, str]) -> Snapshot:
    return lab(media=(text, env), **more)


OTHERS = {
    "absolute": ("services: {p: {image: p, volumes: ['/opt/stacks/media/immich/upload:/o']}}\n", ""),
    "around": ("services: {p: {image: p, volumes: ['/opt/stacks/media/immich/:/o:ro']}}\n", ""),
    "long": ("services: {p: {image: p, volumes: [{type: bind, source: /opt/stacks/media/immich, target: /o}]}}\n", ""),
    "variable": ("services: {p: {image: p, volumes: ['${UP:?not set}:/o']}}\n", "UP=/opt/stacks/media/immich/upload\n"),
    "by the root's name": ("services: {p: {image: p, volumes: ['../../stacks/media/immich:/o']}}\n", ""),
    "volume": (VOLUME.replace("DEVICE", "/opt/stacks/media/immich/upload"), ""),
    "volume by variable": (VOLUME.replace("DEVICE", "'${UP?}/upload'"), "UP=/opt/stacks/media/immich\n"),
    "volume by relative path": (VOLUME.replace("DEVICE", "../media/immich/upload"), ""),
}
AROUND = ("around", "long", "by the root's name")


@pytest.mark.parametrize("how", OTHERS)
def test_another_stack_that_mounts_it_by_any_path_keeps_it_in_its_place(how: str) -> None:
    snapshot = media(photos=OTHERS[how])
    for call in (lambda: remove(snapshot), lambda: move(snapshot)):
        error = refused(call)
        assert error.code == "data_shared"
        assert "photos/p" in error.message
    assert not remove(snapshot, data="keep").moves
    told = [s for s in wanted(snapshot, (), "media", "immich", "", root=ROOT).left if "not stopped" in s]
    # Who mounts a folder around what is swapped sees the new one there, as it is.
    assert [("photos/p" in s) for s in told] == ([] if how in AROUND else [True])


@pytest.mark.parametrize(
    "mount",
    ["/opt/stacks:/o", "/opt:/o", "/opt/stacks/media:/o", "/opt/stacks2/media/immich:/o", "/mnt/media/immich:/o"],
)
def test_who_mounts_all_of_it_or_something_else_keeps_nothing(mount: str) -> None:
    snapshot = media(photos=(f"services: {{p: {{image: p, volumes: ['{mount}']}}}}\n", ""))
    assert [m.source for m in remove(snapshot).moves] == ["media/immich"]
    assert [m.source for m in move(snapshot).moves] == ["media/immich"]


@pytest.mark.parametrize(
    "mount",
    ["/opt/stacks/media/immich/upload:/o", "${UP:?x}:/o", "${UP?x}:/o", "up:/o"],
    ids=["path", ":?", "?", "volume"],
)
@pytest.mark.parametrize("where", ["stack", "global"])
def test_another_of_the_same_stack_that_mounts_it_by_any_path_keeps_it(mount: str, where: str) -> None:
    text = MEDIA.replace("image: 'x:1'", f"image: 'x:1', volumes: ['{mount}']")
    text += VOLUME[VOLUME.index("volumes:\n") :].replace("DEVICE", "/opt/stacks/media/immich/upload")
    variable = "UP=/opt/stacks/media/immich/upload\n"
    snapshot = media(text, f"KEY=a\n{variable if where == 'stack' else ''}")
    if where == "global":
        snapshot = Snapshot(snapshot.stacks, None, shared_env=variable)
    calls = (
        lambda: remove(snapshot),
        lambda: move(snapshot),
        lambda: wanted(snapshot, (), "media", "immich", "", root=ROOT),
    )
    for call in calls:
        error = refused(call)
        assert error.code == "data_shared"
        assert "other" in error.message
    assert refused(lambda: own_folders(snapshot, "media", "immich", exists=lambda _: True, root=ROOT)).code == (
        "no_own_folder"
    )


@pytest.mark.parametrize("mount", ["/opt/stacks/media/immich/upload:/data", "up:/data"])
def test_a_services_own_data_by_its_absolute_path_goes_with_it_and_moves_nowhere(mount: str) -> None:
    text = MEDIA.replace("./immich/upload:/data", mount)
    text += VOLUME[VOLUME.index("volumes:\n") :].replace("DEVICE", "/opt/stacks/media/immich/upload")
    draft = remove(media(text))
    assert [m.source for m in draft.moves] == ["media/immich"]
    assert not any("stay" in n and "immich/upload" in n for n in draft.notes)
    assert not any("Named volumes stay" in n for n in draft.notes)
    error = refused(lambda: move(media(text)))
    assert error.code == "data_not_movable"
    assert "media/immich/upload" in error.message
    assert wanted(media(text), (), "media", "immich", "", root=ROOT).paths == ("media/immich/upload",)
    assert wanted(media(text), (), "media", "immich", "", root=ROOT).left == ()


@pytest.mark.parametrize("file", [".env", "immich/e.env"])
def test_an_env_file_by_its_absolute_path_moves_nowhere(file: str) -> None:
    text = MEDIA.replace("image: 'i:1'", f"image: 'i:1', env_file: /opt/stacks/media/{file}")
    error = refused(lambda: move(media(text)))
    assert error.code == "data_not_movable"
    assert f"media/{file}" in error.message


def test_plans_of_a_lab_on_disk_know_its_root(tmp_path: Path) -> None:
    made = LocalLab(str(tmp_path / "lab"), files_only=True)
    init_lab(made, {"domain": "lab.test"}, "correct-horse")
    stacks = {
        "media": MEDIA,
        "photos": f"services: {{p: {{image: 'p:1', volumes: ['{made.root}/media/immich/upload:/o']}}}}\n",
    }
    for name, text in stacks.items():
        Path(made.root, name).mkdir()
        Path(made.root, name, "compose.yaml").write_text(text)
    Path(made.root, "media/.env").write_text("KEY=a\n")
    Path(made.root, "media/immich/upload").mkdir(parents=True)
    who = Requester("cli")
    calls = (
        lambda: propose_remove_service(made, "immich", "media", who, data="delete"),
        lambda: propose_move_service(made, "immich", "media", "new", who),
    )
    for call in calls:
        error = refused(call)
        assert (error.code, "photos/p" in error.message) == ("data_shared", True)
    Path(made.root, "photos/compose.yaml").write_text("services: {p: {image: 'p:1', env_file: /etc/e.env}}\n")
    draft = propose_remove_service(made, "immich", "media", who, env="delete").draft
    assert any(e.path == "media/.env" for e in draft.edits)


def test_without_the_root_an_absolute_path_is_elsewhere() -> None:
    assert used_elsewhere(media(photos=OTHERS["absolute"]), "media", ["media/immich"]) == {}


def test_the_same_path_on_another_host_is_another_disk() -> None:
    relative = "services: {p: {image: p, volumes: ['../media/immich/upload:/o']}}\n"
    away = "x-homelab: {host: nas}\n"
    assert remove(media(photos=(away + relative, ""))).moves
    assert move(media(photos=(away + relative, ""))).moves
    both = media(away + MEDIA, photos=(away + relative, ""))
    assert refused(lambda: remove(both)).code == "data_shared"
    assert remove(media(away + MEDIA, photos=(relative, ""))).moves


@pytest.mark.parametrize(
    "broken", ["services: {p: {image: p}\n", "include: ['${X}.yaml']\nservices: {p: {image: p}}\n"]
)
def test_stacks_that_are_not_wholly_seen_are_named_where_data_goes(broken: str) -> None:
    snapshot = media(photos=(broken, ""), seen=("services: {p: {image: p}}\n", ""))
    for draft in (remove(snapshot), move(snapshot)):
        (note,) = [n for n in draft.notes if "cannot be told" in n]
        assert "photos" in note
        assert "seen" not in note.split(":")[0]
        assert "media/immich" in note
    assert not any("cannot be told" in n for n in remove(snapshot, data="keep").notes)
    assert not any("cannot be told" in n for n in remove(media(seen=OTHERS["absolute"]), data="keep").notes)


READERS = {
    "a variable": ("env_file: ['${FILE}']", True),
    "a variable that is set": ("env_file: ['${MINE}']", True),
    "by its path": ("env_file: /opt/stacks/media/.env", True),
    "by its path, listed": ("env_file: [{path: /opt/stacks/other/../media/.env}]", True),
    "of the home": ("env_file: ~/media/.env", True),
    "another file": ("env_file: /etc/e.env", False),
    "another stack's": ("env_file: /opt/stacks/photos/.env", False),
    "another by a variable": ("env_file: ['${ELSE}/e.env']", False),
}


@pytest.mark.parametrize("how", READERS)
def test_a_reader_that_keeps_the_variables_is_named(how: str) -> None:
    said, kept = READERS[how]
    snapshot = media(photos=(f"services: {{p: {{image: p, {said}}}}}\n", "MINE=../media/.env\nELSE=/etc\n"))
    draft = remove(snapshot, env="delete")
    assert any(e.path == "media/.env" for e in draft.edits) is not kept
    notes = [n for n in draft.notes if "photos/p" in n]
    assert len(notes) == kept
    if kept:
        assert "media/.env" in notes[0]
        assert "KEY" in notes[0]
    assert not any("photos/p" in n for n in remove(snapshot, env="keep").notes)


def test_a_reader_in_the_same_stack_is_named_too_and_none_where_nothing_would_go() -> None:
    text = MEDIA.replace("image: 'x:1'", "image: 'x:1', env_file: [.env]")
    assert any("media/other" in n and "KEY" in n for n in remove(media(text), env="delete").notes)
    assert not any("media/other" in n for n in remove(media(text, ""), env="delete").notes)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A:?no}", "a"),
        ("${A?no}", "a"),
        ("${B:?no}/x", "${B:?no}/x"),
        ("${A:-b}${B:-b}${B-c}", "abc"),
        ("$A/${A}", "a/a"),
    ],
)
def test_a_variable_that_must_be_set_is_filled_in_where_it_is(text: str, value: str) -> None:
    assert expand(text, {"A": "a"}) == value


def test_a_path_that_stays_a_variable_is_nobodys() -> None:
    snapshot = media(photos=("services: {p: {image: p, volumes: ['${UP:?x}:/o']}}\n", ""))
    assert remove(snapshot).moves
    with pytest.raises(InvalidInput):
        remove(media(photos=OTHERS["variable"]))


NAMED = """\
services:
  immich: {image: 'i:1', environment: {KEY: '${KEY}'}, volumes: ['pgdata:/data']}
  other: {image: 'x:1'}
volumes:
  pgdata: {NAMEdriver_opts: {type: none, o: bind, device: DEVICE}}
"""


@pytest.mark.parametrize("device", ["./pg", "/opt/stacks/media/pg"])
@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("", "{external: true, name: media_pgdata}"),
        ("", "{name: '${PG}'}"),
        ("", "{external: {name: media_pgdata}}"),
        ("name: photos, ", "{external: true, name: photos}"),
    ],
)
def test_another_stack_that_mounts_it_by_dockers_name_of_the_volume_keeps_it(
    device: str, name: str, theirs: str
) -> None:
    text = NAMED.replace("DEVICE", device).replace("NAME", name)
    two = f"services: {{p: {{image: p, volumes: ['d:/o']}}}}\nvolumes: {{d: {theirs}}}\n"
    snapshot = media(text, two=(two, "PG=media_pgdata\n"))
    error = refused(lambda: remove(snapshot))
    assert error.code == "data_shared"
    assert "two/p" in error.message
    if device.startswith(".") and not name:
        assert refused(lambda: move(snapshot)).code == "data_shared"
    (told,) = [s for s in wanted(snapshot, (), "media", "immich", "", root=ROOT).left if "not stopped" in s]
    assert "two/p" in told
    # Of its own name it is another volume.
    own = media(text, two=(two.replace(theirs, "{}"), ""))
    assert [m.source for m in remove(own).moves] == ["media/pg"]


def test_a_lab_that_a_link_leads_to_is_known_by_both_names(tmp_path: Path) -> None:
    (tmp_path / "tank").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "tank")
    made = LocalLab(str(tmp_path / "link"), files_only=True)
    assert made.roots == (str(tmp_path / "tank"), str(tmp_path / "link"))
    init_lab(made, {"domain": "lab.test"}, "correct-horse")
    for name in ("media", "photos"):
        Path(made.root, name).mkdir()
    Path(made.root, "media/compose.yaml").write_text(MEDIA)
    Path(made.root, "media/.env").write_text("KEY=a\n")
    Path(made.root, "media/immich/upload").mkdir(parents=True)
    two = f"services: {{p: {{image: 'p:1', volumes: ['{tmp_path}/link/media/immich:/o']}}}}\n"
    who = Requester("cli")
    Path(made.root, "photos/compose.yaml").write_text(two)
    for call in (
        lambda: propose_remove_service(made, "immich", "media", who, data="delete"),
        lambda: propose_move_service(made, "immich", "media", "new", who),
    ):
        assert refused(call).code == "data_shared"
    two = f"services: {{p: {{image: 'p:1', env_file: {tmp_path}/link/media/.env}}}}\n"
    Path(made.root, "photos/compose.yaml").write_text(two)
    draft = propose_remove_service(made, "immich", "media", who, env="delete").draft
    assert not any(e.path == "media/.env" for e in draft.edits)
    assert any("photos/p" in n for n in draft.notes)


@pytest.mark.parametrize("root", ["/mnt/tank/stacks", ("/mnt/tank/stacks", "/opt/x")])
def test_what_looks_like_the_file_by_a_link_counts_as_it(root: Root) -> None:
    snapshot = media(photos=("services: {p: {image: p, env_file: /opt/stacks/media/.env}}\n", ""))
    assert not any(e.path == "media/.env" for e in remove(snapshot, "keep", "delete", root).edits)


def test_a_volume_with_a_name_of_its_own_for_a_folder_moves_nowhere() -> None:
    text = NAMED.replace("DEVICE", "./pg").replace("NAME", "name: photos, ")
    error = refused(lambda: move(media(text)))
    assert error.code == "data_not_movable"
    assert "pgdata" in error.message
    assert "./pg" in error.hint
    assert [m.source for m in move(media(text.replace("name: photos, ", ""))).moves] == ["media/pg"]


@pytest.mark.parametrize(("name", "said"), [("", "media_pgdata"), ("name: photos, ", "photos")])
def test_a_volume_whose_folder_went_is_named(name: str, said: str) -> None:
    text = NAMED.replace("DEVICE", "./pg").replace("NAME", name)
    (note,) = [n for n in remove(media(text)).notes if "olume" in n]
    assert f"Volume {said} stays and names a folder that went" in note
    (kept,) = [n for n in remove(media(text), data="keep").notes if "olume" in n]
    assert kept == "Named volumes stay: pgdata."


@pytest.mark.parametrize("env", ["KEY=a\n", "KEY=a\nPWD=/somewhere\n"])
def test_the_folder_that_compose_runs_in_is_the_stacks(env: str) -> None:
    text = MEDIA.replace("./immich/upload:", "${PWD}/immich/upload:")
    assert [m.source for m in remove(media(text, env)).moves] == ["media/immich"]
    assert [m.source for m in move(media(text, env)).moves] == ["media/immich"]
    both = media(text.replace("image: 'x:1'", "image: 'x:1', volumes: ['$PWD/immich/upload:/o']"), env)
    assert refused(lambda: remove(both)).code == "data_shared"
    other = media(photos=("services: {p: {image: p, volumes: ['${PWD}/../media/immich:/o']}}\n", ""))
    assert refused(lambda: remove(other)).code == "data_shared"
    reader = media(photos=("services: {p: {image: p, env_file: ['${PWD}/.env']}}\n", ""))
    assert any(e.path == "media/.env" for e in remove(reader, env="delete").edits)
