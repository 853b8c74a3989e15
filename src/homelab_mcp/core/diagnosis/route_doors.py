"""In front of a route: the name, the certificate and the log-in."""

from __future__ import annotations

from collections.abc import Iterator

from homelab_mcp.core.diagnosis.clues import call, settle_other
from homelab_mcp.model.diagnosis import Cause, Facts, Remedy, RouteFacts


def causes(f: Facts) -> Iterator[Cause]:
    """DNS, certificate, log-in."""
    r = f.route
    if r is None or not r.hosts:
        return
    yield from _name(r)
    yield from _certificate(f, r)
    yield from _log_in(f, r)


def _name(r: RouteFacts) -> Iterator[Cause]:
    if r.resolves is not None and not r.resolves:
        fix = Remedy(f"Make a DNS record for {r.hosts[0]} (or a wildcard for the domain) that leads to this host.")
        seen: tuple[str, ...] = (f"{r.hosts[0]} does not resolve on this host",)
        well = 0 < r.status < 500 and r.status != 404
        yield Cause("host_not_in_dns", 0.7 if well else 0.3, f"{r.hosts[0]} is not in DNS.", seen, fix)


def _certificate(f: Facts, r: RouteFacts) -> Iterator[Cause]:
    if not r.status or r.verified or not r.certificate:
        return
    seen: tuple[str, ...] = (f"served: {r.certificate[:200]}",)
    if r.expired:
        fix = Remedy("Look at Traefik's log for why it was not renewed; renew_certs asks for a new one.")
        title = f"The certificate ended on {r.expired}."
        yield Cause("certificate_expired", 0.9, title, seen, fix)
    elif _deep(r):
        flat = r.hosts[0].removesuffix(f".{r.domain}").replace(".", "-")
        what = f"Call it {flat}.{r.domain}. Or ask for a certificate of its own, by hand."
        fix = call(f, "update_service", what, subdomain=flat)
        title = f"A wildcard certificate covers one word before {r.domain}, and {r.hosts[0]} has more."
        yield Cause("host_too_deep", 0.9, title, seen, fix)
    elif "TRAEFIK DEFAULT CERT" in r.certificate:
        fix = Remedy("Look at Traefik's log for the ACME error; until then it serves its own certificate.")
        yield Cause("certificate_default", 0.8, "Traefik has no certificate for this name.", seen, fix)
    else:
        fix = Remedy("Set acme.root_certificate in homelab.yaml if the CA is your own; else get a public certificate.")
        yield Cause("certificate_untrusted", 0.75, "Its certificate is not trusted here.", seen, fix)


def _deep(r: RouteFacts) -> bool:
    """A name with two words before the domain (RFC 6125 section 6.4.3: a wildcard stands for one)."""
    return bool(r.domain) and r.hosts[0].endswith(f".{r.domain}") and "." in r.hosts[0].removesuffix(f".{r.domain}")


def _log_in(f: Facts, r: RouteFacts) -> Iterator[Cause]:
    if not r.sso:
        return
    if r.login is None:
        fix = Remedy("Add the lab's log-in.", "add_service", {"service": "authelia"})
        if r.undefined:
            yield Cause("login_missing", 0.8, "It asks for a log-in that the lab does not have.", (), fix)
        return
    # While it starts Traefik has no server to ask, and answers 500 or 503 itself.
    starting = r.login.health == "starting" and r.status in (500, 503)
    if r.login.down or r.login.health == "unhealthy" or starting:
        seen: tuple[str, ...] = (
            f"{r.login.where}: {r.login.health or r.login.state}",
            f"the route answers {r.status or 'nothing'}",
        )
        fix = settle_other(f, r.login)
        yield Cause("login_down", 0.96, f"The log-in {r.login.where} does not work, so nobody gets in.", seen, fix)
    elif r.login_protected:
        seen = (f"{r.login.where}'s own router asks for log-in", f"the route leads to {r.location[:120] or 'itself'}")
        fix = Remedy(
            "Let everybody reach the log-in itself.",
            "update_service",
            {"service": r.login.service, "stack": r.login.stack, "sso": "bypass", "sso_reason": "It is the log-in."},
        )
        yield Cause("sso_loop", 0.94, "The log-in asks for log-in: it never ends.", seen, fix)
    elif r.status in (401, 403) and f.runs:
        fix = call(
            f, "update_service", "Bypass the log-in, if the service has its own.", sso="bypass", sso_reason="WHY"
        )
        seen = (f"the route answers {r.status}", f"log-in: {r.login.where}")
        yield Cause("access_rule", 0.5, "The log-in's rules refuse this address or user.", seen, fix)
