"""Authelia's users file: one person is changed, the others keep every byte, and no hash is told."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homelab_mcp.core.diff import unified
from homelab_mcp.core.users_file import User, add_user, change_user, described, members, remove_user, users_of
from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound
from homelab_mcp.model.plan import FileEdit

SCHEMA = Path(__file__).parents[4] / "shared" / "facts" / "authelia-4.39" / "user-database.json"
HASH = "$argon2id$v=19$m=65536,t=3,p=4$AAAAAAAAAAAAAAAAAAAAAA$BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
OTHER = HASH.replace("B", "C")
TEXT = f"""# people of the house
users:
    admin:   # me
        disabled: false
        displayname: 'Ann Admin'
        password: "{HASH}"
        email: ann@lab.test
        groups: [admins, family]
    bob:
        disabled: false
        displayname: Bob
        password: {HASH}
        email: bob@lab.test
        groups:
          - family
"""
EVE = User("eve", 'Eve: the "last"', "eve@lab.test", ("guests",), disabled=False)


def test_everyone_is_read_without_their_password() -> None:
    assert [(u.name, u.groups, u.disabled) for u in users_of(TEXT)] == [
        ("admin", ("admins", "family"), False),
        ("bob", ("family",), False),
    ]
    assert members(TEXT) == {"admins": ("admin",), "family": ("admin", "bob")}
    assert HASH not in repr(users_of(TEXT))


def test_one_more_person_leaves_every_line_that_was_there() -> None:
    after = add_user(TEXT, EVE, OTHER)
    assert after.startswith(TEXT)
    assert users_of(after)[-1] == EVE
    assert load(after)["users"]["eve"]["password"] == OTHER
    assert remove_user(after, "eve") == TEXT


def test_changes_touch_one_line_each() -> None:
    def changed(after: str) -> list[str]:
        return [line for line in after.splitlines() if line not in TEXT.splitlines()]

    assert changed(change_user(TEXT, "bob", disabled=True)) == ["        disabled: true"]
    assert changed(change_user(TEXT, "admin", groups=["admins"])) == ["            - admins"]
    assert len(changed(change_user(TEXT, "bob", password=OTHER))) == 1
    assert change_user(TEXT, "bob", disabled=False) == TEXT


def test_the_last_one_who_can_log_in_stays() -> None:
    alone = change_user(TEXT, "bob", disabled=True)
    with pytest.raises(InvalidInput) as refused:
        remove_user(alone, "admin")
    assert refused.value.code == "last_user"
    with pytest.raises(InvalidInput) as disabled:
        change_user(alone, "admin", disabled=True)
    assert disabled.value.code == "last_user"


@pytest.mark.parametrize(
    ("name", "groups", "mail", "code"),
    [
        ("BOB", (), "a@b.c", "user_exists"),
        ("a b", (), "a@b.c", "bad_name"),
        ("", (), "a@b.c", "bad_name"),
        ("x\ny", (), "a@b.c", "bad_name"),
        ("eve", ("a,b",), "a@b.c", "bad_name"),
        ("eve", ("everyone",), "a@b.c", "bad_name"),
        ("eve", (), "nobody", "bad_value"),
    ],
)
def test_what_is_no_name_group_or_address_is_refused(name: str, groups: tuple[str, ...], mail: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        add_user(TEXT, User(name, "X", mail, groups, disabled=False), OTHER)
    assert refused.value.code == code


def test_unknown_people_and_unreadable_files_are_told() -> None:
    with pytest.raises(NotFound, match="eve"):
        change_user(TEXT, "eve", disabled=True)
    with pytest.raises(InvalidInput) as refused:
        users_of("users: [\n")
    assert refused.value.code == "bad_users_file"
    assert members("users: [\n") == {}


def test_a_diff_tells_who_and_never_a_hash() -> None:
    after = change_user(change_user(add_user(TEXT, EVE, OTHER), "bob", disabled=True), "admin", password=OTHER)
    after = change_user(after, "bob", groups=["family", "guests"])
    told = unified([FileEdit("core/authelia/config/users_database.yml", TEXT, after, secret=True)])
    assert "~ admin new password" in told
    assert "~ bob groups family -> family, guests, disabled" in told
    assert "+ eve (groups guests)" in told
    assert "argon2" not in told
    assert described(TEXT, remove_user(TEXT, "bob")) == ["- bob"]
    assert described(TEXT, TEXT + "# note\n") == ["  (comments, order or quoting only)"]
    assert described("users: [", TEXT) == ["  (cannot be read as a users file; content not shown)"]


def test_the_file_fits_authelias_own_schema(capsys: pytest.CaptureFixture[str]) -> None:
    data = load(add_user(change_user(TEXT, "bob", groups=[]), EVE, OTHER))
    assert set(data) == {"users"}
    if not SCHEMA.is_file():
        with capsys.disabled():
            print("\nNOT CHECKED against Authelia's own schema (user-database.json is not beside the project)")
        return
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))
    assert [e.message for e in validator.iter_errors(data)] == []
    assert not validator.is_valid({"users": {"eve": {"displayname": "no password"}}})


NAMES = st.sampled_from(["admin", "bob", "eve", "zoe", "no", "1e3"])
STEPS = st.tuples(st.sampled_from(["add", "remove", "on", "off", "groups", "password"]), NAMES)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_any_row_of_changes_keeps_the_others_and_reads_back(steps: list[tuple[str, str]]) -> None:
    text, expected = TEXT, {u.name: u for u in users_of(TEXT)}
    for action, name in steps:
        old = expected.get(name)
        try:
            match action:
                case "add":
                    one = User(name, name, f"{name}@lab.test", ("guests",), disabled=False)
                    text, expected = add_user(text, one, OTHER), {**expected, name: one}
                case "remove":
                    text = remove_user(text, name)
                    del expected[name]
                case "groups":
                    text = change_user(text, name, groups=["x", "no"])
                    assert old is not None
                    expected[name] = User(name, old.displayname, old.email, ("x", "no"), old.disabled)
                case "password":
                    text = change_user(text, name, password=OTHER)
                case "on" | "off":
                    text = change_user(text, name, disabled=action == "off")
                    assert old is not None
                    expected[name] = User(name, old.displayname, old.email, old.groups, action == "off")
        except HomelabError as error:
            assert error.code in {"user_exists", "user_unknown", "last_user"}, error
        assert {u.name: u for u in users_of(text)} == expected
        assert text.startswith("# people of the house\nusers:\n")
        assert any(not u.disabled for u in users_of(text))
