"""Journal, plan store, lock and approver on a real file system, also by several processes at once."""

from __future__ import annotations

import base64
import json
import multiprocessing
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from homelab_mcp.adapters.approver import KeyFileApprover
from homelab_mcp.adapters.journal import JsonlJournal
from homelab_mcp.adapters.lock import LabLock, held_since
from homelab_mcp.adapters.plan_store import FilePlanStore
from homelab_mcp.adapters.secrets import SystemSecrets
from homelab_mcp.adapters.vault import key_of
from homelab_mcp.core import plan_codec
from homelab_mcp.core.plan_codec import seal
from homelab_mcp.model.errors import InvalidInput, JournalUnwritable, LabLocked, NotFound
from homelab_mcp.model.plan import Draft, FileEdit, Plan, PlanState, PlanStatus, Requester, Risk
from tests.unit.workflow.fakes import FakeClock

SPAWN = multiprocessing.get_context("spawn")


def a_plan(number: int = 1, created: float = 1000.0) -> Plan:
    draft = Draft("op", "do", (FileEdit("s/.env", None, "A='b'\n", 0o600, True),), (), target="s")
    plan = Plan(f"{number:032x}", draft, Risk.LOW, (), (), {}, Requester("cli"), created, created + 900)
    return seal(plan)


# --- journal


def test_the_chain_holds_and_any_change_to_a_line_shows(tmp_path: Path) -> None:
    journal = JsonlJournal(tmp_path)
    for n in range(5):
        journal.append("event", {"n": n, "text": "ü\n"})
    path = tmp_path / ".homelab/journal.jsonl"
    assert journal.verify() == ""
    assert [e["data"]["n"] for e in journal.entries()] == list(range(5))
    assert path.stat().st_mode & 0o777 == 0o600
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for number, line in enumerate(lines):
        for old, new in (
            (b'"n": ', b'"n": 1'),
            (b'"event"', b'"Event"'),
            (b'"seq": ', b'"seq": 1'),
            (b'"time": 1', b'"time": 2'),
        ):
            path.write_bytes(b"".join([*lines[:number], line.replace(old, new), *lines[number + 1 :]]))
            assert journal.verify() != "", (number, old)
    path.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    assert "line 3" in journal.verify()
    path.write_bytes(b"".join([lines[1], lines[0], *lines[2:]]))
    assert "line 1" in journal.verify()


def test_a_line_torn_by_a_crash_is_taken_back_by_the_next(tmp_path: Path) -> None:
    journal = JsonlJournal(tmp_path)
    journal.append("one", {})
    path = tmp_path / ".homelab/journal.jsonl"
    path.write_bytes(path.read_bytes() + b'{"seq": 2, "ti')
    assert [e["event"] for e in journal.entries()] == ["one"]
    journal.append("two", {"big": "x" * 200_000})
    journal.append("three", {})
    assert [e["event"] for e in journal.entries()] == ["one", "two", "three"]
    assert journal.verify() == ""


def test_a_journal_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    journal = JsonlJournal(tmp_path)
    (tmp_path / ".homelab").mkdir()
    (tmp_path / ".homelab/journal.jsonl").symlink_to("/dev/full")
    with pytest.raises(JournalUnwritable):
        journal.append("one", {})


