"""What people change by hand is found, adopted or taken back by a plan, and never lost."""

from __future__ import annotations

import random
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from homelab_mcp.adapters.vault import Vault
from homelab_mcp.core.drift import ContainerDrift, DriftWord, FileWord, differences, drift_of
from homelab_mcp.model.errors import EngineFailed, HomelabError, InvalidInput, NotFound
from homelab_mcp.model.observed import ContainerMake, ContainerState, PublishedPort
from homelab_mcp.model.plan import FileEdit, PlanState, Risk
from homelab_mcp.queries.review import Review, review
from tests.unit.workflow.bench_as_lab import BenchAsLab
from tests.unit.workflow.bench_lab import OLD, SECRET, BenchLab
from tests.unit.workflow.fakes import FakeContainer

EDITED = "# by hand\nservices:\n  web:\n    image: web:2\n"


@pytest.fixture
def lab(tmp_path: Path) -> BenchAsLab:
    found = BenchAsLab(BenchLab(tmp_path / "lab", pin=True))
    found.commit_all()
    return found


def look(lab: BenchAsLab, stack: str = "") -> Review:
    return review(lab, stack)  # type: ignore[arg-type] # a lab without what a review does not ask for


def git(lab: BenchAsLab, *command: str) -> str:
    own = ["git", "-c", "safe.directory=*", "-C", lab.root, *command]
    return subprocess.run(own, capture_output=True, text=True, check=True).stdout


def test_a_lab_as_committed_is_clean(lab: BenchAsLab) -> None:
    found = look(lab)
    assert found.clean, found
    assert found.diff() == ""


def test_an_edited_compose_file_is_found_with_its_diff_and_the_container_that_is_behind(lab: BenchAsLab) -> None:
    lab.bench.compose_file.write_text(EDITED)
    found = look(lab, "media")
    assert [(c.path, c.word) for c in found.files] == [("media/compose.yaml", FileWord.CHANGED)]
    assert "-    image: web:1\n+    image: web:2" in found.diff()
    assert [c.as_line() for c in found.containers] == ["media/web differs: image web:1, file: web:2"]


def test_adopting_it_commits_exactly_it_and_brings_the_container_up(lab: BenchAsLab) -> None:
    lab.bench.compose_file.write_text(EDITED)
    plan = lab.resolve("media", "adopt")
    assert plan.draft.edits == ()
    status = lab.apply(plan)
    assert status.state is PlanState.DONE, status
    assert lab.bench.docker.running()["web"][0] == "web:2"
    assert lab.bench.compose_file.read_text() == EDITED
    assert look(lab).clean
    newest = lab.history.log(1)[0]
    assert newest.paths == ("media/compose.yaml",)
    assert newest.message.startswith("Adopt what was changed by hand in stack media\n")
    assert f"Plan: {plan.id}" in newest.message
    with pytest.raises(InvalidInput, match="already as it was"):
        lab.rollback(plan.id)


def test_undoing_it_keeps_the_hand_made_text_in_git(lab: BenchAsLab) -> None:
    lab.bench.compose_file.write_text(EDITED)
    lab.compose.up("media", ())
    plan = lab.resolve("media", "undo")
    status = lab.apply(plan)
    assert status.state is PlanState.DONE, status
    assert lab.bench.compose_file.read_text() == OLD
    assert lab.bench.docker.running()["web"][0] == "web:1"
    assert look(lab).clean
    assert git(lab, "show", "HEAD~1:media/compose.yaml") == EDITED
    assert git(lab, "log", "-1", "--format=%s", "HEAD~1").startswith("As found before")
    again = lab.rollback(plan.id)
    assert lab.apply(again).state is PlanState.DONE
    assert lab.bench.compose_file.read_text() == EDITED


def test_a_failed_undo_leaves_git_and_files_as_they_were(lab: BenchAsLab) -> None:
    head = git(lab, "rev-parse", "HEAD")
    lab.bench.compose_file.write_text(EDITED)
    lab.compose.up("media", ())
    plan = lab.resolve("media", "undo")
    lab.compose.fail.add("up")
    assert lab.apply(plan).state is not PlanState.DONE
    assert lab.bench.compose_file.read_text() == EDITED
    assert git(lab, "rev-parse", "HEAD") == head, "a hand edit is not committed by a plan that did not hold"
    assert not look(lab).clean


