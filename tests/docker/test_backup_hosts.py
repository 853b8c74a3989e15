"""Backups of three real Docker hosts: this machine, one over SSH, one over mutual TLS; and one of them cut off.

Real here: three engines, SSH, TLS, Compose, restic, PostgreSQL, SQLite, and the REST server that two hosts share as
their repository (rclone's). The image that makes backups is built from Debian's programs.
"""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from homelab_mcp.adapters import backup_container
from homelab_mcp.adapters.backup_container import BackupContainer
from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core import env_file
from homelab_mcp.core.backup_script import RUN_SH
from homelab_mcp.core.derived import backups as derived
from homelab_mcp.model.errors import EngineUnavailable, InvalidInput
from homelab_mcp.model.plan import ActionKind, Plan, PlanState, PlanStatus
from homelab_mcp.queries.backup_everywhere import hosts_meant, reports, runs
from homelab_mcp.queries.backups import verify_backup
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.change_hosts import added, make_tls, write_hosts
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import propose_rollback, propose_set_env
from homelab_mcp.workflow.propose_any import propose_custom
from homelab_mcp.workflow.propose_backup import propose_configure_backup, propose_run_backup
from homelab_mcp.workflow.propose_changes import propose_remove_service
from homelab_mcp.workflow.propose_restore import propose_restore_backup
from testbed import LocalImage, Scratch
from testbed.definitions import definition
from testbed.docker_engine import docker, wait_until
from testbed.images import ensure_postgres
from testbed.storage import ensure_backup, rclone_binary
from tests.docker.host_rig import OtherMachine
from tests.docker.lab import PIN, REQUESTER, WATCHED

pytestmark = pytest.mark.timeout(580)

KEYS = {"RESTIC_REST_USERNAME": "lab", "RESTIC_REST_PASSWORD": secrets.token_hex(12)}
OWNER = "1234:1235"
TAIL = "    restart: unless-stopped\n    stop_grace_period: 2s\n    init: true\n"


class Rig:
    """A lab with a stack on each of three hosts, each with files, SQLite and, on ``shed``, PostgreSQL."""

    def __init__(self, root: Path, scratch: Scratch, image: str, database: str) -> None:
        self.root, self.run, self.image, self.database = root, scratch.run_id, image, database
        self.stacks = {h: scratch.claim_project(f"apps-{h}-{self.run}") for h in ("local", "shed", "attic")}
        self.makers = {h: scratch.claim_project(f"backup-{h}-{self.run}") for h in ("local", "shed", "attic")}
        self.machines: dict[str, OtherMachine] = {}
        self.url = ""

    def open(self) -> LocalLab:
        return open_lab(str(self.root))

    def apply(self, plan: Plan) -> PlanStatus:
        lab = self.open()
        approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
        return applier(lab, WATCHED).run(plan.id)

    def write(self, host: str, *, database: bool = False) -> None:
        """A stack's file, and its container there."""
        stack = self.root / self.stacks[host]
        stack.mkdir()
        head = "" if host == "local" else f"x-homelab: {{host: {host}}}\n"
        more = (
            f"  db:\n    image: {self.database}\n    user: '{OWNER}'\n"
            "    environment: {POSTGRES_USER: wiki, POSTGRES_DB: wiki, POSTGRES_PASSWORD: open-sesame-1234}\n"
            f"    volumes: ['./db/database:/var/lib/postgresql/data']\n{TAIL}"
        )
        (stack / "compose.yaml").write_text(
            f"{head}services:\n  wiki:\n    image: {self.image}\n    volumes: ['./wiki/data:/data']\n{TAIL}"
            + (more if database else "")
        )
        self.sh(host, f"mkdir -p /place/wiki/data; echo 'notes of {host}' >/place/wiki/data/notes.txt")
        if database:
            self.sh(host, f"mkdir -p /place/db/database; chown {OWNER} /place/db/database")
        self.open().compose.up(self.stacks[host], ())

    def close(self) -> None:
        """Take away what runs on this machine; the others go as a whole."""
        for stack in (self.stacks["local"], self.makers["local"]):
            if (self.root / stack).is_dir():
                self.open().compose.down(stack)

    def sh(self, host: str, command: str) -> str:
        """What a shell says that sees that host's stack as ``/place``, as root of that machine would."""
        folder = self.root / self.stacks[host]
        engine = ["-H", self.machines[host].socket] if host in self.machines else []
        argv = ["docker", *engine, "run", "--rm", "--network", "none", "--entrypoint", "/bin/sh"]
        maker = definition("backrest").container.image.reference
        argv += ["-v", f"{folder}:/place", maker, "-c", command]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def sql(self, query: str) -> str:
        argv = ["docker", "-H", self.machines["shed"].socket, "exec", f"{self.stacks['shed']}-db-1"]
        argv += ["psql", "-qtA", "-h", "127.0.0.1", "-U", "wiki", "-c", query]
        return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False).stdout.strip()

    def restic(self, host: str, *words: str) -> str:
        return self.maker(host, "restic", *words)

    def maker(self, host: str, *words: str) -> str:
        """What a program says in the container that makes a host's backups."""
        engine = ["-H", self.machines[host].socket] if host in self.machines else []
        argv = ["docker", *engine, "exec", self.makers[host], *words]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def rig(
    tmp_path_factory: pytest.TempPathFactory, stand_in: Callable[..., LocalImage], testbed_run: Scratch
) -> Iterator[Rig]:
    base = tmp_path_factory.mktemp("hosts")
    root = base / "stacks"
    maker = ensure_backup(definition("backrest").container.image.reference).reference
    page = stand_in(f"homelab-testbed/wiki-{testbed_run.run_id}:1", service="wiki", ports=[80]).reference
    database = ensure_postgres(f"homelab-testbed/postgres:{testbed_run.run_id}").reference
    values = {"domain": "lab.test", "route_network": testbed_run.network("routes")}
    values["internal_network"] = testbed_run.network("internal")
    init_lab(open_lab(str(root), files_only=True), values, PIN)
    make_tls(open_lab(str(root)), "attic", ("10.214.76.2",), 90, again=False)
    # What the second machine's engine needs of the folder that it does not see.
    tls = base / "attic-tls"
    shutil.copytree(root / ".homelab/tls/attic/server", tls)
    with (
        pytest.MonkeyPatch.context() as patch,
        OtherMachine(75, hides=root) as shed,
        OtherMachine(76, tls=tls, hides=root) as attic,
        ExitStack() as end,
    ):
        patch.setenv("PATH", str(shed.sshd()), prepend=":")
        found = Rig(root, testbed_run, page, database)
        found.machines = {"shed": shed, "attic": attic}
        shed.load(page, database, maker)
        attic.load(page, maker)
        lab = found.open()
        for name, address in (("shed", f"ssh://root@{shed.address}"), ("attic", f"tcp://{attic.address}:2376")):
            write_hosts(lab, added(lab, name, address, "", "", 10.0, unreached=False))
        end.callback(lambda: docker("rmi", "--force", database))
        end.enter_context(served(base / "rest", found, "10.214.75.1"))
        end.callback(found.close)
        yield found


