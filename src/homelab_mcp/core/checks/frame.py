"""How rules are declared, listed and run, and how a comment in the file silences one."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING

from homelab_mcp.core.checks.asleep import Asleep
from homelab_mcp.core.checks.guard import FAILED, Guard
from homelab_mcp.core.checks.view import FileView, Lab, ServiceView, StackView
from homelab_mcp.core.unsearched import unsearched
from homelab_mcp.core.yaml12 import Mark, Path
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.lab import LintSettings

if TYPE_CHECKING:
    from homelab_mcp.core.checks import LabFacts, LintStack
    from homelab_mcp.core.checks.traefik_places import TraefikFile


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule's identity and page text.

    Args:
        id: stable, never used again for something else.
        severity: of its findings, unless one says otherwise.
        title: what it looks for, a few words.
        why: what happens if it stays, one or two sentences.
        link: where to read on.
        bad: a few lines that break it.
        good: the same, put right.
        needs: keys of a service of which one must be somewhere in the lab for it to find anything; none for a rule that
            looks elsewhere. It saves the time of looking at every service for what no service has.
    """

    id: str
    severity: Severity
    title: str
    why: str
    link: str
    bad: str
    good: str
    check: Callable[[LintContext], Iterable[Finding]]
    needs: frozenset[str] = frozenset()


class LintContext:
    """What a rule sees: the lab, and ways to make findings of its own id and severity."""

    __slots__ = ("_id", "_severity", "lab", "silenced_at")

    def __init__(self, lab: Lab, rule_id: str, severity: Severity) -> None:
        self.lab = lab
        self.silenced_at: dict[Finding, tuple[str, int]] = {}
        """A further line, with its file, at which a comment silences a finding."""
        self._id = rule_id
        self._severity = severity

    def services(self) -> Iterator[ServiceView]:
        """Every service of every stack."""
        return iter(self.lab.services)

    def having(self, key: str) -> Iterator[ServiceView]:
        """Every service that has a key, in the same order."""
        return iter(self.lab.by_key.get(key, ()))

    def at(
        self,
        stack: StackView | FileView | TraefikFile,
        path: Path,
        message: str,
        *,
        key: bool = False,
        severity: Severity | None = None,
        of: Path = (),
    ) -> Finding:
        """A finding at a path of a stack or of one of its files; ``key`` points at the key instead of the value.

        ``of`` is the path of what it is a part of, where a comment at that key is meant for it as well.
        """
        file, mark = stack.place(path, key=key)
        service = str(path[1]) if len(path) > 1 and path[0] == "services" else ""
        finding = Finding(self._id, severity or self._severity, message, file, mark.line, mark.column, service)
        if of:
            where, begin = stack.place(of, key=True)
            self.silenced_at[finding] = (where, begin.line)
        return finding

    def at_mark(
        self,
        stack: StackView | FileView,
        mark: Mark,
        message: str,
        *,
        service: str = "",
        severity: Severity | None = None,
    ) -> Finding:
        """A finding at a place (of the stack's first file) that no path leads to."""
        return Finding(self._id, severity or self._severity, message, stack.file, mark.line, mark.column, service)

    def troubles(self, stack: StackView, kind: str) -> Iterator[Finding]:
        """What is wrong of this kind between the stack's files, as findings."""
        for each in stack.troubles:
            if each.kind == kind:
                place = (each.file, each.mark.line, each.mark.column, each.service)
                yield Finding(self._id, self._severity, each.message, *place)

    def on(
        self, service: ServiceView, path: Path, message: str, *, key: bool = False, severity: Severity | None = None
    ) -> Finding:
        """A finding at a path inside a service; the empty path points at the service's name."""
        if not path and not service.of_file:
            file, mark = service.name_place
            return Finding(self._id, severity or self._severity, message, file, mark.line, mark.column, service.name)
        return self.at(service.stack, service.path(*path), message, key=key or not path, severity=severity)


