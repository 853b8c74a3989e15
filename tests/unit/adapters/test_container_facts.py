"""What ``docker inspect`` says of a container, and what the kernel says it listens on."""

from __future__ import annotations

from pathlib import Path

import pytest

from homelab_mcp.adapters import container_facts
from homelab_mcp.adapters.hardware import LinuxHardware, listeners

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue\n"
ROWS = (
    "   0: 00000000:0050 00000000:0000 0A 00000000:00000000\n"
    "   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n"
    "   2: 0B00007F:B6D1 00000000:0000 0A 00000000:00000000\n"
    "   3: 0100007F:0050 0100007F:C001 01 00000000:00000000\n"
)
SIX = "   0: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 00000000:00000000\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    for place in (tmp_path / "77" / "net", tmp_path / "proc" / "net"):
        place.mkdir(parents=True)
        (place / "tcp").write_text(HEAD + ROWS)
        (place / "tcp6").write_text(HEAD + SIX)
    (tmp_path / "77" / "cgroup").write_text("0::/docker/abc123\n")
    return tmp_path


def test_listening_ports_are_told_apart_by_who_can_reach_them(proc: Path) -> None:
    assert listeners(proc / "77" / "net") == (frozenset({80, 443, 8080}), frozenset({8080}))
    with pytest.raises(FileNotFoundError):
        listeners(proc / "nothing")
    assert LinuxHardware(str(proc)).listens(443)
    assert not LinuxHardware(str(proc)).listens(12345)
    assert LinuxHardware(str(proc)).resolve("no such name.invalid") == ()


def test_another_machines_process_is_not_asked(proc: Path) -> None:
    ours = container_facts.read({"Id": "abc123", "State": {"Pid": 77}}, {}, proc)
    other = container_facts.read({"Id": "fff", "State": {"Pid": 77}}, {}, proc)
    gone = container_facts.read({"Id": "abc123", "State": {"Pid": 0}}, {}, proc)
    assert ours.listens == frozenset({80, 443, 8080})
    assert ours.listens_local == {8080}
    assert (other.listens, gone.listens) == (None, None)


def test_inspect_is_read_whole() -> None:
    raw = {
        "Id": "a",
        "Name": "/web",
        "RestartCount": 2,
        "State": {
            "Status": "exited",
            "ExitCode": 137,
            "OOMKilled": True,
            "FinishedAt": "2026-01-02T03:04:05Z",
            "Health": {"Status": "unhealthy", "Log": [{"ExitCode": 1, "Output": f"try {n}\n"} for n in range(5)]},
        },
        "Config": {"User": "1000:1000", "Healthcheck": {"Test": ["CMD", "curl"]}},
        "HostConfig": {
            "RestartPolicy": {"Name": "always"},
            "Memory": 1024,
            "PidsLimit": -1,
            "ReadonlyRootfs": True,
            "Tmpfs": {"/tmp": "size=1m"},
        },
        "Mounts": [{"Type": "bind", "Source": "/a", "Destination": "/b", "RW": False}],
    }
    image = {"Architecture": "arm64", "Config": {"ExposedPorts": {"80/tcp": {}, "53/udp": {}}}}
    seen = container_facts.read(raw, image)
    assert (seen.oom, seen.memory, seen.pids, seen.read_only, seen.restart) == (True, 1024, 0, True, "always")
    assert seen.health_log == tuple(f"exit code 1: try {n}" for n in (2, 3, 4))
    assert seen.health_test == "CMD curl"
    assert [(m.kind, m.target, m.writable) for m in seen.mounts] == [("bind", "/b", False), ("tmpfs", "/tmp", True)]
    assert (seen.image_architecture, seen.exposed) == ("arm64", (80,))
    assert (seen.state.restart_count, seen.state.exit_code) == (2, 137)
