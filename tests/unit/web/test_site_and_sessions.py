"""Where the page may be served, and how often a PIN may be tried."""

from __future__ import annotations

from typing import cast

import pytest

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.ports import Signer
from homelab_mcp.web.sessions import MOST_SESSIONS, TRIES_IN_ALL, TRIES_PER_ADDRESS, Sessions, Tries
from homelab_mcp.web.site import client_of, site
from tests.unit.workflow.fakes import FakeClock


@pytest.mark.parametrize(
    ("host", "url", "remote", "code"),
    [
        ("0.0.0.0", "", False, "remote_refused"),
        ("192.168.1.4", "https://a.test", False, "remote_refused"),
        ("0.0.0.0", "", True, "tls_required"),
        ("0.0.0.0", "http://a.test", True, "tls_required"),
        ("127.0.0.1", "http://a.test", False, "tls_required"),
        ("127.0.0.1", "ftp://a.test", False, "bad_url"),
        ("127.0.0.1", "https://", False, "bad_url"),
        ("127.0.0.1", "https://a.test/path", False, "bad_url"),
        ("127.0.0.1", "https://user@a.test", False, "bad_url"),
    ],
)
def test_the_pin_never_travels_in_the_clear_beyond_this_machine(host: str, url: str, remote: bool, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        site(host, 8766, url=url, remote=remote)
    assert caught.value.code == code
    assert caught.value.hint


def test_behind_tls_only_the_outer_name_is_answered() -> None:
    where = site("0.0.0.0", 8766, url="https://Approvals.lab.test/", remote=True)
    assert where.hosts == {"approvals.lab.test", "approvals.lab.test:443"}
    assert where.secure
    assert "127.0.0.1:8766" not in where.hosts


def test_an_address_is_what_the_last_proxy_saw() -> None:
    where = site("127.0.0.1", 1, proxies=["127.0.0.1", "fd00::/8"])
    assert client_of(where, "127.0.0.1", "1.1.1.1, 2.2.2.2", "")[0] == "2.2.2.2"
    assert client_of(where, "127.0.0.1", "", "")[0] == "127.0.0.1"
    assert client_of(where, "9.9.9.9", "2.2.2.2", "anna") == ("9.9.9.9", where.account)
    assert client_of(where, "fd00::1", "2001:db8:1:2:3::4", "a\u202enna\x00")[0] == "2001:db8:1:2::/64"
    assert client_of(where, "fd00::1", "2001:db8:1:2:3::4", "a\u202enna\x00")[1] == "anna"


def test_tries_are_limited_by_address_and_in_all() -> None:
    clock = FakeClock()
    tries = Tries(clock)
    for _ in range(TRIES_PER_ADDRESS):
        assert tries.take("a") == 0
    assert tries.take("a") == pytest.approx(300)
    clock.passed += 100
    assert tries.take("a") == pytest.approx(200)
    for number in range(TRIES_IN_ALL - TRIES_PER_ADDRESS):
        assert tries.take(f"b{number}") == 0
    assert tries.take("fresh") == pytest.approx(200)
    clock.passed += 200
    assert tries.take("fresh") == 0
    tries.forgive("fresh")
    for _ in range(TRIES_PER_ADDRESS):
        assert tries.take("fresh") == 0


def test_sessions_are_few_and_their_ids_are_not_kept() -> None:
    clock = FakeClock()
    sessions = Sessions(clock)
    tokens = []
    for _ in range(MOST_SESSIONS + 1):
        tokens.append(sessions.open(cast(Signer, object()), "me"))
        clock.passed += 1
    assert sessions.find(tokens[0]) is None
    assert sessions.find(tokens[1]) is not None
    assert len(set(tokens)) == len(tokens)
    assert not any(token in repr(vars(sessions)) for token in tokens)
    found = sessions.find(tokens[-1])
    assert found is not None
    assert found.csrf not in repr(found)