def test_env_files_are_told_by_names_alone_and_never_committed(lab: BenchAsLab) -> None:
    assert lab.apply(lab.bench.plan(lab.bench.add_draft(), approve=False)).state is PlanState.DONE
    assert look(lab).clean
    env = lab.bench.env_file
    before = env.read_text()
    env.write_text(before.replace(SECRET, "another-secret-9") + "EXTRA=another-secret-8\n")
    found = look(lab, "media")
    assert [c.path for c in found.files] == ["media/.env"]
    shown = str(found.as_dict())
    assert "~ APP_PASSWORD (changed, not shown)" in shown
    assert "+ EXTRA (secret, not shown)" in shown
    assert "another-secret" not in shown
    assert SECRET not in shown
    held = env.read_text()
    assert lab.apply(lab.resolve("media", "adopt")).state is PlanState.DONE
    assert look(lab).clean
    assert env.read_text() == held
    env.write_text(held + "LATER=another-secret-7\n")
    undo = lab.resolve("media", "undo")
    assert lab.apply(undo).state is PlanState.DONE
    assert env.read_text() == held
    assert lab.plans.load_undo(undo.id)["media/.env"][0] == held + "LATER=another-secret-7\n"
    assert "another-secret" not in git(lab, "log", "-p", "--all")


def test_without_the_labs_key_nobody_is_said_to_have_changed_an_env_file(lab: BenchAsLab) -> None:
    assert lab.apply(lab.bench.plan(lab.bench.add_draft(), approve=False)).state is PlanState.DONE
    Path(Vault(Path(lab.root)).report().path).unlink()
    found = look(lab)
    assert found.clean, found
    assert any("cannot be told: This lab's key is missing" in note for note in found.notes)


def test_a_secret_that_a_person_wrote_into_a_compose_file_stays_out_of_git(lab: BenchAsLab) -> None:
    lab.bench.env_file.write_text(f"APP_PASSWORD={SECRET}\n")
    lab.bench.compose_file.write_text(OLD + f"    environment: [P={SECRET}]\n")
    assert SECRET not in str(look(lab).as_dict())
    with pytest.raises(InvalidInput) as caught:
        lab.resolve("media", "adopt")
    assert caught.value.code == "secret_in_public_file"
    undo = lab.resolve("media", "undo")
    status = lab.apply(undo)
    assert status.state is PlanState.DONE
    assert any("held a secret" in e.what for e in status.evidence)
    assert SECRET not in git(lab, "log", "-p", "--all")
    assert SECRET in str(lab.plans.load_undo(undo.id)), "and is not lost"


def test_orphans_missing_and_stopped_services_have_their_words(lab: BenchAsLab) -> None:
    docker = lab.bench.docker
    docker.containers_now["x"] = FakeContainer("x", "media", "ghost", "ghost:1", "")
    lab.compose.find("media", "web").state = "exited"  # type: ignore[union-attr] # it is there
    assert [c.as_line() for c in look(lab).containers] == [
        "media/web stopped: exited",
        "media/ghost orphan: container media-ghost-1, which no file knows",
    ]
    with pytest.raises(InvalidInput, match="nothing in stack media to adopt"):
        lab.resolve("media", "adopt")
    plan = lab.resolve("media", "undo")
    assert plan.risk is Risk.HIGH
    assert lab.apply(plan).state is PlanState.DONE
    assert look(lab).clean
    assert "ghost" not in docker.running()
    del docker.containers_now[lab.compose.find("media", "web").id]  # type: ignore[union-attr] # as above
    assert [(c.service, c.word) for c in look(lab).containers] == [("web", DriftWord.MISSING)]
    assert lab.apply(lab.resolve("media", "adopt")).state is PlanState.DONE
    assert look(lab).clean


def test_an_orphan_is_removed_only_once_all_else_has_held(lab: BenchAsLab) -> None:
    lab.bench.docker.containers_now["x"] = FakeContainer("x", "media", "ghost", "ghost:1", "")
    lab.compose.find("media", "web").state = "exited"  # type: ignore[union-attr] # it is there
    plan = lab.resolve("media", "undo")
    lab.compose.fail.add("up")
    assert lab.apply(plan).state is not PlanState.DONE
    assert "ghost" in lab.bench.docker.running()


def test_a_service_taken_out_of_the_file_goes_or_comes_back(lab: BenchAsLab) -> None:
    two = OLD + "  app:\n    image: app:1\n"
    lab.bench.compose_file.write_text(two)
    assert lab.apply(lab.resolve("media", "adopt")).state is PlanState.DONE
    assert set(lab.bench.docker.running()) == {"web", "app"}
    lab.bench.compose_file.write_text(OLD)
    assert [(c.service, c.word) for c in look(lab).containers] == [("app", DriftWord.ORPHAN)]
    assert lab.apply(lab.resolve("media", "undo")).state is PlanState.DONE
    assert lab.bench.compose_file.read_text() == two
    assert set(lab.bench.docker.running()) == {"web", "app"}
    lab.bench.compose_file.write_text(OLD)
    assert lab.apply(lab.resolve("media", "adopt")).state is PlanState.DONE
    assert set(lab.bench.docker.running()) == {"web"}
    assert look(lab).clean


