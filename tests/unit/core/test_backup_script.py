"""What the backups' script does about places and keys, with programs that stand in for restic and Docker."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from homelab_mcp.core.backup_config import BackupConfig
from homelab_mcp.core.backup_databases import ENGINES, OTHERS
from homelab_mcp.core.backup_jobs import Jobs, jobs_text
from homelab_mcp.core.backup_script import RUN_SH
from homelab_mcp.core.backup_script_check import CHECK_SH
from homelab_mcp.core.backup_script_found import FOUND_SH
from homelab_mcp.core.backup_script_links import LINKS_SH
from homelab_mcp.core.backup_script_place import PLACE_SH

pytestmark = pytest.mark.unit

RESTIC = """#!/bin/sh
case "$1" in
  cat)
    [ -f "$DISK/config" ] && exit
    echo "Fatal: unable to open config file: stat /repository/config: no such file or directory" >&2; exit 1 ;;
  init) echo made >>"$DISK/config" ;;
esac
"""
DOCKER = '#!/bin/sh\n[ -n "$MOUNTED" ] && echo "$MOUNTED"\n'


class Place:
    """Folders that stand for ``/state``, ``/keys`` and root's home, and disks that repositories lie on."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.list = folder, folder / "state/repository"
        for name in ("state", "keys/ssh", "home", "bin"):
            (folder / name).mkdir(parents=True)
        for name, text in (("restic", RESTIC), ("docker", DOCKER)):
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        text = PLACE_SH.replace("/state/", f"{folder}/state/").replace("/keys/ssh", f"{folder}/keys/ssh")
        self.script = 'say() { echo "STEP $*"; }\n' + text.replace("/root/.ssh", f"{folder}/home/.ssh")

    def sh(self, then: str, **env: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.folder}/bin:{os.environ['PATH']}"
        argv = ["sh", "-c", self.script + then]
        return subprocess.run(argv, env={"PATH": path, **env}, capture_output=True, text=True, check=False)

    def reach(self, disk: str, name: str = "", *, mounted: str = "", inside: str = "/repository") -> str:
        """What a run comes to: used, made, or what it says is wrong."""
        (self.folder / disk).mkdir(exist_ok=True)
        told = {"HOMELAB_REPOSITORY": name} if name else {}
        done = self.sh("repository", DISK=str(self.folder / disk), RESTIC_REPOSITORY=inside, MOUNTED=mounted, **told)
        if done.returncode:
            return (self.folder / "state/said").read_text()
        return "made" if "making" in done.stdout else "used"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


GONE = "it was there before, so none is made anew"


def test_another_folder_is_another_place_and_none_is_forgotten(place: Place) -> None:
    assert place.reach("old", "/mnt/old") == "made"
    assert place.reach("old", "/mnt/old") == "used"
    assert place.reach("new", "/mnt/new") == "made"
    assert place.reach("s3", inside="s3:https://host/b") == "made"
    for name in ("old", "new"):
        assert GONE in place.reach("not-mounted", f"/mnt/{name}")
    assert place.reach("old", "/mnt/old") == "used"
    assert place.list.read_text().splitlines() == ["/mnt/old", "/mnt/new", "s3:https://host/b"]


def test_a_lab_that_noted_the_name_inside_goes_on(place: Place) -> None:
    place.list.write_text("/repository\n")
    # Its container has not been told the place yet.
    assert GONE in place.reach("not-mounted", mounted="/mnt/old")
    assert GONE in place.reach("not-mounted")
    assert place.reach("new", "/mnt/new") == "made"
    (place.folder / "old").mkdir()
    (place.folder / "old/config").touch()
    assert place.reach("old", mounted="/mnt/old") == "used"
    assert GONE in place.reach("not-mounted", "/mnt/old")


def test_a_place_that_was_noted_by_its_name_inside_is_known_when_its_disk_is_away(place: Place) -> None:
    place.list.write_text("/repository\n")
    told = {"HOMELAB_REPOSITORY": "/mnt/old", "HOMELAB_REPOSITORY_NOTED": "/repository"}
    (place.folder / "away").mkdir()
    done = place.sh("repository", DISK=str(place.folder / "away"), RESTIC_REPOSITORY="/repository", MOUNTED="", **told)
    assert done.returncode == 1
    assert GONE in (place.folder / "state/said").read_text()
    assert list((place.folder / "away").iterdir()) == []


