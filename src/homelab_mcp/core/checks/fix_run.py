"""Applies fixes to a lab's texts until there is nothing left to fix, and keeps none that does not do what it should."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from homelab_mcp.core import env_file
from homelab_mcp.core.checks import NO_FACTS, LabFacts, LintStack, lint
from homelab_mcp.core.checks.fix_edit import env_beside
from homelab_mcp.core.checks.fixes import fixable
from homelab_mcp.core.checks.frame import all_rules
from homelab_mcp.core.text_edits import apply_edits, overlaps
from homelab_mcp.model.errors import EditRefused
from homelab_mcp.model.finding import Finding, Severity, TextEdit
from homelab_mcp.model.lab import LintSettings

ROUNDS = 20
_ORDER = list(Severity)
_MOVING = re.compile(r"\bline [0-9]+|\([0-9]+ places\)")


@dataclass(slots=True)
class Fixed:
    """What came of it.

    Args:
        texts: file -> new text, of the files that changed.
        beside: those of them that are no compose file -> what they were, and (stack, service) that reads each.
        env: ``.env`` file -> the variables it must get; their values are secret.
        fixed: findings that are gone, with the fix that was applied, as they stood when it was.
        dropped: findings with a fix that was not applied, and why.
        findings: what the linter finds in the end.
    """

    texts: dict[str, str] = field(default_factory=dict)
    beside: dict[str, tuple[str, tuple[str, str]]] = field(default_factory=dict)
    env: dict[str, dict[str, str]] = field(default_factory=dict)
    fixed: list[Finding] = field(default_factory=list)
    dropped: list[tuple[Finding, str]] = field(default_factory=list)
    findings: tuple[Finding, ...] = ()


def fixed(
    stacks: Sequence[LintStack],
    settings: LintSettings | None = None,
    *,
    facts: LabFacts = NO_FACTS,
    report: Collection[str] | None = None,
    rules: Collection[str] | None = None,
    unsafe: bool = False,
) -> Fixed:
    """Apply the fixes of a lab's findings, in rounds (a fix can stand in another's way).

    A fix stays only when its finding is gone afterwards and nothing as severe is new; what was hidden behind an
    error (the value of a key that was misspelt) may show as something less severe.

    Args:
        stacks: all stacks of the lab.
        settings: rules that are off or count as something else.
        facts: what is known of the lab beside its files.
        report: files whose findings are fixed; all by default.
        rules: rules whose findings are fixed; all by default.
        unsafe: apply suggestions too, not only safe fixes.
    """
    candidates = fixable(unsafe=unsafe) if rules is None else fixable(unsafe=unsafe) & frozenset(rules)
    run = _Run(list(stacks), settings or LintSettings(), facts, candidates)

    def chosen(finding: Finding) -> bool:
        fix = finding.fix
        known = fix is not None and (fix.reader is not None or all(run.owns(e.file) for e in fix.edits))
        return fix is not None and known and (fix.safe or unsafe)

    for _ in range(ROUNDS):
        if not run.round(chosen, report):
            break
    run.result.findings = lint(run.stacks, report=report, facts=facts, settings=run.settings)
    return run.result


class _Run:
    """The lab's texts on their way."""

    def __init__(
        self, stacks: list[LintStack], settings: LintSettings, facts: LabFacts, candidates: frozenset[str]
    ) -> None:
        others = {r.id for r in all_rules()} - candidates
        # Working a fix out costs more than finding what it is for.
        self.narrow = settings.model_copy(update={"ignore": tuple({*settings.ignore, *others})})
        self.stacks = stacks
        self.settings = settings
        self.facts = facts
        self.result = Fixed()

    def owns(self, file: str) -> bool:
        """Whether a file is one of those that were given, or a stack's ``.env``."""
        return _is_env(file) or any(file == s.file or file in dict(s.others) for s in self.stacks)

    def lint(self, stacks: list[LintStack]) -> tuple[Finding, ...]:
        return lint(stacks, facts=self.facts, settings=self.settings)

    def round(self, chosen: Callable[[Finding], bool], report: Collection[str] | None) -> bool:
        """Apply all that can be applied together; False when nothing was."""
        offered = lint(self.stacks, report=report, facts=self.facts, settings=self.narrow, fixes=True)
        self.result.dropped.clear()
        batch = _apart([f for f in offered if chosen(f)])
        if not batch:
            return False
        before = self.lint(self.stacks)
        kept = self._grow([], batch, before)
        if not kept:
            return False
        self._note_beside(kept)
        self.stacks = _applied(self.stacks, kept)
        self.result.fixed += kept
        now = {file: text for s in self.stacks for file, text in ((s.file, s.text), *s.others)}
        touched = {e.file for f in kept if f.fix for e in f.fix.edits} | self.result.texts.keys()
        now |= {file: _beside(self.stacks, file) for file in self.result.beside}
        self.result.texts = {file: text for file, text in now.items() if file in touched}
        for edit in (e for f in kept if f.fix for e in f.fix.edits if _is_env(e.file)):
            self.result.env.setdefault(edit.file, {}).update(env_file.parse(edit.text))
        return True

    def _note_beside(self, kept: Sequence[Finding]) -> None:
        for fix in (f.fix for f in kept if f.fix):
            for edit in fix.edits if fix.reader else ():
                if fix.reader and edit.file not in self.result.beside:
                    self.result.beside[edit.file] = _beside(self.stacks, edit.file), fix.reader

    def _grow(self, kept: list[Finding], part: list[Finding], before: tuple[Finding, ...]) -> list[Finding]:
        """``kept`` and of ``part`` what can be applied with it: all, or half by half what does no harm."""
        try:
            why = _harm(before, self.lint(_applied(self.stacks, [*kept, *part])), [*kept, *part])
        except EditRefused as error:
            why = error.message
        if not why:
            return [*kept, *part]
        if len(part) == 1:
            self.result.dropped.append((part[0], why))
            return kept
        middle = len(part) // 2
        return self._grow(self._grow(kept, part[:middle], before), part[middle:], before)


