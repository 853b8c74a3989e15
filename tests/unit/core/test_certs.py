"""Certificates: Traefik's store, its log, the CA's limits, what is due, and why something is wrong."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from homelab_mcp.core.certs.diagnosis import diagnose_certs
from homelab_mcp.core.certs.due import due, renew_days, renewed_at_start
from homelab_mcp.core.certs.limits import HOUR, in_the_way, limits
from homelab_mcp.core.certs.report import DEFAULT_CERTIFICATE, expiring, report, status_of
from homelab_mcp.core.certs.resolver_log import kind_of, resolver_errors
from homelab_mcp.core.certs.store import put_back, read_store, without
from homelab_mcp.core.certs.traefik import traefik_of
from homelab_mcp.core.checks import LintStack
from homelab_mcp.core.operations.renew_certs import RenewCertsRequest, renew_certs
from homelab_mcp.model.certificate import CertFacts, Resolver, ResolverError, Served, Stored
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.plan import ActionKind, Risk
from tests.unit.core.certs_made import KEY_CANARY, NOW, certificate, entry, store

PATH = "core/traefik/letsencrypt/acme.json"
A, B = entry(("a.lab.test",), 0xA1), entry(("lab.test", "*.lab.test"), 0xB2)


def test_a_store_is_read_without_its_keys() -> None:
    one, two = read_store(PATH, store(A, B))
    assert (one.resolver, one.domains, one.certificate and one.certificate.serial) == (
        "letsencrypt",
        ("a.lab.test",),
        "a1",
    )
    assert two.domains == ("lab.test", "*.lab.test")
    assert two.certificate is not None
    assert two.certificate.covers("x.lab.test")
    assert not two.certificate.covers("x.y.lab.test")
    assert two.certificate.not_after == NOW + 90 * 86400
    assert KEY_CANARY not in repr((one, two))
    assert read_store(PATH, "") == ()
    assert read_store(PATH, '{"letsencrypt": {"Account": null, "Certificates": null}}') == ()
    assert read_store(PATH, store({"domain": {"main": "x"}, "certificate": "!!"}))[0].certificate is None


@pytest.mark.parametrize("text", ["[]", "{", "no", '{"a": ' * 40])
def test_what_is_no_store_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(InvalidInput) as told:
        read_store(PATH, text + KEY_CANARY)
    assert told.value.code == "store_unreadable"
    assert KEY_CANARY not in told.value.as_text()


def test_only_the_named_certificate_leaves_and_comes_back_byte_for_byte() -> None:
    before = store(A, B)
    dropped = without(PATH, before, ["a1"])
    assert [s.main for s in read_store(PATH, dropped)] == ["lab.test"]
    kept, was = (json.loads(t)["letsencrypt"] for t in (dropped, before))
    assert kept["Account"] == was["Account"]
    assert kept["Certificates"] == was["Certificates"][1:]
    assert put_back(PATH, dropped, before, ["a1"]) == before
    assert put_back(PATH, "", before, ["a1"]) == before
    assert put_back(PATH, dropped[:100], before, ["a1"]) == before
    with pytest.raises(InvalidInput) as told:
        without(PATH, dropped, ["a1"])
    assert told.value.code == "certificate_gone"


def test_what_traefik_got_meanwhile_is_kept_when_the_rest_is_put_back() -> None:
    before, other = store(A, B), entry(("new.lab.test",), 0xC3)
    # B has a successor; A has none; a third was got for somebody else.
    now = store(entry(("lab.test", "*.lab.test"), 0xD4), other)
    back = read_store(PATH, put_back(PATH, now, before, ["a1", "b2"]))
    assert {s.certificate.serial for s in back if s.certificate} == {"a1", "c3", "d4"}
    whole = store(entry(("a.lab.test",), 0xE5), entry(("lab.test", "*.lab.test"), 0xD4))
    assert put_back(PATH, whole, before, ["a1", "b2"]) == whole
    assert put_back(PATH, before, before, ["a1"]) == before


@pytest.mark.parametrize(("life", "window"), [(365, 120), (90, 30), (89.9, 30), (47, 10), (6.7, 2), (2, 0.25)])
def test_a_certificate_is_due_when_traefik_would_renew_it(life: float, window: float) -> None:
    one = certificate("a", days=life)
    assert renew_days(one) == window
    assert not due(one, one.not_after - window * 86400 - 60)
    assert due(one, one.not_after - window * 86400)
    assert not renewed_at_start(one, one.not_after - window * 86400)
    assert renewed_at_start(one, one.not_after - window * 0.8 * 86400)
    assert renewed_at_start(one, one.not_after + 60)


LOG = {
    "rate_limited": "acme: error: 429 :: POST :: https://ca/new-order :: urn:ietf:params:acme:error:rateLimited :: too "
    "many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s",
    "caa": "acme: error: 403 :: urn:ietf:params:acme:error:caa :: CAA record for lab.test prevents issuance",
    "token": "error: one or more domains had a problem: [*.lab.test] acme: error presenting token: request to change "
    "TXT record for DuckDNS returned the following result (KO) this does not match expectation (OK)",
    "propagation": "[*.lab.test] propagation: time limit exceeded: last error: NS ns1.example.: no TXT record found",
    "port": "acme: error: 400 :: urn:ietf:params:acme:error:connection :: 203.0.113.7: Timeout during connect (likely "
    "firewall problem)",
    "ca_unreachable": 'cannot get ACME client get directory at "https://ca/dir": dial tcp: lookup ca: no such host',
    "rejected": "acme: error: 400 :: urn:ietf:params:acme:error:rejectedIdentifier :: policy forbids issuing",
    "store": "unable to get ACME account: permissions 644 for /letsencrypt/acme.json are too open, please use 600",
    "clock": "x509: certificate has expired or is not yet valid: current time 2020-01-01T00:00:00Z is before 2026",
    "other": "something nobody has seen yet",
}


@pytest.mark.parametrize(("kind", "text"), LOG.items())
def test_failures_are_told_apart_in_json_and_console_logs(kind: str, text: str) -> None:
    assert kind_of(text) == kind
    line = json.dumps(
        {
            "level": "error",
            "providerName": "letsencrypt.acme",
            "domains": ["lab.test", "*.lab.test"],
            "error": text,
            "message": "Unable to obtain ACME certificate for domains",
        }
    )
    (found,) = resolver_errors([("2026-11-28T16:00:00.123456789Z", "stdout", line)])
    assert (found.kind, found.resolver, found.domains) == (kind, "letsencrypt", ("lab.test", "*.lab.test"))
    assert found.when == pytest.approx(1795881600.123456)
    console = f"2026-11-28T16:00:00Z ERR Unable to obtain ACME certificate for domains error={text!r}"
    (found,) = resolver_errors([("2026-11-28T16:00:00Z", "stdout", console)])
    assert found.kind == kind


def test_the_coloured_log_of_a_console_is_read_too() -> None:
    """Lines as Traefik 3.7.15 wrote them, with a CA that nothing answers for."""
    when, cyan, off = "\x1b[90m2026-11-28T16:36:37Z\x1b[0m", "\x1b[36m", "\x1b[0m"
    refused = "get directory at 'https://127.0.0.1:1/dir': dial tcp 127.0.0.1:1: connect: connection refused"
    tail = f'{cyan}error={off}\x1b[31m\x1b[1m"{refused}"{off}{off} {cyan}providerName={off}le.acme'
    main, given = "{Main:a.lab.test SANs:[*.lab.test]}", f'{cyan}domains={off}["b.test"]'
    lines = (
        f"{when} \x1b[32mINF{off} \x1b[1mError renewing ACME certificate: {main}{off} {tail}",
        f"{when} \x1b[31mERR{off} \x1b[1mUnable to obtain ACME certificate for domains{off} {tail} {given}",
        f"{when} \x1b[32mINF{off} \x1b[1mTesting certificate renew...{off} {tail}",
    )
    found = resolver_errors([("2026-11-28T16:36:37Z", "stdout", line) for line in lines])
    assert [(e.kind, e.resolver, e.domains) for e in found] == [
        ("ca_unreachable", "le", ("a.lab.test", "*.lab.test")),
        ("ca_unreachable", "le", ("b.test",)),
    ]


def test_other_lines_of_the_log_are_none() -> None:
    lines = ['{"level":"error","message":"middleware x does not exist"}', '{"level":"info","message":"ACME"}', "{", ""]
    lines += ['{"status":500,"RequestPath":"/acme: error"}', "2026 ERR Router uses a non-existent entrypoint"]
    assert resolver_errors([("2026-11-28T16:00:00Z", "stdout", line) for line in lines]) == ()
    down = '{"level":"info","message":"Error renewing ACME certificate: {Main:a.lab.test SANs:[]}","error":"cannot get '
    down += 'ACME client get directory at x"}'
    assert [(e.kind, e.domains) for e in resolver_errors([("", "stdout", down)])] == [
        ("ca_unreachable", ("a.lab.test",))
    ]
    renewing = '{"level":"error","message":"Error renewing ACME certificate: {lab.test [*.lab.test]}","error":"x"}'
    assert resolver_errors([("", "stdout", renewing)])[0].domains == ("lab.test", "*.lab.test")


STORED = Stored(PATH, "letsencrypt", "a.lab.test", (), certificate("a.lab.test", serial="a1", begun=NOW - 10 * 86400))
FACTS = CertFacts(
    now=NOW,
    domain="lab.test",
    hosts={"a.lab.test": "media/app"},
    served={"a.lab.test": Served("a.lab.test", STORED.certificate, verified=True)},
    stored=(STORED,),
    resolvers=(Resolver("letsencrypt", PATH, "tls"),),
    traefik="core/traefik",
)


def failed(when: float, kind: str = "port") -> ResolverError:
    return ResolverError(when, "letsencrypt", ("a.lab.test",), kind, LOG[kind])


def test_limits_count_what_the_store_the_journal_and_the_log_tell() -> None:
    fresh = replace(STORED, certificate=certificate("a.lab.test", begun=NOW - HOUR))
    facts = replace(
        FACTS,
        stored=(fresh, STORED),
        renewals=tuple((NOW - n * 24 * HOUR, "a.lab.test") for n in (1, 2, 3, 4, 8)),
        errors=tuple(failed(NOW - n * 600) for n in range(1, 8)),
    )
    found = {one.name: one for one in limits(facts)}
    assert found["certificates a week"].used == 1
    same = found["certificates for the same names a week"]
    assert (same.used, same.full, same.free_at) == (5, True, NOW - HOUR + 7 * 24 * HOUR / 5)
    hour = found["failed validations an hour"]
    assert (hour.used, hour.full, hour.free_at) == (5, True, NOW - 600 + 720)
    assert {one.name for one in in_the_way(facts, [fresh])} == {same.name, hour.name}
    assert in_the_way(facts, [replace(fresh, main="b.lab.test")]) == []
    private = replace(facts, resolvers=(Resolver("letsencrypt", PATH, "tls", server="https://own/dir"),))
    assert limits(private) == []


def seen(status: str) -> Served:
    host = "a.lab.test"
    made = {
        "ok": Served(host, certificate(host), verified=True),
        "soon": Served(host, certificate(host, begun=NOW - 80 * 86400), verified=True),
        "expired": Served(host, certificate(host, begun=NOW - 91 * 86400), problem="certificate has expired"),
        "not_yet_valid": Served(host, certificate(host, begun=NOW + 86400), problem="not yet valid"),
        "default": Served(host, certificate(DEFAULT_CERTIFICATE), problem="self-signed certificate"),
        "wrong_name": Served(host, certificate("b.lab.test"), problem="Hostname mismatch"),
        "untrusted": Served(host, certificate(host, issuer="CN=(STAGING) Fake"), problem="unable to get issuer"),
        "no_answer": Served(host, problem="nothing listens"),
    }
    return made[status]


REASON = {
    "soon": "expired",
    "expired": "expired",
    "not_yet_valid": "clock",
    "default": "none_yet",
    "wrong_name": "not_covered",
    "untrusted": "staging",
    "no_answer": "no_answer",
}


@pytest.mark.parametrize("status", REASON)
def test_each_state_of_a_route_has_its_reason(status: str) -> None:
    served = seen(status)
    facts = replace(FACTS, served={"a.lab.test": served}, stored=())
    assert status_of(served, NOW) == status
    told = report(facts)
    assert told["routes"][0]["status"] == status
    assert told["verdict"] == {"soon": "soon", "no_answer": "unseen"}.get(status, "bad")
    assert diagnose_certs(facts)[0].kind == REASON[status]
    assert diagnose_certs(replace(FACTS, served={"a.lab.test": seen("ok")})) == []


@pytest.mark.parametrize("kind", LOG)
def test_what_the_log_says_is_the_first_reason_when_a_route_is_bad(kind: str) -> None:
    facts = replace(FACTS, served={"a.lab.test": seen("default")}, stored=(), errors=(failed(NOW - 60, kind),))
    first = diagnose_certs(facts, "a.lab.test")[0]
    assert first.kind == kind
    assert first.fix
    assert "STACK" not in first.fix
    # An old failure that a later certificate made good is none.
    mended = replace(FACTS, served={"a.lab.test": seen("ok")}, errors=(failed(NOW - 30 * 86400, kind),))
    assert diagnose_certs(mended) == []


def test_traefik_itself_comes_before_all_else() -> None:
    down = replace(FACTS, running=False, served={"a.lab.test": seen("no_answer")})
    assert diagnose_certs(down)[0].kind == "traefik_down"
    assert diagnose_certs(replace(FACTS, traefik=""))[0].kind == "no_traefik"
    assert diagnose_certs(replace(FACTS, clock_off=-4000.0))[0].kind == "clock"
    stale = replace(FACTS, served={"a.lab.test": Served("a.lab.test", certificate("a.lab.test", serial="0"), True)})
    assert diagnose_certs(replace(stale, served={"a.lab.test": seen("expired")}))[0].kind == "not_loaded"


def test_a_caa_record_is_a_reason_only_where_it_forbids_this_authority() -> None:
    bad = replace(FACTS, served={"a.lab.test": seen("default")}, stored=(), resolvers=(Resolver("le", "", "http"),))

    def kinds(*records: str, server: str = "", challenge: str = "http") -> list[str]:
        resolvers = (Resolver("le", "", challenge, "", server),)
        facts = replace(bad, caa={"a.lab.test": records}, resolvers=resolvers)
        return [r.kind for r in diagnose_certs(facts)]

    assert kinds("issue sectigo.com")[0] == "caa"
    assert kinds("issue")[0] == "caa", "a lone semicolon lets nobody issue"
    assert "caa" not in kinds()
    assert "caa" not in kinds("issue sectigo.com", "issue letsencrypt.org")
    assert "caa" not in kinds("issue sectigo.com", server="https://ca.lab.test/directory"), "a private CA heeds none"
    assert "caa" not in kinds("issue sectigo.com", server="https://acme.zerossl.com/v2/DV90")
    assert "caa" not in kinds("issuewild sectigo.com")
    assert kinds("issue letsencrypt.org", "issuewild sectigo.com", challenge="dns")[0] == "caa"
    told = report(replace(bad, caa={"a.lab.test": ("issue sectigo.com",)}, clock_off=-300.0))
    assert told["caa"] == {"a.lab.test": ["issue sectigo.com"]}
    assert told["clock_off_seconds"] == -300


def test_a_name_that_dns_does_not_know_is_a_reason_where_the_ca_asks_by_it() -> None:
    facts = replace(FACTS, served={"a.lab.test": seen("default")}, stored=(), resolved={"a.lab.test": ()})
    assert diagnose_certs(facts)[0].kind == "no_dns"
    assert report(facts)["routes"][0]["dns"] == []
    by_record = replace(facts, resolvers=(Resolver("letsencrypt", PATH, "dns", "duckdns"),))
    assert diagnose_certs(by_record)[0].kind == "none_yet"
    assert "no_dns" not in {r.kind for r in diagnose_certs(replace(facts, resolved={"a.lab.test": None}))}


def test_expiring_tells_each_certificate_once() -> None:
    facts = replace(FACTS, now=NOW + 70 * 86400)
    assert expiring(facts, 14) == ["a.lab.test: 10.0 days left"]
    assert expiring(facts, 10) == []


def renew(facts: CertFacts, *names: str, force: bool = False) -> object:
    try:
        return renew_certs(facts, RenewCertsRequest(names=names, force=force))
    except HomelabError as error:
        return error.code


def test_nothing_is_renewed_that_is_not_due_unless_forced() -> None:
    assert renew(FACTS) == "nothing_due"
    assert renew(FACTS, "a.lab.test") == "nothing_due"
    assert renew(FACTS, "b.lab.test") == "certificate_unknown"
    assert renew(FACTS, force=True) == "names_missing"
    assert renew(replace(FACTS, stored=(), unread=("x cannot be read",)), "a.lab.test") == "store_out_of_reach"
    assert renew(replace(FACTS, traefik="")) == "no_traefik"
    draft = renew_certs(FACTS, RenewCertsRequest(names=("A.lab.test.",), force=True))
    assert [(d.store, d.stack, d.service, d.serial) for d in draft.drops] == [(PATH, "core", "traefik", "a1")]
    assert max(r.risk for r in draft.risks) is Risk.HIGH
    assert [a.kind for a in draft.actions] == [ActionKind.RESTART]
    (check,) = draft.verification.certificates
    assert (check.host, check.serial, check.since) == ("a.lab.test", "a1", NOW - 10 * 86400)
    assert any("Restart window" in note for note in draft.notes)


def test_a_due_one_stays_in_the_store_so_that_it_is_served_meanwhile() -> None:
    late = replace(FACTS, now=NOW + 60 * 86400)
    draft = renew_certs(late, RenewCertsRequest())
    assert (draft.drops, draft.verification.certificates[0].serial) == ((), "a1")
    assert renew_certs(late, RenewCertsRequest(names=("a.lab.test",), force=True)).drops


def test_a_full_limit_refuses_and_force_says_so_in_the_risk() -> None:
    late = replace(FACTS, now=NOW + 60 * 86400)
    full = replace(late, errors=tuple(failed(late.now - n * 60) for n in range(5)))
    assert renew(full) == "rate_limited"
    draft = renew_certs(full, RenewCertsRequest(names=("a.lab.test",), force=True))
    assert any("may refuse" in r.reason for r in draft.risks)


def test_resolvers_and_their_stores_are_found_in_flags_and_in_traefiks_own_file() -> None:
    flags = """services:
  proxy:
    image: traefik:v3.7
    command:
      - --certificatesresolvers.le.acme.storage=/letsencrypt/acme.json
      - --certificatesResolvers.le.acme.dnschallenge.provider=duckdns
      - --certificatesresolvers.le.acme.caserver=https://ca/dir
      - --entrypoints.websecure.address=:443
    volumes: ['./proxy/letsencrypt:/letsencrypt']
