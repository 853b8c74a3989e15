"""Data changes place by one rename and owners by their own entries; nothing leaves the lab or follows a link."""

import contextlib
import os
from pathlib import Path

import pytest

from homelab_mcp.adapters import data_folders
from homelab_mcp.adapters.data_folders import LabData
from homelab_mcp.adapters.files import LabFiles
from homelab_mcp.model.errors import HomelabError, StorageFailed

ROOT_ONLY = os.getuid() == 0
SOMEBODY = (4321, 4322)


@pytest.fixture
def data(tmp_path: Path) -> LabData:
    folder = tmp_path / "lab" / "apps" / "wiki"
    folder.mkdir(parents=True)
    (folder / "page").write_text("text")
    return LabData(tmp_path / "lab")


def code_of(error: pytest.ExceptionInfo[HomelabError]) -> str:
    return error.value.code


def test_a_folder_keeps_its_identity_and_bytes_where_it_goes(data: LabData) -> None:
    identity = data.identity("apps/wiki")

    assert data.movable("apps/wiki", ".homelab/trash/1/apps/wiki")
    data.move("apps/wiki", ".homelab/trash/1/apps/wiki")
    assert data.identity("apps/wiki") is None
    assert data.identity(".homelab/trash/1/apps/wiki") == identity is not None
    assert LabFiles(data.root).read(".homelab/trash/1/apps/wiki/page") == "text"
    assert LabFiles(data.root).sweep_temporary() == []


def test_nothing_is_put_over_something_or_led_through_a_link(data: LabData, tmp_path: Path) -> None:
    (Path(data.root) / "docs" / "wiki").mkdir(parents=True)
    (Path(data.root) / "link").symlink_to(tmp_path)
    for source, target, code in [
        ("apps/wiki", "docs/wiki", "data_in_the_way"),
        ("apps/none", "docs/x", "data_missing"),
        ("apps/wiki", "link/x", "symlink_refused"),
        ("link", "docs/x", "symlink_refused"),
        ("apps/wiki", "../x", "path_refused"),
    ]:
        with pytest.raises(HomelabError) as caught:
            data.move(source, target)
        assert code_of(caught) == code, (source, target)
    assert (Path(data.root) / "apps/wiki/page").read_text() == "text"


def test_another_file_system_and_a_kernel_without_the_call(data: LabData, monkeypatch: pytest.MonkeyPatch) -> None:
    def elsewhere(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(data_folders, "_rename", elsewhere)
    with pytest.raises(StorageFailed) as caught:
        data.move("apps/wiki", "docs/wiki")
    assert code_of(caught) == "other_file_system"
    monkeypatch.undo()
    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: object())
    data.move("apps/wiki", "docs/wiki")
    assert data.identity("docs/wiki")


def test_strangers_are_counted_without_links_and_hard_links(data: LabData, tmp_path: Path) -> None:
    folder = Path(data.root) / "apps" / "wiki"
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("x")
    (folder / "link").symlink_to(outside)
    (folder / "twin").hardlink_to(outside / "secret")
    (folder / "sub").mkdir()
    (folder / "sub" / "file").write_text("12345")

    seen = data.strangers("apps/wiki", *SOMEBODY, 2)
    assert ([o.path for o in seen.found], seen.more, seen.left) == (["apps/wiki", "apps/wiki/page"], 2, 2)
    assert data.owner("apps/wiki") == (os.getuid(), os.getgid())
    if ROOT_ONLY:
        for one in data.strangers("apps/wiki", *SOMEBODY, 100).found:
            data.give(one.path, *SOMEBODY)
        assert data.owner("apps/wiki/sub/file") == SOMEBODY
        assert (outside / "secret").stat().st_uid == (outside.stat().st_uid) == 0
    else:
        with pytest.raises(StorageFailed):
            data.give("apps/wiki/page", *SOMEBODY)


def test_the_trash_is_emptied_by_age_and_never_past_a_link(data: LabData, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    for name in ("20260101-000000-old", "20260301-000000-new", "mine"):
        data.make_folder(f".homelab/trash/{name}/apps/wiki")
    (Path(data.root) / ".homelab/trash/20260101-000000-old/apps/link").symlink_to(outside)

    old = data.trash("20260201-000000")
    assert old == ["20260101-000000-old"]
    for name in (*old, "mine", "../../apps"):
        with contextlib.suppress(HomelabError):
            data.drop_trash(name)
    assert data.names(".homelab/trash") == ["20260301-000000-new/", "mine/"]
    assert (outside / "kept").exists() and data.identity("apps/wiki")


def test_the_logs_of_a_database_are_known_by_what_it_begins_with_or_is_called(data: LabData) -> None:
    wiki = Path(data.root, "apps/wiki")
    for name, content in (("store", b"SQLite format 3\0..."), ("secret.db", b"\x8f\x03"), ("page", b"text")):
        (wiki / name).write_bytes(content)
        (wiki / f"{name}-wal").touch()
        (wiki / f"{name}-journal").mkdir()
    assert [data.logs(f"apps/wiki/{name}") for name in ("store", "secret.db", "page", "none.db")] == [
        ["-wal"],
        ["-wal"],
        [],
        [],
    ]
    assert data.logs("apps/wiki") == []
