"""A host that falls silent while its backup's script is at work is given up, one that only says nothing is not.

A program stands in for ``docker``: it works on for a while and says nothing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from homelab_mcp.adapters import backup_container
from homelab_mcp.adapters.backup_container import LOOKS, BackupContainer
from homelab_mcp.model.errors import EngineUnavailable

pytestmark = pytest.mark.unit

DOCKER = """#!/bin/sh
echo $$ >"$PIDS"
echo STEP one
case "$*" in *long*) sleep 3 ;; *) sleep 60 ;; esac
echo STEP two
"""


class There:
    """Another host, and its cable."""

    def __init__(self) -> None:
        self.knocks, self.gone = 0, False

    def reach(self) -> Mapping[str, str]:
        self.knocks += 1
        # The first is how a run begins.
        if self.gone and self.knocks > 1:
            raise EngineUnavailable("Host nas does not answer.", hint="Look at that machine.", code="host_silent")
        return {"DOCKER_HOST": "ssh://nas"}


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> There:
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("PIDS", str(tmp_path / "pids"))
    monkeypatch.setattr(backup_container, "LOOK_SECONDS", 0.2)
    return There()


@pytest.mark.parametrize("work", ["backup", "restore", "load"])
def test_a_cut_cable_ends_the_wait_and_the_program_here_and_tells_that_the_work_goes_on(
    there: There, tmp_path: Path, work: str
) -> None:
    there.gone = True
    one, heard, begun = BackupContainer(lambda: "id", there.reach), list[str](), time.monotonic()
    calls: dict[str, Callable[[], object]] = {
        "backup": lambda: one.run(["backup"], seconds=9e6, on_line=heard.append),
        "restore": lambda: one.run(["restore", "x"], seconds=9e6, on_line=heard.append),
        "load": lambda: one.load("a/db", "b/restore/x"),
    }
    with pytest.raises(EngineUnavailable) as caught:
        calls[work]()
    assert time.monotonic() - begun < 20
    assert caught.value.code == "host_silent"
    assert caught.value.message == "Host nas does not answer."
    assert caught.value.hint == "Its run goes on there by itself. Look at that machine."
    assert there.knocks == 1 + LOOKS
    assert heard == ([] if work == "load" else ["STEP one"])
    # It would keep the lab's lock for hours.
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pids").read_text()), 0)


def test_who_works_long_without_a_word_is_asked_and_left_alone(there: There) -> None:
    done = BackupContainer(lambda: "id", there.reach).run(["long"], seconds=30)
    assert done == (0, ["STEP one", "STEP two"])
    assert there.knocks > 1 + LOOKS


def test_a_host_that_comes_back_between_two_looks_is_not_given_up(there: There) -> None:
    def reach() -> Mapping[str, str]:
        there.gone = there.knocks % LOOKS != 0
        return there.reach()

    assert BackupContainer(lambda: "id", reach).run(["long"], seconds=30)[0] == 0
    assert there.knocks > 1 + LOOKS
