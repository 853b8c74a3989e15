"""However a path is written, a backup knows whose data is there, and what of it no copy reaches."""

from __future__ import annotations

import pytest

from homelab_mcp.core.backup_config import BackupConfig
from homelab_mcp.core.backup_jobs import Jobs, jobs_of
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.operations.restore_backup import wanted
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import Snapshot, StackFiles

ROOT = ("/mnt/tank/lab", "/opt/lab")


def lab(**stacks: str) -> Snapshot:
    return Snapshot(tuple(StackFiles(n, f"{n}/compose.yaml", text) for n, text in stacks.items()), None)


def jobs(snapshot: Snapshot, *host_paths: str) -> Jobs:
    config = BackupConfig(repository="/mnt/backup")
    return jobs_of(view(snapshot), config, "backup", lambda name: None, host_paths, root=ROOT)


DEVICE = "volumes: {db: {driver_opts: {type: none, o: bind, device: DEVICE}}}\n"


@pytest.mark.parametrize(
    ("source", "more"),
    [
        ("/opt/lab/media/db/data", ""),
        ("/mnt/tank/lab/media/db/data", ""),
        ("$PWD/db/data", ""),
        ("${PWD}/db/data", ""),
        ("db", DEVICE.replace("DEVICE", "/opt/lab/media/db/data")),
        ("db", DEVICE.replace("DEVICE", "./db/data")),
    ],
)
def test_a_databases_folder_is_its_dumps_business_however_it_is_written(source: str, more: str) -> None:
    db = f"services:\n  db:\n    image: postgres:17\n    volumes: ['{source}:/var/lib/postgresql/data']\n{more}"
    snapshot = lab(media=db)
    found = jobs(snapshot)

    assert [d.folders for d in found.dumps] == [("media/db/data",)]
    assert "media/db/data/*" in found.excludes
    assert found.uncovered == []
    assert wanted(snapshot, found.dumps, "media", "db", "", root=ROOT).dumps
    with pytest.raises(InvalidInput) as caught:
        wanted(snapshot, found.dumps, "media", "", "media/db/data/base", root=ROOT)
    assert caught.value.code == "data_in_dump"


@pytest.mark.parametrize("source", ["/opt/lab/media/db/data/import", "media_db", "../media/db/data"])
def test_a_databases_folder_that_another_uses_by_any_name_is_copied_with_the_rest(source: str) -> None:
    db = "services:\n  db:\n    image: postgres:17\n    volumes: ['db:/var/lib/postgresql/data']\n"
    other = f"services:\n  app:\n    image: a\n    volumes: ['{source}:/data']\n"
    other += "volumes: {media_db: {external: true}}\n" if "/" not in source else ""
    found = jobs(lab(media=db + DEVICE.replace("DEVICE", "./db/data"), apps=other))

    assert [d.folders for d in found.dumps] == [()]
    assert "media/db/data/*" not in found.excludes


def test_a_volume_that_is_a_folder_is_told_as_that_folder_and_one_that_a_dump_stands_for_is_not() -> None:
    text = "services:\n  app:\n    image: IMAGE\n    volumes: ['db:TARGET']\n" + DEVICE
    app = text.replace("IMAGE", "app:1").replace("TARGET", "/data")
    db = text.replace("IMAGE", "postgres:17").replace("TARGET", "/var/lib/postgresql/data")

    def uncovered(text: str, device: str) -> list[tuple[str, str]]:
        return [(where, what) for where, what, _ in jobs(lab(media=text.replace("DEVICE", device))).uncovered]

    assert uncovered(app, "./data") == uncovered(app, "/opt/lab/media/data") == []
    assert uncovered(app, "/srv/data") == [("media/app", "/srv/data")]
    assert uncovered(db, "/srv/data") == []


SHARED = "volumes: {shared: {external: true}}\n"


