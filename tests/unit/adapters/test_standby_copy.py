"""A folder as an archive: who owns what stays, links and logs stay out, and what changed between two looks is seen."""

from __future__ import annotations

import io
import tarfile

import pytest

from homelab_mcp.adapters import standby_copy
from homelab_mcp.adapters.standby_copy import MARK, Entry, Mark, differing, packed, unpacked
from homelab_mcp.model.errors import InvalidInput


def _archive(*members: tuple[str, bytes, str]) -> bytes:
    """As Docker gives it: everything below the name of the folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind, text in members:
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.uid, member.gid = kind, 0o640, 1000, 1001
            if kind == tarfile.REGTYPE:
                member.size = len(text)
            else:
                member.linkname = text
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


WHOLE = _archive(
    ("copy", tarfile.DIRTYPE, ""),
    ("copy/login", tarfile.DIRTYPE, ""),
    ("copy/login/db.sqlite3", tarfile.REGTYPE, "data"),
    ("copy/login/db.sqlite3-shm", tarfile.REGTYPE, "made anew"),
    ("copy/login/cache-shm", tarfile.DIRTYPE, ""),
    ("copy/login/to", tarfile.SYMTYPE, "/etc/shadow"),
    ("copy/login/ask", tarfile.FIFOTYPE, ""),
    ("copy/traefik/logs/access.json", tarfile.REGTYPE, "x"),
    ("copy/traefik/error.log", tarfile.REGTYPE, "x"),
)


@pytest.mark.parametrize("piece", [1, 700, len(WHOLE)])
def test_files_and_folders_come_and_nothing_that_leads_elsewhere(piece: int) -> None:
    found, left = unpacked((WHOLE[i : i + piece] for i in range(0, len(WHOLE), piece)), "core")
    folder = Entry(0o640, 1000, 1001, None)
    assert found == {
        ".": folder,
        "login": folder,
        "login/cache-shm": folder,
        "login/db.sqlite3": Entry(0o640, 1000, 1001, b"data"),
    }
    assert left == ("login/to", "login/ask", "traefik/logs/access.json", "traefik/error.log")


def test_what_is_packed_has_its_owners_and_the_mark() -> None:
    found, _ = unpacked([WHOLE], "core")
    with tarfile.open(fileobj=io.BytesIO(packed(found, Mark(), "copy"))) as archive:
        members = {m.name: (m.mode, m.uid, m.gid, m.isdir()) for m in archive}
    # First of all: a sync that is cut off after it leaves no folder that the next one takes for somebody else's.
    assert next(iter(members.items())) == (f"copy/{MARK}", (0o600, 0, 0, False))
    folder = (0o640, 1000, 1001, True)
    assert {p: m for p, m in members.items() if MARK not in p} == {
        "copy": folder,
        "copy/login": folder,
        "copy/login/cache-shm": folder,
        "copy/login/db.sqlite3": (0o640, 1000, 1001, False),
    }


def test_the_mark_keeps_digests_and_routes_and_nothing_of_what_is_in_the_files() -> None:
    entry = Entry(0o600, 0, 0, b"PASSWORD=canary")
    mark = Mark({".env": entry.digest}, ("nas-far-watch",))
    assert Mark.read(mark.text()) == mark
    assert b"canary" not in mark.text()
    assert Mark.read(Mark().text()) == Mark() == Mark.read(b"")
    assert entry.digest != Entry(0o644, 0, 0, entry.data).digest


def test_a_byte_an_owner_or_a_file_more_is_seen() -> None:
    one = {"a": Entry(0o600, 0, 0, b"1"), "b": Entry(0o600, 0, 0, b"1"), "c": Entry(0o600, 0, 0, b"1")}
    other = {**one, "a": Entry(0o600, 0, 0, b"2"), "b": Entry(0o600, 1, 0, b"1"), "d": Entry(0o700, 0, 0, None)}
    assert differing(one, one) == []
    assert differing(one, other) == ["a", "b", "d"]


def test_a_stack_with_much_data_is_refused_before_it_is_all_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby_copy, "LARGEST", 3)
    with pytest.raises(InvalidInput) as refused:
        unpacked([WHOLE], "core")
    assert refused.value.code == "standby_too_large"
    assert "login/db.sqlite3" in refused.value.message
