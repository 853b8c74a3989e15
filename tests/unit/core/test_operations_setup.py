"""The core stack as one plan, and changes of settings: pure operations on texts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from homelab_mcp.core import env_file, yaml12
from homelab_mcp.core.after import stacks_after
from homelab_mcp.core.operations.add_service import add_service
from homelab_mcp.core.operations.change_settings import change_settings
from homelab_mcp.core.operations.core_stack import core_stack
from homelab_mcp.core.operations.request import AddServiceRequest
from homelab_mcp.core.operations.setup_request import CORE_PARTS, CoreRequest
from homelab_mcp.core.settings import build_settings, emit_settings
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, Risk
from tests.unit.core.operation_parts import argon2, secret
from tests.unit.core.test_generator import REAL

DUCK = build_settings({"domain": "home.me.duckdns.org", "email": "me@example.org"})
PLAIN = build_settings({"domain": "lab.example.org", "acme.challenge": "tls"})
EMPTY = Snapshot((), None, ())
TOKEN = {"DUCKDNS_TOKEN": "duck-token-1"}


def core(settings: LabSettings, snapshot: Snapshot = EMPTY, **options: Any) -> Draft:
    texts = {s.compose_path: s.compose_text for s in snapshot.stacks} | {
        s.env_path: s.env_text for s in snapshot.stacks
    }

    def add(snapshot: Snapshot, request: AddServiceRequest, *, read: Any, alongside: Collection[str]) -> Draft:
        return add_service(
            snapshot,
            settings,
            request,
            find=REAL.__getitem__,
            secrets=secret,
            argon2=argon2,
            root="/opt/stacks",
            read=read,
            alongside=alongside,
        )

    return core_stack(snapshot, settings, CoreRequest(**options), find=REAL.get, add=add, read=texts.get)


def after(draft: Draft, snapshot: Snapshot = EMPTY) -> Snapshot:
    return replace(snapshot, stacks=stacks_after(snapshot.stacks, draft.edits))


def test_the_core_comes_in_the_order_of_who_needs_whom_and_each_file_is_written_once() -> None:
    draft = core(DUCK, given=TOKEN)

    ups = [a.services[0] for a in draft.actions if a.kind is ActionKind.UP]
    assert ups == list(CORE_PARTS)
    kinds = [a.kind for a in draft.actions]
    assert kinds == sorted(kinds, key=[ActionKind.CREATE_NETWORK, ActionKind.PULL, ActionKind.UP].index)
    networks = [a.name for a in draft.actions if a.kind is ActionKind.CREATE_NETWORK]
    assert sorted(networks) == ["homelab-network", "traefik-network"]
    paths = [e.path for e in draft.edits]
    assert len(paths) == len(set(paths))
    assert {"core/compose.yaml", "core/.env", "core/traefik/dynamic/homelab.yaml"} <= set(paths)
    assert {e.path for e in draft.edits if e.path.endswith(".env")} <= {e.path for e in draft.edits if e.secret}


def test_values_that_a_person_gave_reach_only_the_env_file() -> None:
    draft = core(DUCK, given=TOKEN)
    env = env_file.parse(next(e.after or "" for e in draft.edits if e.path == "core/.env"))

    assert env["DUCKDNS_TOKEN"] == TOKEN["DUCKDNS_TOKEN"] and env["DUCKDNS_SUBDOMAINS"] == "me"
    assert not [e.path for e in draft.edits if not e.secret and TOKEN["DUCKDNS_TOKEN"] in (e.after or "")]
    assert TOKEN["DUCKDNS_TOKEN"] in draft.secrets
    assert TOKEN["DUCKDNS_TOKEN"] not in str((draft.notes, draft.risks, draft.summary))


def test_what_only_a_person_has_is_asked_for() -> None:
    with pytest.raises(InvalidInput) as told:
        core(DUCK)
    assert told.value.code == "missing_input"
    assert told.value.details["variables"][0]["name"] == "DUCKDNS_TOKEN"


def test_every_route_is_verified_as_it_is_once_the_log_in_is_there() -> None:
    draft = core(PLAIN)
    routes = {r.host: r.sso for v in draft.verifications for r in v.routes}

    assert routes == {
        "traefik.lab.example.org": True,
        "auth.lab.example.org": False,
        "dockge.lab.example.org": True,
        "homepage.lab.example.org": True,
    }
    services = {s for v in draft.verifications for s in v.services}
    assert {*CORE_PARTS, "traefik-socket"} - {"duckdns"} <= services
    assert not [n for n in draft.notes if "Not reachable" in n or "does not have yet" in n or "not checked" in n]
    first = [bool(v.routes) for v in draft.verifications]
    assert first == sorted(first), "routes are asked when all runs"


def test_parts_are_left_out_on_request_where_they_do_not_fit_and_where_they_are() -> None:
    draft = core(PLAIN, without=("sablier", "homepage"))
    assert draft.summary == "Set up the core: traefik, authelia, dockge"
    assert any("not at DuckDNS" in note for note in draft.notes)
    there = after(draft)
    more = core(PLAIN, there)
    assert more.summary == "Set up the core: sablier, homepage"
    assert any("core/traefik is there already" in note for note in more.notes)
    far = "x-homelab: {host: nas}\nservices:\n  sablier-nas: {image: 'sablierapp/sablier:1.16.2'}\n"
    there = replace(there, stacks=(*there.stacks, StackFiles("lazy-nas", "lazy-nas/compose.yaml", far)))
    assert core(PLAIN, there).summary == more.summary, "another host's is not this machine's"
    with pytest.raises(InvalidInput) as told:
        core(PLAIN, after(more, there))
    assert told.value.code == "nothing_to_do"


def changed(settings: LabSettings, snapshot: Snapshot, **values: Any) -> Draft:
    text = "# mine\n" + emit_settings(settings)
    read = {"homelab.yaml": text}.get
    return change_settings(snapshot, {k.replace("__", "."): v for k, v in values.items()}, read=read)


def test_settings_are_changed_in_place_and_what_came_from_them_follows() -> None:
    lab = after(core(PLAIN, without=("sablier",)))
    draft = changed(PLAIN, lab, timezone="Europe/Berlin", traefik__access_log="file")

    texts = {e.path: e.after or "" for e in draft.edits}
    assert texts["homelab.yaml"].startswith("# mine\n") and "timezone: Europe/Berlin" in texts["homelab.yaml"]
    assert env_file.parse(texts["core/.env"])["TZ"] == "Europe/Berlin"
    traefik = yaml12.load(texts["core/compose.yaml"])["services"]["traefik"]
    assert "--accesslog.filepath=/logs/access.log" in traefik["command"]
    assert "./traefik/logs:/logs" in traefik["volumes"]
    assert traefik["healthcheck"]["test"][0] == "CMD-SHELL"
    ups = {a.stack: a.services for a in draft.actions}
    assert "traefik" in ups["core"] and "homepage" in ups["dashboards"]
    assert next(e for e in draft.edits if e.path == "core/.env").secret


def test_there_and_back_gives_the_same_bytes() -> None:
    lab = after(core(PLAIN, without=("sablier",)))
    there = changed(PLAIN, lab, traefik__access_log="file", traefik__rate_limit=5)
    other = PLAIN.model_copy(
        update={"traefik": PLAIN.traefik.model_copy(update={"access_log": "file", "rate_limit": 5})}
    )
    back = changed(other, after(there, lab), traefik__access_log="stdout", traefik__rate_limit=100)

    then = next(e.after for e in back.edits if e.path == "core/compose.yaml")
    assert yaml12.load(then or "") == yaml12.load(next(s.compose_text for s in lab.stacks if s.name == "core"))


def test_another_certificate_way_swaps_traefiks_flags_and_keeps_a_persons_own() -> None:
    lab = after(core(PLAIN, without=("sablier",)))
    stacks = tuple(
        replace(
            s,
            compose_text=s.compose_text.replace(
                '- "--ping=true"', '- "--ping=true"\n      - "--api.debug=true" # my own'
            ),
        )
        for s in lab.stacks
    )
    draft = changed(PLAIN, replace(lab, stacks=stacks), acme__challenge="http", acme__staging=True)
    text = next(e.after or "" for e in draft.edits if e.path == "core/compose.yaml")
    command = yaml12.load(text)["services"]["traefik"]["command"]
    acme = "--certificatesresolvers.letsencrypt.acme"

    assert f"{acme}.httpchallenge.entrypoint=web" in command and f"{acme}.tlschallenge=true" not in command
    assert f"{acme}.storage=/letsencrypt/acme-staging.json" in command
    assert f"{acme}.storage=/letsencrypt/acme.json" not in command
    assert '- "--api.debug=true" # my own' in text
    with pytest.raises(InvalidInput) as told:
        changed(PLAIN, lab, acme__challenge="dns", acme__dns_provider="cloudflare")
    assert told.value.code == "missing_input" and "CF_DNS_API_TOKEN" in told.value.message


def test_a_value_a_person_set_otherwise_stays_and_a_bad_or_equal_one_is_refused() -> None:
    lab = after(core(PLAIN, without=("sablier",)))
    own = tuple(
        replace(s, env_text=s.env_text.replace("TZ=Etc/UTC", "TZ=Asia/Tokyo")) if s.name == "core" else s
        for s in lab.stacks
    )
    draft = changed(PLAIN, replace(lab, stacks=own), timezone="Europe/Berlin")
    assert "core/.env" not in {e.path for e in draft.edits} and "dashboards/.env" in {e.path for e in draft.edits}
    for bad in ({"puid": -5}, {"domain": "nodots"}, {"acme__challenge": "magic"}, {"nonsense": "x"}):
        with pytest.raises(InvalidInput):
            changed(PLAIN, lab, **bad)
    same = partial(changed, PLAIN, lab, timezone="Etc/UTC")
    with pytest.raises(InvalidInput) as told:
        same()
    assert told.value.code == "nothing_to_do"


OWN_LOGIN = """\
session:
  cookies:
    - domain: lab.example.org
      authelia_url: https://auth.lab.example.org   # where people log in
