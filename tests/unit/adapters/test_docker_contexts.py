"""Contexts that the docker command made, taken over as hosts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from homelab_mcp.adapters.docker_contexts import contexts
from homelab_mcp.adapters.docker_tls import DockerTls
from homelab_mcp.model.hosts import DockerHost


def test_what_a_lab_can_use_is_taken_over_and_the_rest_says_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "config.json").write_text("{}")
    monkeypatch.setenv("DOCKER_CONFIG", str(config))
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert contexts() == ({}, {})
    DockerTls(tmp_path).make("attic", ("attic.lan",), 30)
    client = tmp_path / ".homelab/tls/attic/client"
    tls = f"ca={client}/ca.pem,cert={client}/cert.pem,key={client}/key.pem"
    for name, endpoint in (
        ("shed", "host=ssh://root@shed.lan"),
        ("attic", f"host=tcp://attic.lan:2376,{tls}"),
        ("bare", "host=tcp://bare.lan:2375"),
    ):
        subprocess.run(["docker", "context", "create", name, "--docker", endpoint], capture_output=True, check=True)
    usable, refused = contexts()
    assert usable["shed"] == DockerHost(address="ssh://root@shed.lan")
    assert usable["attic"].address == "tcp://attic.lan:2376"
    folder = Path(usable["attic"].certificates)
    assert (folder / "cert.pem").read_bytes() == (client / "cert.pem").read_bytes()
    assert set(usable) == {"shed", "attic"}
    assert "certificates" in refused["bare"]
