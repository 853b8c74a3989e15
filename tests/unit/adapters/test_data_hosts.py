"""A path tells the host whose data it is; no host is asked for another's, or before its data is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from homelab_mcp.adapters.data_hosts import DataHosts
from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.core.stack_host import with_host
from homelab_mcp.core.trash import host_of_trash, on_host, thrown, trash_folder
from homelab_mcp.model.errors import EngineUnavailable, StorageFailed
from homelab_mcp.ports import Owners

WEB = "services:\n  web: {image: nginx}\n"
BACKUP = "services:\n  backup:\n    image: restic\n    labels: {homelab.backup: engine}\n"


class Told:
    """Data that notes what it was asked."""

    def __init__(self, name: str) -> None:
        self.name, self.asked = name, list[tuple[object, ...]]()

    def identity(self, path: str) -> str | None:
        self.asked.append(("identity", path))
        return self.name

    def move(self, source: str, target: str) -> None:
        self.asked.append(("move", source, target))

    def is_database(self, path: str) -> bool:
        self.asked.append(("is_database", path))
        return True

    def logs(self, path: str) -> list[str]:
        self.asked.append(("logs", path))
        return [self.name]

    def movable(self, source: str, target: str) -> bool:
        self.asked.append(("movable", source, target))
        return True

    def owner(self, path: str) -> tuple[int, int] | None:
        self.asked.append(("owner", path))
        return 1, 2

    def give(self, path: str, uid: int, gid: int) -> None:
        self.asked.append(("give", path, uid, gid))

    def strangers(self, path: str, uid: int, gid: int, limit: int) -> Owners:
        self.asked.append(("strangers", path, uid, gid, limit))
        return Owners(())

    def trash(self, before: str) -> list[str]:
        self.asked.append(("trash", before))
        return [f"20260101-000000-{self.name}"]

    def drop_trash(self, name: str) -> None:
        self.asked.append(("drop_trash", name))


@pytest.fixture
def told() -> dict[str, Told]:
    return {name: Told(name) for name in ("local", "nas")}


@pytest.fixture
def data(told: dict[str, Told]) -> DataHosts:
    """``photos`` is on nas, ``films`` on attic, where nothing gives way to data."""
    homes = {"photos": "nas", "films": "attic"}
    return DataHosts(
        told["local"],
        lambda stack: homes.get(stack, "local"),
        lambda host: told.get(host),
        lambda: ("attic", "nas"),
    )


def test_each_question_goes_to_the_host_that_its_path_is_on(data: DataHosts, told: dict[str, Told]) -> None:
    places = {
        "photos/db": "nas",
        ".homelab/trash/20260101-000000-restore-photos@nas/photos/db": "nas",
        "films/reel": "local",
        ".homelab/trash/20260101-000000-x@gone/films/reel": "local",
        "apps/wiki": "local",
        ".homelab/trash/20260101-000000-wiki/apps/wiki": "local",
        ".homelab/trash/mine@nas/x": "local",
        ".homelab/plans": "local",
        "photos": "local",
        "homelab.yaml": "local",
    }
    for path, host in places.items():
        assert data.identity(path) == data.logs(path)[0] == data.host(path) == host, path
        assert data.owner(path) == (1, 2) and data.is_database(path)
        data.give(path, 3, 4)
        data.strangers(path, 3, 4, 5)
    assert {words[1] for words in told["nas"].asked} == {p for p, host in places.items() if host == "nas"}
    assert len(told["nas"].asked) == 2 * 6


def test_nothing_moves_from_one_host_to_another(data: DataHosts, told: dict[str, Told]) -> None:
    here, bin_here = "apps/wiki", ".homelab/trash/20260101-000000-x/apps/wiki"
    there, bin_there = "photos/db", ".homelab/trash/20260101-000000-x@nas/photos/db"
    for source, target in ((here, there), (there, here), (there, bin_here), (here, bin_there), (bin_there, bin_here)):
        assert not data.movable(source, target)
        with pytest.raises(StorageFailed) as caught:
            data.move(source, target)
        assert caught.value.code == "other_host" and caught.value.hint
    assert not told["local"].asked and not told["nas"].asked
    data.move(there, bin_there)
    data.move(here, bin_here)
    # As before there were others: it is looked for here.
    data.move("films/reel", bin_here)
    assert told["nas"].asked == [("move", there, bin_there)]
    assert [words[1] for words in told["local"].asked] == [here, "films/reel"]


def test_what_is_in_the_trash_of_a_host_without_a_way_is_out_of_reach_and_not_gone(
    data: DataHosts, told: dict[str, Told]
) -> None:
    """Its backup's stack was removed: a roll-back must not say that the data is there no more."""
    there = ".homelab/trash/20260101-000000-restore-films@attic/films/reel"
    asked: tuple[Callable[[], object], ...] = (
        lambda: data.identity(there),
        lambda: data.host(there),
        lambda: data.move(there, "films/reel"),
        lambda: data.drop_trash("20260101-000000-restore-films@attic"),
    )
    for ask in asked:
        with pytest.raises(EngineUnavailable) as caught:
            ask()
        assert caught.value.code == "backup_not_running"
        assert "backup configure --host attic" in caught.value.hint
    assert not told["local"].asked


