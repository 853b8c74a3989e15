"""What the inventory says of the backup: each service's data is in it, in part, or not, as the lab's files say."""

from __future__ import annotations

from typing import Any

import pytest

from homelab_mcp.core import compose_edit
from homelab_mcp.core.backup_config import check_config, is_pattern, parse_config
from homelab_mcp.core.backup_coverage import Coverage, coverage_of
from homelab_mcp.core.backup_jobs import engine_of, excludes_text, jobs_of
from homelab_mcp.core.inventory import block
from homelab_mcp.core.operations.lab_view import LabView, view
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.observed import Snapshot, StackFiles
from tests.unit.core.operation_parts import CATALOG, SETTINGS

ENGINE = (
    "services:\n  backup:\n    image: backrest:1\n    labels: {homelab.backup: engine}\n    volumes: [./state:/state]\n"
)
CONFIG = "repository: /mnt/backup\nschedule: 15 3 * * *\n"
SERVICES: dict[str, dict[str, Any]] = {
    "web": {"image": "web:1", "volumes": ["./web/data:/data", "./web/cache:/cache"]},
    "db": {"image": "postgres:17.2", "volumes": ["./db:/var/lib/postgresql/data"]},
    "vol": {"image": "x:1", "volumes": ["keep:/keep"]},
    "both": {"image": "x:1", "volumes": ["keep:/keep", "./both:/data"]},
    "host": {"image": "x:1", "volumes": ["/mnt/photos:/photos", "/etc/localtime:/etc/localtime:ro"]},
    "none": {"image": "x:1"},
    "cache": {"image": "redis:7", "volumes": ["./redis:/data"]},
    "mongo": {"image": "mongo:8", "volumes": ["./mongo:/data/db"]},
}


def lab(*more: StackFiles) -> LabView:
    text = compose_edit.add_services("", SERVICES)
    apps = StackFiles("apps", "apps/compose.yaml", text)
    return view(Snapshot((apps, StackFiles("backup", "backup/compose.yaml", ENGINE), *more), None))


def covered(config: str | None = CONFIG, seen: LabView | None = None, paths: tuple[str, ...] = ()) -> Coverage:
    files = {"backup/backup.yaml": config}
    return coverage_of(seen or lab(), paths, lambda _: None, files.get)


