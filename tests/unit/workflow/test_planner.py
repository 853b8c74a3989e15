"""What becomes a plan, and what is refused before it can."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from homelab_mcp.model.errors import InvalidInput, PlanRefused
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, Plan, Requester, Risk
from homelab_mcp.workflow.plan_view import FINDINGS_LIMIT
from homelab_mcp.workflow.planner import Lint
from tests.unit.workflow.bench_lab import OLD, SECRET, BenchLab, no_findings


@pytest.fixture
def lab(tmp_path: Path) -> BenchLab:
    return BenchLab(tmp_path / "lab")


def make(lab: BenchLab, draft: Draft, lint: Lint = no_findings) -> Plan:
    return lab.planner.make(draft, lab.planner.snapshot(containers=True), Requester("cli"), lint)


def test_a_plan_changes_nothing_and_expires_in_a_quarter_of_an_hour(lab: BenchLab) -> None:
    files = lab.visible()
    plan = make(lab, lab.add_draft())
    assert lab.visible() == files
    assert lab.docker.calls == []
    assert plan.expires - plan.created == 900
    assert plan.risk is Risk.MEDIUM
    assert lab.plans.get(plan.id) == plan
    assert set(plan.fingerprint) >= {"file:media/compose.yaml", "file:media/.env", "file:homelab.yaml"}
    assert plan.fingerprint["container:media/app"] == "absent"


def test_a_draft_that_changes_nothing_is_refused(lab: BenchLab) -> None:
    from homelab_mcp.model.plan import FileEdit

    draft = Draft("x", "x", (FileEdit("media/compose.yaml", OLD, OLD),), ())
    with pytest.raises(InvalidInput) as caught:
        make(lab, draft)
    assert caught.value.code == "nothing_to_do"


def test_a_restart_alone_is_a_low_risk_plan(lab: BenchLab) -> None:
    draft = Draft("restart", "Restart web", (), (EngineAction(ActionKind.RESTART, "asked", "media", ("web",)),))
    assert make(lab, draft).risk is Risk.LOW


def test_errors_that_the_draft_brings_refuse_it_and_older_ones_are_only_told(lab: BenchLab) -> None:
    def lint(
        stacks: Sequence[StackFiles], networks: Collection[str], edits: Sequence[FileEdit], **_: object
    ) -> Sequence[Finding]:
        text = stacks[0].compose_text
        old = [Finding("old", Severity.ERROR, "was there", "media/compose.yaml", line=text.count("\n"))]
        return [*old, Finding("new", Severity.ERROR, "brought in")] if "app:" in text else old

    made = make(lab, lab.change_draft("web:2"), lint)
    assert made.findings == ()
    assert "The lab has 1 error that this plan does not bring in: homelab-mcp validate." in made.draft.notes
    with pytest.raises(InvalidInput) as caught:
        make(lab, lab.add_draft(), lint)
    assert caught.value.code == "lint_refused"
    assert [f["rule"] for f in caught.value.details["findings"]] == ["new"]


def test_a_new_warning_is_shown_however_many_the_lab_had(lab: BenchLab) -> None:
    def lint(
        stacks: Sequence[StackFiles], networks: Collection[str], edits: Sequence[FileEdit], **_: object
    ) -> Sequence[Finding]:
        old = [
            Finding("old", Severity.WARNING, f"was there {n}", "media/compose.yaml") for n in range(3 * FINDINGS_LIMIT)
        ]
        new = Finding("new", Severity.WARNING, "brought in", "media/compose.yaml")
        return [*old, new] if "app:" in stacks[0].compose_text else old

    made = make(lab, lab.add_draft(), lint)
    assert [f.rule for f in made.findings] == ["new"]
    assert f"The lab has {3 * FINDINGS_LIMIT} warnings that this plan does not bring in" in str(made.draft.notes)


def test_an_edited_override_file_is_linted_as_it_would_be(lab: BenchLab) -> None:
    path = "media/compose.override.yaml"
    seen: list[tuple[tuple[str, str], ...]] = []

    def lint(
        stacks: Sequence[StackFiles], networks: Collection[str], edits: Sequence[FileEdit], **_: object
    ) -> Sequence[Finding]:
        seen.extend(s.others for s in stacks if s.name == "media")
        return ()

    make(lab, Draft("x", "x", (FileEdit(path, None, "services: {}\n"),), ()), lint)
    assert seen == [(), ((path, "services: {}\n"),)]


def test_the_linter_sees_the_lab_as_it_would_be(lab: BenchLab) -> None:
    from homelab_mcp.model.plan import FileEdit

    seen: list[dict[str, str]] = []

    def lint(
        stacks: Sequence[StackFiles], networks: Collection[str], edits: Sequence[FileEdit], **_: object
    ) -> Sequence[Finding]:
        seen.append({s.name: s.env_text for s in stacks})
        return ()

    edits = (
        FileEdit("new/compose.yaml", None, "services: {a: {image: b}}\n"),
        FileEdit("new/.env", None, "A='1'\n", 0o600, True),
    )
    make(lab, Draft("x", "x", edits, ()), lint)
    make(lab, Draft("x", "x", (FileEdit("media/compose.yaml", OLD, None),), ()), lint)
    assert seen == [
        {"media": "TZ=Etc/UTC\n"},
        {"media": "TZ=Etc/UTC\n", "new": "A='1'\n"},
        {"media": "TZ=Etc/UTC\n"},
        {},
    ]


def test_composes_own_refusal_is_told_in_its_words_without_secrets(lab: BenchLab) -> None:
    lab.compose.refuses = f"services.app.ports must be a list, near {SECRET}"
    with pytest.raises(InvalidInput, match="must be a list") as caught:
        make(lab, lab.add_draft())
    assert caught.value.code == "compose_refused"
    assert SECRET not in str(caught.value)


def test_a_file_that_moved_since_it_was_read_makes_no_plan(lab: BenchLab) -> None:
    draft = lab.add_draft()
    lab.compose_file.write_text(OLD + "# by hand\n")
    with pytest.raises(PlanRefused) as caught:
        make(lab, draft)
    assert caught.value.code == "plan_stale"


def test_a_plan_whose_files_move_while_it_is_judged_is_stale_from_the_start(lab: BenchLab) -> None:
    def judge(
        stacks: Sequence[StackFiles], networks: Collection[str], edits: Sequence[FileEdit], **_: object
    ) -> Sequence[Finding]:
        lab.compose_file.write_text(OLD + "# another client's apply\n")
        return ()

    plan = lab.planner.make(lab.change_draft("web:2"), lab.planner.snapshot(containers=True), Requester("mcp"), judge)
    lab.approvals.dialog(plan, "web", "test")
    with pytest.raises(PlanRefused) as caught:
        lab.applier.run(plan.id)
    assert caught.value.code == "plan_stale", "nothing was begun, so nothing was rolled back"
    assert "apply_begin" not in lab.events()


def test_a_file_that_is_only_watched_and_moved_since_the_snapshot_makes_no_plan(lab: BenchLab) -> None:
    seen = lab.planner.snapshot(containers=True)
    lab.env_file.write_text("TZ=Europe/Paris\n")
    with pytest.raises(PlanRefused) as caught:
        lab.planner.make(lab.change_draft("web:2"), seen, Requester("mcp"), no_findings)
    assert caught.value.code == "plan_stale"


def test_a_secret_in_a_file_that_goes_to_git_is_refused(lab: BenchLab) -> None:
    draft = lab.add_draft()
    leaky = replace(draft.edits[0], after=(draft.edits[0].after or "") + f"# {SECRET}\n")
    with pytest.raises(InvalidInput) as caught:
        make(lab, replace(draft, edits=(leaky, *draft.edits[1:])))
    assert caught.value.code == "secret_in_public_file"
    assert SECRET not in caught.value.as_text()


def test_without_docker_the_plan_says_what_it_did_not_see(lab: BenchLab) -> None:
    lab.docker.down_for = 1
    snapshot = lab.planner.snapshot(containers=True)
    assert (snapshot.containers, bool(snapshot.engine_error)) == (None, True)
    plan = lab.planner.make(lab.add_draft(), snapshot, Requester("cli"), no_findings)
    assert any("without seeing the containers" in note for note in plan.draft.notes)
    assert not [k for k in plan.fingerprint if k.startswith("container:")]


@pytest.fixture
def wide(tmp_path: Path) -> BenchLab:
    """The stack ``media`` with an override file, an included file with its own env file, an extended one, env files."""
    lab = BenchLab(tmp_path / "lab")
    lab.compose_file.write_text(
        "include: [more/compose.yaml]\nservices:\n  web:\n    image: web:1\n    env_file: [web.env, {path: opt.env,"
        " required: false}]\n    extends: {file: base.yaml, service: base}\n"
    )
    folder = lab.compose_file.parent
    (folder / "more").mkdir()
    (folder / "compose.override.yaml").write_text("services:\n  web:\n    label_file: web.labels\n")
    (folder / "more/compose.yaml").write_text("services:\n  side:\n    image: side:1\n    env_file: side.env\n")
    (folder / "base.yaml").write_text("services:\n  base:\n    image: base:1\n")
    for name in ("web.env", "web.labels", "more/side.env", "more/.env", "other.txt"):
        (folder / name).write_text("A=1\n")
    return lab


@pytest.mark.parametrize(
    ("path", "stale"),
    [
        ("media/compose.override.yaml", True),
        ("media/compose.override.yml", True),
        ("media/more/compose.yaml", True),
        ("media/more/.env", True),
        ("media/more/side.env", True),
        ("media/base.yaml", True),
        ("media/web.env", True),
        ("media/opt.env", True),
        ("media/web.labels", True),
        ("global.env", True),
        ("media/other.txt", False),
        ("media/docker-compose.yml", False),
        ("books/compose.yaml", False),
    ],
)
def test_every_file_that_compose_reads_for_the_stack_makes_the_plan_stale(
    wide: BenchLab, path: str, stale: bool
) -> None:
    plan = wide.plan(wide.change_draft("web:2"))
    wide.applier.check(plan.id)
    target = wide.root / path
    target.parent.mkdir(exist_ok=True)
    target.write_text("services: {}\n# changed\n" if path.endswith("ml") else "A=2\n")
    if not stale:
        wide.applier.check(plan.id)
        return
    with pytest.raises(PlanRefused) as caught:
        wide.applier.check(plan.id)
    assert caught.value.code == "plan_stale"
    assert path in str(caught.value.details["changed"])


@pytest.mark.parametrize(
    ("kind", "path", "stale"),
    [
        (ActionKind.STANDBY_SYNC, "hosts.yaml", True),
        (ActionKind.STANDBY_START, "hosts.yaml", True),
        (ActionKind.STANDBY_STOP, "hosts.yaml", True),
        (ActionKind.NODE_JOIN, "hosts.yaml", True),
        (ActionKind.NODE_DRAIN, "hosts.yaml", False),
        (ActionKind.STANDBY_SYNC, "media/compose.yaml", True),
        (ActionKind.STANDBY_STOP, "media/.env", True),
        (ActionKind.STANDBY_START, "media/base.yaml", True),
    ],
)
def test_what_goes_to_another_host_holds_to_that_hosts_address_and_to_what_is_brought(
    wide: BenchLab, kind: ActionKind, path: str, stale: bool
) -> None:
    (wide.root / "hosts.yaml").write_text("hosts: {nas: {address: 'ssh://root@nas.lan'}}\n")
    services = ("media",) if kind.startswith("standby") else ()
    draft = Draft("x", "x", (), (EngineAction(kind, "why", services=services, name="nas"),), target="nas")
    plan = wide.plan(draft)
    wide.applier.check(plan.id)
    (wide.root / path).write_text(f"{(wide.root / path).read_text()}# changed\n")
    if not stale:
        wide.applier.check(plan.id)
        return
    with pytest.raises(PlanRefused) as caught:
        wide.applier.check(plan.id)
    assert (caught.value.code, path in str(caught.value.details["changed"])) == ("plan_stale", True)


def test_a_compose_file_that_others_belong_to_is_not_deleted_alone(wide: BenchLab) -> None:
    old = wide.compose_file.read_text()
    draft = replace(wide.change_draft("web:2"), edits=(FileEdit("media/compose.yaml", old, None),))
    with pytest.raises(InvalidInput) as caught:
        make(wide, draft)
    assert caught.value.code == "more_files"
    assert "media/compose.override.yaml" in caught.value.message


def test_a_compose_file_that_only_extends_others_goes_without_them(lab: BenchLab) -> None:
    (lab.root / "shared").mkdir()
    (lab.root / "shared/base.yaml").write_text("services:\n  site:\n    image: web:1\n")
    text = "services:\n  web: {extends: {file: ../shared/base.yaml, service: site}}\n"
    lab.compose_file.write_text(text)
    gone = replace(lab.change_draft("web:2"), edits=(FileEdit("media/compose.yaml", text, None),))
    assert make(lab, gone).draft.edits[0].after is None
    text = "include: [../shared/base.yaml]\n" + text
    lab.compose_file.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        make(lab, replace(gone, edits=(FileEdit("media/compose.yaml", text, None),)))
    assert caught.value.code == "more_files"


def test_what_a_moved_service_had_before_it_brings_along(lab: BenchLab) -> None:
    def lint(
        stacks: Sequence[StackFiles], networks: Collection[str], edits: Sequence[FileEdit], **_: object
    ) -> Sequence[Finding]:
        holders = [s.compose_path for s in stacks if "  web:" in s.compose_text]
        return [Finding("old", Severity.ERROR, "was there", path, service="web") for path in holders]

    apps = "services:\n  web:\n    image: web:1\n"
    moved = (FileEdit("media/compose.yaml", OLD, None), FileEdit("apps/compose.yaml", None, apps))
    made = make(lab, Draft("move", "Move web", moved, ()), lint)
    assert made.findings == ()
    assert "The lab has 1 error that" in str(made.draft.notes)
    copied = Draft("copy", "Copy web", moved[1:], ())
    with pytest.raises(InvalidInput) as caught:
        make(lab, copied, lint)
    assert caught.value.code == "lint_refused"


def test_a_roll_back_to_a_file_with_an_error_is_a_risk_and_not_refused(lab: BenchLab) -> None:
    """A lab is taken over with its errors: who has one mended, or its service removed, can take that back."""

    def lint(
        stacks: Sequence[StackFiles], networks: Collection[str], edits: Sequence[FileEdit], **_: object
    ) -> Sequence[Finding]:
        return [Finding("old", Severity.ERROR, "bad", s.compose_path) for s in stacks if "web:1" in s.compose_text]

    mended = OLD.replace("web:1", "web:2")
    lab.compose_file.write_text(mended)
    back = replace(lab.change_draft("web:1"), edits=(FileEdit("media/compose.yaml", mended, OLD),), risks=())
    plan = make(lab, replace(back, operation="rollback"), lint)
    assert plan.risk is Risk.HIGH
    assert "Brings back 1 error(s) that come with those files: media/compose.yaml" in plan.reasons[0]
    for wrong in (back, replace(back, operation="rollback")):

        def elsewhere(stacks: Sequence[StackFiles], *_: object, **__: object) -> Sequence[Finding]:
            return [
                Finding("new", Severity.ERROR, "bad", "core/compose.yaml") for s in stacks if "web:1" in s.compose_text
            ]

        with pytest.raises(InvalidInput) as caught:
            make(lab, wrong, lint if wrong is back else elsewhere)
        assert caught.value.code == "lint_refused"


def test_a_roll_back_that_takes_the_log_in_away_is_of_high_risk(lab: BenchLab) -> None:
    """The way back from "put it behind the log-in" opens it again: no client's dialog approves that."""
    (lab.root / "homelab.yaml").write_text("domain: lab.test\n")
    router = "    labels:\n      traefik.http.routers.web.rule: Host(`web.lab.test`)\n"
    login = "      traefik.http.routers.web.middlewares: authelia@docker\n"
    lab.compose_file.write_text(OLD + router + login)
    draft = replace(
        lab.change_draft("web:1"),
        operation="rollback",
        edits=(FileEdit("media/compose.yaml", OLD + router + login, OLD + router),),
        risks=(),
    )
    plan = make(lab, draft)
    assert plan.risk is Risk.HIGH
    assert any("is reached without the lab's log-in" in reason for reason in plan.reasons)
    with pytest.raises(PlanRefused) as caught:
        lab.approvals.dialog(plan, "web", "test")
    assert caught.value.details["cause"] == "dialog_not_enough"
    kept = make(lab, replace(draft, edits=(FileEdit("media/compose.yaml", OLD + router + login, OLD + login),)))
    assert kept.risk is Risk.MEDIUM


def test_a_plan_that_changes_an_image_says_what_becomes_of_its_data(lab: BenchLab) -> None:
    def told(text: str) -> bool:
        lab.compose_file.write_text(text)
        return any("make a backup first" in note for note in make(lab, lab.change_draft("web:2")).draft.notes)

    assert told(OLD + "    volumes: ['./web/data:/data']\n")
    assert told(OLD + "    volumes: [{type: volume, source: data, target: /data}]\nvolumes:\n  data:\n")
    assert not told(OLD + "    volumes: ['./web/conf:/conf:ro']\n")
    assert not told(OLD)
    lab.compose_file.write_text(OLD)
    added = make(lab, lab.add_draft())
    assert not any("backup" in note for note in added.draft.notes)
