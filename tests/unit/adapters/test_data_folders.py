"""Data changes place by one rename and owners by their own entries; nothing leaves the lab or follows a link."""

import os
from pathlib import Path

import pytest

from homelab_mcp.adapters import data_folders
from homelab_mcp.adapters.data_folders import LabData
from homelab_mcp.adapters.files import LabFiles
from homelab_mcp.model.errors import StorageFailed
from tests.data_semantics import SOMEBODY, DataSemantics, Place, wiki

ROOT_ONLY = os.getuid() == 0


@pytest.fixture
def data(tmp_path: Path) -> LabData:
    wiki(tmp_path / "lab")
    return LabData(tmp_path / "lab")


@pytest.fixture
def place(data: LabData) -> Place:
    return Place(data, Path(data.root))


class TestHere(DataSemantics):
    """What holds everywhere, on this machine."""


def test_what_is_in_the_trash_is_not_looked_at_for_temp_files(data: LabData) -> None:
    data.move("apps/wiki", ".homelab/trash/1/apps/wiki")
    assert LabFiles(data.root).read(".homelab/trash/1/apps/wiki/page") == "text"
    assert LabFiles(data.root).sweep_temporary() == []


def test_another_file_system_and_a_kernel_without_the_call(data: LabData, monkeypatch: pytest.MonkeyPatch) -> None:
    def elsewhere(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(data_folders, "_rename", elsewhere)
    with pytest.raises(StorageFailed) as caught:
        data.move("apps/wiki", "docs/wiki")
    assert caught.value.code == "other_file_system"
    monkeypatch.undo()
    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: object())
    data.move("apps/wiki", "docs/wiki")
    assert data.identity("docs/wiki")


def test_who_may_not_give_a_file_away_is_told(data: LabData) -> None:
    if ROOT_ONLY:
        data.give("apps/wiki/page", *SOMEBODY)
        assert data.owner("apps/wiki/page") == SOMEBODY
    else:
        with pytest.raises(StorageFailed):
            data.give("apps/wiki/page", *SOMEBODY)
