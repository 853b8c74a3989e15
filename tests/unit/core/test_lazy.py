"""Lazy loading: labels, middleware, Traefik's plugin, who may sleep; turning off gives the bytes from before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from homelab_mcp.core import lazy
from homelab_mcp.core.after import stacks_after
from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.core.derived import LabAfter
from homelab_mcp.core.derived.sablier import sablier_file
from homelab_mcp.core.labels import labels_of
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.operations.lazy_request import LazyRequest
from homelab_mcp.core.operations.set_lazy_loading import set_lazy_loading
from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import ContainerState, Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft
from tests.unit.core.operation_parts import SETTINGS, definition, find

TRAEFIK = """# My proxy.
services:
  traefik:
    image: traefik:v3.7.13
    command:
      - --providers.docker=true   # labels
      - --providers.file.directory=/dynamic
    volumes: ["./traefik/dynamic:/dynamic:ro"]
  sablier:
    image: sablierapp/sablier:1.16.2
    container_name: sleeper
"""
APPS = """services:
  wiki:   # read now and then
    image: ghcr.io/example/wiki:2.1
    restart: always
    depends_on: [db, seed]
    healthcheck: {test: [CMD, "true"]}
    labels:
      - traefik.enable=true
      - "traefik.http.routers.wiki.rule=Host(`wiki.lab.test`)"
      - traefik.http.routers.wiki.middlewares=authelia@docker   # log-in first
      - "traefik.http.routers.wiki-api.rule=Host(`wiki.lab.test`) && PathPrefix(`/api`)"
  db:
    image: postgres:17.6   # its own
    restart: always
  seed:
    image: example/seed:1
  other:
    image: example/other:1
    depends_on: [seed]
