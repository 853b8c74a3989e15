"""TCP and UDP routes of services on other hosts: Traefik's file from their labels, and what it cannot tell apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from homelab_mcp.core import yaml12
from homelab_mcp.core.derived import LabAfter, derive
from homelab_mcp.core.derived.host_routes import host_routes_file
from homelab_mcp.core.external_routes import hosts_of
from homelab_mcp.core.operations.lab_view import LabView, view
from homelab_mcp.core.published_ports import published
from homelab_mcp.core.route_labels import not_carried
from homelab_mcp.core.settings import parse_settings
from homelab_mcp.core.stream_routes import StreamRoute, sections, stream_routes
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles

NAS = {"nas": "10.0.0.2"}
HOSTS = "hosts:\n  nas: {address: 'ssh://root@nas.lan', private: 10.0.0.2}\n"
CORE = """services:
  traefik:
    image: traefik:v3.7.13
    command: [--providers.file.directory=/dynamic, --entrypoints.websecure.address=:443, --entrypoints.db.address=:6379]
    volumes: ["./traefik/dynamic:/dynamic:ro"]
  near:
    image: redis:8.2
    labels:
      traefik.enable: "true"
      traefik.tcp.routers.near.rule: HostSNI(`*`)
      traefik.tcp.routers.near.entrypoints: near
      traefik.tcp.services.near.loadbalancer.server.port: "6379"
  site:
    image: nginx:1.29
    labels:
      traefik.enable: "true"
      traefik.http.routers.site.rule: Host(`a.lab.test`)
      traefik.http.routers.site.entrypoints: pages
"""
FAR = """x-homelab: {host: nas}
services:
  db:
    image: redis:8.2
    ports: ["10.0.0.2:16379:6379", "10.0.0.2:10053:53/udp"]
    labels:
      traefik.enable: "true"
      LABELS