access_control:
  rules:
    - domain: ['*.lab.example.org', other.example.org, notlab.example.org]
      policy: one_factor
notifier:
  smtp: {sender: Lab <me@lab.example.org>, address: smtp://mail.lab.example.org:25}
"""


def test_a_change_of_the_domain_edits_the_log_in_s_own_configuration() -> None:
    draft = core(PLAIN, without=("sablier",))
    lab = after(draft)
    texts = {"homelab.yaml": emit_settings(PLAIN)} | {e.path: e.after for e in draft.edits}
    path = "core/authelia/config/configuration.yml"
    moved = change_settings(lab, {"domain": "new.example.net"}, read=texts.get)
    seen = yaml12.load(next(e.after or "" for e in moved.edits if e.path == path))
    assert seen["session"]["cookies"][0]["domain"] == "new.example.net"
    assert seen["session"]["cookies"][0]["authelia_url"] == "https://auth.new.example.net"
    assert seen["totp"]["issuer"] == "new.example.net"
    assert "authelia" in {s for a in moved.actions for s in a.services}
    assert "lab.example.org" not in str([e.after for e in moved.edits if e.path != "homelab.yaml"])

    moved = change_settings(lab, {"domain": "new.example.net"}, read={**texts, path: OWN_LOGIN}.get)
    text = next(e.after or "" for e in moved.edits if e.path == path)
    assert "authelia_url: https://auth.new.example.net   # where people log in" in text
    rules = yaml12.load(text)["access_control"]["rules"]
    assert rules[0]["domain"] == ["*.new.example.net", "other.example.org", "notlab.example.org"]
    assert "me@lab.example.org" in text and "smtp://mail.lab.example.org:25" in text


def test_a_log_in_that_nothing_else_starts_anew_restarts_for_its_configuration() -> None:
    text = "services:\n  authelia:\n    image: authelia/authelia:4.39.24\n    volumes: ['./authelia/config:/config']\n"
    lab = Snapshot((StackFiles("core", "core/compose.yaml", text),), None)
    read = {"homelab.yaml": emit_settings(PLAIN), "core/authelia/config/configuration.yml": OWN_LOGIN}.get
    moved = change_settings(lab, {"domain": "new.example.net"}, read=read)
    assert [(a.kind, a.services) for a in moved.actions] == [(ActionKind.RESTART, ("authelia",))]
    assert moved.verification.services == ("authelia",)


def test_the_dns_updater_follows_the_domain() -> None:
    draft = core(DUCK, given=TOKEN)
    texts = {"homelab.yaml": emit_settings(DUCK)} | {e.path: e.after for e in draft.edits}
    moved = change_settings(after(draft), {"domain": "you.duckdns.org"}, read=texts.get)
    env = env_file.parse(next(e.after or "" for e in moved.edits if e.path == "core/.env"))
    assert (env["DUCKDNS_SUBDOMAINS"], env["DOMAIN"]) == ("you", "you.duckdns.org")
    assert "duckdns" in {s for a in moved.actions for s in a.services}


def test_traefik_gets_another_way_to_docker_and_back_to_the_first_bytes() -> None:
    lab = after(core(PLAIN, without=("sablier",)))
    settings = emit_settings(PLAIN)

    def switch(snapshot: Snapshot, way: str, text: str) -> Draft:
        read = {"homelab.yaml": text}.get
        return change_settings(snapshot, {"traefik.docker_access": way}, read=read, find=REAL.__getitem__, root="/l")

    bare = switch(lab, "socket", settings)
    text = next(e.after or "" for e in bare.edits if e.path == "core/compose.yaml")
    services = yaml12.load(text)["services"]
    assert "traefik-socket" not in services and "traefik-private" not in text
    assert "/var/run/docker.sock:/var/run/docker.sock:ro" in services["traefik"]["volumes"]
    assert not [f for f in services["traefik"]["command"] if "docker.endpoint" in f]
    assert "depends_on" not in services["traefik"]
    assert [(a.kind, a.services) for a in bare.actions] == [
        (ActionKind.REMOVE, ("traefik-socket",)),
        (ActionKind.UP, ("traefik",)),
    ]
    assert bare.verification.gone == ("traefik-socket",)
    assert any("controls the host" in r.reason and r.risk is Risk.HIGH for r in bare.risks)

    changed_text = next(e.after or "" for e in bare.edits if e.path == "homelab.yaml")
    back = switch(after(bare, lab), "proxy", changed_text)
    made = yaml12.load(next(e.after or "" for e in back.edits if e.path == "core/compose.yaml"))
    first = yaml12.load(next(s.compose_text for s in lab.stacks if s.name == "core"))
    assert {k: v for k, v in made["services"].items()}.keys() == first["services"].keys()
    assert made["networks"] == first["networks"]
    assert made["services"]["traefik-socket"]["networks"] == ["traefik-private"]
    now, then = made["services"]["traefik"], first["services"]["traefik"]
    for field in ("command", "volumes", "networks"):
        assert sorted(now[field]) == sorted(then[field]), field
    assert now["depends_on"] == then["depends_on"]
    assert [a.kind for a in back.actions] == [ActionKind.PULL, ActionKind.UP]
    assert set(back.actions[1].services) == {"traefik", "traefik-socket"}
