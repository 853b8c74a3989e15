"""Certificates renewed on a live route: a real Traefik, a real ACME CA, real Docker, and all of homelab-mcp.

Stand-ins: the log-in and the service behind the route (small web servers under the real images' names), and Traefik's
socket proxy (Debian's HAProxy). The CA gives certificates of twenty days, so that Traefik, which renews what has thirty
days left, renews them whenever it starts.
"""

from __future__ import annotations

import json
import socket
import ssl
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cryptography import x509

from homelab_mcp.core.operations.renew_certs import WINDOW, RenewCertsRequest, renew_certs
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.plan import Plan, PlanState
from homelab_mcp.queries.cert_facts import cert_facts
from homelab_mcp.queries.check_certs import check_certs
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of
from homelab_mcp.workflow.propose_certs import propose_renew_certs
from testbed import Scratch
from testbed.definitions import definition, provide
from testbed.docker_engine import docker, wait_until
from tests.docker.lab import REQUESTER, RealLab

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def lab(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealLab]:
    with Scratch() as scratch:
        provide(definition(name) for name in ("traefik", "authelia", "whoami"))
        made = RealLab(tmp_path_factory.mktemp("certs"), scratch, days=20)
        made.write("traefik", "core")
        made.write("authelia", "core")
        made.write("whoami", "apps", sso="bypass", sso_reason="A page for everybody.")
        made.start(but="")
        for name in ("whoami", "traefik", "auth"):
            made.once_certified(f"{name}.{made.domain}")
        yield made


def store_of(lab: RealLab) -> Path:
    return lab.root / lab.named("core") / lab.named("traefik") / "letsencrypt" / "acme.json"


def served(lab: RealLab, host: str) -> x509.Certificate:
    """The certificate shown for a host, once a Traefik that starts anew answers."""

    def shown() -> x509.Certificate | None:
        try:
            return shown_now(lab, host)
        except (ssl.SSLError, ConnectionError):  # not there yet, or still with the certificate of its own
            return None

    return wait_until(shown, f"{host} over TLS", within=WINDOW)


def shown_now(lab: RealLab, host: str) -> x509.Certificate:
    with (
        socket.create_connection(("127.0.0.1", lab.https_port), timeout=10) as plain,
        lab.trust.wrap_socket(plain, server_hostname=host) as secure,
    ):
        return x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")


@dataclass
class Seen:
    """What a browser met, ten times a second: (moment, "" or what went wrong)."""

    rows: list[tuple[float, str]] = field(default_factory=list)

    def story(self) -> str:
        """The same, told in runs: "0.0 s ok, 1.2 s ConnectionRefusedError, ..."."""
        begun, runs = self.rows[0][0], []
        for n, (moment, what) in enumerate(self.rows):
            if n == 0 or what != self.rows[n - 1][1]:
                runs.append(f"{moment - begun:.1f} s {what or 'ok'}")
        return ", ".join(runs)

    @property
    def window(self) -> float:
        """Seconds from the first request that failed to the first that did not any more; 0 where none failed."""
        bad = [n for n, (_, what) in enumerate(self.rows) if what]
        if not bad:
            return 0.0
        after = next((moment for moment, what in self.rows[bad[-1] :] if not what), self.rows[-1][0])
        return after - self.rows[bad[0]][0]

    @property
    def warned(self) -> float:
        """Seconds in which a browser would have warned of the certificate.

        By the clock, each until the next look: on a busy machine there are fewer than ten a second.
        """
        looks = zip(self.rows, self.rows[1:], strict=False)
        return sum(after - moment for (moment, what), (after, _) in looks if what == "certificate")


@contextmanager
def watched(lab: RealLab, host: str) -> Iterator[Seen]:
    """Ask the route at 10 Hz until the block ends."""
    seen, over = Seen(), threading.Event()

    def ask() -> None:
        while not over.wait(max(0.0, 0.1 - (time.monotonic() % 0.1))):
            begun = time.monotonic()
            try:
                status = lab.https(host).status
                what = "" if status == 200 else str(status)
            except ssl.SSLCertVerificationError:
                what = "certificate"
            except (OSError, ssl.SSLError, ValueError, IndexError) as error:
                what = type(error).__name__
            seen.rows.append((begun, what))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        time.sleep(0.5)
        yield seen
        time.sleep(0.5)
    finally:
        over.set()
        thread.join()


def due_plan(lab: RealLab, host: str) -> Plan:
    """The plan that is made when little of the twenty days is left: only that judgement's clock is put forward."""
    opened = lab.open(files_only=False)
    facts = replace(cert_facts(opened), now=time.time() + 19 * 86400)
    draft = renew_certs(facts, RenewCertsRequest(names=(host,)))
    return plan_of(opened, draft, planner(opened).snapshot(containers=True), REQUESTER)


