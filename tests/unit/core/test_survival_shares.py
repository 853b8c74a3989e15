"""A file server that is gone takes those along who mount a share of it, and no others."""

from __future__ import annotations

import pytest

from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.stack_host import with_host
from homelab_mcp.core.survival import survival
from homelab_mcp.core.survival_standby import Failure
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from tests.unit.core.test_survival import whole

MEDIA = """services:
  plex:
    image: example/plex:1
    volumes: ["films:/films:ro", "./plex:/config"]
  sonarr:
    image: example/sonarr:1
    volumes:
      - {type: volume, source: films, target: /data/films}
      - "music:/music"
  plain: {image: example/plain:1, volumes: ["own:/data", "./films:/films"]}
volumes:
  films: {driver_opts: {type: nfs, o: "addr=${NAS},nfsvers=4,rw", device: ":/export/films"}}
  music: {driver_opts: {type: cifs, o: "username=a,password=b", device: "//music.lan/music"}}
  own: {}
"""


def lost(*stacks: StackFiles, uncovered: set[str] | None = None, shared: str = "") -> dict[str, Failure]:
    lab = view(Snapshot(stacks, None, shared_env=shared))
    found = survival(lab, LabSettings(domain="lab.test"), checked=set(), uncovered=whole(uncovered))
    return {f.what.removeprefix("The file server "): f for f in found if "file server" in f.what}


def test_each_server_takes_along_who_mounts_from_it() -> None:
    found = lost(StackFiles("media", "media/compose.yaml", MEDIA, "NAS=192.168.1.30\n"))
    assert list(found) == ["192.168.1.30 is lost", "music.lan is lost"]
    nas = found["192.168.1.30 is lost"]
    assert nas.down == {"media/plex": "its /films is on it", "media/sonarr": "its /data/films is on it"}
    assert nas.survive == ("media/plain",)
    assert "The lab makes no backup." in nas.note
    assert found["music.lan is lost"].down == {"media/sonarr": "its /music is on it"}


def test_data_is_gone_where_no_backup_has_it() -> None:
    stack = StackFiles("media", "media/compose.yaml", MEDIA, "NAS=nas\n")
    assert lost(stack)["nas is lost"].data_gone == ("media/sonarr",), "plex only reads there"
    nas = lost(stack, uncovered={"media/sonarr", "media/plain"})["nas is lost"]
    assert (nas.data_gone, "no backup" in nas.note) == (("media/sonarr",), False)
    assert "if its repository is elsewhere and a restore was tried" in nas.note
    assert lost(stack, uncovered={"media/plain"})["nas is lost"].data_gone == ()


def every(
    *stacks: StackFiles, uncovered: dict[str, set[str]] | None = None, nas: str = "10.0.0.2"
) -> dict[str, Failure]:
    lab = view(Snapshot(stacks, None))
    settings = LabSettings(domain="lab.test")
    found = survival(lab, settings, checked=set(), uncovered=uncovered, addresses={"nas": {nas, "NAS.lan"}})
    return {f.what: f for f in found}


@pytest.mark.parametrize("named", ["10.0.0.2", "nas.LAN"])
def test_a_file_server_that_runs_docker_too_is_one_machine(named: str) -> None:
    far = StackFiles("far", "far/compose.yaml", with_host("services: {app: {image: a, volumes: ['./d:/d']}}\n", "nas"))
    stack = StackFiles("media", "media/compose.yaml", MEDIA, f"NAS={named}\n")
    found = every(stack, far, uncovered={"media/sonarr": {"films", "music"}, "far/app": {"far/d"}})
    assert [what for what in found if "file server" in what] == ["The file server music.lan is lost"]
    machine = found["The machine nas is lost"]
    assert machine.down == {
        "media/plex": "its /films is on it",
        "media/sonarr": "its /data/films is on it",
        "far/app": "it runs there and nowhere else",
    }
    assert machine.data_gone == ("media/sonarr", "far/app")
    assert "waits until it is back" in machine.note


def test_a_docker_host_without_services_is_told_as_a_file_server() -> None:
    found = every(StackFiles("media", "media/compose.yaml", MEDIA, "NAS=10.0.0.2\n"))
    assert "The file server 10.0.0.2 is lost" in found
    assert "The machine nas is lost" not in found


def test_a_log_in_that_goes_with_its_machine_or_share_takes_along_who_is_behind_it() -> None:
    login = "services: {authelia: {image: 'authelia/authelia:4.39.4'}}\n"
    core = GATES.replace("  authelia: {image: 'authelia/authelia:4.39.4', volumes: [AUTHELIA]}\n", "")
    core = core.replace("[TRAEFIK]", "[]").replace("[VPN]", "[]")
    far = StackFiles("far", "far/compose.yaml", with_host(login, "nas"))
    machine = every(StackFiles("core", "core/compose.yaml", core), far)["The machine nas is lost"]
    assert machine.down == {
        "far/authelia": "it runs there and nowhere else",
        "core/web": "nobody gets past far/authelia",
    }


