"""Operations on services of included, extended and override files: the edit is in the file that says it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from homelab_mcp.adapters.catalog_files import load_catalog
from homelab_mcp.core.after import stacks_after
from homelab_mcp.core.labels import labels_of
from homelab_mcp.core.operations.change_request import ConnectServicesRequest, MoveServiceRequest
from homelab_mcp.core.operations.connect_services import connect_services
from homelab_mcp.core.operations.lazy_request import LazyRequest
from homelab_mcp.core.operations.move_service import move_service
from homelab_mcp.core.operations.remove_service import remove_service
from homelab_mcp.core.operations.request import RemoveServiceRequest
from homelab_mcp.core.operations.set_access import SetAccessRequest, set_access
from homelab_mcp.core.operations.set_lazy_loading import set_lazy_loading
from homelab_mcp.core.operations.set_vpn import set_vpn
from homelab_mcp.core.operations.stack_as_one import merged
from homelab_mcp.core.operations.vpn_request import VpnRequest
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import Draft
from tests.unit.core.operation_parts import SETTINGS

CATALOG = load_catalog()
ENV = "VPN_SERVICE_PROVIDER=mullvad\nWIREGUARD_PRIVATE_KEY=k3y\nWIREGUARD_ADDRESSES=10.64.0.2/32\nWIKI_KEY=abc\n"
CORE = """\
services:
  traefik:
    image: traefik:v3.7.13
    command: [--providers.docker=true, --providers.file.directory=/dynamic]
    volumes: ["./traefik/dynamic:/dynamic:ro"]
  sablier: {image: "sablierapp/sablier:1.16.2", container_name: sleeper}
"""
APPS = """\
include: [parts/wiki.yaml]
services:
  other:
    image: example/other:1   # mine
networks: {media: {}}
"""
WIKI = """\
# the family's
services:
  wiki:   # read now and then
    image: ghcr.io/example/wiki:2.1   # do not bump
    restart: always
    environment: {KEY: "${WIKI_KEY}"}
    healthcheck: {test: [CMD, "true"]}
    ports: ["8080:80"]
    volumes: [./pages:/pages]
    labels:
      - traefik.enable=true
      - "traefik.http.routers.wiki.rule=Host(`wiki.lab.test`)"
      - traefik.http.routers.wiki.middlewares=authelia@docker   # log-in first
      - traefik.http.services.wiki.loadbalancer.server.port=80
  notes:
    image: example/notes:1