def append_many(root: str, name: str) -> None:
    for n in range(50):
        JsonlJournal(root).append(name, {"n": n})


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    workers = [SPAWN.Process(target=append_many, args=(str(tmp_path), f"p{n}")) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    journal = JsonlJournal(tmp_path)
    assert journal.verify() == ""
    assert len(journal.entries()) == 150


# --- plans


def test_plans_and_what_became_of_them_are_private_and_come_back_equal(tmp_path: Path) -> None:
    store, plan = FilePlanStore(tmp_path), a_plan()
    store.add(plan)
    assert store.get(plan.id) == plan
    assert store.status(plan.id).state is PlanState.PENDING
    store.save_undo(plan.id, {"a": ("x", 0o644), "b": (None, 0o600)})
    assert store.load_undo(plan.id) == {"a": ("x", 0o644), "b": (None, 0o600)}
    assert store.consume(plan.id)
    for path in (tmp_path / ".homelab").rglob("*"):
        if path.name != ".gitignore":
            assert path.stat().st_mode & 0o077 == 0, path
    assert (tmp_path / ".homelab/.gitignore").read_text() == "*\n"


@pytest.mark.parametrize("bad", ["", "..", "../" * 3 + "etc", "a" * 31, "A" * 32, "0" * 32 + "\n", "0" * 31 + "/"])
def test_an_id_that_is_none_is_unknown_before_it_is_a_path(tmp_path: Path, bad: str) -> None:
    store = FilePlanStore(tmp_path)
    for work in (store.get, store.status, store.consume, store.approval, store.load_undo):
        with pytest.raises(NotFound):
            work(bad)


def test_a_plan_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    store, plan = FilePlanStore(tmp_path), a_plan()
    store.add(plan)
    store.add(a_plan(2))
    path = tmp_path / ".homelab/plans" / plan.id / "plan.json"
    text = path.read_text()
    for changed in (
        text.replace('"summary": "do"', '"summary": "harmless"'),
        text.replace("hlv1.", "hlv2."),
        re.sub(r"(hlv1\.\w{16}\.)(.)", lambda m: m[1] + ("A" if m[2] != "A" else "B"), text),
        text.replace(key_of(text) + ".", key_of(text) + ".AAAA"),
        plan_codec.plan_to_json(plan).replace("A='b'", "A='c'"),
        text[:-20],
        "[]",
        (path.parent.parent / f"{2:032x}/plan.json").read_text(),
    ):
        path.write_text(changed)
        with pytest.raises(InvalidInput) as caught:
            store.get(plan.id)
        assert caught.value.code == "plan_corrupt"
    assert [p.id for p, _ in store.list()] == [f"{2:032x}"]


def test_fifty_consumers_at_once_and_a_thousand_after_get_one_yes(tmp_path: Path) -> None:
    import threading

    store, plan = FilePlanStore(tmp_path), a_plan()
    store.add(plan)
    gate, answers = threading.Barrier(50), []

    def take() -> None:
        gate.wait()
        answers.append(FilePlanStore(tmp_path).consume(plan.id))

    threads = [threading.Thread(target=take) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False] * 49 + [True]
    assert not any(store.consume(plan.id) for _ in range(1000))


def test_newest_plans_come_first_and_old_ones_in_a_final_state_are_purged(tmp_path: Path) -> None:
    store = FilePlanStore(tmp_path)
    for number, state in enumerate((PlanState.DONE, PlanState.PENDING, PlanState.APPLYING), 1):
        store.add(a_plan(number, created=number * 1000.0))
        store.set_status(f"{number:032x}", PlanStatus(state, updated=number * 1000.0))
    assert [int(p.id, 16) for p, _ in store.list(2)] == [3, 2]
    assert store.purge(older_than=1_000_000.0) == 2
    assert [int(p.id, 16) for p, _ in store.list()] == [3]


# --- lock


def test_the_second_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    lock = LabLock(tmp_path)
    with lock.hold("apply 123"):
        assert held_since(tmp_path.resolve()) is not None
        with pytest.raises(LabLocked, match="apply 123"), LabLock(tmp_path).hold("other"):
            pass
    assert held_since(tmp_path.resolve()) is None
    with lock.hold("again"):
        pass


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    script = (
        "import sys; from homelab_mcp.adapters.lock import LabLock\n"
        "with LabLock(sys.argv[1]).hold('doomed'):\n    print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(LabLocked, match=f"doomed.*{child.pid}"), LabLock(tmp_path).hold("x"):
            pass
        child.kill()
    with LabLock(tmp_path).hold("x"):
        pass


# --- approver


PIN = "246810"


def test_a_signature_holds_for_exactly_one_answer(tmp_path: Path) -> None:
    approver = KeyFileApprover(tmp_path / "state" / "approver.json", FakeClock())
    approver.create(PIN)
    answer = approver.sign(PIN, a_plan(), approved=True, who="me", reason="ok")
    assert approver.verify(answer)
    for other in (
        replace(answer, plan_id="0" * 32),
        replace(answer, digest="0" * 64),
        replace(answer, approved=False),
        replace(answer, who="you"),
        replace(answer, when=answer.when + 1),
        replace(answer, reason="no"),
        replace(answer, signature=""),
        replace(answer, signature="!!"),
        replace(answer, signature=answer.signature[:-8] + "AAAAAA=="),
    ):
        assert not approver.verify(other), other
    stranger = KeyFileApprover(tmp_path / "other.json", FakeClock())
    stranger.create(PIN)
    assert not stranger.verify(answer)


def test_the_key_is_sealed_and_the_file_private(tmp_path: Path) -> None:
    path = tmp_path / "approver.json"
    approver = KeyFileApprover(path, FakeClock())
    assert not approver.exists()
    approver.create(PIN)
    assert approver.exists()
    assert path.stat().st_mode & 0o777 == 0o600
    assert PIN not in path.read_text()
    assert set(json.loads(path.read_text())) == {
        "version",
        "failed",
        "locked_until",
        "public",
        "salt",
        "nonce",
        "sealed",
    }
    with pytest.raises(InvalidInput) as caught:
        approver.create("another pin")
    assert caught.value.code == "approver_exists"


@pytest.mark.parametrize("weak", ["", "12345", "111111", "abababab"])
def test_a_weak_pin_is_refused(tmp_path: Path, weak: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        KeyFileApprover(tmp_path / "a.json", FakeClock()).create(weak)
    assert caught.value.code == "weak_pin"


def test_a_key_sealed_by_version_one_is_read_and_sealed_anew(tmp_path: Path) -> None:
    path = tmp_path / "approver.json"
    key, salt, nonce = Ed25519PrivateKey.generate(), b"s" * 16, b"n" * 12
    public = key.public_key().public_bytes_raw()
    stretched = Scrypt(salt=salt, length=32, n=1 << 16, r=8, p=1).derive(PIN.encode())
    sealed = AESGCM(stretched).encrypt(nonce, key.private_bytes_raw(), public)
    parts = {"public": public, "salt": salt, "nonce": nonce, "sealed": sealed}
    old = {
        "version": 1,
        "failed": 0,
        "locked_until": 0.0,
        **{k: base64.b64encode(v).decode() for k, v in parts.items()},
    }
    path.write_text(json.dumps(old))
    approver = KeyFileApprover(path, FakeClock())
    with pytest.raises(InvalidInput):
        approver.sign("another pin", a_plan(), approved=True, who="me")
    assert json.loads(path.read_text())["version"] == 1
    first = approver.sign(PIN, a_plan(), approved=True, who="me")
    new = json.loads(path.read_text())
    assert (new["version"], new["public"]) == (2, old["public"])
    made = {k: base64.b64decode(new[k]) for k in parts}
    dear = hash_secret_raw(
        PIN.encode(), made["salt"], time_cost=3, memory_cost=1 << 16, parallelism=1, hash_len=32, type=Type.ID
    )
    assert AESGCM(dear).decrypt(made["nonce"], made["sealed"], public) == key.private_bytes_raw()
    second = approver.unlock(PIN).sign(a_plan(), approved=False, who="me", reason="no")
    assert approver.verify(first)
    assert approver.verify(second)


def test_five_wrong_pins_lock_for_a_minute_also_across_processes(tmp_path: Path) -> None:
    clock, path = FakeClock(), tmp_path / "approver.json"
    KeyFileApprover(path, clock).create(PIN)

    def attempt(pin: str) -> str:
        try:
            KeyFileApprover(path, clock).sign(pin, a_plan(), approved=True, who="me")
        except InvalidInput as error:
            return error.code
        return "signed"

    assert [attempt("wrong!") for _ in range(6)] == ["wrong_pin"] * 5 + ["pin_locked"]
    assert attempt(PIN) == "pin_locked"
    clock.sleep(59)
    assert attempt(PIN) == "pin_locked"
    clock.sleep(2)
    assert attempt(PIN) == "signed"
    assert [attempt("wrong!") for _ in range(4)] == ["wrong_pin"] * 4
    assert attempt(PIN) == "signed"


# --- secrets


def test_secrets_have_the_length_and_alphabet_that_was_asked(tmp_path: Path) -> None:
    import string
    import uuid

    source = SystemSecrets()
    for length in (8, 9, 32, 33, 128):
        assert set(source.make("hex", length)) <= set("0123456789abcdef")
        assert source.make("alnum", length).isalnum()
        assert set(source.make("base64", length)) <= set(string.ascii_letters + string.digits + "+/")
        assert {len(source.make(kind, length)) for kind in ("hex", "alnum", "base64")} == {length}
    assert uuid.UUID(source.make("uuid", 36)).version == 4
    assert len({source.make("alnum", 16) for _ in range(1000)}) == 1000
    for kind, length in (("alnum", 4), ("words", 20)):
        with pytest.raises(InvalidInput):
            source.make(kind, length)


def test_password_hashes_have_authelias_parameters() -> None:
    from argon2 import PasswordHasher

    made = SystemSecrets().argon2("pässword")
    assert made.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert PasswordHasher().verify(made, "pässword")