def test_two_calls_at_once_leave_each_others_keys_alone(place: Place) -> None:
    home = place.folder / "home/.ssh"
    home.mkdir()
    for name in ("id_ed25519.part.77", "known_hosts", "id_old"):
        (home / name).touch()
    (place.folder / "keys/ssh/id_ed25519").write_text("key\n")
    assert place.sh("keys").returncode == 0
    assert sorted(p.name for p in home.iterdir()) == ["id_ed25519", "id_ed25519.part.77", "known_hosts"]
    # The other's cp has just ended.
    slow = 'cp() { command cp "$@"; (sh -c "$OTHER"); }\nkeys'
    (place.folder / "keys/ssh/id_ed25519").write_text("another\n")
    done = place.sh(slow, OTHER=place.script + "keys")
    assert (done.returncode, done.stderr) == (0, "")
    assert (home / "id_ed25519").read_text() == "another\n"


DOCKER_OF_DUMPS = """#!/bin/sh
case "$*" in
  *pg_database*) [ -z "$MORE" ] || printf '%s\\n' $MORE ;;
  *pg_dump*) echo "CREATE TABLE pages;" ;;
esac
"""


@pytest.mark.parametrize("more", ["", "wiki notes"])
def test_a_dump_tells_of_databases_that_it_does_not_hold(tmp_path: Path, more: str) -> None:
    (tmp_path / "docker").write_text(DOCKER_OF_DUMPS)
    (tmp_path / "docker").chmod(0o755)
    (tmp_path / "state").mkdir()
    dump = RUN_SH[RUN_SH.index("# dump PROJECT") : RUN_SH.index("# save PROJECT")]
    dump = dump.replace("/dumps/", f"{tmp_path}/dumps/").replace("/state/", f"{tmp_path}/state/")
    stubs = 'say() { :; }\nwrong() { echo "PROBLEM $*"; }\ncontainer() { echo c1; }\n'
    ending, command, _ = ENGINES["postgres"]
    words = ("apps", "db", f"apps/db.{ending}", command, OTHERS["postgres"])
    done = subprocess.run(
        ["sh", "-c", f"set -e\n{stubs}{dump}\ndump \"$@\"", "sh", *words],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "MORE": more}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (tmp_path / "dumps/apps/db.sql").read_text() == "CREATE TABLE pages;\n"
    told = "PROBLEM apps/db has more databases than its dump holds, and they are in no backup: wiki notes\n"
    assert done.stdout == (told if more else "")


RESTIC_OF_RESTORES = """#!/bin/sh
into=""
while [ $# -gt 0 ]; do [ "$1" != --target ] || into=$2; shift; done
mkdir -p "$into$HERE/dumps/apps" "$into$HERE/lab/apps/db"
[ -z "$HELD" ] || echo "$HELD" >"$into$HERE/dumps/apps/db.sql"
[ "$CODE" = 0 ] || { echo "${SAID:-Fatal: connection reset by peer}" >&2; exit "$CODE"; }
"""


@pytest.mark.parametrize(
    ("held", "code", "says"),
    [
        ("all of it", 0, "FOUND apps/db.sql"),
        ("half of", 1, "PROBLEM connection reset by peer"),
        ("", 1, "PROBLEM connection reset by peer"),
        ("", 0, "MISSING apps/db.sql"),
    ],
)
def test_a_dump_that_was_not_fetched_whole_is_none(tmp_path: Path, held: str, code: int, says: str) -> None:
    done = dumped(tmp_path, held, code)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("DATED ")]
    assert (lines, done.returncode) == ([says], code), done.stderr


NO_OWNER = "ignoring error for /lab/apps/db: {}lchown /restore/1/raw/lab/apps/db: operation not permitted\n"
TORN = "ignoring error for /dumps/apps/db.sql: ciphertext verification failed\n"


@pytest.mark.parametrize("restic", ["", "Lchown: "])
def test_a_whole_dump_beside_folders_that_no_owner_can_be_set_of_is_one(tmp_path: Path, restic: str) -> None:
    done = dumped(tmp_path, "all of it", 1, f"{NO_OWNER.format(restic)}Fatal: There were 1 errors\n")
    problem, found, dated = done.stdout.splitlines()
    assert problem.startswith("PROBLEM an owner could not be set")
    assert "/lab/apps/db" in problem
    assert (found, done.returncode) == ("FOUND apps/db.sql", 0)
    (dump,) = (tmp_path / "restore/1").rglob("db.sql")
    assert dump.read_text() == "all of it\n"
    assert dated == f"DATED {int(dump.stat().st_mtime)} apps/db.sql"
    assert list((tmp_path / "restore/1").rglob("empty/**/apps/db"))


