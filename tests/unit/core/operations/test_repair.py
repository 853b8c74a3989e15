"""Repairs: each changes what its fault stands in, says its risk, and is refused where there is nothing of the kind."""

from __future__ import annotations

from typing import Any

import pytest

from homelab_mcp.core import yaml12
from homelab_mcp.core.operations.change_request import UpdateServiceRequest
from homelab_mcp.core.operations.repair import REPAIRS, repair
from homelab_mcp.core.operations.update_service import update_service
from homelab_mcp.core.operations.update_work import Machine
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import ActionKind, Risk
from tests.unit.core.operation_parts import SETTINGS, find, lab

APP = """\
# by hand
services:
  app:
    image: app:1   # pinned
    user: mediauser
    read_only: true
    network_mode: none
    entrypoint: [/bin/httpd, -p, '127.0.0.1:8080']
    command: --db databse:5432
    environment:
      DB: postgres://databse:5432/databse-old
      CACHE: ${CACHE}
    devices: ['/dev/ttyUSB0:/dev/tty', '/dev/dri']
    ports: ['127.0.0.1:8096:80', '53:53/udp', {target: 1, published: 9000}]
    tmpfs: ['/scratch:size=1m', '/run']
    volumes:
      - ./library:/library:ro   # books
      - /mnt/media:/media:ro,z
      - {type: bind, source: ./long, target: /long, read_only: true}
    healthcheck: {test: 'true', timeout: 1s}
    labels:
      traefik.enable: 'false'
      traefik.http.routers.app.rule: Host(`app.lab.test`)
      traefik.http.routers.app.middlewares: slow@docker, compress@file
  other:
    image: other:1
    user: mediauser
    read_only: true
"""
OUTER = """\
services:
  app:
    image: app:1
    networks: [back]
networks:
  back: {external: true, name: shared-back}
"""


def done(spec: str, text: str = APP) -> tuple[dict[str, Any], Any]:
    """The service after one repair, and what was told; the rest of the file means what it meant."""
    edit = ServiceEdit(text, "app")
    told = repair(edit, spec)
    before, after = yaml12.load(text), yaml12.load(edit.text)
    mine = after["services"].pop("app")
    before["services"].pop("app")
    assert after == before
    return mine, told


@pytest.mark.parametrize(
    ("spec", "key", "becomes", "risk"),
    [
        ("own_user", "user", None, Risk.HIGH),
        ("writable_root", "read_only", None, Risk.MEDIUM),
        ("networked", "network_mode", None, Risk.HIGH),
        ("listen", "entrypoint", ["/bin/httpd", "-p", "0.0.0.0:8080"], Risk.HIGH),
        ("rename_host:databse>database", "command", "--db database:5432", None),
        ("no_device:/dev/ttyUSB0", "devices", ["/dev/dri"], None),
        ("unpublish:8096", "ports", ["53:53/udp", {"target": 1, "published": 9000}], None),
        ("unpublish:53", "ports", ["127.0.0.1:8096:80", {"target": 1, "published": 9000}], None),
        ("unpublish:9000", "ports", ["127.0.0.1:8096:80", "53:53/udp"], None),
        ("bigger_tmpfs:/scratch", "tmpfs", ["/scratch:size=64m", "/run"], None),
        ("more_files", "ulimits", {"nofile": {"soft": 65536, "hard": 65536}}, None),
        ("patient_health", "healthcheck", {"test": "true", "timeout": "30s"}, None),
    ],
)
def test_a_repair_changes_its_key_alone(spec: str, key: str, becomes: Any, risk: Risk | None) -> None:
    mine, told = done(spec)
    assert mine.get(key) == becomes
    assert (told.risk and told.risk.risk) == risk
    assert told.done
    was = yaml12.load(APP)["services"]["app"]
    others = {k for k in was if k not in (key, "environment")}
    assert {k: mine[k] for k in others} == {k: was[k] for k in others}


