"""Routes of services on other hosts: Traefik's file from their labels, ports on the private address, start page."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from homelab_mcp.core import yaml12
from homelab_mcp.core.access import all_routes
from homelab_mcp.core.derived import LabAfter, derive
from homelab_mcp.core.derived.homepage import homepage_services
from homelab_mcp.core.derived.host_routes import host_routes_file
from homelab_mcp.core.host_routes import FILE, HEAD, file_text, host_routes
from homelab_mcp.core.operations.add_service import add_service
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.operations.request import AddServiceRequest, ServiceOptions
from homelab_mcp.core.published_ports import published
from homelab_mcp.core.stack_host import with_host
from homelab_mcp.model.errors import NotFound
from homelab_mcp.model.hosts import DockerHost
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import ContainerState, PublishedPort, Snapshot, StackFiles
from homelab_mcp.model.plan import Draft
from tests.unit.core.operation_parts import CATALOG

SETTINGS = LabSettings(domain="lab.test")
HOSTS = "hosts:\n  nas: {address: 'ssh://root@nas.lan', private: 10.0.0.2}\n"
NAS = {"nas": "10.0.0.2"}
CORE = """services:
  traefik:
    image: traefik:v3.7.13
    command: [--providers.docker=true, --providers.file.directory=/dynamic, --entrypoints.websecure.address=:443]
    volumes: ["./traefik/dynamic:/dynamic:ro"]
  authelia:
    image: authelia/authelia:4.39.4
    labels:
      traefik.http.middlewares.authelia.forwardauth.address: http://authelia:9091/api/authz/forward-auth
  homepage:
    image: ghcr.io/gethomepage/homepage:v1.13.2
    volumes: ["./homepage:/app/config"]
"""
WEB = with_host(
    """services:
  web:
    image: example/web:1
    ports: ["10.0.0.2:${PORT}:80", "53:53/udp"]
    labels:
      traefik.enable: "true"
      traefik.http.routers.web.rule: Host(`web.${DOMAIN}`)
      traefik.http.routers.web.entrypoints: websecure
      traefik.http.routers.web.middlewares: authelia, slow@file
      traefik.http.routers.web.tls.certresolver: letsencrypt
      traefik.http.routers.web.service: web
      traefik.http.routers.web-api.rule: Host(`web.${DOMAIN}`) && PathPrefix(`/api/`)
      traefik.http.routers.web-api.priority: "1000"
      traefik.http.services.web.loadbalancer.server.port: "80"
      homepage.group: Apps
      homepage.name: Web
      homepage.href: https://web.${DOMAIN}