def test_the_trash_of_each_is_its_own(data: DataHosts, told: dict[str, Told]) -> None:
    assert data.trash("20260201-000000") == ["20260101-000000-local"]
    assert not told["nas"].asked
    assert {name: one.trash("x") for name, one in data.others().items()} == {"nas": ["20260101-000000-nas"]}
    data.drop_trash("20260101-000000-restore-photos@nas")
    data.drop_trash("20260101-000000-wiki")
    assert told["nas"].asked[-1] == ("drop_trash", "20260101-000000-restore-photos@nas")
    assert told["local"].asked[-1] == ("drop_trash", "20260101-000000-wiki")


def test_a_folder_of_the_trash_says_when_and_where() -> None:
    assert (
        trash_folder("20260101-000000-x")
        == ".homelab/trash/20260101-000000-x"
        == trash_folder("20260101-000000-x", "local")
    )
    name = trash_folder("20260101-000000-x", "nas").rpartition("/")[2]
    assert name == "20260101-000000-x@nas"
    assert (thrown(name), host_of_trash(name)) == ("20260101-000000", "nas")
    assert on_host("", "nas") == ""
    for plain in ("20260101-000000-x", "20260101-000000-x@", "mine@nas", ""):
        assert host_of_trash(plain) == "local", plain


def test_a_lab_opens_no_connection_and_asks_only_who_makes_backups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lab(*stacks: tuple[str, str, str]) -> LocalLab:
        for name, host, text in stacks:
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "compose.yaml").write_text(with_host(text, host))
        return LocalLab(str(tmp_path))

    monkeypatch.setattr("homelab_mcp.adapters.process.subprocess.Popen", None)
    monkeypatch.setattr("homelab_mcp.adapters.hosts.socket.create_connection", None)
    data = lab(("photos", "nas", WEB), ("apps", "", WEB)).placed_data
    (tmp_path / "photos" / "db").mkdir()
    # Without hosts.yaml, without a backup of that host, and with one of another host: all as on this machine.
    assert data.identity("photos/db") and data.others() == {}
    (tmp_path / "hosts.yaml").write_text(
        "hosts:\n  nas: {address: 'ssh://root@nas.invalid'}\n  pi: {address: 'unix:///nonexistent/sock'}\n"
    )
    assert data.identity("photos/db") and data.host("photos/db") == "local" and data.others() == {}
    lab(("backup", "", BACKUP), ("backup-pi", "pi", BACKUP), ("said", "nas", WEB + "    # homelab.backup\n"))
    assert data.identity("photos/db") and set(data.others()) == {"pi"}
    # With one, its host is where the data is, and nothing was asked yet.
    lab(("backup-nas", "nas", BACKUP))
    assert data.host("photos/db") == "nas" and set(data.others()) == {"nas", "pi"}
    assert data.identity("apps/none") is None
    monkeypatch.undo()
    with pytest.raises(EngineUnavailable):
        data.identity("photos/db")
    with pytest.raises(EngineUnavailable) as caught:
        LocalLab(str(tmp_path), files_only=True).placed_data.identity("photos/db")
    assert caught.value.code == "plan_needs_docker"
    # What a plan does not move is looked for here, whatever its stack's host.
    assert LocalLab(str(tmp_path)).data.identity("photos/db")
