"""The container checks of the CIS Docker Benchmark (section 5, as docker-bench-security automates them)."""

from __future__ import annotations

import pytest

from homelab_mcp.core.checks import LintStack, lint

SOCKET = "/var/run/docker.sock:/var/run/docker.sock"
WEB = "services:\n  web:\n    image: nginx:1.29\n"

FOUND: dict[str, tuple[str, str]] = {
    "5.1 AppArmor off": ("HL094", f"{WEB}    security_opt: ['apparmor:unconfined']\n"),
    "5.2 SELinux off": ("HL094", f"{WEB}    security_opt: ['label:disable']\n"),
    "5.3 all capabilities": ("HL092", f"{WEB}    cap_add: [ALL]\n"),
    "5.3 a capability like root": ("HL092", f"{WEB}    cap_add: [SYS_ADMIN]\n"),
    "5.4 privileged": ("HL090", f"{WEB}    privileged: true\n"),
    "5.5 a sensitive folder": ("HL095", f"{WEB}    volumes: ['/etc:/host/etc']\n"),
    "5.9 the host's network": ("HL096", f"{WEB}    network_mode: host\n"),
    "5.10 no memory limit": ("HL112", WEB),
    "5.13 an admin page on every address": ("HL105", "services:\n  p:\n    image: portainer/portainer-ce:2.33.2\n"
                                                     "    ports: ['9443:9443']\n"),
    "5.13 a database on every address": ("HL043", "services: {d: {image: postgres:17, ports: ['5432:5432']}}\n"),
    "5.14 no restart policy": ("HL114", WEB),
    "5.15 the host's processes": ("HL093", f"{WEB}    pid: host\n"),
    "5.16 the host's IPC": ("HL093", f"{WEB}    ipc: host\n"),
    "5.17 a disk": ("HL095", f"{WEB}    devices: ['/dev/sda:/dev/sda']\n"),
    "5.17 the memory": ("HL095", f"{WEB}    devices: [/dev/mem]\n"),
    "5.19 shared mounts": ("HL095", f"{WEB}    volumes: ['./x:/x:rw,shared']\n"),
    "5.19 shared mounts, long": ("HL095", f"{WEB}    volumes: [{{type: bind, source: ./x, target: /x, "
                                          "bind: {propagation: rshared}}]\n"),
    "5.20 the host's UTS": ("HL093", f"{WEB}    uts: host\n"),
    "5.21 seccomp off": ("HL094", f"{WEB}    security_opt: ['seccomp:unconfined']\n"),
    "5.24 the host's cgroup": ("HL093", f"{WEB}    cgroup: host\n"),
    "5.25 new privileges": ("HL102", WEB),
    "5.26 no health check": ("HL113", WEB),
    "5.27 a tag that moves": ("HL110", WEB.replace("1.29", "latest")),
    "5.30 the host's users": ("HL093", f"{WEB}    userns_mode: host\n"),
    "5.31 the Docker socket": ("HL091", f"{WEB}    volumes: ['{SOCKET}']\n"),
    "5.31 the Docker socket, read-only": ("HL097", f"{WEB}    volumes: ['{SOCKET}:ro']\n"),
}  # fmt: skip

NOT_A_RULE = {
    "5.6": "sshd in a container: seen only inside of a running one",
    "5.7": "ports below 1024: a lab's proxy is there for 80 and 443",
    "5.8": "only needed ports: which are needed is not in the file",
    "5.11": "CPU shares: without them all are equal, which is what a lab wants",
    "5.12": "read-only root: most images of the catalog cannot run so",
    "5.18": "ulimits: the engine's own hold",
    "5.22": "docker exec --privileged: not in a file",
    "5.23": "docker exec --user root: not in a file",
    "5.28": "PID limits: the engine's own hold",
    "5.29": "the default bridge: Compose gives each stack a network of its own",
}
"""What docker-bench looks at and no rule of ours does, and why."""


@pytest.mark.parametrize(("rule", "text"), FOUND.values(), ids=FOUND)
def test_what_the_benchmark_fails_has_its_finding(rule: str, text: str) -> None:
    assert rule in {f.rule for f in lint([LintStack("s", "s/compose.yaml", text, {})])}


def test_every_check_of_the_section_is_found_or_left_out_with_a_reason() -> None:
    assert {key.split()[0] for key in FOUND} | set(NOT_A_RULE) == {f"5.{n}" for n in range(1, 32)}
