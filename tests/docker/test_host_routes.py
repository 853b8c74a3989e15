"""A service on a second real Docker host is live behind the core host's real Traefik, and what becomes of a lost host.

Real here: both engines, Compose, Traefik, the ACME certificate authority, every certificate and request. Stand-ins: the
log-in and the services' programs (small web servers).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.adapters.catalog_files import packaged_definitions
from homelab_mcp.bootstrap import open_lab
from homelab_mcp.core.host_routes import FILE
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.plan import Plan, PlanState, PlanStatus
from homelab_mcp.workflow.assembly import applier, approvals, recovery
from homelab_mcp.workflow.change_hosts import added, write_hosts
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.propose_any import propose_custom
from homelab_mcp.workflow.propose_changes import propose_remove_service
from testbed import Scratch, stand_in
from testbed.definitions import provide
from testbed.docker_engine import wait_until
from tests.docker.host_rig import OtherMachine
from tests.docker.lab import PIN, REQUESTER, SESSION, WATCHED, RealLab

pytestmark = pytest.mark.timeout(240)

IMAGE = "homelab-testbed/paint:far"


class TwoHosts:
    """A lab with Traefik and log-in here, and the host ``shed`` for services."""

    def __init__(self, lab: RealLab, shed: OtherMachine) -> None:
        self.lab, self.shed = lab, shed

    def plan(self, what: str) -> Plan:
        """A page by its image in a new stack on the other host."""
        lab = self.lab
        values: dict[str, Any] = {
            "name": lab.named(what), "image": IMAGE, "stack": lab.stack(what), "subdomain": what, "host": "shed",
            "health": "wget -q -O /dev/null http://127.0.0.1:3000/",
        }  # fmt: skip
        return propose_custom(lab.open(files_only=False), values, REQUESTER)

    def apply(self, plan: Plan) -> PlanStatus:
        return self.lab.approve_and_apply(plan, files_only=False)


@pytest.fixture(scope="module")
def two(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoHosts]:
    with Scratch() as scratch, OtherMachine(73) as shed:
        provide(d for d in packaged_definitions() if d.id in {"traefik", "authelia"})
        stand_in(IMAGE, service="paint", ports=[3000])
        shed.load(IMAGE)
        lab = RealLab(tmp_path_factory.mktemp("lab"), scratch)
        lab.write("authelia", "core")
        lab.write("traefik", "core")
        lab.start(but="")
        here = lab.open(files_only=False)
        write_hosts(here, added(here, "shed", shed.socket, "", "", 5.0, unreached=False, private=shed.address))
        yield TwoHosts(lab, shed)


def test_a_service_elsewhere_is_live_by_https_behind_the_log_in_and_goes_without_a_trace(two: TwoHosts) -> None:
    lab, name = two.lab, two.lab.named("paint")
    before = lab.files()
    plan = two.plan("paint")
    done = two.apply(plan)
    assert done.state is PlanState.DONE, done
    assert any(f"https://paint.{lab.domain}/ answers 302" in e.what for e in done.evidence), done.evidence
    assert name in two.shed.running()

    host = f"paint.{lab.domain}"
    stranger = lab.once_certified(host)
    assert (stranger.status, stranger.headers["location"].startswith(f"https://auth.{lab.domain}/")) == (302, True)
    known = lab.https(host, cookie=SESSION)
    assert (known.status, known.body.splitlines()[0]) == (200, "stand-in for paint")
    (router,) = (r for r in lab.traefik("http/routers") if r["name"] == f"shed-{lab.named('paint')}-{name}@file")
    assert router["middlewares"][-1] == lab.login
    assert router["status"] == "enabled"
    assert two.shed.published(name) == {(two.shed.address, "3000")}
    rules = [p.read_text() for p in lab.root.rglob("access-control.yml")]
    assert any(host in text for text in rules)

    gone = two.apply(propose_remove_service(lab.open(files_only=False), name, "", REQUESTER))
    assert gone.state is PlanState.DONE, gone
    assert name not in two.shed.running()
    wait_until(lambda: lab.https(host, any_certificate=True).status == 404, "the route to go")
    assert not list(lab.root.rglob(FILE))
    assert {p for p in lab.files() if "compose" in p} == {p for p in before if "compose" in p}


def test_a_host_lost_in_the_middle_of_an_apply_is_never_called_done_and_has_a_way_out(
    docker_engine: str, tmp_path: Path
) -> None:
    root = tmp_path / "stacks"
    with Scratch() as scratch, OtherMachine(74) as shed:
        stand_in(IMAGE, service="paint", ports=[3000])
        shed.load(IMAGE)
        networks = {f"{kind}_network": scratch.network(kind) for kind in ("route", "internal")}
        init_lab(open_lab(str(root), files_only=True), {"domain": "lab.test", **networks}, PIN)
        lab = open_lab(str(root))
        write_hosts(lab, added(lab, "shed", shed.socket, "", "", 5.0, unreached=False, private=shed.address))
        lab = open_lab(str(root))
        names = [scratch.claim_project(f"{what}-{scratch.run_id}") for what in ("lost", "other")]
        plan, other = (
            propose_custom(lab, {"name": n, "image": IMAGE, "subdomain": n, "host": "shed"}, REQUESTER) for n in names
        )
        for one in (plan, other):
            approvals(lab).out_of_band(one.id, PIN, who="test", approved=True)

        def cut(status: PlanStatus) -> None:
            if status.step == "verifying":
                assert names[0] in shed.running()
                shed.lose_power()

        status = applier(lab, WATCHED).run(plan.id, cut)
        assert (status.state, status.error_code) == (PlanState.APPLYING, "outcome_unknown"), status
        with pytest.raises(HomelabError) as refused:
            applier(open_lab(str(root)), WATCHED).run(other.id)
        assert refused.value.code in {"recovery_needed", "host_silent"}
        (left,) = recovery(open_lab(str(root))).recover()
        assert left.outcome is PlanState.APPLYING, left

        shed.come_back()
        (report,) = recovery(open_lab(str(root))).recover()
        assert report.outcome is PlanState.ROLLED_BACK, report
        assert names[0] not in shed.running()
        assert not (root / names[0]).exists()