@pytest.mark.parametrize(
    "said",
    [
        f"{NO_OWNER.format('')}{TORN}Fatal: There were 2 errors\n",
        f"{TORN}Fatal: There were 1 errors\n",
        f"{NO_OWNER.format('')}Fatal: There were 2 errors\n",
        f"{NO_OWNER.format('')}Fatal: unable to load index\n",
        NO_OWNER.format(""),
    ],
)
def test_a_dump_that_restic_says_more_of_than_of_owners_is_none(tmp_path: Path, said: str) -> None:
    done = dumped(tmp_path, "half of", 1, said)
    assert done.stdout.startswith("PROBLEM ")
    assert "FOUND" not in done.stdout
    assert done.returncode == 1


def dumped(tmp_path: Path, held: str, code: int, said: str = "") -> subprocess.CompletedProcess[str]:
    (tmp_path / "state").mkdir()
    (tmp_path / "restic").write_text(RESTIC_OF_RESTORES)
    (tmp_path / "restic").chmod(0o755)
    script = PLACE_SH + RUN_SH[RUN_SH.index("plainly() {") : RUN_SH.index("# load STACK")]
    for name in ("dumps", "lab", "restore", "state"):
        script = script.replace(f"/{name}/", f"{tmp_path}/{name}/")
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HERE": str(tmp_path), "HELD": held, "CODE": str(code)}
    path["SAID"] = said
    argv = ["sh", "-c", f"say() {{ :; }}\n{script}\ndumped abc 1 apps/db.sql apps/db"]
    return subprocess.run(argv, env=path, capture_output=True, text=True, check=False)


RESTIC_OF_FILES = """#!/bin/sh
into=""
while [ $# -gt 0 ]; do
  case "$1" in
    --target) into=$2 ;;
    --include) [ ! -e "$STORE$2" ] || { mkdir -p "$into${2%/*}"; cp -a "$STORE$2" "$into${2%/*}/"; } ;;
  esac
  shift
done
"""


class Restores:
    """A lab, a backup of it, and what the script restores of that."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lab = folder, folder / "lab"
        self.store = Path(f"{folder}/store{folder}")
        self.side = Path(f"{folder}/restore/1{folder}/lab")
        for name in ("state", "restore", "backup", "bin", "lab"):
            (folder / name).mkdir()
        (folder / "backup/excludes").touch()
        (folder / "bin/restic").write_text(RESTIC_OF_FILES)
        (folder / "bin/restic").chmod(0o755)
        script = PLACE_SH + FOUND_SH + RUN_SH[RUN_SH.index("plainly() {") : RUN_SH.index("# load STACK")]
        for name in ("dumps", "lab", "restore", "state", "backup"):
            script = script.replace(f"/{name}/", f"{folder}/{name}/")
        self.script = script.replace("find /restore", f"find {folder}/restore")

    def now(self, *files: str) -> None:
        put(self.lab, files)

    def then(self, *files: str, dumps: tuple[str, ...] = ()) -> None:
        put(self.store / "lab", files)
        put(self.store / "dumps", dumps)

    def excludes(self, *patterns: str, then: bool = False) -> None:
        file = self.store / "dumps/.excludes" if then else self.folder / "backup/excludes"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{p.replace('/lab/', f'{self.lab}/')}\n" for p in patterns))

    def run(self, *paths: str) -> list[str]:
        """What it says, with the folder's own name taken out."""
        argv = ["sh", "-c", f'say() {{ :; }}\n{self.script}\nrestore abc 1 "$@"', "sh", *paths]
        env = {"PATH": f"{self.folder}/bin:{os.environ['PATH']}", "STORE": f"{self.folder}/store"}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.replace(str(self.folder), "").splitlines()


def put(folder: Path, files: tuple[str, ...]) -> None:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).mkdir(exist_ok=True) if name.endswith("/") else (folder / name).write_text(str(folder))


@pytest.fixture
def restores(tmp_path: Path) -> Restores:
    return Restores(tmp_path)


