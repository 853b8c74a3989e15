"""What a backup of a lab consists of, and what its settings may be."""

import subprocess
from datetime import datetime

import pytest

from homelab_mcp.adapters.catalog_files import packaged_definitions
from homelab_mcp.core.backup_config import BackupConfig, check_config, config_text, parse_config
from homelab_mcp.core.backup_databases import OTHERS, kind_of, others_of
from homelab_mcp.core.backup_jobs import Jobs, excludes_text, jobs_of, jobs_text
from homelab_mcp.core.backup_script import RUN_SH
from homelab_mcp.core.derived.backups import _names
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.operations.restore_backup import Wanted, restore_backup, wanted
from homelab_mcp.core.operations.restore_found import Found, found_of
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import ContainerState, Snapshot, StackFiles
from homelab_mcp.model.plan import Draft

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


def test_the_names_of_the_lab_stay_known_whichever_it_is_opened_by() -> None:
    def names(roots: tuple[str, ...], before: str) -> str:
        text = jobs_text(Jobs(), CONFIG, {}, (), _names(roots, before))
        return next(line for line in text.splitlines() if line.startswith("LABS="))

    both = names(("/srv/my lab", "/home/me/lab"), "")
    assert both == """LABS=''"'"'/srv/my lab'"'"' /home/me/lab'"""
    assert names(("/srv/my lab",), both) == both
    assert names(("/mnt/lab",), both) == "LABS=/mnt/lab", "one that has moved"
    assert names(("/mnt/lab",), "LABS='") == "LABS=/mnt/lab"


