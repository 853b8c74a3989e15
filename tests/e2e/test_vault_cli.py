"""Encryption at rest as a person meets it: the key's commands, snapshots and their restore, a lost key, migration."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.e2e.server import LabOnDisk, call, connected, data

CANARY = "canary-value-51e7d0"

pytestmark = pytest.mark.timeout(240)


def kept(lab: LabOnDisk) -> bytes:
    """Every byte of the lab's private folder."""
    return b"".join(p.read_bytes() for p in sorted((lab.root / ".homelab").rglob("*")) if p.is_file())


def applied(lab: LabOnDisk, *command: str) -> str:
    plan = lab.json(*command, "--plan-only", code=3)["plan_id"]
    assert lab.approve(plan, "--apply")["state"] == "done"
    return str(plan)


def test_a_snapshot_is_taken_before_each_apply_and_put_back_by_a_plan(lab: LabOnDisk) -> None:
    applied(lab, "env", "set", "core", f"MY_TOKEN={CANARY}1")
    plan = applied(lab, "env", "set", "core", f"MY_TOKEN={CANARY}2")
    names = lab.json("snapshot", "list")["snapshots"]
    assert names[0].endswith(plan)
    shown = lab.json("snapshot", "show", names[0])
    assert {"core/.env", "core/authelia/config/users_database.yml"} <= {f["path"] for f in shown["files"]}
    assert CANARY not in json.dumps(shown)
    assert f"{CANARY}2" in (lab.root / "core/.env").read_text()
    users = (lab.root / "core/authelia/config/users_database.yml").read_bytes()
    (lab.root / "core/authelia/config/users_database.yml").write_text("users: {}\n")
    before = lab.files()
    made = lab.json("snapshot", "restore", names[0], "--plan-only", code=3)
    assert made["risk"] == "high"
    assert lab.files() == before
    assert lab.approve(made["plan_id"], "--apply")["state"] == "done"
    assert f"{CANARY}1" in (lab.root / "core/.env").read_text()
    assert (lab.root / "core/authelia/config/users_database.yml").read_bytes() == users
    assert CANARY.encode() not in kept(lab)
    applied(lab, "snapshot", "restore", lab.json("snapshot", "list")["snapshots"][0], "core/.env")
    assert f"{CANARY}2" in (lab.root / "core/.env").read_text()
    assert "not_found" in lab.run("snapshot", "restore", names[0], "core/compose.yaml", "--json").stdout
    taken = lab.json("snapshot", "create")
    assert lab.json("snapshot", "list")["snapshots"][0] == taken["name"]


def test_the_key_is_shown_without_itself_rotated_lost_and_left_behind(lab: LabOnDisk) -> None:
    plan = applied(lab, "env", "set", "core", f"MY_TOKEN={CANARY}")
    shown = lab.json("key", "show")
    path = Path(shown["path"])
    assert not path.is_relative_to(lab.root)
    secret = json.loads(path.read_text())["keys"][0]["key"]
    assert secret not in json.dumps(shown) + lab.run("key", "show").stdout
    old = path.read_bytes()
    rotated = lab.json("key", "rotate")
    assert rotated["key_id"] != shown["key_id"]
    assert rotated["sealed"] > 3
    waiting = lab.json("rollback", plan, "--plan-only", code=3)["plan_id"]
    path.write_bytes(old)
    assert "vault_key_missing" in lab.run("plan", plan, "--json").stdout
    path.unlink()
    told = lab.run("add", "uptime-kuma", "--plan-only")
    assert told.returncode == 1
    assert str(path) in told.stderr
    assert lab.json("history")["history"][0]["plan_id"] == plan
    assert {p["plan_id"] for p in lab.json("plan")["plans"]} >= {plan, waiting}
    checks = {c["name"]: c for c in lab.json("doctor", code=1)["checks"]}
    assert not checks["encryption_key"]["ok"]
    assert checks["private_state"]["ok"]
    assert not path.exists()
    assert lab.json("key", "rotate", "--lost")["unreadable"] > 0
    applied(lab, "env", "set", "core", "OTHER=1")
    assert lab.json("journal", "verify")["ok"]


async def test_records_of_before_are_sealed_at_the_servers_start(lab: LabOnDisk) -> None:
    from homelab_mcp.adapters.plan_store import FilePlanStore
    from homelab_mcp.core.plan_codec import plan_to_json

    plan = applied(lab, "env", "set", "core", f"MY_TOKEN={CANARY}")
    store, folder = FilePlanStore(lab.root), lab.root / ".homelab/plans" / plan
    whole, undo = store.get(plan), store.load_undo(plan)
    (folder / "plan.json").write_text(plan_to_json(whole))
    (folder / "undo.json").write_text(json.dumps({p: list(v) for p, v in undo.items()}))
    (folder / "undo.enc").unlink()
    assert CANARY.encode() in kept(lab)
    async with connected(lab) as client:
        until = time.monotonic() + 20
        while CANARY.encode() in kept(lab):
            assert time.monotonic() < until
            time.sleep(0.1)
        assert data(await call(client, "get_plan", plan_id=plan))["state"] == "done"
    assert (store.get(plan), store.load_undo(plan)) == (whole, undo)
    assert "records_sealed" in (lab.root / ".homelab/journal.jsonl").read_text()


def test_a_private_folder_that_others_can_read_is_told(lab: LabOnDisk) -> None:
    (lab.root / ".homelab/journal.jsonl").chmod(0o644)
    checks = {c["name"]: c for c in lab.json("doctor", code=1)["checks"]}
    assert "journal.jsonl" in checks["private_state"]["sentence"]
    assert "chmod" in checks["private_state"]["hint"]
