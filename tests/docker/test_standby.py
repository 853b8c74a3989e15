"""The lab's own machine loses its power, and a standby of its core on another serves the same addresses.

Real here: both engines, mutual TLS between them, Traefik, the certificate, SQLite, every plan and request. Stand-ins:
the log-in and the page (small web servers). The other machine sees nothing of the lab's folder: what it has was sent.
"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from homelab_mcp.adapters.tls_issue import authority, general, issue, key_pem, pem
from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core.drill_report import report
from homelab_mcp.core.host_routes import FILE, file_text, host_routes
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Plan, PlanState, PlanStatus, Risk
from homelab_mcp.queries.drill import Watch, predicted
from homelab_mcp.queries.find import read_stacks
from homelab_mcp.queries.survival import survives
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.change_hosts import added, make_tls, write_hosts
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.plan_view import view as plan_view
from homelab_mcp.workflow.propose_standby import propose_standby
from testbed import stand_in
from testbed.docker_engine import wait_until
from testbed.images import ensure_traefik
from tests.docker.host_rig import OtherMachine
from tests.docker.lab import PIN, REQUESTER, SESSION, WATCHED

pytestmark = [pytest.mark.timeout(500), pytest.mark.nightly]

PAGE, LOGIN = "homelab-testbed/standby-page:1", "homelab-testbed/standby-login:1"
FLOATING, BRIDGE = "10.219.0.1", "10.218.1.0/24"
SECRET = "canary-of-the-log-in-4711"
CORE = f"""services:
  traefik:
    image: TRAEFIK
    container_name: traefik
    restart: unless-stopped
    command:
      - --providers.docker=true
      - --providers.docker.exposedbydefault=false
      - --providers.file.directory=/dynamic
      - --entrypoints.websecure.address=:443
      - --entrypoints.websecure.http.tls=true
    ports: ["{FLOATING}:443:443"]
    volumes:
      - ./traefik/dynamic:/dynamic:ro
      - ./traefik/letsencrypt:/letsencrypt
      - /var/run/docker.sock:/var/run/docker.sock:ro
    networks: [proxy]
  login:
    image: {LOGIN}
    container_name: login
    restart: unless-stopped
    environment: {{SECRET: "${{LOGIN_SECRET}}"}}
    volumes: ["./login/config:/config"]
    networks: [proxy]
    labels:
      traefik.enable: "true"
      traefik.http.middlewares.login.forwardauth.address: http://login:9091/api/authz/forward-auth
      traefik.http.routers.login.rule: Host(`auth.lab.test`)
      traefik.http.services.login.loadbalancer.server.port: "9091"
networks:
  proxy: {{external: true}}
"""
PAGES = f"""x-homelab:
  host: second

services:
  page:
    image: {PAGE}
    container_name: page
    restart: unless-stopped
    ports: ["PRIVATE:3000:3000"]
    labels:
      traefik.enable: "true"
      traefik.http.routers.page.rule: Host(`page.lab.test`)
      traefik.http.routers.page.middlewares: login@docker
      traefik.http.services.page.loadbalancer.server.port: "3000"
"""


class TwoMachines:
    """A lab whose core is on ``first``, and a page on ``second``, which is reached by mutual TLS."""

    def __init__(self, root: Path, first: OtherMachine, second: OtherMachine, ca: x509.Certificate) -> None:
        self.root, self.first, self.second = root, first, second
        self.trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.trust.load_verify_locations(cadata=pem(ca))

    @property
    def lab(self) -> LocalLab:
        return open_lab(str(self.root))

    def apply(self, plan: Plan) -> PlanStatus:
        lab = self.lab
        approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
        return applier(lab, replace(WATCHED, certificate=1)).run(plan.id)

    def done(self, wish: str) -> PlanStatus:
        status = self.apply(propose_standby(self.lab, "second", REQUESTER, wish))
        assert status.state is PlanState.DONE, status
        return status

    def leads_to(self, machine: OtherMachine, other: OtherMachine) -> None:
        """The floating address, as keepalived or a person moves it."""
        # As in a machine without power: it answers for no address.
        subprocess.run(
            ["nsenter", f"--net=/var/run/netns/{other.name}", "ip", "addr", "del", f"{FLOATING}/32", "dev", "lo"],
            capture_output=True,
            check=False,
        )
        machine.inside("ip", "addr", "add", f"{FLOATING}/32", "dev", "lo")
        subprocess.run(["ip", "route", "replace", f"{FLOATING}/32", "via", machine.address], check=True)

    def asked(self, host: str, cookie: str = "") -> tuple[int, str, int] | None:
        """Status, body and the certificate's serial number; None where nobody answers by this lab's certificate."""
        extra = f"Cookie: {cookie}\r\n" if cookie else ""
        try:
            with (
                socket.create_connection((FLOATING, 443), timeout=5) as plain,
                self.trust.wrap_socket(plain, server_hostname=host) as secure,
            ):
                shown = x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"")
                secure.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\n{extra}Connection: close\r\n\r\n".encode())
                received = b"".join(iter(lambda: secure.recv(65536), b""))
        except OSError:
            return None
        head, _, body = received.decode(errors="replace").partition("\r\n\r\n")
        return int(head.split()[1]), body, shown.serial_number

    def served(self) -> tuple[int, str, int] | None:
        """The page, asked for by somebody who is logged in, once it is there."""
        found = self.asked("page.lab.test", SESSION)
        return found if found and found[0] == 200 else None

    def there(self, script: str) -> str:
        """What a shell says in the lab's folder as the other machine has it."""
        words = ["run", "--rm", "--network=none", "--entrypoint=/bin/busybox", "-v", f"{self.root}:/lab"]
        return self.second.docker(*words, PAGE, "sh", "-c", f"cd /lab && {script}")


