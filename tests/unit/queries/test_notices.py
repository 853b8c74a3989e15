"""Authelia's file of notices: who was written to and about what is read, what was written is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from homelab_mcp.ports import Lab
from homelab_mcp.queries.read_logs import LogQuestion, page_of
from tests.unit.queries.test_hostile_logs import Box

HEAD = (
    "Date: 2026-01-01 10:00:00.1 +0000 UTC m=+9.5\nRecipient: {Ada ada@example.org}\nSubject: Confirm your identity\n"
)
BODY = "Hi Ada,\n\nYour code is: X7QK2M9P\n\nhttps://auth.example.org/revoke/one-time?id=aWQtb2Y\nSubject: X7QK2M9P\n"


def lab_with(text: str, root: Path) -> Lab:
    box = Box([], root)
    box.state = replace(box.state, image="authelia/authelia:4.39.24")
    file = root / "s" / "app" / "config" / "notification.txt"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return cast("Lab", box)


@pytest.mark.parametrize("asked", [{}, {"tail": 1}, {"grep": "X7QK2M9P"}, {"grep": "revoke", "context": 9}])
def test_no_code_or_link_of_a_notice_is_read(asked: dict[str, object], tmp_path: Path) -> None:
    page = page_of(lab_with(HEAD + BODY * 400, tmp_path), LogQuestion(["app"], files=True, **asked))  # type: ignore[arg-type]
    assert "X7QK2M9P" not in str(page.lines)
    assert "revoke" not in str(page.lines)


def test_what_a_notice_is_about_is_read_and_how_a_person_reads_it_is_told(tmp_path: Path) -> None:
    lab = lab_with(HEAD + BODY, tmp_path)
    page = page_of(lab, LogQuestion(["app"], files=True))
    told = "\n".join(page.lines)
    assert "app:notification.txt" in told
    assert all(word in told for word in ("Date: 2026-01-01", "Recipient: ", "Subject: Confirm your identity")), told
    assert "homelab-mcp user notice" in str(page.notes)
    assert "notification.txt: ask with files=true" in str(page_of(lab, LogQuestion(["app"])).notes)


@pytest.mark.parametrize(
    "text", ["", "X7QK2M9P\n", "Subject: X7QK2M9P\n", "Date: now\nYour code: X7QK2M9P\n", "\x00\xff" * 9]
)
def test_a_file_of_another_form_tells_nothing_of_itself(text: str, tmp_path: Path) -> None:
    assert "X7QK2M9P" not in str(page_of(lab_with(text, tmp_path), LogQuestion(["app"], files=True)).lines)
