"""Renew certificates that Traefik got: only those that are named or due, and never without a way back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict, Field

from homelab_mcp.core.certs.due import due, renewed_at_start
from homelab_mcp.core.certs.limits import in_the_way
from homelab_mcp.core.certs.report import limit_line, when
from homelab_mcp.model.certificate import CertFacts, Resolver, Stored
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.plan import (
    ActionKind,
    CertificateCheck,
    CertificateDrop,
    Draft,
    EngineAction,
    Risk,
    RiskReason,
    Verification,
)

DNS_PATIENCE, PATIENCE = 600.0, 120.0
"""Seconds that a certificate may take: a DNS record must get about, and some providers take one challenge at a time."""

WINDOW = 15.0
"""Seconds in which Traefik restarts: on its end it waits 10 for open connections (its ``graceTimeOut``)."""

_MOST_HOSTS = 10


class RenewCertsRequest(BaseModel):
    """Renew the certificates that cover these ``names``, those that are due where none is named; ``force`` any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    names: tuple[str, ...] = Field(default=(), max_length=20)
    force: bool = False


def renew_certs(facts: CertFacts, request: RenewCertsRequest) -> Draft:
    """A draft that has Traefik get certificates anew, and holds only once they are served.

    One that Traefik renews by itself when it starts is left in the store, so that the old one is served meanwhile. Any
    other (forced, and not yet due) is taken out of the store while Traefik is down.

    Raises:
        NotFound: no Traefik (``no_traefik``), or no certificate for a name (``certificate_unknown``).
        InvalidInput: nothing is due (``nothing_due``), a rate limit would be hit (``rate_limited``), or the store
            cannot be read or written here (``store_out_of_reach``).
    """
    if not facts.traefik:
        raise NotFound("The lab has no Traefik.", hint="setup_lab adds one.", code="no_traefik")
    wanted = _wanted(facts, request)
    _refuse_limits(facts, wanted, request)
    stack, _, service = facts.traefik.partition("/")
    drops = tuple(
        CertificateDrop(s.store, stack, service, s.main, s.certificate.serial)
        for s in wanted
        if s.certificate and (request.force or not renewed_at_start(s.certificate, facts.now))
    )
    checks = tuple(c for s in wanted for c in _checks(facts, s, stack, service))
    names = ", ".join(s.main for s in wanted)
    return Draft(
        operation="renew_certs",
        summary=f"Renew the certificate{'s' if len(wanted) > 1 else ''} of {names}",
        edits=(),
        actions=(EngineAction(ActionKind.RESTART, "It reads its store when it starts.", stack, (service,)),),
        verification=Verification(stack, (service,), certificates=checks),
        risks=tuple(_risks(facts, wanted, drops, request)),
        notes=tuple(_notes(facts, wanted, drops)),
        undo="If no new one is served in the end, the old one is put back by itself; a new one is not taken back.",
        target=wanted[0].main,
        drops=drops,
    )


def _wanted(facts: CertFacts, request: RenewCertsRequest) -> list[Stored]:
    if not facts.stored:
        why = " ".join(facts.unread)
        raise InvalidInput(
            why or "Traefik's store holds no certificate.",
            code="store_out_of_reach" if why else "nothing_due",
            hint="Look with check_certs; Traefik gets a first certificate by itself.",
        )
    if not request.names:
        if request.force:
            raise InvalidInput("Say which to renew by force.", code="names_missing", hint=f"Names: {_mains(facts)}.")
        found = [s for s in facts.stored if s.certificate and due(s.certificate, facts.now)]
        if not found:
            first = min((s.certificate.not_after for s in facts.stored if s.certificate), default=0.0)
            raise InvalidInput(
                f"No certificate is due; the first expires {when(first)}.",
                code="nothing_due",
                hint="Traefik renews by itself. To renew one all the same, name it with force.",
            )
        return found
    found = []
    for name in dict.fromkeys(n.lower().strip(".") for n in request.names):
        fit = [s for s in facts.stored if name in s.domains or (s.certificate and s.certificate.covers(name))]
        if not fit:
            raise NotFound(
                f"Traefik's store holds no certificate for {name}.",
                hint=f"It holds: {_mains(facts)}.",
                code="certificate_unknown",
            )
        # One for exactly that name before one that merely covers it.
        one = next((s for s in fit if s.main == name), fit[0])
        if one.certificate is None:
            raise InvalidInput(f"The stored certificate of {one.main} cannot be read.", code="store_unreadable")
        if not request.force and not due(one.certificate, facts.now):
            raise InvalidInput(
                f"The certificate of {one.main} is not due: it is valid until {when(one.certificate.not_after)}.",
                code="nothing_due",
                hint="Give force to renew it all the same.",
            )
        if one not in found:
            found.append(one)
    return found


