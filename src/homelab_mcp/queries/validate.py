"""Is this compose file, this stack, this folder of stacks right?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from homelab_mcp.core.checks import NO_FACTS, LabFacts, LintStack, lint
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.ports import Judge


class ComposeReader(Protocol):
    """Reads compose files that a person named, wherever they are."""

    def compose_files(self, path: str) -> list[tuple[str, ...]]:
        """The stacks a path stands for: a file itself, a stack folder's, or those of a folder of stacks.

        Each is its compose file, and for a folder the override file that Compose takes with it. Raises NotFound where
        there is none.
        """
        ...

    def read(self, file: str) -> str | None:
        """The file's text, None where there is none. Raises InvalidInput when it is too large or no UTF-8."""
        ...

    def names(self, folder: str) -> list[str] | None:
        """What is in a folder, folders with "/" behind, sorted; None where it cannot be looked at."""
        ...

    def stack_name(self, file: str) -> str:
        """The name of the folder the file is in."""
        ...

    def exists(self, file: str, path: str) -> bool:
        """True when a path that a compose file names, seen from that file's folder, is on disk (file or folder)."""
        ...

    def env_files(self, file: str) -> list[str]:
        """The paths that variables come from: a lab's ``global.env``, and the ``.env`` in the file's own folder."""
        ...


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """Findings (sorted by file and line), the files that were looked at, and sentences about those that were not."""

    findings: tuple[Finding, ...]
    files: tuple[str, ...]
    could_not_run: tuple[str, ...] = ()

    @property
    def has_errors(self) -> bool:
        """True when a finding is an error."""
        return any(f.severity is Severity.ERROR for f in self.findings)

    @property
    def exit_code(self) -> int:
        """2 when something could not be looked at, 1 when there is an error, else 0."""
        return 2 if self.could_not_run else int(self.has_errors)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: ``{"findings": [...]}`` and, where there were any, ``could_not_run``."""
        body: dict[str, Any] = {"findings": [f.as_dict() for f in self.findings]}
        if self.could_not_run:
            body["could_not_run"] = list(self.could_not_run)
        return body


def validate_paths(
    paths: Sequence[str],
    *,
    reader: ComposeReader,
    facts: LabFacts = NO_FACTS,
    judge: Judge | None = None,
    fixes: bool = False,
) -> ValidationResult:
    """Lint files and folders. Never raises for what is in a file.

    A folder of stacks is one lab: its stacks are compared (ports, names, routes). Files that are named one by one
    may have nothing to do with each other, so each is judged alone. With ``judge``, Compose's own word is added; with
    ``fixes``, each finding's fix where there is one.
    """
    findings: list[Finding] = []
    seen: dict[str, None] = {}
    trouble: list[str] = []
    for path in paths:
        try:
            groups = [g for g in reader.compose_files(path) if g[0] not in seen]
        except HomelabError as error:
            trouble.append(error.as_text())
            continue
        stacks = list(stacks_of(groups, reader, trouble))
        seen.update(dict.fromkeys(f for s in stacks for f in (s.file, *(other for other, _ in s.others))))
        seen_of_it = replace(facts, unseen=True) if len(stacks) < len(groups) else facts
        found = lint(stacks, facts=seen_of_it, fixes=fixes)
        findings += [*found, *_compose_says(stacks, found, judge, trouble)]
    findings.sort(key=lambda f: (f.file, f.line, f.column, f.rule))
    return ValidationResult(tuple(findings), tuple(seen), tuple(trouble))


def validate_files(
    files: Sequence[str],
    *,
    reader: ComposeReader,
    facts: LabFacts = NO_FACTS,
    judge: Judge | None = None,
    fixes: bool = False,
) -> ValidationResult:
    """Lint one stack that these files make, merged in this order, as ``docker compose -f a -f b`` does.

    Relative paths and ``.env`` are those of the first file's folder. Never raises for what is in a file.
    """
    trouble: list[str] = []
    stacks = list(stacks_of([tuple(files)], reader, trouble))
    seen = tuple(dict.fromkeys(f for s in stacks for f in (s.file, *(other for other, _ in s.others))))
    found = lint(stacks, facts=facts, fixes=fixes)
    said = _compose_says(stacks, found, judge, trouble)
    findings = sorted((*found, *said), key=lambda f: (f.file, f.line, f.column, f.rule))
    return ValidationResult(tuple(findings), seen, tuple(trouble))


def stacks_on_disk(
    paths: Sequence[str], reader: ComposeReader, trouble: list[str], *, together: bool
) -> list[LintStack]:
    """The stacks that paths stand for, or the one stack that they make ``together``.

    What cannot be read is left out, and a sentence about it put into ``trouble``.
    """
    if together:
        return list(stacks_of([tuple(paths)], reader, trouble))
    groups: list[tuple[str, ...]] = []
    for path in paths:
        try:
            groups += [g for g in reader.compose_files(path) if g not in groups]
        except HomelabError as error:
            trouble.append(error.as_text())
    return list(stacks_of(groups, reader, trouble))


def _compose_says(
    stacks: Sequence[LintStack], findings: Sequence[Finding], judge: Judge | None, trouble: list[str]
) -> tuple[Finding, ...]:
    if judge is None or not stacks:
        return ()
    from homelab_mcp.queries.engine_word import ask_compose

    word = ask_compose(stacks, findings, judge=judge)
    trouble += word.not_asked
    return word.findings


def stacks_of(groups: Sequence[tuple[str, ...]], reader: ComposeReader, trouble: list[str]) -> Iterator[LintStack]:
    """One stack for each group of files; what cannot be read is left out, and a sentence about it put into trouble."""
    for files in groups:
        try:
            texts = [(file, reader.read(file)) for file in files]
            gone = [file for file, text in texts if text is None]
            if gone:
                trouble.append(f"{gone[0]} is gone.")
                continue
            (file, text), *others = [(file, text or "") for file, text in texts]
            yield LintStack(
                reader.stack_name(file),
                file,
                text,
                _variables(reader, file),
                partial(reader.exists, file),
                tuple(others),
                reader.read,
                reader.names,
            )
        except HomelabError as error:
            trouble.append(error.as_text())


def validate_text(
    text: str,
    *,
    name: str = "pasted",
    file: str = "compose.yaml",
    env: Mapping[str, str] | None = None,
    others: Sequence[tuple[str, str]] = (),
    beside: Sequence[LintStack] = (),
    facts: LabFacts = NO_FACTS,
) -> ValidationResult:
    """Lint a compose text, with ``others`` (path, text) merged over it, ``beside`` the other stacks of a lab."""
    stack = LintStack(name, file, text, env or {}, others=tuple(others))
    rest = [s for s in beside if s.file != file]
    findings = lint([*rest, stack], report=[file], facts=facts)
    return ValidationResult(findings, (file,))


def _variables(reader: ComposeReader, file: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in reader.env_files(file):
        text = reader.read(path)
        if text is not None:
            from homelab_mcp.core.env_file import parse_leniently

            found |= parse_leniently(text)
    return found
