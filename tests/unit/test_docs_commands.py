"""Every command in the documentation is run, here or by the test its page names, and read by the real command line."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doc_cli import every_option, leaves, outline, parse
from tests.doc_labs import Reader, make_home
from tests.doc_pages import (
    ROOT,
    BadPage,
    Block,
    blocks_of,
    lines_of_files,
    lone_options,
    pages,
    spans_of,
)
from tests.doc_play import not_asked_for

PAGES = pages()
OTHERS = {"--api-key", "--build-arg", "--entries", "--label", "--nightly", "--no-docker", "--no-remove"}
"""Options of other programs, which pages name by themselves."""

OPTIONS = every_option() | OTHERS

pytestmark = pytest.mark.timeout(120)


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def unread(page: str, text: str) -> list[str]:
    """What no real command line takes in that page: listings, files in listings, prose and tables."""
    wrong = []
    for block in blocks_of(page, text):
        wrong += [f"{c}: {said}" for c in block.commands if c.ours is not None and (said := parse(c.ours))]
        wrong += [f"{c}: {said}" for c in block.commands if (said := not_asked_for(block, c))]
        wrong += [f"{block}: {said}" for said in not_there(block)]
    wrong += [f"{c}: {said}" for c in lines_of_files(page, text) if c.ours is not None and (said := parse(c.ours))]
    wrong += [f"{page}:{line}: {span}: {said}" for line, span in spans_of(page, text) if (said := outline(span))]
    wrong += [f"{page}:{line}: no command has {name}" for line, name in lone_options(page, text) if name not in OPTIONS]
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


BAD = {
    "a misspelt option": "```sh\nhomelab-mcp update jellyfin --tagg 1\n```\n",
    "an unknown command": "```\nhomelab-mcp upgrad wiki\n```\n",
    "an unknown command of a group": "```bash\nhomelab-mcp backup configur /mnt\n```\n",
    "a missing argument": "```sh\nhomelab-mcp move jellyfin\n```\n",
    "a number that is none": "```sh\nhomelab-mcp check --cert-days soon\n```\n",
    "one that is not run": "<!-- test: parse only, because it is far -->\n```sh\nhomelab-mcp hosts\n```\n",
    "one for the night": "<!-- test: needs docker -->\n```sh\nhomelab-mcp trial jellyfin --second 3\n```\n",
    "one of a test that is not there": "<!-- test: run by tests/e2e/test_made_up.py -->\n```\nhomelab-mcp hosts\n```\n",
    "one that its test lacks": "<!-- test: run by tests/e2e/test_validate.py -->\n```sh\nhomelab-mcp status\n```\n",
    "in a container": "```sh\ndocker compose run --rm homelab-mcp token creat laptop\n```\n",
    "of a script": "```sh\nscript/demo --yess\n```\n",
    "no such script": "```sh\nscript/dem\n```\n",
    "over two lines": "```sh\nhomelab-mcp approvals \\\n  --urll https://example.org\n```\n",
    "in a crontab": "```crontab\n*/30 * * * * /opt/bin/homelab-mcp --rot /opt/stacks check\n```\n",
    "in a unit": "```ini\nExecStart=/opt/bin/homelab-mcp check --cert-day 3\n```\n",
    "in a client's file": '```json\n{"command": "/opt/bin/homelab-mcp", "args": ["--rooot", "/opt", "serve"]}\n```\n',
    "in prose": "Run `homelab-mcp env sett STACK NAME`.\n",
    "an option in prose": "That is `serve --readonly`.\n",
    "an option by itself": "Then `--cert-dayz` says how many.\n",
    "in a comment": "```sh\nhomelab-mcp audit   # or --stak media for one stack\n```\n",
    "in a table": "| you | `homelab-mcp diagnose SERVICE --wat route` |\n",
}


@pytest.mark.parametrize("what", BAD)
def test_what_no_command_line_takes_is_found(what: str) -> None:
    assert unread("docs/made-up.md", f"# A page\n\n{BAD[what]}") != []


@pytest.mark.parametrize(
    "page",
    [
        "    homelab-mcp status\n",
        "<!-- test: whenever -->\n```sh\nhomelab-mcp status\n```\n",
        "<!-- test: parse only -->\n```sh\nhomelab-mcp status\n```\n",
        "<!-- test: needs docker -->\n\n```sh\nhomelab-mcp status\n```\n",
        "```sh\nhomelab-mcp status 'unclosed\n```\n",
    ],
)
def test_a_listing_that_cannot_be_tested_is_found(page: str) -> None:
    with pytest.raises(BadPage):
        unread("docs/made-up.md", page)


@pytest.mark.parametrize("page", PAGES)
def test_any_option_of_any_page_is_found_when_misspelt(page: str) -> None:
    text = text_of(page)
    found = list(re.finditer(r"(?<=[\s\"`\[|])--[a-z][a-z-]+(?=[\s\"`\]|=,])", text))
    for place in found[:: 1 + len(found) // 40]:
        if place[0] in OPTIONS - OTHERS and is_ours(page, text, place.start(), place[0]):
            bad = f"{text[: place.end()]}x{text[place.end() :]}"
            assert unread(page, bad) != [], f"{page}: {text[: place.start()].count(chr(10)) + 1}: {place[0]}"


def is_ours(page: str, text: str, place: int, option: str) -> bool:
    """Whether that place is in what the readers of pages take for a command of ours."""
    line = text.count("\n", 0, place) + 1
    listed = [command for block in blocks_of(page, text) for command in block.commands]
    commands = [c.ours or () for c in (*listed, *lines_of_files(page, text)) if c.line == line]
    spans = [span for number, span in spans_of(page, text) if number == line]
    return any(option in words for words in commands) or any(option in span for span in spans)


def test_a_command_that_ends_otherwise_than_the_page_says_is_found(
    home_lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = "```sh\nhomelab-mcp status nowhere\nhomelab-mcp rules HL041\nls\n```\n"
    wrong = played("docs/made-up.md", page, home_lab, tmp_path / "a", monkeypatch)
    assert len(wrong) == 2
    assert "ended with 1" in wrong[0]
    assert "another program" in wrong[1]
    said = (
        f"<!-- test: exits 1 for status, because there is none; parse only for ls, because it is not ours -->\n{page}"
    )
    assert played("docs/made-up.md", said, home_lab, tmp_path / "b", monkeypatch) == []
