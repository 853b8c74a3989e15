"""Certificates that a plan drops: served anew or put back, whatever dies in between; keys are in no clear record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from homelab_mcp.core import plan_codec
from homelab_mcp.core.operations.rollback import rollback
from homelab_mcp.core.policy import Policy
from homelab_mcp.model.certificate import Served
from homelab_mcp.model.errors import InvalidInput, PlanRefused
from homelab_mcp.model.plan import (
    ActionKind,
    CertificateCheck,
    CertificateDrop,
    Draft,
    EngineAction,
    Plan,
    PlanState,
    PlanStatus,
    Verification,
)
from homelab_mcp.model.policy import ByRisk, PolicySettings
from homelab_mcp.workflow.applier import Applier
from homelab_mcp.workflow.approvals import Approvals
from homelab_mcp.workflow.plan_view import data_lines
from homelab_mcp.workflow.verifier import Verifier
from tests.failpoints import Points
from tests.unit.core.certs_made import KEY_CANARY, NOW, certificate, entry, store
from tests.unit.workflow.bench_lab import BenchLab

STORE = "media/web/acme.json"
OLD, OTHER = entry(("a.lab.test",), 0xA1), entry(("b.lab.test",), 0xB2)
NEW = entry(("a.lab.test",), 0xC3, begun=NOW + 60)
REFUSED = '{"level":"error","providerName":"le.acme","domains":["a.lab.test"],"message":"Unable to obtain ACME '
REFUSED += 'certificate for domains","error":"cannot get ACME client"}'


class Died(BaseException):
    """Stands for a kill: nothing catches it, so nothing is put back."""


def made(root: Path, *, ca: bool = True) -> BenchLab:
    """A lab whose ``web`` is a Traefik of sorts: it reads its store at its start, and gets what is missing there."""
    lab = BenchLab(root)
    path = root / STORE
    path.parent.mkdir(parents=True)
    path.write_text(store(OLD, OTHER))
    path.chmod(0o600)
    held = {"text": path.read_text()}

    def act(verb: str) -> None:
        if verb in ("restart", "up"):
            if "a1" not in serials(path.read_text()) and ca:
                path.write_text(store(OTHER, NEW))
            held["text"] = path.read_text()

    def shown(host: str) -> Served:
        serial = serials(held["text"]).get(host, "")
        begun = NOW + 60 if serial == "c3" else NOW
        if not serial:
            return Served(host, certificate("TRAEFIK DEFAULT CERT", serial="0"), problem="self-signed")
        return Served(host, certificate(host, serial=serial, begun=begun), verified=True)

    lab.compose.before = act
    lab.probe.shown = shown
    lab.docker.log_line = "listening" if ca else REFUSED
    return lab


def serials(text: str) -> dict[str, str]:
    from homelab_mcp.core.certs.store import read_store

    found = {s.main: s.certificate.serial for s in read_store(STORE, text) if s.certificate}
    return {**found, **{serial: main for main, serial in found.items()}}


def draft() -> Draft:
    return Draft(
        operation="renew_certs",
        summary="Renew the certificate of a.lab.test",
        edits=(),
        actions=(EngineAction(ActionKind.RESTART, "It reads its store.", "media", ("web",)),),
        verification=Verification(
            "media",
            ("web",),
            certificates=(CertificateCheck("a.lab.test", "a.lab.test", "a1", NOW, "media", "web", 30.0),),
        ),
        drops=(CertificateDrop(STORE, "media", "web", "a.lab.test", "a1"),),
        target="a.lab.test",
    )


LOOSE = Policy(PolicySettings(approval=ByRisk(high=("client_dialog",))))
"""A policy that takes a dialog's yes for any plan: signing with a PIN takes its time, and is not the point here."""


def agreed(lab: BenchLab) -> Plan:
    """The plan, with a yes."""
    plan = lab.plan(draft(), approve=False)
    answers = Approvals(plans=lab.plans, journal=lab.journal, approver=lab.approver, clock=lab.clock, policy=LOOSE)
    answers.dialog(plan, plan.draft.target, "test")
    return plan


def run(lab: BenchLab, plan: Plan) -> PlanStatus:
    return pointed(lab, lambda _: None).run(plan.id)