def test_each_kind_of_data_is_told() -> None:
    assert covered().services == {
        "apps/web": "yes",
        "apps/db": "yes: as a postgres dump",
        "apps/vol": "no: not `keep` (a named volume of Docker, outside of the lab's folder)",
        "apps/both": "in part: not `keep` (a named volume of Docker, outside of the lab's folder)",
        "apps/host": "no: not `/mnt/photos` (a folder of the host; list it under backup_paths)",
        "apps/none": "",
        "apps/cache": "yes: after a SAVE",
        "apps/mongo": "in part: not `apps/mongo` (a MongoDB, copied while it runs: dump it by its own tool)",
        "backup/backup": "the backup itself",
    }
    assert covered(paths=("/mnt",)).services["apps/host"] == "yes"
    told = covered().told
    assert told.startswith("Backed up by backup/backup, 15 3 * * * (five cron fields")
    assert "`homelab-mcp backups` tells" in told


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("apps/web/cache", "in part: not `apps/web/cache` (left out by `apps/web/cache` in backup.yaml)"),
        ("apps/web", "no: not `apps/web/data` (left out by `apps/web` in backup.yaml); not `apps/web/cache` (left out"),
        ("/lab/apps/*/data", "in part: not `apps/web/data` (left out by"),
        ("apps/w?b/[cd]ata", "in part: not `apps/web/data` (left out by"),
        # It may leave something out of `data` too.
        ("apps/**/cache", "in part: not `apps/**/cache` (left out in backup.yaml); not `apps/web/cache` (left out by"),
        ("apps/*/data/thumbs", "in part: not `apps/*/data/thumbs` (left out in backup.yaml)"),
        ("apps/we*/data/*.tmp", "in part: not `apps/we*/data/*.tmp` (left out in backup.yaml)"),
        ("/*/*/web/data/up[lm]oad", "in part: not `/*/*/web/data/up[lm]oad`"),
        ("apps/*/other/x", "yes"),
        ("apps/bob*/data/x", "yes"),
        ("**/cache", "in part: not `apps/web/cache`"),
        ("*/web/cache", "in part: not `apps/web/cache`"),
        ("*cache", "in part: not `apps/web/cache`"),
        ("apps/web/data/thumbs", "in part: not `apps/web/data/thumbs` (left out in backup.yaml)"),
        ("apps/web/data/*", "in part: not `apps/web/data` (left out by `apps/web/data/*` in backup.yaml)"),
        ("apps/web/*", "no: not `apps/web/data` (left out by `apps/web/*` in backup.yaml); not `apps/web/cache` (left"),
        ("/lab/apps/web/data/**", "in part: not `apps/web/data` (left out by"),
        ("apps/**", "no: "),
        ("apps/web/data/**/*", "in part: not `apps/web/data` (left out by"),
        ("*data/*", "in part: not `apps/web/data` (left out by"),
        ("/lab/**", "no: "),
        ("/lab", "no: "),
        ("/*/apps", "no: "),
        ("**", "no: "),
        ("apps/web/data/*/*", "in part: not `apps/web/data/*/*` (left out in backup.yaml)"),
        ("apps/web/data/*.tmp", "in part: not `apps/web/data/*.tmp` (left out in backup.yaml)"),
        ("/other/**", "yes"),
        ("apps/we", "yes"),
        ("cache", "yes"),
        ("apps/*", "no: "),
        ("/mnt/photos", "yes"),
        ("*.tmp", "yes"),
        ("apps/web$", "yes"),
    ],
)
def test_what_backup_yaml_leaves_out_is_told(pattern: str, told: str) -> None:
    config = f"{CONFIG}exclude:\n  - '{pattern}'\n"
    found = covered(config).services["apps/web"]
    assert found == told if told == "yes" else found.startswith(told)
    # The same words reach restic, or none.
    seen = lab()
    engine = engine_of(seen)
    assert engine is not None
    text = excludes_text(jobs_of(seen, parse_config(config), engine.stack, lambda _: None))
    assert (pattern in text) == ("$" not in pattern)


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("/mnt/photos", "no: not `/mnt/photos` (left out by `/mnt/photos` in backup.yaml)"),
        ("/mnt/p*", "no: not `/mnt/photos` (left out by"),
        ("/mnt/photos/*", "no: not `/mnt/photos` (left out by"),
        ("**/photos", "no: not `/mnt/photos` (left out by"),
        ("/mnt/*/raw", "in part: not `/mnt/*/raw` (left out in backup.yaml)"),
        ("/mnt/films", "yes"),
        ("mnt/photos", "yes"),
    ],
)
def test_what_is_left_out_of_a_folder_of_the_host_is_told(pattern: str, told: str) -> None:
    found = covered(f"{CONFIG}exclude:\n  - '{pattern}'\n", paths=("/mnt",)).services["apps/host"]
    assert found == told if told == "yes" else found.startswith(told)


def test_a_skipped_service_a_folder_of_any_name_and_everywhere() -> None:
    found = covered(f"{CONFIG}skip: [apps/web, apps/db]\nexclude: ['*.tmp']\n")
    assert found.services["apps/web"] == "no: not `apps/web/data, apps/web/cache` (left out by backup.yaml)"
    assert found.services["apps/db"] == "no: not `apps/db` (left out by backup.yaml)"
    assert "everywhere but for `*.tmp`." in found.told


