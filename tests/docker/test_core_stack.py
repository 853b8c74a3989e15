"""The core stack set up by one plan, behind a real Traefik with a wildcard certificate that a real CA gave by DNS-01.

Real here: Docker, Compose, Traefik, the ACME CA and the DNS server it judges by, every certificate and request, and all
of homelab-mcp. Stand-ins: the log-in, Sablier, Dockge, Homepage (small web servers under the real images' names), and
Traefik's socket proxy (Debian's HAProxy with rules as the real one has them).
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from cryptography import x509

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Plan, PlanState, PlanStatus, RouteCheck
from homelab_mcp.workflow.proposals import propose_rollback
from homelab_mcp.workflow.propose_setup import propose_core, propose_settings
from homelab_mcp.workflow.propose_vpn import propose_vpn
from testbed import Scratch, TestbedError
from testbed.acme import ChallengeDns, challenge_dns
from testbed.definitions import definition, provide
from testbed.docker_engine import docker, wait_until
from tests.docker.lab import REQUESTER, SESSION, RealLab, tunnel_device

pytestmark = pytest.mark.timeout(240)

PARTS = ("traefik", "authelia", "sablier", "dockge", "homepage")
ALWAYS = "Traefik can reject some encoded characters"
"""A warning that Traefik 3.7 gives at every start, whatever it is told (cmd/traefik/traefik.go)."""

FIRST = ["security-headers@file", "rate-limit@file"]


class CoreLab:
    """The lab after the one plan."""

    def __init__(self, lab: RealLab, dns: ChallengeDns) -> None:
        self.lab, self.dns = lab, dns
        self.before = lab.files()
        self.plan: Plan = self.propose()
        self.done: PlanStatus = lab.approve_and_apply(self.plan, files_only=False)

    def propose(self) -> Plan:
        """The core's plan, with names that no other lab on this engine has."""
        lab = self.lab
        return propose_core(
            lab.open(files_only=False),
            (),
            REQUESTER,
            given={"HTTPREQ_ENDPOINT": self.dns.endpoint},
            names={part: lab.named(part) for part in PARTS},
            stacks={part: lab.stack(definition(part).stack) for part in PARTS},
        )


@pytest.fixture(scope="module")
def core(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreLab]:
    with Scratch() as scratch:
        provide(definition(part) for part in PARTS)
        routes = scratch.network("routes")
        with challenge_dns(scratch, routes) as dns:
            yield CoreLab(RealLab(tmp_path_factory.mktemp("core"), scratch, dns=dns, routes=routes), dns)


def test_one_plan_sets_all_of_it_up_in_order_healthy_and_with_live_routes(core: CoreLab) -> None:
    named = core.lab.named
    assert core.plan.draft.summary == f"Set up the core: {', '.join(named(p) for p in PARTS)}"
    ups = [a.services[0] for a in core.plan.draft.actions if a.kind == "up"]
    assert ups == [named(p) for p in PARTS]
    assert core.done.state is PlanState.DONE, core.done
    said = " ".join(e.what for e in core.done.evidence)
    for name in (*PARTS, "traefik"):
        assert f"{named(name)} is healthy" in said
    for host in ("traefik", "auth", "dockge", "homepage"):
        assert f"https://{host}.{core.lab.domain}" in said
    assert f"{named('traefik')}-socket is healthy" in said
    asked = {r for v in core.plan.draft.verifications for r in v.routes}
    assert RouteCheck(named("authelia"), f"auth.{core.lab.domain}", sso=False) in asked
    assert RouteCheck(named("traefik"), f"traefik.{core.lab.domain}", sso=True) in asked


def test_one_wildcard_certificate_serves_every_route(core: CoreLab) -> None:
    lab = core.lab
    lab.once_certified(f"auth.{lab.domain}")
    found = {name: served(lab, f"{name}.{lab.domain}") for name in ("auth", "traefik", "dockge", "whatever")}
    assert len({c.serial_number for c in found.values()}) == 1
    names = found["auth"].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {lab.domain, f"*.{lab.domain}"}
    # Traefik asks for whatever else runs on this engine with its labels.
    assert {name for name in core.dns.asked if lab.domain in name} == {f"_acme-challenge.{lab.domain}."}
    store = lab.root / lab.named("core") / lab.named("traefik") / "letsencrypt" / "acme.json"
    # Two routers that load in the same moment may both order it: Traefik takes a domain off its list of running orders
    # just before the certificate is in its store.
    domains = [c["domain"] for c in json.loads(store.read_text())["letsencrypt"]["Certificates"]]
    kept = [domain for domain in domains if lab.domain in domain["main"]]
    assert kept == [{"main": lab.domain, "sans": [f"*.{lab.domain}"]}] * len(kept)
    assert 1 <= len(kept) <= 2
    assert store.stat().st_mode & 0o777 == 0o600


