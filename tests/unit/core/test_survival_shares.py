"""A file server that is gone takes those along who mount a share of it, and no others."""

from __future__ import annotations

import pytest

from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.survival import survival
from homelab_mcp.core.survival_standby import Failure
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles

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
    found = survival(lab, LabSettings(domain="lab.test"), checked=set(), uncovered=uncovered)
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
    assert lost(stack)["nas is lost"].data_gone == ("media/plex", "media/sonarr")
    nas = lost(stack, uncovered={"media/sonarr", "media/plain"})["nas is lost"]
    assert (nas.data_gone, "no backup" in nas.note) == (("media/sonarr",), False)


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