def pointed(lab: BenchLab, at: Callable[[str], None]) -> Applier:
    """The lab's applier with a point before and after every step."""
    points = Points(at)
    docker = points.behind("engine", lab.docker)
    parts = {part: points.behind(part, getattr(lab, part)) for part in ("files", "history", "journal", "plans", "data")}
    return Applier(
        **parts,
        approver=lab.approver,
        lock=lab.lock,
        clock=lab.clock,
        engine=docker,
        compose=points.behind("compose", lab.compose),
        verifier=Verifier(engine=docker, probe=lab.probe, clock=lab.clock),
        policy=LOOSE,
        snapshots=lab.snapshots,
    )


def text_of(root: Path) -> str:
    return (root / STORE).read_text()


def test_the_old_one_goes_while_traefik_is_down_and_the_new_one_is_seen_served(tmp_path: Path) -> None:
    lab = made(tmp_path)
    plan = agreed(lab)
    assert plan.risk.word == "high"
    assert plan_codec.plan_from_json(plan_codec.plan_to_json(plan)) == plan
    assert data_lines(plan.draft) == [
        f"with web of media stopped, take the certificate a.lab.test (serial a1) out of {STORE}"
    ]
    done = run(lab, plan)
    assert done.state is PlanState.DONE, done
    assert [c.split()[0] for c in lab.docker.calls if c.split()[0] in ("stop", "restart", "up")] == ["stop", "restart"]
    assert "served with the new certificate c3" in done.evidence[0].what
    assert text_of(tmp_path) == store(OTHER, NEW)
    assert (tmp_path / STORE).stat().st_mode & 0o777 == 0o600
    begin = next(e["data"] for e in lab.journal.entries() if e["event"] == "apply_begin")
    assert begin["certificates"] == ["a.lab.test"]


def test_a_ca_that_refuses_brings_the_old_store_back_at_once(tmp_path: Path) -> None:
    lab = made(tmp_path, ca=False)
    before = text_of(tmp_path)
    passed = lab.clock.monotonic()
    done = run(lab, agreed(lab))
    assert done.state is PlanState.ROLLED_BACK, done
    assert "ca unreachable" in done.evidence[0].what
    assert lab.clock.monotonic() - passed < 10, "the log tells before the wait is over"
    assert text_of(tmp_path) == before
    assert lab.probe.certificate("a.lab.test").verified
    assert lab.docker.containers_now[next(iter(lab.docker.containers_now))].state == "running"


def test_a_certificate_that_was_replaced_since_makes_the_plan_stale(tmp_path: Path) -> None:
    lab = made(tmp_path)
    plan = agreed(lab)
    (tmp_path / STORE).write_text(store(NEW, OTHER))
    with pytest.raises(PlanRefused) as told:
        run(lab, plan)
    assert told.value.code == "plan_stale"
    assert text_of(tmp_path) == store(NEW, OTHER)


def test_a_renewal_is_not_taken_back_and_its_store_is_shown_in_no_diff(tmp_path: Path) -> None:
    lab = made(tmp_path)
    plan = agreed(lab)
    run(lab, plan)
    with pytest.raises(InvalidInput) as told:
        rollback(plan, lab.plans.load_undo(plan.id), read=lab.files.read)
    assert told.value.code == "nothing_to_do"


def points_of(root: Path) -> list[str]:
    lab, seen = made(root), list[str]()
    assert pointed(lab, seen.append).run(agreed(lab).id).state is PlanState.DONE
    return seen


@pytest.mark.parametrize("ca", [True, False])
def test_a_death_at_any_point_leaves_a_certificate_that_is_served(tmp_path: Path, ca: bool) -> None:
    ended: Counter[str] = Counter()
    for number, point in enumerate(points_of(tmp_path / "first")):
        lab = made(tmp_path / str(number), ca=ca)
        plan = agreed(lab)

        def die(here: str, point: str = point) -> None:
            if here == point:
                raise Died

        try:
            pointed(lab, die).run(plan.id)
        except Died:
            lab.recovery.recover()
        except PlanRefused:
            pass
        held = serials(text_of(lab.root))
        assert held["b.lab.test"] == "b2", point
        assert held.get("a.lab.test") in ("a1", "c3"), point
        assert lab.probe.certificate("a.lab.test").verified, point
        assert {c.state for c in lab.docker.containers_now.values()} == {"running"}, point
        assert lab.recovery.recover() == [], point
        ended[held["a.lab.test"]] += 1
        clear = [p for p in (lab.root / ".homelab").rglob("*") if p.is_file()]
        assert not [p for p in clear if KEY_CANARY.encode() in p.read_bytes()], point
    assert ended["a1"], ended
    assert bool(ended["c3"]) is ca, ended
