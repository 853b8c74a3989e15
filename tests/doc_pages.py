"""The commands in the documentation's pages: where they stand, what a page says of running them, and how they parse.

A page says in one place, the line above a listing, what is special about it::

    <!-- test: parse only, because it serves until it is stopped -->
    <!-- test: needs docker for move, storage -->
    <!-- test: new lab; in order; exits 1 for doctor, because no engine answers -->

Without such a line each ``homelab-mcp`` of a listing is run in a copy of a lab of files (tests/doc_labs.py), and must
end with 0, or 3 where it made a plan, which then waits. The parts of the line:

- ``run by tests/.../test_x.py[ for COMMAND, ...]``: that test reads them out of the page and
  runs them (tests/doc_play.py), so a changed page is a changed test; where one is left over it fails. A name, path or
  address of an example that cannot be here is replaced through one mapping of that test. Other programs (``docker``,
  ``sudo``) too.
- ``parse only[ for COMMAND, ...], because WHY``: never run; the real command line must take it all the same.
- ``needs docker[ for COMMAND, ...]``: run at night, by tests/e2e/test_docs_in_docker.py; by day parsed.
- ``exits N[ or M][ for COMMAND, ...], because WHY``: how it ends.
- ``in order``: the reader says yes to each plan; what follows finds it applied.
- ``after COMMAND``: what happened meanwhile, such as a plan that the AI made: typed first, and left waiting.
- ``new lab``, ``without SERVICE``: the lab begins empty, or lacks a service. A page has one lab, for all its listings.

A program that is not ours is run only by a named test; a listing that has one names that test, or says ``parse only``.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from tests.doc_cli import TREE

ROOT = Path(__file__).parents[1]
NAMES = {"homelab-mcp", "homelab-mcp-server"}
SHELLS = {"", "sh", "bash", "console", "shell"}
"""Languages of listings that a reader types; a listing without one is taken for such."""

WITH_LINES = {"ini", "crontab"}
"""Languages of files in which a command stands in a line of its own."""

_FENCE = re.compile(
    r"(?:^[ ]*<!-- test: (?P<how>[^\n]*?) -->\n)?^(?P<indent>[ ]*)(?P<fence>```+)(?P<language>[^\n`]*)\n"
    r"(?P<text>.*?)^(?P=indent)(?P=fence)[ ]*$",
    re.MULTILINE | re.DOTALL,
)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_INDENTED = re.compile(r"^(?: {4}|\t)(?:sudo )?(?:homelab-mcp|script/)\b", re.MULTILINE)
_HOW = re.compile(
    r"(?P<what>parse only|needs docker|run by tests/\S+\.py|exits \d+(?: or \d+)*)"
    r"(?: for (?P<whom>[\w./~ -]+(?:, (?!because)[\w./~ -]+)*))?"
    r"(?P<why>, because .+)?|new lab|in order|without \S+|after .+"
)


class BadPage(Exception):
    """A page's listing that cannot be right; the text names page and line."""


@dataclass(frozen=True)
class Command:
    """One command of a listing, as a shell reads it: words, and the files it reads and writes.

    ``typed`` is the whole line that it is in, which may have others, joined where it goes on in the next.
    """

    page: str
    line: int
    words: tuple[str, ...]
    reads: str = ""
    writes: str = ""
    typed: str = ""

    @property
    def ours(self) -> tuple[str, ...] | None:
        """What this project's command is given; None where another program is run."""
        return _ours(self.words)

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {shlex.join(self.words)}"


