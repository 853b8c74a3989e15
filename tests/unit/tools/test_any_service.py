"""Any service and outside devices, as a model and as a person at a terminal ask for them; files only."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from typer.testing import CliRunner

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.cli.app import app
from homelab_mcp.core.settings import parse_settings
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Requester
from homelab_mcp.server import build
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import propose_add_service

PIN = "27182818"
CANARY = "c4n4ry-9931-token"
STACK = f"""services:
  app:
    image: example/app:1
    ports: ["8080:3000"]
    environment: {{API_TOKEN: {CANARY}, DB_PASSWORD: "${{DB_PASSWORD}}"}}
  db:
    image: postgres:17.2
    environment: {{POSTGRES_PASSWORD: "${{DB_PASSWORD}}"}}
"""


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lab with log-in and proxy, made once."""
    place = tmp_path_factory.mktemp("core") / "stacks"
    lab = open_lab(str(place), files_only=True)
    init_lab(lab, {"domain": "lab.test", "acme.challenge": "tls"}, PIN)
    for service in ("authelia", "traefik"):
        apply(place, propose_add_service(lab, service, "", {}, Requester("cli")).id)
    return place


@pytest.fixture
def root(core: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(core, tmp_path / "stacks"))


def apply(root: Path, plan: str) -> None:
    lab = open_lab(str(root), files_only=True)
    approvals(lab).out_of_band(plan, PIN, who="test", approved=True)
    status = applier(lab).run(plan)
    assert status.state == "done", status


async def asked(root: Path, tool: str, **arguments: Any) -> dict[str, Any]:
    async with Client(build(open_lab(str(root), files_only=True))) as client:
        result = await client.call_tool(tool, arguments)
    text = getattr(result.content[0], "text", "")
    assert not result.is_error, text
    found: dict[str, Any] = json.loads(text)
    return found


async def test_a_model_plans_a_device_sees_it_and_takes_it_away(root: Path) -> None:
    before = (root / "homelab.yaml").read_text()
    assert (await asked(root, "external_route"))["routes"] == []
    plan = await asked(root, "external_route", action="add", name="nas", url="https://192.168.1.20:5001", tls="skip")
    assert (plan["risk"], plan["state"]) == ("medium", "pending")
    apply(root, plan["plan_id"])
    (row,) = (await asked(root, "external_route"))["routes"]
    assert (row["url"], row["backend"], row["sso"]) == ("https://nas.lab.test", "https://192.168.1.20:5001", "protect")
    file = root / "core" / "traefik" / "dynamic" / "external.yaml"
    assert "insecureSkipVerify: true" in file.read_text()
    apply(root, (await asked(root, "external_route", action="remove", name="nas"))["plan_id"])
    assert not file.exists()
    assert (root / "homelab.yaml").read_text() == before


async def test_what_a_model_pastes_is_planned_without_its_secrets(root: Path) -> None:
    plan = await asked(root, "import_service", text=STACK, stack="apps", name="papers")
    assert CANARY not in json.dumps(plan)
    assert any("came through a model" in r for r in plan["reasons"])
    apply(root, plan["plan_id"])
    env = (root / "apps" / ".env").read_text()
    assert f"PAPERS_API_TOKEN={CANARY}" in env
    for path in root.rglob("*"):
        if path.is_file() and path.name != ".env":
            assert CANARY.encode() not in path.read_bytes(), path
    plan = await asked(root, "add_custom_service", name="paint", image="example/paint:1.2", port=3000, generate=["KEY"])
    apply(root, plan["plan_id"])
    assert "PAINT_KEY=" in (root / "paint" / ".env").read_text()


def test_a_person_imports_a_file_with_what_stands_beside_it(root: Path, tmp_path: Path) -> None:
    beside = tmp_path / "found"
    beside.mkdir()
    (beside / "compose.yaml").write_text(f"include: [more.yaml]\n{STACK}")
    (beside / "more.yaml").write_text("services:\n  extra:\n    image: example/extra:1\n")
    (beside / ".env").write_text("DB_PASSWORD=from-the-file-beside\nOTHER=never-taken\n")
    run = CliRunner()
    options = ["--root", str(root), "--files-only"]
    done = run.invoke(app, [*options, "import", str(beside / "compose.yaml"), "--stack", "apps", "--json"])
    assert done.exit_code == 3, done.output
    apply(root, json.loads(done.output)["plan_id"])
    env = (root / "apps" / ".env").read_text()
    assert "DB_PASSWORD=from-the-file-beside" in env
    assert "never-taken" not in env
    assert "example/extra:1" in (root / "apps" / "compose.yaml").read_text()
    done = run.invoke(app, [*options, "import", "-", "--json"], input="docker run -d --name web -p 80:80 nginx:1.29")
    assert done.exit_code == 3, done.output
    # As a page shows it, and longer than a file's name can be.
    line = f"docker run -d --name web -e PASSWORD=hunter2hunter2 -v {'/a' * 200}:/data nginx:1.29"
    done = run.invoke(app, [*options, "import", line])
    assert isinstance(done.exception, InvalidInput), done.exception
    assert "import -" in done.exception.hint and "hunter2hunter2" not in done.exception.message
    done = run.invoke(app, [*options, "add-custom", "paint", "example/paint:1.2", "--port", "3000", "--json"])
    assert done.exit_code == 3, done.output
    certificate = tmp_path / "nas.pem"
    certificate.write_text("-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n")
    adding = ["external", "add", "nas", "https://192.168.1.20", "--ca", str(certificate), "--json"]
    done = run.invoke(app, [*options, *adding])
    assert done.exit_code == 3, done.output
    apply(root, json.loads(done.output)["plan_id"])
    assert parse_settings((root / "homelab.yaml").read_text()).external["nas"].tls == "ca"
    assert "nas.lab.test" in run.invoke(app, [*options, "external", "list"]).output
    gone = run.invoke(app, [*options, "external", "remove", "nas", "--json"])
    assert gone.exit_code == 3, gone.output
