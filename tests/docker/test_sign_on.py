"""Access by plans on real Docker: labels to a real Traefik, Authelia's rules to a restart that logs nobody out.

Real here: Docker, Compose, Traefik, the certificate authority, every request, and all of homelab-mcp. Stand-ins:
whoami, Redis, and Authelia's image, which cannot be pulled: a forward-auth that knows one session. What Authelia makes
of its files is held by its published schemas (tests/unit); here is shown that they are there, and that it restarts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.plan import Plan, PlanState
from homelab_mcp.workflow.inventory import Inventory
from homelab_mcp.workflow.proposals import propose_rollback
from homelab_mcp.workflow.propose_sign_on import propose_manage_user, propose_set_access
from testbed import Scratch
from testbed.definitions import definition, provide
from testbed.docker_engine import wait_until
from tests.docker.lab import REQUESTER, SESSION, RealLab

pytestmark = pytest.mark.timeout(240)

VERSION = "/api/version"
"""What Traefik's own page answers 200 to; its root leads to the dashboard."""


@pytest.fixture(scope="module")
def lab(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealLab]:
    with Scratch() as scratch:
        provide(definition(name) for name in ("traefik", "authelia", "whoami"))
        made = RealLab(tmp_path_factory.mktemp("lab"), scratch)
        Inventory(made.open(files_only=True)).start()
        for service, stack in (("authelia", "core"), ("traefik", "core"), ("whoami", "apps")):
            made.write(service, stack)
        made.start(but="")
        made.once_certified(f"whoami.{made.domain}")
        yield made


def done(lab: RealLab, plan: Plan) -> None:
    status = lab.approve_and_apply(plan, files_only=False)
    assert status.state is PlanState.DONE, status


def access(lab: RealLab, **values: Any) -> Plan:
    return propose_set_access(lab.open(files_only=False), REQUESTER, services=(lab.named("whoami"),), **values)


def rules(lab: RealLab) -> list[dict[str, Any]]:
    path = lab.root / lab.named("core") / lab.named("authelia") / "config" / "access-control.yml"
    found: list[dict[str, Any]] = load(path.read_text())["access_control"]["rules"]
    return [r for r in found if r["domain"] == f"whoami.{lab.domain}"]


def middlewares(lab: RealLab) -> list[str] | None:
    """The log-in where the route asks for it; None where Traefik does not know the route, which is not an open one."""
    name = f"{lab.named('whoami')}@docker"
    found: dict[str, Any] | None = next((r for r in lab.traefik("http/routers") if r["name"] == name), None)
    if found is None:
        return None
    return [m for m in found.get("middlewares", []) if m == lab.login]


def started(lab: RealLab, name: str) -> str:
    return str(lab.inspect(lab.named(name))["State"]["StartedAt"])


@contextmanager
def asked_meanwhile(lab: RealLab, host: str) -> Iterator[list[tuple[float, int]]]:
    """What a logged-in person sees of a page who asks for it ten times a second: (seconds, status)."""
    seen: list[tuple[float, int]] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.1):
            seen.append((time.monotonic(), lab.https(host, VERSION, cookie=SESSION).status))

    person = threading.Thread(target=ask)
    person.start()
    try:
        yield seen
    finally:
        over.set()
        person.join()


def test_a_route_opens_and_closes_and_authelia_s_rules_go_with_it(lab: RealLab) -> None:
    host = f"whoami.{lab.domain}"
    # The certificate may be there before Traefik has read the log-in's labels, among a full engine's containers.
    wait_until(lambda: lab.https(host).status == 302, "the log-in in front of the route", within=60)
    assert lab.https(host, cookie=SESSION).status == 200
    assert rules(lab) == [{"domain": host, "policy": "one_factor"}]
    portal, sessions = started(lab, "authelia"), lab.inspect(f"{lab.named('authelia')}-sessions")["State"]["StartedAt"]

    opening = access(lab, policy="bypass", reason="Shows nothing but the request.")
    lab.once_certified(f"traefik.{lab.domain}")
    with asked_meanwhile(lab, f"traefik.{lab.domain}") as seen:
        done(lab, opening)
    # Authelia starts anew for its changed rules; the log-in that it defines stays, so no route is lost meanwhile.
    assert 404 not in {status for _, status in seen}, seen
    # Authelia starts anew for its changed rules, and Traefik's own page waits for it like every protected route.
    dashboard = f"traefik.{lab.domain}"
    wait_until(lambda: lab.https(dashboard, VERSION, cookie=SESSION).status == 200, "the log-in back", within=60)
    wait_until(lambda: middlewares(lab) == [], "Traefik to know the open route", within=30)
    wait_until(lambda: lab.https(host).status == 200, "the route to open", within=30)
    assert rules(lab) == [{"domain": host, "policy": "bypass"}]
    assert started(lab, "authelia") > portal, "it reads its rules only when it starts"
    assert lab.inspect(f"{lab.named('authelia')}-sessions")["State"]["StartedAt"] == sessions

    done(lab, access(lab, policy="two_factor", groups=("family",)))
    wait_until(lambda: middlewares(lab) == [lab.login], "Traefik to ask for log-in", within=30)
    assert (lab.https(host).status, lab.https(host, cookie=SESSION).status) == (302, 200)
    assert rules(lab) == [
        {"domain": host, "policy": "two_factor", "subject": ["group:family"]},
        {"domain": host, "policy": "deny"},
    ]
    page = (lab.root / "INVENTORY.md").read_text()
    assert "log-in with a second factor; groups family |" in page
    assert lab.git("status", "--porcelain") == ""

    files = lab.open(files_only=False)
    last = [p for p, s in files.plans.list(10) if s.state is PlanState.DONE and p.draft.operation == "set_access"]
    newest = max(last, key=lambda p: p.created)
    for plan_id in (newest.id, opening.id):
        done(lab, propose_rollback(lab.open(files_only=False), plan_id, REQUESTER))
    assert rules(lab) == [{"domain": host, "policy": "one_factor"}]
    wait_until(lambda: lab.https(host).status == 302, "the route to ask for log-in", within=30)


def test_a_person_is_added_without_a_restart(lab: RealLab) -> None:
    before = started(lab, "authelia")
    made = propose_manage_user(lab.open(files_only=False), REQUESTER, action="add", name="bob", groups=("family",))
    done(lab, made.plan)
    users = lab.root / lab.named("core") / lab.named("authelia") / "config" / "users_database.yml"
    assert set(load(users.read_text())["users"]) == {"admin", "bob"}
    assert (users.stat().st_mode & 0o777, (users.stat().st_uid, users.stat().st_gid)) == (0o600, lab.owner)
    assert started(lab, "authelia") == before
    assert "users_database.yml" not in lab.git("log", "--all", "--stat")
