"""An audit's findings, the worst first, and the one call that plans every safe fix among them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from homelab_mcp.core.audit.facts import AuditFacts, AuditFinding, Remedy, Subject
from homelab_mcp.core.audit.keeping import backups, monitoring
from homelab_mcp.core.audit.resources import resources
from homelab_mcp.core.audit.security import security
from homelab_mcp.model.finding import Severity

_ORDER = list(Severity)
_AUDITS = {"security": security, "resources": resources, "backups": backups, "monitoring": monitoring}
MOST_RULES = 30
"""Rules that one call of fix_compose takes."""


@dataclass(frozen=True, slots=True)
class Report:
    """An audit's end.

    Args:
        findings: errors first.
        counts: by severity.
        batch: the call that plans every fix which keeps what the files mean.
        batch_all: the same with the suggestions, which can change how a service works; None where there are none.
        unseen: sentences on what could not be looked at.
    """

    findings: tuple[AuditFinding, ...]
    counts: dict[str, int]
    batch: Remedy | None = None
    batch_all: Remedy | None = None
    unseen: tuple[str, ...] = ()


def audit(facts: AuditFacts, subject: Subject, stack: str = "") -> Report:
    """Audit one subject of the lab, of one host, or of one stack seen among the others.

    What concerns the whole lab is kept.
    """
    every = (f for f in _AUDITS[subject](facts) if not f.service or facts.mine(f.service))
    kept = (f for f in every if not stack or f.service.partition("/")[0] in ("", stack))
    # One rule can find the same at several places of a line.
    once = {(f.id, f.service, f.message, f.evidence): f for f in kept}
    found = sorted(once.values(), key=lambda f: (_ORDER.index(f.severity), f.id, f.service))
    counts = Counter(str(f.severity) for f in found)
    unseen = () if facts.running is not None else ("Docker was not asked or did not answer: files alone were judged.",)
    safe, all_ = batch(found, stack, host=facts.seen), batch(found, stack, host=facts.seen, unsafe=True)
    return Report(
        tuple(found), {str(s): counts[str(s)] for s in Severity}, safe, all_ if all_ != safe else None, unseen
    )


def batch(findings: list[AuditFinding], stack: str = "", *, host: str = "", unsafe: bool = False) -> Remedy | None:
    """One call of fix_compose for every fix that needs no question, or with ``unsafe`` for all; None for none."""
    mine = [f for f in findings if f.fix and f.fix.tool == "fix_compose"]
    rules = list(dict.fromkeys(f.id for f in mine if unsafe or not f.ask))[:MOST_RULES]
    if not rules:
        return None
    asked = unsafe and any(f.ask for f in mine)
    where = {"host": host} if host else {}
    return Remedy("fix_compose", {"stack": stack, "rules": rules, **({"unsafe": True} if asked else {}), **where})
