"""A plan for another host says which machine that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from homelab_mcp.adapters.hosts import HostSet
from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core.operations.swarm_nodes import join_node
from homelab_mcp.model.errors import EngineFailed, NotFound
from homelab_mcp.model.hosts import HostLook
from homelab_mcp.model.plan import Requester
from homelab_mcp.workflow.propose_standby import propose_standby
from tests.unit.workflow.test_standby_steps import Noted


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalLab:
    (tmp_path / "homelab.yaml").write_text("domain: lab.test\n")
    (tmp_path / "hosts.yaml").write_text("hosts: {nas: {address: 'ssh://root@192.168.1.20'}}\n")
    (tmp_path / "core").mkdir()
    (tmp_path / "core/compose.yaml").write_text("services: {traefik: {image: 'traefik:v3.7.13'}}\n")
    monkeypatch.setattr(HostSet, "look", lambda *_: HostLook("nas", "ssh://root@192.168.1.20"))
    monkeypatch.setattr(LocalLab, "standby", Noted())
    return open_lab(str(tmp_path))


def test_the_plan_shows_the_address_that_files_and_keys_go_to(lab: LocalLab) -> None:
    plan = propose_standby(lab, "nas", Requester("cli"))
    assert plan.draft.notes[0] == "Host nas is ssh://root@192.168.1.20."
    assert {"file:hosts.yaml", "file:core/compose.yaml", "file:core/.env"} <= plan.fingerprint.keys()


def test_so_does_a_plan_that_has_a_host_join_the_swarm() -> None:
    assert join_node((), "nas", "ssh://root@nas.lan").summary == "Let host nas (ssh://root@nas.lan) join the Swarm"


def test_a_host_that_is_too_slow_is_not_said_to_have_no_standby(lab: LocalLab, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object) -> tuple[str, ...]:
        raise EngineFailed("Docker on nas did not answer in time.")

    monkeypatch.setattr(Noted, "active", late)
    with pytest.raises(EngineFailed, match="did not answer in time"):
        propose_standby(lab, "nas", Requester("cli"), "activate")


def test_a_host_that_was_looked_at_and_has_none_is_told_so(lab: LocalLab) -> None:
    with pytest.raises(NotFound) as none:
        propose_standby(lab, "nas", Requester("cli"), "activate")
    assert none.value.code == "standby_missing"
