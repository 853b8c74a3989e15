"""The applier over real files, git, journal and plans; Docker is make-believe."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from homelab_mcp.model.errors import JournalUnwritable, LabLocked, NotFound, PlanRefused
from homelab_mcp.model.plan import PlanState, PlanStatus, Risk, RiskReason, RouteCheck
from tests.unit.workflow.bench_lab import OLD, PIN, SECRET, BenchLab
from tests.unit.workflow.fakes import FakeContainer


@pytest.fixture
def lab(tmp_path: Path) -> BenchLab:
    return BenchLab(tmp_path / "lab")


def refusal(lab: BenchLab, plan_id: str) -> PlanRefused:
    with pytest.raises(PlanRefused) as caught:
        lab.applier.run(plan_id)
    return caught.value


def test_an_approved_plan_is_applied_verified_committed_and_journalled(lab: BenchLab) -> None:
    seen: list[PlanStatus] = []
    plan = lab.plan(lab.add_draft())
    status = lab.applier.run(plan.id, seen.append)
    assert status.state is PlanState.DONE, status
    assert [e.what for e in status.evidence] == ["app is healthy"]
    assert lab.docker.calls == ["create network traefik-network", "pull media app", "up media app"]
    assert "image: app:1" in lab.compose_file.read_text()
    assert (lab.root / "media/app/data").is_dir()
    assert (lab.root / "media/app/config/users_database.yml").stat().st_mode & 0o777 == 0o600
    assert lab.plans.status(plan.id) == status
    assert lab.events() == ["plan_made", "approved", "apply_begin", "apply_done"]
    assert lab.journal.verify() == ""
    newest, found = lab.history.log(5)[:2]
    assert newest.id == status.commit
    assert newest.paths == ("media/app/config/app.conf", "media/compose.yaml")
    assert plan.id in newest.message
    assert found.paths == ("media/compose.yaml",), "what was there before is a commit of its own"
    assert [s.step for s in seen][-2:] == ["verified", ""]


@pytest.mark.parametrize("image", ["crash:1", "exit:1", "sick:1", "nowhere:1"])
def test_a_service_that_does_not_hold_is_rolled_back_to_the_last_byte(lab: BenchLab, image: str) -> None:
    lab.docker.log_line = f"\x1b[31mcannot log in with {SECRET}\x1b[0m"
    files, containers, networks = lab.visible(), dict(lab.docker.containers_now), set(lab.docker.networks_now)
    status = lab.apply(lab.add_draft(image))
    assert status.state is PlanState.ROLLED_BACK, status
    assert lab.visible() == files
    assert not (lab.root / "media/app").exists(), "folders that were made are gone"
    assert lab.docker.containers_now == containers
    assert lab.docker.networks_now == networks
    assert lab.events()[-1] == "rolled_back"
    text = " ".join(f"{e.what} {e.detail}" for e in status.evidence)
    expected = {
        "crash:1": "crash-loops",
        "exit:1": "exited with code 3",
        "sick:1": "unhealthy",
        "nowhere:1": "manifest",
    }
    assert expected[image] in text
    assert SECRET not in text
    assert "\x1b" not in text


def test_a_failed_change_brings_the_old_version_back(lab: BenchLab) -> None:
    before = lab.docker.running()
    status = lab.apply(lab.change_draft("exit:2"))
    assert status.state is PlanState.ROLLED_BACK
    assert lab.docker.running() == before
    assert "web of media runs again as before" in [e.what for e in status.evidence]
    assert lab.history.log(5) == [], "git gets only what held"


def test_a_failed_pull_stops_nothing(lab: BenchLab) -> None:
    old = dict(lab.docker.containers_now)
    assert lab.apply(lab.change_draft("nowhere:2")).state is PlanState.ROLLED_BACK
    assert lab.docker.calls == ["pull media web"], "no container was asked to stop or start"
    assert lab.docker.containers_now == old


def test_a_removal_happens_while_the_file_still_names_the_service(lab: BenchLab) -> None:
    from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Verification

    assert lab.apply(lab.add_draft()).state is PlanState.DONE
    now = lab.compose_file.read_text()
    draft = Draft(
        "remove_service",
        "Remove app",
        (FileEdit("media/compose.yaml", now, OLD),),
        (EngineAction(ActionKind.REMOVE, "asked", "media", ("app",)),),
        Verification("media", gone=("app",)),
        target="app",
    )
    status = lab.apply(draft)
    assert status.state is PlanState.DONE, status
    assert set(lab.docker.running()) == {"web"}


@pytest.mark.parametrize("verb", ["pull", "up"])
def test_a_docker_that_goes_away_meanwhile_and_returns_leaves_the_lab_as_before(lab: BenchLab, verb: str) -> None:
    files, containers = lab.visible(), lab.docker.running()

    def stop(asked: str) -> None:
        if asked == verb and not stopped:
            stopped.append(asked)
            lab.docker.down_for = 20

    stopped: list[str] = []
    lab.compose.before = stop
    assert lab.apply(lab.change_draft("web:2")).state is PlanState.ROLLED_BACK
    assert (lab.visible(), lab.docker.running()) == (files, containers)


def test_a_roll_back_that_fails_is_told_once_and_not_repeated(lab: BenchLab) -> None:
    lab.compose.fail = {"up"}
    status = lab.apply(lab.change_draft("web:2"))
    # The old container was never touched, so there was nothing to bring back and the roll-back holds.
    assert status.state is PlanState.ROLLED_BACK
    lab.compose.fail = set()

    def lose(verb: str) -> None:
        if verb == "up" and not lab.compose.fail:
            lab.docker.containers_now.clear()
            lab.compose.fail = {"up"}

    lab.compose.before = lose
    lab.docker.calls.clear()
    status = lab.apply(lab.change_draft("web:3"))
    assert status.state is PlanState.FAILED
    assert lab.docker.calls.count("up media web") == 2, "the apply's and one of the roll-back"
    last = lab.journal.entries()[-1]
    assert (last["event"], last["data"]["severity"]) == ("rollback_failed", "CRITICAL")
    assert lab.recovery.recover() == []


def test_a_failed_roll_back_is_tried_again_when_a_person_asks(lab: BenchLab) -> None:
    before = lab.docker.running()

    def lose(verb: str) -> None:
        if verb == "up" and not lab.compose.fail:
            lab.docker.containers_now.clear()
            lab.compose.fail = {"up"}

    lab.compose.before = lose
    assert lab.apply(lab.change_draft("web:3")).state is PlanState.FAILED
    lab.compose.before, lab.compose.fail = (lambda verb: None), set()
    (report,) = lab.recovery.recover(retry_failed=True)
    assert report.outcome is PlanState.ROLLED_BACK
    assert lab.docker.running() == before
    assert lab.recovery.recover(retry_failed=True) == []


def test_an_edit_by_hand_during_the_apply_is_never_overwritten(lab: BenchLab) -> None:
    def edit(verb: str) -> None:
        if verb == "up":
            lab.compose_file.write_text("# mine\n" + lab.compose_file.read_text())

    lab.compose.before = edit
    lab.compose.fail = {"up"}
    status = lab.apply(lab.change_draft("web:2"))
    assert status.state is PlanState.FAILED
    assert lab.compose_file.read_text().startswith("# mine\n")
    assert any("edited by someone" in e.what for e in status.evidence)


def test_a_plan_is_refused_when_unknown_not_approved_used_expired_or_declined(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab", pin=True)
    for bad in ("0" * 32, "../../etc/passwd", "", "x" * 32, "0" * 32 + "\n"):
        with pytest.raises(NotFound):
            lab.applier.run(bad)
    plan = lab.plan(lab.add_draft(), approve=False)
    assert refusal(lab, plan.id).code == "plan_not_approved"
    lab.approvals.out_of_band(plan.id, PIN, who="me", approved=True)
    assert lab.applier.run(plan.id).state is PlanState.DONE
    assert refusal(lab, plan.id).code == "plan_used"
    declined = lab.plan(lab.change_draft("web:2"), approve=False)
    lab.approvals.out_of_band(declined.id, PIN, who="me", approved=False, reason="no")
    assert refusal(lab, declined.id).code == "plan_declined"
    late = lab.plan(lab.change_draft("web:2"))
    lab.clock.wall += 900
    assert refusal(lab, late.id).code == "plan_expired"


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 31e6, -31e6])
def test_a_jump_of_the_clock_never_lengthens_a_plan(lab: BenchLab, jump: float) -> None:
    plan = lab.plan(lab.change_draft("web:2"))
    lab.clock.wall += jump
    assert refusal(lab, plan.id).code == "plan_expired"


def test_an_approval_for_one_plan_is_worth_nothing_for_another(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab", pin=True)
    first = lab.plan(lab.add_draft(), approve=False)
    given = lab.approvals.out_of_band(first.id, PIN, who="me", approved=True)
    second = lab.plan(lab.change_draft("web:2"), approve=False)
    for forged in (
        replace(given, plan_id=second.id),
        replace(given, plan_id=second.id, digest=second.digest),
        replace(given, plan_id=second.id, digest=second.digest, signature=""),
    ):
        lab.plans.set_approval(forged)
        assert refusal(lab, second.id).code == "plan_not_approved"


def test_a_declined_answer_turned_into_a_yes_does_not_hold(tmp_path: Path) -> None:
    lab = BenchLab(tmp_path / "lab", pin=True)
    plan = lab.plan(lab.add_draft(), approve=False)
    no = lab.approvals.out_of_band(plan.id, PIN, who="me", approved=False)
    lab.plans.set_approval(replace(no, approved=True))
    assert refusal(lab, plan.id).code == "plan_not_approved"


def test_a_high_risk_plan_takes_no_dialog_even_when_its_record_was_planted(tmp_path: Path) -> None:
    from homelab_mcp.model.plan import Approval, ApprovalKind

    lab = BenchLab(tmp_path / "lab", pin=True)
    draft = replace(lab.add_draft(), risks=(RiskReason(Risk.HIGH, "Exposes a port."),))
    plan = lab.plan(draft, approve=False)
    with pytest.raises(PlanRefused):
        lab.approvals.dialog(plan, "app", "test")
    planted = Approval(plan.id, plan.digest, ApprovalKind.CLIENT_DIALOG, True, "client", lab.clock.now())
    lab.plans.set_approval(planted)
    assert refusal(lab, plan.id).code == "plan_not_approved"


def test_every_observed_part_that_moves_makes_the_plan_stale(lab: BenchLab) -> None:
    web = next(iter(lab.docker.containers_now.values()))

    def recreated() -> None:
        del lab.docker.containers_now[web.id]
        lab.docker.containers_now["other"] = replace(web, id="other")

    moves: dict[str, Callable[[], object]] = {
        "media/compose.yaml": lambda: lab.compose_file.write_text(OLD + "\n"),
        "media/.env": lambda: lab.env_file.write_text("TZ=Europe/Paris\n"),
        "homelab.yaml": lambda: (lab.root / "homelab.yaml").write_text("domain: a.test\n"),
        "media/web appeared": lambda: None,
        "media/web id": recreated,
        "media/web config": lambda: setattr(web, "config_hash", "f" * 12),
        "media/web state": lambda: setattr(web, "state", "paused"),
        "media/web gone": lambda: lab.docker.containers_now.clear(),
    }
    for name, move in moves.items():
        kept_files = {p: p.read_bytes() for p in (lab.compose_file, lab.env_file)}
        kept = {k: replace(c) for k, c in lab.docker.containers_now.items()}
        plan = lab.plan(lab.change_draft("web:2"))
        move()
        if name == "media/web appeared":
            lab.docker.containers_now["twin"] = FakeContainer("twin", "media", "web", "web:1", "x")
        error = refusal(lab, plan.id)
        assert error.code == "plan_stale", name
        assert name.split(" ")[0] in str(error.details["changed"])
        for path, data in kept_files.items():
            path.write_bytes(data)
        (lab.root / "homelab.yaml").unlink(missing_ok=True)
        lab.docker.containers_now = kept
        web = kept[web.id]


def test_time_health_and_a_crash_loops_flicker_make_no_plan_stale(lab: BenchLab) -> None:
    web = next(iter(lab.docker.containers_now.values()))
    plan = lab.plan(lab.change_draft("web:2"))
    lab.clock.sleep(300)
    web.restarts += 4
    web.state = "restarting"
    assert lab.applier.check(plan.id).id == plan.id


def test_of_two_plans_on_one_file_the_second_turns_stale(lab: BenchLab) -> None:
    first, second = lab.plan(lab.add_draft()), lab.plan(lab.change_draft("web:2"))
    assert lab.applier.run(first.id).state is PlanState.DONE
    error = refusal(lab, second.id)
    assert error.code == "plan_stale"
    assert "file media/compose.yaml changed" in error.details["changed"]
    assert "app:1" in lab.compose_file.read_text()


def test_while_another_holds_the_lock_nothing_begins(lab: BenchLab) -> None:
    plan = lab.plan(lab.add_draft())
    files = lab.visible()
    with lab.lock.hold("apply of somebody else"), pytest.raises(LabLocked, match="somebody else"):
        lab.applier.run(plan.id)
    assert lab.visible() == files
    assert lab.applier.run(plan.id).state is PlanState.DONE


def test_a_queued_plan_that_is_refused_says_so_in_its_status(lab: BenchLab) -> None:
    plan = lab.plan(lab.add_draft())
    lab.plans.set_status(plan.id, PlanStatus(PlanState.QUEUED))
    lab.compose_file.write_text(OLD + "# hand\n")
    refusal(lab, plan.id)
    status = lab.plans.status(plan.id)
    assert (status.state, status.error_code) == (PlanState.EXPIRED, "plan_stale")


def test_without_a_journal_nothing_changes(lab: BenchLab) -> None:
    plan = lab.plan(lab.add_draft())
    files = lab.visible()
    journal = lab.root / ".homelab" / "journal.jsonl"
    journal.rename(journal.with_suffix(".kept"))
    journal.mkdir()
    with pytest.raises(JournalUnwritable):
        lab.applier.run(plan.id)
    assert lab.visible() == files
    assert lab.docker.calls == []


def test_no_secret_is_in_the_journal_the_status_the_diff_or_any_git_object(lab: BenchLab) -> None:
    from homelab_mcp.core.diff import unified
    from homelab_mcp.core.plan_codec import status_to_json

    lab.docker.log_line = f"password is {SECRET}"
    outputs = []
    for image in ("exit:1", "app:1"):
        draft = lab.add_draft(image)
        outputs += [status_to_json(lab.apply(draft)), unified(draft.edits, draft.secrets)]
    outputs.append((lab.root / ".homelab/journal.jsonl").read_text())
    objects = subprocess.run(
        ["git", "-C", str(lab.root), "cat-file", "--batch-all-objects", "--batch"], capture_output=True, check=True
    )
    outputs.append(objects.stdout.decode("utf-8", "replace"))
    assert "app.conf" in outputs[-1], "the search looks at something"
    assert not [o for o in outputs if SECRET in o]
    assert SECRET in lab.env_file.read_text()


def test_a_route_is_probed_only_where_traefik_runs(lab: BenchLab) -> None:
    route = RouteCheck("app", "app.lab.test")
    status = lab.apply(lab.add_draft(routes=(route,)))
    assert status.state is PlanState.DONE
    assert status.evidence[-1].detail == "no Traefik runs in this lab"
    assert lab.probe.asked == []


def test_a_route_that_does_not_answer_rolls_back(lab: BenchLab) -> None:
    lab.docker.containers_now["t"] = FakeContainer("t", "core", "traefik", "docker.io/library/traefik:v3.1", "x")
    lab.probe.statuses = [404]
    files = lab.visible()
    status = lab.apply(lab.add_draft(routes=(RouteCheck("app", "app.lab.test"),)))
    assert status.state is PlanState.ROLLED_BACK
    assert "https://app.lab.test/ answers 404" in [e.what for e in status.evidence]
    assert lab.visible() == files


def test_without_docker_files_are_written_and_committed_and_actions_are_refused(lab: BenchLab) -> None:
    from homelab_mcp.model.plan import Verification
    from homelab_mcp.workflow.applier import Applier

    parts = lab.applier
    alone = Applier(
        files=parts.files,
        history=parts.history,
        journal=parts.journal,
        plans=parts.plans,
        approver=parts.approver,
        lock=parts.lock,
        clock=parts.clock,
        engine=None,
        compose=None,
        verifier=None,
    )
    with pytest.raises(PlanRefused) as caught:
        alone.run(lab.plan(lab.add_draft()).id)
    assert caught.value.code == "plan_needs_docker"
    draft = replace(lab.add_draft(), actions=(), verification=Verification())
    status = alone.run(lab.plan(draft).id)
    assert (status.state, bool(status.commit)) == (PlanState.DONE, True)
    assert "app:1" in lab.compose_file.read_text()
    assert lab.docker.calls == []
