"""Nothing secret gets into the journal, a status or git."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from homelab_mcp.adapters.files import LabFiles
from homelab_mcp.adapters.git_history import GitHistory
from homelab_mcp.adapters.journal import JsonlJournal
from homelab_mcp.adapters.outgoing import RedactedHistory, RedactedJournal
from homelab_mcp.core.redact import MASK, Redactor
from homelab_mcp.model.errors import HomelabError

SECRET = "Zq8-secret-value"
TOKEN = "ghp_abcdefghijklmnopqrstuvwxyz012345"
KNOWN = Redactor([SECRET])


def history(root: Path) -> RedactedHistory:
    return RedactedHistory(GitHistory(root), LabFiles(root), lambda: KNOWN)


def objects(root: Path) -> bytes:
    """Everything in git, decompressed."""
    from dulwich.repo import Repo

    repo = Repo(str(root))
    try:
        return b"\n".join(repo.object_store[sha].as_raw_string() for sha in repo.object_store)
    finally:
        repo.close()


def test_the_journal_is_masked_before_it_is_hashed(tmp_path: Path) -> None:
    inner = JsonlJournal(tmp_path)
    journal = RedactedJournal(inner, lambda: KNOWN)
    journal.append("rolled_back", {"plan": "a" * 32, "error": f"it said {SECRET}", "networks": [SECRET]})
    assert inner.entries()[0]["data"]["error"] == f"it said {MASK}"
    # What a roll-back reads back is the program's own and stays to the letter.
    assert inner.entries()[0]["data"]["networks"] == [SECRET]
    assert inner.verify() == ""


@pytest.mark.parametrize(
    "line", [f"  PASSWORD: {SECRET}", f"  X: {TOKEN}", "  DSN: postgres://app:hunter2hunter2@db/x"]
)
def test_a_new_secret_is_refused_with_file_and_line_and_not_its_value(tmp_path: Path, line: str) -> None:
    kept = history(tmp_path)
    file = tmp_path / "compose.yaml"
    file.write_text("services: {}\n")
    assert kept.commit(["compose.yaml"], "First", refuse_secrets=True)
    file.write_text(f"services:\n{line}\n")
    with pytest.raises(HomelabError) as error:
        kept.commit(["compose.yaml"], "Second", refuse_secrets=True)
    assert error.value.code == "secret_in_commit"
    assert "compose.yaml" in error.value.message
    assert "line 2" in error.value.message
    assert line.split(": ", 1)[1] not in str(error.value.as_dict())
    assert line.split(": ", 1)[1].encode() not in objects(tmp_path)


def test_a_persons_own_secret_is_left_out_and_told_and_the_apply_goes_on(tmp_path: Path) -> None:
    kept = history(tmp_path)
    own, other = tmp_path / "compose.yaml", tmp_path / "other.yaml"
    own.write_text(f"services:\n  x: {TOKEN}\n")
    other.write_text("a: 1\n")
    assert kept.commit(["compose.yaml", "other.yaml"], f"As found {SECRET}")
    own.write_text(f"services:\n  x: {TOKEN}\n  y: 1\n")
    assert kept.commit(["compose.yaml"], "Plan", refuse_secrets=True) == ""
    assert kept.withheld() == ["compose.yaml was not committed: line 2 holds what looks like a secret"]
    own.write_text(f"services:\n  x: {TOKEN}\n  y: {SECRET}\n")
    with pytest.raises(HomelabError):
        kept.commit(["compose.yaml"], "Plan", refuse_secrets=True)
    stored = objects(tmp_path)
    assert b"a: 1" in stored
    assert TOKEN.encode() not in stored
    assert SECRET.encode() not in stored


def test_what_git_holds_already_stands_in_nobodys_way(tmp_path: Path) -> None:
    plain = GitHistory(tmp_path)
    file = tmp_path / "compose.yaml"
    file.write_text(f"x: {TOKEN}\n")
    plain.commit(["compose.yaml"], "Before this project")
    file.write_text(f"x: {TOKEN}\ny: 1\n")
    kept = history(tmp_path)
    assert kept.commit(["compose.yaml"], "Plan", refuse_secrets=True)
    assert kept.withheld() == []
    assert cast("GitHistory", kept).dirty(["compose.yaml"]) == []


def test_references_and_digests_are_no_secrets(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services:\n  db:\n    image: postgres:16@sha256:" + "0123456789abcdef" * 4 + "\n    environment:\n"
        "      POSTGRES_PASSWORD: ${DB_PASSWORD:?set it}\n      URL: postgres://app:${DB_PASSWORD}@db/app\n"
        "      SECRET_FILE: /run/secrets/postgres_password\n    secrets: [token]\n"
    )
    assert history(tmp_path).commit(["compose.yaml"], "Fine", refuse_secrets=True)
