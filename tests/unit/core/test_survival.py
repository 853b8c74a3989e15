"""Which services survive which failure, said by what the files say."""

from __future__ import annotations

import pytest

from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.stack_host import with_host
from homelab_mcp.core.survival import survival
from homelab_mcp.core.survival_standby import Failure
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.swarm import Node

SETTINGS = LabSettings(domain="lab.test")
CORE = """services:
  traefik:
    image: traefik:v3.7.13
    restart: unless-stopped
  authelia:
    image: authelia/authelia:4.39.4
    restart: unless-stopped
    healthcheck: {test: [CMD, "true"]}
"""
APPS = """services:
  vpn: {image: qmcgaw/gluetun:v3.40.0, restart: on-failure}
  torrent:
    image: example/torrent:1
    network_mode: service:vpn
    volumes: ["./torrent:/data"]
    deploy: {restart_policy: {condition: any}}
  web:
    image: example/web:1
    restart: always
    healthcheck: {test: [CMD, "true"]}
    volumes: ["./web:/data", "/etc/localtime:/etc/localtime:ro"]
    labels:
      autoheal: "true"
      traefik.enable: "true"
      traefik.http.routers.web.rule: Host(`web.lab.test`)
      traefik.http.routers.web.middlewares: authelia@docker
    depends_on: {init: {condition: service_completed_successfully}}
  init: {image: example/init:1}
  autoheal: {image: willfarrell/autoheal:1.2.0, restart: always}
"""
FAR = with_host(
    """services:
  watch:
    image: example/watch:1
    restart: always
    volumes: ["watch:/data"]
    labels:
      traefik.enable: "true"
      traefik.http.routers.watch.rule: Host(`watch.lab.test`)
volumes: {watch: {}}
""",
    "nas",
)


def whole(services: set[str] | None) -> dict[str, set[str]] | None:
    return None if services is None else {where: {"all"} for where in services}


def failures(*, uncovered: set[str] | None = None, far: str = FAR) -> dict[str, Failure]:
    stacks = [("core", CORE), ("apps", APPS), ("far", far)]
    lab = view(Snapshot(tuple(StackFiles(n, f"{n}/compose.yaml", t) for n, t in stacks), None))
    found = survival(lab, SETTINGS, checked={"far/watch"}, uncovered=whole(uncovered))
    return {f.what: f for f in found}


def test_a_crash_a_hang_and_a_reboot_are_three_failures() -> None:
    found = failures()
    assert found["A service's program ends"].down == {}
    boot = found["Docker or a machine starts anew"]
    assert boot.down == {"apps/vpn": "restart policy on-failure starts nothing with Docker"}
    hang = found["A service's program hangs"]
    assert hang.survive == ("apps/web",)
    assert hang.down["far/watch"] == "noticed, and not restarted"
    assert hang.down["apps/torrent"] == "no health check, so nobody notices"
    assert "apps/init" not in {*hang.down, *hang.survive}, "its end is no failure"
    bare = APPS.replace(", restart: on-failure", "")
    lab = view(Snapshot((StackFiles("apps", "apps/compose.yaml", bare),), None))
    ended = survival(lab, SETTINGS, checked=(), uncovered=None)[0]
    assert ended.down == {"apps/vpn": "no restart policy"}


def test_what_many_go_through_takes_them_along() -> None:
    found = failures()
    assert set(found["core/traefik is down"].down) == {"core/traefik", "apps/web", "far/watch"}
    assert set(found["The log-in (authelia@docker) is down"].down) == {"apps/web"}
    assert set(found["apps/vpn is down"].down) == {"apps/vpn", "apps/torrent"}


def test_a_lost_machine_and_whose_data_is_gone_with_it() -> None:
    found = failures(uncovered={"apps/torrent"})
    here, nas = found["The machine of the lab is lost"], found["The machine nas is lost"]
    assert here.survive == ()
    assert here.down["far/watch"].startswith("it runs on, but its address")
    assert here.data_gone == ("apps/torrent",)
    assert set(nas.down) == {"far/watch"}
    assert (nas.data_gone, "apps/web" in nas.survive) == (("far/watch",), True)
    assert failures()["The machine of the lab is lost"].data_gone == ("apps/torrent", "apps/web")
    own = f"{FAR.partition('volumes: {watch')[0]}  proxy: {{image: 'traefik:v3.7.13'}}\nvolumes: {{watch: {{}}}}\n"
    assert "far/watch" in failures(far=own)["The machine of the lab is lost"].survive


PAGES = """x-homelab: {engine: swarm}
services:
  web:
    image: example/web:1
    healthcheck: {test: [CMD, "true"]}
    deploy: {replicas: 2}
  lone: {image: example/lone:1}
  routed:
    image: example/web:1
    deploy: {replicas: 2}
    labels:
      traefik.enable: "true"
      traefik.http.routers.routed.rule: Host(`routed.lab.test`)
  db:
    image: example/db:1
    restart: "no"
    volumes: ["data:/data"]
    deploy: {placement: {constraints: ["node.hostname == attic"]}}
volumes: {data: {}}
"""
TASKS = {
    "here": (("pages_web", 1), ("pages_routed", 1)),
    "attic": (("pages_web", 1), ("pages_lone", 1), ("pages_routed", 1)),
}