def test_a_restore_swaps_and_lets_a_database_begin_anew_before_its_service() -> None:
    jobs = jobs_of(view(SNAPSHOT), CONFIG, "backup", lambda _: None)
    what = wanted(SNAPSHOT, [d for d in jobs.dumps if d.service == "db"], "apps", "", "")
    assert "apps/wiki/data" in what.paths
    draft = restore_backup(
        SNAPSHOT,
        what,
        found=Found(("apps/wiki/data", "apps/db.sql")),
        side="backup/restore/x",
        trash=".homelab/trash/y",
        exists=lambda path: not path.startswith("apps/db/database"),
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


def of_database(image: str, *volumes: str, also: str = "", extra: str = "") -> Jobs:
    text = f"services:\n  db:\n    image: {image}\n    volumes: {list(volumes)}\n{extra}{also}"
    return jobs_of(view(Snapshot((StackFiles("s", "s/compose.yaml", text),), None)), CONFIG, "backup", lambda _: None)


APP = "  app: {image: 'x:1', volumes: ['./shared:/shared', './in:/in']}\n"


@pytest.mark.parametrize(
    ("image", "volumes", "data"),
    [
        ("mariadb:11", ["./db:/var/lib/mysql", "./dbconf:/etc/mysql/conf.d", "./shared:/shared"], ["s/db"]),
        ("postgres:17", ["./db:/var/lib/postgresql/data", "./init:/docker-entrypoint-initdb.d:ro"], ["s/db"]),
        ("postgres:18", ["./db:/var/lib/postgresql", "./shared:/shared"], ["s/db"]),
        ("postgres:17", ["./wal:/var/lib/postgresql/data/pg_wal", "./db:/var/lib/postgresql/data/"], ["s/wal", "s/db"]),
        ("percona:8", ["./db:/backups"], []),
        ("postgres:17", ["./shared:/var/lib/postgresql/data"], []),
        ("lscr.io/linuxserver/mariadb:11", ["./db:/config"], ["s/db/databases"]),
        ("bitnami/postgresql:17", ["./db:/bitnami/postgresql"], ["s/db/data"]),
        ("mysql:8", ["./db:/var/lib/mysql", "./db/conf:/etc/mysql/conf.d:ro"], []),
        ("redis:8", ["./db:/data", "./shared:/shared"], []),
        ("mongo:8", ["./db:/data/db"], []),
    ],
)
def test_only_a_databases_own_data_is_left_to_its_dump(image: str, volumes: list[str], data: list[str]) -> None:
    jobs = of_database(image, *volumes, also=APP)
    assert [e for e in jobs.excludes if e.startswith("s/")] == [f"{f}/*" for f in data]
    assert [f for d in jobs.dumps for f in d.folders] == data


@pytest.mark.parametrize(
    ("image", "extra", "data"),
    [
        ("postgres:17", "    environment: {PGDATA: /var/lib/postgresql/data/pg}\n", "s/db/pg"),
        ("postgres:17", "    environment: ['PGDATA=/elsewhere']\n", ""),
        ("mysql:8", "    command: mysqld --datadir=/var/lib/postgresql/data\n", "s/db"),
    ],
)
def test_a_database_may_choose_where_its_data_is(image: str, extra: str, data: str) -> None:
    jobs = of_database(image, "./db:/var/lib/postgresql/data", extra=extra)
    assert [f for d in jobs.dumps for f in d.folders] == ([data] if data else [])


def test_who_only_reads_a_databases_folder_or_has_one_around_it_keeps_nothing_there() -> None:
    reads = "  look: {image: 'x:1', volumes: ['./db:/look:ro', './:/all']}\n"
    assert of_database("mariadb:11", "./db:/var/lib/mysql", also=reads).excludes[-1] == "s/db/*"


def test_the_list_says_which_lines_are_a_persons_and_which_a_service_makes_anew() -> None:
    catalog = {d.id: d for d in packaged_definitions()}
    one = next(d for d in catalog.values() if d.backup.exclude)
    text = (
        f"services:\n  {one.id}: {{image: 'x:1', labels: {{homelab.service: {one.id}}}, volumes: ['./{one.id}:/c']}}\n"
        "  db: {image: 'mariadb:11', volumes: ['./db:/var/lib/mysql']}\n  old: {image: 'x:1', volumes: ['./old:/o']}\n"
    )
    cache = f"s/{one.id}/{one.backup.exclude[0]}"
    config = BackupConfig(repository="/b", skip=("s/old",), exclude=("*.mkv", cache, "s/$x"))
    seen = view(Snapshot((StackFiles("s", "s/compose.yaml", text),), None))
    anew, settings = excludes_text(jobs_of(seen, config, "backup", catalog.get)).split("# settings\n")
    # What both say is made anew all the same.
    assert settings.splitlines() == ["/lab/s/db/*", "/lab/s/old", "*.mkv"]
    assert {f"/lab/{cache}", "/lab/backup/dumps", "*.homelab-tmp"} <= set(anew.splitlines())
    # Without any setting too, or a backup would be taken for one of an older version.
    assert excludes_text(Jobs()) == "# settings\n"


def test_named_volumes_beside_the_database_are_told() -> None:
    jobs = of_database("mariadb:11", "data:/var/lib/mysql", "more:/shared")
    assert [(where, what) for where, what, _ in jobs.uncovered] == [("s/db", "more")]


def test_a_skipped_service_does_not_take_what_another_uses() -> None:
    text = "services:\n" + APP + "  other: {image: 'x:1', volumes: ['./shared:/s']}\n"
    seen = view(Snapshot((StackFiles("s", "s/compose.yaml", text),), None))
    one = jobs_of(seen, BackupConfig(repository="/b", skip=("s/app",)), "backup", lambda _: None)
    assert [e for e in one.excludes if e.startswith("s/")] == ["s/in"]
    both = jobs_of(seen, BackupConfig(repository="/b", skip=("s/app", "s/other")), "backup", lambda _: None)
    assert [e for e in both.excludes if e.startswith("s/")] == ["s/in", "s/shared"]


def around() -> tuple[Snapshot, Wanted]:
    text = (
        "services:\n  app: {image: 'x:1', volumes: ['./data:/app']}\n"
        "  db: {image: 'mariadb:11', volumes: ['./data/mysql:/var/lib/mysql', './dbconf:/etc/mysql/conf.d']}\n"
    )
    snapshot = Snapshot((StackFiles("s", "s/compose.yaml", text),), None)
    jobs = jobs_of(view(snapshot), CONFIG, "backup", lambda _: None)
    return snapshot, wanted(snapshot, jobs.dumps, "s", "", "")


def restored(snapshot: Snapshot, what: Wanted, found: list[str]) -> Draft:
    return restore_backup(
        snapshot,
        what,
        found=Found(tuple(found)),
        side="side",
        trash=".homelab/trash/y",
        exists=lambda _: False,
        when="then",
    )


def test_what_is_beside_and_around_a_database_comes_back_with_it() -> None:
    snapshot, what = around()
    assert (what.paths, [what.emptied(d) for d in what.dumps]) == (("s/data", "s/dbconf"), [()])
    draft = restored(snapshot, what, ["s/data", "s/dbconf", "s/db.sql"])
    assert [m.target for m in draft.moves] == ["s/data", "s/dbconf"]
    assert "load" in [str(a.kind) for a in draft.actions]


@pytest.mark.parametrize(
    ("found", "moved"), [(["s/data", "s/dbconf"], "s/dbconf"), (["s/dbconf", "s/db.sql"], "s/dbconf")]
)
def test_a_database_stays_where_its_dump_or_its_place_is_not_in_the_backup(found: list[str], moved: str) -> None:
    draft = restored(*around(), found)
    assert [m.target for m in draft.moves] == [moved]
    assert "load" not in [str(a.kind) for a in draft.actions]
    assert any("s/data" in n and "stays as it is" in n for n in draft.notes)


FOLDERS = Snapshot(
    (
        StackFiles(
            "s",
            "s/compose.yaml",
            "services:\n"
            "  app: {image: 'x:1', volumes: ['./app/config:/config', './app/media:/media']}\n"
            "  db: {image: 'postgres:17', volumes: ['./app/db:/var/lib/postgresql/data']}\n",
        ),
        StackFiles("t", "t/compose.yaml", "services:\n  reader: {image: 'x:1', volumes: ['../s/app/media:/m:ro']}\n"),
    ),
    None,
)


def one_path(path: str) -> Wanted:
    return wanted(FOLDERS, jobs_of(view(FOLDERS), CONFIG, "backup", lambda _: None).dumps, "s", "", path)


def test_who_mounts_a_part_of_a_restored_folder_stands_still_for_the_swap() -> None:
    assert one_path("s/app").services == ("app", "db")
    assert one_path("s/app/config").services == ("app",)
    assert one_path("s/app/config/a.txt").services == ("app",)
    assert one_path("s/notes").services == ()


def test_a_folder_around_a_database_comes_back_with_its_dump() -> None:
    what = one_path("s/app")
    assert [d.service for d in what.dumps] == ["db"]
    draft = restored(FOLDERS, what, ["s/app", "s/db.sql"])
    assert [(str(a.kind), a.services) for a in draft.actions] == [
        ("remove", ("app", "db")),
        ("up", ("db",)),
        ("load", ("db",)),
        ("up", ("app",)),
    ]
    with pytest.raises(InvalidInput) as refused:
        restored(FOLDERS, what, ["s/app"])
    assert refused.value.code == "not_in_backup"


@pytest.mark.parametrize("path", ["s/app/db", "s/app/db/base/1"])
def test_a_databases_own_files_are_not_swapped_for_an_empty_folder(path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        one_path(path)
    assert refused.value.code == "data_in_dump"
    assert "s/db" in refused.value.hint


def test_a_service_of_another_stack_that_mounts_what_is_restored_is_named() -> None:
    assert any("t/reader mounts s/app/media too" in told for told in one_path("s/app").left)
    assert one_path("s/app/config").left == ()


def test_only_a_dump_of_the_whole_server_leaves_nothing_to_be_told() -> None:
    jobs = jobs_of(view(SNAPSHOT), CONFIG, "backup", lambda _: None)
    assert all(d.others for d in jobs.dumps)
    assert "pg_database" in jobs_text(jobs, CONFIG, {}, ())


def test_a_catalog_dump_of_the_whole_server_is_asked_for_no_others() -> None:
    said = {d.id: words for d in packaged_definitions() if (words := " ".join(d.backup.dump or ()))}
    asked = {ident: others_of("postgres" if "pg_dump" in words else "mariadb", words) for ident, words in said.items()}
    assert {"postgres", "mariadb"} <= {ident for ident, words in asked.items() if not words}
    assert "DATABASE()" not in asked["seafile"]
    assert "'seafile_db'" in asked["seafile"]
    assert "pg_database" in asked["miniflux"], "one database"


@pytest.mark.parametrize(
    ("kind", "dump", "left_out"),
    [
        ("postgres", "pg_dumpall -U postgres", ""),
        ("postgres", "exec pg_dump -B --clean -U wiki wiki", OTHERS["postgres"]),
        ("postgres", "pg_dump -A wiki", OTHERS["postgres"]),
        ("mariadb", "mariadb-dump --all-databases -u root", ""),
        ("mariadb", "mysqldump -A", ""),
        ("mariadb", "mariadb-dump -u root shop", OTHERS["mariadb"]),
        ("mariadb", "mariadb-dump --databases", OTHERS["mariadb"]),
        ("mariadb", "mariadb-dump -B one 'two' --routines", "'performance_schema', 'one', 'two')"),
        ("mariadb", 'mariadb-dump --databases "$MARIADB_DATABASE" more', "schema', '$MARIADB_DATABASE', 'more')"),
        ("mariadb", "mariadb-dump --databases one >/tmp/x", "'performance_schema', 'one')"),
        ("mariadb", 'mysqldump --databases "${MYSQL_DATABASE:-nc}"', "schema', '${MYSQL_DATABASE:-nc}')"),
        (
            "mariadb",
            "mysqldump -B ${MARIADB_DATABASE:-$MYSQL_DATABASE} b",
            "'${MARIADB_DATABASE:-$MYSQL_DATABASE}', 'b')",
        ),
        ("mariadb", "mysqldump -B ${DB-n.c}|gzip -c", "schema', '${DB-n.c}')"),
        ("mariadb", "mysqldump --databases 'one' two; true", "schema', 'one', 'two')"),
        ("mariadb", "mysqldump -B one| gzip", "schema', 'one')"),
        ("mariadb", "mysqldump -B one;true", "schema', 'one')"),
        ("mariadb", "mysqldump -B ${DB:-$(id)}", OTHERS["mariadb"]),
        ("mariadb", "mysqldump -B ${DB:-a'b}", OTHERS["mariadb"]),
    ],
)
def test_what_a_dump_leaves_out_is_asked_by_its_kind(kind: str, dump: str, left_out: str) -> None:
    asked = others_of(kind, dump)
    assert asked == left_out if left_out in ("", *OTHERS.values()) else left_out in asked


def asked(text: str, service: str = "") -> Wanted:
    snapshot = Snapshot((StackFiles("s", "s/compose.yaml", text),), None)
    return wanted(snapshot, jobs_of(view(snapshot), CONFIG, "backup", lambda _: None).dumps, "s", service, "")


@pytest.mark.parametrize(
    ("volumes", "others", "paths"),
    [
        ("'./app:/config', './app/data/up:/up'", "", ("app",)),
        ("'./app/data/up:/up', './app:/config'", "", ("app",)),
        ("'./app:/config', './app:/again:ro'", "", ("app",)),
        (
            "'./one:/c', './films:/f'",
            "  b: {image: 'x:1', volumes: ['./films:/f', './two:/c']}\n",
            ("one", "films", "two"),
        ),
    ],
)
def test_a_folder_is_swapped_once_with_all_that_is_in_it(volumes: str, others: str, paths: tuple[str, ...]) -> None:
    what = asked(f"services:\n  a: {{image: 'x:1', volumes: [{volumes}]}}\n{others}")
    assert what.paths == tuple(f"s/{p}" for p in paths)


def test_folders_of_databases_inside_each_other_are_swapped_once() -> None:
    mounts = "['./db:/var/lib/postgresql', './db/data:/var/lib/postgresql/data']"
    what = asked(f"services:\n  db: {{image: 'postgres:17', volumes: {mounts}}}\n", "db")
    assert [what.emptied(d) for d in what.dumps] == [("s/db",)]
    draft = restore_backup(
        SNAPSHOT, what, found=Found(("s/db.sql",)), side="side", trash="t", exists=lambda _: True, when="then"
    )
    assert [(m.source, m.target) for m in draft.moves] == [("s/db", "t/s/db"), ("side/empty/s/db", "s/db")]


def test_services_that_share_a_folder_come_back_with_it_as_a_stack() -> None:
    text = "services:\n" + APP + "  other: {image: 'x:1', volumes: ['./shared:/s']}\n"
    with pytest.raises(InvalidInput) as refused:
        asked(text, "other")
    assert refused.value.hint == "Restore the whole stack."
    draft = restored(SNAPSHOT, asked(text), ["s/shared", "s/in"])
    assert [m.target for m in draft.moves] == ["s/shared", "s/in"]


PHOTOS = (
    "services:\n  immich: {image: 'x:1', volumes: ['./immich/upload:/up', './immich/cfg:/c']}\n"
    "  db: {image: 'mariadb:11', volumes: ['./data:/var/lib/mysql']}\n"
)


def lacking(*lines: str, service: str = "immich", remade: tuple[str, ...] = (), skipped: str = "") -> Draft:
    """The plan of what the script said, once restored."""
    snapshot = Snapshot((StackFiles("s", "s/compose.yaml", PHOTOS),), None)
    config = BackupConfig(repository="/b", skip=(skipped,) if skipped else ())
    what = wanted(snapshot, jobs_of(view(snapshot), config, "backup", lambda _: None).dumps, "s", service, "")
    return restore_backup(
        snapshot, what, found=found_of(lines), side="side", trash="t", exists=lambda _: True, when="then", remade=remade
    )


def test_a_folder_that_the_backup_left_empty_takes_no_full_ones_place() -> None:
    left_out = ("EMPTY s/immich/upload", "LACKS s/immich/upload\t/lab/s/immich/upload/*\ts/immich/upload/a.jpg")
    draft = lacking(*left_out, "FOUND s/immich/cfg")
    assert [m.target for m in draft.moves] == ["t/s/immich/cfg", "s/immich/cfg"]
    (told,) = [r for r in draft.risks if r.reason.startswith("s/immich/upload stays as it is")]
    assert ("`s/immich/upload/*`" in told.reason, told.risk.word) == (True, "high")
    with pytest.raises(InvalidInput) as refused:
        lacking(*left_out, "MISSING s/immich/cfg")
    assert (refused.value.code, "s/immich/upload" in refused.value.message) == ("left_out", True)


def test_nothing_is_put_in_the_place_of_a_database_that_is_skipped_since() -> None:
    said = ("EMPTY s/data", "LACKS s/data\t/lab/s/data/*\ts/data/base")
    with pytest.raises(InvalidInput) as refused:
        lacking(*said, service="db", skipped="s/db")
    assert refused.value.code == "left_out"
    assert [str(a.kind) for a in lacking(*said, "FOUND s/db.sql", service="db").actions] == ["remove", "up", "load"]


def test_what_the_backup_left_out_of_a_folder_is_told_as_high() -> None:
    said = ("FOUND s/immich/upload", "LACKS s/immich/upload\t*.mkv\ts/immich/upload/film.mkv", "FOUND s/immich/cfg")
    told = [r for r in lacking(*said).risks if "*.mkv" in r.reason]
    assert [r.risk.word for r in told] == ["high"]
    assert "s/immich/upload/film.mkv" in told[0].reason
    assert lacking(*said, remade=("*.mkv",)).risks == lacking(said[0], said[2]).risks


@pytest.mark.parametrize(
    "pattern",
    [
        "/lab/s/immich/upload/library/*\ts/immich/upload/library/a.jpg",
        "/lab/s/immich/upload/library\ts/immich/upload/library/",
        "upload/library\ts/immich/upload/library/",
    ],
)
def test_a_folder_with_one_in_it_that_would_come_back_empty_stays(pattern: str) -> None:
    lack = f"LACKS s/immich/upload\t{pattern}"
    draft = lacking("FOUND s/immich/upload", lack, "FOUND s/immich/cfg")
    assert [m.target for m in draft.moves] == ["t/s/immich/cfg", "s/immich/cfg"]
    assert any(r.reason.startswith("s/immich/upload stays as it is") for r in draft.risks)
    plain = pattern.partition("\t")[0].removeprefix("/lab/")
    remade = lacking("FOUND s/immich/upload", lack, remade=(plain,))
    assert "s/immich/upload" in [m.target for m in remade.moves]


def test_what_the_catalog_of_the_backups_day_left_out_keeps_nothing_back_whatever_it_says_now() -> None:
    cache = "s/immich/upload\t/lab/s/immich/upload/log\ts/immich/upload/log/"
    said = ("FOUND s/immich/upload", f"CACHE {cache}", "FOUND s/immich/cfg")
    draft = lacking(*said, remade=("s/immich/upload/logs",))
    assert "s/immich/upload" in [m.target for m in draft.moves]
    assert draft.risks == lacking(said[0], said[2]).risks
    stays = lacking(said[0], f"LACKS {cache}", said[2], remade=("s/immich/upload/logs",))
    assert "s/immich/upload" not in [m.target for m in stays.moves]


def test_a_file_or_an_empty_folder_that_is_left_out_keeps_nothing_back() -> None:
    lack = "LACKS s/immich/upload\t/lab/s/immich/upload/list\ts/immich/upload/list"
    draft = lacking("FOUND s/immich/upload", lack, "FOUND s/immich/cfg")
    assert "s/immich/upload" in [m.target for m in draft.moves]
    assert any("s/immich/upload/list" in r.reason for r in draft.risks)


@pytest.mark.parametrize(
    "lack",
    [
        "LACKS s/immich/upload\t/lab/s/immich/upload/library/*\ts/immich/upload/library/a\tb.jpg",
        "LACKS s/immich/upload\t/lab/s/immich/upload/library/*",
        "LACKS s/immich/upl",
    ],
)
def test_what_the_script_says_with_a_tab_too_many_or_too_few_protects_all_the_same(lack: str) -> None:
    draft = lacking("FOUND s/immich/upload", lack, "FOUND s/immich/cfg")
    assert [m.target for m in draft.moves] == ["t/s/immich/cfg", "s/immich/cfg"]


def test_a_databases_log_is_asked_for_by_its_file_and_one_that_is_left_alone_is_put_aside() -> None:
    text = "services:\n  app: {image: 'x:1', volumes: ['./app:/app']}\n"
    snapshot = Snapshot((StackFiles("s", "s/compose.yaml", text),), None)
    what = wanted(snapshot, (), "s", "", "s/app/a.db-wal")
    assert what.paths == ("s/app/a.db",)
    assert wanted(snapshot, (), "s", "", "s/app/notes-journal").paths == ("s/app/notes-journal",)
    there = {"s/app/a.db-wal"}
    draft = restore_backup(
        snapshot, what, found=Found(what.paths), side="side", trash="t", exists=there.__contains__, when="then"
    )
    assert [(m.source, m.target) for m in draft.moves] == [
        ("s/app/a.db-wal", "t/s/app/a.db-wal"),
        ("side/lab/s/app/a.db", "s/app/a.db"),
    ]


@pytest.mark.parametrize("databases", [("side/lab/s/app/store",), ("side/lab/s/app/store", "s/app/store"), ()])
def test_the_log_of_a_database_whose_head_is_broken_is_put_aside_by_name(databases: tuple[str, ...]) -> None:
    text = "services:\n  app: {image: 'x:1', volumes: ['./app:/app']}\n"
    snapshot = Snapshot((StackFiles("s", "s/compose.yaml", text),), None)
    what = wanted(snapshot, (), "s", "", "s/app/store")
    there = {"s/app/store", "s/app/store-wal"}
    draft = restore_backup(
        snapshot,
        what,
        found=Found(what.paths),
        side="side",
        trash="t",
        exists=there.__contains__,
        when="then",
        is_database=databases.__contains__,
    )
    # One that is whole takes its log along; and what is no database has none.
    logs = ["s/app/store-wal"] if len(databases) == 1 else []
    assert [m.source for m in draft.moves] == ["s/app/store", *logs, "side/lab/s/app/store"]


@pytest.mark.parametrize(("path", "told"), [("${X}/a.yaml", True), ("a.yaml", True), ("", False)])
def test_a_stack_with_files_that_cannot_be_seen_says_what_it_does_not_restore(path: str, told: bool) -> None:
    text = f"{f'include: [{path!r}]' if path else ''}\nservices:\n  app: {{image: 'x:1', volumes: ['./app:/d']}}\n"
    snapshot = Snapshot((StackFiles("s", "s/compose.yaml", text),), None)
    left = wanted(snapshot, (), "s", "", "").left
    assert [w.startswith("Services in files of s that cannot be seen are not restored: ") for w in left] == [
        True
    ] * told
    assert wanted(snapshot, (), "s", "app", "").left == ()


INCLUDED = StackFiles(
    "s",
    "s/compose.yaml",
    "include: [app/stack.yml]\nservices:\n"
    "  web: {image: 'x:1', volumes: ['./web:/w'], env_file: ./web/keys/vars.env}\n",
    named=(("s/app/stack.yml", "services:\n  app: {image: 'x:1', volumes: ['.:/d']}\n"),),
)


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("s/app/stack.yml", "s/app/stack.yml"),
        ("s/app", "s/app/stack.yml"),
        ("s/web", "s/web/keys/vars.env"),
        ("s/web/keys", "s/web/keys/vars.env"),
        ("s/web/keys/vars.env", "s/web/keys/vars.env"),
        ("s/else/compose.yaml", "s/else/compose.yaml"),
        ("s/shared", "s/shared/t.yml"),
    ],
)
def test_what_stacks_are_written_in_does_not_come_back_as_data(path: str, named: str) -> None:
    text = "include: [../s/shared/t.yml]\nservices: {}\n"
    other = StackFiles("t", "t/compose.yaml", text, named=(("s/shared/t.yml", "services: {}\n"),))
    with pytest.raises(InvalidInput) as refused:
        wanted(Snapshot((INCLUDED, other), None), (), "s", "", path)
    assert (refused.value.code, named in refused.value.message) == ("not_data", True)
    assert "rollback" in refused.value.hint


