"""The lab's own files, asked which failures its services survive."""

from __future__ import annotations

from pathlib import Path

import pytest

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.cli.survives import _show
from homelab_mcp.core.survival_standby import Failure
from homelab_mcp.queries import survival as asked
from homelab_mcp.queries.survival import survives


def test_files_alone_say_it_and_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "homelab.yaml").write_text("domain: lab.test\n")
    web = "services:\n  web: {image: 'nginx:1.29', volumes: ['./web:/data']}\n"
    for name, text in (("apps", web), ("odd", "a: [")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "compose.yaml").write_text(text)
    found = survives(open_lab(str(tmp_path), files_only=True))
    assert (found["services"], found["not_read"]) == (1, ["odd"])
    assert found["failures"][0] == {
        "failure": "A service's program ends",
        "survive": 0,
        "down": {"apps/web": "no restart policy"},
    }
    assert found["failures"][-1]["data_gone"] == ["apps/web"]
    assert found["failures"][-1]["note"] == "The lab makes no backup."


def test_of_whom_nobody_can_tell_is_an_answer_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "homelab.yaml").write_text("domain: lab.test\n")
    one = Failure("A node is lost", ("a/web",), {"a/db": "bound"}, unknown={"a/odd": "its labels"})
    monkeypatch.setattr(asked, "failures", lambda *_: [one])
    found = survives(open_lab(str(tmp_path), files_only=True))
    told = found["failures"][0]
    assert (told["survive"], told["down"], told["unknown"]) == (1, {"a/db": "bound"}, {"a/odd": "its labels"})
    _show(found)
    shown = capsys.readouterr().out
    assert "A node is lost: 1 go on, 1 do not, 1 unknown" in shown
    assert "unknown: its labels: a/odd" in shown
