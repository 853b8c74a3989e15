"""Is this compose file, this stack, this folder of stacks right?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from homelab_mcp.core.checks import NO_FACTS, LabFacts, LintStack, lint
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.finding import Finding, Severity


class ComposeReader(Protocol):
    """Reads compose files that a person named, wherever they are."""

    def compose_files(self, path: str) -> list[str]:
        """The compose files a path stands for: itself, a stack folder's, or those of a folder of stacks.

        Raises NotFound where there is none.
        """
        ...

    def read(self, file: str) -> str | None:
        """The file's text, None where there is none. Raises InvalidInput when it is too large or no UTF-8."""
        ...

    def stack_name(self, file: str) -> str:
        """The name of the folder the file is in."""
        ...

    def exists(self, file: str, path: str) -> bool:
        """True when a path that a compose file names, seen from that file's folder, is on disk (file or folder)."""
        ...

    def env_beside(self, file: str) -> str:
        """The path of the ``.env`` in the same folder."""
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


def validate_paths(paths: Sequence[str], *, reader: ComposeReader, facts: LabFacts = NO_FACTS) -> ValidationResult:
    """Lint files and folders. Never raises for what is in a file.

    A folder of stacks is one lab: its stacks are compared (ports, names, routes). Files that are named one by one
    may have nothing to do with each other, so each is judged alone.
    """
    findings: list[Finding] = []
    seen: dict[str, None] = {}
    trouble: list[str] = []
    for path in paths:
        try:
            files = [f for f in reader.compose_files(path) if f not in seen]
        except HomelabError as error:
            trouble.append(error.as_text())
            continue
        stacks = list(_stacks(files, reader, trouble))
        seen.update(dict.fromkeys(s.file for s in stacks))
        findings += lint(stacks, facts=facts)
    findings.sort(key=lambda f: (f.file, f.line, f.column, f.rule))
    return ValidationResult(tuple(findings), tuple(seen), tuple(trouble))


def _stacks(files: Sequence[str], reader: ComposeReader, trouble: list[str]) -> Iterator[LintStack]:
    for file in files:
        try:
            text = reader.read(file)
            if text is None:
                trouble.append(f"{file} is gone.")
                continue
            yield LintStack(reader.stack_name(file), file, text, _variables(reader, file), partial(reader.exists, file))
        except HomelabError as error:
            trouble.append(error.as_text())


def validate_text(
    text: str,
    *,
    name: str = "pasted",
    file: str = "compose.yaml",
    env: Mapping[str, str] | None = None,
    beside: Sequence[LintStack] = (),
    facts: LabFacts = NO_FACTS,
) -> ValidationResult:
    """Lint a compose text, ``beside`` the other stacks of a lab where there is one."""
    stack = LintStack(name, file, text, env or {})
    others = [s for s in beside if s.file != file]
    findings = lint([*others, stack], report=[file], facts=facts)
    return ValidationResult(findings, (file,))


def _variables(reader: ComposeReader, file: str) -> dict[str, str]:
    text = reader.read(reader.env_beside(file))
    if text is None:
        return {}
    from homelab_mcp.core.env_file import parse

    return parse(text)
