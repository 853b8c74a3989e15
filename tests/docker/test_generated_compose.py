"""Compose itself takes every generated file, alone and inside a hand-written one. Needs the CLI, no daemon."""

import json
import subprocess
from pathlib import Path

import pytest

from homelab_mcp.core.compose_edit import add_services, new_document
from homelab_mcp.core.env_file import set_values
from tests.unit.core.test_compose_edit import HAND_WRITTEN
from tests.unit.core.test_generator import REAL, asked_for, make_real


def config(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", "compose", "config", "--format", "json"], cwd=folder, capture_output=True, text=True, timeout=25
    )


@pytest.mark.parametrize("name", REAL)
def test_compose_accepts_the_generated_file_without_a_warning(tmp_path: Path, name: str) -> None:
    made = make_real(name)
    (tmp_path / "compose.yaml").write_text(new_document(made.services, networks=made.networks, urls=made.urls))
    known = {"DUCKDNS_TOKEN": "duck-token-1", "VPN_SERVICE_PROVIDER": "mullvad", **asked_for(REAL[name])}
    (tmp_path / ".env").write_text(set_values("", {**known, **made.env}))

    done = config(tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    labels = {k: v for s in json.loads(done.stdout)["services"].values() for k, v in s.get("labels", {}).items()}
    if made.route:
        assert any(made.route.host in v for k, v in labels.items() if k.endswith(".rule"))


def test_compose_accepts_a_generated_service_inside_a_hand_written_file(tmp_path: Path) -> None:
    made = make_real("nextcloud")
    text = add_services(HAND_WRITTEN, made.services, networks=made.networks, urls=made.urls)
    (tmp_path / "compose.yaml").write_text(text)
    (tmp_path / "token.txt").write_text("t")
    (tmp_path / ".env").write_text(set_values("", made.env))

    done = config(tmp_path)

    assert done.returncode == 0, done.stderr
    assert {"nextcloud", "nextcloud-db", "nextcloud-cache", "frontdoor"} <= json.loads(done.stdout)["services"].keys()
