"""A route to a port that the image or the health check says is another is refused as the request's fault."""

from __future__ import annotations

from typing import Any

import pytest

from homelab_mcp.core.operations.add_custom import add_custom
from homelab_mcp.core.operations.change_request import UpdateServiceRequest
from homelab_mcp.core.operations.custom_request import CustomRequest
from homelab_mcp.core.operations.update_service import update_service
from homelab_mcp.core.operations.update_work import Machine
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LabSettings, LintSettings
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Draft
from tests.unit.core.operation_parts import SETTINGS, find, lab

SITE = """\
services:
  site:
    image: nginx:1.29.3
    restart: always
    command: nginx -g 'daemon off;'
    labels:
      traefik.enable: "true"
      traefik.http.routers.site.rule: Host(`site.lab.test`)
      traefik.http.services.site.loadbalancer.server.port: "80"
"""
ASKS = "wget -q --spider http://127.0.0.1:{}/"


def update(text: str = SITE, settings: LabSettings = SETTINGS, **changes: Any) -> Draft:
    request = UpdateServiceRequest(stack="apps", service="site", **changes)
    return update_service(lab(apps=(text, "")), settings, request, find=find, machine=Machine())


def custom(settings: LabSettings = SETTINGS, **values: Any) -> Draft:
    return add_custom(
        Snapshot((), None),
        settings,
        CustomRequest(name="alpha", **values),
        facts=None,
        secrets=lambda kind, length: "x" * length,
        argon2=lambda value: value,
        root="/lab",
        read=lambda path: None,
    )


def test_a_health_check_and_a_route_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"asks the port 80.*8080 is another") as told:
        update(port=8080, health=ASKS.format(80))
    assert told.value.code == "unheard"
    with pytest.raises(InvalidInput, match="asks the port 80"):
        custom(image="nginx:1.29.3", port=8080, health=ASKS.format(80), command="nginx -g 'daemon off;'")


def test_a_health_check_by_a_program_that_the_image_has_not_is_refused() -> None:
    with pytest.raises(InvalidInput, match="redis has no curl") as told:
        waits = "  web:\n    image: web:1\n    depends_on: {site: {condition: service_healthy}}\n"
        update(SITE.replace("nginx:1.29.3", "redis:7.4.1") + waits, health="curl -f http://127.0.0.1/")
    assert told.value.code == "unheard"


def test_a_port_that_only_other_words_could_change_is_refused() -> None:
    with pytest.raises(InvalidInput, match="whoami listens on 80") as told:
        custom(image="traefik/whoami:v1.11.0", port=8080)
    assert told.value.code == "unheard"
    assert custom(image="traefik/whoami:v1.11.0", port=8080, command="--port 8080").edits


def test_what_agrees_what_nobody_knows_and_what_was_so_before_goes_on() -> None:
    assert update(port=8080, health=ASKS.format(8080)).edits
    assert custom(image="ghcr.io/example/app:1", port=3000, health=ASKS.format(80)).edits
    worse = SITE.replace('port: "80"', 'port: "8080"') + f"    healthcheck: {{test: '{ASKS.format(80)}'}}\n"
    assert update(worse, health=ASKS.format(80) + " -t 1").edits


def test_who_lets_the_rule_be_is_not_held_up() -> None:
    for lint in (LintSettings(ignore=("HL061",)), LintSettings(severity={"HL061": "warning"})):
        settings = SETTINGS.model_copy(update={"lint": lint})
        assert update(settings=settings, port=8080, health=ASKS.format(80)).edits