def test_new_and_removed_files_and_the_lab_s_own(lab: BenchAsLab) -> None:
    (lab.bench.root / "media" / "compose.override.yaml").write_text("services: {}\n")
    (lab.bench.root / "homelab.yaml").write_text("domain: lab.test\n")
    assert [(c.path, c.word) for c in look(lab).files] == [
        ("homelab.yaml", FileWord.NEW),
        ("media/compose.override.yaml", FileWord.NEW),
    ]
    assert [c.path for c in look(lab, ".").files] == ["homelab.yaml"]
    assert lab.apply(lab.resolve(".", "adopt")).state is PlanState.DONE
    assert lab.apply(lab.resolve("media", "undo")).state is PlanState.DONE
    assert not (lab.bench.root / "media" / "compose.override.yaml").exists()
    assert git(lab, "show", "HEAD~1:media/compose.override.yaml") == "services: {}\n"
    lab.bench.compose_file.unlink()
    assert [(c.path, c.word) for c in look(lab, "media").files] == [("media/compose.yaml", FileWord.REMOVED)]
    assert lab.apply(lab.resolve("media", "undo")).state is PlanState.DONE
    assert lab.bench.compose_file.read_text() == OLD
    assert look(lab).clean


def test_a_stack_that_was_never_committed_is_not_deleted_by_undo(lab: BenchAsLab) -> None:
    (lab.bench.root / "mine").mkdir()
    (lab.bench.root / "mine" / "compose.yaml").write_text("services: {a: {image: 'a:1'}}\n")
    with pytest.raises(InvalidInput) as caught:
        lab.resolve("mine", "undo")
    assert caught.value.code == "never_committed"
    with pytest.raises(NotFound):
        lab.resolve("nosuch", "undo")
    with pytest.raises(InvalidInput, match="Nothing was changed"):
        lab.resolve("media", "adopt")


def test_the_linter_s_new_findings_are_told_and_errors_make_adopting_a_high_risk(lab: BenchAsLab) -> None:
    lab.bench.compose_file.write_text(OLD + "    imag: oops\n")
    found = look(lab)
    assert any("imag" in f.message for f in found.findings), found.findings
    assert all("web:1" not in f.message for f in found.findings), "what the commit had already is not new"
    plan = lab.resolve("media", "adopt")
    assert plan.risk is Risk.HIGH
    assert any("error(s) that are in the files already" in r for r in plan.reasons)


def test_a_plan_to_adopt_turns_stale_when_the_file_moves_on(lab: BenchAsLab) -> None:
    lab.bench.compose_file.write_text(EDITED)
    plan = lab.resolve("media", "adopt")
    lab.bench.compose_file.write_text(EDITED + "# more\n")
    with pytest.raises(HomelabError) as caught:
        lab.apply(plan)
    assert caught.value.code == "plan_stale"


def test_every_apply_is_one_commit_that_says_what_was_asked_and_what_was_verified(lab: BenchAsLab) -> None:
    head = git(lab, "rev-parse", "HEAD").strip()
    plan = lab.bench.plan(lab.bench.add_draft())
    at_verify: list[str] = []
    lab.bench.applier.run(plan.id, lambda s: at_verify.append(git(lab, "rev-parse", "HEAD").strip()))
    assert at_verify[:-3] == [head] * len(at_verify[:-3]), "no commit before all was verified"
    newest = lab.history.log(1)[0]
    assert newest.message.splitlines() == [
        "Add app to stack media",
        "",
        f"Plan: {plan.id}",
        "Operation: add_service",
        "Risk: medium",
        "Asked-by: mcp test",
        "Approved-by: client test (client_dialog)",
        "Verified: app is healthy",
    ]
    assert git(lab, "log", "-1", "--format=%(trailers:key=Verified,valueonly)").strip() == "app is healthy"
    assert git(lab, "rev-parse", "HEAD~1").strip() == head
    failed = lab.bench.apply(lab.bench.change_draft("exit:9"))
    assert failed.state is PlanState.ROLLED_BACK
    assert lab.history.log(1)[0].id == newest.id