def served(lab: RealLab, host: str) -> x509.Certificate:
    """The certificate that Traefik shows for a name."""
    with (
        socket.create_connection(("127.0.0.1", lab.https_port), timeout=10) as plain,
        lab.trust.wrap_socket(plain, server_hostname=host) as secure,
    ):
        return x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")


def test_each_router_has_the_right_chain_as_traefik_itself_says(core: CoreLab) -> None:
    lab = core.lab
    routers = {r["name"]: r for r in lab.traefik("http/routers") if lab.run in r["name"]}
    for part in ("traefik", "dockge", "homepage"):
        assert routers[f"{lab.named(part)}@docker"]["middlewares"] == [*FIRST, lab.login]
    assert routers[f"{lab.named('authelia')}@docker"]["middlewares"] == FIRST
    for router in routers.values():
        assert router["status"] == "enabled"
        assert router["tls"]["certResolver"] == "letsencrypt"
        assert router["tls"]["domains"] == [{"main": lab.domain, "sans": [f"*.{lab.domain}"]}]
    limits = [m["rateLimit"] for m in lab.traefik("http/middlewares") if m["name"] == "rate-limit@file"]
    assert limits == [{"average": 100, "period": "1s", "burst": 300}]


def test_a_stranger_meets_the_log_in_and_a_known_person_the_service_with_the_headers(core: CoreLab) -> None:
    lab = core.lab
    assert lab.https(f"homepage.{lab.domain}").status == 302
    known = lab.https(f"homepage.{lab.domain}", cookie=SESSION)
    assert known.status == 200
    assert known.headers["strict-transport-security"].startswith("max-age=")
    assert known.headers["x-content-type-options"] == "nosniff"
    assert known.headers["x-frame-options"] == "SAMEORIGIN"
    assert "server" not in known.headers


def test_traefik_reads_docker_through_its_proxy_alone_and_can_change_nothing(core: CoreLab) -> None:
    lab = core.lab
    traefik, proxy = lab.inspect(lab.named("traefik")), lab.inspect(f"{lab.named('traefik')}-socket")
    assert not [m for m in traefik["Mounts"] if "docker.sock" in m["Source"]]
    private = f"{lab.named('core')}_{lab.named('traefik')}-private"
    assert set(proxy["NetworkSettings"]["Networks"]) == {private}
    assert docker("network", "inspect", "--format", "{{.Internal}}", private).strip() == "true"
    ask = ("docker", "exec", lab.named("traefik"), "/bin/busybox", "wget", "-q", "-O", "-")
    address = f"http://{lab.named('traefik')}-socket:2375"
    assert "ApiVersion" in docker(*ask[1:], f"{address}/version")
    for path in (f"containers/{lab.named('traefik')}/export", "images/json", "secrets"):
        with pytest.raises(TestbedError, match="403"):
            docker(*ask[1:], f"{address}/{path}")
    with pytest.raises(TestbedError, match="403"):
        docker(*ask[1:], "--post-data", "", f"{address}/containers/{lab.named('dockge')}/stop")


def test_metrics_are_there_for_the_lab_and_not_for_the_world(core: CoreLab) -> None:
    traefik = core.lab.named("traefik")
    said = docker("exec", traefik, "/bin/busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:8080/metrics")
    assert "traefik_router_requests_total" in said
    ports = core.lab.inspect(traefik)["NetworkSettings"]["Ports"]
    assert [p for p, host in ports.items() if host] == ["443/tcp", "80/tcp"]


def test_traefik_has_nothing_to_complain_of(core: CoreLab) -> None:
    lines = [json.loads(line) for line in docker("logs", core.lab.named("traefik")).splitlines() if line[:1] == "{"]
    # The engine is shared: what Traefik says of a container of another lab is not this lab's to mend.
    named = ("container", "routerName", "serviceName")
    ours = [e for e in lines if all(core.lab.run in str(e[key]) for key in named if key in e)]
    bad = [e for e in ours if e.get("level") in {"warn", "error", "fatal"}]
    # Until the log-in's container is healthy its middleware is not there, and no protected route is served.
    waiting = f'middleware "{core.lab.login}" does not exist'
    assert [e for e in bad if not str(e.get("message", "")).startswith(ALWAYS) and e.get("error") != waiting] == []
    assert any("RequestPath" in entry or "request_Path" in str(entry) for entry in lines), "the access log is there too"