@pytest.mark.parametrize(
    ("path", "data", "include"),
    [
        ("s/app/data/compose/1/docker-compose.yml", True, ""),
        ("s/app/data/compose/1/.env", True, ""),
        ("s/app/compose/docker-compose.yml", False, ""),
        # A secret that is known, what lies beside a file of the stack, and one that may be included.
        ("s/app/data/acme.json", False, ""),
        ("s/app/data/.env", False, "app/data/part.yml"),
        ("s/app/data/compose/1/docker-compose.yml", False, "${X}/docker-compose.yml"),
        ("s/.env", False, ""),
    ],
)
def test_a_file_that_a_service_keeps_by_the_name_of_a_stacks_is_data(path: str, data: bool, include: str) -> None:
    text = "services:\n  app: {image: 'x:1', volumes: ['./app/data:/data', './:/all']}\n"
    named = ((f"s/{include}", "services: {}\n"),) if include.startswith("app") else ()
    written = f"include: [{include!r}]\n{text}" if include else text
    snapshot = Snapshot((StackFiles("s", "s/compose.yaml", written, named=named),), None)
    if data:
        assert wanted(snapshot, (), "s", "", path).paths == (path,)
        return
    with pytest.raises(InvalidInput) as refused:
        wanted(snapshot, (), "s", "", path)
    assert refused.value.code == "not_data"


