"""What is said of a machine, from facts made up here: a GPU, a firewall and a full disk cannot be had on demand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from homelab_mcp.core.prerequisites import GIB, check_host, overlaps, question_of
from homelab_mcp.core.settings import build_settings
from homelab_mcp.model.host import Check, Disk, HostFacts, Route

SETTINGS = build_settings({"domain": "lab.example.org", "media_dir": "/m", "downloads_dir": "/d"})
PROBE = "homelab-mcp-check.lab.example.org"
GOOD = HostFacts(
    disks=tuple(Disk(p, True, 500 * GIB, 100 * GIB, mounted=p != "/opt/stacks") for p in ("/opt/stacks", "/m", "/d")),
    memory=16 * GIB,
    available=8 * GIB,
    cpus=4,
    resolved={"lab.example.org": ("192.168.1.5",), PROBE: ("192.168.1.5",)},
    own_addresses=("192.168.1.5",),
    firewall="none",
    user="me",
    group="me",
    routes=(Route("192.168.1.0/24", "eth0"), Route("172.18.0.0/16", "br-1")),
)


def checks(facts: HostFacts, publishers: dict[int, str] | None = None) -> dict[str, Check]:
    return {c.name: c for c in check_host(facts, SETTINGS, "/opt/stacks", publishers or {})}


def test_a_good_machine_has_nothing_to_be_told() -> None:
    found = checks(GOOD)
    assert {c.level for c in found.values()} == {"ok"}
    assert list(found)[:3] == ["port_80", "port_443", "disk_lab"]
    assert "this machine" in found["dns"].sentence


def test_a_port_that_is_taken_says_by_whom() -> None:
    found = checks(replace(GOOD, listeners={80: "nginx", 443: ""}), {443: "traefik"})
    assert (
        found["port_80"].level == "fail"
        and "nginx" in found["port_80"].sentence
        and "ss -ltnp" in found["port_80"].hint
    )
    assert found["port_443"].level == "ok" and "traefik" in found["port_443"].sentence
    assert checks(replace(GOOD, listeners={443: ""}))["port_443"].level == "fail"


@pytest.mark.parametrize(
    ("disk", "name", "level", "words"),
    [
        (Disk("/opt/stacks", True, 50 * GIB, GIB, False), "disk_lab", "fail", "too little"),
        (Disk("/opt/stacks", True, 50 * GIB, 5 * GIB, False), "disk_lab", "warn", "5.0 GiB of 50.0 GiB"),
        (Disk("/m", False, 50 * GIB, 40 * GIB, False), "disk_media", "warn", "no folder /m"),
        (Disk("/d", True, 50 * GIB, 40 * GIB, False), "disk_downloads", "warn", "system's own disk"),
    ],
)
def test_disks_that_are_full_missing_or_the_systems_own(disk: Disk, name: str, level: str, words: str) -> None:
    found = checks(replace(GOOD, disks=(disk,)))[name]
    assert (found.level, bool(found.hint)) == (level, True)
    assert words in found.sentence


@pytest.mark.parametrize(
    ("changed", "name", "level"),
    [
        ({"memory": GIB // 2}, "memory", "fail"),
        ({"memory": 2 * GIB}, "memory", "warn"),
        ({"memory": 0}, "memory", "warn"),
        ({"cpus": 1}, "cpus", "warn"),
        ({"timezone_known": False}, "timezone", "fail"),
        ({"user": ""}, "owner", "warn"),
        ({"resolved": {"lab.example.org": None, PROBE: None}}, "dns", "warn"),
        ({"resolved": {"lab.example.org": (), PROBE: ()}}, "dns", "warn"),
        ({"firewall": "ufw"}, "firewall", "warn"),
        ({"firewall": "nftables"}, "firewall", "warn"),
        ({"firewall": "unseen"}, "firewall", "warn"),
        ({"nvidia": True}, "gpu", "warn"),
        ({"nvidia": True, "nvidia_toolkit": True, "render_nodes": ("/dev/dri/renderD128",)}, "gpu", "ok"),
    ],
)
def test_each_lack_is_told_with_what_to_do(changed: dict[str, object], name: str, level: str) -> None:
    found = checks(replace(GOOD, **changed))[name]  # type: ignore[arg-type]
    assert found.level == level
    assert level == "ok" or found.hint or name == "memory"


def test_services_that_would_run_as_root_are_told_of() -> None:
    root = build_settings({"domain": "lab.example.org", "puid": 0})
    found = {c.name: c for c in check_host(GOOD, root, "/opt/stacks", {})}
    assert found["owner"].level == "warn" and "root" in found["owner"].hint


def test_a_docker_network_over_the_home_network_is_found_and_others_are_not() -> None:
    routes = (Route("172.18.0.0/16", "br-1"), Route("172.18.5.0/24", "eth0"), Route("10.0.0.0/8", "wg0"))
    assert overlaps(replace(GOOD, routes=routes)) == [("172.18.0.0/16", "br-1", "172.18.5.0/24", "eth0")]
    assert checks(replace(GOOD, routes=routes))["networks"].level == "fail"
    vpn = (Route("10.0.0.0/8", "wg0"), Route("10.1.0.0/24", "eth0"))
    assert checks(replace(GOOD, routes=vpn))["networks"].level == "ok"


def test_a_home_domain_is_not_looked_up() -> None:
    home = build_settings({"domain": "home.arpa"})
    assert question_of(home, "/opt/stacks").names == ()
    assert question_of(SETTINGS, "/opt/stacks").names == ("lab.example.org", PROBE)
    found = {c.name: c for c in check_host(replace(GOOD, resolved={}), home, "/opt/stacks", {})}
    assert found["dns"].level == "ok"
