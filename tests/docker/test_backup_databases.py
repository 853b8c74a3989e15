"""Backups of a real MariaDB and a real Redis by real restic: destroyed, restored, and every row and key is back."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.plan import Plan, PlanState, PlanStatus, Requester
from homelab_mcp.queries.backups import report, run_backup
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.propose_backup import propose_configure_backup
from homelab_mcp.workflow.propose_restore import propose_restore_backup
from homelab_mcp.workflow.verifier import Patience
from testbed import Scratch
from testbed.databases import ensure_mariadb, ensure_redis
from testbed.definitions import definition
from testbed.docker_engine import docker, wait_until
from testbed.storage import ensure_backup

pytestmark = pytest.mark.timeout(300)

PIN = "27182818"
CLI = Requester("cli")


class DatabaseRig:
    """A lab with a MariaDB and a Redis that writes its file only when told to, and a backup of both."""

    def __init__(self, folder: Path, scratch: Scratch) -> None:
        run = scratch.run_id
        self.root = folder / "lab"
        (folder / "repository").mkdir(parents=True)
        self.apps, self.backup = scratch.claim_project(f"bases-{run}"), scratch.claim_project(f"saved-{run}")
        ensure_backup(definition("backrest").container.image.reference)
        # The names by which the kinds are known.
        self.images = (f"homelab-testbed/mariadb:{run}", f"homelab-testbed/redis:{run}")
        ensure_mariadb(self.images[0])
        ensure_redis(self.images[1])
        stack = self.root / self.apps
        for part in ("base/database", "cache/data"):
            (stack / part).mkdir(parents=True)
        (self.root / "homelab.yaml").write_text("domain: lab.test\n")
        tail = "    restart: unless-stopped\n    stop_grace_period: 5s\n    init: true\n"
        (stack / "compose.yaml").write_text(
            f"services:\n  base:\n    image: {self.images[0]}\n"
            "    environment: {MARIADB_DATABASE: shop, MARIADB_USER: shop, MARIADB_PASSWORD: '${SHOP}',"
            " MARIADB_ROOT_PASSWORD: '${ROOT}'}\n"
            f"    volumes: ['./base/database:/var/lib/mysql']\n{tail}"
            f"  cache:\n    image: {self.images[1]}\n    volumes: ['./cache/data:/data']\n{tail}"
        )
        (stack / ".env").write_text("SHOP='sesame of 1001 $ nights'\nROOT='the-roots-own'\n")
        self.lab = LocalLab(str(self.root))
        self.lab.history.ensure()
        self.lab.approver.create(PIN)
        self.lab.compose.up(self.apps, ())
        wait_until(lambda: self.sql("SELECT 1") == "1", "MariaDB", within=120, every=1)
        wait_until(lambda: self.redis("PING") == "PONG", "Redis", within=30, every=1)
        plan = propose_configure_backup(self.lab, {"repository": str(folder / "repository")}, CLI, stack=self.backup)
        assert self.apply(plan).state is PlanState.DONE

    def apply(self, plan: Plan) -> PlanStatus:
        approvals(self.lab).out_of_band(plan.id, PIN, who="test", approved=True)
        return applier(self.lab, Patience(stable=2)).run(plan.id)

    def sql(self, query: str) -> str:
        shell = 'exec mariadb -N -B -h 127.0.0.1 -u shop --password="$MARIADB_PASSWORD" shop -e "$0"'
        return self._inside("base", "sh", "-c", shell, query)

    def redis(self, *words: str) -> str:
        return self._inside("cache", "redis-cli", *words)

    def _inside(self, service: str, *words: str) -> str:
        argv = ["docker", "exec", f"{self.apps}-{service}-1", *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False).stdout.strip()

    def close(self) -> None:
        for stack in (self.apps, self.backup):
            self.lab.compose.down(stack)
        docker("rmi", "--force", *self.images)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[DatabaseRig]:
    with Scratch() as scratch:
        made = DatabaseRig(tmp_path, scratch)
        yield made
        made.close()


def test_a_mariadb_and_a_redis_come_back_whole(rig: DatabaseRig) -> None:
    rig.sql("CREATE TABLE goods (name VARCHAR(40) CHARACTER SET utf8mb4); INSERT INTO goods VALUES ('it''s 🫖'), ('b')")
    rig.sql("CREATE TRIGGER shout BEFORE INSERT ON goods FOR EACH ROW SET NEW.name = UPPER(NEW.name)")
    goods = "SELECT GROUP_CONCAT(name ORDER BY name) FROM goods"
    before = rig.sql(goods)
    assert "🫖" in before
    # In memory alone: nothing but the backup's own SAVE brings it to the disk.
    assert rig.redis("SET", "visits", "4711") == "OK"
    assert not (rig.root / rig.apps / "cache/data/dump.rdb").exists()

    done = run_backup(rig.lab)
    assert (done["result"], done["problems"]) == ("ok", []), done
    assert report(rig.lab).databases == (f"{rig.apps}/base (mariadb)",)

    rig.lab.compose.down(rig.apps)
    for folder in ("base", "cache"):
        subprocess.run(["rm", "-rf", str(rig.root / rig.apps / folder)], check=True)
    status = rig.apply(propose_restore_backup(rig.lab, rig.apps, CLI))
    assert status.state is PlanState.DONE, status
    assert rig.sql(goods) == before
    rig.sql("INSERT INTO goods VALUES ('c')")
    assert "C" in rig.sql(goods), "triggers are in the dump"
    wait_until(lambda: rig.redis("GET", "visits") == "4711", "the key in memory", within=30, every=1)
