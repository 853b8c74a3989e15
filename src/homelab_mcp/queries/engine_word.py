"""What Compose itself says of compose files, set beside what the linter says (``validate --engine``).

Compose is asked only about files that the bounded reader took, as it expands aliases before it looks at anything. A
refusal is looked into: does Compose take the file once fitting values stand in for its variables? Then what is wrong
is the ``.env``, else the file.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum

from homelab_mcp.core.checks import LintStack
from homelab_mcp.core.checks.engine_rules import DISAGREES, INCOMPLETE, REFUSED, is_configs_too
from homelab_mcp.core.checks.frame import Rule
from homelab_mcp.core.compose_load import load_stack
from homelab_mcp.core.compose_model import ComposeFile
from homelab_mcp.core.compose_stack import Kind as Trouble
from homelab_mcp.core.engine_message import place, sentence
from homelab_mcp.core.stand_ins import stand_ins
from homelab_mcp.core.yaml12 import Mark
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.judgement import Judged, Question
from homelab_mcp.model.lab import LintSettings
from homelab_mcp.ports import Judge

SECONDS = 120.0
WORKERS = 2
NO_ENV_FILE = re.compile(r"^env file .* not found", re.MULTILINE)
"""What Compose says last of all, when nothing else is wrong."""


class Kind(StrEnum):
    """What Compose makes of a file."""

    ACCEPTED = "accepted"
    STRUCTURE = "structure"
    """It refuses the file as written, before any variable is put in."""
    MEANING = "meaning"
    """It refuses what the file says, whatever the variables hold."""
    VARIABLES = "variables"
    """It takes the file with other values: a variable or env file is missing or does not fit."""
    COSTLY = "costly"
    """It ran out of time or memory."""


@dataclass(frozen=True, slots=True)
class Word:
    """Compose's word on one stack: ``said`` is its own text about ``kind``, unredacted."""

    kind: Kind
    said: str = ""


@dataclass(frozen=True, slots=True)
class EngineWord:
    """Findings of HL900 to HL902, sorted; sentences about stacks Compose was not asked about; Compose's version."""

    findings: tuple[Finding, ...] = ()
    not_asked: tuple[str, ...] = ()
    version: str = ""


def ask_compose(
    stacks: Sequence[LintStack],
    findings: Sequence[Finding],
    *,
    judge: Judge,
    files: Mapping[str, Sequence[str]] | None = None,
    settings: LintSettings | None = None,
    seconds: float = SECONDS,
    workers: int = WORKERS,
) -> EngineWord:
    """Ask Compose about each stack. Never raises for what is in a file or for a missing Compose.

    Args:
        stacks: what was linted.
        findings: what the linter found; its errors are compared with Compose's word.
        judge: Compose.
        files: a stack's ``file`` as shown to people -> its files on disk, as ``-f`` takes them. A stack that is not in
            it is asked about at ``file`` and ``others`` themselves; one with an empty list has no file: its text is
            judged alone.
        settings: rules that are off or count as something else.
        seconds: for all stacks together.
        workers: questions at a time.
    """
    try:
        version = judge.version()
    except HomelabError as error:
        return EngineWord(not_asked=(f"Compose was not asked: {error.as_text()}",))
    end = time.monotonic() + seconds
    asker = _Asker(judge, findings, files or {}, end, version)
    with ThreadPoolExecutor(max(workers, 1), thread_name_prefix="compose-config") as pool:
        answers = list(pool.map(asker.about, stacks))
    found = [f for made, _ in answers for f in made]
    wanted = settings or LintSettings()
    found = [
        replace(f, severity=Severity(wanted.severity.get(f.rule, f.severity)))
        for f in found
        if f.rule not in wanted.ignore
    ]
    found.sort(key=lambda f: (f.file, f.line, f.column, f.rule))
    return EngineWord(tuple(found), tuple(why for _, why in answers if why), version)


def word_on(judge: Judge, question: Question, models: Sequence[ComposeFile], end: float) -> Word:
    """Compose's word on one stack.

    Args:
        judge: Compose.
        question: about the whole file, with its env files.
        models: the stack's files without any value put in; none where they cannot be read.
        end: monotonic time by which all is said.
    """

    def ask(**change: object) -> Judged:
        return judge.ask(replace(question, **change), seconds=max(end - time.monotonic(), 0.1))  # type: ignore[arg-type]

    full = ask()
    if full.costly:
        return Word(Kind.COSTLY)
    if full.accepted:
        return Word(Kind.ACCEPTED)
    if not models:
        return Word(Kind.STRUCTURE, full.said)
    bare = ask(without_env=True, variables=stand_ins(models))
    # Compose looks for env files last, whatever it is told, so all else is right where it misses one.
    if bare.accepted or NO_ENV_FILE.search(full.said) or NO_ENV_FILE.search(bare.said):
        return Word(Kind.VARIABLES, full.said)
    written = ask(as_written=True)
    if bare.costly or written.costly:
        return Word(Kind.COSTLY)
    return Word(Kind.MEANING, bare.said) if written.accepted else Word(Kind.STRUCTURE, written.said)


