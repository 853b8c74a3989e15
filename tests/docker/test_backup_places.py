"""Backups to other machines with real restic: SFTP by OpenSSH, an S3 store, a cloud by rclone."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.errors import EngineFailed
from homelab_mcp.model.plan import Plan, PlanState, PlanStatus, Requester
from homelab_mcp.queries.backup_list import snapshots
from homelab_mcp.queries.backups import report, run_backup, verify_backup
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.propose_backup import propose_configure_backup
from homelab_mcp.workflow.propose_restore import propose_restore_backup
from homelab_mcp.workflow.verifier import Patience
from testbed import LocalImage, Scratch
from testbed.definitions import definition
from testbed.docker_engine import docker, wait_until
from testbed.storage import ensure_backup, ensure_storage
from tests.doc_play import played, shell_of
from tests.docker.storage_rig import ACCESS, HOST, KINDS, SECRET, Storage, own_tls

pytestmark = pytest.mark.timeout(600)

PIN = "27182818"
CLI = Requester("cli")
PAGES = [f"page {n}" for n in range(300)]


class PlaceRig:
    """A lab with one service (files and SQLite), and storage on another machine."""

    def __init__(
        self,
        folder: Path,
        scratch: Scratch,
        stand_in: Callable[..., LocalImage],
        storage: Callable[[Scratch, Path], Storage],
    ) -> None:
        run = scratch.run_id
        self.root = folder / "lab"
        self.apps, self.backup = scratch.claim_project(f"apps-{run}"), scratch.claim_project(f"backup-{run}")
        ensure_backup(definition("backrest").container.image.reference)
        page = stand_in(f"homelab-testbed/wiki-{run}:1", service="wiki", ports=[80]).reference
        self.data = self.root / self.apps / "wiki/data"
        self.data.mkdir(parents=True)
        (self.root / "homelab.yaml").write_text("domain: lab.test\n")
        (self.root / self.apps / "compose.yaml").write_text(
            f"services:\n  wiki:\n    image: {page}\n    volumes: ['./wiki/data:/data']\n"
            "    restart: unless-stopped\n    stop_grace_period: 2s\n    init: true\n"
        )
        (self.data / "notes.txt").write_text("the family's notes\n")
        with sqlite3.connect(self.data / "wiki.db") as db:
            db.execute("CREATE TABLE pages (name TEXT)")
            db.executemany("INSERT INTO pages VALUES (?)", [(p,) for p in PAGES])
        db.close()
        self.lab = LocalLab(str(self.root))
        self.lab.history.ensure()
        self.lab.approver.create(PIN)
        self.lab.compose.up(self.apps, ())
        self.storage_folder = folder / "storage"
        self.storage: Storage = storage(scratch, self.storage_folder)
        self.storage.put_files(self.root / self.backup)
        changes = {"repository": self.storage.repository}
        self.plan = propose_configure_backup(self.lab, changes, CLI, stack=self.backup, keys=self.storage.keys)
        assert self.apply(self.plan).state is PlanState.DONE
        self.storage.container.join(f"{self.backup}_default", alias=HOST)

    def apply(self, plan: Plan) -> PlanStatus:
        approvals(self.lab).out_of_band(plan.id, PIN, who="test", approved=True)
        return applier(self.lab, Patience(stable=2)).run(plan.id)

    def close(self) -> None:
        self.storage.container.remove()
        for stack in (self.apps, self.backup):
            self.lab.compose.down(stack)

    def pages(self) -> list[str]:
        with sqlite3.connect(self.data / "wiki.db") as db:
            found = [str(r[0]) for r in db.execute("SELECT name FROM pages ORDER BY rowid")]
        db.close()
        return found


@pytest.fixture(scope="module", params=sorted(KINDS))
def rig(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    testbed_run: Scratch,
    stand_in: Callable[..., LocalImage],
) -> Iterator[PlaceRig]:
    with Scratch() as scratch:
        made = PlaceRig(tmp_path_factory.mktemp("places"), scratch, stand_in, KINDS[request.param])
        yield made
        made.close()


def test_what_was_destroyed_comes_back_from_another_machine(rig: PlaceRig) -> None:
    done = run_backup(rig.lab)
    assert (done["result"], done["problems"]) == ("ok", []), done
    assert run_backup(rig.lab)["result"] == "ok", "a second one goes into the same repository"
    assert len(snapshots(rig.lab)) == 2

    rig.lab.compose.down(rig.apps)
    shutil.rmtree(rig.data.parent)
    plan = propose_restore_backup(rig.lab, rig.apps, CLI)
    status = rig.apply(plan)
    assert status.state is PlanState.DONE, status
    assert rig.pages() == PAGES
    assert (rig.data / "notes.txt").read_text() == "the family's notes\n"

    verified = verify_backup(rig.lab, sample=5)
    assert verified["ok"], verified
    assert verified["same"] >= 3
    told = report(rig.lab)
    assert (told.total, told.problems, told.repository) == (2, (), rig.storage.repository)


def test_keys_are_seen_nowhere_but_where_a_person_put_them(rig: PlaceRig) -> None:
    kept = {rig.root / rig.backup / name for name in (".env", *rig.storage.files)}
    everywhere = [p for p in rig.root.rglob("*") if p.is_file() and p not in kept]
    assert len(everywhere) > 20, "the lab's git and journal are among them"
    told = {str(p): p.read_bytes() for p in everywhere}
    told["log"] = docker("logs", rig.backup).encode()
    told["plan"] = repr(rig.plan.draft.summary).encode() + repr(rig.plan.draft.notes).encode()
    told["container"] = docker("inspect", "--format", "{{json .Args}}{{json .Config.Labels}}", rig.backup).encode()
    for canary in rig.storage.canaries:
        assert not [name for name, text in told.items() if canary.encode() in text]
    # A person who adds all that is there adds no key.
    found = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(rig.root), "status", "--porcelain", "-uall"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert not [line for line in found.splitlines() if line.endswith(("id_ed25519", "rclone.conf", ".env"))], found


def failed_with(rig: PlaceRig) -> str:
    done = run_backup(rig.lab)
    assert done["result"] == "failed", done
    (told,) = map(str, done["problems"])
    with pytest.raises(EngineFailed) as caught:
        snapshots(rig.lab)
    cause = told.removeprefix("the repository: ")
    assert cause[-40:] in caught.value.message.replace('"', "'"), (cause, caught.value.message)
    return cause


def test_what_is_wrong_is_told_in_the_words_of_who_knows(rig: PlaceRig) -> None:
    folder = rig.root / rig.backup
    if rig.storage.kind == "sftp":
        (folder / "ssh/known_hosts").write_text("")
        assert "Host key verification failed" in failed_with(rig)
        rig.storage.put_files(folder)
        (folder / "ssh/id_ed25519").write_text((rig.storage_folder / "other").read_text())
        assert "Permission denied (publickey)" in failed_with(rig)
    if rig.storage.kind == "s3":
        right = (folder / ".env").read_text()
        for wrong, cause in ((SECRET, "signature"), (ACCESS, "does not exist in our records")):
            (folder / ".env").write_text(right.replace(wrong, f"wrong-{wrong}"))
            rig.lab.compose.up(rig.backup, ())
            assert cause in failed_with(rig)
        (folder / ".env").write_text(right)
        rig.lab.compose.up(rig.backup, ())
    if rig.storage.kind == "rclone":
        right = (folder / "rclone/rclone.conf").read_text()
        (folder / "rclone/rclone.conf").write_text("")
        assert "didn't find section in config file" in failed_with(rig)
        (folder / "rclone/rclone.conf").write_text(right.replace("anna", "bert"))
        assert "401 Unauthorized" in failed_with(rig)
    rig.storage.put_files(folder)
    assert run_backup(rig.lab)["result"] == "ok", "as before"


def test_a_repository_that_is_gone_is_not_begun_anew(rig: PlaceRig) -> None:
    assert run_backup(rig.lab)["result"] == "ok"
    server, disk = rig.storage.container, rig.storage.disk
    newest = snapshots(rig.lab)[0]
    server.exec("sh", "-c", f"mv {disk} /elsewhere && mkdir {disk} && chmod 777 {disk}")
    # Its memory of folders goes.
    docker("restart", "--time", "1", server.name)
    word = "it was there before, so none is made anew"
    wait_until(lambda: word in str(run_backup(rig.lab)["problems"]), "a repository that is gone", within=120, every=1)
    server.exec("sh", "-c", f"rmdir {disk} && mv /elsewhere {disk}")
    docker("restart", "--time", "1", server.name)
    wait_until(lambda: run_backup(rig.lab)["result"] == "ok", "a backup as before", within=120, every=1)
    assert newest in snapshots(rig.lab)


def test_a_store_with_a_certificate_of_ones_own_is_trusted_once_its_authority_is_there(
    tmp_path: Path, stand_in: Callable[..., LocalImage]
) -> None:
    with Scratch() as scratch:
        rig = PlaceRig(tmp_path, scratch, stand_in, own_tls)
        try:
            # restic tries for a quarter of an hour; what SSL says at once is enough to know.
            argv = ["docker", "exec", rig.backup, "timeout", "20", "restic", "--no-lock", "snapshots"]
            said = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120).stderr
            assert "certificate signed by unknown authority" in said, said
            folder = rig.root / rig.backup / "ca"
            shutil.copy(rig.storage_folder / "ca.pem", folder / "home.pem")
            done = run_backup(rig.lab)
            assert (done["result"], done["problems"]) == ("ok", []), done
            assert len(snapshots(rig.lab)) == 1
            assert verify_backup(rig.lab, sample=2)["ok"]
        finally:
            rig.close()


PASSWORD = "the-nas-s-own-word"
HASH = "$6$homelab$29rXQOCqzhMslIbofZdDC9FH3kQdM7qJ9UfiyX3BBWzomWklH2yYk.wfiSxzhxrzJJ.kc6YwGHqetVXZUej/q."
"""What ``openssl passwd -6 -salt homelab`` makes of it."""

# ssh-copy-id takes a Dropbear for a router's, where the keys lie in /etc.
NAS = f"""
echo 'me:x:1400:1400:me:/home/me:/bin/sh' >> /etc/passwd && echo 'me:{HASH}:20000:0:99999:7:::' > /etc/shadow &&
mkdir -p /home/me/.ssh /volume1/backup /etc/dropbear && touch /home/me/.ssh/authorized_keys &&
ln -s /home/me/.ssh/authorized_keys /etc/dropbear/ && chmod -R go= /home/me &&
chown -R 1400:1400 /home/me /volume1/backup &&
exec dropbear -F -E -R -p 22
"""


def test_the_page_s_commands_lead_to_a_nas(
    tmp_path: Path, testbed_run: Scratch, stand_in: Callable[..., LocalImage]
) -> None:
    """A NAS that lets ``me`` in with a password until it has the key; its address stands for its name."""
    root, backup = tmp_path / "lab", "backup"
    (tmp_path / "home" / ".ssh").mkdir(parents=True)
    # SSH goes by the account's home folder, whatever HOME says: these stay out of it.
    programs = tmp_path / "programs"
    programs.mkdir()
    known = tmp_path / "home" / ".ssh" / "known_hosts"
    (programs / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -o UserKnownHostsFile={known} "$@"\n')
    (programs / "ssh").chmod(0o755)
    ensure_backup(definition("backrest").container.image.reference)
    lab = LocalLab(str(root))
    root.mkdir()
    (root / "homelab.yaml").write_text("domain: lab.test\n")
    lab.history.ensure()
    lab.approver.create(PIN)
    with Scratch() as scratch:
        network = scratch.network("nas")
        nas = scratch.container(ensure_storage().reference, "sh", "-c", NAS, what="nas", network=network)
        address = docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", nas.name)
        path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        here = {"me@nas": f"me@{address}", "ed25519 nas ": f"ed25519 {address} "}
        shell = shell_of(root, here, PATH=path, HOME=str(tmp_path / "home"))
        wait_until(lambda: "22" in nas.exec("netstat", "-tln"), "the NAS", within=30)
        with played("docs/backups.md", __file__) as play:
            folder, key, scan, copy, configure = play.lines
            play.type(shell, folder, key, scan)
            play.type(shell, copy, replies=[("(yes/no", "yes"), ("password:", PASSWORD)])
            (told,) = play.type(shell, configure, replies=[("Approval PIN", PIN)])
            assert told.code == 0, told
        try:
            # The page's NAS is in the house's network; this one has one of its own.
            docker("network", "connect", network, backup)
            done = run_backup(lab)
            assert (done["result"], done["problems"]) == ("ok", []), done
            assert "config" in nas.exec("ls", "/volume1/backup")
        finally:
            lab.compose.down(backup)