def _is_env(file: str) -> bool:
    return file.rpartition("/")[2] == ".env"


def _apart(findings: Sequence[Finding]) -> list[Finding]:
    """Findings whose fixes can be made together; several that need the very same edits stay together."""
    taken: list[tuple[TextEdit, ...]] = []
    found = []
    for finding in sorted(findings, key=lambda f: _ORDER.index(f.severity)):
        edits = finding.fix.edits if finding.fix else ()
        if edits in taken or not any(overlaps(e, o) for e in edits for other in taken for o in other):
            taken.append(edits)
            found.append(finding)
    return found


def _applied(stacks: Sequence[LintStack], findings: Sequence[Finding]) -> list[LintStack]:
    edits = dict.fromkeys(e for f in findings if f.fix for e in f.fix.edits)
    by_file: dict[str, list[TextEdit]] = {}
    for edit in edits:
        by_file.setdefault(edit.file, []).append(edit)
    beside = {e.file for f in findings if f.fix and f.fix.reader for e in f.fix.edits}
    changed = {file: apply_edits(_beside(stacks, file), by_file[file]) for file in beside}
    result = []
    for stack in stacks:
        env = dict(stack.env)
        for edit in by_file.get(env_beside(stack.file), ()):
            env.update(env_file.parse(edit.text))
        text = apply_edits(stack.text, by_file.get(stack.file, ()))
        others = tuple((f, apply_edits(t, by_file.get(f, ()))) for f, t in stack.others)
        read = _over(stack.read, changed) if changed and stack.read is not None else stack.read
        result.append(replace(stack, text=text, others=others, env=env, read=read))
    return result


def _beside(stacks: Sequence[LintStack], file: str) -> str:
    """The text of a file that is no compose file; EditRefused where no stack may read it."""
    for stack in stacks:
        text = stack.read(file) if stack.read is not None else None
        if text is not None:
            return text
    raise EditRefused(f"{file} cannot be read.", code="not_written_here")


def _over(read: Callable[[str], str | None], changed: Mapping[str, str]) -> Callable[[str], str | None]:
    return lambda file: changed[file] if file in changed else read(file)


def _key(finding: Finding) -> tuple[str, str, str, str]:
    return finding.rule, finding.file, finding.service, _MOVING.sub("", finding.message)


def _harm(before: Sequence[Finding], after: Sequence[Finding], fixed: Sequence[Finding]) -> str:
    """Why these fixes may not stay; "" when they may."""
    old, new, gone = Counter(map(_key, before)), Counter(map(_key, after)), Counter(map(_key, fixed))
    if any(new[key] > old[key] - count for key, count in gone.items()):
        return "its finding would still be there"
    counted = [Counter((f.rule, f.severity, f.file, f.service) for f in part) for part in (before, after)]
    for (rule, severity, file, service), count in counted[1].items():
        if count <= counted[0][rule, severity, file, service]:
            continue
        behind = [f for f in fixed if f.file == file and f.service in {service, ""}]
        if not any(_ORDER.index(f.severity) < _ORDER.index(severity) for f in behind):
            return f"it would bring {rule}"
    return ""
