"""What entries say nothing of, as ``script/catalog-departures --lacking`` lists it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench.catalog_lacking import ALL, has_widget, lacking, main, widget_names
from homelab_mcp.adapters.catalog_files import packaged_definitions
from homelab_mcp.adapters.failure_files import load_signatures

ENTRIES = {definition.id: definition for definition in packaged_definitions()}


def test_an_entry_lacks_what_nobody_wrote_for_it() -> None:
    signatures = load_signatures()
    assert lacking(ENTRIES["whoami"], ()) == ALL
    assert lacking(ENTRIES["whoami"], signatures) == ("memory", "metrics", "widget")
    assert lacking(ENTRIES["crowdsec"], signatures) == ()
    assert lacking(ENTRIES["gotenberg"], signatures) == ("memory", "widget")


def test_a_line_for_everybody_is_nobodys_own() -> None:
    everybody = [s for s in load_signatures() if not s.images]
    assert everybody
    assert "failures" in lacking(ENTRIES["gotenberg"], everybody)


def test_widgets_are_those_that_homepage_documents(tmp_path: Path) -> None:
    pages = tmp_path / "homepage" / "docs" / "widgets" / "services"
    pages.mkdir(parents=True)
    (pages / "it-tools.md").write_text("x")
    (pages / "index.txt").write_text("x")
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    for words in (("init", "-q"), ("add", "."), (*who, "commit", "-qm", "x")):
        subprocess.run(["git", *words], cwd=tmp_path / "homepage", check=True, capture_output=True)
    names = widget_names(tmp_path / "homepage" / ".git")
    assert names == {"ittools"}
    assert has_widget(ENTRIES["it-tools"], names)
    assert not has_widget(ENTRIES["whoami"], names)


def test_the_kinds_asked_for_are_printed_with_their_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["memory"]) == 0
    printed = capsys.readouterr().out
    said = sum(entry.minimum_memory is not None for entry in ENTRIES.values())
    assert printed.startswith(f"memory: {said} of {len(ENTRIES)} entries say it.")
    assert "metrics:" not in printed
    with pytest.raises(SystemExit):
        main(["colour"])
