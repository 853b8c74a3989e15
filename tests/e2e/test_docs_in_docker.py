"""The documentation's commands that need an engine (``<!-- test: needs docker -->``), typed where one answers.

Nothing of the lab runs there: each page says how its commands then end. The rest is run by day, in
tests/unit/test_docs_commands.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from testbed import LocalImage
from testbed.definitions import definition, provide
from tests.doc_labs import Reader, make_home
from tests.doc_pages import ROOT, blocks_of, pages

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(580), pytest.mark.usefixtures("docker_engine")]

BLOCKS = {page: blocks_of(page, (ROOT / page).read_text("utf-8")) for page in pages()}
FOR_THE_NIGHT = [page for page, blocks in BLOCKS.items() if any(b.needs_docker(c) for b in blocks for c in b.commands)]


@pytest.fixture(scope="module")
def home_lab(keys_of_test_labs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lab of files, made as people make one."""
    made = tmp_path_factory.mktemp("docs") / "stacks"
    made.mkdir()
    make_home(made)
    return made


@pytest.fixture(scope="module")
def images(stand_in: Callable[..., LocalImage]) -> None:
    """What the pages' trials run, under its name."""
    provide([definition("jellyfin")])
    stand_in("ghcr.io/some/thing:1.2")


def test_there_are_such_pages() -> None:
    assert {"docs/auditing.md", "docs/changing.md", "docs/monitoring.md"} <= set(FOR_THE_NIGHT)


@pytest.mark.parametrize("page", FOR_THE_NIGHT)
@pytest.mark.usefixtures("images")
def test_every_command_ends_as_the_page_says(
    page: str, home_lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(tmp_path, monkeypatch, files_only=False)
    reader.lay(home_lab)
    wrong = [line for block in BLOCKS[page] for line in reader.play(block)]
    assert "\n".join(wrong) == ""
