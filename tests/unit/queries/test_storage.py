"""check_storage: what is missing, full or somebody else's is said, and nothing of what is well."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.cli.app import app
from homelab_mcp.model.plan import Draft, FileEdit
from homelab_mcp.ports import Place
from homelab_mcp.queries.storage import check_storage, with_storage_notes


class MadeUpDisks:
    """Fake disks: a test machine has neither a full disk nor a network one."""

    def __init__(self, **places: Place) -> None:
        self.places = places

    def place(self, path: str) -> Place:
        """The made-up place whose name is in the path, else a good one."""
        good = Place(path, "folder", "/disk", "ext4", 50 * 2**30, 100 * 2**30, os.getuid(), os.getgid(), 0o755)
        return next((p for name, p in self.places.items() if name in path), good)


COMPOSE = """services:
  app:
    image: app:1
    user: "${PUID}:${PGID}"
    volumes: [./app/config:/config, /srv/full:/full, "/srv/theirs:/theirs", "/srv/theirs/ro:/ro:ro", named:/n]
  db:
    image: postgres:17
    volumes: ["/srv/net:/var/lib/postgresql/data", "${NOWHERE}:/x"]
"""


@pytest.fixture
def lab(tmp_path: Path) -> LocalLab:
    root = tmp_path / "lab"
    (root / "apps/app/config").mkdir(parents=True)
    (root / "homelab.yaml").write_text(f"domain: lab.test\npuid: {os.getuid()}\npgid: {os.getgid()}\n")
    (root / "apps/compose.yaml").write_text(COMPOSE)
    (root / "apps/.env").write_text(f"PUID={os.getuid()}\nPGID={os.getgid()}\n")
    found = LocalLab(str(root), files_only=True)
    found.__dict__["hardware"] = MadeUpDisks(
        full=Place("/srv/full", "folder", "/srv/full", "ext4", 2**29, 100 * 2**30, os.getuid(), os.getgid(), 0o755),
        theirs=Place("/srv/theirs", "folder", "/", "ext4", 50 * 2**30, 100 * 2**30, 4321, 4321, 0o755),
        net=Place("/srv/net", "folder", "/srv/net", "nfs4", 50 * 2**30, 100 * 2**30, 999, 999, 0o700),
        media=Place("/mnt/media"),
    )
    return found


def test_each_trouble_is_said_once_and_what_is_well_is_not(lab: LocalLab) -> None:
    found = check_storage(lab)

    by_source = {row.source: " ".join(row.problems) for row in found.rows}
    assert by_source["./app/config"] == by_source["/srv/theirs/ro"] == ""
    assert "0.5 GiB of 100 GiB" in by_source["/srv/full"]
    assert "belongs to 4321:4321" in by_source["/srv/theirs"]
    assert "database on nfs4" in by_source["/srv/net"]
    assert "no value" in by_source["${NOWHERE}"]
    assert "named" not in by_source
    assert any(p.startswith("media_dir: it is not there") for p in found.problems)


def test_one_service_and_what_does_not_fit_are_told_apart(lab: LocalLab) -> None:
    assert {row.service for row in check_storage(lab, "db").rows} == {"apps/db"}
    told = check_storage(lab).as_dict(most=2)
    assert (len(told["mounts"]), told["more"], told["total"]) == (2, 4, 6)
    assert all("problems" in row for row in told["mounts"]), "those with problems come first"
    assert told["problems"][2].startswith("… and ") and len(told["problems"]) == 3


def test_files_of_another_owner_are_counted(lab: LocalLab) -> None:
    config = Path(lab.root) / "apps/app/config"
    (config / "x").write_text("1")
    (Path(lab.root) / "apps/.env").write_text("PUID=4000\nPGID=4000\n")
    (Path(lab.root) / "homelab.yaml").write_text("domain: lab.test\npuid: 4000\npgid: 4000\n")

    row = next(r for r in check_storage(lab, "app").rows if r.source == "./app/config")
    assert row.problems == ("2 entries belong to others than 4000:4000 (fix_permissions gives them to it).",)


def test_what_is_on_another_host_is_told_as_not_looked_at(lab: LocalLab) -> None:
    there = Path(lab.root) / "away"
    there.mkdir()
    volumes = "[./x:/x, /mnt/media:/m, '${NOWHERE}:/n', named:/v]"
    (there / "compose.yaml").write_text(
        f"x-homelab: {{host: nas}}\nservices:\n  far: {{image: 'far:1', volumes: {volumes}}}\n"
    )

    found = check_storage(lab, "far")
    assert [(row.source, row.problems) for row in found.rows] == [("${NOWHERE}", ("its variable has no value.",))]
    assert not [p for p in found.problems if "not there" in p and p.startswith("away/far")]
    (note,) = found.as_dict()["notes"]
    assert "on host nas" in note and "away/far (./x, /mnt/media, ${NOWHERE})" in note
    assert "notes" not in check_storage(lab, "app").as_dict()
    shown = CliRunner().invoke(app, ["--root", lab.root, "--files-only", "storage", "far"])
    assert "on host nas" in shown.output


def test_a_plan_that_mounts_a_folder_says_what_is_wrong_with_it(lab: LocalLab) -> None:
    new = COMPOSE.replace("named:/n", "named:/n, /mnt/media:/m, /srv/full/x:/y")
    draft = Draft("x", "x", (FileEdit("apps/compose.yaml", COMPOSE, new),), ())

    told = with_storage_notes(lab, draft).notes
    assert [note.partition(":")[0] for note in told] == ["/mnt/media", "/srv/full/x"]
