"""A standby core as a plan says it: of which stacks, what is not brought along, what refuses it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from homelab_mcp.core.drill_report import Seen, report
from homelab_mcp.core.operations.lab_view import LabView, view
from homelab_mcp.core.operations.standby import activate_standby, deactivate_standby, sync_standby
from homelab_mcp.core.standby import core_stacks
from homelab_mcp.core.survival import survival
from homelab_mcp.core.survival_standby import Failure
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Risk
from homelab_mcp.model.standby import StandbySeen

SETTINGS = LabSettings(domain="lab.test", sso_middleware="authelia@docker")
EDGE = """services:
  traefik:
    image: traefik:v3.7.13
    container_name: traefik
    ports: ["${AT}:443:443", {target: 80, published: "80", host_ip: 192.168.1.9}, "0.0.0.0:8443:8443", "[fd00::9]:1:1"]
    volumes: ["./dynamic:/dynamic", "/opt/certs:/certs:ro", "/etc/localtime:/etc/localtime:ro", "anon:/data"]
volumes: {anon: {}}
"""
LOGIN = """services:
  authelia:
    image: authelia/authelia:4.39.4
    labels: {traefik.http.middlewares.authelia.forwardauth.address: "http://authelia:9091/"}
"""
FAR = """x-homelab: {host: nas}
services:
  watch:
    image: example/watch:1
    ports: [PORT]
    container_name: NAME
    labels:
      traefik.enable: "true"
      traefik.http.routers.watch.rule: Host(`watch.lab.test`)