def test_data_on_another_host_and_databases_of_swarm_are_in_no_backup() -> None:
    far = StackFiles(
        "far",
        "far/compose.yaml",
        "x-homelab: {host: shed}\nservices:\n  db: {image: 'postgres:17', volumes: ['./db:/d']}\n",
    )
    swarm = StackFiles(
        "swarm",
        "swarm/compose.yaml",
        "x-homelab: {engine: swarm}\nservices:\n  db: {image: 'postgres:17', volumes: ['./db:/d', 'v:/v']}\n",
    )
    seen = lab(far, swarm)
    found = covered(seen=seen).services
    assert found["far/db"] == "no: not `far/db` (on host shed, which makes no backup: backup configure --host shed)"
    assert found["swarm/db"].startswith("in part: not `swarm/db` (a database that Swarm runs: no dump is made of it)")
    jobs = jobs_of(seen, parse_config(CONFIG), "backup", lambda _: None)
    # A dump of what this engine does not run would end every run as incomplete, and keep the folder out.
    assert [d.file for d in jobs.dumps] == ["apps/db.sql"]
    assert "swarm/db/*" not in jobs.excludes and "far/db/*" not in jobs.excludes
    assert not [folder for folder, stack, _ in jobs.owners if stack == "far"]


def test_where_this_machine_makes_no_backup_the_first_host_that_does_tells_of_all_that_make_none() -> None:
    app = "services:\n  app: {image: 'x:1', volumes: ['./data:/d']}\n"

    def on(name: str, host: str, text: str) -> StackFiles:
        return StackFiles(name, f"{name}/compose.yaml", (f"x-homelab: {{host: {host}}}\n" if host else "") + text)

    makers = [on(f"backup-{h}", h, ENGINE) for h in ("nas", "pi")]
    apps = [on(name, host, app) for name, host in (("here", ""), ("far", "nas"), ("near", "pi"), ("old", "attic"))]
    seen = view(Snapshot((*makers, *apps), None))
    files = {f"backup-{h}/backup.yaml": CONFIG for h in ("nas", "pi")}
    found = coverage_of(seen, (), lambda _: None, files.get)
    assert (
        found.services["here/app"] == "no: not `here/data` (on this machine, which makes no backup: backup configure)"
    )
    assert found.services["old/app"].startswith("no: not `old/data` (on host attic, which makes no backup")
    assert (found.services["far/app"], found.services["near/app"]) == ("yes", "yes")
    told = {h: jobs_of(seen, parse_config(CONFIG), f"backup-{h}", lambda _: None).uncovered for h in ("nas", "pi")}
    assert [where for where, _, _ in told["nas"]] == ["here/app", "old/app"]
    assert told["pi"] == [], "once is enough"


def test_a_folder_of_the_same_path_on_another_host_is_not_this_machines() -> None:
    text = "services:\n  tv: {image: 'x:1', volumes: ['/srv/media:/m']}\n"
    far = StackFiles("far", "far/compose.yaml", f"x-homelab: {{host: nas}}\n{text}")
    near = StackFiles("near", "near/compose.yaml", text)
    found = covered(seen=lab(far, near), paths=("/srv",)).services
    assert found["near/tv"] == "yes"
    assert found["far/tv"] == "no: not `/srv/media` (on host nas, which makes no backup: backup configure --host nas)"


@pytest.mark.parametrize("config", [None, "repository: [", "repository: nowhere\n"])
def test_settings_that_cannot_be_read_are_told_as_unknown(config: str | None) -> None:
    found = covered(config)
    assert (found.services, found.told) == (
        {},
        "What the backup covers is not known: backup/backup.yaml cannot be read.",
    )

    def refused(path: str) -> str | None:
        raise InvalidInput("It is no text.", hint="")

    assert coverage_of(lab(), (), lambda _: None, refused) == found


def test_the_page_tells_it_and_says_where_there_is_none() -> None:
    text = block(lab(), SETTINGS, lambda name: CATALOG[name], {"backup/backup.yaml": CONFIG}.get)
    assert "| Service | Folders and volumes | Backed up |\n" in text
    assert "| apps/db | `apps/db` | yes: as a postgres dump |" in text
    alone = view(Snapshot((StackFiles("apps", "apps/compose.yaml", compose_edit.add_services("", SERVICES)),), None))
    text = block(alone, SETTINGS, lambda name: CATALOG[name])
    assert "No backup is set up: `homelab-mcp backup configure` plans one." in text
    assert "| Service | Folders and volumes |\n" in text


