"""The command line as people and scripts use it: labs made and adopted, exit codes, JSON, undo."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.server import LabOnDisk

pytestmark = pytest.mark.timeout(240)

DOCKGE_STACK = """\
# my media stack, do not touch!
services:
    jellyfin:
        image:   "jellyfin/jellyfin:10.11.0"   # pinned
        restart: 'no'
        environment: {TZ: Europe/Berlin}
"""


@pytest.fixture
def lab(tmp_path: Path) -> LabOnDisk:
    return LabOnDisk(tmp_path / "stacks", {"HOMELAB_FILES_ONLY": "1"})


def apply(lab: LabOnDisk, *arguments: str) -> str:
    plan = lab.json(*arguments, "--plan-only", code=3)
    assert lab.approve(plan["plan_id"], "--apply")["state"] == "done"
    return str(plan["plan_id"])


def test_init_adopts_a_folder_of_stacks_and_rewrites_nothing(lab: LabOnDisk) -> None:
    for name, file in (("media", "docker-compose.yml"), ("odd", "compose.yml")):
        (lab.root / name).mkdir(parents=True)
        (lab.root / name / file).write_text(DOCKGE_STACK)
    (lab.root / "media" / ".env").write_text("DOMAIN=home.example.org\nTZ=Europe/Berlin\nPUID=1234\n")
    before = lab.files()
    report = lab.json("init", "--pin-file", "-", stdin="correct-horse\n")
    assert report["stacks"] == ["media", "odd"]
    after = lab.files()
    assert {name: after[name] for name in before} == before
    settings = (lab.root / "homelab.yaml").read_text()
    assert "home.example.org" in settings
    assert "Europe/Berlin" in settings
    assert "1234" in settings
    again = lab.json("init")
    assert again["made"] == []


def test_adding_to_an_adopted_stack_and_undoing_it_gives_the_same_bytes(lab: LabOnDisk) -> None:
    (lab.root / "media").mkdir(parents=True)
    compose = lab.root / "media" / "docker-compose.yml"
    compose.write_text(DOCKGE_STACK)
    lab.init("--acme-challenge", "tls")
    plan_id = apply(lab, "add", "jellyfin", "--stack", "media", "--name", "jellyfin2")
    text = compose.read_text()
    assert text.startswith(DOCKGE_STACK.rstrip("\n"))
    assert "jellyfin2:" in text
    env = lab.root / "media" / ".env"
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    undo = lab.json("rollback", plan_id, "--plan-only", code=3)
    assert lab.approve(undo["plan_id"], "--apply")["state"] == "done"
    assert compose.read_text() == DOCKGE_STACK
    assert not env.exists()
    states = [h["state"] for h in lab.json("history")["history"]]
    assert states == ["done", "done"]
    assert lab.json("journal", "verify")["ok"] is True


def test_secrets_and_private_files_are_in_no_git_object(lab: LabOnDisk) -> None:
    lab.init("--acme-challenge", "tls")
    apply(lab, "add", "traefik")
    apply(lab, "add", "authelia")
    tracked = subprocess.run(
        ["git", "-C", str(lab.root), "ls-files"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "core/compose.yaml" in tracked
    assert not [t for t in tracked if ".env" in t or ".homelab/" in t or "users" in t or "acme.json" in t]


def test_variables_are_set_without_being_shown(lab: LabOnDisk) -> None:
    lab.init("--acme-challenge", "tls")
    apply(lab, "add", "traefik")
    apply(lab, "env", "set", "core", "MY_TOKEN=canary-value-$HOME-#1", "PLAIN=a b")
    listed = lab.run("env", "list", "core").stdout
    assert "MY_TOKEN" in listed
    assert "canary" not in listed
    text = (lab.root / "core" / ".env").read_text()
    assert "canary-value-$HOME-#1" in text
    apply(lab, "env", "unset", "core", "MY_TOKEN")
    assert "canary" not in (lab.root / "core" / ".env").read_text()


def test_a_secret_can_be_set_before_its_stack_exists(lab: LabOnDisk) -> None:
    lab.init()
    refused = lab.run("add", "traefik", "--plan-only", "--json")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["error"]["code"] == "missing_input"
    assert "DUCKDNS_TOKEN" in refused.stdout
    apply(lab, "env", "set", "core", "DUCKDNS_TOKEN=canary-duck")
    apply(lab, "add", "traefik")
    assert "canary-duck" not in (lab.root / "core" / "compose.yaml").read_text()


def test_validate_has_fixed_json_and_exit_codes(lab: LabOnDisk, tmp_path: Path) -> None:
    good = tmp_path / "good.yaml"
    good.write_text("services:\n  web:\n    image: nginx:1.29\n")
    bad = tmp_path / "bad.yaml"
    bad.write_text("services:\n  web:\n    image: nginx:1.29\n    networks: [nowhere]\n")
    found = lab.json("validate", str(bad), code=1)["findings"]
    assert set(found[0]) == {"rule", "severity", "file", "line", "column", "service", "message"}
    error = next(f for f in found if f["severity"] == "error")
    assert (error["file"], error["line"], error["service"]) == (str(bad), 4, "web")
    assert [f for f in lab.json("validate", str(good))["findings"] if f["severity"] == "error"] == []
    gone = lab.run("validate", "--json", str(tmp_path / "gone.yaml"))
    assert gone.returncode == 2
    assert json.loads(gone.stdout)["findings"] == []


def test_validate_takes_a_stacks_name_from_anywhere(lab: LabOnDisk) -> None:
    (lab.root / "odd").mkdir(parents=True)
    (lab.root / "odd" / "compose.yaml").write_text("services:\n  web:\n    image: nginx:1.29\n    networks: [no]\n")
    assert not Path("odd").exists()
    found = lab.json("validate", "odd", code=1)["findings"]
    assert {f["file"] for f in found} == {str(lab.root / "odd" / "compose.yaml")}


def test_a_missing_lab_and_wrong_usage_say_what_to_do(lab: LabOnDisk) -> None:
    done = lab.run("add", "traefik")
    assert done.returncode == 1
    assert "init" in done.stderr
    assert lab.run("add").returncode == 2
    assert lab.run("nonsense").returncode == 2
    assert lab.run("--help").returncode == 0


def test_asking_for_the_version_imports_almost_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "homelab_mcp", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("homelab-mcp ")
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"typer", "click", "mcp", "pydantic", "docker", "yaml", "rich"}


@pytest.mark.parametrize(
    "arguments", [["search"], ["status"], ["history"], ["plan"], ["doctor"], ["validate"], ["journal", "show"]]
)
def test_every_reading_command_gives_json(lab: LabOnDisk, arguments: list[str]) -> None:
    lab.init("--acme-challenge", "tls")
    done = lab.run(*arguments, "--json")
    assert isinstance(json.loads(done.stdout), dict), done.stderr


def test_commands_load_neither_docker_nor_the_server_when_they_need_none(lab: LabOnDisk) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "homelab_mcp", "search", "kuma"],
        env=lab.env(),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert not loaded & {"mcp", "docker", "dulwich", "cryptography", "httpx"}


def test_doctor_names_the_folders_it_leaves_out(lab: LabOnDisk) -> None:
    for name in ("My Stack", "good"):
        (lab.root / name).mkdir(parents=True)
        (lab.root / name / "compose.yaml").write_text(DOCKGE_STACK)
    lab.init()
    checks = {c["name"]: c for c in lab.json("doctor", code=1)["checks"]}
    assert "'My Stack'" in checks["stack_names"]["sentence"]
    assert "good" not in checks["stack_names"]["sentence"]
