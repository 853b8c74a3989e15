"""For tests that run listings of pages by themselves: what ``run by tests/.../test_x.py`` above a listing means.

Such a test says, with page and commands written out, so that test_docs_commands.py sees that all are asked for::

    with played("docs/hosts.md", __file__) as play:               # all that the page says this file runs
        play.type(Shell(tmp_path, env, {"homelab.example.org": "127.0.0.1"}))

    with played("docs/hosts.md", __file__, "host add") as play:   # those that begin so; another test has the rest
        for line in play.lines:
            ...
            play.ran(line)

The page's own words are run, by bash, a line at a time. A test never rewrites them: what an example names and is not
here (a host, a path, an address) is replaced through the shell's one mapping, each of whose words must be in the page.
"""

from __future__ import annotations

import ast
import os
import pty
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from tests.doc_pages import ROOT, Block, Command, listings, repository_path


@dataclass(frozen=True)
class Line:
    """A line of a listing as it is typed, and the commands that a shell makes of it."""

    block: Block
    commands: tuple[Command, ...]

    @property
    def text(self) -> str:
        """The page's words, with their comment."""
        return self.commands[0].typed

    @property
    def codes(self) -> frozenset[int]:
        """The exit codes that are right: the last command's, as of a shell."""
        return self.block.codes(self.commands[-1])

    def __str__(self) -> str:
        return f"{self.commands[0].page}:{self.commands[0].line}: {self.text}"


@dataclass(frozen=True)
class Ended:
    """How a line ended: its exit code and what it said, on both outputs."""

    code: int
    said: str