_rules: dict[str, Rule] = {}


def rule(
    id: str, severity: Severity, title: str, *, why: str, link: str, bad: str, good: str, needs: str = ""
) -> Callable[[Callable[[LintContext], Iterable[Finding]]], Callable[[LintContext], Iterable[Finding]]]:
    """Declare a rule; ``needs`` are keys with blanks between. An id that is taken raises ValueError."""

    def register(check: Callable[[LintContext], Iterable[Finding]]) -> Callable[[LintContext], Iterable[Finding]]:
        if id in _rules:
            raise ValueError(f"rule {id} is declared twice")
        _rules[id] = Rule(
            id, severity, title, why, link, bad.strip("\n"), good.strip("\n"), check, frozenset(needs.split())
        )
        return check

    return register


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, sorted by id."""
    package = importlib.import_module("homelab_mcp.core.checks")
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.startswith("rules_"):
            importlib.import_module(f"{package.__name__}.{module.name}")
    return tuple(_rules[id_] for id_ in sorted(_rules))


def run(
    stacks: Sequence[LintStack],
    *,
    report: Collection[str] | None,
    facts: LabFacts,
    settings: LintSettings,
    fixes: bool,
) -> tuple[Finding, ...]:
    """Run every rule; see :func:`homelab_mcp.core.checks.lint`.

    What one run makes is bounded and stays alive until its end: a search for garbage meanwhile would take a seventh of
    the time and find nothing.
    """
    with unsearched():
        return _run(stacks, report, facts, settings, fixes=fixes)


def seen(stacks: Sequence[LintStack], facts: LabFacts) -> bool:
    """See :func:`homelab_mcp.core.checks.all_seen`."""
    with unsearched():
        lab = _lab(stacks, facts, Guard(""), None)
        try:
            return lab.labels_seen
        finally:
            lab.let_go()


def _run(
    stacks: Sequence[LintStack],
    report: Collection[str] | None,
    facts: LabFacts,
    settings: LintSettings,
    *,
    fixes: bool,
) -> tuple[Finding, ...]:
    asked = [s.file for s in stacks if report is None or s.file in report] or sorted(report or ())
    guard = Guard(asked[0] if asked else "")
    lab = _lab(stacks, facts, guard, report)
    try:
        return _found(lab, guard, report, settings, fixes=fixes)
    finally:
        lab.let_go()


def _found(
    lab: Lab, guard: Guard, report: Collection[str] | None, settings: LintSettings, *, fixes: bool
) -> tuple[Finding, ...]:
    rules = [r for r in all_rules() if r.id not in settings.ignore]
    wanted = None if report is None else guard.made("Reading", lambda: _with_the_rest(lab, report), frozenset(report))
    silenced = {file: _silenced(text) for file, text in _texts(lab, guard) if text}
    found: dict[Finding, None] = {}
    keys, asleep = lab.service_keys, Asleep(lab)
    for each in rules:
        if each.needs and each.needs.isdisjoint(keys):
            continue
        context = LintContext(lab, each.id, each.severity)
        for finding in guard.found(each.id, partial(each.check, context)):
            if wanted is not None and finding.file not in wanted:
                continue
            places = {(finding.file, finding.line), context.silenced_at.get(finding, ("", 0))}
            if not any(finding.rule in silenced.get(file, {}).get(line, ()) for file, line in places):
                found[asleep.told(finding)] = None
    result = _judged(found, settings)
    if fixes:
        from homelab_mcp.core.checks.fixes import fix_for

        made = [(f, guard.made(f"The fix for {f.rule}", partial(fix_for, lab, f), None)) for f in result]
        result = [replace(f, fix=fix) for f, fix in made]
    if guard.trouble and FAILED not in settings.ignore:
        result = sorted([*_judged(guard.trouble, settings), *result], key=_order)
    return tuple(result)


def _order(finding: Finding) -> tuple[str, int, int, str, str]:
    return finding.file, finding.line, finding.column, finding.rule, finding.message


def _judged(found: Iterable[Finding], settings: LintSettings) -> list[Finding]:
    """Findings in their order, as severe as the settings want them."""
    result = sorted(found, key=_order)
    if not settings.severity:
        return result
    return [replace(f, severity=Severity(settings.severity.get(f.rule, f.severity))) for f in result]


def _lab(stacks: Sequence[LintStack], facts: LabFacts, guard: Guard, report: Collection[str] | None) -> Lab:
    """The lab; where one of its stacks cannot be looked at, nothing of the others counts as missing."""
    views: list[StackView | None] = []
    for each in stacks:
        # Who asks about another file learns it there: it is why something may be left unsaid of that one too.
        mine = report is None or each.file in report
        what, file = ("Reading this stack", each.file) if mine else (f"Reading {each.file}", "")
        views.append(guard.made(what, partial(StackView, each), None, file=file))
    known = [view for view in views if view is not None]
    for view in known if len(known) < len(views) else ():
        view.partial = True
    return Lab(known, facts)


def _texts(lab: Lab, guard: Guard) -> Iterator[tuple[str, str]]:
    """(file, text) of all that rules look at."""
    yield from ((f.file, f.text) for f in lab.files)
    beside: tuple[tuple[str, Callable[[], list[TraefikFile]]], ...] = (
        ("Reading Traefik's files", lambda: list(lab.traefik_files.all)),
        ("Reading Authelia's files", lambda: lab.authelia_files),
        ("Reading the files of programs", lambda: [c.source for _, c in lab.config_files]),
    )
    for what, files in beside:
        nothing: list[TraefikFile] = []
        yield from ((f.file, f.text) for f in guard.made(what, files, nothing))


def _with_the_rest(lab: Lab, report: Collection[str]) -> frozenset[str]:
    """These files and the further ones of a stack that one of them begins, Traefik's own with Traefik's."""
    from homelab_mcp.core.checks import env_texts

    asked = frozenset(report)
    if lab.traefik is not None and lab.traefik.stack.file in asked:
        asked = asked.union(file.file for file in lab.traefik_files.all)
    beside = [f.file for f in lab.authelia_files if any(s.file in asked for s in lab.stacks)]
    read = [c.source.file for s, c in lab.config_files if s.stack.file in asked]
    told = [p for t in lab.stacks if t.file in asked for p in env_texts.paths(t)]
    asked = asked.union(beside, read, told)
    return asked.union(file.file for stack in lab.stacks if stack.file in asked for file in stack.files)


_IGNORE = re.compile(r"#\s*homelab:\s*ignore=(HL[0-9]{3}(?:\s*,\s*HL[0-9]{3})*)")


def _silenced(text: str) -> dict[int, set[str]]:
    """Line number -> rule ids that a comment on the line, or alone on the line above, silences there.

    Where that line begins an item of a list, it silences the whole item: what is wrong with it may stand further down.
    """
    result: dict[int, set[str]] = {}
    if "homelab:" not in text:
        return result
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        match = _IGNORE.search(line)
        if match:
            target = number + 1 if line.lstrip().startswith("#") else number
            for at in (target, *_rest_of_item(lines, target)):
                result.setdefault(at, set()).update(re.findall(r"HL[0-9]{3}", match.group(1)))
    return result


def _rest_of_item(lines: Sequence[str], number: int) -> Iterator[int]:
    """The further lines of the list's item that begins at a line (both counted from 1); none where none does."""
    first = lines[number - 1] if number <= len(lines) else ""
    dash = len(first) - len(first.lstrip())
    if not first.lstrip().startswith("- "):
        return
    for at, line in enumerate(lines[number:], start=number + 1):
        words = line.lstrip()
        if words and not words.startswith("#") and len(line) - len(words) <= dash:
            return
        yield at
