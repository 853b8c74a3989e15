"""Encrypted copies of the lab's secret files: what is in them, what they cost, what is let go of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from homelab_mcp.adapters.snapshots import SecretSnapshots
from homelab_mcp.adapters.vault import Vault
from homelab_mcp.core.operations.restore_snapshot import restore_snapshot
from homelab_mcp.model.errors import InvalidInput, NotFound, VaultLocked
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Risk

SECRET = "canary-7fe01b"
PLAN = "a" * 32


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    for path, text in {
        "core/.env": f"A={SECRET}\n",
        "media/.env": "B=2\n",
        "global.env": f"G={SECRET}g\n",
        "core/traefik/acme.json": f'{{"key": "{SECRET}"}}',
        "core/authelia/config/users_database.yml": f"users: {SECRET}\n",
        "core/other.conf": f"token={SECRET}o\n",
        "core/compose.yaml": "services: {}\n",
        "core/.git/.env": "not ours\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
        (tmp_path / path).chmod(0o600)
    outside = tmp_path.parent / "outside.env"
    outside.write_text("X=1\n")
    (tmp_path / "core/linked.env").symlink_to(outside)
    return tmp_path


NAMED = [
    "core/.env",
    "core/authelia/config/users_database.yml",
    "core/traefik/acme.json",
    "global.env",
    "media/.env",
]


def objects(lab: Path) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in (lab / ".homelab/snapshots/objects").iterdir()}


def test_every_secret_file_is_kept_and_comes_back_equal(lab: Path) -> None:
    store = SecretSnapshots(lab)
    taken = store.take(PLAN, ["core/other.conf"])
    assert [f.path for f in taken.files] == sorted([*NAMED, "core/other.conf"])
    assert store.get(taken.name) == taken
    assert taken.name.endswith(PLAN)
    for file in taken.files:
        assert store.content(taken.name, file.path) == (lab / file.path).read_bytes()
        assert (file.mode, file.size) == (0o600, len((lab / file.path).read_bytes()))
    kept = b"".join(p.read_bytes() for p in (lab / ".homelab").rglob("*") if p.is_file())
    assert SECRET.encode() not in kept
    assert b"acme" not in kept, "not even the names are in the clear"
    again = store.take()
    assert "core/other.conf" in [f.path for f in again.files], "what was secret once stays looked after"
    for path in (lab / ".homelab/snapshots").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0


def test_what_did_not_change_costs_nothing_and_a_mark_tells_equal_from_changed(lab: Path) -> None:
    store = SecretSnapshots(lab)
    first = store.take()
    before = objects(lab)
    second = store.take()
    assert objects(lab) == before
    assert second.files == first.files
    (lab / "media/.env").write_text("B=3\n")
    third = store.take()
    assert len(objects(lab)) == len(before) + 1
    changed = [f.path for f, g in zip(first.files, third.files, strict=True) if f.mark != g.mark]
    assert changed == ["media/.env"]
    assert store.content(first.name, "media/.env") == b"B=2\n"
    assert store.names() == (third.name, second.name, first.name)


def test_old_snapshots_are_let_go_but_one_a_day_is_kept(lab: Path) -> None:
    store = SecretSnapshots(lab, keep_last=3, keep_days=90)
    (lab / "media/.env").write_text("B=first\n")
    first = store.take()
    only_there = next(f.mark for f in first.files if f.path == "media/.env")
    folder = lab / ".homelab/snapshots"
    vault = Vault(lab)
    _, row = vault.read(f"snapshots/{first.name}.enc", folder / f"{first.name}.enc")
    for name in ("20200101-000000-manual", "20200102-000000-manual"):
        (folder / f"{name}.enc").write_text(vault.seal(f"snapshots/{name}.enc", row))
    (lab / "media/.env").write_text("B=2\n")
    names = [store.take().name for _ in range(5)]
    assert list(store.names()) == names[:1:-1]
    assert only_there not in {n.removesuffix(".enc") for n in objects(lab)}
    assert store.content(names[-1], "media/.env") == b"B=2\n"
    for number in range(3):
        day = f"20260{number + 1}01-120000-manual"
        (folder / f"{day}.enc").write_text(vault.seal(f"snapshots/{day}.enc", row))
    eternal = SecretSnapshots(lab, keep_last=1, keep_days=36_500)
    eternal.take()
    assert len([n for n in eternal.names() if n.startswith("20260")]) == 3


def test_what_cannot_be_read_is_told_and_keeps_nobody_from_the_rest(lab: Path) -> None:
    (lab / "core/big.env").write_bytes(b"x" * (10 * 1024 * 1024 + 1))
    os.mkfifo(lab / "core/pipe.env")
    taken = SecretSnapshots(lab).take("", ["core/linked.env", "../outside.env", "nowhere/.env"])
    assert [f.path for f in taken.files] == NAMED
    assert set(taken.left_out) == {"core/big.env", "core/linked.env"}


def test_names_that_are_none_and_snapshots_without_their_key(lab: Path) -> None:
    store = SecretSnapshots(lab)
    taken = store.take()
    for name in ("", "..", "../plans", "x" * 40, f"{taken.name}/..", "20200101-000000-manual"):
        with pytest.raises(NotFound):
            store.get(name)
    with pytest.raises(NotFound):
        store.content(taken.name, "core/compose.yaml")
    Path(Vault(lab).report().path).unlink()
    assert store.names() == (taken.name,)
    with pytest.raises(VaultLocked):
        store.get(taken.name)
    with pytest.raises(VaultLocked):
        store.take()
    Vault(lab).rotate(lost=True)
    assert len(store.take().files) == len(NAMED), "a fresh start keeps snapshots again"


COMPOSE = """
services:
  proxy:
    image: a
    volumes: [./traefik:/letsencrypt]
  sso:
    image: b
    volumes:
      - {type: bind, source: ./authelia/config, target: /config}
  web:
    image: c
"""


def test_a_restore_is_a_high_risk_draft_whose_readers_read_again() -> None:
    lab = Snapshot((StackFiles("core", "core/compose.yaml", COMPOSE, "A=new\n"),), None, ())
    now = {"core/.env": "A=new\n", "core/traefik/acme.json": "{}", "global.env": "same\n"}
    kept = {
        "core/.env": ("A=old\n", 0o600),
        "core/traefik/acme.json": ('{"k": 1}', 0o600),
        "global.env": ("same\n", 0o600),
        "core/authelia/config/users_database.yml": ("users\n", 0o644),
    }
    draft = restore_snapshot(lab, "20260101-000000-manual", kept, read=now.get, left_out=["core/x.env"])
    assert {(e.path, e.before, e.after, e.secret) for e in draft.edits} == {
        ("core/.env", "A=new\n", "A=old\n", True),
        ("core/traefik/acme.json", "{}", '{"k": 1}', True),
        ("core/authelia/config/users_database.yml", None, "users\n", True),
    }
    assert [r.risk for r in draft.risks] == [Risk.HIGH]
    assert [(a.kind, a.services) for a in draft.actions] == [
        (ActionKind.UP, ()),
        (ActionKind.RESTART, ("proxy", "sso")),
    ]
    assert draft.target == "core"
    assert any("core/x.env" in note for note in draft.notes)
    with pytest.raises(InvalidInput) as caught:
        restore_snapshot(lab, "x", {"global.env": ("same\n", 0o600)}, read=now.get)
    assert caught.value.code == "nothing_to_do"