@dataclass(frozen=True)
class Block:
    """A fenced listing of a page and what the page says of running it."""

    page: str
    line: int
    language: str
    text: str
    how: tuple[str, ...] = ()
    commands: tuple[Command, ...] = field(default=())

    def parse_only(self, command: Command) -> bool:
        """Whether it cannot be run in a test."""
        return bool(self._said("parse only", command))

    def run_by(self, command: Command) -> str:
        """The test, from the repository's root, that runs it; "" for none of its own."""
        return next((said.removeprefix("run by ") for said in self._said("run by", command)), "")

    def needs_docker(self, command: Command) -> bool:
        """Whether it is run where an engine answers."""
        elsewhere = self.parse_only(command) or self.run_by(command)
        return not elsewhere and bool(self._said("needs docker", command))

    def codes(self, command: Command) -> frozenset[int]:
        """The exit codes that are right; 3 is a plan of ours that waits."""
        said = self._said("exits", command)
        usual = {0} if command.ours is None else {0, 3}
        return frozenset(int(n) for what in said for n in re.findall(r"\d+", what)) or frozenset(usual)

    @property
    def before(self) -> tuple[Command, ...]:
        """What happened before the reader types."""
        said = [part.removeprefix("after ") for part in self.how if part.startswith("after ")]
        return tuple(Command(self.page, self.line, ("homelab-mcp", *shlex.split(text))) for text in said)

    @property
    def without(self) -> tuple[str, ...]:
        """The services that the lab must not have before it."""
        return tuple(part.split()[1] for part in self.how if part.startswith("without "))

    def _said(self, what: str, command: Command) -> list[str]:
        """What the page says of that kind about that command, or of all of the listing's."""
        words = " ".join(command.words if command.ours is None else command.ours)
        found = [match for part in self.how if (match := _HOW.fullmatch(part)) and match["what"]]
        return [
            match["what"]
            for match in found
            if match["what"].startswith(what)
            and (not match["whom"] or any(words.startswith(whom.strip()) for whom in match["whom"].split(",")))
        ]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """The hand-written pages, from the repository's root; the services' pages are made from the catalog."""
    found = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")]
    return [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        *sorted(p for p in found if not p.startswith("docs/services/")),
    ]


def listings(page: str, by: str) -> list[Block]:
    """The page's listings with a command that the test ``by`` (its path, as ``__file__`` has it) is said to run."""
    test = repository_path(by)
    found = blocks_of(page, (ROOT / page).read_text("utf-8"))
    return [block for block in found if any(block.run_by(command) == test for command in block.commands)]


def repository_path(file: str) -> str:
    """A file's path from the repository's root."""
    return (ROOT / file).resolve().relative_to(ROOT).as_posix()


def blocks_of(page: str, text: str) -> list[Block]:
    """The page's listings that a reader types. Raises BadPage where one cannot be read, or says what nobody knows."""
    if indented := _INDENTED.search(text):
        raise BadPage(f"{page}:{_line(text, indented.start())}: put commands into a fence, so that they are tested")
    found = []
    seen = 0
    for match in _FENCE.finditer(text):
        seen += 1 if match["how"] else 0
        language = match["language"].strip().split(" ")[0].lower()
        line = _line(text, match.start("fence"))
        how = tuple(part.strip() for part in (match["how"] or "").split(";") if part.strip())
        for part in how:
            said = _HOW.fullmatch(part)
            if said is None or (bool(said["why"]) != (said["what"] or "").startswith(("parse", "exits"))):
                raise BadPage(f"{page}:{line}: '{part}' is nothing that a listing can say; see tests/doc_pages.py")
        if language in SHELLS:
            commands = tuple(_commands(page, line, match["text"]))
            found.append(Block(page, line, language, match["text"], how, commands))
    if seen != len(re.findall(r"<!-- test:", text)):
        raise BadPage(f"{page}: a '<!-- test: ... -->' is not right above its listing")
    return found


def lines_of_files(page: str, text: str) -> Iterator[Command]:
    """Commands of ours in the page's listings of files: timers, units, clients' configurations."""
    for match in _FENCE.finditer(text):
        language, line = match["language"].strip(), _line(text, match.start("fence"))
        if language in WITH_LINES:
            for number, written in enumerate(match["text"].splitlines(), line + 1):
                if found := re.search(r"(?:^|[ =])([^\s=]*homelab-mcp )(.*)", written):
                    typed = found[1] + re.split(r"[|>]", found[2])[0]
                    yield Command(page, number, tuple(shlex.split(typed, comments=True)))
        elif language == "json":
            for words in _started(json.loads(match["text"])):
                yield Command(page, line, words)