"""
    found = traefik_of([LintStack("core", "core/compose.yaml", flags, {})])
    assert (found.stack, found.service) == ("core", "proxy")
    assert found.resolvers == (Resolver("le", "core/proxy/letsencrypt/acme.json", "dns", "duckdns", "https://ca/dir"),)
    static = "certificatesResolvers: {le: {acme: {storage: /data/acme.json, tlsChallenge: {}}}}\n"
    own = """services:
  traefik:
    image: traefik:v3.7
    volumes: ['./traefik.yml:/etc/traefik/traefik.yml:ro', './data:/data']
"""
    read = {"core/traefik.yml": static}.get
    found = traefik_of([LintStack("core", "core/compose.yaml", own, {}, exists=lambda p: True, read=read)])
    assert found.resolvers == (Resolver("le", "core/data/acme.json", "tls"),)
    named = own.replace("./data:/data", "certs:/data") + "volumes: {certs: {}}\n"
    found = traefik_of([LintStack("core", "core/compose.yaml", named, {}, exists=lambda p: True, read=read)])
    assert found.resolvers[0].store == ""
    assert traefik_of([]).where == ""


def test_hosts_are_those_of_labels_and_of_traefiks_dynamic_files() -> None:
    compose = """services:
  traefik:
    image: traefik:v3.7
    command: ['--providers.file.directory=/dynamic', '--providers.docker=true']
    volumes: ['./dynamic:/dynamic']
  app:
    image: app:1
    labels:
      - traefik.http.routers.a.rule=Host(`x.${DOMAIN}`) || Host(`Y.${DOMAIN}`)
      - traefik.http.routers.b.rule=Host(`z.${NOBODY_KNOWS}`)
"""
    outside = "http: {routers: {nas: {rule: 'Host(`nas.lab.test`)', service: nas}}}\n"
    stack = LintStack(
        "core",
        "core/compose.yaml",
        compose,
        {"DOMAIN": "lab.test"},
        exists=lambda path: True,
        read={"core/dynamic/nas.yml": outside}.get,
        names=lambda path: ["nas.yml"] if path == "core/dynamic" else None,
    )
    assert traefik_of([stack]).hosts == {
        "x.lab.test": "core/app",
        "y.lab.test": "core/app",
        "nas.lab.test": "core/dynamic/nas.yml",
    }
