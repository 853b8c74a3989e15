"""Why something does not work: facts, checks, ranked causes, each with a ready way to settle it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from homelab_mcp.core.diagnosis import JUDGES, diagnose, troubled
from homelab_mcp.core.diagnosis.checks import looked_at
from homelab_mcp.core.diagnosis.known_lines import of_entry
from homelab_mcp.core.diagnosis.peers import reach
from homelab_mcp.model.diagnosis import Cause, Facts, Signature
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.ports import Lab
from homelab_mcp.queries.diagnose_facts import facts_of
from homelab_mcp.queries.find import find_service
from homelab_mcp.queries.log_sources import definition_of

MOST = 5
_LONGEST_ERROR = 2000


def diagnosis(
    lab: Lab, service: str, *, what: str = "service", stack: str = "", b: str = "", error: str = ""
) -> dict[str, Any]:
    """``service, what, state, well, causes, checks`` of one service, JSON-ready and free of secrets.

    Args:
        lab: the lab.
        service: the service; ``stack/service`` where the name is in several.
        what: service, route, auth, connectivity or permissions.
        stack: its stack.
        b: for connectivity, whom it cannot reach.
        error: what the person saw, in their words.

    Raises:
        NotFound, InvalidInput; EngineUnavailable.
    """
    if what not in JUDGES:
        raise InvalidInput(f"{what!r} cannot be asked about.", hint=f"Use one of {', '.join(JUDGES)}.")
    if lab.files_only:
        raise InvalidInput(
            "Without Docker nothing can be told about what runs.",
            hint="validate_compose tells what is wrong in the files.",
            code="plan_needs_docker",
        )
    probe = what in ("service", "route", "auth")
    facts = facts_of(lab, service, stack, error=error[:_LONGEST_ERROR], probe=probe, signatures=lab.signatures)
    facts = replace(facts, signatures=(*facts.signatures, *entry_signatures(lab, facts)))
    causes = _causes(lab, facts, what, b)
    well = not causes and not troubled(facts)
    return {
        "service": f"{facts.stack}/{facts.service}",
        "what": what,
        "state": _state(facts),
        "well": well,
        "causes": [c.as_dict() for c in causes[:MOST]],
        "checks": [{"check": c.what, "ok": c.ok, **({"seen": c.detail} if c.detail else {})} for c in looked_at(facts)],
        "next": _next(causes, well),
    }


def _causes(lab: Lab, facts: Facts, what: str, b: str) -> tuple[Cause, ...]:
    if what != "connectivity" or not b:
        return diagnose(facts, what)
    place = find_service(lab.files, b)
    other = next((o for o in facts.others if (o.stack, o.service) == place), None)
    if other is None:
        raise InvalidInput("A service always reaches itself.", hint="Name two services.")
    return reach(facts, other)


def entry_signatures(lab: Lab, facts: Facts) -> tuple[Signature, ...]:
    """What its catalog entry says of its lines; none of another's catalog, whose words nobody here has checked."""
    try:
        entry = definition_of(lab, facts.one.state) if facts.one else None
    except HomelabError:
        # An own entry that cannot be read is the catalog check's to tell, not a reason to diagnose nothing.
        return ()
    return () if entry is None or lab.catalog.catalog_of(entry.id) else of_entry(entry)


def _state(facts: Facts) -> str:
    one = facts.one
    if one is None:
        return "no container"
    return f"{one.state.state}{f', {one.state.health}' if one.state.health and facts.runs else ''}"


def _next(causes: tuple[Cause, ...], well: bool) -> str:
    if well:
        return "Nothing is wrong as far as can be seen from here. If it still fails, give the error text."
    if not causes:
        return "No known cause fits. read_logs shows what it says; give the error text for another look."
    fix = causes[0].fix
    return f"Call {fix.tool}: {fix.what}" if fix.tool else f"A person does it: {fix.what}"