class _Asker:
    """Asks about one stack after the other; shared by the workers, changes nothing."""

    def __init__(
        self,
        judge: Judge,
        findings: Sequence[Finding],
        files: Mapping[str, Sequence[str]],
        end: float,
        version: str,
    ) -> None:
        self._judge = judge
        self._findings = findings
        self._files = files
        self._end = end
        self._version = version

    def about(self, stack: LintStack) -> tuple[list[Finding], str]:
        """Findings, and why Compose was not asked ("" where it was)."""
        texts = [(stack.file, stack.text), *stack.others]
        loaded = load_stack(texts, {}, stack.read)
        refused = [f"{s.file}: {s.refused.message}" for s in loaded.sources if s.refused]
        refused += [t.message for t in loaded.troubles if t.kind is Trouble.BOUNDS]
        if refused:
            return [], f"Compose was not asked about {stack.file}: {refused[0]}"
        if time.monotonic() >= self._end:
            return [], f"Compose was not asked about {stack.file}: the time for all questions was over."
        files = tuple(self._files.get(stack.file, [file for file, _ in texts]))
        models = [document for source in loaded.sources for document in source.documents]
        try:
            word = word_on(self._judge, Question(files, stack.name, stack.text), models, self._end)
            env_texts = self._judge.env_texts(files[0]) if files else ()
        except HomelabError as error:
            return [], f"Compose was not asked about {stack.file}: {error.as_text()}"
        if word.kind is Kind.COSTLY:
            return [], f"Compose ran out of time or memory over {stack.file} and was ended."
        if word.kind is Kind.ACCEPTED:
            return self._disagreements({file for file, _ in texts}), ""
        return [_finding(stack, word, models, env_texts)], ""

    def _disagreements(self, files: set[str]) -> list[Finding]:
        wrong = [f for f in self._findings if f.file in files and f.severity is Severity.ERROR and is_configs_too(f)]
        return [
            _make(DISAGREES, f"Compose {self._version} accepts this, while {f.rule} calls it an error.", f)
            for f in wrong
        ]


def _finding(stack: LintStack, word: Word, models: Sequence[ComposeFile], env_texts: Sequence[str]) -> Finding:
    told = sentence(word.said, [m.document.text for m in models] or [stack.text], env_texts)
    file, mark, service = place(word.said, models) if models else (stack.file, Mark(1, 1), "")
    where = Finding("", Severity.INFO, "", file, mark.line, mark.column, service)
    if word.kind is not Kind.VARIABLES:
        what = "the file's structure" if word.kind is Kind.STRUCTURE else "what the file says"
        return _make(REFUSED, f"Compose refuses {what}: {told}", where)
    empty = _without_value(stack, models, word.said)
    names = ", ".join(sorted(empty)[:5]) + (" and more" if len(empty) > 5 else "")
    why = f"no value for {names}" if names else "a value or an env file does not fit"
    if mark == Mark(1, 1) and empty:
        place_of_first = min(empty.values(), key=lambda p: (p[0] != stack.file, p[1].line, p[1].column))
        where = replace(where, file=place_of_first[0], line=place_of_first[1].line, column=place_of_first[1].column)
    return _make(INCOMPLETE, f"Compose takes the file, but not with this .env ({why}): {told}", where)


def _without_value(stack: LintStack, models: Sequence[ComposeFile], said: str) -> dict[str, tuple[str, Mark]]:
    """Variables without a value and where they are used first; only the one Compose names, where it names one."""
    found: dict[str, tuple[str, Mark]] = {}
    for model in models:
        for missing in model.missing:
            if missing.name and not stack.env.get(missing.name):
                found.setdefault(missing.name, model.place(missing.path))
    named = {name: where for name, where in found.items() if f"variable {name} is missing" in said}
    return named or found


def _make(rule: Rule, message: str, where: Finding) -> Finding:
    return Finding(rule.id, rule.severity, message, where.file, where.line, where.column, where.service)