def test_a_folder_that_comes_back_with_no_file_in_it_is_told_where_there_are_some_now(restores: Restores) -> None:
    restores.now("s/full/a/1", "s/empty/", "s/held/1")
    restores.then("s/full/a/", "s/empty/", "s/held/1", "s/gone/")
    assert restores.run("s/full", "s/empty", "s/held", "s/gone", "s/none") == [
        "EMPTY s/full",
        "FOUND s/empty",
        "FOUND s/held",
        "FOUND s/gone",
        "MISSING s/none",
    ]


@pytest.mark.parametrize("then", [True, False])
def test_what_was_left_out_and_is_there_now_is_told_by_the_settings_of_then(restores: Restores, then: bool) -> None:
    restores.now("s/my films/a.mkv", "s/my films/list", "s/up/lib/1.jpg", "s/up/x", "s/other/1", "s/cfg/cache/1")
    restores.then("s/my films/list", "s/up/lib/", "s/up/x", "s/cfg/")
    patterns = ("*.mkv", "/lab/s/up/lib/*", "/lab/s/o[t]her/*", "cfg/cache", "*.homelab-tmp", "/lab/s/up/x/*")
    if then:
        # Of today's settings nothing is said: that run had others.
        restores.excludes("/lab/s/up/x")
    restores.excludes(*patterns, then=then)
    assert restores.run("s/my films", "s/up", "s/cfg") == [
        "FOUND s/my films",
        "LACKS s/my films\t*.mkv\ts/my films/a.mkv",
        "FOUND s/up",
        "LACKS s/up\t/lab/s/up/lib/*\ts/up/lib/1.jpg",
        "EMPTY s/cfg",
        "LACKS s/cfg\tcfg/cache\ts/cfg/cache/",
    ]


def test_what_a_service_of_then_made_anew_is_told_apart_where_the_list_says_so(restores: Restores) -> None:
    restores.now("s/app/data/log/1", "s/app/data/films/1", "s/app/data/# settings", "s/app/data/x")
    restores.then("s/app/data/x")
    restores.excludes("/lab/s/app/data/logs")
    restores.excludes("/lab/s/app/data/log", "# settings", "/lab/s/app/data/films", then=True)
    assert restores.run("s/app/data") == [
        "FOUND s/app/data",
        "CACHE s/app/data\t/lab/s/app/data/log\ts/app/data/log/",
        "LACKS s/app/data\t/lab/s/app/data/films\ts/app/data/films/",
    ]
    restores.excludes("/lab/s/app/data/log", "/lab/s/app/data/# settings", then=True)
    assert [line.partition(" ")[0] for line in restores.run("s/app/data")] == ["FOUND", "LACKS", "LACKS"]


def test_an_empty_folder_that_was_left_out_is_told_as_none_with_files(restores: Restores) -> None:
    restores.now("s/up/x", "s/up/cache/", "s/up/lib/a/b")
    restores.then("s/up/x")
    restores.excludes("/lab/s/up/cache", "/lab/s/up/lib/")
    assert restores.run("s/up") == [
        "FOUND s/up",
        "LACKS s/up\t/lab/s/up/cache\ts/up/cache",
        "LACKS s/up\t/lab/s/up/lib/\ts/up/lib/",
    ]


@pytest.mark.parametrize("pattern", ["/lab/s/up/**/*.jpg", "/lab/s/**/**/up/**/*.jpg", "*/s/**/up/**/*.jpg"])
@pytest.mark.parametrize("there", ["s/up/1.jpg", "s/up/a/b/1.jpg"])
def test_two_asterisks_stand_for_any_number_of_folders(restores: Restores, pattern: str, there: str) -> None:
    if "b" in there and pattern.count("**") > 1:
        there = f"s/x/{there.removeprefix('s/')}"
    top = "/".join(there.split("/")[:2])
    restores.now(there, f"{top}/x")
    restores.then(f"{top}/x")
    restores.excludes(pattern)
    assert restores.run(top) == [f"FOUND {top}", f"LACKS {top}\t{pattern}\t{there}"]


def test_what_is_in_the_backup_all_the_same_is_no_lack(restores: Restores) -> None:
    restores.now("s/up/a.mkv", "s/up/b.mkv")
    restores.then("s/up/a.mkv", "s/up/b.mkv")
    restores.excludes("*.mkv")
    assert restores.run("s/up") == ["FOUND s/up"]


