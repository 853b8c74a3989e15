"""Encryption at rest: keys outside the lab, what a token is bound to, rotation, loss, and kills in between."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homelab_mcp.adapters.plan_store import FilePlanStore
from homelab_mcp.adapters.snapshots import SecretSnapshots
from homelab_mcp.adapters.vault import Vault, key_of
from homelab_mcp.core.plan_codec import plan_to_json, seal
from homelab_mcp.model.errors import InvalidInput, VaultLocked
from homelab_mcp.model.plan import Draft, FileEdit, Plan, Requester, Risk, RiskReason
from tests.kills import killed_after

SPAWN = multiprocessing.get_context("spawn")
CANARY = "canary-5d0c7f-value"


def a_plan(number: int = 1, after: str = f"A='{CANARY}'\n") -> Plan:
    edit = FileEdit("s/.env", "B='old'\n", after, 0o600, True)
    draft = Draft(
        "op", "do", (edit,), (), risks=(RiskReason(Risk.LOW, f"Sets {CANARY}"),), notes=(CANARY,), secrets=(CANARY,)
    )
    plan = Plan(f"{number:032x}", draft, Risk.LOW, (CANARY,), (), {"file:s/.env": "0" * 64}, Requester("cli"), 1.0, 9.0)
    return seal(plan)


def everything(folder: Path) -> bytes:
    return b"".join(p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file())


def key_path(root: Path) -> Path:
    return Path(Vault(root).report().path)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(st.characters(codec="utf-8"), max_size=2000), number=st.integers(0, 2**128 - 1))
def test_any_text_comes_back_equal_from_plan_and_undo(tmp_path: Path, text: str, number: int) -> None:
    store, plan = FilePlanStore(tmp_path), a_plan(number, text)
    if not (tmp_path / ".homelab/plans" / plan.id).exists():
        store.add(plan)
        assert store.get(plan.id) == plan
    store.save_undo(plan.id, {"s/.env": (text, 0o600), text[:20]: (None, 0o644)})
    assert store.load_undo(plan.id)["s/.env"] == (text, 0o600) or not text[:20]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=3000))
def test_any_bytes_come_back_and_no_token_is_like_another(tmp_path: Path, data: bytes) -> None:
    vault = Vault(tmp_path)
    one, two = vault.seal("a/b", data), vault.seal("a/b", data)
    assert one != two
    assert vault.open("a/b", one) == vault.open("a/b", two) == data


def test_nothing_of_a_plan_but_its_outline_is_in_the_clear(tmp_path: Path) -> None:
    store, plan = FilePlanStore(tmp_path), a_plan()
    store.add(plan)
    store.save_undo(plan.id, {"s/.env": (CANARY, 0o600)})
    kept = everything(tmp_path)
    assert CANARY.encode() not in kept
    assert b'"B=' not in kept
    assert b"file:s/.env" not in kept, "a hash of a short secret could be guessed"
    assert store.get(plan.id) == plan
    outline = store.outline(plan.id)
    assert (outline.draft.summary, outline.draft.edits[0].path, outline.expires) == ("do", "s/.env", 9.0)
    assert CANARY not in repr(outline)


def test_a_token_opens_only_where_it_was_sealed(tmp_path: Path) -> None:
    vault, other = Vault(root_made(tmp_path / "a")), Vault(root_made(tmp_path / "b"))
    other.ensure()
    token = vault.seal("plans/1/plan.json", b"x")
    for place in ("plans/2/plan.json", "plans/1/undo.enc", ""):
        with pytest.raises(InvalidInput) as caught:
            vault.open(place, token)
        assert caught.value.code == "plan_corrupt"
    with pytest.raises(VaultLocked):
        other.open("plans/1/plan.json", token)
    for at in range(23, len(token), 3):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(InvalidInput):
            vault.open("plans/1/plan.json", changed)


def test_the_key_lies_outside_the_lab_and_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "lab"
    Vault(root_made(root)).ensure()
    path = key_path(root)
    assert not path.is_relative_to(root)
    assert (
        path
        == Path(os.environ["XDG_CONFIG_HOME"]) / "homelab-mcp" / f"{(root / '.homelab/id').read_text().strip()}.key"
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    secret = json.loads(path.read_text())["keys"][0]["key"]
    assert secret not in everything(root).decode("utf-8", "replace")
    report = Vault(root).report()
    assert secret not in repr(report)
    assert report.problem == ""
    path.chmod(0o644)
    assert "Other users" in Vault(root).report().problem

    for inside in (tmp_path / "two/my.key", tmp_path / "two/.homelab/x"):
        monkeypatch.setenv("HOMELAB_KEY_FILE", str(inside))
        with pytest.raises(InvalidInput) as caught:
            Vault(root_made(tmp_path / "two")).ensure()
        assert caught.value.code == "key_in_lab"
    elsewhere = tmp_path / "keys" / "lab.key"
    monkeypatch.setenv("HOMELAB_KEY_FILE", str(elsewhere))
    Vault(tmp_path / "two").ensure()
    assert elsewhere.exists()
    with pytest.raises(VaultLocked, match="another lab's"):
        Vault(root_made(tmp_path / "three")).ensure()


def root_made(root: Path) -> Path:
    root.mkdir(exist_ok=True)
    return root


def test_without_the_key_outlines_are_read_and_the_rest_says_where_it_should_be(tmp_path: Path) -> None:
    store, plan = FilePlanStore(tmp_path), a_plan()
    store.add(plan)
    store.save_undo(plan.id, {"s/.env": (None, 0o600)})
    path = key_path(tmp_path)
    kept = path.read_bytes()
    Vault(root_made(tmp_path / "other")).ensure()
    wrong = key_path(tmp_path / "other").read_bytes()
    before = everything(tmp_path / ".homelab")
    for content in (None, b"", b"\0" * 200, b"nonsense", wrong):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        for work in (
            lambda: store.get(plan.id),
            lambda: store.load_undo(plan.id),
            lambda: store.add(a_plan(2)),
            lambda: store.save_undo(plan.id, {}),
            lambda: Vault(tmp_path).rotate(),
            lambda: SecretSnapshots(tmp_path).take(),
        ):
            with pytest.raises(VaultLocked) as caught:
                work()
            assert caught.value.code == "vault_key_missing"
            assert str(path) in caught.value.as_text()
        assert [p.draft.summary for p, _ in store.list()] == ["do"]
        assert store.outline(plan.id).draft.summary == "do"
        assert Vault(tmp_path).report().problem
        assert (path.read_bytes() if content is not None else None) == content, "no key is made in its place"
        assert everything(tmp_path / ".homelab") == before
    path.write_bytes(kept)
    assert store.get(plan.id) == plan


def test_a_rotation_while_plans_are_open_loses_nothing_and_forgets_the_old_key(tmp_path: Path) -> None:
    store = FilePlanStore(tmp_path)
    (tmp_path / "s").mkdir()
    (tmp_path / "s/.env").write_text(f"A={CANARY}\n")
    plans = [a_plan(n) for n in range(1, 9)]
    for plan in plans:
        store.add(plan)
        store.save_undo(plan.id, {"s/.env": (CANARY, 0o600)})
    kept = SecretSnapshots(tmp_path).take()
    path = key_path(tmp_path)
    old = path.read_text()
    first = Vault(tmp_path).report().key_id
    report = Vault(tmp_path).rotate()
    assert (report.sealed, report.unreadable, report.keys) == (8 * 2 + 3, 0, 1)
    assert report.key_id != first
    assert json.loads(old)["keys"][0]["key"] not in path.read_text()
    assert first.encode() not in everything(tmp_path / ".homelab/plans") + everything(tmp_path / ".homelab/snapshots")
    assert [store.get(p.id) for p in plans] == plans
    assert store.load_undo(plans[0].id) == {"s/.env": (CANARY, 0o600)}
    assert SecretSnapshots(tmp_path).content(kept.name, "s/.env") == f"A={CANARY}\n".encode()
    assert SecretSnapshots(tmp_path).take().files == kept.files
    path.write_text(old)
    with pytest.raises(VaultLocked):
        store.get(plans[0].id)


def test_a_lost_key_is_left_behind_only_when_asked_and_never_in_place_of_another(tmp_path: Path) -> None:
    store = FilePlanStore(tmp_path)
    store.add(a_plan(1))
    path = key_path(tmp_path)
    path.rename(path.with_suffix(".away"))
    report = Vault(tmp_path).rotate(lost=True)
    assert (report.sealed, report.unreadable) == (0, 1)
    store.add(a_plan(2))
    assert store.get(a_plan(2).id) == a_plan(2)
    with pytest.raises(VaultLocked, match="was sealed with key"):
        store.get(a_plan(1).id)
    path.write_text("somebody else's")
    with pytest.raises(InvalidInput) as caught:
        Vault(tmp_path).rotate(lost=True)
    assert caught.value.code == "key_file_taken"
    assert path.read_text() == "somebody else's"


@pytest.mark.timeout(120)
def test_rotation_killed_at_any_touch_of_the_disk_loses_nothing(tmp_path: Path) -> None:
    kills = unfinished = 0
    touches = 0
    while True:
        touches += 3
        root = root_made(tmp_path / str(touches))
        store = FilePlanStore(root)
        plans = [a_plan(n) for n in (1, 2)]
        for plan in plans:
            store.add(plan)
        store.save_undo(plans[0].id, {"s/.env": (CANARY, 0o600)})
        killed = killed_after(touches, lambda root=root: Vault(root).rotate())  # type: ignore[misc]
        kills += killed
        again = FilePlanStore(root)
        assert [again.get(p.id) for p in plans] == plans, touches
        assert again.load_undo(plans[0].id) == {"s/.env": (CANARY, 0o600)}
        unfinished += Vault(root).finish()
        assert Vault(root).report().keys == 1
        assert not Vault(root).finish()
        assert [again.get(p.id) for p in plans] == plans, touches
        used = {
            key_of(p.read_text()) for p in (root / ".homelab/plans").rglob("*") if p.name in {"plan.json", "undo.enc"}
        }
        assert used == {Vault(root).report().key_id}
        if not killed:
            break
    assert kills >= 50, kills
    assert unfinished > 20


@pytest.mark.timeout(120)
def test_the_first_use_killed_at_any_touch_leaves_a_lab_that_works(tmp_path: Path) -> None:
    for touches in range(1, 200, 3):
        root = root_made(tmp_path / str(touches))
        killed = killed_after(touches, lambda root=root: Vault(root).ensure())  # type: ignore[misc]
        FilePlanStore(root).add(a_plan())
        assert FilePlanStore(root).get(a_plan().id) == a_plan()
        if not killed:
            break
    assert not killed
    assert touches > 20


def seal_and_read(root: str, number: int) -> None:
    store = FilePlanStore(root)
    for n in range(12):
        plan = a_plan(number * 1000 + n)
        store.add(plan)
        assert store.get(plan.id) == plan
        assert len(store.list()) > 0


def rotate_often(root: str) -> None:
    for _ in range(6):
        Vault(root).rotate()


@pytest.mark.timeout(90)
def test_processes_at_first_use_and_during_rotations_share_one_key(tmp_path: Path) -> None:
    workers = [SPAWN.Process(target=seal_and_read, args=(str(tmp_path), n)) for n in range(1, 4)]
    workers.append(SPAWN.Process(target=rotate_often, args=(str(tmp_path),)))
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    store = FilePlanStore(tmp_path)
    for number in (1, 2, 3):
        for n in range(12):
            assert store.get(f"{number * 1000 + n:032x}") == a_plan(number * 1000 + n)


def clear_lab(root: Path) -> list[Plan]:
    """Records as an earlier version wrote them."""
    plans = [a_plan(n) for n in (1, 2)]
    for plan in plans:
        folder = root / ".homelab/plans" / plan.id
        folder.mkdir(parents=True, mode=0o700)
        (folder / "plan.json").write_text(plan_to_json(plan))
        (folder / "undo.json").write_text(json.dumps({"s/.env": [CANARY, 0o600]}))
        (folder / "status.json").write_text(
            '{"state": "done", "step": "", "evidence": [], "commit": "", "error": "", "error_code": "", "updated": 1.0}'
        )
    return plans


def holds(root: Path, plans: list[Plan]) -> None:
    store = FilePlanStore(root)
    assert [store.get(p.id) for p in plans] == plans
    assert all(store.load_undo(p.id) == {"s/.env": (CANARY, 0o600)} for p in plans)
    assert len(store.list()) == len(store.list(outline=True)) == 2


def test_clear_records_of_before_are_sealed_and_their_bytes_overwritten(tmp_path: Path) -> None:
    plans = clear_lab(tmp_path)
    holds(tmp_path, plans)
    with (tmp_path / ".homelab/plans" / plans[0].id / "plan.json").open("rb") as old:
        assert FilePlanStore(tmp_path).migrate(count_only=True) == 4
        assert FilePlanStore(tmp_path).migrate() == 4
        assert set(old.read()) == {0}, "the old file's own blocks"
    assert CANARY.encode() not in everything(tmp_path)
    assert not list(tmp_path.rglob("undo.json"))
    assert FilePlanStore(tmp_path).migrate() == 0
    holds(tmp_path, plans)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("stride", [8])
def test_a_migration_killed_at_any_touch_loses_nothing(tmp_path: Path, stride: int) -> None:
    touches = kills = 0
    while True:
        touches += stride
        root = root_made(tmp_path / str(touches))
        plans = clear_lab(root)
        migrate: Callable[[], object] = FilePlanStore(root).migrate
        killed = killed_after(touches, migrate)
        kills += killed
        holds(root, plans)
        FilePlanStore(root).migrate()
        holds(root, plans)
        assert CANARY.encode() not in everything(root)
        if not killed:
            break
    assert kills > 10


def test_nothing_at_a_servers_start_imports_the_cipher(tmp_path: Path) -> None:
    import subprocess
    import sys

    store = FilePlanStore(tmp_path)
    for n in range(3):
        store.add(a_plan(n + 1))
    script = (
        "import sys; from homelab_mcp import bootstrap\n"
        "from homelab_mcp.workflow.assembly import recovery\n"
        "from homelab_mcp.workflow.upkeep import upkeep\n"
        "from homelab_mcp.queries.history import history\n"
        "lab = bootstrap.open_lab(sys.argv[1], files_only=True)\n"
        "assert not recovery(lab).needed(); upkeep(lab); history(lab, 9); lab.plans.purge(0)\n"
        "assert not [m for m in sys.modules if m.startswith('homelab_mcp.adapters.vault')] == []\n"
        "print([m for m in sys.modules if m.startswith('cryptography')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False, timeout=25
    )
    assert done.stdout == "[]\n", done.stdout + done.stderr
