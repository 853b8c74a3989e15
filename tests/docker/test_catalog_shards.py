"""Every entry of the catalog added, linted, started behind a real Traefik, routed, and taken out to the byte.

The entries are dealt into shards. A run takes twenty of those that are called deployed, the ones that the catalog's
content points to, so that every change of the catalog tries others; ``--nightly`` takes every entry, and ``--entries``
those that are named. Real here
are Docker, Compose, Traefik, the CA, the certificate and all of homelab-mcp; every service is one small image that
answers on the ports of its entry. Health checks run as written, but every second instead of every so many.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from homelab_mcp.model.definition import ServiceDefinition
from testbed.batches import batches, published
from testbed.docker_engine import docker
from tests.docker.catalog_expected import DEPLOYED
from tests.docker.catalog_trial import BY_ID, CORE, trial_lab, try_out
from tests.docker.lab import RealLab

pytestmark = pytest.mark.timeout(600)

SIZE = 20
"""Entries a shard: each with companions takes one of the thirty networks that Docker has addresses for."""
TRIED = [d for d in BY_ID.values() if d.id not in DEPLOYED and d.level != "draft"]
"""All but those that test_catalog_deployed.py starts, which says more of them by hand."""


def number(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest(), 16)


ORDER = sorted(TRIED, key=lambda definition: number(definition.id))
SHARDS = batches(ORDER, SIZE)
CONTENT = "".join(definition.model_dump_json() for definition in ORDER)


def chosen() -> list[ServiceDefinition]:
    """Twenty that are called deployed, no two of which publish the same port of the host."""
    deployed = (d for d in ORDER if d.level == "deployed")
    return batches(sorted(deployed, key=lambda d: number(CONTENT + d.id)), SIZE)[0]


@pytest.fixture(scope="module")
def lab(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealLab]:
    with trial_lab(tmp_path_factory.mktemp("lab")) as made:
        yield made


def test_every_entry_is_in_one_shard() -> None:
    dealt = [definition.id for shard in SHARDS for definition in shard]
    assert sorted([*dealt, *DEPLOYED]) == sorted(d.id for d in BY_ID.values() if d.level != "draft")
    assert max(len(shard) for shard in SHARDS) <= SIZE
    ports = [[port for definition in shard for port in published(definition)] for shard in SHARDS]
    assert all(len(taken) == len(set(taken)) for taken in ports)


def test_twenty_are_added_started_routed_and_taken_out(lab: RealLab, request: pytest.FixtureRequest) -> None:
    named = request.config.getoption("--entries")
    entries = [BY_ID[name] for name in named.split(",")] if named else chosen()
    for place, batch in enumerate(batches(entries, SIZE)):
        assert try_out(lab, batch, f"some-{place}") == {}


@pytest.mark.nightly
@pytest.mark.parametrize("place", range(len(SHARDS)))
def test_a_shard_is_added_started_routed_and_taken_out(lab: RealLab, place: int) -> None:
    assert try_out(lab, SHARDS[place], f"shard{place}") == {}


def test_an_entry_with_a_wrong_port_route_or_health_check_is_found(lab: RealLab) -> None:
    names = ("gotify", "ntfy", "memos", "homer", "glance", "actual-budget", "crafty")
    entries = [BY_ID[name] for name in names]
    gotify, ntfy, memos, homer, glance, actual, crafty = (lab.named(name) for name in names)
    soon: dict[str, Any] = {"interval": "1s", "retries": 2, "start_period": "0s"}
    spoilt: dict[str, dict[str, Any]] = {
        gotify: {"environment": {"STAND_IN": "gotify", "STAND_IN_PORTS": "9"}, "healthcheck": soon},
        ntfy: {"healthcheck": {"test": ["CMD", "curl", "-fsS", "http://127.0.0.1:9/"], **soon}},
        memos: {"healthcheck": {"test": ["CMD", "/no/such/program"], **soon}},
        homer: {"labels": {f"traefik.http.services.{homer}.loadbalancer.server.port": "9"}},
        glance: {"labels": {f"traefik.http.routers.{glance}.rule": f"Host(`elsewhere.{lab.domain}`)"}},
        actual: {"labels": {f"traefik.http.routers.{actual}.middlewares": "security-headers@file"}},
        crafty: {"labels": {f"traefik.http.services.{crafty}.loadbalancer.serverstransport": "default@internal"}},
    }
    found = try_out(lab, entries, "spoilt", spoilt)
    assert {name: "unhealthy" in found[name][0] for name in ("gotify", "ntfy", "memos")} == {
        "gotify": True,
        "ntfy": True,
        "memos": True,
    }
    assert "502" in found["homer"][0] and "Traefik sends to" in found["homer"][1]
    assert "404" in found["glance"][0]
    assert "a stranger gets 200" in found["actual-budget"][0]
    assert "a known person gets 500" in found["crafty"][0], "its own certificate passes only where Traefik is told so"


def test_nothing_of_a_shard_is_left(lab: RealLab) -> None:
    names = docker("ps", "-a", "--format", "{{.Names}}").split()
    assert {n for n in names if lab.run in n and BY_ID.keys() & {n.removesuffix(f"-{lab.run}")}} == {
        lab.named(name) for name in CORE
    }