def swarm(*managers: str, drained: str = "", names: tuple[str, ...] = ("here", "attic")) -> dict[str, Failure]:
    nodes = tuple(
        Node(
            id=f"id-{name}",
            name=name,
            role="manager" if name in managers else "worker",
            availability="drain" if name == drained else "active",
            state="ready",
            here=name == "here",
            tasks=TASKS.get(name, ()) + ((("pages_db", 1),) if name == "attic" else ()),
        )
        for name in names
    )
    lab = view(Snapshot((StackFiles("pages", "pages/compose.yaml", PAGES),), None))
    found = survival(lab, SETTINGS, checked=(), uncovered={}, nodes=nodes if managers else ())
    return {f.what: f for f in found}


def test_replicas_on_another_node_are_counted_and_what_is_bound_is_not() -> None:
    found = swarm("here")
    assert found["A service's program ends"].down == {"pages/db": "no restart policy"}
    assert "pages/web" in found["A service's program hangs"].survive, "Swarm replaces what is unhealthy"
    attic = found["The Swarm's node attic is lost"]
    assert set(attic.survive) == {"pages/web", "pages/lone", "pages/routed"}
    assert attic.down == {"pages/db": "it is bound to attic, so no other node starts it"}
    assert attic.data_gone == ("pages/db",)
    assert attic.note.endswith("Starts anew on another node: pages/lone.")
    here = found["The machine of the lab is lost"]
    assert set(here.survive) == {"pages/web", "pages/lone", "pages/db"}
    assert here.down["pages/routed"].startswith("it runs on, but its address")
    assert here.data_gone == (), "its data is on attic"


def test_without_a_majority_of_managers_or_another_node_nothing_is_moved() -> None:
    lone = "pages/lone"
    three = ("here", "attic", "shed")
    assert "without that manager" in swarm("attic", "here")["The Swarm's node attic is lost"].down[lone]
    assert lone in swarm(*three, names=three)["The Swarm's node attic is lost"].survive
    assert "no other node" in swarm("here", drained="here")["The Swarm's node attic is lost"].down[lone]
    unasked = swarm()["The machine of the lab is lost"]
    assert set(unasked.down.values()) == {"Swarm runs it, and its nodes could not be asked"}


def lone_with(*constraints: str, names: tuple[str, ...] = ("here", "attic", "shed")) -> dict[str, Failure]:
    """Its only task is on attic, a worker; here is the manager, shed another worker."""
    nodes = tuple(
        Node(
            id=f"id-{name}",
            name=name,
            role="manager" if name == "here" else "worker",
            availability="active",
            state="ready",
            here=name == "here",
            tasks=(("pages_lone", 1),) if name == "attic" else (),
        )
        for name in names
    )
    text = f"""x-homelab: {{engine: swarm}}
services:
  lone:
    image: example/lone:1
    deploy: {{placement: {{constraints: {list(constraints)}}}}}
"""
    lab = view(Snapshot((StackFiles("pages", "pages/compose.yaml", text),), None))
    return {f.what: f for f in survival(lab, SETTINGS, checked=(), uncovered={}, nodes=nodes)}


@pytest.mark.parametrize(
    ("constraints", "moved"),
    [
        ((), True),
        (("node.role == worker",), True),
        (("node.role==worker", "node.hostname != shed"), False),
        (("node.role == Manager",), True),
        (("node.role != worker", "node.hostname != HERE"), False),
        (("node.id != id-here", "node.id!=id-shed"), False),
        (("node.hostname == elsewhere",), False),
        (("node.labels.disk == ssd",), None),
        (("node.labels.disk == ssd", "node.hostname != shed"), None),
        (("node.labels.disk == ssd", "node.hostname != shed", "node.role == worker"), False),
        (("node.platform.arch != arm64",), None),
        (("node.hostname == ${WHERE}",), None),
    ],
)
def test_a_move_is_promised_only_where_a_node_that_is_left_meets_the_placement(
    constraints: tuple[str, ...], moved: bool | None
) -> None:
    found = lone_with(*constraints)["The Swarm's node attic is lost"]
    lists = {True: found.survive, False: found.down, None: found.unknown}
    assert [told for told, names in lists.items() if "pages/lone" in names] == [moved]
    assert ("Starts anew on another node" in found.note) is (moved is True)
    if moved is not True:
        assert all(one in f"{found.down}{found.unknown}" for one in constraints), "the reason names them"


def test_what_nobody_can_tell_of_the_labs_own_node_is_said_so() -> None:
    text = "x-homelab: {engine: swarm}\nservices:\n  lone:\n    image: a/b:1\n"
    text += "    deploy: {placement: {constraints: [node.labels.disk == ssd]}}\n"
    here = Node("1", "here", "manager", "active", "ready", here=True, tasks=(("pages_lone", 1),))
    nodes = (here, *(Node(name, name, "manager", "active", "ready") for name in ("attic", "shed")))
    route = "    labels: {traefik.enable: 'true', traefik.http.routers.lone.rule: 'Host(`lone.lab.test`)'}\n"

    def lost(text: str) -> Failure:
        lab = view(Snapshot((StackFiles("pages", "pages/compose.yaml", text),), None))
        found = survival(lab, SETTINGS, checked=(), uncovered={}, nodes=nodes)
        return next(f for f in found if f.what == "The machine of the lab is lost")

    assert set(lost(text).unknown) == {"pages/lone"}
    assert (lost(text).survive, lost(text).down) == ((), {})
    routed = lost(text + route)
    assert routed.down == {"pages/lone": "its address, certificate and log-in are on this machine"}