def test_a_hand_edit_during_an_apply_is_not_committed_as_ours(lab: BenchAsLab) -> None:
    plan = lab.bench.plan(lab.bench.change_draft("web:5"))

    def meddle(verb: str) -> None:
        if verb == "up":
            lab.bench.compose_file.write_text(lab.bench.compose_file.read_text() + "# mine\n")

    lab.compose.before = meddle
    assert lab.bench.applier.run(plan.id).state is PlanState.DONE
    assert "# mine" not in git(lab, "show", "HEAD:media/compose.yaml")
    assert "+# mine" in look(lab).diff()
    assert " M media/compose.yaml" in git(lab, "status", "--porcelain"), "git sees it as not staged"


@pytest.mark.timeout(240)
def test_a_hundred_hand_edits_are_all_kept(lab: BenchAsLab) -> None:
    """Threat 30: random edits by hand between random applies; every text that ever was on disk can be had again."""
    chance = random.Random(20_261_123)
    wrote: list[tuple[str, str]] = []
    lab.compose.fail.clear()
    for number in range(100):
        which = chance.choice(["compose", "env", "new", "override"])
        path = {
            "compose": "media/compose.yaml",
            "env": "media/.env",
            "new": f"media/extra{number % 3}.yml",
            "override": "media/notes.md",
        }[which]
        file = lab.bench.root / path
        old = file.read_text() if file.exists() else ""
        mark = f"hand_{number:03d}_{chance.randrange(1 << 30):x}"
        text = old + (f"HAND_{number}={mark}\n" if which == "env" else f"# {mark}\n")
        file.write_text(text)
        wrote.append((path, mark))
        how = chance.choice(["adopt", "undo", "change", "fail", "leave"])
        try:
            if how in {"adopt", "undo"}:
                lab.apply(lab.resolve("media", how))
            elif how in {"change", "fail"}:
                now = lab.bench.compose_file.read_text()
                draft = lab.bench.change_draft("web:1")
                image = f"exit:{number}" if how == "fail" else f"web:{number}"
                after = "".join(
                    f"    image: {image}\n" if line.startswith("    image:") else line
                    for line in now.splitlines(keepends=True)
                )
                draft = replace(draft, edits=(FileEdit("media/compose.yaml", now, after),))
                status = lab.bench.apply(draft)
                assert (status.state is PlanState.DONE) is (how == "change"), status
        except InvalidInput as error:
            assert error.code == "nothing_to_do", error
    history = git(lab, "log", "-p", "--all", "--format=")
    disk = "".join((lab.bench.root / p).read_text() for p in {p for p, _ in wrote} if (lab.bench.root / p).exists())
    kept = "".join(str(lab.plans.load_undo(p.id)) for p, _ in lab.plans.list(1000))
    lost = [
        (p, mark) for p, mark in wrote if mark not in disk and mark not in (kept if p.endswith(".env") else history)
    ]
    assert lost == []
    assert "HAND_" not in history
    assert lab.journal.verify() == ""


def test_parts_of_a_container_are_named_but_no_value() -> None:
    made = ContainerMake(
        image="web:1",
        env={"A": "old-secret", "PATH": "/bin", "GONE": "x", "SAME": "1$2"},
        labels={"a": "1", "maintainer": "me", "b": "2"},
        image_env={"PATH": "/bin"},
        image_labels={"maintainer": "me"},
        ports=(PublishedPort("0.0.0.0", 80, 80), PublishedPort("127.0.0.1", 81, 81)),
    )
    service = {
        "image": "web:1",
        "environment": {"A": "new-secret", "NEW": "y", "SAME": "1$$2", "PASSED": None},
        "labels": {"a": "1", "c": "3"},
        "ports": [{"target": 80, "published": "80", "protocol": "tcp"}, {"target": 9, "published": "0"}],
    }
    assert differences(made, service) == (
        "environment changed: A",
        "environment only in the file: NEW",
        "environment only in the container: GONE",
        "labels only in the file: c",
        "labels only in the container: b",
        "ports 80:80/tcp, 127.0.0.1:81:81/tcp, file: 80:80/tcp",
    )
    same = ContainerMake("web:1", image_moved=True)
    assert differences(same, {"image": "web:1"}) == ("image web:1 was pulled or built anew since",)
    assert differences(ContainerMake("web:1"), {"image": "web:1"}) == ("other settings, by Compose's config hash",)


