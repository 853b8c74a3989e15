"""What a person is told to do next while a CA changes, where a host's part is in trouble."""

from __future__ import annotations

from pathlib import Path

import pytest

from homelab_mcp.adapters.hosts import HostSet
from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.model.hosts import CaHost, CaStage
from homelab_mcp.workflow.change_hosts import make_tls
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.renew_ca import _steps, step_ca


class Finished(HostSet):
    """The last step of a change."""

    def ca_look(self, ca_key: str = "") -> tuple[CaHost, ...] | None:
        return ()

    def ca_step(self, days: int, ca_key: str = "") -> tuple[CaHost, ...] | None:
        return None


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "the old one's key is overwritten"),
        (".homelab/tls/ca/ca-key.pem", "the old one's key is overwritten"),
        ("./media/../.homelab/tls/ca/ca-key.pem", "the old one's key is overwritten"),
        ("/mnt/stick/ca-key.pem", "its key at /mnt/stick/ca-key.pem is yours to destroy"),
    ],
)
def test_the_new_key_is_never_said_to_be_yours_to_destroy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, says: str
) -> None:
    (tmp_path / "media").mkdir()
    (tmp_path / "homelab.yaml").write_text("domain: lab.test\n")
    monkeypatch.chdir(tmp_path)
    lab = open_lab(str(tmp_path))
    monkeypatch.setattr(LocalLab, "hosts", Finished(str(tmp_path), lab.files, lab._local_engine))
    assert step_ca(lab, 90, begin=False, ca_key=given)["next"] == [f"The new CA has taken the old one's place; {says}."]


def test_what_is_wrong_with_files_here_is_not_mended_at_the_host() -> None:
    assert _steps(CaHost("nas", CaStage.OLD, "Its certificate is missing."), "nas.lan", "/s") == [
        "nas: Its certificate is missing."
    ]
    (silent,) = _steps(CaHost("nas", CaStage.NARROW, "It does not answer."), "nas.lan", "/s")
    assert silent == "nas: It does not answer. Bring it back, or take it out of hosts.yaml."
    copy, why = _steps(CaHost("nas", CaStage.COPY, "It turns this machine away."), "nas.lan", "/my stacks")
    assert copy.startswith("nas: scp -p '/my stacks/.homelab/tls/nas/server'/*.pem root@nas.lan:")
    assert why == "nas: It turns this machine away."


@pytest.mark.parametrize(
    ("names", "listens"),
    [
        (("nas.lan",), "0.0.0.0"),
        (("nas.lan", "192.168.1.20"), "192.168.1.20"),
        (("nas.lan", "fd00::20"), "[fd00::20]"),
    ],
)
def test_docker_there_listens_at_an_address_as_its_own_name_may_be_a_loopback_of_it(
    tmp_path: Path, names: tuple[str, ...], listens: str
) -> None:
    init_lab(open_lab(str(tmp_path), files_only=True), {"domain": "lab.test"}, "27182818")
    copy, daemon, *_, last = make_tls(open_lab(str(tmp_path)), "nas", names, 90, again=False)
    assert f'"tcp://{listens}:2376"' in daemon
    assert "ssh root@nas.lan mkdir -p -m 700 /etc/docker/tls && scp -p " in copy
    assert f"{tmp_path}/.homelab/tls/nas/server/*.pem root@nas.lan:/etc/docker/tls/" in copy
    assert last == "Then: homelab-mcp host add nas tcp://nas.lan:2376"
