"""The trash of other hosts is emptied beside this machine's; a host that is dead or hangs holds up nobody."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.errors import EngineUnavailable, StorageFailed
from homelab_mcp.workflow.upkeep import empty_trash, empty_trash_elsewhere


class Bin:
    """One host's trash."""

    def __init__(self, *names: str, wrong: Exception | None = None, hangs: threading.Event | None = None) -> None:
        self.names, self.wrong, self.hangs = list(names), wrong, hangs

    def trash(self, before: str) -> list[str]:
        if self.hangs:
            self.hangs.wait(30)
        if self.wrong:
            raise self.wrong
        return [n for n in self.names if n[:15] < before]

    def drop_trash(self, name: str) -> None:
        if "stuck" in name:
            raise StorageFailed("something is mounted in it", code="mounted_inside", hint="Unmount it.")
        self.names.remove(name)


def test_each_host_is_emptied_on_its_own(tmp_path: Path) -> None:
    lab = LocalLab(str(tmp_path))
    (tmp_path / ".homelab/trash/20200101-000000-here").mkdir(parents=True)
    never = threading.Event()
    bins = {
        "nas": Bin("20200101-000001-stuck@nas", "20200101-000002-a@nas", "20990101-000000-b@nas"),
        "dead": Bin(wrong=EngineUnavailable("Host dead does not answer.", code="host_silent", hint="Look.")),
        "hangs": Bin("20200101-000000-c@hangs", hangs=never),
        "pi": Bin("20200101-000000-d@pi"),
    }

    class Others:
        def others(self) -> dict[str, Bin]:
            return bins

    lab.__dict__["placed_data"] = Others()
    begun = time.monotonic()
    assert empty_trash(lab) == ["20200101-000000-here"]
    threads = {t.name.partition(" ")[2]: t for t in empty_trash_elsewhere(lab)}
    assert time.monotonic() - begun < 2
    for name in ("nas", "dead", "pi"):
        threads[name].join(10)
    assert bins["nas"].names == ["20200101-000001-stuck@nas", "20990101-000000-b@nas"] and bins["pi"].names == []
    assert threads["hangs"].is_alive() and threads["hangs"].daemon
    told = {name for e in lab.journal.entries() if e["event"] == "trash_emptied" for name in e["data"]["names"]}
    assert told == {"20200101-000000-here", "20200101-000002-a@nas", "20200101-000000-d@pi"}
    never.set()
    threads["hangs"].join(10)
    assert bins["hangs"].names == []


def test_hosts_that_cannot_be_read_keep_no_server_from_starting(tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text("hosts: 3\n")
    assert empty_trash_elsewhere(LocalLab(str(tmp_path))) == []


def test_what_cannot_be_deleted_keeps_nobody_from_the_rest(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lab = LocalLab(str(tmp_path))
    lab.__dict__["data"] = Bin("20200101-000000-stuck", "20200101-000001-b")
    assert empty_trash(lab) == ["20200101-000001-b"]
    assert "20200101-000000-stuck stays in the trash" in caplog.text