def test_a_service_whose_folder_has_a_file_of_the_stack_in_it_is_restored_with_a_high_risk() -> None:
    snapshot = Snapshot((INCLUDED,), None)
    what = wanted(snapshot, (), "s", "", "")
    assert (what.paths, what.written) == (("s/app", "s/web"), ("s/app/stack.yml", "s/web/keys/vars.env"))
    told = [r.reason for r in restored(snapshot, what, ["s/app"]).risks]
    assert any("s/app/stack.yml" in reason for reason in told)
    assert not any("vars.env" in reason for reason in told)
    assert wanted(snapshot, (), "s", "", "s/web/data").paths == ("s/web/data",)


GIVEN = """services:
  other:
    image: x:1
    configs: [c]
    secrets: [{source: s}]
    env_file: ./other/vars
    build: ./other/src
  apart: {image: 'x:1', volumes: ['./apart:/d']}
configs: {c: {file: ./other/c.yml}}
secrets: {s: {file: ./other/s.txt}}
"""


@pytest.mark.parametrize("path", ["other", "other/c.yml", "other/s.txt", "other/vars", "other/src/a", "other/none"])
def test_who_is_given_a_file_that_is_restored_stands_still_and_begins_again_with_it(path: str) -> None:
    snapshot = Snapshot((StackFiles("s", "s/compose.yaml", GIVEN),), None)
    users = () if path.endswith("none") else ("other",)
    assert wanted(snapshot, (), "s", "", f"s/{path}").services == users


