"""A service's configuration, taken apart: what each part says of it."""

from __future__ import annotations

from typing import Any

import pytest

from homelab_mcp.core import service_explain as explain
from homelab_mcp.core.operations.lab_view import Known

ENV = {"DOMAIN": "x.test"}


def service(name: str = "app", stack: str = "s", **data: Any) -> Known:
    return Known(stack, name, data, ENV)


ROUTED = {
    "traefik.http.routers.a.rule": "Host(`a.${DOMAIN}`)",
    "traefik.http.routers.a.middlewares": "rate@file,login@docker",
    "traefik.http.routers.a.tls.certresolver": "le",
    "traefik.http.services.a.loadbalancer.server.port": "8080",
}
PORTAL = service("auth", "core", labels={"traefik.http.middlewares.login.forwardauth.address": "http://auth:9091"})


def test_a_route_tells_its_way_and_who_asks_for_log_in() -> None:
    (route,) = explain.routes_of(service(labels=ROUTED), [PORTAL])
    assert route == {
        "router": "a",
        "rule": "Host(`a.x.test`)",
        "middlewares": ["rate@file", "login@docker"],
        "to": "container port 8080",
        "certificate": "from le",
        "login": "asked by core/auth",
    }
    assert explain.routes_of(service(labels={**ROUTED, "traefik.enable": "false"}), []) == []


@pytest.mark.parametrize(
    ("labels", "login"),
    [
        ({"homelab.sso": "bypass", "homelab.sso.reason": "own log-in"}, "not asked by the lab: own log-in"),
        ({"homelab.sso": "portal"}, "none: it is the log-in page"),
        ({"traefik.http.routers.a.middlewares": "authelia@docker"}, "asked by middleware authelia@docker"),
        ({}, "none on this router (an entry point may add one)"),
    ],
)
def test_log_in_is_told_as_far_as_it_is_known(labels: dict[str, str], login: str) -> None:
    whole = {"traefik.http.routers.a.rule": "Host(`a`)", **labels}
    assert explain.routes_of(service(labels=whole), [])[0]["login"] == login


def test_networks_tell_who_is_met_there() -> None:
    lab = [
        service("app", networks=["proxy", "inner"]),
        service("db", networks={"inner": None}),
        service("web", "other", networks=["proxy", "inner"]),
        service("plain"),
        service("guest", network_mode="service:app"),
    ]
    declared = {"proxy": {"external": True}, "inner": {"internal": True}}
    assert explain.networks_of(lab[0], lab, declared) == [
        {"name": "proxy", "with": ["other/web"]},
        {"name": "inner", "with": ["db"], "only": "this stack", "internet": False},
    ]
    assert explain.networks_of(lab[3], lab, {}) == [{"name": "default", "with": [], "only": "this stack"}]
    assert explain.networks_of(lab[4], lab, {}) == [{"name": "the network of app", "with": ["app"]}]
    assert explain.needed_by(lab[0], lab) == ["guest"]


@pytest.mark.parametrize(
    ("port", "reach"),
    [
        ("127.0.0.1:80:80", explain.LOCAL),
        ("8080:80/udp", explain.EVERYBODY),
        ("192.168.1.5:53:53", "at 192.168.1.5"),
        ({"published": "80", "target": 80, "host_ip": "::1"}, explain.LOCAL),
    ],
)
def test_ports_tell_who_reaches_them(port: Any, reach: str) -> None:
    assert explain.ports_of(service(ports=[port]))[0]["reach"] == reach


def test_variables_are_names_alone() -> None:
    found = explain.variables_of(
        service(environment={"A": "${SET}", "B": "${GONE:-x}", "C": "$MISSING", "D": "$${NOT}"}, env_file=".x"),
        {"SET": 1},
    )
    assert found == {
        "names": ["A", "B", "C", "D"], "from_env": ["GONE", "MISSING", "SET"], "unset": ["MISSING"],
        "env_files": [".x"],
    }  # fmt: skip


def test_limits_health_rights_and_waiting() -> None:
    one = service(
        deploy={"resources": {"limits": {"memory": "1G"}}}, pids_limit=9,
        healthcheck={"test": ["CMD", "x"], "interval": "5s"},
        privileged=True, cap_add=["NET_ADMIN"], volumes=["/var/run/docker.sock:/var/run/docker.sock:ro"],
        devices=["/dev/dri:/dev/dri"], depends_on={"db": {"condition": "service_healthy"}}, network_mode="host",
    )  # fmt: skip
    assert explain.limits_of(one) == {"memory": "1G", "pids": "9"}
    assert explain.health_of(one) == {"test": "CMD x", "interval": "5s"}
    assert explain.depends_of(one) == ["db (healthy)"]
    assert [right.split(":")[0] for right in explain.rights_of(one)] == [
        "privileged", "host network", "capability NET_ADMIN", "device /dev/dri", "Docker's socket",
    ]  # fmt: skip
    assert explain.health_of(service(healthcheck={"disable": True})) == {"disabled": True}


def test_odd_shapes_are_no_error() -> None:
    odd = service(
        labels=None, ports=None, volumes=None, networks=None, environment=["A", None], depends_on=None,
        healthcheck=[], deploy=[],
        devices=None, env_file=None,
    )  # fmt: skip
    body = {"routes": explain.routes_of(odd, [odd]), "ports": explain.ports_of(odd), "mounts": explain.mounts_of(odd)}
    assert explain.variables_of(odd, {})["names"][0] == "A"
    assert explain.limits_of(odd) == {}
    assert explain.story(odd, body)[-1] == "It keeps nothing that outlives its container."
