"""Every command in the documentation is run, or at least read by the real command line."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doc_labs import Reader, make_home
from tests.doc_pages import (
    ROOT,
    BadPage,
    Block,
    blocks_of,
    leaves,
    lines_of_files,
    outline,
    pages,
    parse,
    spans_of,
)

PAGES = pages()
pytestmark = pytest.mark.timeout(120)


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def unread(page: str, text: str) -> list[str]:
    """What no real command line takes in that page: listings, files in listings, prose and tables."""
    wrong = []
    for block in blocks_of(page, text):
        wrong += [f"{c}: {said}" for c in block.commands if c.ours is not None and (said := parse(c.ours))]
        wrong += [f"{block}: {said}" for said in not_there(block)]
    wrong += [f"{c}: {said}" for c in lines_of_files(page, text) if c.ours is not None and (said := parse(c.ours))]
    wrong += [f"{page}:{line}: {span}: {said}" for line, span in spans_of(page, text) if (said := outline(span))]
    return wrong


def not_there(block: Block) -> Iterator[str]:
    """What the listing names of this repository that is not in it: scripts, their options, files to be copied."""
    for command in block.commands:
        for word in command.words:
            if word.startswith(("script/", "deploy/")) and not list(ROOT.glob(word)):
                yield f"no such file: {word}"
        if command.words[0].startswith("script/") and (ROOT / command.words[0]).is_file():
            known = (ROOT / command.words[0]).read_text("utf-8")
            for word in command.words[1:]:
                if word.startswith("--") and word not in known:
                    yield f"{command.words[0]} has no option {word}"


@pytest.mark.parametrize("page", PAGES)
def test_the_command_line_takes_every_command(page: str) -> None:
    assert unread(page, text_of(page)) == []


def test_a_shell_reads_every_listing() -> None:
    listings = [block for page in PAGES for block in blocks_of(page, text_of(page))]
    assert len(listings) > 40
    for block in listings:
        done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), str(block)


def test_the_services_pages_and_prompts_name_real_commands() -> None:
    made = sorted((ROOT / "docs" / "services").glob("*.md")) + sorted((ROOT / "prompts").glob("*.md"))
    wrong = []
    for path in made:
        name, text = path.relative_to(ROOT).as_posix(), path.read_text("utf-8")
        wrong += [f"{name}:{line}: {span}: {said}" for line, span in spans_of(name, text) if (said := outline(span))]
    assert wrong == []


def test_the_reference_names_every_command() -> None:
    text = text_of("docs/cli.md")
    spans = " ".join(span for _, span in spans_of("docs/cli.md", text))
    named = spans.replace("|", " ").split()
    missing = [" ".join(path) for path in leaves() if not set(path) <= set(named)]
    assert missing == []


@pytest.fixture(scope="module")
def home_lab(keys_of_test_labs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("docs") / "stacks"
    made.mkdir()
    make_home(made)
    return made


@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page, text_of(page))])
def test_every_command_ends_as_the_page_says(
    page: str, home_lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\n".join(played(page, text_of(page), home_lab, tmp_path, monkeypatch)) == ""


def played(page: str, text: str, home_lab: Path, folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
    """Type the page's commands, listing by listing; what did not end as it says."""
    reader = Reader(folder, patch)
    blocks = blocks_of(page, text)
    if not any("new lab" in block.how for block in blocks):
        reader.lay(home_lab)
    wrong = []
    for block in blocks:
        for service in block.without:
            reader.lack(service)
        wrong += reader.play(block)
    return wrong
