"""What goes, moves or comes back of a service's data where others use a part of it, all around it, or read files."""

from __future__ import annotations

import pytest

from homelab_mcp.core.operations.fix_permissions import own_folders
from homelab_mcp.core.operations.restore_backup import wanted
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import Draft
from tests.unit.core.operations.test_by_absolute_path import MEDIA, ROOT, media, move, refused, remove


def other(says: str, more: str = "") -> str:
    return MEDIA.replace("image: 'x:1'", f"image: 'x:1', {says}") + more


def sources(draft: Draft) -> list[str]:
    return [m.source for m in draft.moves]


@pytest.mark.parametrize("mount", [".:/all", "./:/all", "/opt/stacks/media:/all", "/opt/stacks/media/:/all:ro"])
def test_who_mounts_the_whole_folder_of_the_stack_keeps_nothing_of_it(mount: str) -> None:
    snapshot = media(other(f"volumes: ['{mount}']"))
    assert sources(remove(snapshot)) == ["media/immich"]
    assert sources(move(snapshot)) == ["media/immich"]
    assert wanted(snapshot, (), "media", "immich", "", root=ROOT).paths == ("media/immich/upload",)
    assert own_folders(snapshot, "media", "immich", exists=lambda _: True, root=ROOT) == ["media/immich"]


LIBRARY = MEDIA.replace("'./immich/upload:/data'", "'./immich/upload:/data', 'WHERE/library:/library'")


@pytest.mark.parametrize("where", [".", "/opt/stacks/media", "./immich"])
def test_a_library_that_others_use_stays_and_is_told_while_the_own_data_goes(where: str) -> None:
    text = LIBRARY.replace("image: 'x:1'", "image: 'x:1', volumes: ['WHERE/library:/l']").replace("WHERE", where)
    snapshot = media(text)
    draft = remove(snapshot)
    library = "media/immich/library" if where == "./immich" else "media/library"
    assert sources(draft) == ["media/immich/upload" if where == "./immich" else "media/immich"]
    assert f"{library} stays, as other uses it as well." in draft.notes
    what = wanted(snapshot, (), "media", "immich", "", root=ROOT)
    assert what.paths == ("media/immich/upload",)
    (told,) = what.left
    assert library in told
    assert "other" in told
    assert refused(lambda: move(snapshot)).code == "data_shared"


def test_a_library_is_refused_where_nothing_else_is_there() -> None:
    text = MEDIA.replace("./immich/upload:/data", "./library:/library")
    snapshot = media(text.replace("image: 'x:1'", "image: 'x:1', volumes: ['./library:/l']"))
    assert refused(lambda: remove(snapshot)).code == "data_shared"
    assert refused(lambda: wanted(snapshot, (), "media", "immich", "", root=ROOT)).code == "data_shared"


READ = {
    "env_file": ("env_file: ./immich/e.env", ""),
    "env_file by a variable": ("env_file: ['${HERE}/immich/e.env']", ""),
    "secrets": ("secrets: [s]", "secrets: {s: {file: ./immich/s.txt}}\n"),
    "secrets, long": ("secrets: [{source: s, target: t}]", "secrets: {s: {file: /opt/stacks/media/immich/s.txt}}\n"),
    "configs": ("configs: [s]", "configs: {s: {file: immich/s.txt}}\n"),
    "build": ("build: ./immich/src", ""),
    "build, long": ("build: {context: immich/src}", ""),
}


@pytest.mark.parametrize("how", READ)
def test_a_folder_is_not_taken_as_a_whole_where_one_who_stays_reads_in_it(how: str) -> None:
    says, more = READ[how]
    snapshot = media(other(says, more), "KEY=a\nHERE=/opt/stacks/media\n")
    assert sources(remove(snapshot)) == ["media/immich/upload"]
    assert sources(move(snapshot)) == ["media/immich/upload"]


@pytest.mark.parametrize("how", READ)
def test_what_another_stack_reads_in_a_folder_keeps_it(how: str) -> None:
    says, more = READ[how]
    said = f"services: {{p: {{image: p, {says}}}}}\n{more}".replace("./immich", "immich")
    snapshot = media(photos=(said.replace("immich", "../media/immich"), "HERE=/opt/stacks/media\n"))
    assert refused(lambda: remove(snapshot)).code == "data_shared"
    assert refused(lambda: move(snapshot)).code == "data_shared"
    # It is read at a start, and then the restored file is: nobody needs to stop for that.
    assert wanted(snapshot, (), "media", "immich", "", root=ROOT).left == ()


@pytest.mark.parametrize("says", ["include: [immich/more.yaml]\n", ""])
def test_a_folder_with_a_file_of_the_stack_in_it_stays_in_its_place(says: str) -> None:
    extends = "" if says else ", extends: {file: immich/more.yaml, service: base}"
    text = says + MEDIA.replace("image: 'x:1'", f"image: 'x:1'{extends}")
    named = (("media/immich/more.yaml", "services: {base: {image: 'b:1'}}\n"),)

    def snapshot(text: str) -> Snapshot:
        return Snapshot((StackFiles("media", "media/compose.yaml", text, "KEY=a\n", (), named),), None)

    assert sources(remove(snapshot(text))) == ["media/immich/upload"]
    whole = snapshot(text.replace("./immich/upload:", "./immich:"))
    assert "media/immich/more.yaml" in refused(lambda: remove(whole)).message
    # A restore puts back what the backup holds of the folder.
    assert wanted(whole, (), "media", "", "", root=ROOT).paths == ("media/immich",)
    two = StackFiles("two", "two/compose.yaml", "include: [../media/immich/more.yaml]\n", "", (), named)
    error = refused(lambda: remove(Snapshot((*media().stacks, two), None)))
    assert (error.code, "used by two" in error.message) == ("data_shared", True)


@pytest.mark.parametrize(
    "mount", ["./.env:/app/.env", ".:/app", "/opt/stacks/media/.env:/e:ro", "/opt/stacks/media:/a"]
)
def test_one_who_mounts_the_env_file_or_its_folder_reads_it(mount: str) -> None:
    mine = media(other(f"volumes: ['{mount}']"))
    theirs = mount.replace("./.env", "../media/.env") if mount[1] == "/" else mount.replace(".:", "../media:")
    others = media(photos=(f"services: {{p: {{image: p, volumes: ['{theirs}']}}}}\n", ""))
    for snapshot, who in ((mine, "media/other"), (others, "photos/p")):
        draft = remove(snapshot, "keep", "delete")
        assert not any(e.path == "media/.env" for e in draft.edits)
        assert any(who in n and "KEY" in n for n in draft.notes)
    lab = media(photos=("services: {p: {image: p, volumes: ['..:/lab', './.env:/e']}}\n", ""))
    assert any(e.path == "media/.env" for e in remove(lab, "keep", "delete").edits)
