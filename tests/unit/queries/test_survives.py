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


def test_a_host_of_hosts_yaml_that_is_a_file_server_too_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "homelab.yaml").write_text("domain: lab.test\n")
    share = "volumes: {films: {driver_opts: {type: nfs, o: addr=nas.lan, device: ':/x'}}}\n"
    texts = {
        "media": "services: {plex: {image: a, volumes: ['films:/films']}}\n" + share,
        "far": "x-homelab: {host: nas}\nservices: {web: {image: a}}\n",
    }
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "compose.yaml").write_text(text)

    def down() -> dict[str, list[str]]:
        found = survives(open_lab(str(tmp_path), files_only=True))["failures"]
        return {f["failure"]: sorted(f["down"]) for f in found if "nas" in f["failure"]}

    (tmp_path / "hosts.yaml").write_text("hosts: {nas: {address: 'ssh://root@nas.lan', private: 10.0.0.2}}\n")
    assert down() == {"The machine nas is lost": ["far/web", "media/plex"]}
    (tmp_path / "hosts.yaml").write_text("hosts: [")
    assert down() == {"The file server nas.lan is lost": ["media/plex"], "The machine nas is lost": ["far/web"]}


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
