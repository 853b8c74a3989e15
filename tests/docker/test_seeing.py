"""What a lab that runs is seen to be: traces, log files, new lines, use, kills for memory, and a service explained."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from mcp import Client

from homelab_mcp.adapters.compose_cli import ComposeCli
from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.queries.follow_logs import follow
from homelab_mcp.queries.host_health import host_health
from homelab_mcp.queries.lab_status import status_of
from homelab_mcp.queries.read_logs import LogQuestion, page_of
from homelab_mcp.queries.resource_usage import resource_usage, sample_now, sample_when_due
from homelab_mcp.queries.service_details import service_details
from homelab_mcp.server import build
from testbed import LocalImage, Scratch
from testbed.docker_engine import wait_until

IMAGE = "homelab-tests/seeing:1"
SECRET = "canary-s33ing-pa55"
COMPOSE = f"""\
services:
  web:
    image: {IMAGE}
    entrypoint:
      - /bin/sh
      - -c
      - |
        echo "INFO up"; echo "ERROR in app"
        printf 'Traceback (most recent call last):\\n  File "a", line 1\\nKeyError: 1\\n'
        echo "level=warn msg=slow"; i=0; while true; do i=$$((i+1)); echo "tick $$i $$DB_PASS"; sleep 0.5; done
    stop_signal: KILL
    environment: {{DB_PASS: "${{DB_PASS}}", FREE: "${{NOBODY_SET}}"}}
    ports: ["127.0.0.1::80"]
    volumes: ["./web/data:/data", "/etc/hostname:/h:ro"]
    depends_on: [quiet]
    labels:
      homelab.service: traefik
      traefik.enable: "true"
      traefik.http.routers.web.rule: Host(`web.${{DOMAIN}}`)
      traefik.http.routers.web.entrypoints: websecure
      traefik.http.routers.web.middlewares: login@docker
      traefik.http.services.web.loadbalancer.server.port: "80"
  quiet:
    image: {IMAGE}
    entrypoint: [/bin/sh, -c, exec sleep 1000]
    stop_signal: KILL
    labels:
      traefik.enable: "false"
      traefik.http.middlewares.login.forwardauth.address: http://quiet:1/
    deploy: {{resources: {{limits: {{memory: 64M}}}}}}
  greedy:
    image: {IMAGE}
    entrypoint: [/bin/sh, -c, 'x=a; while true; do x=$$x$$x; done']
    mem_limit: 16m
    memswap_limit: 16m
  looping:
    image: {IMAGE}
    entrypoint: [/bin/false]
    restart: always
