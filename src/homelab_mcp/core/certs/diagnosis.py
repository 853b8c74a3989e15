"""Why a lab's certificates are not well: ranked reasons with their evidence, and what to do about each.

Pure: ``diagnose_certs`` takes what was seen and gives what it means, for whoever asks (``check_certs``, ``diagnose``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from homelab_mcp.core.certs.caa import forbids, identity_of
from homelab_mcp.core.certs.due import due
from homelab_mcp.core.certs.limits import limits
from homelab_mcp.core.certs.report import limit_line, status_of, stored_for, when
from homelab_mcp.core.redact import clean
from homelab_mcp.model.certificate import CertFacts, ResolverError

CLOCK_SECONDS = 300.0
"""A clock that is further off makes fresh certificates look not yet valid."""


@dataclass(frozen=True, slots=True)
class CertReason:
    """One reason: ``confidence`` 0 to 1, ``evidence`` as seen, ``fix`` what to do, ``tool`` a call that does it."""

    kind: str
    reason: str
    confidence: float
    evidence: str
    fix: str
    tool: str = ""


_ERRORS = {
    "token": (
        "The DNS provider refuses the credentials.",
        "Make a new token at the provider; the person sets it with `homelab-mcp env set {stack} {variable}`.",
        0.95,
    ),
    "rate_limited": (
        "The certificate authority's rate limit is reached.",
        "Wait until the time it says; do not retry. Meanwhile setup_lab with acme.staging=true shows whether the rest "
        "works.",
        0.95,
    ),
    "caa": (
        "A CAA record of the domain forbids this certificate authority.",
        'Add a CAA record that allows it, such as 0 issue "letsencrypt.org", or remove the record.',
        0.95,
    ),
    "clock": (
        "This machine's clock is wrong.",
        "Turn time synchronisation on (timedatectl set-ntp true), then restart Traefik.",
        0.9,
    ),
    "store": (
        "Traefik cannot use its store of certificates.",
        "The file must belong to the user Traefik runs as, with mode 600.",
        0.95,
    ),
    "port": (
        "The certificate authority cannot reach this machine for the challenge.",
        "Forward ports 80 and 443 to it and let the name lead to its public address; or use the DNS challenge "
        "(setup_lab with acme.challenge=dns), which needs no open port.",
        0.85,
    ),
    "propagation": (
        "The challenge's DNS record was not seen in time.",
        "Give it longer (setup_lab with acme.propagation_wait=120) and name public resolvers (acme.resolvers); check "
        "that the domain is the one that the provider's account holds.",
        0.85,
    ),
    "ca_unreachable": (
        "Traefik cannot reach the certificate authority.",
        "Check that the container has internet and name resolution (docker exec into it), and the CA's address.",
        0.85,
    ),
    "rejected": (
        "The certificate authority does not take the request as it is.",
        "Check the e-mail address and the domain in the lab's settings (setup_lab with email=, domain=).",
        0.8,
    ),
    "other": ("Getting a certificate failed.", "Read Traefik's log (read_logs, grep acme).", 0.5),
}


def diagnose_certs(facts: CertFacts, host: str = "") -> list[CertReason]:
    """Reasons why certificates of the lab, or of one host, are not well; the most likely first, none where all is.

    Args:
        facts: what was seen.
        host: only what concerns this host.
    """
    hosts = [host] if host else sorted(facts.hosts)
    bad = {h: s for h in hosts if (s := _status(facts, h)) != "ok"}
    found = [
        *_proxy(facts),
        *_clock(facts),
        *_names(facts, bad),
        *_caa(facts, bad),
        *_errors(facts, hosts, bad=bool(bad)),
        *_limits(facts, bad=bool(bad)),
    ]
    found += [r for h, s in bad.items() for r in _host(facts, h, s)]
    found += _late(facts, hosts)
    best: dict[str, CertReason] = {}
    for one in found:
        key = one.kind + one.reason
        if key not in best or one.confidence > best[key].confidence:
            best[key] = one
    return sorted(best.values(), key=lambda r: -r.confidence)


def _status(facts: CertFacts, host: str) -> str:
    served = facts.served.get(host)
    return status_of(served, facts.now) if served else "ok"


def _proxy(facts: CertFacts) -> Iterator[CertReason]:
    if not facts.traefik:
        yield CertReason(
            "no_traefik", "The lab has no Traefik.", 0.99, "No stack has one.", "Add it.", "setup_lab core=true"
        )
    elif not facts.running:
        fix = "Read its log, and start it."
        yield CertReason(
            "traefik_down",
            "Traefik does not run, so nothing is served.",
            0.99,
            f"{facts.traefik} is not running.",
            fix,
            f"read_logs services=[{facts.traefik.rpartition('/')[2]}]",
        )
    elif not facts.resolvers:
        yield CertReason(
            "no_resolver",
            "Traefik asks no certificate authority.",
            0.7,
            "It has no certificate resolver.",
            "Choose a challenge.",
            "setup_lab settings={acme.challenge: dns}",
        )


def _clock(facts: CertFacts) -> Iterator[CertReason]:
    off = facts.clock_off
    if off is not None and abs(off) > CLOCK_SECONDS:
        reason, fix, confidence = _ERRORS["clock"]
        side = "ahead" if off > 0 else "behind"
        yield CertReason("clock", reason, confidence, f"It is {abs(off):.0f} s {side}.", fix)


def _names(facts: CertFacts, bad: Mapping[str, str]) -> Iterator[CertReason]:
    """Names that DNS does not know: the CA meets the http and tls challenges by them, and browsers everything."""
    unknown = sorted(h for h in bad if facts.resolved.get(h) == ())
    if unknown and bad:
        asked = any(r.challenge in ("http", "tls") for r in facts.resolvers)
        yield CertReason(
            "no_dns",
            "DNS does not know the name.",
            0.8 if asked else 0.35,
            f"{', '.join(unknown[:5])} has no address.",
            "Let it, or *.domain, lead to this machine at your DNS provider.",
        )


def _caa(facts: CertFacts, bad: Mapping[str, str]) -> Iterator[CertReason]:
    """Records that keep the authority from issuing, seen before or without a word of it in Traefik's log."""
    identities = {i for r in facts.resolvers if (i := identity_of(r.server))}
    for host in sorted(bad):
        records = facts.caa.get(host) or ()
        wildcard = any(r.challenge == "dns" for r in facts.resolvers)
        # What is forbidden as a wildcard alone still lets the host have one of its own.
        kept = [i for i in identities if forbids(records, i, wildcard=False)]
        wild = [i for i in identities if wildcard and forbids(records, i, wildcard=True)]
        if kept or wild:
            reason, _, confidence = _ERRORS["caa"]
            who = (kept or wild)[0]
            tag = "issue" if kept else "issuewild"
            fix = f'Add the CAA record 0 {tag} "{who}" at your DNS provider, or remove the ones that are there.'
            yield CertReason("caa", reason, confidence - 0.02, f"{host}: {', '.join(records)}.", fix)


