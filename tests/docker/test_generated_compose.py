"""Compose itself takes every generated file, alone and inside a hand-written one. Needs the CLI, no daemon."""

import json
import subprocess
from pathlib import Path

import pytest

from homelab_mcp.core.compose_edit import add_services, new_document
from homelab_mcp.core.env_file import set_values
from tests.unit.core.test_compose_edit import HAND_WRITTEN
from tests.unit.core.test_generator import REAL, asked_for, make, make_real


def config(folder: Path, *files: str) -> subprocess.CompletedProcess[str]:
    argv = ["docker", "compose", "--project-name", "check", *files, "config", "--format", "json"]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=25)


BATCH = 25
"""Entries a call: each call of the CLI costs its start, and one file for all would hide whose fault it is."""
BATCHES = [list(REAL)[start : start + BATCH] for start in range(0, len(REAL), BATCH)]


@pytest.mark.parametrize("names", BATCHES, ids=[f"{names[0]}..{names[-1]}" for names in BATCHES])
def test_compose_accepts_the_generated_files_without_a_warning(tmp_path: Path, names: list[str]) -> None:
    # As one project of many files, which Compose merges: a service that two entries make would show below.
    known = {"DUCKDNS_TOKEN": "duck-token-1", "VPN_SERVICE_PROVIDER": "mullvad"}
    routes, arguments, made_services = {}, [], 0
    for name in names:
        env = {**known, **asked_for(REAL[name])}
        made = make(REAL[name], env=env, name=f"e-{name}", gateway_name=f"e-{name}-gluetun")
        text = new_document(made.services, networks=made.networks, urls=made.urls)
        (tmp_path / f"{name}.yaml").write_text(text.replace("x-dockge:", f"x-dockge-{name}:"))
        known |= {**asked_for(REAL[name]), **made.env}
        arguments += ["-f", f"{name}.yaml"]
        made_services += len(made.services)
        if made.route:
            routes[name] = made.route.host
    (tmp_path / ".env").write_text(set_values("", known))

    done = config(tmp_path, *arguments)

    assert (done.returncode, done.stderr) == (0, "")
    services = json.loads(done.stdout)["services"]
    assert len(services) == made_services
    labels = [v for s in services.values() for k, v in s.get("labels", {}).items() if k.endswith(".rule")]
    assert [name for name, host in routes.items() if not any(host in rule for rule in labels)] == []


def test_compose_accepts_a_generated_service_inside_a_hand_written_file(tmp_path: Path) -> None:
    made = make_real("nextcloud")
    text = add_services(HAND_WRITTEN, made.services, networks=made.networks, urls=made.urls)
    (tmp_path / "compose.yaml").write_text(text)
    (tmp_path / "token.txt").write_text("t")
    (tmp_path / ".env").write_text(set_values("", made.env))

    done = config(tmp_path)

    assert done.returncode == 0, done.stderr
    assert {"nextcloud", "nextcloud-db", "nextcloud-cache", "frontdoor"} <= json.loads(done.stdout)["services"].keys()
