"""Fix what the linter finds: the safe fixes of a lab or a stack, or the ones that were asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
) -> Draft:
    """A draft with the fixes of the chosen findings; services whose definition changes are recreated.

    Args:
        snapshot: the lab as it is.
        request: which stack, which rules, and whether suggestions are applied too.
        stacks: the same lab as the linter takes it, with what it may read; its compose files and ``.env`` alone when
            unset.
        settings: how the lab sets the rules.
        facts: what is known of the lab beside its files.

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
        report=[wanted.compose_path] if wanted else None,
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
    return Draft(
        operation="fix",
        summary=_summary(result.fixed, request),
        edits=tuple(e for c in changed for e in _edits(c)),
        actions=tuple(
            EngineAction(ActionKind.UP, "Their definition changes.", c.stack.name, c.services)
            for c in changed
            if c.services
        ),
        verification=_verification(changed),
        risks=tuple(_risks(changed, result.fixed)),
        notes=tuple(_notes(result, request)),
        undo="Roll this plan back.",
        target=request.stack or (changed[0].stack.name if len(changed) == 1 else "fix"),
        secrets=tuple(dict.fromkeys(v for values in result.env.values() for v in values.values())),
    )


def _changed(stack: StackFiles, result: Fixed) -> _Changed | None:
    compose = result.texts.get(stack.compose_path, stack.compose_text)
    added = result.env.get(env_beside(stack.compose_path), {})
    env = env_file.set_values(stack.env_text, added) if added else stack.env_text
    after = StackFiles(stack.name, stack.compose_path, compose, env)
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


def _services_changed(before: StackFiles, after: StackFiles) -> tuple[str, ...]:
    """Services that mean something else, variables put in, or use a network or volume that does."""
    old, new = (_meaning(s) for s in (before, after))
    parts = {n for n in ("networks", "volumes", "secrets", "configs") if old.get(n) != new.get(n)}
    services = new.get("services")
    was = old.get("services")
    earlier = was if isinstance(was, dict) else {}
    return tuple(
        str(name)
        for name, body in (services.items() if isinstance(services, dict) else ())
        if earlier.get(name) != body or (isinstance(body, dict) and parts & set(body))
    )


def _meaning(stack: StackFiles) -> dict[Any, Any]:
    env = env_file.parse_or_empty(stack.env_text)
    try:
        return read_compose(stack.compose_text, env, allow_duplicates=True).data
    except InvalidInput:
        return {}


def _verification(changed: Sequence[_Changed]) -> Verification:
    # A plan verifies one stack: the one with the most to look at.
    most = max(changed, key=lambda c: len(c.services), default=None)
    return Verification(stack=most.stack.name, services=most.services) if most and most.services else Verification()


def _summary(findings: Sequence[Finding], request: FixRequest) -> str:
    rules = list(dict.fromkeys(f.rule for f in findings))
    listed = ", ".join(rules[:4]) + (f" and {len(rules) - 4} more rules" if len(rules) > 4 else "")
    where = f" in stack {request.stack}" if request.stack else ""
    return f"Fix {len(findings)} finding{'s' if len(findings) > 1 else ''}{where} ({listed})"


def _risks(changed: Sequence[_Changed], findings: Sequence[Finding]) -> Iterator[RiskReason]:
    recreated = [s for c in changed for s in c.services]
    if recreated:
        yield RiskReason(Risk.MEDIUM, f"Recreates {', '.join(recreated)}.")
    if any(c.stack.name == "core" for c in changed):
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