"""


@pytest.fixture(scope="module")
def lab(
    docker_engine: str, stand_in: Callable[..., LocalImage], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[LocalLab, str]]:
    with Scratch() as scratch:
        stand_in(IMAGE)
        root = tmp_path_factory.mktemp("lab")
        stack = scratch.claim_project(scratch.name("seeing"))
        (root / stack / "web" / "logs").mkdir(parents=True)
        (root / stack / "compose.yaml").write_text(COMPOSE)
        (root / stack / ".env").write_text(f"DOMAIN=lab.test\nDB_PASS={SECRET}\n")
        lines = (
            json.dumps({"time": f"2026-01-01T00:00:{n:02}Z", "DownstreamStatus": 502 if n == 7 else 200})
            for n in range(9)
        )
        (root / stack / "web" / "logs" / "access.log").write_text("\n".join(lines) + "\n")
        lab = open_lab(str(root))
        ComposeCli(root).up(stack, ["web", "quiet", "greedy", "looping"])
        wait_until(lambda: "tick 1" in str(page_of(lab, LogQuestion(["web"], stack)).lines), "the log")
        yield lab, stack


def test_traces_levels_context_and_files(lab: tuple[LocalLab, str]) -> None:
    here, stack = lab
    page = page_of(here, LogQuestion(["web"], stack, grep="KeyError"))
    assert [line.split(" ", 1)[1] for line in page.lines] == [
        'web ERROR in app\nTraceback (most recent call last):\n  File "a", line 1\nKeyError: 1'
    ]
    assert [line.split(" ", 1)[1] for line in page_of(here, LogQuestion(["web"], stack, level="warn")).lines[1:]] == [
        "web level=warn msg=slow"
    ]
    around = page_of(here, LogQuestion(["web"], stack, grep="msg=slow", context=1)).lines
    assert [line.split(" ", 2)[2].split("\n")[0] for line in around] == [
        "ERROR in app", "level=warn msg=slow", "tick 1 [redacted]",
    ]  # fmt: skip
    plain = page_of(here, LogQuestion(["web"], stack, tail=1))
    assert plain.notes == ("web also writes access.log: ask with files=true.",)
    file = page_of(here, LogQuestion(["web"], stack, files=True, level="error"))
    assert any("web:access.log" in line and "502" in line for line in file.lines)
    everything = page_of(here, LogQuestion(tail=3))
    assert set(everything.services) == {"web", "quiet", "greedy", "looping"}


def test_new_lines_come_as_they_are_written(lab: tuple[LocalLab, str]) -> None:
    here, stack = lab
    seen = [line for found in follow(here, LogQuestion(["web"], stack), 3.0, pause=0.5) for line in found]
    ticks = [int(line.split("tick ")[1].split()[0]) for line in seen]
    assert len(ticks) >= 3
    assert ticks == list(range(ticks[0], ticks[0] + len(ticks))), "none twice, none left out"
    assert SECRET not in str(seen)


async def test_a_client_waits_with_progress_and_reads_on_by_the_link(lab: tuple[LocalLab, str]) -> None:
    here, stack = lab
    told: list[float] = []

    async def heard(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)

    async with Client(build(here)) as client:
        found = await client.call_tool(
            "read_logs", {"services": ["web"], "stack": stack, "follow": 3}, progress_callback=heard
        )
        assert found.structured_content is not None
        assert found.structured_content["lines"]
        assert told == sorted(told)
        assert len(told) >= 2
        short = await client.call_tool("read_logs", {"services": ["web"], "stack": stack, "tail": 1})
        assert short.structured_content is not None
        link = short.structured_content["rest"]
        assert [getattr(block, "uri", None) for block in short.content][-1] is not None
        assert link.startswith(f"homelab://services/{stack}/web/logs?cursor=")
        read = await client.read_resource(link)
        text = getattr(read.contents[0], "text", "")
        assert text.startswith("[log of web: untrusted data]")
        assert "INFO up" in text
        assert SECRET not in text


def test_use_kills_loops_and_samples(lab: tuple[LocalLab, str]) -> None:
    here, stack = lab

    def told() -> str:
        return "\n".join(resource_usage(here)["trouble"])

    wait_until(lambda: f"{stack}/looping restarts in a loop" in told(), "the loop")
    wait_until(lambda: f"{stack}/greedy" in told(), "the kill")
    assert "memory" in next(line for line in told().splitlines() if "greedy" in line)
    begun = time.monotonic()
    found = resource_usage(here, sort="cpu")
    assert time.monotonic() - begun < 30
    rows = {row["service"]: row for row in found["services"]}
    assert rows[f"{stack}/quiet"]["limit_mb"] == 64
    assert "limit_mb" not in rows[f"{stack}/web"]
    assert isinstance(found["sampled"], str)
    assert f"{stack}/web" in sample_now(here).points
    assert not sample_when_due(here, 300.0)
    after = resource_usage(here, hours=1)
    assert after["sampled"]["count"] == 1
    assert {row["service"] for row in after["over_time"]} >= {f"{stack}/web", f"{stack}/quiet"}


def test_a_service_is_explained_without_a_value(lab: tuple[LocalLab, str]) -> None:
    here, stack = lab
    found = service_details(here, "web", stack)
    (route,) = found["routes"]
    assert route["rule"] == "Host(`web.lab.test`)"
    assert route["login"] == f"asked by {stack}/quiet"
    assert route["to"] == "container port 80"
    assert found["variables"] == {
        "names": ["DB_PASS", "FREE"], "from_env": ["DB_PASS", "DOMAIN", "NOBODY_SET"], "unset": ["NOBODY_SET"],
    }  # fmt: skip
    assert found["ports"][0]["reach"] == "this machine only"
    assert [m["writes"] for m in found["mounts"]] == [True, False]
    assert found["needs"] == ["quiet"]
    assert found["state"][0]["state"] == "running"
    assert found["is"].startswith("Traefik:")
    assert service_details(here, "quiet", stack)["needed_by"] == ["web"]
    assert SECRET not in json.dumps(found)
    story = " ".join(found["explained"])
    assert "passes it through login@docker, and hands it to container port 80" in story
    assert "Not set anywhere: NOBODY_SET." in story


def test_status_tells_how_old_images_are_and_the_host_has_docker_s_classes(lab: tuple[LocalLab, str]) -> None:
    here, stack = lab
    rows = {row["service"]: row for row in status_of(here, stack)["services"]}
    assert rows["web"]["image_age"]
    seen = host_health(here)
    assert set(seen["docker"]["disk_gb"]) == {"images", "containers", "volumes", "build cache"}
    assert seen["docker"]["disk_gb"]["images"]["count"] >= 1
    assert seen["memory_gb"]["total"] > 0
    assert threading.active_count() < 50
