"""The linter against ``docker compose config``, file by file: where one of the two calls an error what the other takes.

Three questions on each file, put to both in the same way: as it is; with fitting values in place of every variable
and ``.env``, so that a missing value hides no other fault; and as written, before variables are put in.

Run: ``script/disagreements [FOLDER...]``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from bench.own_files import own_files
from bench.validate import compose_binary
from homelab_mcp.adapters.compose_judge import ComposeJudge
from homelab_mcp.adapters.paths_reader import PathsReader
from homelab_mcp.core.checks import LintStack, lint
from homelab_mcp.core.checks.engine_rules import ENGINE_ONLY, SAME_AS_CONFIG, STRUCTURE, is_configs_too
from homelab_mcp.core.compose_load import load_stack
from homelab_mcp.core.stand_ins import stand_ins
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.judgement import Judged, Question
from homelab_mcp.queries.engine_word import NO_ENV_FILE
from homelab_mcp.queries.validate import stacks_of

FALSE_ERROR = "false error"
MISSED = "missed"
MISSING_FILES = "missing files"
LEFT_TO_ENGINE = "engine only"
TOO_COSTLY = "too costly"
AS_WRITTEN = "as written"
UNEXPLAINED = (FALSE_ERROR, MISSED)


@dataclass(frozen=True)
class Subject:
    """A stack to be judged: as the linter gets it, the lab around it, and its name in reports."""

    stack: LintStack
    beside: tuple[LintStack, ...]
    title: str


@dataclass(frozen=True)
class Disagreement:
    """``kind`` is FALSE_ERROR, MISSED, MISSING_FILES, LEFT_TO_ENGINE or TOO_COSTLY; ``when``: at which question."""

    file: str
    kind: str
    when: str
    what: str


@dataclass(frozen=True)
class Comparison:
    """How many files, how many of them Compose refuses, and where the two disagree."""

    files: int
    refused: int
    disagreements: tuple[Disagreement, ...]

    def of(self, *kinds: str) -> tuple[Disagreement, ...]:
        """The disagreements of these kinds."""
        return tuple(d for d in self.disagreements if d.kind in kinds)

    @property
    def agreement(self) -> float:
        """Share of files without an unexplained disagreement, 0 to 1."""
        return 1 - len({d.file for d in self.of(*UNEXPLAINED)}) / self.files if self.files else 1.0


def compare(subjects: Sequence[Subject], judge: ComposeJudge, workers: int = 2) -> Comparison:
    """Put every question to both."""
    with ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(lambda s: _judge(s, judge), subjects))
    found = tuple(d for _, made in results for d in made)
    return Comparison(len(subjects), sum(refused for refused, _ in results), found)


def _judge(subject: Subject, judge: ComposeJudge) -> tuple[bool, list[Disagreement]]:
    stack = subject.stack
    texts = [(stack.file, stack.text), *stack.others]
    found: list[Disagreement] = []
    question = Question(tuple(file for file, _ in texts), stack.name, stack.text)

    def ask(**change: object) -> Judged:
        return judge.ask(replace(question, **change), seconds=30)  # type: ignore[arg-type]

    ours = _errors(stack, subject.beside)
    if any(f.rule == "HL003" for f in ours):
        return True, [Disagreement(subject.title, TOO_COSTLY, "as it is", "our reader does not expand it")]
    full = ask()
    found += _weigh(subject.title, "as it is", full, ours, SAME_AS_CONFIG)
    models = [d for source in load_stack(texts, {}, stack.read).sources for d in source.documents]
    if not models:
        return not full.accepted, found
    values = stand_ins(models)
    bare = full if full.accepted and not values else ask(without_env=True, variables=values)
    filled = _errors(replace(stack, env=values), subject.beside)
    found += _weigh(subject.title, "filled in", bare, filled, SAME_AS_CONFIG)
    if not bare.accepted:
        written = ask(as_written=True)
        found += _weigh(subject.title, AS_WRITTEN, written, filled, STRUCTURE)
    return not full.accepted, list({(d.kind, d.what): d for d in reversed(found)}.values())


def _weigh(
    file: str, when: str, theirs: Judged, ours: Sequence[Finding], same: frozenset[str]
) -> Iterator[Disagreement]:
    alike = [f for f in ours if f.rule in same and is_configs_too(f)]
    others = [f for f in ours if f not in alike]
    if theirs.costly:
        yield Disagreement(file, TOO_COSTLY, when, "Compose ran out of time or memory")
    elif theirs.accepted:
        for finding in alike:
            yield Disagreement(file, FALSE_ERROR, when, finding.as_line())
        for finding in others if when != AS_WRITTEN else ():
            yield Disagreement(file, LEFT_TO_ENGINE, when, finding.as_line())
    elif all(f.rule in ENGINE_ONLY for f in ours):
        kind = MISSING_FILES if NO_ENV_FILE.search(theirs.said) else MISSED
        yield Disagreement(file, kind, when, " ".join(theirs.said.split())[-300:])


def _errors(stack: LintStack, beside: Iterable[LintStack]) -> list[Finding]:
    others = [s for s in beside if s.file != stack.file]
    report = None if not others else [stack.file, *(file for file, _ in stack.others)]
    return [f for f in lint([*others, stack], report=report) if f.severity is Severity.ERROR]


def in_folder(folder: Path) -> Iterator[Subject]:
    """Every file below the folder that is a compose file by name, or YAML with ``services`` at its top level."""
    reader = PathsReader()
    for path in sorted((*folder.rglob("*.yml"), *folder.rglob("*.yaml"))):
        if not path.is_file() or not _is_compose(path):
            continue
        trouble: list[str] = []
        for stack in stacks_of([(str(path),)], reader, trouble):
            yield Subject(stack, (), stack.file)
        for why in trouble:
            sys.stderr.write(f"Not read: {why}\n")


def _is_compose(path: Path) -> bool:
    text = path.read_bytes()
    return text.startswith(b"services:") or b"\nservices:" in text


def repository(folder: Path) -> list[Subject]:
    """This repository's own files: test cases, rule pages, what the catalog's definitions become; written below it."""
    subjects, reader = [], PathsReader()
    for n, lab in enumerate(own_files()):
        place = folder / f"{n:04}"
        lab.write(place)
        together = tuple(stacks_of([(str(place / s.file), *_over(place / s.file)) for s in lab.stacks], reader, []))
        subjects += [Subject(s, together, f"{lab.title}: {Path(s.file).relative_to(place)}") for s in together]
    return subjects


def _over(file: Path) -> list[str]:
    return [str(path) for path in sorted(file.parent.glob(f"{file.stem}.override.y*ml"))]


def report(result: Comparison, *, everything: bool) -> str:
    """The numbers, and each disagreement that nothing explains (or every one)."""
    counts = Counter(d.kind for d in result.disagreements)
    lines = [
        f"{result.files} files, {result.refused} of them refused by Compose; "
        f"agreement {100 * result.agreement:.2f}% (of files, at error level)"
    ]
    for kind in (FALSE_ERROR, MISSED, MISSING_FILES, LEFT_TO_ENGINE, TOO_COSTLY):
        lines.append(f"  {kind}: {counts[kind]}{'' if kind in UNEXPLAINED else ' (explained)'}")
    shown = result.disagreements if everything else result.of(*UNEXPLAINED)
    lines += [f"{d.kind}, {d.when}: {d.file}\n    {d.what}" for d in shown]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare; exit code 1 where an unexplained disagreement is left."""
    parser = argparse.ArgumentParser(prog="script/disagreements", description=__doc__.split("\n\n")[0])
    parser.add_argument("folders", nargs="*", type=Path, help="folders with compose files, besides this repository's")
    parser.add_argument("--only", action="store_true", help="leave this repository's own files out")
    parser.add_argument("--all", action="store_true", help="show explained disagreements too")
    parser.add_argument("--compose", help="the Compose program; by default the newest at hand")
    given = parser.parse_args(arguments)
    program = given.compose or compose_binary()
    judge = ComposeJudge(program=[program] if program else None)
    try:
        version = judge.version()
    except HomelabError as error:
        sys.stderr.write(f"{error.as_text()}\n")
        return 2
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="homelab-disagreements-") as place:
        subjects = [] if given.only else repository(Path(place))
        subjects += [s for folder in given.folders for s in in_folder(folder)]
        result = compare(subjects, judge)
    print(report(result, everything=given.all))
    print(f"Compose {version}, {time.monotonic() - started:.0f} s")
    return int(bool(result.of(*UNEXPLAINED)))


if __name__ == "__main__":
    sys.exit(main())
