"""No value, however odd, at any key that a rule reads makes a rule raise."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from homelab_mcp.core.checks import LabFacts, LintStack, lint
from homelab_mcp.core.checks.schema import service_keys
from tests.unit.core.checks.odd_labs import LAB, ODD, PLACES, Place, changed, look

WORDS = st.sampled_from(
    [
        *("", "~", "~x:/a", "v:/v", "C:\\a:/b", "/a:/b:ro:z", "a=b", "=x", "A = b", "a:1.2.3.4", "/tmp:size=1m,x"),
        *("10m", "-1", "0", "1e999", "٣", "10.0.0.0/8", "10.0.0.1", "::1", "host", "none", "service:a", "container:"),
        *("traefik.tcp.routers.x.rule=HostSNI(`*`)", "traefik.udp.routers.x", "${V}", "${W}", "$", "it's", "a && b"),
        *("²", "9" * 5000, "1" * 400, "mysql:" + "9" * 5000),
        *("CMD", "CMD-SHELL", "local", "json-file", "bind", "tmpfs", "volume", "\u2028", "x" * 300),
    ]
)
KEYS = st.sampled_from(
    [
        *(
            "source",
            "target",
            "type",
            "file",
            "mode",
            "uid",
            "bind",
            "options",
            "driver",
            "max-size",
            "max-file",
            "test",
        ),
        *("interval", "timeout", "ipam", "config", "subnet", "gateway", "ip_range", "aux_addresses", "driver_opts"),
        *("device", "o", "resources", "limits", "reservations", "memory", "cpus", "replicas", "a", "b", "default"),
        *("ipv4_address", "external", "name", "create_host_path", "soft", "hard", "nofile", "condition", "labels"),
        "traefik.tcp.routers.x.rule",
    ]
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.just(10**390), st.floats(), WORDS, st.text(max_size=6)
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | WORDS, inner, max_size=4), max_leaves=12
)
SERVICES = st.dictionaries(
    st.sampled_from(["a", "b"]), st.dictionaries(st.sampled_from(sorted(service_keys())), VALUES, max_size=6)
)
TOP = st.dictionaries(st.sampled_from(["a", "b", "default"]), VALUES, max_size=3)
FILES = st.fixed_dictionaries(
    {"services": SERVICES}, optional={"networks": TOP, "volumes": TOP, "secrets": TOP, "configs": TOP, "name": VALUES}
)
FACTS = LabFacts(networks=["a"], memory=2**30, tracked=[".env", "", "/"], backup_paths=["", "/srv", "x"])


@settings(max_examples=150, deadline=None)
@given(FILES)
def test_odd_values(data: object) -> None:
    text = yaml.safe_dump(data, allow_unicode=True)
    stacks = [LintStack("s", "c.yaml", text, {"V": "80"}, bool), LintStack("t", "d.yaml", text, {})]
    for finding in lint(stacks, facts=FACTS):
        assert finding.line >= 1
        assert finding.message.endswith((".", "?"))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(PLACES), st.sampled_from(ODD) | VALUES, min_size=1, max_size=12))
def test_odd_values_in_the_files_beside(changes: dict[Place, Any]) -> None:
    look(changed(changes))


@pytest.mark.nightly
@pytest.mark.parametrize("file", LAB)
@pytest.mark.timeout(1800)
def test_each_odd_value_at_each_place_of_a_file(file: str) -> None:
    for place in PLACES:
        for odd in ODD if place[0] == file else ():
            look(changed({place: odd}))


COMPOSE, USERS = "s/compose.yaml", "s/authelia/users.yml"


@pytest.mark.parametrize(
    ("file", "path", "value"),
    [
        (USERS, ("users", "ann", "groups"), 3),
        (COMPOSE, ("services", "homepage", "links"), 5),
        (COMPOSE, ("services", "web", "links"), True),
        (COMPOSE, ("services", "homepage", "external_links"), True),
        ("s/authelia/configuration.yml", ("regulation", "find_time"), "9" * 5000),
        ("s/authelia/configuration.yml", ("regulation", "ban_time"), 10**390),
        (COMPOSE, ("services", "db", "image"), f"mysql:{'9' * 5000}"),
        (COMPOSE, ("services", "db", "image"), f"mysql:8.{'9' * 5000}"),
        (COMPOSE, ("services", "grafana", "environment", "GF_SERVER_HTTP_PORT"), "²"),
        (COMPOSE, ("services", "grafana", "environment", "GF_SERVER_HTTP_PORT"), "9" * 5000),
        (COMPOSE, ("services", "web", "environment", "DB_PORT"), "²"),
        (COMPOSE, ("services", "web", "environment", "DB_PORT"), "9" * 5000),
        (COMPOSE, ("services", "web", "expose", 0), "²"),
        (COMPOSE, ("services", "web", "labels", "traefik.http.services.web.loadbalancer.server.port"), "²"),
        (COMPOSE, ("services", "db", "mem_limit"), "1" * 400),
        (COMPOSE, ("services", "web", "cpus"), 10**390),
        (COMPOSE, ("services", "web", "blkio_config", "weight"), 10**390),
        (COMPOSE, ("services", "db", "environment", "SCHEDULE"), f"0 0 4 * {'9' * 5000}"),
        (COMPOSE, ("services", "traefik", "image"), f"traefik:v{'9' * 5000}"),
        (COMPOSE, ("configs",), {3: [3]}),
    ],
)
def test_what_a_rule_has_once_failed_over(file: str, path: tuple[str | int, ...], value: object) -> None:
    look(changed({(file, path): value}))
