"""What a lab's certificates are like, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from homelab_mcp.core.certs.diagnosis import diagnose_certs
from homelab_mcp.core.certs.report import SOON_DAYS, expiring, report
from homelab_mcp.ports import Lab
from homelab_mcp.queries.cert_facts import cert_facts

_MOST_ROUTES = 30
_MOST_REASONS = 6


def check_certs(lab: Lab, hosts: Iterable[str] = (), days: float = SOON_DAYS) -> dict[str, Any]:
    """Served and stored certificates, resolver errors, limits, and the ranked reasons for what is wrong.

    Args:
        lab: the lab.
        hosts: only these; every routed host where none is named.
        days: from how many days left on a certificate counts as expiring.

    Returns:
        what ``core.certs.report.report`` says, with ``expiring`` (a sentence each) and ``reasons``. Routes that are
        well come last, and beyond 30 they are counted alone.
    """
    facts = cert_facts(lab, hosts)
    told = report(facts, days)
    told["routes"].sort(key=lambda row: (row["status"] == "ok", row["host"]))
    if len(told["routes"]) > _MOST_ROUTES:
        told["more_routes"] = len(told["routes"]) - _MOST_ROUTES
        del told["routes"][_MOST_ROUTES:]
    if late := expiring(facts, days):
        told["expiring"] = late
    only = next(iter(facts.hosts), "") if len(facts.hosts) == 1 else ""
    reasons = diagnose_certs(facts, only)
    told["reasons"] = [{k: v for k, v in asdict(r).items() if v} for r in reasons[:_MOST_REASONS]]
    return told