SLEEPS = """services:
  app: {image: 'x:1', volumes: ['./app:/d']}
  reset: {image: 'x:1', profiles: [manual], command: reset-everything, volumes: ['./app/x:/d']}
  debug: {image: 'x:1', profiles: [more], volumes: ['./more:/d']}
  db: {image: 'postgres:17', volumes: ['./db:/var/lib/postgresql/data']}
"""


def sleeping(states: str, service: str = "", path: str = "", env: str = "") -> tuple[Wanted, list[tuple[str, str]]]:
    """What is wanted, and the plan's actions, where containers are so (``app:running db:exited``)."""
    containers = tuple(
        ContainerState(name, name, "x:1", state, stack="s", service=name)
        for name, state in (pair.split(":") for pair in states.split())
    )
    snapshot = Snapshot((StackFiles("s", "s/compose.yaml", SLEEPS, env),), None, containers=containers)
    what = wanted(snapshot, jobs_of(view(snapshot), CONFIG, "backup", lambda _: None).dumps, "s", service, path)
    draft = restored(snapshot, what, [*what.paths, *(d.file for d in what.dumps)])
    return what, [(str(a.kind), " ".join(a.services)) for a in draft.actions]


def test_a_restore_brings_up_what_ran_before_and_a_database_for_its_dump() -> None:
    what, actions = sleeping("app:running debug:paused reset:exited db:exited")
    assert actions == [("remove", "app debug db"), ("up", "db"), ("load", "db"), ("up", "app debug")]
    assert any(told == "reset did not run, so it is not started." for told in what.left)
    assert sleeping("app:exited db:running")[1] == [("remove", "db"), ("up", "db"), ("load", "db")]
    assert sleeping("app:exited reset:running", path="s/app/x")[1] == [("remove", "reset"), ("up", "reset")]
    assert sleeping("app:exited", path="s/app/x")[1] == []
    assert sleeping("app:exited", "app", "s/app/x")[1] == [("remove", "app"), ("up", "app")]