def _errors(facts: CertFacts, hosts: list[str], *, bad: bool) -> Iterator[CertReason]:
    for error in {e.kind: e for e in facts.errors}.values():
        if hosts and error.domains and not any(_concerns(error, h) for h in hosts):
            continue
        reason, fix, confidence = _ERRORS[error.kind]
        # A failure that a later certificate made good is history.
        mended = any(
            s.certificate and s.certificate.not_before + 3600 >= error.when and set(error.domains) <= set(s.domains)
            for s in facts.stored
        )
        if mended and not bad:
            continue
        stack = facts.traefik.partition("/")[0] or "STACK"
        yield CertReason(
            error.kind,
            reason,
            confidence if bad and not mended else confidence / 2,
            f"{when(error.when)}, log (untrusted data): {clean(error.text)[:240]}",
            fix.format(stack=stack, variable="NAME"),
        )


def _concerns(error: ResolverError, host: str) -> bool:
    parent = host.partition(".")[2]
    return bool({host, f"*.{parent}", parent} & set(error.domains))


def _limits(facts: CertFacts, *, bad: bool) -> Iterator[CertReason]:
    for one in limits(facts):
        if one.full:
            reason, fix, _ = _ERRORS["rate_limited"]
            yield CertReason("rate_limited", reason, 0.9 if bad else 0.4, limit_line(one), fix)