@dataclass
class Shell:
    """A terminal of bash: where it is, what it has in its environment, and what the page's words mean there.

    Args:
        cwd: the folder; a ``cd`` of a line stays for the next.
        env: the whole environment.
        meant: the page's words that cannot be here, each with what stands for it.
    """

    cwd: Path
    env: Mapping[str, str]
    meant: Mapping[str, str] = field(default_factory=dict)

    def words(self, text: str) -> str:
        """The page's words with what they mean here; longer ones first, and nothing is replaced twice."""
        found = [(text.find(name), -len(name), name) for name in self.meant if name in text]
        if not found:
            return text
        at, _, name = min(found)
        return text[:at] + self.meant[name] + self.words(text[at + len(name) :])

    def type(
        self,
        line: Line | str,
        *,
        given: str = "",
        replies: Sequence[tuple[str, str]] = (),
        within: float = 300,
    ) -> Ended:
        """Type a line, wait for its end (seconds), and go where it went.

        Args:
            line: of a page, or what a person types between.
            given: all that its input has, which is no terminal then.
            replies: (words of a question, what a person answers), in their order: then it is at a terminal.
            within: seconds.
        """
        text = self.words(line if isinstance(line, str) else line.text)
        with tempfile.TemporaryDirectory() as folder:
            after = Path(folder) / "after"
            # What a shell keeps from one line to the next: where it is, and what was exported.
            script = f'set -o pipefail\n{text}\ncode=$?; {{ pwd; env -0; }} > {after}; exit "$code"'
            if replies:
                ended = self._at_terminal(script, list(replies), within)
            else:
                done = subprocess.run(
                    ["bash", "-c", script],
                    cwd=self.cwd,
                    env=dict(self.env),
                    input=given,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                    timeout=within,
                )
                ended = Ended(done.returncode, done.stdout)
            went, _, exported = after.read_text("utf-8").partition("\n")
        self.cwd = Path(went)
        self.env = dict(one.split("=", 1) for one in exported.split("\0") if one)
        return ended

    def _at_terminal(self, script: str, left: list[tuple[str, str]], within: float) -> Ended:
        keyboard, terminal = pty.openpty()
        env = {**self.env, "TERM": "dumb", "COLUMNS": "300"}
        with subprocess.Popen(
            ["bash", "-c", script], cwd=self.cwd, env=env, stdin=terminal, stdout=terminal, stderr=terminal
        ) as process:
            os.close(terminal)
            said, seen, end = "", 0, time.monotonic() + within
            while time.monotonic() < end:
                if not select.select([keyboard], [], [], 0.2)[0]:
                    if process.poll() is not None:
                        break
                    continue
                try:
                    said += os.read(keyboard, 65536).decode(errors="replace")
                except OSError:
                    break  # the other side is closed
                if left and left[0][0] in said[seen:] and said.rstrip(" ").endswith(":"):
                    seen = len(said)
                    # What is typed before a hidden question turns the echo off would be shown, and thrown away.
                    time.sleep(0.3)
                    os.write(keyboard, f"{left.pop(0)[1]}\n".encode())
            else:
                process.kill()
            os.close(keyboard)
        assert not left, f"never asked: {left[0]}\n{said}"
        return Ended(process.returncode, said)

    @contextmanager
    def started(self, line: Line) -> Iterator[subprocess.Popen[str]]:
        """A line that runs until it is stopped, as a process of its own; stopped at the end as by Ctrl-C."""
        text = self.words(line.text)
        with subprocess.Popen(
            ["bash", "-c", f"exec {text}"],
            cwd=self.cwd,
            env=dict(self.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.terminate()
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise


@dataclass
class Play:
    """The listings that a test runs, and which of their commands it has not run yet."""

    lines: list[Line]
    left: list[Command]

    def ran(self, *lines: Line) -> None:
        """These were run."""
        for line in lines:
            for command in line.commands:
                self.left.remove(command)

    def type(
        self,
        shell: Shell,
        *lines: Line,
        given: str = "",
        replies: Sequence[tuple[str, str]] = (),
        within: float = 300,
    ) -> list[Ended]:
        """Type these lines (all that are left, by default) one after the other; each must end as the page says."""
        ended = []
        for name in shell.meant:
            assert any(name in line.text for line in self.lines), f"no line has {name}: it needs no replacement"
        for line in lines or [line for line in self.lines if line.commands[0] in self.left]:
            ended.append(shell.type(line, given=given, replies=replies, within=within))
            right = " or ".join(map(str, sorted(line.codes)))
            assert ended[-1].code in line.codes, f"{line}\nended with {ended[-1].code}, not {right}:\n{ended[-1].said}"
            self.ran(line)
        return ended

    def beginning(self, *words: str) -> Line:
        """The one line whose first command begins with these words."""
        (found,) = (line for line in self.lines if _begins(line.commands[0], " ".join(words)))
        return found


@contextmanager
def played(page: str, by: str, *whom: str) -> Iterator[Play]:
    """The lines of a page that a test runs. Fails at the end where one of them was not run.

    Args:
        page: from the repository's root.
        by: the test's ``__file__``.
        whom: how the commands begin; none for all that the page says this test runs.
    """
    test, lines = repository_path(by), []
    for block in listings(page, by):
        mine = [c for c in block.commands if block.run_by(c) == test]
        for _, one in groupby(mine, key=lambda command: command.line):
            line = Line(block, tuple(one))
            if not whom or any(_begins(line.commands[0], text) for text in whom):
                lines.append(line)
    assert lines, f"{page} has no listing for {test}" + (f" that begins with {whom}" if whom else "")
    play = Play(lines, [command for line in lines for command in line.commands])
    yield play
    assert not play.left, f"{test} did not run: " + "; ".join(map(str, play.left))


def not_asked_for(block: Block, command: Command) -> str:
    """What is wrong with the test that is said to run it: it is not there, or never asks for it; "" for nothing."""
    test = block.run_by(command)
    if not test:
        return ""
    if not (ROOT / test).is_file():
        return f"no such test: {test}"
    asked = _asked((ROOT / test).read_text("utf-8"))
    first = next(c for c in block.commands if c.line == command.line)
    if any(page == block.page and (not whom or any(_begins(first, text) for text in whom)) for page, whom in asked):
        return ""
    return f"{test} does not ask for it: played('{block.page}', __file__)"


def _asked(source: str) -> list[tuple[str, tuple[str, ...]]]:
    """The calls of ``played`` in a test: page, and how the commands begin."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "played":
            first, _, *rest = node.args
            words = [word.value for word in (first, *rest) if isinstance(word, ast.Constant)]
            if len(words) == 1 + len(rest):
                found.append((str(words[0]), tuple(str(word) for word in words[1:])))
    return found


def _begins(command: Command, text: str) -> bool:
    words = " ".join(command.words if command.ours is None else command.ours)
    return words.startswith(text)