def test_what_may_rest_is_no_drift() -> None:
    def one(service: str, state: str, status: str = "", **labels: str) -> ContainerState:
        return ContainerState(service, service, "i:1", state, service=service, status=status, labels=labels)

    declared = {
        "job": {"image": "i:1"},
        "init": {"image": "i:1", "restart": "on-failure"},
        "app": {
            "image": "i:1",
            "restart": "always",
            "depends_on": {"init": {"condition": "service_completed_successfully"}},
        },
        "lazy": {"image": "i:1", "restart": "always", "labels": {"sablier.enable": True}},
        "tool": {"image": "i:1", "profiles": ["tools"]},
        "none": {"image": "i:1", "deploy": {"replicas": 0}},
    }
    rows = [
        one("job", "exited", "Exited (0) 2 hours ago"),
        one("init", "exited", "Exited (0) 2 hours ago"),
        one("lazy", "exited", "Exited (137) 2 hours ago"),
        one("app", "exited", "Exited (0) 2 hours ago"),
        one("app-run", "running", **{"com.docker.compose.oneoff": "True"}),
    ]
    wanted = [s for s in declared if s != "tool"]
    found = drift_of("m", declared=declared, wanted=wanted, hashes=None, containers=rows)
    assert found == [ContainerDrift("m", "app", DriftWord.STOPPED, ("exited",))]
    crashed = [one("job", "exited", "Exited (1) 2 hours ago")]
    assert drift_of("m", declared={"job": {}}, wanted=["job"], hashes=None, containers=crashed)[0].word == "stopped"


def test_a_service_whose_hash_nobody_can_tell_may_be_missing_and_is_never_behind_nor_an_orphan() -> None:
    running = ContainerState("c1", "c", "c:1", "running", stack="vpn", service="client", config_hash="old")
    untold = {"gate": "new", "client": ""}
    declared: dict[str, object] = {"gate": {}, "client": {}}
    found = drift_of("vpn", declared=declared, wanted=untold, hashes=untold, containers=[running])
    assert [d.as_line() for d in found] == ["vpn/gate missing: no container"]
    found = drift_of("vpn", declared=declared, wanted=untold, hashes=untold, containers=[])
    assert [d.service for d in found] == ["gate", "client"]


def test_adopting_never_removes_what_another_file_of_the_stack_names(lab: BenchAsLab) -> None:
    (lab.bench.compose_file.parent / "compose.override.yaml").write_text("services:\n  app:\n    image: app:1\n")
    lab.commit_all()
    lab.bench.docker.containers_now["x"] = FakeContainer("x", "media", "app", "app:1", "")
    lab.bench.compose_file.write_text(EDITED)
    # The stand-in for Compose knows the first file alone, so that it is told as one that nobody names.
    assert ("app", DriftWord.ORPHAN) in {(c.service, c.word) for c in look(lab, "media").containers}
    assert "app" not in {
        service for action in lab.resolve("media", "adopt").draft.actions for service in action.services
    }


@pytest.mark.parametrize(
    ("service", "asked", "word"),
    [
        ({"profiles": ["tools"]}, False, ""),
        ({"profiles": ["tools"]}, True, "missing"),
        ({"profiles": []}, False, "missing"),
        ({"scale": "0"}, True, ""),
        ({"scale": "2"}, True, "missing"),
        ({"deploy": {"replicas": "${R:-0}"}}, True, ""),
        ({"deploy": {"replicas": "${R:-1}"}}, True, "missing"),
        ({"deploy": {"replicas": "${MANY}"}}, True, "missing"),
        ({"deploy": {"replicas": "${NONE}"}}, True, ""),
        ({"deploy": {"replicas": "${UNSET}"}}, True, ""),
        ({"deploy": {"replicas": None}}, True, "missing"),
        ({"deploy": {"mode": "global"}}, True, "missing"),
        (None, True, "missing"),
    ],
)
def test_a_service_is_missing_only_where_it_is_known_to_be_wanted(service: object, asked: bool, word: str) -> None:
    hashes = {"a": "h"} if asked else None
    env = {"MANY": "3", "NONE": "0"}
    found = drift_of("m", declared={"a": service}, wanted=["a"], hashes=hashes, containers=[], env=env)
    assert [str(d.word) for d in found] == [word] * bool(word)


def test_adopting_starts_no_service_of_a_profile_while_compose_does_not_answer(
    lab: BenchAsLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(stack: str) -> dict[str, str]:
        raise EngineFailed("no such file")

    lab.bench.compose_file.write_text(EDITED + "  tool:\n    image: tool:1\n    profiles: [tools]\n")
    monkeypatch.setattr(lab.compose, "hashes", refuse)
    assert "tool" not in {c.service for c in look(lab, "media").containers}
    assert not any("tool" in a.services for a in lab.resolve("media", "adopt").draft.actions)
