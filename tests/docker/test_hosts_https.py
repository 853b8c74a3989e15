"""Three real Docker hosts behind one Traefik: this machine, one over SSH, one over mutual TLS, each with a service.

Every service is asked by HTTPS through the core's Traefik, with its log-in, while one host is cut off as well. Real
here: three engines, SSH, TLS, Compose, Traefik, the certificate authority, every request. Stand-ins: the log-in (a
forward-auth that knows one session) and the services' programs.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from homelab_mcp.core.host_routes import FILE
from homelab_mcp.model.plan import PlanState
from homelab_mcp.queries.hosts import looked
from homelab_mcp.queries.lab_status import status_of
from homelab_mcp.workflow.change_hosts import added, make_tls, write_hosts
from homelab_mcp.workflow.proposals import propose_add_service
from testbed import Scratch
from testbed.definitions import definition, provide
from testbed.docker_engine import wait_until
from tests.docker.host_rig import OtherMachine
from tests.docker.lab import REQUESTER, SESSION, Answer, RealLab

pytestmark = [pytest.mark.timeout(580), pytest.mark.nightly]

WHERE = {"it-tools": "", "uptime-kuma": "shed", "freshrss": "attic"}
"""Service of the catalog by its host; "" is this machine."""

ASKED = 5


class ThreeHosts:
    """A lab with Traefik and log-in here, the host ``shed`` over SSH, and ``attic`` over mutual TLS."""

    def __init__(self, lab: RealLab, shed: OtherMachine, attic: OtherMachine) -> None:
        self.lab, self.shed, self.attic = lab, shed, attic

    def deploy(self, service: str) -> None:
        """By an approved plan, as a person asks for it."""
        lab, stack = self.lab, self.lab.stack(service)
        given = {"name": lab.named(service), "subdomain": service}
        plan = propose_add_service(lab.open(files_only=False), service, stack, given, REQUESTER, host=WHERE[service])
        done = lab.approve_and_apply(plan, files_only=False)
        assert done.state is PlanState.DONE, done
        assert any(f"https://{self.host(service)}" in e.what for e in done.evidence), done.evidence

    def host(self, service: str) -> str:
        return f"{service}.{self.lab.domain}"

    def page(self, service: str) -> Answer:
        """What a logged-in person gets."""
        return self.lab.https(self.host(service), cookie=SESSION, within=30)

    def slowest(self, service: str) -> float:
        """Seconds of the slowest of some page views, of which each first meets the log-in and then the service."""
        times = []
        for _ in range(ASKED):
            begun = time.monotonic()
            stranger = self.lab.https(self.host(service), within=30)
            assert stranger.status == 302, stranger
            assert stranger.headers["location"].startswith(f"https://auth.{self.lab.domain}/")
            known = self.page(service)
            times.append(time.monotonic() - begun)
            assert (known.status, known.body.splitlines()[0]) == (200, f"stand-in for {service}")
        return max(times)


@pytest.fixture
def three(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreeHosts]:
    with Scratch() as scratch, pytest.MonkeyPatch.context() as patch:
        provide([definition("traefik"), definition("authelia")])
        images = {name: [i.reference for i in provide([definition(name)])] for name in WHERE}
        lab = RealLab(tmp_path_factory.mktemp("lab"), scratch)
        for part in ("authelia", "traefik"):
            lab.write(part, "core")
        lab.start(but="")
        make_tls(lab.open(files_only=False), "attic", ("10.214.99.2",), 90, again=False)
        tls = lab.root / ".homelab" / "tls" / "attic" / "server"
        with OtherMachine(98) as shed, OtherMachine(99, tls=tls) as attic:
            patch.setenv("PATH", str(shed.sshd()), prepend=":")
            machines = {"shed": shed, "attic": attic}
            for service, host in WHERE.items():
                if host:
                    machines[host].load(*images[service])
            addresses = {"shed": f"ssh://root@{shed.address}", "attic": f"tcp://{attic.address}:2376"}
            for name, address in addresses.items():
                here = lab.open(files_only=False)
                private = machines[name].address
                write_hosts(here, added(here, name, address, "", "", 10.0, unreached=False, private=private))
            yield ThreeHosts(lab, shed, attic)


def test_each_is_live_by_https_behind_the_log_in_and_two_stay_as_quick_when_the_third_is_cut_off(
    three: ThreeHosts,
) -> None:
    lab = three.lab
    answering = {one["host"]: one["answers"] for one in looked(lab.open(files_only=False))["hosts"]}
    assert answering == {"local": True, "shed": True, "attic": True}
    for service in WHERE:
        three.deploy(service)
        lab.once_certified(three.host(service))
    assert lab.named("uptime-kuma") in three.shed.running()
    assert lab.named("freshrss") in three.attic.running()
    assert len(list(lab.root.rglob(FILE))) == 1
    whole = {f"Host(`{three.host(service)}`)": WHERE[service] for service in WHERE if WHERE[service]}
    routers = [r for r in lab.traefik("http/routers") if r["provider"] == "file" and r["rule"] in whole]
    assert {r["rule"]: r["name"].partition("-")[0] for r in routers} == whole
    assert all(r["middlewares"][-1] == lab.login and r["status"] == "enabled" for r in routers), routers

    usual = {service: three.slowest(service) for service in WHERE}

    three.attic.pull_the_cable()
    left = {service: host for service, host in WHERE.items() if host != "attic"}
    with ThreadPoolExecutor(4) as people:
        # Whoever asks for the lost page meanwhile holds up nobody else.
        lost = [people.submit(gone, three, "freshrss") for _ in range(3)]
        took = {service: three.slowest(service) for service in left}
        assert all(took[service] < usual[service] + 1.0 for service in left), (took, usual)
        status = status_of(lab.open(files_only=False), limit=200)
        assert list(status["silent_hosts"]) == ["attic"]
        assert [f.result() for f in lost] == [True] * 3
    again = {service: three.slowest(service) for service in left}
    assert all(again[service] < usual[service] + 1.0 for service in left), (again, usual)

    three.attic.put_the_cable_back()
    wait_until(lambda: not gone(three, "freshrss"), "the third host's page again", within=60)
    assert three.slowest("freshrss") < usual["freshrss"] + 1.0


def gone(three: ThreeHosts, service: str) -> bool:
    """Whether a logged-in person gets no page: Traefik's own error, or nothing at all."""
    try:
        return three.lab.https(three.host(service), cookie=SESSION, within=10).status >= 500
    except (TimeoutError, ConnectionError, ssl.SSLError):
        return True