@pytest.mark.parametrize(
    ("target", "line", "risk"),
    [("/library/", "./library:/library", None), ("/media", "/mnt/media:/media:z", Risk.HIGH)],
)
def test_a_mount_that_may_be_written_keeps_its_other_flags(target: str, line: str, risk: Risk | None) -> None:
    mine, told = done(f"writable:{target}")
    assert line in mine["volumes"]
    assert (told.risk and told.risk.risk) == risk


def test_a_long_mount_loses_read_only() -> None:
    mine, _ = done("writable:/long")
    assert mine["volumes"][2] == {"type": "bind", "source": "./long", "target": "/long"}


@pytest.mark.parametrize(
    ("own", "becomes"),
    [
        ("{nofile: 32}", None),
        ("{nofile: {soft: 64, hard: 128}}", None),
        ("{nofile: 4096}", 65_536),
        ("{nofile: 65536}", 262_144),
        ("{nproc: 9}", 65_536),
    ],
)
def test_more_files_than_it_had(own: str, becomes: int | None) -> None:
    edit = ServiceEdit(f"services:\n  app:\n    image: app:1\n    ulimits: {own}\n", "app")
    repair(edit, "more_files")
    assert edit.get("ulimits.nofile") == (becomes and {"soft": becomes, "hard": becomes})


def test_a_name_is_replaced_as_a_whole_word_and_variables_of_env_stay() -> None:
    mine, _ = done("rename_host:databse>database")
    assert mine["environment"] == {"DB": "postgres://database:5432/databse-old", "CACHE": "${CACHE}"}


def test_routes() -> None:
    assert done("route_on")[0]["labels"]["traefik.enable"] == "true"
    assert done("route_network:edge")[0]["labels"]["traefik.docker.network"] == "edge"
    mine, told = done("no_middleware:slow@docker")
    assert mine["labels"]["traefik.http.routers.app.middlewares"] == "compress@file"
    assert told.risk.risk is Risk.HIGH
    edit = ServiceEdit(APP, "app")
    repair(edit, "no_middleware:slow")
    repair(edit, "no_middleware:compress")
    assert "middlewares" not in edit.text


def test_the_images_own_command() -> None:
    mine, _ = done("own_command")
    assert "command" not in mine
    assert "entrypoint" not in mine


@pytest.mark.parametrize("name", sorted(set(REPAIRS) - {"route_on", "more_files"}))
@pytest.mark.parametrize("argument", ["", ":nothing", ":a\nb", ":${X}", ":a>b c"])
def test_what_is_not_there_is_not_repaired(name: str, argument: str) -> None:
    plain = "services:\n  app:\n    image: app:1\n"
    if name == "route_network" and argument == ":nothing":
        return
    with pytest.raises(InvalidInput) as refused:
        repair(ServiceEdit(plain, "app"), name + argument)
    assert refused.value.code == "nothing_to_repair"


def test_there_are_no_others() -> None:
    with pytest.raises(InvalidInput) as refused:
        repair(ServiceEdit(APP, "app"), "privileged:true")
    assert refused.value.code == "repair_unknown"


def test_a_missing_network_is_made_before_the_service_starts_and_no_file_changes() -> None:
    snapshot = lab(apps=(OUTER, ""))
    request = UpdateServiceRequest(stack="apps", service="app", repairs=("make_network:shared-back",))
    draft = update_service(snapshot, SETTINGS, request, find=find, machine=Machine())
    assert draft.edits == ()
    assert [(a.kind, a.name or a.services) for a in draft.actions] == [
        (ActionKind.CREATE_NETWORK, "shared-back"),
        (ActionKind.UP, ("app",)),
    ]


def test_a_network_of_nobody_is_not_made() -> None:
    with pytest.raises(InvalidInput):
        repair(ServiceEdit(OUTER, "app"), "make_network:host-wide")


def test_a_plan_tells_the_risk_of_a_repair() -> None:
    request = UpdateServiceRequest(stack="apps", service="app", repairs=("own_user",))
    draft = update_service(lab(apps=(APP, "CACHE=x\n")), SETTINGS, request, find=find, machine=Machine())
    assert any(r.risk is Risk.HIGH and "root" in r.reason for r in draft.risks)
    assert "the image's own user" in draft.summary
