"""What Compose resolved, in the form that docker stack deploy takes; tests/docker/test_swarm.py has Docker judge it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.adapters.compose_cli import ComposeCli
from homelab_mcp.core.swarm.render import HASH, hashes, render
from homelab_mcp.model.errors import InvalidInput

FULL = """x-homelab: {engine: swarm}
services:
  web:
    image: nginx:1.29
    restart: on-failure:3
    env_file: [more.env]
    environment: {PRICE: "5$$", N: 1, FROM: "${NAME}"}
    command: [sh, -c, "echo $$HOME"]
    ports: ["8080:80", {target: 443, published: 8443, mode: host}]
    expose: ["9000"]
    depends_on: {db: {condition: service_started}}
    volumes:
      - ./conf:/conf:ro
      - data:/data
      - {type: tmpfs, target: /cache, tmpfs: {size: 1000000}}
    labels: {traefik.enable: "true"}
    mem_limit: 128m
    mem_reservation: 64m
    cpus: 0.5
    pids_limit: 100
    shm_size: 64m
    tmpfs: [/run]
    init: true
    read_only: true
    cap_drop: [ALL]
    sysctls: {net.core.somaxconn: 1024}
    ulimits: {nofile: {soft: 1000, hard: 2000}}
    extra_hosts: ["a:1.2.3.4"]
    dns: [1.1.1.1]
    logging: {driver: json-file, options: {max-size: 10m}}
    stop_grace_period: 20s
    healthcheck: {test: [CMD, "true"], interval: 30s, start_period: 5s, start_interval: 1s}
    user: "1000:1000"
    secrets: [key]
    networks: {shared: {aliases: [w]}, default: {}}
    deploy: {replicas: 2, labels: {own: "1"}, placement: {constraints: ["node.hostname == a"]}}
  db: {image: postgres:17, pull_policy: always, profiles: []}
volumes: {data: {}}
networks: {shared: {external: true, name: proxy-swarm}}
secrets: {key: {file: ./key.txt}}
"""


@pytest.fixture
def resolved(tmp_path: Path) -> dict[str, Any]:
    stack = tmp_path / "media"
    stack.mkdir()
    for name, text in {"compose.yaml": FULL, ".env": "NAME=x$$y\n", "more.env": "A=b\n", "key.txt": "s"}.items():
        (stack / name).write_text(text)
    return ComposeCli(tmp_path).resolved("media")


def test_what_compose_says_in_one_way_is_said_in_swarms(resolved: dict[str, Any]) -> None:
    web = render(resolved, lambda path: "f" * 64)["services"]["web"]
    deploy = web["deploy"]
    assert deploy["replicas"] == 2
    assert deploy["labels"] == {"traefik.enable": "true", "own": "1", HASH: deploy["labels"][HASH]}
    assert deploy["restart_policy"] == {"condition": "on-failure", "delay": "5s", "max_attempts": 3}
    assert deploy["update_config"]["failure_action"] == "rollback"
    assert deploy["update_config"]["order"] == "stop-first"
    assert deploy["resources"] == {
        "limits": {"memory": str(128 * 2**20), "cpus": "0.5", "pids": 100}, "reservations": {"memory": str(64 * 2**20)}
    }  # fmt: skip
    assert not {"labels", "depends_on", "restart", "expose", "mem_limit", "shm_size"} & set(web)


def test_what_has_no_data_and_no_port_of_the_host_starts_its_new_task_first(resolved: dict[str, Any]) -> None:
    assert render(resolved, lambda path: "")["services"]["db"]["deploy"]["update_config"]["order"] == "start-first"


def test_what_a_person_says_under_deploy_wins() -> None:
    own = {"update_config": {"order": "stop-first", "parallelism": 3}, "restart_policy": {"condition": "none"}}
    deploy = render({"services": {"a": {"image": "x", "restart": "always", "deploy": own}}}, str)["services"]["a"][
        "deploy"
    ]
    assert deploy["restart_policy"] == {"condition": "none"}
    assert (deploy["update_config"]["order"], deploy["update_config"]["parallelism"]) == ("stop-first", 3)
    assert deploy["update_config"]["failure_action"] == "rollback"


def test_another_secret_is_another_object_and_another_form(resolved: dict[str, Any]) -> None:
    one, two = (render(resolved, lambda path: "a" * 64), render(resolved, lambda path: "b" * 64))
    assert one["secrets"]["key"]["name"] == "media_key-aaaaaaaaaaaa"
    assert two["secrets"]["key"]["name"] != one["secrets"]["key"]["name"]
    assert hashes(one)["web"] != hashes(two)["web"]
    assert hashes(one)["db"] == hashes(two)["db"]


@pytest.mark.parametrize(
    "body",
    [
        {"devices": [{"source": "/dev/dri", "target": "/dev/dri"}]},
        {"network_mode": "host"},
        {"privileged": True},
        {"ports": [{"target": 80, "published": "80", "host_ip": "127.0.0.1", "mode": "ingress"}]},
        {"deploy": {"resources": {"reservations": {"devices": [{"capabilities": ["gpu"]}]}}}},
    ],
)
def test_what_swarm_cannot_give_is_refused_and_not_left_out(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        render({"services": {"a": {"image": "x", **body}}}, str)
    assert refused.value.code == "swarm_cannot"


def test_a_text_in_the_file_is_no_config_of_swarms() -> None:
    with pytest.raises(InvalidInput, match="files alone"):
        render({"services": {}, "configs": {"c": {"name": "s_c", "content": "x"}}}, str)