"""


def lab(apps: str = APPS, core: str = TRAEFIK, containers: tuple[ContainerState, ...] | None = None) -> Snapshot:
    return Snapshot(
        (StackFiles("apps", "apps/compose.yaml", apps), StackFiles("core", "core/compose.yaml", core)),
        None,
        containers,
    )


def ask(snapshot: Snapshot, service: str = "wiki", *, on: bool = True, **options: Any) -> Draft:
    request = LazyRequest.model_validate({"stack": "apps", "service": service, "on": on, **options})
    return set_lazy_loading(snapshot, SETTINGS, request, find=find, read=lambda path: None)


def after(snapshot: Snapshot, draft: Draft) -> Snapshot:
    return replace(snapshot, stacks=stacks_after(snapshot.stacks, draft.edits))


def middlewares(snapshot: Snapshot) -> dict[str, object]:
    found = list(sablier_file(LabAfter(snapshot, SETTINGS, view(snapshot), lambda p: None, lambda n: None, "/lab")))
    if not found:
        return {}
    assert [f.path for f in found] == ["core/traefik/dynamic/sablier.yml"]
    assert found[0].text is not None
    data = load(found[0].text)
    assert isinstance(data, dict)
    return dict(data["http"]["middlewares"])


def test_a_sleeping_service_has_its_labels_its_group_and_sablier_after_the_log_in() -> None:
    draft = ask(lab(), session="45m", theme="ghost")
    services = services_of(read(draft.edits[0].after or ""))
    labels = labels_of(services["wiki"])
    assert labels["traefik.http.routers.wiki.middlewares"] == "authelia@docker,sablier-wiki@file"
    assert labels["traefik.http.routers.wiki-api.middlewares"] == "sablier-wiki@file"
    assert labels["traefik.docker.allownonrunning"] == "true"
    assert (labels["sablier.enable"], labels["sablier.group"]) == ("true", "wiki")
    assert labels_of(services["db"]) == {"sablier.enable": "true", "sablier.group": "wiki"}
    assert "labels" not in services["seed"], "somebody else waits for it too"
    assert services["wiki"]["restart"] == "unless-stopped"
    assert middlewares(after(lab(), draft)) == {
        "sablier-wiki": {
            "plugin": {
                "sablier": {
                    "sablierUrl": "http://sleeper:10000",
                    "group": "wiki",
                    "sessionDuration": "45m",
                    "dynamic": {"displayName": "wiki", "theme": "ghost"},
                }
            }
        }
    }


def test_traefik_gets_the_plugin_once_and_is_brought_up_first() -> None:
    draft = ask(lab())
    core = services_of(read(draft.edits[1].after or ""))
    assert list(lazy.PLUGIN_FLAGS) == core["traefik"]["command"][-2:]
    assert [(a.kind, a.stack, a.services) for a in draft.actions] == [
        (ActionKind.UP, "core", ("traefik",)),
        (ActionKind.UP, "apps", ("wiki", "db")),
    ]
    again = ask(after(lab(), draft), session="5m")
    assert [e.path for e in again.edits] == ["apps/compose.yaml"]
    assert [a.stack for a in again.actions] == ["apps"]


def test_a_plugin_that_is_there_locally_is_left_to_the_person() -> None:
    local = f"--experimental.localplugins.sablier.modulename={lazy.PLUGIN}"
    core = TRAEFIK.replace("--providers.docker=true   # labels", local)
    assert [e.path for e in ask(lab(core=core)).edits] == ["apps/compose.yaml"]


@pytest.mark.parametrize("labels", ["list", "mapping"])
def test_off_gives_the_bytes_from_before(labels: str) -> None:
    apps = APPS
    if labels == "mapping":
        apps = APPS.replace("      - traefik.enable=true\n", "      traefik.enable: 'true'\n")
        apps = apps.replace('- "traefik.http.routers.wiki.rule=', 'traefik.http.routers.wiki.rule: "')
        apps = apps.replace('- "traefik.http.routers.wiki-api.rule=', 'traefik.http.routers.wiki-api.rule: "')
        apps = apps.replace("- traefik.http.routers.wiki.middlewares=", "traefik.http.routers.wiki.middlewares: ")
    choices: tuple[dict[str, Any], ...] = ({}, {"strategy": "blocking"}, {"theme": "matrix", "session": "1h30m"})
    for options in choices:
        slept = after(lab(apps), ask(lab(apps), **options))
        assert slept != lab(apps)
        assert after(slept, ask(slept, on=False)) == lab(apps)


def test_the_plugin_stays_while_another_sleeps_and_goes_with_the_last() -> None:
    two = (
        APPS
        + APPS.partition("services:\n")[2]
        .replace("wiki", "notes")
        .replace("  db:", "  db2:")
        .replace("[db, seed]", "[db2, seed]")
        .partition("  seed:")[0]
    )
    first = after(lab(two), ask(lab(two)))
    both = after(first, ask(first, "notes"))
    assert sorted(middlewares(both)) == ["sablier-notes", "sablier-wiki"]
    one = after(both, ask(both, on=False))
    assert lazy.PLUGIN_FLAGS[0] in (one.stacks[1].compose_text)
    assert after(one, ask(one, "notes", on=False)) == lab(two)


def test_one_group_never_wakes_another_service_of_the_same_name() -> None:
    taken = TRAEFIK + "  wiki:\n    image: a:1\n    labels: {sablier.enable: 'true', sablier.group: wiki}\n"
    services = services_of(read(ask(lab(core=taken)).edits[0].after or ""))
    assert labels_of(services["wiki"])["sablier.group"] == "apps-wiki"


def test_a_file_of_the_same_name_by_a_person_is_left_alone() -> None:
    snapshot = lab()
    mine = LabAfter(snapshot, SETTINGS, view(snapshot), lambda p: "http: {}\n", lambda n: None, "/lab")
    assert list(sablier_file(mine)) == []


def _with(extra: str) -> str:
    return APPS.replace("    healthcheck", f"    {extra}\n    healthcheck")


@pytest.mark.parametrize(
    ("apps", "code", "words"),
    [
        (APPS.replace("ghcr.io/example/wiki:2.1", "postgres:17"), "lazy_refused", "database"),
        (APPS.replace("ghcr.io/example/wiki:2.1", "eclipse-mosquitto:2"), "lazy_refused", "broker"),
        (APPS.replace("ghcr.io/example/wiki:2.1", "garethgeorge/backrest:v1"), "lazy_refused", "nobody looks"),
        (APPS.replace("ghcr.io/example/wiki:2.1", "authelia/authelia:4.39"), "lazy_refused", "log-in"),
        (APPS.replace("ghcr.io/example/wiki:2.1", "qmcgaw/gluetun:v3.41.3"), "lazy_refused", "gateway"),
        (APPS.replace("ghcr.io/example/wiki:2.1", "caddy:2"), "lazy_refused", "goes through it"),
        (_with("network_mode: service:other"), "lazy_refused", "another container's network"),
        (APPS + "    network_mode: service:wiki\n", "lazy_refused", "other lives in its network"),
        (APPS.replace("    depends_on: [seed]", "    depends_on: [wiki]"), "lazy_refused", "other depends on it"),
        (APPS.replace("traefik.http.routers", "traefik.tcp.routers"), "lazy_refused", "nothing would wake it"),
        (APPS.replace('    healthcheck: {test: [CMD, "true"]}\n', ""), "lazy_needs_health", "no health check"),
        (APPS.replace('test: [CMD, "true"]', "disable: true"), "lazy_needs_health", "no health check"),
    ],
)
def test_who_must_not_sleep_is_refused_with_the_reason(apps: str, code: str, words: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        ask(lab(apps))
    assert (refused.value.code, words in refused.value.message) == (code, True), refused.value.message


def test_the_catalog_s_own_reason_is_given() -> None:
    never = definition("wiki", lazy={"ok": False, "why": "It counts the hours."})
    assert never.container.image.repository == "example/wiki"
    request = LazyRequest(stack="apps", service="wiki", on=True)
    with pytest.raises(InvalidInput) as refused:
        set_lazy_loading(lab(), SETTINGS, request, find=lambda name: never, read=lambda path: None)
    assert "It counts the hours." in refused.value.message


def test_a_definition_whose_alias_is_the_image_s_name_is_not_it() -> None:
    other = definition("encyclopedia", lazy={"ok": False, "why": "No."})
    request = LazyRequest(stack="apps", service="wiki", on=True)
    assert set_lazy_loading(lab(), SETTINGS, request, find=lambda name: other, read=lambda path: None).edits


def test_a_health_check_of_the_image_counts() -> None:
    apps = APPS.replace('    healthcheck: {test: [CMD, "true"]}\n', "")
    seen = ContainerState("1", "wiki", "i", "running", "healthy", "apps", "wiki")
    assert ask(lab(apps, containers=(seen,))).edits


@pytest.mark.parametrize(
    ("core", "code"),
    [
        ("services: {}\n", "no_traefik"),
        (TRAEFIK.partition("  sablier:")[0], "no_sablier"),
        (TRAEFIK.replace("v3.7.13", "v3.5.1"), "traefik_too_old"),
        (TRAEFIK.replace("      - --providers.file.directory=/dynamic\n", ""), "no_dynamic_folder"),
    ],
)
def test_what_the_lab_lacks_is_said(core: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        ask(lab(core=core))
    assert refused.value.code == code
    assert refused.value.hint


def test_a_set_up_by_hand_is_left_alone() -> None:
    with pytest.raises(InvalidInput) as refused:
        ask(lab(APPS.replace("      - traefik.enable=true", "      - sablier.enable=true")))
    assert refused.value.code == "lazy_by_hand"


def test_off_without_on_has_nothing_to_do() -> None:
    with pytest.raises(InvalidInput) as refused:
        ask(lab(), on=False)
    assert refused.value.code == "nothing_to_do"
