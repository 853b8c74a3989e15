"""How a backup's files come to another host: what Compose reads out of the file is what went in."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homelab_mcp.core import yaml12
from homelab_mcp.core.backup_script import RUN_SH
from homelab_mcp.core.backup_there import brought_text

pytestmark = pytest.mark.unit

ODD = [
    RUN_SH,
    "",
    "\n",
    " a\nb\n",
    "a",
    "a\n\n",
    "a\n \nb\n",
    "t\tb\n",
    "$HOME ${X:-y} $$\n",
    "'\"\\ é \u2028\n",
    "- a: b\n",
]


def content(text: str) -> str:
    """As a YAML reader has it, with the doubled dollars that Compose takes for one."""
    data = yaml12.load(brought_text("backup-nas", {"run.sh": text}, {}))
    assert data["services"]["backup-nas"]["configs"] == [{"source": "run_sh", "target": "/backup/run.sh"}]
    return str(data["configs"]["run_sh"]["content"]).replace("$$", "$")


@pytest.mark.parametrize("text", ODD)
def test_a_text_comes_out_as_it_went_in(text: str) -> None:
    assert content(text) == text


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), max_size=40))
def test_any_text_does(text: str) -> None:
    assert content(text) == text


def test_the_script_is_lines_that_a_person_can_read() -> None:
    text = brought_text("b", {"run.sh": RUN_SH}, {"HOMELAB_HOST": "nas", "HOMELAB_LAB": "1e3"})
    assert "    content: |\n      #!/bin/sh\n" in text
    assert '      HOMELAB_LAB: "1e3"\n' in text, "a number would be another text"


def test_compose_itself_reads_the_same(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services:\n  b: {image: x}\n")
    (tmp_path / "compose.override.yml").write_text(brought_text("b", {"run.sh": RUN_SH, "excludes": "a $b\t*\n"}, {}))
    argv = ["docker", "compose", "config", "--format", "json", "--no-interpolate"]
    for words, dollar in ((argv, "$$"), (argv[:-1], "$")):
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)["configs"]
        # It doubles dollars in what it prints, so that it can be read again.
        assert found["run_sh"]["content"].replace("$$", "$") == RUN_SH, dollar
        assert found["excludes"]["content"].replace("$$", "$") == "a $b\t*\n"
