"""Routes that served before a plan serve after it, the log-in restarts last, and a roll-back lets it read what was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from homelab_mcp.model.errors import NotFound, PlanRefused
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, PlanState, RouteCheck, Verification
from homelab_mcp.ports import ProbeResult
from tests.unit.workflow.bench_lab import BenchLab
from tests.unit.workflow.fakes import FakeClock, FakeProbe
from tests.unit.workflow.test_verifier import verifier

ROUTES = (
    RouteCheck("web", "web.lab.test", sso=True, was="web.lab.test"),
    RouteCheck("nas", "nas.lab.test", was="nas.lab.test"),
)


class FakeTraefik(FakeProbe):
    """Answers each host with its status; those in ``late`` only once so many seconds have passed."""

    def __init__(self, clock: FakeClock, **statuses: int) -> None:
        super().__init__()
        self.clock, self.by_host, self.late = clock, statuses, dict[str, float]()

    def get(self, host: str, path: str = "/", *, timeout: float = 5.0) -> ProbeResult:
        name = host.partition(".")[0]
        status = 404 if self.clock.passed < self.late.get(name, 0) else self.by_host[name]
        return ProbeResult(f"https://{host}{path}", status, verified=True)


def test_a_route_that_does_not_serve_before_is_not_asked_after() -> None:
    probe = FakeTraefik(FakeClock(), web=302, nas=502)
    looker, _, _ = verifier("web:1", probe)
    (left,) = looker.serving([Verification(routes=(*ROUTES, RouteCheck("app", "app.lab.test")))])
    assert [r.host for r in left.routes] == ["web.lab.test", "app.lab.test"], "one that the plan makes is asked"


def test_routes_get_their_time_to_come_back_together_and_one_that_does_not_is_told() -> None:
    looker, clock, _ = verifier("web:1")
    probe = FakeTraefik(clock, web=302, nas=200)
    looker._probe = probe
    probe.late = {"web": 40, "nas": 50}
    (seen,) = looker.verify(Verification(routes=ROUTES))
    assert (seen.ok, seen.what) == (True, "2 routes that served before serve")
    assert 50 <= clock.passed < 52

    probe.by_host["web"] = 404
    (lost,) = looker.verify(Verification(routes=ROUTES))
    assert (lost.ok, lost.what) == (False, "https://web.lab.test/ served before this plan and answers 404 now")
    assert clock.passed < 113
    probe.by_host["web"] = 200
    (opened,) = looker.verify(Verification(routes=ROUTES))
    assert opened.what == "https://web.lab.test/ answers 200 without asking for log-in"


@pytest.fixture
def lab(tmp_path: Path) -> BenchLab:
    made = BenchLab(tmp_path / "lab")
    made.compose_file.write_text(made.compose_file.read_text() + "  login:\n    image: login:1\n")
    made.compose.up("media", ())
    made.docker.calls.clear()
    return made


def adding(lab: BenchLab, image: str = "app:1") -> Draft:
    """Adds app, and rules that the log-in reads when it starts."""
    draft = lab.add_draft(image)
    rules = FileEdit("media/login/rules.yml", None, "rules: []\n")
    restart = EngineAction(ActionKind.RESTART, "It reads its files only when it starts.", "media", ("login",))
    return replace(
        draft,
        edits=(*draft.edits, rules),
        actions=(*draft.actions, restart),
        also_verify=(Verification("media", ("login",)),),
    )


def test_the_log_in_restarts_once_what_is_new_runs(lab: BenchLab) -> None:
    status = lab.apply(adding(lab))
    assert status.state is PlanState.DONE, status
    assert lab.docker.calls[-2:] == ["up media app", "restart media login"]
    assert [e.what for e in status.evidence][:2] == ["app is healthy", "login is healthy"]


def test_a_service_that_fails_at_once_is_taken_back_without_a_restart_of_the_log_in(lab: BenchLab) -> None:
    status = lab.apply(adding(lab, "exit:1"))
    assert status.state is PlanState.ROLLED_BACK, status
    assert not [call for call in lab.docker.calls if call.startswith("restart")]


def test_who_read_the_files_of_a_plan_reads_those_from_before_when_it_is_taken_back(lab: BenchLab) -> None:
    lab.docker.containers_now["t"] = replace(
        next(iter(lab.docker.containers_now.values())), id="t", stack="core", service="traefik", image="traefik:v3"
    )
    draft = replace(adding(lab), also_verify=(Verification("media", ("login",)), Verification(routes=ROUTES[:1])))
    lab.probe.statuses = [302, 404]
    status = lab.apply(draft)
    assert status.state is PlanState.ROLLED_BACK, status
    assert "served before this plan" in status.error
    assert [call for call in lab.docker.calls if call.startswith("restart")] == ["restart media login"] * 2
    assert "login of media read its files again" in [e.what for e in status.evidence]
    assert not (lab.root / "media/login/rules.yml").exists()


def failed(lab: BenchLab) -> str:
    """A plan whose roll-back failed."""

    def lose(verb: str) -> None:
        if verb == "up" and not lab.compose.fail:
            lab.docker.containers_now.clear()
            lab.compose.fail = {"up"}

    lab.compose.before = lose
    plan = lab.plan(lab.change_draft("web:3"))
    assert lab.applier.run(plan.id).state is PlanState.FAILED
    lab.compose.fail, lab.compose.before = set(), lambda verb: None
    return plan.id


def test_nothing_is_built_on_a_failed_roll_back_until_it_is_put_right_or_a_person_says_so(lab: BenchLab) -> None:
    waiting = lab.plan(lab.add_draft())
    plan_id = failed(lab)
    for attempt in (lambda: lab.plan(lab.change_draft("web:2")), lambda: lab.applier.run(waiting.id)):
        with pytest.raises(PlanRefused) as told:
            attempt()
        assert told.value.code in {"rollback_unsettled", "plan_stale"}
    with pytest.raises(PlanRefused) as told:
        lab.plan(lab.change_draft("web:2"))
    assert (told.value.code, told.value.details["stacks"]) == ("rollback_unsettled", ["media"])
    assert "homelab-mcp recover" in told.value.hint and plan_id in told.value.hint
    elsewhere = Draft("change", "Else", (FileEdit("other/compose.yaml", None, "services: {}\n"),), (), target="else")
    lab.plan(elsewhere)

    with pytest.raises(NotFound):
        lab.recovery.accept("0" * 32, "bob")
    lab.recovery.accept(plan_id, "bob")
    assert lab.journal.entries()[-1]["event"] == "rollback_accepted"
    lab.compose.up("media", ())
    assert lab.apply(lab.change_draft("web:2")).state is PlanState.DONE
    assert lab.recovery.recover(retry_failed=True) == [], "what a person took as it is is not tried again"


def test_a_recovery_that_works_ends_it_too(lab: BenchLab) -> None:
    failed(lab)
    (report,) = lab.recovery.recover(retry_failed=True)
    assert report.outcome is PlanState.ROLLED_BACK
    lab.plan(lab.change_draft("web:2"))