@contextmanager
def served(folder: Path, rig: Rig, near: str) -> Iterator[None]:
    """A repository that containers of two engines reach: rclone's REST server for restic, on this machine."""
    folder.mkdir()
    with socket.socket() as one:
        one.bind((near, 0))
        port = one.getsockname()[1]
    rig.url = f"rest:http://{near}:{port}/"
    # It asks nobody who they are: Debian 12's restic 0.14 does not read these names yet, as restic does since 0.16.
    argv = [str(rclone_binary()), "serve", "restic", "--addr", f"{near}:{port}", str(folder)]
    child = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # Containers there have addresses of their own, which nobody translates.
    subprocess.run(["ip", "route", "replace", "10.215.0.0/16", "via", rig.machines["shed"].address], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "route", "del", "10.215.0.0/16"], check=False)
        child.terminate()
        child.wait(30)


def test_each_host_makes_backups_of_what_it_has_and_a_lost_one_holds_up_nobody(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for host in ("local", "shed", "attic"):
        rig.write(host, database=host == "shed")
    wait_until(lambda: rig.sql("SELECT 1") == "1", "PostgreSQL", within=100, every=1)
    rig.sql("CREATE TABLE people (name TEXT); INSERT INTO people SELECT 'p' || n FROM generate_series(1, 500) n")

    mine = propose_configure_backup(
        rig.open(), {"repository": rig.url, "keep": {"last": 1}}, REQUESTER, stack=rig.makers["local"], keys=KEYS
    )
    assert rig.apply(mine).state is PlanState.DONE
    # It has the lab's repository, and so its password and keys, where nobody says another.
    theirs = propose_configure_backup(rig.open(), {}, REQUESTER, stack=rig.makers["shed"], host="shed")
    assert any("its password and keys are on shed" in r.reason for r in theirs.draft.risks)
    assert rig.apply(theirs).state is PlanState.DONE
    envs = [env_file.parse((rig.root / rig.makers[h] / ".env").read_text()) for h in ("local", "shed")]
    assert {n: envs[0][n] for n in ("RESTIC_PASSWORD", *KEYS)} == {n: envs[1][n] for n in ("RESTIC_PASSWORD", *KEYS)}
    own = {"repository": str(rig.root.parent / "attics-disk")}
    assert rig.apply(
        propose_configure_backup(rig.open(), own, REQUESTER, stack=rig.makers["attic"], host="attic")
    ).state

    before = reports(rig.open())
    assert set(before.hosts) == {"shed", "attic"}
    assert {"shed: No backup has been made yet.", "attic: No backup has been made yet."} <= set(before.main.problems)
    assert not [u for u in before.main.uncovered if "makes no backup" in u]
    theirs_now = before.hosts["shed"]
    assert theirs_now is not None
    assert theirs_now.databases == (f"{rig.stacks['shed']}/db (postgres)",)

    # By a plan, of all at once.
    done = rig.apply(propose_run_backup(rig.open(), REQUESTER))
    assert done.state is PlanState.DONE, done.evidence
    for host in ("local", "shed", "attic"):
        assert any(e.what.startswith(f"{host}: backup ") and "is in the repository" in e.what for e in done.evidence)
    assert f"shed: {rig.stacks['shed']}/db was dumped" in [e.what for e in done.evidence]
    shared = json.loads(rig.restic("local", "snapshots", "--json"))
    assert sorted(s["hostname"] for s in shared) == ["lab", "lab/shed"]
    held = rig.restic("shed", "ls", "latest", "--host", "lab/shed")
    assert f"/lab/{rig.stacks['shed']}/wiki/data/notes.txt" in held.split()
    assert f"/dumps/{rig.stacks['shed']}/db.sql" in held.split()
    assert f"/lab/{rig.stacks['local']}/wiki/data/notes.txt" not in held.split()
    assert (
        rig.restic("attic", "dump", "latest", f"/lab/{rig.stacks['attic']}/wiki/data/notes.txt") == "notes of attic\n"
    )

    # Each lets go of its own alone.
    assert runs(rig.open(), ["shed"])["shed"]["result"] == "ok"
    after = json.loads(rig.restic("local", "snapshots", "--json"))
    assert sorted(s["hostname"] for s in after) == ["lab", "lab/shed"]
    assert {s["id"] for s in after if s["hostname"] == "lab"} == {s["id"] for s in shared if s["hostname"] == "lab"}
    assert verify_backup(rig.open(), sample=3, host="shed")["ok"]

    # A service's files, its SQLite and PostgreSQL come back there, and the way back puts all of today's in place again.
    stack = rig.stacks["shed"]
    rows = "SELECT count(*) FROM people"
    rig.sql("DELETE FROM people WHERE name > 'p2'")
    rig.sh("shed", "echo later >/place/wiki/data/notes.txt; echo more >/place/wiki/data/more.txt")
    now = rig.sql(rows)
    assert now != "500"
    plan = propose_restore_backup(rig.open(), stack, REQUESTER)
    assert [m.target for m in plan.draft.moves if "@shed/" in m.target]
    assert rig.apply(plan).state is PlanState.DONE
    assert rig.sql(rows) == "500"
    assert rig.sh("shed", "cat /place/wiki/data/notes.txt; ls /place/wiki/data") == "notes of shed\nnotes.txt"
    assert not (rig.root / stack / "wiki").exists(), "nothing of it is on this machine"
    assert rig.apply(propose_rollback(rig.open(), plan.id, REQUESTER)).state is PlanState.DONE
    wait_until(lambda: rig.sql(rows) == now, "today's rows again", within=60)
    assert rig.sh("shed", "cat /place/wiki/data/notes.txt; ls /place/wiki/data") == "later\nmore.txt\nnotes.txt"
    # A backup that another host made is told as such, and holds nothing of it.
    of_local = next(s["short_id"] for s in after if s["hostname"] == "lab")
    with pytest.raises(InvalidInput) as other:
        propose_restore_backup(rig.open(), stack, REQUESTER, backup=of_local)
    assert other.value.code == "not_in_backup"

    # What comes to a host comes into the list of its backup, by the same plan.
    wish = {"name": f"second-{rig.run}", "image": rig.image, "stack": stack, "volumes": ["/data"]}
    more = propose_custom(rig.open(), wish, REQUESTER)
    assert any(a.stack == rig.makers["shed"] and a.kind is ActionKind.UP for a in more.draft.actions)
    assert rig.apply(more).state is PlanState.DONE
    assert f"owner {stack}/second-{rig.run}/data " in rig.maker("shed", "cat", "/backup/jobs.sh")

    # Over SSH, and of one host alone.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backup_container, "LOOK_SECONDS", 2.0)
        patch.setattr(BackupContainer, "_argv", lambda self, words: ["docker", "exec", self._container(), *words])
        cutter = threading.Timer(8.0, rig.machines["shed"].pull_the_cable)
        cutter.start()
        begun = time.monotonic()
        with pytest.raises(EngineUnavailable) as given_up:
            rig.open().restic_at("shed").run(["sleep", "60"], seconds=600)
        assert 8.0 < time.monotonic() - begun < 30.0
        assert given_up.value.code == "host_silent"
        assert given_up.value.hint.startswith("Its run goes on there by itself.")
        cutter.join()
    rig.machines["shed"].put_the_cable_back()
    wait_until(lambda: not reports(rig.open()).main.problems, "the second host again", within=60)

    usual = _took(lambda: reports(rig.open()))
    rig.machines["attic"].pull_the_cable()
    begun = time.monotonic()
    cut = reports(rig.open())
    assert time.monotonic() - begun < usual + 2.0
    assert [p for p in cut.main.problems if p.startswith("attic: Host attic does not answer")]
    assert cut.hosts["shed"] is not None and cut.hosts["shed"].total == 1
    lost = runs(rig.open(), hosts_meant(rig.open(), ""))
    missed = _an_upgrade(rig, monkeypatch)
    assert any(n.startswith("What the backup of attic reads follows; attic does not answer") for n in missed)
    assert {name: one["result"] for name, one in lost.items()} == {"local": "ok", "shed": "ok", "attic": "failed"}
    assert "does not answer" in lost["attic"]["error"]
    rig.machines["attic"].put_the_cable_back()
    older = "attic: Its container was made before its files changed"
    wait_until(lambda: [p[: len(older)] for p in reports(rig.open()).main.problems] == [older], "it again", within=60)
    # The next plan brings it what it missed.
    env = propose_set_env(rig.open(), rig.stacks["local"], {"COLOUR": "red"}, REQUESTER)
    assert [a.stack for a in env.draft.actions if a.kind is ActionKind.UP] == [rig.makers["attic"]]
    assert rig.apply(env).state is PlanState.DONE
    assert not reports(rig.open()).main.problems
    assert rig.maker("attic", "tail", "-n", "1", "/backup/run.sh") == NEWER

    _goes(rig, theirs)


NEWER = "# newer\n"


def _an_upgrade(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Notes of the first plan after an upgrade of the program."""
    monkeypatch.setattr(derived, "RUN_SH", RUN_SH + NEWER)
    plan = propose_set_env(rig.open(), rig.stacks["local"], {"COLOUR": "blue"}, REQUESTER)
    assert rig.apply(plan).state is PlanState.DONE
    return plan.draft.notes


def _goes(rig: Rig, setup: Plan) -> None:
    """A backup at work is told; those of other hosts are taken away, by a removal and by a roll-back with moves."""
    hold = "exec 9>/state/lock; flock 9; exec sh -c 'echo $$ >/tmp/held; exec sleep 60'"
    rig.maker("shed", "sh", "-c", f"({hold}) >/dev/null 2>&1 &")
    wait_until(lambda: "held" in rig.maker("shed", "ls", "/tmp"), "the lock")
    ends = propose_configure_backup(rig.open(), {"schedule": "1 2 * * *"}, REQUESTER, host="shed")
    assert [r.reason for r in ends.draft.risks if "A backup is at work on shed" in r.reason]
    rig.maker("shed", "sh", "-c", "kill $(cat /tmp/held)")

    gone = propose_remove_service(rig.open(), rig.makers["attic"], rig.makers["attic"], REQUESTER)
    assert rig.apply(gone).state is PlanState.DONE
    assert rig.makers["attic"] not in rig.machines["attic"].running()
    assert not (rig.root / rig.makers["attic"] / "compose.override.yml").exists()

    stack, rows = rig.stacks["shed"], "SELECT count(*) FROM people"
    rig.sql("DELETE FROM people WHERE name > 'p10'")
    now = rig.sql(rows)
    assert rig.apply(propose_restore_backup(rig.open(), stack, REQUESTER)).state is PlanState.DONE
    assert rig.sql(rows) != now
    back = propose_rollback(rig.open(), setup.id, REQUESTER, to="before")
    removed = [a.stack for a in back.draft.actions if a.kind is ActionKind.REMOVE]
    assert back.draft.moves and rig.makers["shed"] in removed
    status = rig.apply(back)
    assert status.state is PlanState.DONE, status
    wait_until(lambda: rig.sql(rows) == now, "the rows of before the restore", within=60)
    assert rig.makers["shed"] not in rig.machines["shed"].running()


def _took(ask: Callable[[], object]) -> float:
    begun = time.monotonic()
    ask()
    return time.monotonic() - begun
