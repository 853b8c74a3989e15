"""How what a killed trial left is taken away, while the engine is at work on it yet. The engine is make-believe."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from homelab_mcp.adapters import trials as module
from homelab_mcp.adapters.compose_scratch import held_folder, sweep_folders
from homelab_mcp.adapters.docker_engine import DockerEngine
from homelab_mcp.adapters.trials import ComposeTrials
from homelab_mcp.model.errors import EngineFailed


class BusyEngine:
    """Has one network, and a container that is listed only at the second look; refuses the network that long."""

    def __init__(self, refuses: int) -> None:
        self.looks = 0
        self.refuses = refuses
        self.there = {"network-1": "trial_net"}

    def asked(self, call: Callable[[Any], Any], seconds: float = 0.0) -> Any:
        return call(self)

    def containers(self, *, all: bool, filters: dict[str, list[str]]) -> list[dict[str, Any]]:
        self.looks += 1
        if self.looks == 2:
            self.there["container-1"] = "/trial-db-1"
        return [{"Id": i, "Names": [n]} for i, n in self.there.items() if i.startswith("container")]

    def networks(self, *, filters: dict[str, list[str]]) -> list[dict[str, Any]]:
        return [{"Id": i, "Name": n} for i, n in self.there.items() if i.startswith("network")]

    def remove_container(self, identity: str, *, force: bool, v: bool) -> None:
        assert force, "it may run"
        assert v, "its volumes have no name and go with it"
        del self.there[identity]

    def remove_network(self, identity: str) -> None:
        if self.looks <= self.refuses:
            raise EngineFailed("network has active endpoints")
        del self.there[identity]


def busy(monkeypatch: pytest.MonkeyPatch, refuses: int) -> tuple[ComposeTrials, BusyEngine]:
    engine = BusyEngine(refuses)
    monkeypatch.setattr(module, "_POLL", 0.01)
    monkeypatch.setattr(module, "QUIET", 0.05)
    monkeypatch.setattr(module, "PATIENCE", 0.3)
    return ComposeTrials(cast("DockerEngine", engine), "/lab"), engine


def test_a_container_that_turns_up_late_and_a_network_in_use_are_removed_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trials, engine = busy(monkeypatch, refuses=2)
    assert trials.remove("homelab-trial-x") == ["trial-db-1", "trial_net"]
    assert engine.there == {}


def test_what_the_engine_refuses_for_good_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    trials, engine = busy(monkeypatch, refuses=10_000)
    with pytest.raises(EngineFailed, match="active endpoints"):
        trials.remove("homelab-trial-x")
    assert list(engine.there) == ["network-1"], "all else is gone"


def test_only_a_trial_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    trials, _ = busy(monkeypatch, refuses=0)
    with pytest.raises(EngineFailed, match="media is no trial"):
        trials.remove("media")


def test_a_folder_is_swept_once_its_process_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead = tmp_path / "homelab-trial-dead"
    dead.mkdir()
    (tmp_path / "another").mkdir()
    os.utime(dead, (1, 1))
    with held_folder(tmp_path, "homelab-trial-") as live:
        os.utime(live, (1, 1))
        assert sweep_folders("homelab-trial-") == ["homelab-trial-dead"]
        assert live.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["another"]