def test_who_is_named_is_brought_up_and_on_a_new_machine_all_but_sleeping_profiles() -> None:
    assert sleeping("app:exited", service="debug")[1] == [("remove", "debug"), ("up", "debug")]
    assert sleeping("", env="COMPOSE_PROFILES=more,other\n")[1][-1] == ("up", "app debug")
    assert sleeping("")[1] == [("remove", "app db"), ("up", "db"), ("load", "db"), ("up", "app")]


@pytest.mark.parametrize(
    ("made", "rows", "told"),
    [
        ("2026-03-10T03:10:00Z", "2026-03-10T03:10:00Z", ""),
        ("2026-03-01T03:10:00Z", "2026-03-01T03:10:00Z", "9 days older"),
        ("2026-03-09T03:10:00Z", "2026-03-09T03:10:00Z", "24 hours older"),
        ("", "2026-03-10T03:15:00Z", ""),
    ],
)
def test_a_dump_of_an_earlier_run_is_told_with_its_own_time(made: str, rows: str, told: str) -> None:
    snapshot = Snapshot((StackFiles("s", "s/compose.yaml", PHOTOS),), None)
    dumps = jobs_of(view(snapshot), CONFIG, "backup", lambda _: None).dumps
    seconds = int(datetime.fromisoformat(made).timestamp()) if made else 0
    found = found_of(["FOUND s/db.sql", *([f"DATED {seconds} s/db.sql"] if made else [])])
    draft = restore_backup(
        snapshot,
        wanted(snapshot, dumps, "s", "db", ""),
        found=found,
        side="side",
        trash="t",
        exists=lambda _: False,
        when="2026-03-10T03:15:00Z",
    )
    assert [a.why for a in draft.actions if str(a.kind) == "load"] == [f"Its rows are those of {rows}."]
    high = [r.reason for r in draft.risks if "older than the backup" in r.reason]
    assert len(high) == bool(told)
    assert all(told in reason for reason in high)