def _mains(facts: CertFacts) -> str:
    return ", ".join([s.main for s in facts.stored][:10]) or "none"


def _refuse_limits(facts: CertFacts, wanted: Sequence[Stored], request: RenewCertsRequest) -> None:
    full = in_the_way(facts, wanted)
    if full and not request.force:
        raise InvalidInput(
            f"The certificate authority would refuse: {limit_line(full[0])}.",
            code="rate_limited",
            hint="Wait until then. The staging CA (acme.staging) has no such limit, for trying things out.",
        )


def _checks(facts: CertFacts, one: Stored, stack: str, service: str) -> Iterable[CertificateCheck]:
    found = one.certificate
    if found is None:
        return
    resolver = next((r for r in facts.resolvers if r.name == one.resolver), Resolver("", ""))
    patience = DNS_PATIENCE if resolver.challenge == "dns" else PATIENCE
    hosts = [h for h in sorted(facts.hosts) if found.covers(h)][:_MOST_HOSTS]
    # A wildcard that no route uses is shown for any name below it.
    for host in hosts or [one.main.replace("*.", "www.")]:
        served = facts.served.get(host)
        serial = served.certificate.serial if served and served.certificate else found.serial
        if serial not in (found.serial, "") and served and served.verified:
            # Another certificate is served there, which this renewal does not touch.
            continue
        yield CertificateCheck(host, one.main, found.serial, found.not_before, stack, service, patience)


def _risks(
    facts: CertFacts, wanted: Sequence[Stored], drops: Sequence[CertificateDrop], request: RenewCertsRequest
) -> Iterable[RiskReason]:
    yield RiskReason(Risk.HIGH, "Restarts Traefik, which every route depends on.")
    if drops:
        hosts = sum(1 for h in facts.hosts if any(s.certificate and s.certificate.covers(h) for s in wanted))
        yield RiskReason(Risk.HIGH, f"Until the new certificate is there, browsers warn on {hosts} hosts.")
    if request.force:
        for full in in_the_way(facts, wanted):
            yield RiskReason(Risk.HIGH, f"The certificate authority may refuse: {limit_line(full)}.")


def _notes(facts: CertFacts, wanted: Sequence[Stored], drops: Sequence[CertificateDrop]) -> Iterable[str]:
    dropped = {d.serial for d in drops}
    for one in wanted:
        if one.certificate is None:
            continue
        how = (
            "taken out of the store first, as Traefik would not renew it yet"
            if one.certificate.serial in dropped
            else "renewed by Traefik when it starts; the old one is served meanwhile"
        )
        left = one.certificate.days_left(facts.now)
        until = f"{left:.0f} days left" if left >= 0 else "expired"
        yield f"{', '.join(one.domains)} ({until}, serial {one.certificate.serial}): {how}."
    yield (
        f"Restart window: 2 to {WINDOW:.0f} seconds. No route answers, as Traefik waits up to 10 for open connections; "
        "then, for a second or two, it shows its own certificate while it loads."
    )
    if drops:
        dns = any(r.challenge == "dns" for r in facts.resolvers if r.name in {s.resolver for s in wanted})
        yield (
            "Then visitors are warned until the new certificate is there: "
            + ("with the DNS challenge a minute or two, some minutes for DuckDNS." if dns else "a few seconds.")
        )
        yield "The store is kept, encrypted. If the CA refuses, it is put back at once and Traefik restarted again."