def test_what_no_dump_stands_for_is_told_by_its_own_folder() -> None:
    text = (
        "services:\n  db:\n    image: mariadb:11\n"
        "    volumes: ['./db:/var/lib/mysql', './dbconf:/etc/mysql/conf.d', './shared:/shared']\n"
        "  app: {image: 'x:1', volumes: ['./shared:/shared']}\n"
        "  look: {image: 'x:1', volumes: ['./db:/look:ro']}\n"
    )
    seen = lab(StackFiles("s", "s/compose.yaml", text))
    found = covered(seen=seen).services
    assert (found["s/db"], found["s/app"]) == ("yes: as a mariadb dump", "yes")
    assert found["s/look"] == "yes: as the dump of db"
    kept = excludes_text(jobs_of(seen, parse_config(CONFIG), "backup", lambda _: None))
    assert "/lab/s/db/*\n" in kept and "dbconf" not in kept and "shared" not in kept
    found = covered(f"{CONFIG}exclude: [s/dbconf]\n", seen).services
    assert found["s/db"] == "in part: as a mariadb dump; not `s/dbconf` (left out by `s/dbconf` in backup.yaml)"


@pytest.mark.parametrize("pattern", ["x[^]", "x[a", "[]a]", "[a-]", "[-a]", "a/[b/c]"])
def test_a_pattern_that_restic_refuses_breaks_no_page_and_is_not_taken(pattern: str) -> None:
    assert not is_pattern(pattern)
    with pytest.raises(InvalidInput):
        check_config({"repository": "/mnt/backup", "exclude": [pattern]})
    # One that stands there already keeps nobody from restoring, or from mending it.
    assert parse_config(f"{CONFIG}exclude: ['{pattern}']\n").exclude == (pattern,)


@pytest.mark.parametrize(
    "pattern", ["*.tmp", "media/[a-c]*", "[^x]y", "a[0-9][b]", "a]b", "[!a]", "a[b[c]", "data[z-a]"]
)
def test_a_pattern_that_restic_takes_stays_one(pattern: str) -> None:
    assert check_config({"repository": "/mnt/backup", "exclude": [pattern]}).exclude == (pattern,)
    assert covered(f"{CONFIG}exclude: ['{pattern}']\n").services["apps/none"] == ""


@pytest.mark.parametrize(
    ("pattern", "out"),
    [("apps/[v-x]eb", True), ("apps/[x-v]eb", False), ("apps/[^a-d]eb", True), ("apps/[^v-x]eb", False)],
)
def test_a_class_of_signs_means_what_it_means_to_restic(pattern: str, out: bool) -> None:
    assert ("left out by" in covered(f"{CONFIG}exclude: ['{pattern}']\n").services["apps/web"]) is out


def test_a_path_of_the_lab_from_the_machines_root_is_in_the_backup() -> None:
    text = (
        "services:\n"
        "  own: {image: 'x:1', volumes: ['/opt/stacks/more/own:/d']}\n"
        "  theirs: {image: 'x:1', volumes: ['/opt/stacks/apps/web:/d']}\n"
        "  out: {image: 'x:1', volumes: ['/opt/stacks2/x:/d']}\n"
    )
    seen = lab(StackFiles("more", "more/compose.yaml", text))
    files = {"backup/backup.yaml": CONFIG}
    for root in ("/opt/stacks", ("/mnt/tank", "/opt/stacks")):
        found = coverage_of(seen, (), lambda _: None, files.get, root=root).services
        # Of another stack's folder nothing is said here, as by a relative path.
        assert (found["more/own"], found["more/theirs"]) == ("yes", "")
        assert found["more/out"].startswith("no: not `/opt/stacks2/x`")
