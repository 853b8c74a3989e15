"""Ports of the host: one port is one service's, and entries that need the same one say so."""

from __future__ import annotations

from typing import Any

from homelab_mcp.core.catalog_rules import catalog_findings
from homelab_mcp.model.definition import ServiceDefinition
from tests.unit.core.test_catalog import definition, findings, small


def _publishing(name: str, **changes: Any) -> ServiceDefinition:
    ports = [{"container": 8080, "purpose": "web"}, {"container": 53, "publish": 53, "why": "DNS is not the web."}]
    data = small() | {"id": name, "name": name, "aliases": [], "route": None, **changes}
    return ServiceDefinition.model_validate(data | {"container": small()["container"] | {"ports": ports}})


def _of_ports(found: list[str]) -> list[str]:
    return [said for said in found if said.startswith(("ports", "not_beside"))]


def test_two_that_need_one_port_of_the_host_name_each_other() -> None:
    first, second = _publishing("one-dns"), _publishing("two-dns")
    assert _of_ports(catalog_findings(first, [second])) == [
        "ports: two-dns needs 53/tcp of the host too; publish another, or name it in not_beside."
    ]
    assert _of_ports(catalog_findings(_publishing("one-dns", not_beside=["two-dns"]), [second])) == []
    assert _of_ports(findings(not_beside=["gone"])) == ["not_beside: there is no definition gone."]
    idle = definition(id="idle", name="Idle", aliases=[])
    assert _of_ports(catalog_findings(_publishing("one-dns", not_beside=["idle"]), [idle])) == [
        "not_beside: idle needs no port of the host that this one needs."
    ]


def test_who_uses_the_hosts_network_takes_its_ports_too() -> None:
    container = small()["container"] | {
        "ports": [{"container": 53, "protocol": "tcp", "purpose": "other"}],
        "privileges": [{"kind": "host_network", "why": "It listens there."}],
    }
    own = definition(id="host-dns", name="Host DNS", aliases=[], route=None, container=container)
    assert _of_ports(catalog_findings(own, [_publishing("one-dns")]))
