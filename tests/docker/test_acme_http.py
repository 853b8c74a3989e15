"""Certificates by HTTP-01 from a real ACME CA, through the entry point that sends all else to HTTPS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from homelab_mcp.adapters.catalog_files import packaged_definitions
from testbed import Scratch
from testbed.definitions import provide
from testbed.docker_engine import docker, wait_until
from tests.docker.lab import RealLab


@pytest.mark.timeout(240)
def test_each_route_gets_its_certificate_by_http_01_while_http_is_sent_to_https(
    docker_engine: str, tmp_path: Path
) -> None:
    with Scratch() as scratch:
        provide(d for d in packaged_definitions() if d.id in {"traefik", "authelia"})
        lab = RealLab(tmp_path, scratch, challenge="http")
        lab.write("authelia", "core")
        lab.write("traefik", "core")
        lab.start(but="")
        for name in ("traefik", "auth"):
            host = f"{name}.{lab.domain}"
            lab.once_certified(host)
            # While a certificate comes in, Traefik changes its configuration, and may answer 500 for an instant.
            wait_until(lambda: lab.https(host).status in (200, 302), f"{host} without an error", within=10)  # noqa: B023
            sent = lab.http(host)
            assert sent.status in (301, 308) and sent.headers["location"].startswith(f"https://{host}")
        flags = lab.inspect(lab.named("traefik"))["Args"]
        assert any("httpchallenge=true" in f for f in flags)
        assert not [f for f in flags if "tlschallenge" in f or "dnschallenge" in f], "by HTTP-01, as there is no other"
        said = [json.loads(line) for line in docker("logs", lab.named("traefik")).splitlines() if line[:1] == "{"]
        of_acme = [e for e in said if "acme" in str(e.get("providerName", "")) and e.get("level") in {"warn", "error"}]
        assert of_acme == []
