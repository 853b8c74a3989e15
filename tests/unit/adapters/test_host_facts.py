"""What Linux shows of this very machine."""

from __future__ import annotations

import os
import socket
from ipaddress import ip_network
from pathlib import Path

from homelab_mcp.adapters.host_facts import LinuxHost
from homelab_mcp.model.host import HostQuestion


def test_it_sees_this_machine_as_it_is(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        asked = HostQuestion(
            paths=(str(tmp_path), str(tmp_path / "not" / "there")),
            names=("localhost", "no-such-name.invalid"),
            timezone="Europe/Berlin",
            puid=os.getuid(),
            pgid=4_000_000_001,
        )
        seen = LinuxHost().facts(asked)
    assert seen.listeners[port].startswith(("python", "pytest"))
    there, absent = seen.disks
    assert there.exists and there.total >= there.free > 0 and there.owner == os.getuid()
    assert not absent.exists and absent.total == there.total
    assert seen.memory > seen.available > 0 and seen.cpus == os.cpu_count()
    assert "127.0.0.1" in (seen.resolved["localhost"] or ())
    # A machine without any DNS server has no answer, which is not the same as an answer that there is none.
    assert seen.resolved["no-such-name.invalid"] in ((), None)
    assert seen.timezone_known and seen.user and not seen.group
    assert seen.firewall in {"ufw", "nftables", "none", "unseen"}
    assert all(ip_network(route.network).prefixlen for route in seen.routes)
    assert all(not a.startswith("127.") for a in seen.own_addresses)


def test_a_zone_that_is_none_is_seen_as_none() -> None:
    assert not LinuxHost().facts(HostQuestion(timezone="Mars/Olympus")).timezone_known
    assert not LinuxHost().facts(HostQuestion(timezone="../etc/passwd")).timezone_known