def test_a_service_behind_the_vpn_gateway_is_live_by_the_gateways_labels_with_the_same_chain(core: CoreLab) -> None:
    """The gateway is a stand-in: it lends its network and opens no tunnel."""
    lab, (gateway, client) = core.lab, (core.lab.named(n) for n in ("gluetun", "qbittorrent"))
    provide(definition(part) for part in ("gluetun", "qbittorrent"))
    before = lab.files()
    with tunnel_device():
        done: list[Plan] = []

        def applied(plan: Plan) -> None:
            status = lab.approve_and_apply(plan, files_only=False)
            assert status.state is PlanState.DONE, status
            done.append(plan)

        applied(lab.plan("gluetun", "vpn", files_only=False, variables={"VPN_SERVICE_PROVIDER": "mullvad"}))
        applied(lab.plan("qbittorrent", "vpn", files_only=False, vpn=False))
        applied(propose_vpn(lab.open(files_only=False), REQUESTER, service=client, state="on"))
        assert lab.inspect(client)["HostConfig"]["NetworkMode"] == f"container:{lab.inspect(gateway)['Id']}"
        host = f"qbittorrent.{lab.domain}"
        wait_until(lambda: lab.https(host).status == 302 or None, "the route through the gateway", within=60)
        known = lab.https(host, cookie=SESSION)
        assert (known.status, known.body.splitlines()[0]) == (200, "stand-in for qbittorrent")
        (router,) = (r for r in lab.traefik("http/routers") if client in r["name"])
        assert router["middlewares"] == [*FIRST, lab.login]
        labels = lab.inspect(gateway)["Config"]["Labels"]
        assert any(client in label and label.startswith("traefik.http.routers.") for label in labels)
        for plan in reversed(done.copy()):
            applied(propose_rollback(lab.open(files_only=False), plan.id, REQUESTER))
    assert lab.files() == before


def test_a_second_time_there_is_nothing_to_do_and_settings_are_changed_by_a_plan_of_their_own(core: CoreLab) -> None:
    lab = core.lab
    with pytest.raises(InvalidInput) as told:
        core.propose()
    assert told.value.code == "nothing_to_do"
    plan = propose_settings(
        lab.open(files_only=False), {"traefik.access_log": "file", "traefik.rate_limit": 50}, REQUESTER
    )
    done = lab.approve_and_apply(plan, files_only=False)
    assert done.state is PlanState.DONE, done
    assert "routes that served before serve" in " ".join(e.what for e in done.evidence), done
    assert lab.https(f"homepage.{lab.domain}").status == 302, (
        "Traefik was made anew, and the plan waited for its routes"
    )
    folder = lab.root / lab.named("core") / lab.named("traefik")

    def limited() -> bool | None:
        # Made anew, it has no route until it has read every container of the engine.
        if lab.https(f"traefik.{lab.domain}", "/api/http/middlewares", cookie=SESSION).status == 404:
            return None
        found = [m["rateLimit"] for m in lab.traefik("http/middlewares") if m["name"] == "rate-limit@file"]
        return found[0]["average"] == 50 or None

    wait_until(limited, "Traefik to read its file anew", within=60)
    # What Traefik itself answers, its own API, is not in the access log.
    lab.https(f"auth.{lab.domain}")
    wait_until(lambda: (folder / "logs" / "access.log").stat().st_size > 0 or None, "a line in the access log")
    # As if it had grown past its limit: the next health check puts it aside, and Traefik writes a new one.
    with (folder / "logs" / "access.log").open("r+b") as log:
        log.truncate(11 * 1024 * 1024)
    wait_until(lambda: (folder / "logs" / "access.log.1").exists() or None, "the log to be put aside", within=30)
    lab.https(f"auth.{lab.domain}")
    wait_until(lambda: 0 < (folder / "logs" / "access.log").stat().st_size < 2**20 or None, "a new log", within=15)

    undone = lab.approve_and_apply(propose_rollback(lab.open(files_only=False), plan.id, REQUESTER), files_only=False)
    assert undone.state is PlanState.DONE, undone


def test_rolled_back_the_lab_is_as_it_was_before(core: CoreLab) -> None:
    lab = core.lab
    undone = lab.approve_and_apply(
        propose_rollback(lab.open(files_only=False), core.plan.id, REQUESTER), files_only=False
    )
    assert undone.state is PlanState.DONE, undone
    left = {path: state for path, state in lab.files().items() if "/logs/" not in path}
    assert left == core.before
    here = docker("ps", "-a", "--format", "{{.Names}}").split()
    assert not {lab.named(p) for p in PARTS} & set(here)