"""
READY = StandbySeen("nas", ("edge/traefik", "login/authelia"), names=("authelia", "traefik"))


def lab(*, edge: str = EDGE, port: str = "3000:3000", name: str = "watch") -> LabView:
    far = FAR.replace("PORT", f'"{port}"').replace("NAME", name)
    files = (("edge", edge, "AT=192.168.1.9\n"), ("login", LOGIN, ""), ("far", far, ""))
    return view(Snapshot(tuple(StackFiles(n, f"{n}/compose.yaml", t, env_text=e) for n, t, e in files), None))


def test_the_core_is_traefik_and_the_log_in_wherever_they_are_here() -> None:
    assert core_stacks(lab(), SETTINGS) == ("edge", "login")
    assert core_stacks(lab(), LabSettings(domain="lab.test", sso_middleware="other@docker")) == ("edge",)
    assert core_stacks(lab(edge=f"x-homelab: {{engine: swarm}}\n{EDGE}"), SETTINGS) == ()
    draft = sync_standby(lab(), SETTINGS, "nas", None)
    (action,) = draft.actions
    assert (action.kind, action.name, action.services) == (ActionKind.STANDBY_SYNC, "nas", ("edge", "login"))
    assert draft.risks[0].risk is Risk.HIGH
    notes = "\n".join(draft.notes)
    assert "/opt/certs (edge/traefik)" in notes
    assert "the volume anon (edge/traefik)" in notes
    assert "localtime" not in notes
    assert "has the address 192.168.1.9, fd00::9 by then" in notes


@pytest.mark.parametrize(
    ("there", "why"),
    [
        (lab(port="192.168.1.20:443:3000"), "far/watch has port 443/tcp on host nas"),
        (lab(name="traefik"), "far/watch has the container name traefik on host nas"),
    ],
)
def test_a_host_that_has_its_ports_or_names_refuses_it(there: LabView, why: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        sync_standby(there, SETTINGS, "nas", None)
    assert (refused.value.code, why in refused.value.message) == ("standby_refused", True)


def test_it_is_not_synced_while_it_runs_nor_started_twice_nor_where_there_is_none() -> None:
    runs = StandbySeen("nas", READY.services, running=READY.services)
    for draft, there, code in (
        (sync_standby, runs, "standby_active"),
        (sync_standby, replace(READY, stuck=("login/authelia",)), "standby_active"),
        (deactivate_standby, READY, "nothing_to_do"),
        (deactivate_standby, None, "standby_missing"),
    ):
        with pytest.raises((InvalidInput, NotFound)) as refused:
            draft(lab(), SETTINGS, "nas", there)
        assert refused.value.code == code
    for there, code in ((runs, "nothing_to_do"), (None, "standby_missing")):
        with pytest.raises((InvalidInput, NotFound)) as not_started:
            activate_standby(lab(), SETTINGS, "nas", there, alive=False)
        assert not_started.value.code == code
    # What restarts all the time is no dead end: a sync asks to stop it, and it can be.
    stuck = replace(READY, stuck=("login/authelia",))
    assert deactivate_standby(lab(), SETTINGS, "nas", stuck).actions[0].kind is ActionKind.STANDBY_STOP
    assert activate_standby(lab(), SETTINGS, "nas", stuck, alive=False).actions
    with pytest.raises(InvalidInput) as coreless:
        sync_standby(lab(edge="services: {}\n"), LabSettings(domain="lab.test"), "nas", None)
    assert coreless.value.code == "no_core"


def test_two_cores_at_once_are_a_risk_that_is_told() -> None:
    alive = activate_standby(lab(), SETTINGS, "nas", READY, alive=True)
    assert [r.risk for r in alive.risks] == [Risk.HIGH]
    behind = StandbySeen("nas", READY.services, behind=("edge/traefik",))
    dead = activate_standby(lab(), SETTINGS, "nas", behind, alive=False)
    assert dead.risks == ()
    assert "Changed here since the last sync: edge/traefik." in dead.notes


def test_the_plan_says_whether_the_log_in_is_among_what_it_brings() -> None:
    by_label = sync_standby(lab(), SETTINGS, "nas", None)
    assert "the users of the log-in" in by_label.actions[0].why
    assert "log-in is not" not in " ".join(by_label.notes)
    by_file = sync_standby(lab(), LabSettings(domain="lab.test", sso_middleware="authelia@file"), "nas", None)
    assert by_file.actions[0].services == ("edge",)
    assert "log-in" not in by_file.actions[0].why
    assert "The log-in is not among them, but where it is part of edge" in " ".join(by_file.notes)
    none = sync_standby(lab(), LabSettings(domain="lab.test", sso_middleware=""), "nas", None)
    assert "log-in" not in " ".join((*none.notes, none.actions[0].why))


def test_the_plan_names_the_address_that_firewalls_elsewhere_have_to_let_in() -> None:
    told = " ".join(sync_standby(lab(), SETTINGS, "shed", None, private="192.168.1.30").notes)
    assert "a firewall on nas lets only this machine in" in told
    assert "let shed's address (192.168.1.30) in too" in told
    assert "firewall" not in " ".join(sync_standby(lab(), SETTINGS, "nas", None).notes)


def test_a_stop_says_what_comes_out_otherwise_than_it_ran_and_a_start_which_files_are_old() -> None:
    mixed = replace(READY, running=READY.services, behind=("edge/traefik",))
    assert "edge/traefik come out otherwise than they ran" in deactivate_standby(lab(), SETTINGS, "nas", mixed).notes[1]
    assert len(deactivate_standby(lab(), SETTINGS, "nas", replace(mixed, behind=())).notes) == 1
    old = replace(READY, changed=("login/users.yml",))
    notes = activate_standby(lab(), SETTINGS, "nas", old, alive=False).notes
    assert "Files changed here since the last sync: login/users.yml." in notes


def test_a_start_says_that_the_last_sync_was_cut_off() -> None:
    cut = activate_standby(lab(), SETTINGS, "nas", replace(READY, cut_off=("edge",)), alive=False)
    assert [(r.risk, "The last sync of edge was cut off" in r.reason) for r in cut.risks] == [(Risk.HIGH, True)]


def test_what_has_no_route_on_the_standby_is_not_promised_and_changed_files_are_told() -> None:
    synced = replace(READY, host="shed", routes=("nas-far-watch",), changed=("login/users.yml",))
    assert "far/watch" in _lost(synced).returns
    assert "files changed since: login/users.yml" in _lost(synced).note
    later = _lost(replace(synced, routes=()))
    assert set(later.returns) == {"edge/traefik", "login/authelia"}
    assert "until a person" not in later.down["far/watch"]
    assert "it has no route yet to far/watch" in later.note


def _lost(*standbys: StandbySeen) -> Failure:
    found = survival(lab(), SETTINGS, checked=(), uncovered=None, standbys=standbys)
    return next(f for f in found if f.what == "The machine of the lab is lost")


def test_survives_says_what_a_standby_would_give_and_what_it_gives() -> None:
    without = _lost()
    assert without.returns == ()
    assert "would give their addresses back without a restore: far/watch." in without.note
    found = _lost(StandbySeen("shed", ("edge/traefik",)), READY)
    assert set(found.returns) == {"edge/traefik", "login/authelia", "far/watch"}
    assert found.down["far/watch"] == "it runs on, and its address is gone until a person activates the standby on nas"
    assert "docker start authelia traefik" in found.note
    assert found.survive == ()


def test_a_drill_holds_the_standby_to_what_was_said_of_it() -> None:
    found = _lost(READY)
    seen = [
        Seen("far/watch", "https://watch.lab.test/", 9, 12.0, at_end=True),
        Seen("edge/traefik", "Docker", 9, 12.0, at_end=False),
    ]
    told = report(seen, found, orderly=False)
    assert told["surprises"] == ["edge/traefik was said to come back with the standby, and was gone at the end."]
    assert {r["service"]: r["seen"] for r in told["services"]}["far/watch"] == "back after 12.0 s"
