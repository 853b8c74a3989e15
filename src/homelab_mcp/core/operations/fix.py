"""Fix what the linter finds: the safe fixes of a lab or a stack, or the ones that were asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from homelab_mcp.core import env_file
from homelab_mcp.core.checks import NO_FACTS, LabFacts, LintStack
from homelab_mcp.core.checks.fix_edit import env_beside
from homelab_mcp.core.checks.fix_run import Fixed, fixed
from homelab_mcp.core.checks.frame import all_rules
from homelab_mcp.core.compose_model import read_compose
from homelab_mcp.core.operations.request import FixRequest
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.lab import LintSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Risk, RiskReason, Verification

_LISTED = 12
"""How many fixed findings, and how many rules that remain, are told one by one."""


@dataclass(frozen=True, slots=True)
class _Changed:
    """A stack whose files change, and its services that mean something else then."""

    stack: StackFiles
    after: StackFiles
    services: tuple[str, ...]


def fix(
    snapshot: Snapshot,
    request: FixRequest,
    *,
    stacks: Sequence[LintStack] | None = None,
    settings: LintSettings | None = None,
    facts: LabFacts = NO_FACTS,
    only: Sequence[str] | None = None,
    place: str = "",
) -> Draft:
    """A draft with the fixes of the chosen findings; services whose definition changes are recreated.

    Args:
        snapshot: the lab as it is.
        request: which stack, which rules, and whether suggestions are applied too.
        stacks: the same lab as the linter takes it, with what it may read; its compose files and ``.env`` alone when
            unset.
        settings: how the lab sets the rules.
        facts: what is known of the lab beside its files.
        only: where no stack is named, the compose files whose findings are fixed; None for all.
        place: what these are together, for the summary, such as ``on host nas``.

    Raises:
        NotFound: no such stack (``stack_unknown``).
        InvalidInput: no such rule (``rule_unknown``), or nothing that can be fixed (``nothing_to_do``).
        EditRefused: a ``.env`` cannot be edited without losing something.
    """
    wanted = snapshot.stack(request.stack) if request.stack else None
    if request.stack and wanted is None:
        raise NotFound(
            f"There is no stack called {request.stack}.",
            hint=f"Stacks: {', '.join(s.name for s in snapshot.stacks[:15]) or 'none yet'}.",
            code="stack_unknown",
        )
    unknown = sorted(set(request.rules or ()) - {r.id for r in all_rules()})
    if unknown:
        raise InvalidInput(
            f"There is no rule {', '.join(unknown)}.", hint="List them with `homelab-mcp rules`.", code="rule_unknown"
        )
    if stacks is None:
        stacks = [
            LintStack(s.name, s.compose_path, s.compose_text, env_file.parse_or_empty(s.env_text))
            for s in snapshot.stacks
        ]
    result = fixed(
        stacks,
        settings,
        facts=facts,
        report=[wanted.compose_path] if wanted else only,
        rules=request.rules,
        unsafe=request.unsafe,
    )
    if not result.fixed:
        raise InvalidInput(
            "No finding has a fix that may be applied.",
            hint="Findings without a fix need a person." if request.unsafe else "Suggestions need unsafe.",
            code="nothing_to_do",
        )
    changed = [c for s in snapshot.stacks if (c := _changed(s, result))]
    readers = _readers(result, changed)
    verifications = _verifications(changed, readers)
    return Draft(
        operation="fix",
        summary=_summary(result.fixed, request, place),
        edits=(*(e for c in changed for e in _edits(c)), *_edits_beside(result)),
        actions=(
            *(
                EngineAction(ActionKind.UP, "Their definition changes.", c.stack.name, c.services)
                for c in changed
                if c.services
            ),
            *(EngineAction(ActionKind.RESTART, "It reads that file only when it starts.", s, (n,)) for s, n in readers),
        ),
        verification=verifications[0] if verifications else Verification(),
        also_verify=verifications[1:],
        risks=tuple(_risks(changed, readers, result.fixed)),
        notes=tuple(_notes(result, request)),
        undo="Roll this plan back.",
        target=request.stack or (changed[0].stack.name if len(changed) == 1 else "fix"),
        secrets=tuple(dict.fromkeys(v for values in result.env.values() for v in values.values())),
    )


def _changed(stack: StackFiles, result: Fixed) -> _Changed | None:
    compose = result.texts.get(stack.compose_path, stack.compose_text)
    added = result.env.get(env_beside(stack.compose_path), {})
    env = env_file.set_values(stack.env_text, added) if added else stack.env_text
    others = tuple((path, result.texts.get(path, text)) for path, text in stack.others)
    after = replace(stack, compose_text=compose, env_text=env, others=others)
    if after == stack:
        return None
    return _Changed(stack, after, _services_changed(stack, after))


def _edits(change: _Changed) -> Iterator[FileEdit]:
    before, after = change.stack, change.after
    if before.env_text != after.env_text:
        yield FileEdit(
            env_beside(before.compose_path), before.env_text or None, after.env_text, mode=0o600, secret=True
        )
    if before.compose_text != after.compose_text:
        yield FileEdit(before.compose_path, before.compose_text, after.compose_text)
    for (path, old), (_, new) in zip(before.others, after.others, strict=True):
        if old != new:
            yield FileEdit(path, old, new)


def _edits_beside(result: Fixed) -> Iterator[FileEdit]:
    for path, (before, _) in result.beside.items():
        yield FileEdit(path, before, result.texts[path])


def _readers(result: Fixed, changed: Sequence[_Changed]) -> list[tuple[str, str]]:
    """(stack, service) of who reads a file beside the compose files, and is not made anew anyway."""
    anew = {(c.stack.name, service) for c in changed for service in c.services}
    return sorted({reader for _, reader in result.beside.values()} - anew)


def _services_changed(before: StackFiles, after: StackFiles) -> tuple[str, ...]:
    """Services that mean something else in one of the files, variables put in, or use a network or volume that does."""
    texts = [(s.compose_text, *(text for _, text in s.others)) for s in (before, after)]
    envs = [env_file.parse_or_empty(s.env_text) for s in (before, after)]
    found = (
        name
        for old, new in zip(*texts, strict=True)
        for name in _changed_in(_meaning(old, envs[0]), _meaning(new, envs[1]))
    )
    return tuple(dict.fromkeys(found))


def _changed_in(old: dict[Any, Any], new: dict[Any, Any]) -> tuple[str, ...]:
    parts = {n for n in ("networks", "volumes", "secrets", "configs") if old.get(n) != new.get(n)}
    services = new.get("services")
    was = old.get("services")
    earlier = was if isinstance(was, dict) else {}
    return tuple(
        str(name)
        for name, body in (services.items() if isinstance(services, dict) else ())
        if earlier.get(name) != body or (isinstance(body, dict) and parts & set(body))
    )


def _meaning(text: str, env: Mapping[str, str]) -> dict[Any, Any]:
    try:
        return read_compose(text, env, allow_duplicates=True).data
    except InvalidInput:
        return {}


def _verifications(changed: Sequence[_Changed], readers: Sequence[tuple[str, str]]) -> tuple[Verification, ...]:
    """Whatever the plan makes anew or restarts, a stack each: the one with the most to look at first."""
    seen: dict[str, list[str]] = {}
    for one in sorted(changed, key=lambda c: -len(c.services)):
        if one.services:
            seen.setdefault(one.stack.name, []).extend(one.services)
    for stack, name in readers:
        seen.setdefault(stack, []).append(name)
    return tuple(Verification(stack, tuple(names)) for stack, names in seen.items())


def _summary(findings: Sequence[Finding], request: FixRequest, place: str) -> str:
    rules = list(dict.fromkeys(f.rule for f in findings))
    listed = ", ".join(rules[:4]) + (f" and {len(rules) - 4} more rules" if len(rules) > 4 else "")
    where = f" in stack {request.stack}" if request.stack else f" {place}" if place else ""
    return f"Fix {len(findings)} finding{'s' if len(findings) > 1 else ''}{where} ({listed})"


def _risks(
    changed: Sequence[_Changed], readers: Sequence[tuple[str, str]], findings: Sequence[Finding]
) -> Iterator[RiskReason]:
    recreated = [s for c in changed for s in c.services]
    if recreated:
        yield RiskReason(Risk.MEDIUM, f"Recreates {', '.join(recreated)}.")
    if readers:
        names = ", ".join(name for _, name in readers)
        yield RiskReason(Risk.HIGH, f"Restarts {names}: every route through it is away for a moment.")
    elif any(c.stack.name == "core" for c in changed):
        yield RiskReason(Risk.HIGH, "Touches the core stack, which every route depends on.")
    doubtful = Counter(f.rule for f in findings if f.fix and not f.fix.safe)
    if doubtful:
        yield RiskReason(
            Risk.MEDIUM, f"Applies suggestions that can change how a service works: {', '.join(sorted(doubtful))}."
        )


def _notes(result: Fixed, request: FixRequest) -> Iterator[str]:
    for finding in result.fixed[:_LISTED]:
        who = f" [{finding.service}]" if finding.service else ""
        yield f"{finding.file}:{finding.line}{who} {finding.rule}: {finding.fix.title if finding.fix else ''}."
    if len(result.fixed) > _LISTED:
        yield f"And {len(result.fixed) - _LISTED} more; the diff shows them all."
    for file, values in result.env.items():
        yield f"New in {file}: {', '.join(values)}. Their old values are in git's history: make new ones."
    yield from _left(result, request)


def _left(result: Fixed, request: FixRequest) -> Iterator[str]:
    why = {(f.rule, f.file, f.service, f.message): f"its fix was not applied, {w}" for f, w in result.dropped}
    groups: Counter[tuple[str, str]] = Counter()
    for finding in result.findings:
        if finding.severity is Severity.INFO or (request.rules and finding.rule not in request.rules):
            continue
        reason = why.get((finding.rule, finding.file, finding.service, finding.message), "")
        groups[
            finding.rule, reason or "no safe fix is known" if not request.unsafe else reason or "needs a person"
        ] += 1
    for (rule, reason), count in list(sorted(groups.items()))[:_LISTED]:
        yield f"Left: {count} of {rule} ({reason})."
    if len(groups) > _LISTED:
        yield f"And findings of {len(groups) - _LISTED} more rules; validate_compose lists them."
