"""What services may use, what they use, and who was stopped for it."""

from __future__ import annotations

from collections.abc import Iterator

from homelab_mcp.core.audit.facts import AuditFacts, AuditFinding, Remedy, Running
from homelab_mcp.core.audit.linted import linted
from homelab_mcp.core.resources import overbooked, size_text
from homelab_mcp.model.finding import Severity

_NEAR = 0.85
"""Of its limit: from there on a busy hour ends at the kernel's killer."""
_LOOP = 3
"""Restarts of the engine's own doing that make a loop."""


def resources(facts: AuditFacts) -> Iterator[AuditFinding]:
    """Every finding on resources."""
    yield from (_sized(f) for f in linted(facts, "resources"))
    for said in overbooked((s.data for s in facts.lab.services if facts.mine(s.stack)), facts.host):
        yield AuditFinding("overbooked", Severity.WARNING, "", said, "deploy.resources.reservations")
    for one in facts.running or ():
        yield from _near(one)
        yield from _ended(one)


def _sized(found: AuditFinding) -> AuditFinding:
    """A service without a limit gets one from what it uses rather than a guess."""
    stack, _, name = found.service.partition("/")
    if found.id != "HL112" or not name:
        return found
    fix = Remedy("update_service", {"service": name, "stack": stack, "resources": "measured"})
    return AuditFinding(found.id, found.severity, found.service, found.message, found.evidence, fix)


def _near(one: Running) -> Iterator[AuditFinding]:
    limit = one.memory_limit
    if limit and one.memory >= _NEAR * limit:
        more = {"service": one.service, "stack": one.stack, "limits": {"memory": size_text(limit * 3 // 2)}}
        yield AuditFinding(
            "near_limit",
            Severity.WARNING,
            one.where,
            f"It uses {100 * one.memory // limit} % of the memory it may have.",
            f"{size_text(one.memory)} of {size_text(limit)}",
            Remedy("update_service", more),
        )


def _ended(one: Running) -> Iterator[AuditFinding]:
    if one.out_of_memory:
        yield AuditFinding(
            "out_of_memory",
            Severity.ERROR,
            one.where,
            "The kernel killed it: it wanted more memory than it may have.",
            f"state {one.state}, {one.restarts} restarts",
            Remedy("update_service", {"service": one.service, "stack": one.stack, "resources": "measured"}),
            ask=True,
        )
    elif one.state == "restarting" or one.restarts >= _LOOP:
        yield AuditFinding(
            "restarts",
            Severity.ERROR if one.state == "restarting" else Severity.WARNING,
            one.where,
            f"Docker has started it again {one.restarts} times: diagnose says why it ends.",
            f"state {one.state}",
        )