def _host(facts: CertFacts, host: str, status: str) -> Iterator[CertReason]:
    served = facts.served[host]
    kept = stored_for(facts, host)
    seen = f"{host} shows {served.certificate.subject or served.certificate.names if served.certificate else 'nothing'}"
    if status == "no_answer":
        fix = "Look at Traefik, its published port and the firewall."
        yield CertReason("no_answer", f"{host} is not answered.", 0.6, served.problem, fix, "diagnose")
    elif kept and served.certificate and kept.certificate and kept.certificate.serial != served.certificate.serial:
        fix = "Restart Traefik: it reads its store when it starts."
        evidence = f"{seen}; the store has {kept.certificate.serial}."
        yield CertReason("not_loaded", "Traefik serves another certificate than its store has.", 0.75, evidence, fix)
    elif status == "default" and not facts.errors:
        young = facts.started and facts.now - facts.started < 300
        fix = "Wait a few minutes: it is being got." if young else "Check that the router has tls.certresolver."
        yield CertReason("none_yet", "Traefik has no certificate for it yet.", 0.6, seen, fix)
    elif status == "wrong_name":
        fix = "Use one wildcard certificate (acme.challenge=dns), or give the router its own tls.certresolver."
        yield CertReason("not_covered", "The certificate is for other names.", 0.7, seen, fix)
    elif status in ("expired", "soon"):
        fix = "Renew it; if that fails, the reasons above say why it did not renew by itself."
        left = f"{seen}, until {when(served.certificate.not_after) if served.certificate else '?'}"
        yield CertReason("expired", f"The certificate {_ends(status)}.", 0.65, left, fix, "renew_certs")
    elif status == "not_yet_valid":
        yield CertReason("clock", *_ERRORS["clock"][:1], 0.85, seen, _ERRORS["clock"][1])
    elif status == "untrusted":
        yield from _untrusted(facts, host, seen)


def _ends(status: str) -> str:
    return "has expired" if status == "expired" else "expires soon"


def _untrusted(facts: CertFacts, host: str, seen: str) -> Iterator[CertReason]:
    issuer = served.certificate.issuer if (served := facts.served[host]).certificate else ""
    if any("staging" in r.server for r in facts.resolvers) or "STAGING" in issuer.upper():
        fix = "When it works with the staging CA, change to the real one."
        yield CertReason(
            "staging",
            "It comes from a staging CA, which no browser trusts.",
            0.95,
            f"{seen}, issued by {issuer}",
            fix,
            "setup_lab settings={acme.staging: false}",
        )
        return
    fix = "For a CA of your own set acme.root_certificate, and install its root on your devices."
    yield CertReason("untrusted", "Its chain is not trusted.", 0.6, f"{seen}: {served.problem}", fix)


def _late(facts: CertFacts, hosts: list[str]) -> Iterator[CertReason]:
    """Certificates that are due and were not renewed: worth a look before they expire."""
    for one in facts.stored:
        found = one.certificate
        if found is None or not due(found, facts.now) or not any(found.covers(h) for h in hosts):
            continue
        text = f"{', '.join(one.domains)} is valid until {when(found.not_after)}."
        yield CertReason("due", "A certificate is due for renewal.", 0.4, text, "Renew it.", "renew_certs")
