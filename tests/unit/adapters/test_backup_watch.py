"""A host that falls silent while its backup's script is at work is given up, one that only says nothing is not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from homelab_mcp.adapters import backup_watch
from homelab_mcp.adapters.backup_container import BackupContainer
from homelab_mcp.adapters.backup_watch import WatchedBackup
from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable

pytestmark = pytest.mark.unit


class There:
    """Stands for a host whose cable can be cut: what is at work then never answers."""

    def __init__(self) -> None:
        self.gone, self.cut_after, self.knocks, self.end = False, 0.0, 0, threading.Event()

    def _work(self) -> None:
        if self.gone:
            self.end.wait(20)
        time.sleep(self.cut_after)

    def run(
        self, words: Sequence[str], *, seconds: float, on_line: Callable[[str], None] | None = None
    ) -> tuple[int, list[str]]:
        assert on_line is not None
        on_line("STEP one")
        self._work()
        if words[0] == "wrong":
            raise EngineFailed("No.", hint="Look.", code="backup_timeout")
        on_line("STEP two")
        return 7, ["STEP one", "STEP two"]

    def read(self, words: Sequence[str], *, seconds: float) -> str:
        return " ".join(words)

    def load(self, service: str, file: str) -> None:
        self._work()
        raise EngineFailed(f"{service} {file}", code="load_failed")

    def knock(self) -> None:
        self.knocks += 1
        if self.gone:
            raise EngineUnavailable("Host nas does not answer.", hint="Look at that machine.", code="host_silent")


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[There]:
    monkeypatch.setattr(backup_watch, "LOOK_SECONDS", 0.05)
    made = There()
    yield made
    made.end.set()


def test_a_cut_cable_ends_a_run_and_a_load_soon_and_tells_that_the_work_goes_on(there: There) -> None:
    there.gone = True
    watched, heard = WatchedBackup(there), list[str]()
    begun = time.monotonic()
    for work in (
        lambda: watched.run(["backup"], seconds=9e9, on_line=heard.append),
        lambda: watched.run(["restore"], seconds=9e9),
        lambda: watched.load("a/db", "b/restore/x"),
    ):
        with pytest.raises(EngineUnavailable) as caught:
            work()
        assert caught.value.code == "host_silent"
        assert caught.value.message == "Host nas does not answer."
        assert caught.value.hint == "Its run goes on there by itself. Look at that machine."
    assert time.monotonic() - begun < 5
    assert there.knocks == 3 * backup_watch.LOOKS
    assert heard == ["STEP one"]


def test_who_works_long_without_a_word_is_asked_and_left_alone(there: There) -> None:
    there.cut_after = 0.4
    heard: list[tuple[str, int]] = []
    watched, mine = WatchedBackup(there), threading.get_ident()
    assert watched.run(["x"], seconds=9, on_line=lambda line: heard.append((line, threading.get_ident()))) == (
        7,
        ["STEP one", "STEP two"],
    )
    assert heard == [("STEP one", mine), ("STEP two", mine)]
    assert there.knocks > backup_watch.LOOKS
    assert watched.read(["status"], seconds=1) == "status"
    for work, code in (
        (lambda: watched.run(["wrong"], seconds=9), "backup_timeout"),
        (lambda: watched.load("a/db", "x"), "load_failed"),
    ):
        with pytest.raises(EngineFailed) as caught:
            work()
        assert caught.value.code == code


def test_what_a_listener_raises_reaches_the_caller(there: There) -> None:
    def stop(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        WatchedBackup(there).run(["x"], seconds=9, on_line=stop)


def test_a_lab_watches_other_hosts_alone(tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text("hosts:\n  nas: {address: 'ssh://root@nas.invalid'}\n")
    lab = LocalLab(str(tmp_path))
    assert isinstance(lab.restic_at("local"), BackupContainer)
    assert isinstance(lab.restic_at("nas"), WatchedBackup)