"""
ALSO = "include: [../apps/parts/wiki.yaml]\nservices: {}\n"
TOOLS = "services:\n  tool:\n    image: example/tool:1\n    expose: ['7000']\n"
PART = "apps/parts/wiki.yaml"
SECOND = StackFiles("second", "second/compose.yaml", ALSO, ENV, named=((PART, WIKI),))


def lab(apps: str = APPS, *more: StackFiles, **named: str) -> Snapshot:
    files = {PART: WIKI} | {path.replace("__", "/") + ".yaml": text for path, text in named.items()}
    own = StackFiles("apps", "apps/compose.yaml", apps, ENV, named=tuple(files.items()))
    core = StackFiles("core", "core/compose.yaml", CORE)
    return Snapshot((own, core, *more, StackFiles("tools", "tools/compose.yaml", TOOLS)), None)


def access(seen: Snapshot, *services: str, **values: Any) -> Draft:
    request = SetAccessRequest(services=services or ("wiki",), **(values or {"policy": "bypass", "reason": "Own."}))
    return set_access(seen, SETTINGS, request, find=CATALOG.get, read=lambda path: None)


def lazy(seen: Snapshot, *, on: bool = True) -> Draft:
    request = LazyRequest(stack="apps", service="wiki", on=on)
    return set_lazy_loading(seen, SETTINGS, request, find=CATALOG.get, read=lambda path: None)


def vpn(seen: Snapshot, *, on: bool = True) -> Draft:
    request = VpnRequest(stack="apps", service="wiki", on=on)
    return set_vpn(seen, SETTINGS, request, find=CATALOG.get, root="/lab")


def connect(seen: Snapshot) -> Draft:
    request = ConnectServicesRequest(
        a="wiki", a_stack="apps", b="tool", b_stack="tools", variables={"PEER_URL": "{url}"}
    )
    return connect_services(seen, SETTINGS, request)


def move(seen: Snapshot, service: str = "wiki", to: str = "tools", **files: str) -> Draft:
    request = MoveServiceRequest(stack="apps", service=service, to=to)
    there = {path.replace("__", "/"): text for path, text in files.items()}
    return move_service(
        seen, SETTINGS, request, exists=lambda p: p == "apps/parts/pages", read_text=lambda p: there.get(p)
    )


def remove(seen: Snapshot, service: str = "wiki") -> Draft:
    request = RemoveServiceRequest(stack="apps", service=service)
    return remove_service(seen, SETTINGS, request, find=CATALOG.get)


ALL: dict[str, Callable[[Snapshot], Draft]] = {
    "access": access, "lazy": lazy, "vpn": vpn, "connect": connect, "move": move, "remove": remove,
}  # fmt: skip


def after(seen: Snapshot, draft: Draft) -> Snapshot:
    return replace(seen, stacks=stacks_after(seen.stacks, draft.edits))


def texts(seen: Snapshot) -> dict[str, str]:
    return {path: text for s in seen.stacks for path, text in ((s.compose_path, s.compose_text), *s.others, *s.named)}


def services(seen: Snapshot, stack: str = "apps") -> dict[str, Any]:
    found = next(s for s in seen.stacks if s.name == stack)
    return dict((merged(found) or {})["services"])


def labelled(services: dict[str, Any]) -> dict[str, Any]:
    """The services with their labels in one form, which is all the same to Compose."""
    return {n: {**body, "labels": labels_of(body)} for n, body in services.items()}


def refusal(call: Callable[..., Draft], *args: Any, **options: Any) -> HomelabError:
    with pytest.raises(HomelabError) as told:
        call(*args, **options)
    return told.value


@pytest.mark.parametrize("name", ALL)
def test_a_service_of_an_included_file_is_changed_there_with_its_comments(name: str) -> None:
    draft = ALL[name](lab())
    changed = [e.path for e in draft.edits if not e.secret]
    assert PART in changed
    # A gateway is made in the stack's own file, from where paths of its data are told.
    assert ("apps/compose.yaml" in changed) == (name == "vpn")
    text = next(e.after for e in draft.edits if e.path == PART) or ""
    assert text.startswith("# the family's\nservices:\n")
    assert "  notes:\n    image: example/notes:1\n" in text
    if name not in ("move", "remove"):
        assert "image: ghcr.io/example/wiki:2.1   # do not bump\n" in text
    assert f"Stack apps is changed in {PART}, which says it." in draft.notes


def test_what_is_asked_of_a_visitor_is_said_in_the_included_file() -> None:
    draft = access(lab())
    assert [e.path for e in draft.edits] == [PART]
    labels = services(after(lab(), draft))["wiki"]["labels"]
    assert "traefik.http.routers.wiki.middlewares=authelia@docker" not in labels
    assert "homelab.sso.reason=Own." in labels


def test_asleep_and_awake_again_gives_the_bytes_of_every_file() -> None:
    on = after(lab(), lazy(lab()))
    assert texts(on)[PART] != WIKI
    assert texts(after(on, lazy(on, on=False))) == texts(lab())


def test_a_gateway_that_was_made_for_a_service_of_an_included_file_goes_with_it() -> None:
    on = after(lab(), vpn(lab()))
    assert services(on)["wiki"]["network_mode"] == "service:gluetun"
    assert services(on)["gluetun"]["ports"] == ["8080:80"]
    off = after(on, vpn(on, on=False))
    assert texts(off) | {PART: ""} == texts(lab()) | {PART: ""}
    assert labelled(services(off)) == labelled(services(lab()))


def test_a_gateway_of_the_compose_file_and_a_client_of_an_included_one_are_each_changed_where_they_stand() -> None:
    apps = APPS.replace("  other:", "  gluetun:   # the tunnel\n    image: qmcgaw/gluetun:v3.41.3\n  other:")
    draft = vpn(lab(apps))
    assert sorted(e.path for e in draft.edits) == ["apps/compose.yaml", PART]
    found = services(after(lab(apps), draft))
    assert found["wiki"]["network_mode"] == "service:gluetun" and "ports" not in found["wiki"]
    assert found["gluetun"]["ports"] == ["8080:80"]
    text = texts(after(lab(apps), draft))["apps/compose.yaml"]
    assert "gluetun:   # the tunnel\n" in text and "example/other:1   # mine\n" in text
    off = after(after(lab(apps), draft), vpn(after(lab(apps), draft), on=False))
    assert labelled(services(off)) == labelled(services(lab(apps)))


def test_a_move_takes_the_lines_out_of_the_included_file_and_the_folder_with_them() -> None:
    draft = move(lab())
    assert [(m.source, m.target) for m in draft.moves] == [("apps/parts/pages", "tools/parts/pages")]
    found = after(lab(), draft)
    assert list(services(found)) == ["notes", "other"]
    there = services(found, "tools")["wiki"]
    assert there["volumes"] == ["./parts/pages:/pages"]
    assert "WIKI_KEY" in next(e.after or "" for e in draft.edits if e.path == "tools/.env")
    # Without a path that would mean another folder, the lines go as they were written.
    text = texts(after(lab(), move(lab(), "notes")))["tools/compose.yaml"]
    assert "  notes:\n    image: example/notes:1\n" in text


def test_the_last_service_of_an_included_file_goes_and_the_file_that_is_named_stays() -> None:
    first = after(lab(), remove(lab()))
    second = after(first, remove(first, "notes"))
    assert list(services(second)) == ["other"]
    assert texts(second)[PART].startswith("# the family's\nservices:")


def test_what_takes_a_variable_of_the_included_files_own_is_not_moved_away_from_it() -> None:
    own = "include: [{path: ../shared/cache.yaml, env_file: ../shared/cache.env}]\nservices: {other: {image: x}}\n"
    named = {"shared__cache": "services:\n  cache:\n    image: redis:${CACHE_TAG}\n"}
    with_env = {"shared__cache.env": "CACHE_TAG=7.4.1\n"}
    told = refusal(move, lab(own, **named), "cache", **with_env)
    assert told.code == "data_not_movable"
    assert "CACHE_TAG" in told.message and "shared/cache.env" in told.message and told.hint
    # The stack's own value is the one that counts, and goes along.
    seen = lab(own, **named)
    mine = replace(seen, stacks=(replace(seen.stacks[0], env_text="CACHE_TAG=7.4.2\n"), *seen.stacks[1:]))
    assert "CACHE_TAG" in next(e.after or "" for e in move(mine, "cache", **with_env).edits if e.path == "tools/.env")


@pytest.mark.parametrize("name", ALL)
def test_a_file_that_two_stacks_take_is_not_changed_for_one(name: str) -> None:
    seen = lab(APPS, SECOND)
    told = refusal(access, seen, "apps/wiki") if name == "access" else refusal(ALL[name], seen)
    assert told.code == "file_shared"
    assert f"{PART}, line 3" in told.message and "second" in told.message
    assert "review" in told.hint


def test_what_is_asked_for_both_stacks_is_written_once_in_the_file_that_both_take() -> None:
    seen = lab(APPS, SECOND)
    draft = access(seen, "apps/wiki", "second/wiki")
    assert [e.path for e in draft.edits] == [PART]
    assert {a.stack for a in draft.actions} == {"apps", "second"}


def test_a_stack_that_takes_the_file_and_is_not_reached_is_named() -> None:
    second = StackFiles(
        "second",
        "second/compose.yaml",
        "services:\n  mine: {extends: {file: ../apps/parts/wiki.yaml, service: notes}}\n",
        named=((PART, WIKI),),
    )
    draft = remove(lab(APPS, second))
    assert f"Stack second takes {PART} too; nothing changes for it." in draft.notes


def test_a_service_that_extends_one_of_another_file_says_it_itself_from_then_on() -> None:
    apps = "services:\n  wiki:\n    extends: {file: parts/wiki.yaml, service: wiki}\n  other: {image: x}\n"
    draft = access(lab(apps))
    assert len(draft.edits) == 1
    found = services(after(lab(apps), draft))["wiki"]["labels"]
    assert "authelia@docker" not in str(found)
    gone = remove(lab(apps))
    assert [e.path for e in gone.edits] == ["apps/compose.yaml"]
    assert list(services(after(lab(apps), gone))) == ["other"]


def test_a_label_that_the_override_file_says_is_changed_there() -> None:
    base = "services:\n  wiki:\n    image: w:1\n    labels:\n      traefik.http.routers.wiki.rule: Host(`w.lab.test`)\n"
    over = "services:\n  wiki:\n    labels:\n      traefik.http.routers.wiki.middlewares: authelia@docker   # mine\n"
    stack = StackFiles("apps", "apps/compose.yaml", base, ENV, others=(("apps/compose.override.yaml", over),))
    seen = Snapshot((stack,), None)
    draft = access(seen)
    labels = services(after(seen, draft))["wiki"]["labels"]
    assert "traefik.http.routers.wiki.middlewares" not in labels and labels["homelab.sso"] == "bypass"