def test_one_file_of_a_database_comes_with_its_log(restores: Restores) -> None:
    restores.now("s/app.db", "s/app.db-wal", "s/app.db-shm", "s/folder/x", "s/folder-journal/x")
    restores.then("s/folder/x", "s/folder-journal/x", dumps=("sqlite/s/app.db", "sqlite/s/app.db-wal"))
    assert restores.run("s/app.db", "s/folder") == ["FOUND s/app.db", "FOUND s/folder"]
    assert sorted(str(p.relative_to(restores.side)) for p in restores.side.rglob("*") if p.is_file()) == [
        "s/app.db",
        "s/app.db-wal",
        "s/folder/x",
    ]


RESTIC_THAT_NOTES = """#!/bin/sh
echo "$*" >>"$NOTES"
case "$1" in
  backup) echo '{"message_type":"summary","snapshot_id":"abc123"}' ;;
  snapshots)
    [ "$KNOWN" != unasked ] || exit 1
    [ "$*" != "snapshots --no-lock --json --tag $MARK --host $ORIGIN" ] || { echo "[{${KNOWN#other }}]"; exit; }
    case "$*" in *"$KNOWN"*) echo '[{"time":"2026-01-01T00:00:00Z"}]' ;; *) echo '[]' ;; esac ;;
esac
"""
LAB = "0123456789abcdef0123456789abcdef"


