"""What a lab's certificates are like, host by host, as data for people and models."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from homelab_mcp.core.certs.due import due
from homelab_mcp.core.certs.limits import Limit, limits
from homelab_mcp.core.redact import clean
from homelab_mcp.model.certificate import CertFacts, Certificate, ResolverError, Served, Stored

DEFAULT_CERTIFICATE = "TRAEFIK DEFAULT CERT"
"""Common name of what Traefik serves where it has nothing better (traefik/traefik pkg/tls/generate/generate.go)."""

SOON_DAYS = 14
"""Days left from which a certificate counts as about to expire: Traefik renews one of 90 days when 30 are left."""

_SHOWN_ERRORS = 5


def status_of(served: Served, now: float, days: float = SOON_DAYS) -> str:
    """ok, soon, expired, not_yet_valid, default, untrusted, wrong_name or no_answer."""
    found = served.certificate
    if found is None:
        return "no_answer"
    if found.subject == DEFAULT_CERTIFICATE:
        return "default"
    if now >= found.not_after:
        return "expired"
    if now < found.not_before:
        return "not_yet_valid"
    if not found.covers(served.host):
        return "wrong_name"
    if not served.verified:
        return "untrusted"
    return "soon" if found.days_left(now) <= days else "ok"


def stored_for(facts: CertFacts, host: str) -> Stored | None:
    """The certificate in Traefik's stores that is good for a host: the one that lasts longest."""
    fit = [s for s in facts.stored if s.certificate and s.certificate.covers(host)]
    return max(fit, key=lambda s: s.certificate.not_after if s.certificate else 0.0, default=None)


def report(facts: CertFacts, days: float = SOON_DAYS) -> dict[str, Any]:
    """Routes, stored certificates, errors, limits and the worst of it (``verdict``: ok, soon, bad or unseen).

    ``days``: from how many days left on a certificate counts as expiring.
    """
    routes = [_route(facts, host, days) for host in sorted(facts.hosts)]
    stored = [_stored(facts, s) for s in facts.stored]
    words = {r["status"] for r in routes}
    late = [s for s in facts.stored if s.certificate and s.certificate.days_left(facts.now) <= days]
    if words - {"ok", "soon", "no_answer"}:
        verdict = "bad"
    elif "no_answer" in words:
        verdict = "unseen"
    else:
        verdict = "soon" if "soon" in words or late else "ok"
    told: dict[str, Any] = {"verdict": verdict, "routes": routes, "stored": stored}
    if facts.resolvers:
        told["resolvers"] = [
            {
                k: v
                for k, v in (
                    ("name", r.name),
                    ("challenge", r.challenge),
                    ("provider", r.provider),
                    ("ca", r.server or "Let's Encrypt"),
                    ("store", r.store),
                )
                if v
            }
            for r in facts.resolvers
        ]
    if facts.errors:
        told["errors"] = [_error(e) for e in _last(facts.errors)]
        told["error_count"] = len(facts.errors)
    if near := [one for one in limits(facts) if one.used * 2 >= one.most]:
        told["limits"] = [limit_line(one) for one in near]
    if facts.clock_off is not None and abs(facts.clock_off) > 5:
        told["clock_off_seconds"] = round(facts.clock_off)
    if caa := {host: list(records) for host, records in facts.caa.items() if records}:
        told["caa"] = caa
    if facts.unread:
        told["not_seen"] = list(facts.unread)
    return told


def expiring(facts: CertFacts, days: float) -> list[str]:
    """A sentence for each served or stored certificate that has fewer than that many days left."""
    found: dict[str, str] = {}
    for host, served in sorted(facts.served.items()):
        if served.certificate and served.certificate.days_left(facts.now) < days:
            found.setdefault(served.certificate.serial, f"{host}: {_left(served.certificate, facts.now)}")
    for one in facts.stored:
        if one.certificate and one.certificate.days_left(facts.now) < days:
            found.setdefault(one.certificate.serial, f"{one.main}: {_left(one.certificate, facts.now)}")
    return list(found.values())


def limit_line(one: Limit) -> str:
    """A limit in one phrase."""
    free = f", room again at {when(one.free_at)}" if one.full else ""
    return f"{one.used} of {one.most} {one.name} ({one.what}){free}"


def when(seconds: float) -> str:
    """A moment as people read it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _left(certificate: Certificate, now: float) -> str:
    days = certificate.days_left(now)
    return f"expired {-days:.1f} days ago" if days < 0 else f"{days:.1f} days left"


def _route(facts: CertFacts, host: str, days: float) -> dict[str, Any]:
    served = facts.served.get(host) or Served(host, problem="not asked")
    row: dict[str, Any] = {"host": host, "service": facts.hosts[host], "status": status_of(served, facts.now, days)}
    if served.certificate:
        row |= _said(served.certificate, facts.now) | {"trusted": served.verified}
        kept = stored_for(facts, host)
        if kept and kept.certificate and kept.certificate.serial != served.certificate.serial:
            row["in_store"] = f"another one, {kept.certificate.serial}, until {when(kept.certificate.not_after)}"
        row["wildcard"] = host not in served.certificate.names and served.certificate.covers(host)
    if (addresses := facts.resolved.get(host)) is not None:
        row["dns"] = list(addresses)[:6]
    if served.problem:
        row["problem"] = clean(served.problem)[:300]
    return row


def _stored(facts: CertFacts, one: Stored) -> dict[str, Any]:
    row: dict[str, Any] = {"domains": list(one.domains), "resolver": one.resolver, "store": one.store}
    if one.certificate is None:
        return row | {"problem": "it cannot be read"}
    covered = sorted(h for h in facts.hosts if one.certificate.covers(h))
    said = {k: v for k, v in _said(one.certificate, facts.now).items() if k != "names"}
    return row | said | {"due": due(one.certificate, facts.now), "covers": len(covered)}


def _said(found: Certificate, now: float) -> dict[str, Any]:
    return {
        "subject": clean(found.subject),
        "names": list(found.names)[:20],
        "issuer": clean(found.issuer),
        "serial": found.serial,
        "not_before": when(found.not_before),
        "not_after": when(found.not_after),
        "days_left": round(found.days_left(now), 1),
    }


def _last(errors: tuple[ResolverError, ...]) -> Iterator[ResolverError]:
    """The last of each kind and names, newest first."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for error in reversed(errors):
        if (error.kind, error.domains) not in seen and len(seen) < _SHOWN_ERRORS:
            seen.add((error.kind, error.domains))
            yield error


def _error(error: ResolverError) -> dict[str, Any]:
    return {
        "when": when(error.when),
        "kind": error.kind,
        "domains": list(error.domains)[:10],
        "text": clean(error.text)[:300],
    }