def test_what_is_served_and_stored_is_told_without_a_key(lab: RealLab) -> None:
    told = check_certs(lab.open(files_only=False))
    assert told["verdict"] == "ok", told
    rows = {r["host"]: r for r in told["routes"]}
    assert set(rows) == {f"{n}.{lab.domain}" for n in ("whoami", "traefik", "auth")}
    for host, row in rows.items():
        assert (row["status"], row["trusted"]) == ("ok", True)
        assert row["serial"] == f"{served(lab, host).serial_number:x}"
        assert 19 < row["days_left"] <= 20
    # Traefik gets certificates for whatever else runs on this engine with its labels.
    stored = {s["domains"][0] for s in told["stored"]}
    assert {host for host in stored if host.endswith(lab.domain)} == set(rows)
    assert told["reasons"] == []
    keys = [c["key"] for c in json.loads(store_of(lab).read_text())["letsencrypt"]["Certificates"]]
    assert keys
    assert not any(key[:40] in json.dumps(told) for key in keys)


def test_nothing_is_due_so_nothing_is_planned_without_force(lab: RealLab) -> None:
    with pytest.raises(HomelabError) as told:
        propose_renew_certs(lab.open(files_only=False), [], REQUESTER)
    assert told.value.code == "nothing_due"
    with pytest.raises(HomelabError) as told:
        propose_renew_certs(lab.open(files_only=False), [f"whoami.{lab.domain}"], REQUESTER)
    assert told.value.code == "nothing_due"


def test_a_forced_renewal_is_served_and_touches_no_other_certificate(lab: RealLab) -> None:
    host = f"whoami.{lab.domain}"
    old, others = served(lab, host), {n: served(lab, f"{n}.{lab.domain}").serial_number for n in ("traefik", "auth")}
    mode = store_of(lab).stat()
    plan = propose_renew_certs(lab.open(files_only=False), [host], REQUESTER, force=True)
    assert plan.risk.word == "high"
    with watched(lab, host) as seen:
        done = lab.approve_and_apply(plan, files_only=False)
    assert done.state is PlanState.DONE, done
    new = served(lab, host)
    assert new.serial_number != old.serial_number
    assert new.not_valid_before_utc > old.not_valid_before_utc
    assert new.not_valid_after_utc > old.not_valid_after_utc
    assert any(f"{new.serial_number:x}" in e.what for e in done.evidence)
    print(f"forced: {seen.window:.1f} s, of them warned {seen.warned:.1f} s: {seen.story()}")
    # Here a new certificate takes the CA a moment; what Traefik itself takes is the rest.
    assert seen.window - seen.warned <= WINDOW, seen.story()
    now = store_of(lab).stat()
    assert (stat.S_IMODE(now.st_mode), now.st_uid, now.st_gid) == (0o600, mode.st_uid, mode.st_gid)
    # Traefik itself renews what it holds whenever it starts here; what matters is that all is served and trusted.
    assert all(served(lab, f"{n}.{lab.domain}") for n in others)


def test_a_due_certificate_is_renewed_with_the_old_one_served_meanwhile(lab: RealLab) -> None:
    host = f"whoami.{lab.domain}"
    old = served(lab, host)
    plan = due_plan(lab, host)
    assert plan.draft.drops == ()
    with watched(lab, host) as seen:
        done = lab.approve_and_apply(plan, files_only=False)
    assert done.state is PlanState.DONE, done
    assert served(lab, host).serial_number != old.serial_number
    print(f"due: {seen.window:.1f} s, of them warned {seen.warned:.1f} s: {seen.story()}")
    assert seen.window <= WINDOW, seen.story()


def test_a_ca_that_refuses_leaves_the_old_certificate_served(lab: RealLab) -> None:
    host = f"whoami.{lab.domain}"
    old, text = served(lab, host), store_of(lab).read_bytes()
    plan = propose_renew_certs(lab.open(files_only=False), [host], REQUESTER, force=True)
    due = due_plan(lab, host)
    docker("stop", "--time", "1", lab.ca.container.name)
    with watched(lab, host) as seen:
        done = lab.approve_and_apply(plan, files_only=False)
    assert done.state is PlanState.ROLLED_BACK, done
    assert any("ca unreachable" in e.what for e in done.evidence), done.evidence
    assert served(lab, host).serial_number == old.serial_number
    assert store_of(lab).read_bytes() == text
    assert stat.S_IMODE(store_of(lab).stat().st_mode) == 0o600
    print(f"refused: {seen.window:.1f} s, of them warned {seen.warned:.1f} s: {seen.story()}")
    # How long it takes to learn that the CA refuses is Traefik's; the restarts are bounded.
    assert seen.window - seen.warned <= 2 * WINDOW, seen.story()
    assert seen.warned <= 60, seen.story()
    told = check_certs(lab.open(files_only=False), [host])
    assert told["routes"][0]["status"] == "ok"
    assert told["errors"][0]["kind"] == "ca_unreachable"
    # The other plan was made on what is there again; it fails too, and costs no more than a restart.
    with watched(lab, host) as seen:
        done = lab.approve_and_apply(due, files_only=False)
    assert done.state is PlanState.ROLLED_BACK, done
    assert any("ca unreachable" in e.what for e in done.evidence), done.evidence
    print(f"refused, due: {seen.window:.1f} s, of them warned {seen.warned:.1f} s: {seen.story()}")
    assert seen.window <= WINDOW, seen.story()
    assert served(lab, host).serial_number == old.serial_number