def test_a_volume_that_another_stack_declares_as_a_folder_of_the_lab_is_in_the_backup() -> None:
    named = "volumes: {d: {name: shared, driver_opts: {type: none, o: bind, device: DEVICE}}}\n"
    made = f"services:\n  app:\n    image: a\n    volumes: ['d:/x']\n{named}"
    user = f"services:\n  app:\n    image: a\n    volumes: ['shared:/x']\n{SHARED}"

    def uncovered(head: str, device: str) -> list[tuple[str, str]]:
        found = jobs(lab(made=head + made.replace("DEVICE", device), user=user)).uncovered
        return [(where, what) for where, what, _ in found if where == "user/app"]

    assert uncovered("", "/opt/lab/made/data") == []
    assert uncovered("", "/srv/data") == [("user/app", "shared")]
    assert uncovered("x-homelab: {host: nas}\n", "/opt/lab/made/data") == [("user/app", "shared")], "of another host"


def test_a_volume_of_another_host_is_no_folder_of_this_machine() -> None:
    named = "volumes: {d: {name: shared, driver_opts: {type: none, o: bind, device: /opt/lab/far/data}}}\n"
    far = f"x-homelab: {{host: nas}}\nservices:\n  app:\n    image: a\n    volumes: ['d:/x']\n{named}"
    mount = "['shared:/var/lib/postgresql/data']"
    here = f"services:\n  db:\n    image: postgres:17\n    volumes: {mount}\n{SHARED}"
    found = jobs(lab(far=far, media=here))

    assert [d.folders for d in found.dumps] == [()]
    assert "far/data/*" not in found.excludes


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("~/photos", "~/photos"),
        ("${HOME}/photos", "${HOME}/photos"),
        ("${DATA}/x", "${DATA}/x"),
        ("${DATA}", "${DATA}"),
        ("../../photos", "/mnt/tank/photos"),
        ("$PWD/../../x", "/mnt/tank/x"),
        ("/opt/lab/../photos", "/opt/photos"),
        ("/opt/laboratory", "/opt/laboratory"),
        ("//srv/x", "/srv/x"),
        ("/run/media/me/disk", "/run/media/me/disk"),
        ("/run/mount/disk", "/run/mount/disk"),
        ("/var/run/media/disk", "/var/run/media/disk"),
        ("/system/x", "/system/x"),
        ("/sysvol/x", "/sysvol/x"),
        ("/process", "/process"),
        ("/etc/localtime.d", "/etc/localtime.d"),
    ],
)
def test_what_is_mounted_from_outside_and_not_known_to_be_in_the_backup_is_told(source: str, told: str) -> None:
    found = jobs(lab(photos=f"services:\n  app:\n    image: a\n    volumes: ['./app:/c', '{source}:/p']\n"), "/srv/y")
    assert [(where, what) for where, what, _ in found.uncovered] == [("photos/app", told)]


@pytest.mark.parametrize(
    "source",
    [
        "/",
        "/sys",
        "/sys/class",
        "/proc",
        "/dev/dri",
        "/etc/localtime",
        "/run/docker.sock",
        "/var/run/docker.sock",
        "/run/dbus",
        "/run/tailscale",
        "/run/postgresql",
        "/var/run/crowdsec",
        "/run/user/1000/pulse",
        "/run/udev",
        "/opt/lab/../lab/other/x",
        "../other/x",
        "${SET}/x",
        "/mnt/media/x",
        "/mnt/../mnt/media",
        "../../../media/films",
    ],
)
def test_what_is_the_machines_own_or_in_the_backup_is_not(source: str) -> None:
    text = f"services:\n  app:\n    image: a\n    volumes: ['./app:/c', '{source}:/p']\n"
    snapshot = Snapshot((StackFiles("photos", "photos/compose.yaml", text, env_text="SET=/mnt/media\n"),), None)
    assert jobs(snapshot, "/mnt/media/", "/media").uncovered == []


def test_a_folder_of_another_host_outside_of_the_lab_has_no_advice_of_this_machine() -> None:
    """``backup_paths`` are of this machine alone."""
    engine = "x-homelab: {host: nas}\nservices:\n  b: {image: r, labels: {homelab.backup: engine}}\n"
    app = "x-homelab: {host: nas}\nservices:\n  app: {image: a, volumes: ['/srv/films:/f', './in:/i']}\n"
    found = view(lab(far=engine, films=app))
    told = jobs_of(found, BackupConfig(repository="/mnt/b"), "far", lambda name: None, ("/srv",), root=ROOT).uncovered
    assert [(where, what) for where, what, _ in told] == [("films/app", "/srv/films")]
    assert "backup_paths" not in told[0][2]
    assert "below the lab's path on that host" in told[0][2]
