"""``check_vpn`` of a gateway on another host; engine and looks are made up, as no other host can be here."""

from __future__ import annotations

from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.observed import ContainerMake, ContainerState
from homelab_mcp.queries.check_vpn import check_vpn

TEXT = """services:
  gluetun: {image: 'qmcgaw/gluetun:v3.40.0'}
  tool: {image: 'tool:1', network_mode: 'service:gluetun'}
"""


class MadeUpEngine:
    """Both run, wherever they are."""

    def containers(self, stack: str | None = None, *, besides: bool = False) -> tuple[ContainerState, ...]:
        return tuple(ContainerState(f"id-{n}", n, "", "running", "", "dl", n) for n in ("gluetun", "tool"))

    def made_from(self, container_id: str) -> ContainerMake:
        return ContainerMake("", image_moved=False, env={}, labels={}, image_env={}, image_labels={})


class MadeUpInside:
    """Answers as ``docker`` on this machine does for containers that it does not have."""

    def host_address(self) -> str:
        return "198.51.100.7"

    def network_of(self, container_id: str) -> str:
        return ""

    def read(self, container_id: str, path: str) -> None:
        return None

    def address(self, container_id: str) -> str:
        return ""


@pytest.mark.parametrize(("head", "verdict"), [("x-homelab: {host: nas}\n", "unseen"), ("", "bad")])
def test_a_leak_is_told_by_who_looked_alone(tmp_path: Path, head: str, verdict: str) -> None:
    (tmp_path / "dl").mkdir()
    (tmp_path / "homelab.yaml").write_text("domain: lab.test\n")
    (tmp_path / "hosts.yaml").write_text("hosts:\n  nas: {address: 'ssh://root@nas.invalid'}\n")
    (tmp_path / "dl/compose.yaml").write_text(head + TEXT)
    lab = LocalLab(str(tmp_path))
    lab.__dict__ |= {"engine": MadeUpEngine(), "inside": MadeUpInside()}

    found = check_vpn(lab)

    assert found["verdict"] == verdict
    (gateway,) = found["gateways"]
    assert ("recreate it" in str(gateway)) is (verdict == "bad")
    assert ("Whether tool is in the gateway's network" in str(gateway)) is (verdict == "unseen")