@pytest.fixture
def two(docker_engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[TwoMachines]:
    """The second machine is reached by TLS, or by SSH where that is asked for."""
    with two_machines(tmp_path, by_ssh=getattr(request, "param", "") == "ssh") as found:
        yield found


@contextmanager
def two_machines(tmp_path: Path, *, by_ssh: bool) -> Iterator[TwoMachines]:
    """Both, and the lab in that folder, whose services run."""
    root, etc = tmp_path / "stacks", tmp_path / "etc"
    values = {
        "domain": "lab.test",
        "route_network": "proxy",
        "bind_address": FLOATING,
        "sso_middleware": "login@docker",
    }
    init_lab(open_lab(str(root), files_only=True), values, PIN)
    make_tls(open_lab(str(root)), "second", ("10.214.92.2",), 90, again=False)
    shutil.copytree(root / ".homelab/tls/second/server", etc)
    with (
        OtherMachine(91) as first,
        OtherMachine(92, tls=etc, hides=root) as second,
        pytest.MonkeyPatch.context() as patch,
    ):
        stand_in(PAGE, service="page", ports=[3000])
        stand_in(LOGIN, service="login", ports=[9091], variant="forward_auth")
        image = ensure_traefik("traefik:v3.7.13").reference
        first.load(LOGIN, image)
        second.load(PAGE, LOGIN, image)
        _, private = first.connect(second)
        # What leaves a container there keeps its own address, as these engines change none.
        first.docker("network", "create", "--subnet", BRIDGE, "proxy")
        second.inside("ip", "route", "add", BRIDGE, "via", "10.216.0.1")
        patch.setenv("DOCKER_HOST", first.socket)
        ca, ca_key = authority()
        names = [general("page.lab.test"), general("auth.lab.test")]
        made, key = issue(ca, ca_key, "lab", names, ExtendedKeyUsageOID.SERVER_AUTH, 30)
        core = root / "core"
        for folder in ("traefik/dynamic", "traefik/letsencrypt", "login/config"):
            (core / folder).mkdir(parents=True)
        (core / "compose.yaml").write_text(CORE.replace("TRAEFIK", image))
        (core / ".env").write_text(f"LOGIN_SECRET={SECRET}\n")
        (core / ".env").chmod(0o600)
        dynamic = core / "traefik/dynamic"
        (dynamic / "cert.pem").write_text(pem(made))
        (dynamic / "key.pem").write_text(key_pem(key))
        (dynamic / "key.pem").chmod(0o600)
        (dynamic / "own.yml").write_text(
            "tls: {certificates: [{certFile: /dynamic/cert.pem, keyFile: /dynamic/key.pem}]}\n"
        )
        (core / "traefik/letsencrypt/acme.json").write_text('{"le": {"Account": "canary"}}')
        (core / "traefik/letsencrypt/acme.json").chmod(0o600)
        (core / "login/config/users.yml").write_text("users: {person: {password: hash}}\n")
        os.chown(core / "login/config/users.yml", 1234, 1235)
        (core / "login/config/users.yml").chmod(0o640)
        os.chown(core, 1234, 0)
        core.chmod(0o710)
        (root / "pages").mkdir()
        (root / "pages/compose.yaml").write_text(PAGES.replace("PRIVATE", private))
        lab = open_lab(str(root))
        address = f"tcp://{second.address}:2376"
        if by_ssh:
            address = f"ssh://root@{second.address}"
            patch.setenv("PATH", f"{second.sshd()}:{os.environ['PATH']}")
        write_hosts(lab, added(lab, "second", address, "", "", 10.0, unreached=False, private=private))
        lab = open_lab(str(root))
        routes = host_routes(view(Snapshot(read_stacks(lab.files), None)), {"second": private})
        (dynamic / FILE).write_text(file_text(routes))
        found = TwoMachines(root, first, second, ca)
        found.leads_to(first, second)
        try:
            lab.compose.up("core", ())
            lab.compose.up("pages", ())
            yield found
        finally:
            subprocess.run(["ip", "route", "del", f"{FLOATING}/32"], capture_output=True, check=False)


def test_the_standby_serves_what_the_lost_machine_served_and_survives_said_so(two: TwoMachines) -> None:
    usual = wait_until(two.served, "the page by the core's Traefik", within=90)
    assert usual[1].splitlines()[0] == "stand-in for page"
    assert (two.asked("page.lab.test") or (0,))[0] == 302, "the log-in is asked"
    whole = {f["failure"]: f for f in survives(two.lab)["failures"]}["The machine of the lab is lost"]
    assert "would give their addresses back" in whole["note"]
    assert "pages/page" in whole["note"]
    with pytest.raises(NotFound) as none:
        propose_standby(two.lab, "second", REQUESTER, "activate")
    assert none.value.code == "standby_missing"

    # A log-in at work: its last write is in the write-ahead log alone.
    base = two.root / "core/login/config"
    database = sqlite3.connect(base / "db.sqlite3")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE factors (who TEXT)")
    database.execute("INSERT INTO factors VALUES ('person')")
    database.commit()
    assert (base / "db.sqlite3-wal").stat().st_size

    plan = propose_standby(two.lab, "second", REQUESTER)
    shown = plan_view(plan, two.lab.plans.status(plan.id), two.lab.clock.now(), policy=two.lab.policy).model_dump_json()
    assert plan.risk is Risk.HIGH
    assert "bring to host second, not started there: a standby of core" in shown
    assert FLOATING in shown
    synced = two.apply(plan)
    database.close()
    assert synced.state is PlanState.DONE, synced
    assert "2 containers stand ready on second" in [e.what for e in synced.evidence]
    assert SECRET not in shown + (two.root / ".homelab/journal.jsonl").read_text() + str(synced)
    assert two.second.running() == {"page"}
    made = set(two.second.docker("ps", "--all", "--format", "{{.Names}}").split())
    assert made == {"page", "traefik", "login"}, "nothing that carried files is left"
    for path in ("compose.yaml", ".env", "traefik/dynamic/key.pem", "traefik/letsencrypt/acme.json"):
        here = (two.root / "core" / path).read_text().strip()
        assert two.there(f"cat core/{path}").strip() == here, path
    assert two.there("stat -c '%a %u:%g' core/login/config/users.yml").strip() == "640 1234:1235"
    assert two.there("stat -c '%a' core/traefik/letsencrypt/acme.json core/.env").split() == ["600", "600"]
    copied = two.root.parent / "copied"
    copied.mkdir()
    for name in ("db.sqlite3", "db.sqlite3-wal"):
        text = two.there(f"od -An -v -tx1 core/login/config/{name}")
        (copied / name).write_bytes(bytes.fromhex("".join(text.split())))
    with sqlite3.connect(copied / "db.sqlite3") as database:
        assert database.execute("SELECT who FROM factors").fetchall() == [("person",)]
    database.close()

    assert two.there("stat -c '%a %u:%g' core core/.homelab-standby").split() == ["710", "1234:0", "600", "0:0"]

    # Again: what is here no more is emptied there, and what changed is there.
    (two.root / "core/traefik/dynamic/extra.yml").write_text("http: {}\n")
    two.done("sync")
    (two.root / "core/traefik/dynamic/extra.yml").unlink()
    again = two.done("sync")
    assert any("core/traefik/dynamic/extra.yml" in e.what for e in again.evidence), again.evidence
    assert two.there("wc -c < core/traefik/dynamic/extra.yml").strip() == "0"

    lab = two.lab
    said = predicted(lab, "local")
    assert set(said.returns) == {"core/traefik", "core/login", "pages/page"}
    assert "docker start login traefik" in said.note
    watch, ended = Watch(lab), threading.Event()
    kept = []
    thread = threading.Thread(target=lambda: kept.append(watch.run(ended.is_set)))
    thread.start()
    try:
        two.first.lose_power()
        two.leads_to(two.second, two.first)
        assert two.asked("page.lab.test") is None
        plan = propose_standby(two.lab, "second", REQUESTER, "activate")
        assert not [r for r in plan.reasons if "two cores" in r], plan.reasons
        started = two.apply(plan)
        assert started.state is PlanState.DONE, started
        after = wait_until(two.served, "the page by the standby", within=90)
        wait_until(lambda: two.lab.probe.get("page.lab.test").status == 302, "the watcher's own way", within=60)
        looks = max(s.looks for s in watch._track.seen())
        wait_until(lambda: max(s.looks for s in watch._track.seen()) > looks + 2, "two looks more", within=60)
    finally:
        ended.set()
        thread.join()
    assert (after[1].splitlines()[0], after[2]) == (usual[1].splitlines()[0], usual[2]), "by the same certificate"
    assert (two.asked("page.lab.test") or (0,))[0] == 302, "the log-in is asked as before"
    assert two.second.running() == {"page", "traefik", "login"}
    found = report(kept[0], said, orderly=False)
    rows = {row["service"]: row for row in found["services"]}
    assert found["surprises"] == [], found
    assert {rows[w]["seen"].partition(" after")[0] for w in said.returns} == {"back"}, found
    assert rows["pages/page"]["by"] == "https://page.lab.test/"

    with pytest.raises(InvalidInput) as active:
        two.first.come_back()
        propose_standby(two.lab, "second", REQUESTER)
    assert active.value.code == "standby_active"
    two.done("deactivate")
    assert two.second.running() == {"page"}
    states = two.second.docker("ps", "--all", "--format", "{{.Names}} {{.State}}").splitlines()
    assert sorted(states) == ["login created", "page running", "traefik created"], (
        "never started, so no reboot starts it"
    )


@pytest.mark.parametrize("two", ["ssh"], indirect=True)
def test_nothing_is_put_over_others_files_and_a_standby_that_cannot_start_is_put_back(two: TwoMachines) -> None:
    wait_until(two.served, "the page by the core's Traefik", within=90)
    two.there("mkdir core && echo theirs > core/compose.yaml")
    refused = two.apply(propose_standby(two.lab, "second", REQUESTER))
    assert (refused.state, refused.error_code) == (PlanState.ROLLED_BACK, "standby_occupied"), refused
    assert two.there("find core -type f && cat core/compose.yaml").split() == ["core/compose.yaml", "theirs"]
    two.there("rm core/compose.yaml")
    two.done("sync")
    assert two.there("cat core/.env").strip() == f"LOGIN_SECRET={SECRET}"

    # The address is still this machine's, and so is the core.
    plan = propose_standby(two.lab, "second", REQUESTER, "activate")
    assert any("two cores" in reason for reason in plan.reasons), plan.reasons
    failed = two.apply(plan)
    assert failed.state is PlanState.ROLLED_BACK, failed
    assert "assign requested address" in failed.error, failed
    assert two.second.running() == {"page"}
    assert two.served()
    (seen,) = two.lab.standby.seen(("core",))
    assert (seen.host, seen.services, seen.running, seen.behind) == ("second", ("core/login", "core/traefik"), (), ())
    assert (seen.changed, seen.routes) == ((), ("second-pages-page",))
    (two.root / "core/login/config/users.yml").write_text("users: {person: {}, another: {}}\n")
    # What ran before a start that fails goes on: the login needs no address of this machine's.
    two.second.docker("start", "login")
    again = two.apply(propose_standby(two.lab, "second", REQUESTER, "activate"))
    assert again.state is PlanState.ROLLED_BACK, again
    assert "what was started on second is stopped; what ran on second before runs on: core/login" in [
        e.what for e in again.evidence
    ]
    assert two.second.running() == {"page", "login"}
    two.done("deactivate")
    assert two.second.running() == {"page"}
    text = (two.root / "core/compose.yaml").read_text()
    (two.root / "core/compose.yaml").write_text(text.replace("unless-stopped", "always", 1))
    (seen,) = two.lab.standby.seen(("core",))
    assert seen.behind == ("core/traefik",)
    whole = {f["failure"]: f for f in survives(two.lab)["failures"]}["The machine of the lab is lost"]
    assert "changed since: core/traefik" in whole["note"]
    assert "files changed since: core/compose.yaml, core/login/config/users.yml" in whole["note"]
    assert whole["returns"] == ["core/traefik", "core/login", "pages/page"]

    # As a machine that this lab was restored from: the same names in the same folder, and made by no sync.
    two.there("rm core/.homelab-standby")
    assert two.lab.standby.seen(("core",)) == ()
    with pytest.raises(NotFound):
        propose_standby(two.lab, "second", REQUESTER, "activate")
