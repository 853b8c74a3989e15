"""deploy/compose.yaml: Compose takes it, our own checker finds nothing, and its proxy lets the server do its work."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from testbed import LocalImage, Scratch
from testbed.docker_engine import docker, wait_until
from testbed.images import ensure_socket_proxy
from testbed.shims import SOCKET_RULES
from tests.e2e.server import LabOnDisk

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def filtered() -> str:
    """HAProxy's configuration that opens what the proxy's documented variables say, and nothing else."""
    return "\n".join(
        [
            "defaults",
            "  mode http",
            "  timeout connect 10s",
            "  timeout client 10m",
            "  timeout server 10m",
            "frontend clients",
            "  bind :2375",
            "  http-request deny unless METH_GET || { env(POST) -m bool }",
            SOCKET_RULES,
            "  http-request deny",
            "  default_backend engine",
            "backend engine",
            "  server docker unix@/var/run/docker.sock",
            "",
        ]
    )


def services() -> dict[str, Any]:
    """The services of deploy/compose.yaml."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    return found


@pytest.mark.usefixtures("docker_engine")
def test_compose_takes_it_and_our_own_checker_finds_nothing(tmp_path: Path) -> None:
    shutil.copy(DEPLOY / "compose.yaml", tmp_path / "compose.yaml")
    shutil.copy(DEPLOY / "env.example", tmp_path / ".env")
    done = subprocess.run(
        ["docker", "compose", "config", "--format", "json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    server = json.loads(done.stdout)["services"]["homelab-mcp"]
    assert [(v["source"], v["target"]) for v in server["volumes"] if v["type"] == "bind"] == [
        ("/opt/stacks", "/opt/stacks")
    ]
    checked = LabOnDisk(tmp_path / "none").json("validate", "-f", str(tmp_path / "compose.yaml"))
    assert checked["findings"] == []


@pytest.fixture
def mine(docker_engine: str) -> Iterator[Scratch]:
    """Gone with the test: a route that stays is served by every Traefik that a later test starts."""
    with Scratch() as scratch:
        yield scratch


@pytest.fixture
def through_proxy(mine: Scratch) -> Iterator[str]:
    """The engine's address behind a proxy that opens what deploy/compose.yaml opens."""
    asked = services()["homelab-mcp-docker"]
    image = ensure_socket_proxy(asked["image"]).reference
    box = mine.container(
        image,
        what="deployed-proxy",
        env={name: value for name, value in asked["environment"].items() if name != "TZ"},
        publish={2375: None},
        volumes={"/var/run/docker.sock": "/var/run/docker.sock:ro"},
        files={"/stand-in/haproxy.cfg": filtered().encode()},
    )
    address = f"127.0.0.1:{box.published_port(2375)}"
    wait_until(lambda: httpx.get(f"http://{address}/_ping").status_code == 200, "the proxy to answer")
    yield address


@pytest.mark.timeout(180)
def test_the_whole_program_works_through_the_proxy_and_what_it_does_not_need_is_shut(
    tmp_path: Path, mine: Scratch, through_proxy: str, stand_in: Callable[..., LocalImage]
) -> None:
    for shut in ("/secrets", "/swarm", "/configs", "/plugins", "/nodes", "/v1.41/build"):
        assert httpx.get(f"http://{through_proxy}{shut}").status_code == 403, shut
    image = stand_in("homelab-tests/deployed:1", service="web", ports=[80]).reference
    networks = {name: mine.network(name) for name in ("route", "internal", "media")}
    lab = LabOnDisk(tmp_path / "stacks", {"DOCKER_HOST": f"tcp://{through_proxy}"})
    lab.init(
        *("--acme-challenge", "tls", "--route-network", networks["route"], "--internal-network", networks["internal"]),
        *("--puid", str(tmp_path.stat().st_uid), "--pgid", str(tmp_path.stat().st_gid)),
    )
    stack = mine.claim_project(f"deployed-{mine.run_id}")
    plan = lab.json("add-custom", stack, image, "--stack", stack, "--plan-only", code=3)
    done = lab.approve(plan["plan_id"], "--apply")
    assert done["state"] == "done", done
    assert docker("inspect", "--format", "{{.State.Status}}", stack) == "running"
    assert "running" in json.dumps(lab.json("status", stack))