def spans_of(page: str, text: str) -> Iterator[tuple[int, str]]:
    """The code spans of the page's prose and tables that name a command of ours, each with its line."""
    # Listings go, line by line, so that the numbers stay.
    prose = _FENCE.sub(lambda m: "\n" * m[0].count("\n"), text)
    commands = set(TREE.commands)
    for match in _SPAN.finditer(prose):
        span = match[1].replace("\\|", "|").strip()
        words = span.split()
        if not words:
            continue
        named = words[0] in NAMES and len(words) > 1
        in_reference = page == "docs/cli.md" and words[0] in commands
        if named or in_reference or (words[0] in commands and any(w.startswith("--") for w in words)):
            yield _line(prose, match.start()), " ".join(words[1:] if named else words)


def lone_options(page: str, text: str) -> Iterator[tuple[int, str]]:
    """Options that prose and the comments of listings name without their command, each with its line."""
    prose = _FENCE.sub(lambda m: "\n" * m[0].count("\n"), text)
    for match in _SPAN.finditer(prose):
        for name in re.findall(r"^--[a-z][a-z-]*(?![\w.-])", match[1]):
            yield _line(prose, match.start()), name
    for block in blocks_of(page, text):
        for number, written in enumerate(block.text.splitlines(), block.line + 1):
            for name in re.findall(r"(?<=\s)--[a-z][a-z-]*(?![\w.-])", written.partition(" #")[2]):
                yield number, name


def _ours(words: tuple[str, ...]) -> tuple[str, ...] | None:
    while words and (words[0] == "sudo" or re.fullmatch(r"[A-Za-z_]\w*=.*", words[0])):
        words = words[1:]
    if not words:
        return None
    if PurePosixPath(words[0]).name in NAMES:
        return words[1:]
    if words[0] in ("uvx", "ssh") or words[:3] in (("docker", "compose", "run"), ("docker", "compose", "exec")):
        named = [n for n, word in enumerate(words) if word in NAMES]
        # exec names the container's service and then the program.
        at = 1 if "exec" in words[:3] else 0
        return words[named[at] + 1 :] if len(named) > at else None
    return None


def _commands(page: str, line: int, text: str) -> Iterator[Command]:
    """As a shell reads them: lines joined, comments gone, pipes and files apart."""
    number, waiting = line, ""
    for written in text.splitlines():
        number += 1
        if written.endswith("\\"):
            waiting += written[:-1] + " "
            continue
        typed = waiting + written.removeprefix("$ ")
        lexer = shlex.shlex(typed, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        lexer.commenters = "#"
        waiting = ""
        try:
            yield from _split(page, number, list(lexer), typed)
        except ValueError as error:
            raise BadPage(f"{page}:{number}: no shell reads this: {error}") from None


def _split(page: str, line: int, words: list[str], typed: str) -> Iterator[Command]:
    argv: list[str] = []
    files = {"<": "", ">": "", ">>": ""}
    coming = iter(words)
    for word in coming:
        if word in files:
            files[word] = next(coming, "")
        elif word in ("&&", "||", "|", ";", "&"):
            yield Command(page, line, tuple(argv), files["<"], files[">"] or files[">>"], typed)
            argv, files = [], dict.fromkeys(files, "")
        else:
            argv.append(word)
    if argv:
        yield Command(page, line, tuple(argv), files["<"], files[">"] or files[">>"], typed)


def _started(data: Any) -> Iterator[tuple[str, ...]]:
    if isinstance(data, dict):
        command, args = data.get("command"), data.get("args")
        if isinstance(command, str) and isinstance(args, list):
            yield (command, *(str(word) for word in args))
        for below in data.values():
            yield from _started(below)
    elif isinstance(data, list):
        for below in data:
            yield from _started(below)


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1