""",
    "nas",
)
ENV = "DOMAIN=lab.test\nPORT=10080\n"


def snapshot(web: str = WEB, **more: Any) -> Snapshot:
    stacks = (StackFiles("core", "core/compose.yaml", CORE), StackFiles("web", "web/compose.yaml", web, ENV))
    return Snapshot(stacks, "domain: lab.test\n", **more)


def derived(files: dict[str, str] | None = None, web: str = WEB) -> dict[str, str | None]:
    given = {"hosts.yaml": HOSTS, **(files or {})}
    lab = LabAfter(snapshot(web), SETTINGS, view(snapshot(web)), given.get, lambda _: None, "/lab")
    return {f.path: f.text for f in derive(lab, [host_routes_file, homepage_services])}


def test_the_file_says_what_the_labels_say_and_leads_to_the_private_address() -> None:
    text = derived()[f"core/traefik/dynamic/{FILE}"]
    assert text is not None
    assert text.startswith(HEAD)
    http = yaml12.load(text)["http"]
    assert http["routers"]["nas-web-web"] == {
        "rule": "Host(`web.lab.test`)",
        "entryPoints": ["websecure"],
        "middlewares": ["authelia@docker", "slow@file"],
        "tls": {"certResolver": "letsencrypt"},
        "service": "nas-web-web",
    }
    assert http["routers"]["nas-web-web-api"]["priority"] == 1000
    assert http["services"]["nas-web-web"] == {"loadBalancer": {"servers": [{"url": "http://10.0.0.2:10080"}]}}


def test_log_in_rules_and_start_page_follow() -> None:
    assert [(r.host, r.where, r.policy) for r in all_routes(view(snapshot()), SETTINGS)] == [
        ("web.lab.test", "web/web", "one_factor")
    ]
    page = yaml12.load(derived()["core/homepage/services.yaml"] or "")
    assert page == [{"Apps": [{"Web": {"href": "https://web.lab.test", "siteMonitor": "http://10.0.0.2:10080"}}]}]


def test_the_file_goes_with_the_last_service_and_somebody_elses_is_let_be() -> None:
    path = f"core/traefik/dynamic/{FILE}"
    local = WEB.partition("\n\n")[2]
    assert derived({path: f"{HEAD}http: {{}}\n"}, local)[path] is None
    assert path not in derived({path: "http: {}\n"})
    assert path not in derived({}, local)
    assert path not in derived({"hosts.yaml": "hosts: ["})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("10.0.0.2:", ""), "port 80 of the container is not published on 10.0.0.2"),
        (("10.0.0.2:", "10.0.0.3:"), "port 80 of the container is not published on 10.0.0.2"),
        (('server.port: "80"', "server.scheme: http"), "its labels do not say which port of the container is meant"),
    ],
)
def test_a_route_that_leads_nowhere_is_not_written_and_says_why(change: tuple[str, str], why: str) -> None:
    routes = host_routes(view(snapshot(WEB.replace(*change))), NAS)
    assert {r.why.partition(" (")[0] for r in routes} == {why}
    assert file_text(routes) == ""
    assert {r.why for r in host_routes(view(snapshot()), {})} == {"no private address of host nas is known"}


def test_a_host_network_needs_no_published_port_and_an_own_traefik_serves_itself() -> None:
    (first, *_) = host_routes(view(snapshot(WEB.replace("    ports:", "    network_mode: host\n    expose:"))), NAS)
    assert first.url == "http://10.0.0.2:80"
    own = f"{WEB}  proxy:\n    image: traefik:v3.7.13\n"
    assert host_routes(view(snapshot(own)), NAS) == []


def test_ports_are_published_on_the_private_address_alone_and_clear_of_others() -> None:
    def services(port: str) -> dict[str, dict[str, Any]]:
        server = "traefik.http.services.web.loadbalancer.server.port"
        return {"web": {"labels": {"traefik.enable": "true", server: port}}, "db": {"image": "x"}}

    assert published(services("80"), "10.0.0.2", ())["web"]["ports"] == ["10.0.0.2:10080:80"]
    assert published(services("3000"), "10.0.0.2", ())["web"]["ports"] == ["10.0.0.2:3000:3000"]
    assert published(services("3000"), "fd00::2", {3000})["web"]["ports"] == ["[fd00::2]:20000:3000"]
    assert "ports" not in published(services("80"), "10.0.0.2", ())["db"]
    once = published(services("80"), "10.0.0.2", ())
    assert published(once, "10.0.0.2", ()) == once


def find(name: str) -> Any:
    if name not in CATALOG:
        raise NotFound("no", code="unknown")
    return CATALOG[name]


def add(address: str, *, core: bool = True, host: str = "nas", once: bool = False) -> Draft:
    taken = ContainerState("1", "x", "x", "running", host=host, ports=(PublishedPort("", 10080, 80),))
    lab = snapshot(containers=(), besides=(taken,)) if once else snapshot(containers=(taken,))
    lab = lab if core else Snapshot((), "domain: lab.test\n", ())
    request = AddServiceRequest(
        service="web", stack="more", options=ServiceOptions(name="mine", subdomain="mine"), host=host
    )
    return add_service(
        lab, SETTINGS, request,
        find=find, secrets=lambda *_: "s", argon2=lambda v: v, root="/lab", read=lambda _: None, address=address,
    )  # fmt: skip


def test_a_port_that_a_container_of_no_service_has_there_is_taken_too() -> None:
    def ports(draft: Draft) -> object:
        return yaml12.load(draft.edits[0].after or "")["services"]["mine"]["ports"]

    assert ports(add("10.0.0.2", once=True)) == ports(add("10.0.0.2"))


def test_a_service_added_elsewhere_is_published_checked_through_traefik_and_says_who_else_gets_in() -> None:
    draft = add("10.0.0.2")
    (compose,) = [e.after or "" for e in draft.edits if e.path == "more/compose.yaml"]
    assert "10.0.0.2:20000:80" in compose
    assert [r.host for r in draft.verification.routes] == ["mine.lab.test"]
    assert any("Whoever reaches that address passes without log-in" in n for n in draft.notes)
    for less in (add(""), add("10.0.0.2", core=False)):
        assert less.verification.routes == ()
        assert any(n.startswith("No route leads to it") for n in less.notes)


def test_only_private_addresses_are_taken() -> None:
    for good in ("192.168.1.20", "10.8.0.2", "172.16.3.4", "100.64.0.9", "fd00::2"):
        assert DockerHost(address="ssh://nas", private=good).routes_to == good
    for bad in ("8.8.8.8", "0.0.0.0", "127.0.0.1", "nas.lan", "169.254.1.1", "224.0.0.1", "2606:4700::1"):
        with pytest.raises(ValidationError):
            DockerHost(address="ssh://nas", private=bad)
    assert DockerHost(address="ssh://root@192.168.1.20:22").routes_to == "192.168.1.20"
    assert DockerHost(address="ssh://root@8.8.8.8").routes_to == ""
    assert DockerHost(address="unix:///run/d.sock").routes_to == ""
