"""What a backup of a lab consists of, and what its settings may be."""

import subprocess

import pytest

from homelab_mcp.core.backup_config import BackupConfig, check_config, config_text, parse_config
from homelab_mcp.core.backup_jobs import excludes_text, jobs_of, jobs_text, kind_of
from homelab_mcp.core.backup_script import RUN_SH
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.operations.restore_backup import restore_backup, wanted
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import Snapshot, StackFiles

pytestmark = pytest.mark.unit

APPS = """services:
  wiki:
    image: example/wiki:1
    volumes: ['./wiki/data:/data', '/mnt/photos:/photos', 'cache:/cache', '/etc/localtime:/etc/localtime:ro']
    labels: {homelab.service: wiki}
  db:
    image: postgres:17-alpine
    volumes: ['./db/database:/var/lib/postgresql/data']
  maria:
    image: docker.io/library/mariadb:11
    volumes: ['files:/var/lib/mysql']
  store:
    image: valkey/valkey:8
    volumes: ['./store/data:/data']
"""
SNAPSHOT = Snapshot((StackFiles("apps", "apps/compose.yaml", APPS),), None)
CONFIG = BackupConfig(repository="/mnt/backup")


def test_settings_survive_being_written_and_read() -> None:
    config = check_config(
        {"repository": "s3:https://host/b", "exclude": ["*.iso"], "skip": ["apps/wiki"], "keep": {"daily": 9}}
    )
    assert parse_config(config_text(config)) == config
    assert config.secrets == ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    assert config.keep.arguments == "--keep-last 3 --keep-daily 9 --keep-weekly 4 --keep-monthly 6"


@pytest.mark.parametrize(
    "given",
    [
        {"repository": "relative"},
        {"repository": "rest:https://me:secret@host/"},
        {"repository": "rest:https://me:my secret@host/x"},
        {"repository": "rest:https://my self:secret@host/x"},
        {"repository": "rest:https://:secret@host/"},
        {"repository": "/mnt/b", "schedule": "* * * *"},
        {"repository": "/mnt/b", "schedule": "* * * * * ; reboot"},
        {"repository": "/mnt/b", "skip": ["wiki"]},
        {"repository": "/mnt/b", "keep": {"daily": -1}},
        {"repository": "/mnt/b\nx"},
        {"repository": "/mnt/b "},
        {"repository": "sftp: nas:/b"},
        {"repository": "gs:bucket:/"},
    ],
)
def test_settings_that_are_none_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        check_config(given)


@pytest.mark.parametrize(
    "given", ["/", "/mnt/My Book/b", "rclone:my cloud:lab's", "sftp://me@nas:2222//a b", "sftp://me@[::1]:2222//a:b@c"]
)
def test_a_repository_may_have_a_space_within(given: str) -> None:
    assert parse_config(config_text(check_config({"repository": given}))).repository == given


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        ("postgres:17", "postgres"),
        ("ghcr.io/immich-app/postgres:14-vectorchord", "postgres"),
        ("pgvector/pgvector:pg17", "postgres"),
        ("lscr.io/linuxserver/mariadb:11", "mariadb"),
        ("redis:8-alpine@sha256:ab", "redis"),
        ("prometheuscommunity/postgres-exporter:v0.17", ""),
        ("example/wiki:postgres", ""),
    ],
)
def test_databases_are_known_by_their_image(image: str, kind: str) -> None:
    assert kind_of(image) == kind


def test_jobs_dump_what_is_a_database_and_say_what_nothing_covers() -> None:
    jobs = jobs_of(view(SNAPSHOT), CONFIG, "backup", lambda _: None)
    assert [(d.stack, d.service, d.kind, d.folders) for d in jobs.dumps] == [
        ("apps", "db", "postgres", ("apps/db/database",)),
        ("apps", "maria", "mariadb", ()),
    ]
    assert [s[1] for s in jobs.saves] == ["store"]
    assert "apps/db/database/*" in jobs.excludes
    assert [(where, what) for where, what, _ in jobs.uncovered] == [
        ("apps/wiki", "cache"),
        ("apps/wiki", "/mnt/photos"),
    ]
    covered = jobs_of(view(SNAPSHOT), CONFIG, "backup", lambda _: None, ("/mnt",))
    assert [what for _, what, _ in covered.uncovered] == ["cache"]
    skipped = jobs_of(view(SNAPSHOT), BackupConfig(repository="/b", skip=("apps/db",)), "backup", lambda _: None)
    assert [d.service for d in skipped.dumps] == ["maria"]


def test_the_script_and_its_jobs_are_shell_that_says_nothing_else() -> None:
    hostile = APPS.replace("db:\n", "'d$(touch x)b':\n", 1)
    jobs = jobs_of(
        view(Snapshot((StackFiles("apps", "apps/compose.yaml", hostile),), None)), CONFIG, "backup", lambda _: None
    )
    text = jobs_text(jobs, CONFIG, {"apps": "apps"}, ("/mnt/a b",))
    for script in (RUN_SH, text):
        done = subprocess.run(["sh", "-n"], input=script, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    asked = 'dump() { printf "[%s]" "$2"; }; save() { :; }; ' + text + '\ndumps; eval "set -- $ALSO"; echo "$#$1"'
    done = subprocess.run(["sh", "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("1/mnt/a b")
    assert "[d$(touch x)b]" in done.stdout
    assert "/lab/backup/repository\n" in excludes_text(jobs)


def test_a_restore_swaps_and_lets_a_database_begin_anew_before_its_service() -> None:
    jobs = jobs_of(view(SNAPSHOT), CONFIG, "backup", lambda _: None)
    what = wanted(SNAPSHOT, [d for d in jobs.dumps if d.service == "db"], "apps", "", "")
    assert "apps/wiki/data" in what.paths
    draft = restore_backup(
        SNAPSHOT,
        what,
        found=["apps/wiki/data", "apps/db.sql"],
        side="backup/restore/x",
        trash=".homelab/trash/y",
        exists=lambda path: path != "apps/db/database",
        when="then",
    )
    assert [(m.source, m.target) for m in draft.moves] == [
        ("apps/wiki/data", ".homelab/trash/y/apps/wiki/data"),
        ("backup/restore/x/lab/apps/wiki/data", "apps/wiki/data"),
        ("backup/restore/x/empty/apps/db/database", "apps/db/database"),
    ]
    assert [(str(a.kind), a.services) for a in draft.actions] == [
        ("remove", ("wiki", "db", "maria", "store")),
        ("up", ("db",)),
        ("load", ("db",)),
        ("up", ("wiki", "maria", "store")),
    ]
    assert any("apps/store/data" in n for n in draft.notes)


def test_a_database_in_a_named_volume_and_a_path_of_nobody_are_refused() -> None:
    jobs = jobs_of(view(SNAPSHOT), CONFIG, "backup", lambda _: None)
    with pytest.raises(InvalidInput) as refused:
        wanted(SNAPSHOT, jobs.dumps, "apps", "maria", "")
    assert refused.value.code == "data_in_volume"
    for path in ("../etc/passwd", "apps/../x", "apps/./wiki", "apps//wiki", "other/file"):
        with pytest.raises(InvalidInput) as refused:
            wanted(SNAPSHOT, jobs.dumps, "apps", "", path)
        assert refused.value.code == "bad_path"
    for path in ("apps/compose.yaml", "apps/.env", "apps/compose.override.yml"):
        with pytest.raises(InvalidInput) as refused:
            wanted(SNAPSHOT, jobs.dumps, "apps", "", path)
        assert refused.value.code == "not_data"
