"""The lock outlasts its holder while programs that the holder ran are at work, and no longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from homelab_mcp.adapters import lock as lock_module
from homelab_mcp.adapters.lock import LabLock
from homelab_mcp.model.errors import LabLocked

HOLDER = """
import sys
from homelab_mcp.adapters.lock import LabLock
from homelab_mcp.adapters.process import run
with LabLock(sys.argv[1]).hold("apply x"):
    run(["sh", "-c", "echo go; echo > " + sys.argv[1] + "/begun; sleep " + sys.argv[2]], timeout=600)
"""


def killed_holder(root: Path, seconds: float) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(root), str(seconds)])
    until = time.monotonic() + 20
    while not (root / "begun").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    holder.send_signal(signal.SIGKILL)
    holder.wait()


def test_an_orphan_is_waited_for(tmp_path: Path) -> None:
    killed_holder(tmp_path, 1.5)
    lock = LabLock(tmp_path)
    assert lock.holder() == "apply x"
    lock.refuse_busy()  # who died refuses nobody
    begun = time.monotonic()
    with lock.hold("recover"):
        assert 0.3 < time.monotonic() - begun < 10
        assert lock.holder() == "recover"
    assert lock.holder() == ""


def test_an_orphan_that_goes_on_for_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "ORPHANS", 1.0)
    killed_holder(tmp_path, 300)
    with LabLock(tmp_path).hold("recover"):
        assert lock_module._holding(tmp_path / ".homelab" / "lock") == []


def test_a_live_holder_is_never_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_module, "ORPHANS", 0.2)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path), "30"])
    try:
        while not (tmp_path / "begun").exists():
            time.sleep(0.02)
        with pytest.raises(LabLocked, match="apply x"), LabLock(tmp_path).hold("recover"):
            pytest.fail("two hold it")
        with pytest.raises(LabLocked, match="apply x"):
            LabLock(tmp_path).refuse_busy()
        assert holder.poll() is None
    finally:
        os.kill(holder.pid, signal.SIGTERM)
        holder.wait()
        with LabLock(tmp_path).hold("clean up"):
            pass


def test_a_look_at_the_lock_does_not_keep_a_worker_from_taking_it(tmp_path: Path) -> None:
    lock = LabLock(tmp_path)
    with lock.hold("once"):
        pass
    looker = subprocess.Popen(
        [sys.executable, "-c", "import sys\nfrom homelab_mcp.adapters.lock import LabLock\n"
         "lock = LabLock(sys.argv[1])\nwhile True: lock.holder()", str(tmp_path)]
    )  # fmt: skip
    try:
        time.sleep(1)
        for _ in range(100):
            with lock.hold("apply"):
                pass
    finally:
        looker.kill()
        looker.wait()
