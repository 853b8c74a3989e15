"""What a variable without a value leaves: told where Compose refuses it, passed where Compose takes it.

``tests/docker/test_corpus_compose.py`` asks Compose about the very same settings.
"""

from __future__ import annotations

import pytest

from homelab_mcp.core.checks import LintStack, lint

REFUSED = """
attach: ${X}
cgroup: ${X}
configs: ['${X}']
container_name: ${X}
cpu_count: ${X}
cpu_percent: ${X}
cpu_period: ${X}
cpu_quota: ${X}
cpu_shares: ${X}
cpus: ${X}
depends_on: ['${X}']
deploy: {replicas: '${X}'}
deploy: {resources: {limits: {cpus: '${X}'}}}
deploy: {resources: {limits: {memory: '${X}M'}}}
deploy: {resources: {limits: {pids: '${X}'}}}
deploy: {resources: {reservations: {cpus: '${X}'}}}
deploy: {resources: {reservations: {memory: '${X}'}}}
env_file: ${X}
env_file: ['${X}']
extends: {service: '${X}'}
gpus: ${X}
healthcheck: {test: x, disable: '${X}'}
healthcheck: {test: x, interval: '${X}'}
healthcheck: {test: x, retries: '${X}'}
healthcheck: {test: x, start_interval: '${X}s'}
healthcheck: {test: x, start_period: '${X}'}
healthcheck: {test: x, timeout: '${X}'}
init: ${X}
mem_limit: ${X}
mem_limit: ${X}m
mem_reservation: ${X}
mem_swappiness: ${X}
memswap_limit: ${X}
oom_kill_disable: ${X}
oom_score_adj: ${X}
pids_limit: ${X}
ports: ['${X}']
ports: ['${X}:']
ports: [{target: '${X}'}]
privileged: ${X}
pull_policy: ${X}
read_only: ${X}
scale: ${X}
secrets: ['${X}']
shm_size: ${X}
stdin_open: ${X}
stop_grace_period: ${X}
stop_grace_period: ${X}s
tty: ${X}
ulimits: {nofile: '${X}'}
ulimits: {nofile: {soft: '${X}', hard: 5}}
volumes: ['${X}:/data']
volumes: ['./a:${X}']
volumes: ['./a:/b:${X}']
volumes: [{type: bind, source: /a, target: /b, read_only: '${X}'}]
volumes: [{type: tmpfs, target: /b, tmpfs: {size: '${X}'}}]
"""
TAKEN = """
build: ${X}
command: ${X}
cpus: ${X:-0.5}
deploy: {resources: {limits: {memory: '${X:-64}M'}}}
dns: ['${X}']
env_file: [{path: '${X}', required: false}]
environment: ['A=${X}']
expose: ['${X:-80}']
hostname: a${X}
init: ${X:-true}
ipc: ${X}
labels: {a: '${X}'}
mem_limit: 5${X}m
pid: ${X}
ports: ['${X}:80']
ports: ['${X}8080:80']
ports: [{target: 80, published: '${X}'}]
privileged: ${X-false}
restart: ${X}
stop_grace_period: 1${X}s
user: ':${X}'
user: ${X}
volumes: ['${X}/a:/b']
volumes: ['./a:/b${X}']
"""


def file(setting: str) -> str:
    return f"services:\n  app:\n    image: nginx:1.29\n    {setting}\n"


def told(setting: str) -> bool:
    found = lint([LintStack("s0", "s0/compose.yaml", file(setting), {}, all_there)])
    return any(f.rule == "HL053" and f.severity == "error" and f.line == 4 for f in found)


def all_there(path: str) -> bool:
    return True


@pytest.mark.parametrize("setting", REFUSED.strip().splitlines())
def test_what_compose_refuses_is_told(setting: str) -> None:
    assert told(setting)


@pytest.mark.parametrize("setting", TAKEN.strip().splitlines())
def test_what_compose_takes_is_passed(setting: str) -> None:
    assert not told(setting)
