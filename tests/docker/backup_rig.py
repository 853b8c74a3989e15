"""A lab with a PostgreSQL and a SQLite service, and a backup of it by real restic to a folder beside it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.plan import Plan, PlanState, PlanStatus, Requester
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.propose_backup import propose_configure_backup
from homelab_mcp.workflow.verifier import Patience
from testbed import LocalImage, Scratch
from testbed.definitions import definition
from testbed.docker_engine import docker, wait_until
from testbed.images import ensure_postgres
from testbed.storage import ensure_backup

PIN = "27182818"
CLI = Requester("cli")
OWNER = (1234, 1235) if os.getuid() == 0 else (os.getuid(), os.getgid())

KILL = r"""
i=0 restic=""
until [ -n "$restic" ]; do
  for p in $(pidof restic); do
    if grep -qzx backup "/proc/$p/cmdline" 2>/dev/null && ls "$RESTIC_REPOSITORY"/locks/* >/dev/null 2>&1; then
      kill -STOP "$p" && restic=$p
    fi
  done
  i=$((i + 1)); [ $i -lt 2000 ] || exit 1; [ -n "$restic" ] || sleep 0.02
done
for p in /proc/[2-9]* /proc/1[0-9]*; do
  if grep -qzx /backup/run.sh "$p/cmdline" 2>/dev/null; then kill -9 "${p#/proc/}"; fi
done
kill -9 "$restic"
"""
"""Waits inside the container, as a command sent when restic is seen may come when it has ended.

It stands still while the script goes first, or it would see how restic ended; looking for that takes a busy machine
longer than a backup. busybox's ``pidof`` finds no scripts. Number 1 is the clock.
"""


class BackupRig:
    """A lab with ``wiki`` (files and SQLite), ``db`` (PostgreSQL), and a backup to a folder beside the lab."""

    def __init__(self, folder: Path, scratch: Scratch, stand_in: Callable[..., LocalImage]) -> None:
        run = scratch.run_id
        self.root, self.repository = folder / "lab", folder / "repository"
        self.repository.mkdir(parents=True)
        self.apps, self.backup = scratch.claim_project(f"apps-{run}"), scratch.claim_project(f"backup-{run}")
        ensure_backup(definition("backrest").container.image.reference)
        database = self.database = ensure_postgres(f"homelab-testbed/postgres:{run}").reference
        page = stand_in(f"homelab-testbed/wiki-{run}:1", service="wiki", ports=[80]).reference
        stack = self.root / self.apps
        for part in ("wiki/data", "db/database", "db/conf"):
            (stack / part).mkdir(parents=True)
        (stack / "db/conf/lab.conf").write_text("work_mem = 8MB\n")
        os.chown(stack / "db/database", *OWNER)
        (self.root / "homelab.yaml").write_text("domain: lab.test\n")
        tail = "    restart: unless-stopped\n    stop_grace_period: 2s\n    init: true\n"
        (stack / "compose.yaml").write_text(
            f"services:\n  wiki:\n    image: {page}\n    volumes: ['./wiki/data:/data']\n{tail}"
            f"  db:\n    image: {database}\n    user: '{OWNER[0]}:{OWNER[1]}'\n"
            "    environment: {POSTGRES_USER: wiki, POSTGRES_DB: wiki, POSTGRES_PASSWORD: '${DB_PASSWORD}'}\n"
            f"    volumes: ['./db/database:/var/lib/postgresql/data', './db/conf:/etc/lab:ro']\n{tail}"
        )
        (stack / ".env").write_text("DB_PASSWORD='open-sesame-1234'\n")
        self.data = stack / "wiki/data"
        (self.data / "notes.txt").write_text("the family's notes\n")
        with sqlite3.connect(self.data / "wiki.db") as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("CREATE TABLE pages (name TEXT)")
            db.executemany("INSERT INTO pages VALUES (?)", [(f"page {n}",) for n in range(300)])
        db.close()
        self.lab = LocalLab(str(self.root))
        self.lab.history.ensure()
        self.lab.approver.create(PIN)
        self.lab.compose.up(self.apps, ())
        # Each look is a process in the container, and takes from what it waits for.
        wait_until(lambda: self.sql("SELECT 1") == "1", "PostgreSQL", within=100, every=1)
        self.sql("CREATE TABLE people (name TEXT); INSERT INTO people SELECT 'p' || n FROM generate_series(1, 500) n")
        changes = {"repository": str(self.repository), "keep": {"last": 12}}
        plan = propose_configure_backup(self.lab, changes, CLI, stack=self.backup)
        assert self.apply(plan).state is PlanState.DONE

    def apply(self, plan: Plan) -> PlanStatus:
        approvals(self.lab).out_of_band(plan.id, PIN, who="test", approved=True)
        return applier(self.lab, Patience(stable=2)).run(plan.id)

    def sql(self, query: str) -> str:
        argv = ["docker", "exec", f"{self.apps}-db-1", "psql", "-qtA", "-h", "127.0.0.1", "-U", "wiki", "-c", query]
        return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False).stdout.strip()

    def rows(self) -> str:
        return self.sql("SELECT count(*) || '/' || md5(string_agg(name, ',' ORDER BY name)) FROM people")

    def people(self) -> int:
        return int(self.rows().partition("/")[0] or 0)

    def pages(self) -> list[str]:
        with sqlite3.connect(self.data / "wiki.db") as db:
            found = [str(r[0]) for r in db.execute("SELECT name FROM pages ORDER BY rowid")]
        db.close()
        return found

    def restic(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = ["docker", "exec", self.backup, "restic", *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)

    def close(self) -> None:
        """Take away what runs, and the image made for it."""
        for stack in (self.apps, self.backup):
            self.lab.compose.down(stack)
        docker("rmi", "--force", self.database)