def test_what_only_loses_its_address_keeps_those_inside_of_it() -> None:
    text = GATES.replace("[AUTHELIA]", "[]").replace("[TRAEFIK]", "['share:/s']")
    labels = "{traefik.enable: 'true', traefik.http.routers.vpn.rule: Host(`vpn.lab.test`)}"
    text = text.replace("volumes: [VPN]", f"labels: {labels}")
    found = lost(StackFiles("core", "core/compose.yaml", text))["10.9.9.9 is lost"]
    assert "core/vpn" in found.down
    assert "core/torrent" in found.survive
    inside = GATES.replace("[AUTHELIA]", "[]").replace("[VPN]", "['share:/s']")
    inside = inside.replace("volumes: [TRAEFIK]", "network_mode: 'service:vpn'")
    assert "core/open" in lost(StackFiles("core", "core/compose.yaml", inside))["10.9.9.9 is lost"].down


def test_with_a_machine_goes_no_data_that_a_file_server_has() -> None:
    stack = StackFiles("media", "media/compose.yaml", MEDIA, "NAS=192.168.1.30\n")
    here = every(stack, uncovered={"media/sonarr": {"films", "music"}, "media/plain": {"own"}})
    assert here["The machine of the lab is lost"].data_gone == ("media/plain",)
    assert every(stack)["The machine of the lab is lost"].data_gone == ("media/plex", "media/plain")


GATES = """services:
  traefik: {image: 'traefik:v3.7.13', volumes: [TRAEFIK]}
  authelia: {image: 'authelia/authelia:4.39.4', volumes: [AUTHELIA]}
  vpn: {image: 'qmcgaw/gluetun:v3.40.0', volumes: [VPN]}
  torrent: {image: example/torrent:1, network_mode: 'service:vpn'}
  web:
    image: example/web:1
    labels:
      traefik.enable: "true"
      traefik.http.routers.web.rule: Host(`web.lab.test`)
      traefik.http.routers.web.middlewares: authelia@docker
  open:
    image: example/open:1
    labels: {traefik.enable: "true", traefik.http.routers.open.rule: Host(`open.lab.test`)}
volumes: {share: {driver_opts: {type: nfs, o: 'addr=10.9.9.9', device: ':/x'}}}
"""


@pytest.mark.parametrize(
    ("gate", "down"),
    [
        ("traefik", {"web": "its address is served by core/traefik", "open": "its address is served by core/traefik"}),
        ("authelia", {"web": "nobody gets past core/authelia"}),
        ("vpn", {"torrent": "it has no network without core/vpn"}),
    ],
)
def test_who_goes_through_a_gate_that_mounts_it_is_down_too(gate: str, down: dict[str, str]) -> None:
    text = GATES.replace(gate.upper(), "'share:/s'")
    for other in ("TRAEFIK", "AUTHELIA", "VPN"):
        text = text.replace(f"[{other}]", "[]")
    found = lost(StackFiles("core", "core/compose.yaml", text))["10.9.9.9 is lost"]
    assert found.down == {f"core/{gate}": "its /s is on it", **{f"core/{w}": why for w, why in down.items()}}
    assert not set(found.survive) & set(found.down)


def test_the_server_may_stand_in_shared_variables_and_the_volume_in_another_file() -> None:
    own = "services: {app: {image: a, volumes: ['share:/data']}}\nvolumes: {share: {}}\n"
    more = "volumes: {share: {driver_opts: {type: nfs4, o: 'addr=${NAS}', device: ':/x'}}}\n"
    stack = StackFiles("app", "app/compose.yaml", own, "", (("app/compose.override.yaml", more),))
    assert lost(stack) == {}, "a variable that nobody sets names no server"
    assert list(lost(stack, shared="NAS=10.0.0.9\n")) == ["10.0.0.9 is lost"]


@pytest.mark.parametrize(
    ("options", "server"),
    [
        ("{type: nfs, o: 'rw,addr=10.1.1.1', device: ':/x'}", "10.1.1.1"),
        ("{type: nfs, device: 'box:/x'}", "box"),
        ("{type: cifs, o: 'addr=box.lan,vers=3.0', device: '//other/x'}", "box.lan"),
        ("{type: smb3, device: '//box/x/y'}", "box"),
        ("{type: none, o: bind, device: /mnt/nas}", ""),
        ("{type: tmpfs, device: tmpfs}", ""),
        ("{type: nfs, o: 5, device: ':/x'}", ""),
        ("[a, b]", ""),
    ],
)
def test_where_a_share_is(options: str, server: str) -> None:
    text = f"services: {{a: {{image: a, volumes: ['v:/v']}}}}\nvolumes: {{v: {{driver_opts: {options}}}}}\n"
    assert list(lost(StackFiles("a", "a/compose.yaml", text))) == ([f"{server} is lost"] if server else [])
