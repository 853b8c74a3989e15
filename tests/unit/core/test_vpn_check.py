"""What is said of a VPN gateway: addresses that differ, leaks, a kill switch that is off, and what nobody could see."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from homelab_mcp.core.vpn_check import SeenClient, SeenGateway, name_servers, verdict

HOST, EXIT = "198.51.100.7", "203.0.113.9"
OWN = ("127.0.0.1",)
CLIENT = SeenClient("tool", running=True, in_network=True, address=EXIT, servers=OWN)
GOOD = SeenGateway("dl/gluetun", "running", "healthy", EXIT, OWN, {"FIREWALL": "on", "DOT": "on"}, (CLIENT,))


def test_all_seen_to_be_well() -> None:
    assert verdict(GOOD, HOST) == {
        "gateway": "dl/gluetun",
        "state": "running",
        "health": "healthy",
        "address": EXIT,
        "verdict": "ok",
        "clients": [{"service": "tool", "address": EXIT, "how": "asked"}],
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"health": "unhealthy"}, "the tunnel is down"),
        ({"state": "exited", "health": ""}, "the tunnel is down"),
        ({"state": "", "health": ""}, "missing"),
        ({"address": HOST}, "host's own address"),
        ({"clients": (replace(CLIENT, address=HOST),)}, "tool is seen with the host's own address"),
        ({"clients": (replace(CLIENT, in_network=False),)}, "recreate it with the gateway"),
        ({"env": {"FIREWALL": "off"}}, "FIREWALL"),
        ({"env": {"FIREWALL_OUTBOUND_SUBNETS": "192.168.1.0/24, 0.0.0.0/0"}}, "0.0.0.0/0"),
        ({"env": {"DOT": "off"}}, "name server is off"),
        ({"env": {"DNS_UPSTREAM_PLAIN_ADDRESSES": "192.168.1.1:53"}}, "192.168.1.1"),
        ({"servers": ("127.0.0.11",)}, "Docker's"),
        ({"clients": (replace(CLIENT, servers=("192.168.1.1",)),)}, "tool asks the name server 192.168.1.1"),
        ({"clients": (replace(CLIENT, dns=("9.9.9.9",)),)}, "name servers of its own"),
    ],
)
def test_what_leaks_is_named(changes: dict[str, Any], words: str) -> None:
    found = verdict(replace(GOOD, **changes), HOST)
    assert found["verdict"] == "bad"
    assert any(words in problem for problem in found["problems"]), found
    assert HOST not in str(found), "the home's own address is nobody's business"


@pytest.mark.parametrize(
    ("changes", "host", "words"),
    [
        ({}, "", "The host's own address"),
        ({"address": ""}, HOST, "sees the gateway with"),
        ({"servers": None}, HOST, "Which name servers"),
        ({"clients": (replace(CLIENT, in_network=None, address="", servers=None),)}, HOST, "Whether tool is in"),
        ({"clients": (replace(CLIENT, running=False, address="", servers=None),)}, HOST, "tool does not run"),
    ],
)
def test_what_nobody_could_see_is_not_called_well(changes: dict[str, Any], host: str, words: str) -> None:
    found = verdict(replace(GOOD, **changes), host)
    assert found["verdict"] == "unseen"
    assert any(words in unseen for unseen in found["not_seen"]), found


def test_a_client_without_a_program_to_ask_with_is_known_by_its_network() -> None:
    found = verdict(replace(GOOD, clients=(replace(CLIENT, address="", servers=None),)), HOST)
    assert found["clients"] == [{"service": "tool", "address": EXIT, "how": "by its network"}]
    assert found["verdict"] == "ok"


def test_lan_subnets_and_the_default_name_server_are_no_leak() -> None:
    env = {"FIREWALL_OUTBOUND_SUBNETS": "192.168.0.0/16,10.0.0.0/8", "DNS_ADDRESS": "127.0.0.1"}
    assert verdict(replace(GOOD, env=env), HOST)["verdict"] == "ok"


def test_name_servers_of_a_resolv_conf() -> None:
    assert name_servers("# a comment\nnameserver 127.0.0.1\nsearch lan\nnameserver ::1\nnameserver\n") == (
        "127.0.0.1",
        "::1",
    )
    assert name_servers("") == ()
    assert name_servers(None) is None