def noted(folder: Path, *, ident: str, then: str, known: str = "none", host: str = "", told: str = "") -> list[str]:
    """What restic is called with, where the lab has that id; on another ``host`` its id is ``told``."""
    for name in ("lab/.homelab", "state", "dumps", "backup", "bin", "restore"):
        (folder / name).mkdir(parents=True)
    if ident:
        (folder / "lab/.homelab/id").write_text(f"{ident}\n")
    (folder / "backup/jobs.sh").write_text("KEEP='--keep-last 3'\nALSO=''\n")
    (folder / "backup/excludes").touch()
    (folder / "bin/restic").write_text(RESTIC_THAT_NOTES)
    (folder / "bin/restic").chmod(0o755)
    begin = RUN_SH[RUN_SH.index("export RESTIC_PROGRESS_FPS") : RUN_SH.index("# SSH takes no files")]
    begin += PLACE_SH[PLACE_SH.index("# patient") : PLACE_SH.index("# What SSH itself says")]
    begin += PLACE_SH[PLACE_SH.index("# newest") :] + FOUND_SH
    script = begin + RUN_SH[RUN_SH.index("backup() {") : RUN_SH.index("keys\ncase")]
    for name in ("dumps", "lab", "state", "backup", "restore"):
        script = script.replace(f"/{name}/", f"{folder}/{name}/")
    script = script.replace("find /dumps", f"find {folder}/dumps").replace("find /restore", f"find {folder}/restore")
    stubs = "".join(
        f"{name}() {{ :; }}\n" for name in ("dumps", "sqlite", "links", "release", "repository", "finish", "why")
    )
    stubs += 'wrong() { echo "$*" >>"$errors"; }\n'
    env = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "NOTES": str(folder / "notes"), "KNOWN": known}
    env |= {
        "ORIGIN": f"lab/{host}" if host else "lab",
        "HOMELAB_HOST": host,
        "HOMELAB_LAB": told,
        "MARK": "homelab-host" if host else "homelab",
    }
    done = subprocess.run(
        ["sh", "-c", f"{script}\n{stubs}ca=''\n{then}"], env=env, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return (folder / "notes").read_text().splitlines()


@pytest.mark.parametrize(
    ("ident", "made", "let_go"),
    [(LAB, f"--tag homelab --tag lab-{LAB} ", f"homelab,lab-{LAB}"), ("", "--tag homelab ", "homelab")],
)
def test_a_lab_marks_its_backups_and_lets_go_of_no_others(tmp_path: Path, ident: str, made: str, let_go: str) -> None:
    *_, backup, forget = [c for c in noted(tmp_path, ident=ident, then="backup") if not c.startswith("snapshots")]
    assert f"--host lab {made}--exclude-file" in backup
    assert f" --tag {let_go} --group-by tags" in forget


def test_on_another_host_the_id_that_is_told_counts_and_no_file_of_its_disk(tmp_path: Path) -> None:
    calls = noted(tmp_path, ident="f" * 32, then="backup", host="nas", told=LAB)
    (made,) = [c for c in calls if "--exclude-file" in c]
    assert f"--host lab/nas --tag homelab-host --tag lab-{LAB} " in made
    assert "lab-ffff" not in made


@pytest.mark.parametrize(("known", "told"), [(f'"lab-{LAB}"', "this lab has no id"), ("unasked", "cannot be asked")])
def test_a_lab_without_an_id_lets_go_of_nothing_where_another_has_one(tmp_path: Path, known: str, told: str) -> None:
    calls = noted(tmp_path, ident="", then="backup", known=known)
    assert not [c for c in calls if c.startswith("forget")]
    assert told in (tmp_path / "state/errors.now").read_text()


def test_an_id_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    noted(tmp_path, ident="-", then="backup")
    assert "cannot be read" in (tmp_path / "state/errors.now").read_text()


@pytest.mark.parametrize(("known", "tags"), [(f"lab-{LAB}", f"homelab,lab-{LAB}"), ("none", "homelab")])
def test_a_check_compares_with_this_labs_newest_backup(tmp_path: Path, known: str, tags: str) -> None:
    calls = noted(tmp_path, ident=LAB, then="compared 3", known=known)
    assert next(c for c in calls if c.startswith("ls ")).startswith(f"ls latest --no-lock --tag {tags} --host lab /lab")


OURS, OLD, ONE, TWO = f"lab-{LAB}", '"tags":["homelab"]', '"tags":["homelab","lab-a"]', '"tags":["homelab","lab-b"]'


@pytest.mark.parametrize("command", ["restore latest 1 s/app", "dumped latest 1 s/db.sql s/db"])
@pytest.mark.parametrize(
    ("ident", "known", "tags"),
    [
        (LAB, OURS, f"homelab,{OURS}"),
        # A new machine, or a lab that never marked its own.
        (LAB, f"{ONE},{ONE}", "homelab"),
        (LAB, f"{ONE},{OLD}", ""),
        (LAB, f"{ONE},{TWO}", ""),
        ("", ONE, "homelab"),
        ("", OLD, "homelab"),
        ("", f"{ONE},{OLD}", ""),
        ("", f"{ONE},{TWO}", ""),
    ],
)
def test_the_latest_backup_is_this_labs_or_nobodys(
    tmp_path: Path, command: str, ident: str, known: str, tags: str
) -> None:
    calls = [c for c in noted(tmp_path, ident=ident, then=command, known=known) if c.startswith("restore")]
    assert [c.partition(" --no-lock")[0] for c in calls] == (
        [f"restore latest --tag {tags} --host lab"] if tags else []
    )


def test_each_host_of_a_lab_has_backups_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    calls = noted(tmp_path / "run", ident="", told=LAB, host="nas", then="backup")
    *_, backup, forget = [c for c in calls if not c.startswith("snapshots")]
    assert f"--host lab/nas --tag homelab-host --tag lab-{LAB} --exclude-file" in backup
    assert f"forget --quiet --host lab/nas --tag homelab-host,lab-{LAB} " in forget
    (tmp_path / "back").mkdir()
    calls = noted(tmp_path / "back", ident="", told=LAB, host="nas", then="restore latest 1 s/app", known=OURS)
    assert f"restore latest --tag homelab-host,{OURS} --host lab/nas --no-lock" in " ".join(calls)
    (tmp_path / "check").mkdir()
    calls = noted(tmp_path / "check", ident="", told=LAB, host="nas", then="compared 3", known=OURS)
    assert [c for c in calls if c.startswith("ls ") and "--host lab/nas" in c]


@pytest.mark.parametrize(("times", "said", "code"), [(2, "already locked by PID 7", 0), (2, "no space", 1)])
def test_a_run_waits_for_a_repository_that_another_host_has_for_itself(
    tmp_path: Path, times: int, said: str, code: int
) -> None:
    text = PLACE_SH[PLACE_SH.index("# patient") : PLACE_SH.index("# What SSH itself says")]
    text = text.replace("/state/", f"{tmp_path}/")
    stubs = f"""sleep() {{ echo slept; }}; say() {{ echo "$*"; }}
try_it() {{
  echo x >>{tmp_path}/tries
  [ $(wc -l <{tmp_path}/tries) -gt {times} ] || {{ echo "{said}" >&2; return 1; }}
}}
"""
    done = subprocess.run(["sh", "-c", f"{text}{stubs}patient try_it"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("slept")) == (code, 0 if code else times)
    assert (tmp_path / "said").read_text() == ("no space\n" if code else "")


LOCKED = """unable to create lock in backend: repository is already locked by PID 7 on h by root (UID 0, GID 0)
lock was created at 2026-01-01 00:00:00 (1s ago)
storage ID 1a
the `unlock` command can be used to remove stale locks
"""


def test_nobody_is_told_to_remove_the_lock_of_another_run(place: Place) -> None:
    (place.folder / "state/said").write_text(LOCKED)
    assert place.sh("why").stdout.strip().startswith("unable to create lock in backend: repository is already locked")


def test_a_check_that_another_hosts_run_keeps_out_is_none(tmp_path: Path) -> None:
    for name in ("state", "backup", "bin", "restore"):
        (tmp_path / name).mkdir()
    (tmp_path / "backup/jobs.sh").write_text("")
    (tmp_path / "state/checked").write_text("CHECKED 1 2 0\n")
    (tmp_path / "said").write_text(LOCKED)
    (tmp_path / "bin/restic").write_text(f"#!/bin/sh\ncat {tmp_path}/said >&2; exit 1\n")
    (tmp_path / "bin/restic").chmod(0o755)
    script = CHECK_SH + PLACE_SH[PLACE_SH.index("# why") : PLACE_SH.index("# The repository as the host")]
    for name in ("state", "backup", "restore"):
        script = script.replace(f"/{name}/", f"{tmp_path}/{name}/")
    env = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    text = f"{script}\nsay() {{ :; }}\nca=''\nverify 3"
    done = subprocess.run(["sh", "-c", text], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (75, "PROBLEM a backup or a check of another host has the repository\n")
    assert (tmp_path / "state/checked").read_text() == "CHECKED 1 2 0\n"


class Copies:
    """A lab's folder, and the script's parts that look through it, told what they would write to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("lab/media/app", "lab/media/out", "state", "backup", "dumps", "also", "elsewhere"):
            (folder / name).mkdir(parents=True)
        (folder / "backup/excludes").write_text(f"{folder}/lab/media/out\n*.tmp\n")
        text = LINKS_SH + RUN_SH[RUN_SH.index("# A database file is copied") : RUN_SH.index("finish() {")]
        for name in ("lab", "state", "backup", "dumps"):
            text = re.sub(rf"(?<![\w.}}])/{name}\b", f"{folder}/{name}", text)
        stubs = 'say() { echo "$*"; }\nwrong() { echo "PROBLEM $*"; }\n'
        owners = "owners() { owner media/app media app; owner media/app media other; owner media/out media out; }\n"
        self.script = f"{stubs}{owners}{text}ALSO='{folder}/also'\n"

    def run(self, then: str, *around: str) -> list[str]:
        done = subprocess.run(
            [*around, "sh", "-c", self.script + then], capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout.splitlines()

    def database(self, path: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(self.folder / path) as made:
            made.execute("CREATE TABLE t (x)")


@pytest.fixture
def copies(tmp_path: Path) -> Copies:
    return Copies(tmp_path)


def test_databases_are_found_on_disks_that_are_mounted_in_the_lab_and_not_in_what_is_left_out(copies: Copies) -> None:
    for path in ("media/app/a.db", "media/out/b.db", "media/out/c/d.db"):
        copies.database(f"lab/{path}")
    assert copies.run("sqlite") == ["copying media/app/a.db"]

    copies.database("elsewhere/e.db")
    inside = (*(() if os.geteuid() == 0 else ("sudo", "-n")), "unshare", "--mount", "--propagation", "private")
    tried = subprocess.run([*inside, "true"], capture_output=True, text=True, check=False)
    assert tried.returncode == 0, f"It mounts a disk: run it as root, or let sudo ask no password. {tried.stderr}"
    app = copies.folder / "lab/media/app"
    mount = f"mount -t tmpfs none {app}\ncp {copies.folder}/elsewhere/e.db {app}\n"
    assert copies.run(f"{mount}sqlite", *inside) == ["copying media/app/e.db"]


@pytest.mark.parametrize(
    ("target", "told"),
    [("elsewhere", True), ("gone", True), ("also", False), ("lab/media/data", False), ("", False)],
)
def test_a_folder_that_is_a_link_to_what_is_not_copied_is_told(copies: Copies, target: str, told: bool) -> None:
    (copies.folder / "lab/media/data").mkdir()
    if target:
        (copies.folder / "lab/media/app").rmdir()
        (copies.folder / "lab/media/app").symlink_to(copies.folder / target)
    # What is left out anyway is no problem.
    (copies.folder / "lab/media/out").rmdir()
    (copies.folder / "lab/media/out").symlink_to(copies.folder / "elsewhere")

    why = f"PROBLEM media/app lies behind a link to {copies.folder}/{target}, and what is there is not copied"
    assert [line.partition(", but")[0] for line in copies.run("links")] == [why] * told


@pytest.mark.parametrize(
    ("links", "told"),
    [
        ({"media/app": "/srv/my lab/media/data"}, ""),
        ({"media/app": "/home/me/lab/media/data"}, ""),
        ({"media/app": "more/./../data"}, ""),
        ({"media/app": "way", "media/way": "/srv/my lab/other/data", "other": "/home/me/lab/media"}, ""),
        ({"media/app": "/srv/my lab/media/gone"}, "/srv/my lab/media/gone"),
        ({"media/app": "/srv/my laboratory/media/data"}, "/srv/my laboratory/media/data"),
        ({"media/app": "way", "media/way": "ELSEWHERE"}, "way"),
        ({"media/app": "way", "media/way": "app"}, "way"),
    ],
)
def test_a_link_may_name_the_lab_as_its_machine_does(copies: Copies, links: dict[str, str], told: str) -> None:
    lab = copies.folder / "lab"
    (lab / "media/data").mkdir()
    (lab / "media/more").mkdir()
    (lab / "media/app").rmdir()
    for name, target in links.items():
        (lab / name).symlink_to(target.replace("ELSEWHERE", f"{copies.folder}/elsewhere"))
    names = jobs_text(Jobs(), BackupConfig(repository="/r"), {}, (), ["/srv/my lab", "/home/me/lab"])
    line = next(line for line in names.splitlines() if line.startswith("LABS="))

    why = f"PROBLEM media/app lies behind a link to {told}, and what is there is not copied, but the link alone"
    assert copies.run(f"{line}\nlinks") == [why] * bool(told)


class Runs:
    """The whole script with its folders below another, and a restic whose ``backup`` waits for ``go``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("state", "dumps", "lab", "backup", "bin", "restore"):
            (folder / name).mkdir()
        (folder / "bin/restic").write_text(
            f'#!/bin/sh\ncase "$1" in\n  cat) echo "{{}}" ;;\n  backup) touch {folder}/begun\n'
            f"    until [ -e {folder}/go ]; do sleep 0.05; done\n"
            '    echo \'{"message_type":"summary","snapshot_id":"abcd"}\' ;;\nesac\n'
        )
        (folder / "bin/docker").write_text("#!/bin/sh\n")
        for one in (folder / "bin").iterdir():
            one.chmod(0o755)
        (folder / "backup/jobs.sh").write_text("ALSO= KEEP=\ndumps() { :; }\nowners() { :; }\n")
        (folder / "backup/excludes").write_text("")
        text = RUN_SH
        for name in ("state", "dumps", "lab", "backup", "restore"):
            text = re.sub(rf"(?<![\w$])/{name}(?=[/\s\"])", f"{folder}/{name}", text)
        (folder / "run.sh").write_text(text)
        self.env = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "RESTIC_REPOSITORY": "rest:http://x/"}

    def begin(self) -> subprocess.Popen[str]:
        argv = ["sh", str(self.folder / "run.sh"), "backup"]
        pipe = subprocess.DEVNULL
        one = subprocess.Popen(argv, env=self.env, text=True, stdout=pipe, stderr=pipe, start_new_session=True)
        until = time.monotonic() + 20
        while not (self.folder / "begun").exists():
            assert one.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        return one

    def status(self, **env: str) -> list[str]:
        argv = ["sh", str(self.folder / "run.sh"), "status"]
        return subprocess.run(
            argv, env={**self.env, **env}, capture_output=True, text=True, check=True, timeout=20
        ).stdout.splitlines()


def test_a_run_that_was_killed_is_told_until_another_has_ended(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    assert runs.status() == ["null", "null"]
    assert runs.status(HOMELAB_FILES="sha256-1")[2:] == ["FILES sha256-1"]
    now = int(time.time())
    one = runs.begin()
    assert runs.status()[2:] == ["WORKS backup"]
    os.killpg(one.pid, signal.SIGKILL)
    one.wait(10)
    (broke,) = runs.status()[2:]
    assert broke.startswith("BROKE ") and now <= int(broke[6:]) <= time.time()
    (tmp_path / "begun").unlink()
    again = runs.begin()
    assert runs.status()[2:] == ["WORKS backup"]
    (tmp_path / "go").touch()
    assert again.wait(20) == 0
    last, _ = runs.status()
    assert '"result":"ok"' in last
