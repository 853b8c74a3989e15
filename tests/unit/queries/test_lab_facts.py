"""What the linter is told of a lab beside its files."""

from __future__ import annotations

from pathlib import Path

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.model.finding import Severity
from homelab_mcp.queries.lab_facts import lab_facts, lint_settings


def test_a_lab_without_engine_settings_or_git_is_judged_by_its_files_alone(tmp_path: Path) -> None:
    lab = open_lab(str(tmp_path), files_only=True)
    facts = lab_facts(lab)
    assert facts.networks is None
    assert facts.memory is None
    assert facts.backup_paths is None
    assert facts.tracked == frozenset()
    assert lint_settings(lab).ignore == ()


def test_settings_and_the_git_index_are_read_afresh(tmp_path: Path) -> None:
    lab = open_lab(str(tmp_path), files_only=True)
    (tmp_path / "homelab.yaml").write_text(
        "domain: a.example.org\nbackup_paths: [/mnt/data]\nlint:\n  ignore: [HL113]\n  severity: {HL110: error}\n"
        "external: {tv: {url: 'http://192.168.1.9:80'}}\n"
    )
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "compose.yaml").write_text("services: {}\n")
    lab.history.ensure()
    lab.history.commit(["web/compose.yaml"], "first")
    facts = lab_facts(lab)
    assert facts.backup_paths == ("/mnt/data",)
    assert facts.devices == {"tv.a.example.org": "tv"}
    assert facts.tracked == {"web/compose.yaml"}
    assert lint_settings(lab).ignore == ("HL113",)
    assert lint_settings(lab).severity == {"HL110": Severity.ERROR}
    (tmp_path / "homelab.yaml").write_text("domain: [not, readable\n")
    assert lint_settings(lab).ignore == ()


def test_a_lab_in_a_larger_repository_names_its_own_files_alone(tmp_path: Path) -> None:
    outer = open_lab(str(tmp_path), files_only=True)
    (tmp_path / "notes.md").write_text("x\n")
    stack = tmp_path / "stacks" / "web"
    stack.mkdir(parents=True)
    (stack / "compose.yaml").write_text("services: {}\n")
    outer.history.ensure()
    outer.history.commit(["notes.md", "stacks/web/compose.yaml"], "first")
    assert lab_facts(open_lab(str(tmp_path / "stacks"), files_only=True)).tracked == {"web/compose.yaml"}