"""
RULE = "traefik.tcp.routers.db.rule: HostSNI(`*`)"
POINT = "traefik.tcp.routers.db.entrypoints: db"
PORT = 'traefik.tcp.services.db.loadbalancer.server.port: "6379"'
NAMED = "traefik.tcp.routers.db.rule: HostSNI(`db.lab.test`)"
UDP = 'traefik.udp.services.dns.loadbalancer.server.port: "53"'


def lab(*stacks: tuple[str, ...]) -> LabView:
    """Each stack has a service ``db`` on the other host with these labels."""
    files = [StackFiles("core", "core/compose.yaml", CORE)]
    for name, *labels in stacks:
        files.append(StackFiles(name, f"{name}/compose.yaml", FAR.replace("LABELS", "\n      ".join(labels))))
    return view(Snapshot(tuple(files), None))


def routes(*labels: str) -> list[StreamRoute]:
    return stream_routes(lab(("far", *labels)), NAS)


def test_the_file_says_what_the_labels_say_and_leads_to_the_private_address() -> None:
    labels = (
        NAMED,
        "traefik.tcp.routers.db.entrypoints: websecure",
        "traefik.tcp.routers.db.tls.passthrough: 'true'",
        "traefik.tcp.routers.db.middlewares: few",
        "traefik.tcp.routers.db.priority: '7'",
        PORT,
        "traefik.udp.routers.dns.entrypoints: dns",
        UDP,
    )
    known = lab(("far", *labels))
    assert not_carried(next(s for s in known.services if s.host == "nas")) == []
    made = LabAfter(
        Snapshot((), None), LabSettings(domain="x.org"), known, {"hosts.yaml": HOSTS}.get, lambda _: None, "/"
    )
    (file,) = derive(made, [host_routes_file])
    assert yaml12.load(file.text or "") == {
        "tcp": {
            "routers": {
                "nas-far-db": {
                    "rule": "HostSNI(`db.lab.test`)",
                    "entryPoints": ["websecure"],
                    "middlewares": ["few@docker"],
                    "priority": 7,
                    "tls": {"passthrough": True},
                    "service": "nas-far-db",
                }
            },
            "services": {"nas-far-db": {"loadBalancer": {"servers": [{"address": "10.0.0.2:16379"}]}}},
        },
        "udp": {
            "routers": {"nas-far-dns": {"entryPoints": ["dns"], "service": "nas-far-dns"}},
            "services": {"nas-far-dns": {"loadBalancer": {"servers": [{"address": "10.0.0.2:10053"}]}}},
        },
    }


def test_how_the_service_itself_speaks_is_said_too() -> None:
    (route,) = routes(
        RULE,
        POINT,
        PORT,
        "traefik.tcp.services.db.loadbalancer.server.tls: 'true'",
        "traefik.tcp.services.db.loadbalancer.serverstransport: own",
    )
    balancer = sections([route])["tcp"]["services"]["nas-far-db"]["loadBalancer"]
    assert balancer == {"servers": [{"address": "10.0.0.2:16379", "tls": True}], "serversTransport": "own@file"}


@pytest.mark.parametrize(
    ("labels", "why", "do"),
    [
        ((NAMED, POINT, PORT), "a client names the host only when it opens TLS", "give the router tls, or"),
        ((POINT, PORT), "its TCP router has no rule", "HostSNI(`*`)"),
        ((RULE, PORT), "it names no entry point", "an entry point of its own"),
        ((RULE, f"{POINT}, pages", PORT), "every connection of entry point pages, where websites are", "of its own"),
        ((RULE, POINT.replace(": db", ": websecure"), PORT), "every connection of entry point websecure", "of its own"),
        ((RULE, POINT.replace(": db", ": near"), PORT), "entry point near leads to core/near already", "of its own"),
        (("traefik.tcp.routers.db.rule: ClientIP(`10.0.0.9`)", PORT), "it names no entry point", "of its own"),
        (("traefik.udp.routers.dns.service: dns", UDP), "it names no entry point", "address=:PORT/udp`"),
        ((RULE, POINT), "do not say which port", "traefik.tcp.services"),
        ((RULE, POINT, PORT.replace("6379", "53")), "TCP port 53 of the container is not published on 10.0.0.2", ""),
        (("traefik.udp.routers.dns.entrypoints: d", UDP.replace("53", "6379")), "UDP port 6379 of the container", ""),
    ],
)
def test_what_nothing_tells_apart_is_not_served_and_says_what_to_do(labels: tuple[str, ...], why: str, do: str) -> None:
    (route,) = routes(*labels)
    assert route.address == ""
    assert why in route.why
    assert do in route.why
    assert sections([route]) == {}


def test_of_two_on_one_entry_point_the_first_is_served_and_the_other_told() -> None:
    both = lab(("far", RULE, POINT, PORT), ("later", RULE, POINT, PORT))
    first, second = stream_routes(both, NAS)
    assert (first.key, first.address) == ("nas-far-db", "10.0.0.2:16379")
    assert "entry point db leads to far/db already" in second.why
    assert {r.why for r in stream_routes(both, {})} == {"no private address of host nas is known"}
    tls = "traefik.tcp.routers.db.tls: 'true'"
    named = lab(*((n, NAMED.replace("db.lab", f"{n}.lab"), POINT, PORT, tls) for n in "ab"))
    assert [r.why for r in stream_routes(named, NAS)] == ["", ""], "by their names TLS tells them apart"
    same = stream_routes(lab(*((n, NAMED, POINT, PORT, tls) for n in "ab")), NAS)
    assert [r.why[:36] for r in same] == ["", "db.lab.test is a TCP route of a/db o"]


TLS = ("traefik.tcp.routers.db.tls: 'true'", PORT)
SECURE = POINT.replace(": db", ": websecure")
PAGES = POINT.replace(": db", ": pages")


def ruled(rule: str, point: str = SECURE) -> tuple[str, ...]:
    return (f'traefik.tcp.routers.db.rule: "{rule}"', point, *TLS)


@pytest.mark.parametrize(
    "rule",
    [
        "HostSNIRegexp(`^.+$`)",
        "!HostSNI(`db.lab.test`)",
        "HostSNI(`db.lab.test`) || ClientIP(`0.0.0.0/0`)",
        "HostSNI(`db.lab.test`) || !HostSNI(`x`)",
        "HostSNI(`db.lab.test`) || HostSNI(`*`)",
        "HostSNI(`db.lab.test`) || ALPN(`h2`)",
        "HostSNI(`*.lab.test`)",
        "HostSNI(`*`)",
    ],
)
def test_what_is_more_than_names_does_not_go_where_websites_are(rule: str) -> None:
    (route,) = routes(*ruled(rule))
    assert "connection" in route.why and "of entry point websecure, where websites are" in route.why
    assert "an entry point of its own" in route.why
    assert sections([route]) == {}
    (route,) = routes(*ruled(rule, POINT))
    assert route.why == "", "what is alone on an entry point may take all of it"


@pytest.mark.parametrize("rule", ["HostSNI(`db.lab.test`)", "HostSNI('db.lab.test') || HostSNI(`b.lab.test`)"])
def test_names_go_where_websites_are(rule: str) -> None:
    (route,) = routes(*ruled(rule))
    assert (route.why, route.address) == ("", "10.0.0.2:16379")


@pytest.mark.parametrize("labels", [ruled("HostSNI(`A.lab.test`)", PAGES), (ruled("HostSNI(`a.lab.test`)")[0], *TLS)])
def test_the_name_of_a_website_is_not_taken_from_it(labels: tuple[str, ...]) -> None:
    (route,) = routes(*labels)
    assert route.why.startswith("a.lab.test is a website of core/site on that entry point: give it another name")
    assert sections([route]) == {}
    (route,) = routes(*ruled("HostSNI(`a.lab.test`)", POINT))
    assert route.why == "", "no website is there"


def test_the_name_of_a_device_is_not_taken_from_it() -> None:
    known = lab(("far", *ruled("HostSNI(`tv.lab.test`)")))
    settings = parse_settings("domain: lab.test\nexternal: {tv: {url: 'http://192.168.1.9:80'}}\n")
    assert hosts_of(settings) == {"tv.lab.test": "tv"}
    made = LabAfter(Snapshot((), None), settings, known, {"hosts.yaml": HOSTS}.get, lambda _: None, "/")
    assert list(derive(made, [host_routes_file])) == [], "no file of it is written"
    assert len(list(derive(replace(made, settings=LabSettings(domain="lab.test")), [host_routes_file]))) == 1
    (route,) = stream_routes(known, NAS, hosts_of(settings))
    assert route.why.startswith("tv.lab.test is a website of device tv on that entry point")


def test_a_website_elsewhere_keeps_its_name_too() -> None:
    site = ("traefik.http.routers.s.rule: Host(`s.lab.test`)", "traefik.http.routers.s.entrypoints: websecure")
    found = stream_routes(lab(("far", *ruled("HostSNI(`s.lab.test`)")), ("other", *site)), NAS)
    assert [r.why[:38] for r in found] == ["s.lab.test is a website of other/db on"]


def test_ports_are_published_for_them_too() -> None:
    labels: dict[str, Any] = {
        "traefik.enable": "true",
        "traefik.tcp.services.db.loadbalancer.server.port": "53",
        "traefik.udp.services.db.loadbalancer.server.port": "53",
    }
    made = published({"db": {"labels": labels}}, "10.0.0.2", ())
    assert made["db"]["ports"] == ["10.0.0.2:10053:53", "10.0.0.2:20000:53/udp"]
    assert published(made, "10.0.0.2", ()) == made


def test_everybody_may_be_written_in_double_quotes() -> None:
    (served,) = routes("traefik.tcp.routers.db.rule: 'HostSNI(\"*\")'", POINT, PORT)
    assert (served.address, served.why) == ("10.0.0.2:16379", "")
