"""Tokens on disk: what is kept, what counts, and since when."""

import json
import stat
import threading
from pathlib import Path

import pytest

from homelab_mcp.adapters.token_store import PREFIX, FileTokenStore
from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound
from homelab_mcp.model.token import ALL_SCOPES, Scope
from tests.unit.workflow.fakes import FakeClock


def test_the_value_is_random_and_kept_nowhere(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path)
    values = {store.create(f"t{n}", (Scope.READ,), 90)[1] for n in range(20)}
    assert len(values) == 20
    for value in values:
        assert value.startswith(PREFIX)
        assert len(value) == len(PREFIX) + 43  # 256 bits in base64url
    kept = b"".join(p.read_bytes() for p in (tmp_path / ".homelab").iterdir())
    assert not any(value.encode() in kept or value[len(PREFIX) :].encode() in kept for value in values)
    assert stat.S_IMODE((tmp_path / ".homelab" / "tokens.json").stat().st_mode) == 0o600


def test_a_value_finds_its_own_token_and_no_other_does(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path)
    laptop, value = store.create("laptop", (Scope.READ, Scope.PLAN), 90)
    store.create("phone", ALL_SCOPES, 90)
    assert store.find(value) == laptop
    for wrong in ("", value[:-1], value + "x", value.upper(), laptop.id, "\udcff", "é", "x" * 10_000):
        assert store.find(wrong) is None


def test_revoking_counts_at_once_for_other_processes_too(tmp_path: Path) -> None:
    server, cli = FileTokenStore(tmp_path), FileTokenStore(tmp_path)
    assert not server.exists()
    _, value = cli.create("laptop", (Scope.READ,), 90)
    assert server.exists()
    assert server.find(value) is not None
    cli.revoke("laptop")
    assert server.find(value) is None
    assert server.exists(), "revoking the last token must not open the server"
    with pytest.raises(NotFound):
        cli.revoke("laptop")


def test_a_new_token_of_an_old_name_is_another_token(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path)
    first, old = store.create("laptop", (Scope.READ,), 90)
    store.revoke("laptop")
    second, _ = store.create("laptop", (Scope.READ,), 90)
    assert first.id != second.id
    assert store.find(old) is None


def test_a_token_ends_with_its_days(tmp_path: Path) -> None:
    clock = FakeClock()
    store = FileTokenStore(tmp_path, clock)
    _, value = store.create("laptop", (Scope.READ,), 1)
    _, forever = store.create("server", (Scope.READ,), 0)
    clock.sleep(86_399)
    assert store.find(value) is not None
    clock.sleep(1)
    assert store.find(value) is None
    clock.sleep(10 * 365 * 86_400)
    assert store.find(forever) is not None
    assert [t.name for t in store.list()] == ["laptop", "server"]


def test_use_is_noted_by_the_hour(tmp_path: Path) -> None:
    clock = FakeClock()
    store = FileTokenStore(tmp_path, clock)
    token, value = store.create("laptop", (Scope.READ,), 90)
    store.note_use(token)
    noted = store.list()[0]
    assert noted.used == clock.now()
    file = tmp_path / ".homelab" / "tokens.json"
    before = file.stat().st_ino
    clock.sleep(3599)
    store.note_use(noted)
    assert file.stat().st_ino == before, "no write at each request"
    clock.sleep(1)
    store.note_use(noted)
    assert store.list()[0].used == clock.now()
    assert store.find(value) is not None


def test_noting_a_use_does_not_bring_a_revoked_token_back(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path)
    token, value = store.create("laptop", (Scope.READ,), 90)
    store.revoke("laptop")
    store.note_use(token)
    assert store.list() == ()
    assert store.find(value) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"version": 2, "tokens": []}', b"\xff", b'{"version": 1, "tokens": [{"name": "x"}]}'],
)
def test_a_file_that_cannot_be_read_lets_nobody_in(tmp_path: Path, content: bytes) -> None:
    store = FileTokenStore(tmp_path)
    _, value = store.create("laptop", (Scope.READ,), 90)
    (tmp_path / ".homelab" / "tokens.json").write_bytes(content)
    with pytest.raises(InvalidInput, match="no token counts"):
        store.find(value)
    assert store.exists()


def test_a_hash_that_is_none_or_a_scope_that_is_none_is_not_taken(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path)
    _, value = store.create("laptop", (Scope.READ,), 90)
    file = tmp_path / ".homelab" / "tokens.json"
    kept = json.loads(file.read_text())
    for change in ({"sha256": ""}, {"scopes": ["admin"]}, {"name": "../x"}):
        file.write_text(json.dumps({"version": 1, "tokens": [{**kept["tokens"][0], **change}]}))
        with pytest.raises(HomelabError):
            store.find(value)


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path)
    _, value = store.create("laptop", (Scope.READ,), 90)
    file = tmp_path / ".homelab" / "tokens.json"
    file.rename(tmp_path / "elsewhere.json")
    file.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(HomelabError):
        store.find(value)


def test_makers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    def make(n: int) -> None:
        FileTokenStore(tmp_path).create(f"t{n}", (Scope.READ,), 90)

    threads = [threading.Thread(target=make, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(t.name for t in FileTokenStore(tmp_path).list()) == sorted(f"t{n}" for n in range(16))


@pytest.mark.parametrize("name", ["", "static", "A", "a b", "../x", "a\n", "é", "x" * 41, "-a"])
def test_names_are_plain(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput):
        FileTokenStore(tmp_path).create(name, (Scope.READ,), 90)
    assert not FileTokenStore(tmp_path).exists()


def test_two_tokens_have_two_names(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path)
    store.create("laptop", (Scope.READ,), 90)
    with pytest.raises(InvalidInput, match="already"):
        store.create("laptop", (Scope.READ,), 90)
