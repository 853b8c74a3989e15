"""Plans of backups and updates in a lab without Docker: what is written, what is refused, what follows later."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.cli.app import app
from homelab_mcp.core import env_file, yaml12
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.plan import Plan, PlanState, Requester
from homelab_mcp.queries.backups import progress, report
from homelab_mcp.queries.check_updates import check_updates
from homelab_mcp.workflow import propose_restore
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import propose_add_service
from homelab_mcp.workflow.propose_backup import propose_configure_backup
from homelab_mcp.workflow.propose_restore import propose_restore_backup
from homelab_mcp.workflow.propose_updates import propose_updates

pytestmark = pytest.mark.unit

PIN = "27182818"
MODEL = Requester("mcp", "model")


@pytest.fixture
def lab(tmp_path: Path) -> LocalLab:
    made = LocalLab(str(tmp_path / "lab"), files_only=True)
    init_lab(made, {"domain": "example.org", "email": "person@example.org"}, PIN)
    return made


def apply(lab: LocalLab, plan: Plan) -> None:
    approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
    status = applier(lab).run(plan.id)
    assert status.state is PlanState.DONE, status


def test_a_backup_is_set_up_changed_and_follows_the_services(lab: LocalLab) -> None:
    with pytest.raises(NotFound) as told:
        report(lab)
    assert told.value.code == "no_backup"
    plan = propose_configure_backup(lab, {"repository": "/mnt/backup"}, MODEL, ui=True)
    edits = {e.path: e for e in plan.draft.edits}
    assert plan.risk.word == "high"
    assert {"backup/engine/run.sh", "backup/engine/jobs.sh", "backup/engine/excludes", "backup/engine/crontab"} <= set(
        edits
    )
    config = json.loads(str(edits["backup/backup-backrest/config/config.json"].after))
    assert config["repos"][0]["env"] == ["RESTIC_PASSWORD=${RESTIC_PASSWORD}"]
    apply(lab, plan)
    root = Path(lab.root)
    text = (root / "backup/compose.yaml").read_text()
    assert f"{root}:/lab:ro" in text
    assert text.count("/mnt/backup:/repository") == 2
    assert "HOMELAB_REPOSITORY: /mnt/backup\n" in text, "for each folder restic is told the same"
    env = (root / "backup/.env").read_text()
    password = env.split("RESTIC_PASSWORD=")[1].split("\n")[0].strip("'\"")
    assert len(password) == 40
    assert password not in text + json.dumps(config)

    # A service with a database that comes later is dumped from then on, by its definition's own command.
    apply(lab, propose_add_service(lab, "vikunja", "productivity", {}, Requester("cli")))
    jobs = (root / "backup/engine/jobs.sh").read_text()
    assert "pg_dump --clean --if-exists -U vikunja vikunja" in jobs
    assert report(lab).databases == ("productivity/vikunja-db (postgres)",)
    unasked = report(lab)
    assert not unasked.asked
    assert unasked.problems, "that nobody can be asked"
    assert "No backup has been made yet." not in unasked.problems

    plan = propose_configure_backup(lab, {"schedule": "0 4 * * 0", "keep": {"daily": 30}}, MODEL)
    apply(lab, plan)
    assert (root / "backup/engine/crontab").read_text() == "0 4 * * 0 sh /backup/run.sh backup\n"
    assert "--keep-last 3 --keep-daily 30" in (root / "backup/engine/jobs.sh").read_text()
    assert (root / "backup/.env").read_text() == env
    with pytest.raises(InvalidInput) as refused:
        propose_configure_backup(lab, {"schedule": "0 4 * * 0"}, MODEL)
    assert refused.value.code == "nothing_to_do"


def test_keys_come_from_a_person_and_never_in_an_address(lab: LocalLab) -> None:
    for repository, code in (
        ("", "missing_input"),
        ("s3:https://host.example/bucket", "missing_input"),
        ("rest:https://me:secret@host.example/", "bad_backup_config"),
    ):
        with pytest.raises(InvalidInput) as refused:
            propose_configure_backup(lab, {"repository": repository}, MODEL)
        assert refused.value.code == code
    assert "env set backup AWS_ACCESS_KEY_ID" in _hint(lab)


def test_a_persons_keys_go_into_the_env_file_and_no_further(lab: LocalLab, tmp_path: Path) -> None:
    secret = "Sh+/canary$HOME'4711"
    keys = tmp_path / "keys"
    keys.write_text(f"# of the store\nAWS_ACCESS_KEY_ID = id-4711\nAWS_SECRET_ACCESS_KEY={secret}\n")
    words = ["--root", lab.root, "--files-only", "backup", "configure", "s3:https://host.example/b", "--json"]
    done = CliRunner().invoke(app, [*words, "--plan-only", "--ui", "--keys-file", str(keys)])
    assert done.exit_code == 3, done.output
    assert secret not in done.output
    plan = lab.plans.get(json.loads(done.stdout)["plan_id"])
    assert secret in plan.draft.secrets
    assert [e.path for e in plan.draft.edits if secret in (e.after or "")] == []
    apply(lab, plan)
    root = Path(lab.root)
    assert env_file.parse((root / "backup/.env").read_text())["AWS_SECRET_ACCESS_KEY"] == secret
    assert (root / "backup/.env").stat().st_mode & 0o777 == 0o600
    compose = (root / "backup/compose.yaml").read_text()
    assert compose.count("${AWS_SECRET_ACCESS_KEY}") == compose.count("${AWS_DEFAULT_REGION:-}") == 2
    for given, said in (({"B2_ACCOUNT_KEY": "x"}, "takes no B2_ACCOUNT_KEY"), ({"AWS_DEFAULT_REGION": "eu"}, "")):
        if said:
            with pytest.raises(InvalidInput) as refused:
                propose_configure_backup(lab, {}, Requester("cli"), keys=given)
            assert said in refused.value.message
        else:
            apply(lab, propose_configure_backup(lab, {}, Requester("cli"), keys=given))
            assert "AWS_DEFAULT_REGION=eu\n" in (root / "backup/.env").read_text()
    lost = CliRunner().invoke(app, [*words, "--keys-file", str(tmp_path / "none")])
    assert isinstance(lost.exception, InvalidInput)
    assert lost.exception.code == "keys_file"


@pytest.mark.parametrize("line", ["canary-4711", "canary/4711+==", "canary4711="])
def test_a_line_of_keys_that_is_none_is_told_by_its_number_alone(lab: LocalLab, tmp_path: Path, line: str) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"AWS_ACCESS_KEY_ID=id\n\n{line}\n")
    words = ["--root", lab.root, "--files-only", "backup", "configure", "s3:https://host.example/b", "--plan-only"]
    for file, given in ((str(keys), None), ("-", keys.read_text())):
        refused = CliRunner().invoke(app, [*words, "--keys-file", file], input=given)
        assert isinstance(refused.exception, InvalidInput)
        assert refused.exception.code == "keys_file"
        assert "Line 3 of" in refused.exception.message
        assert "4711" not in refused.exception.message + refused.exception.hint + refused.output


def test_keys_may_be_of_a_windows_editor(lab: LocalLab, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_bytes(b"\xef\xbb\xbfAWS_ACCESS_KEY_ID=id\r\nAWS_SECRET_ACCESS_KEY=a=b\r\n")
    words = ["--root", lab.root, "--files-only", "backup", "configure", "s3:https://host.example/b", "--plan-only"]
    done = CliRunner().invoke(app, [*words, "--json", "--keys-file", str(keys)])
    assert done.exit_code == 3, done.output
    assert {"id", "a=b"} <= set(lab.plans.get(json.loads(done.stdout)["plan_id"]).draft.secrets)


@pytest.mark.parametrize(
    ("repository", "mounts"),
    [
        ("sftp:me@nas:/backup", ("./ssh:/keys/ssh:ro", "./ssh:/root/.ssh:ro")),
        ("rclone:my cloud:lab", ("./rclone:/root/.config/rclone", "./rclone:/root/.config/rclone")),
    ],
)
def test_backrest_gets_the_keys_as_well(lab: LocalLab, repository: str, mounts: tuple[str, str]) -> None:
    apply(lab, propose_configure_backup(lab, {"repository": repository}, MODEL, ui=True))
    data = yaml12.load((Path(lab.root) / "backup/compose.yaml").read_text())
    assert isinstance(data, dict)
    assert [next(m for m in s["volumes"] if m in mounts) for s in data["services"].values()] == list(mounts)


def _hint(lab: LocalLab) -> str:
    with pytest.raises(InvalidInput) as refused:
        propose_configure_backup(lab, {"repository": "s3:https://host.example/bucket"}, MODEL)
    return refused.value.hint


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("STEP dumping a/b", "dumping a/b"),
        ('{"message_type":"status","percent_done":0.5,"total_bytes":2048}', "50 % of 2.0 KiB"),
        ('{"message_type":"summary","data_added":10,"total_files_processed":3}', "10 B new in 3 files"),
        ("noise", ""),
        ("{broken", ""),
    ],
)
def test_progress_is_told_in_words(line: str, told: str) -> None:
    assert progress(line) == told


def test_updates_that_cannot_be_asked_are_unknown_and_no_plan_is_made_of_nothing(lab: LocalLab) -> None:
    folder = Path(lab.root) / "apps"
    folder.mkdir()
    (folder / "compose.yaml").write_text(
        "services:\n  gone:\n    image: 127.0.0.1:9/a:1.0\n  own:\n    image: x\n    build: .\n"
        "  left:\n    image: 127.0.0.1:9/b:1.0\n    labels: {homelab.update: ignore}\n"
    )
    states = {f.service: f.state for f in check_updates(lab, "apps")}
    assert states == {"gone": "unknown", "own": "ignored", "left": "ignored"}
    with pytest.raises(InvalidInput) as refused:
        propose_updates(lab, [], MODEL, stack="apps")
    assert refused.value.code == "nothing_to_do"
    assert "apps/gone" in refused.value.message
    plan = propose_updates(lab, ["gone=1.1", "left=2.0"], MODEL, stack="apps")
    text = next(e.after or "" for e in plan.draft.edits)
    assert "a:1.1" in text and "b:2.0" in text


def test_a_folder_that_was_known_by_its_name_inside_is_told_so_and_another_one_is_not(lab: LocalLab) -> None:
    apply(lab, propose_configure_backup(lab, {"repository": "/mnt/backup"}, MODEL))
    compose = Path(lab.root) / "backup/compose.yaml"
    now = compose.read_text()
    assert "HOMELAB_REPOSITORY_NOTED" not in now
    # As versions before made it.
    compose.write_text(now.replace("      HOMELAB_REPOSITORY: /mnt/backup\n", ""))

    def planned(**changes: str) -> str:
        plan = propose_configure_backup(lab, changes, MODEL)
        return str(next(e.after for e in plan.draft.edits if e.path == "backup/compose.yaml"))

    assert "HOMELAB_REPOSITORY_NOTED: /repository\n" in planned(schedule="0 5 * * *")
    assert "HOMELAB_REPOSITORY_NOTED" not in planned(repository="/mnt/other")
    compose.write_text(planned(schedule="0 5 * * *"))
    assert "HOMELAB_REPOSITORY_NOTED" not in planned(repository="/mnt/other")
    compose.write_text(now)
    assert "HOMELAB_REPOSITORY_NOTED" not in planned(repository="/mnt/third")


class Script:
    """Stands in for the backup's container: what it says, and what it restores of what is here."""

    def __init__(self, root: Path, said: dict[str, list[str]], listed: list[dict[str, object]]) -> None:
        self.root, self.said, self.listed, self.calls = root, said, listed, list[list[str]]()

    def read(self, words: list[str], *, seconds: float) -> str:
        return json.dumps(self.listed)

    def run(
        self, words: list[str], *, seconds: float, on_line: Callable[[str], None] | None = None
    ) -> tuple[int, list[str]]:
        self.calls.append(words)
        for path in words[3:] if words[0] == "restore" else ():
            there = self.root / f"backup/restore/{words[2]}/lab/{path}"
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_text("old")
        return 0, self.said[words[0]]


def test_a_restore_is_planned_by_what_the_script_says(lab: LocalLab, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(lab, propose_configure_backup(lab, {"repository": "/mnt/backup", "exclude": ["*.mkv"]}, MODEL))
    root = Path(lab.root)
    (root / "s/app").mkdir(parents=True)
    (root / "s/compose.yaml").write_text("services:\n  app: {image: 'x:1', volumes: ['./app/a:/a', './app/b:/b']}\n")
    for name in "ab":
        (root / f"s/app/{name}").write_text("now")
    lacks = ["LACKS s/app/a\t*.mkv\ts/app/a/film.mkv", "LACKS s/app/a\t*.homelab-tmp\ts/app/a/.x.homelab-tmp"]
    said = {"restore": ["FOUND s/app/a", *lacks, "EMPTY s/app/b", "PROBLEM one was slow"]}
    mine = f"lab-{(root / '.homelab/id').read_text().strip()}"
    listed: list[dict[str, object]] = [
        {"short_id": "theirs", "time": "2026-01-03T00:00:00Z", "tags": ["homelab", "lab-0"]},
        {"short_id": "mine", "time": "2026-01-02T00:00:00Z", "tags": ["homelab", mine]},
        {"short_id": "before", "time": "2026-01-01T00:00:00Z", "tags": ["homelab"]},
    ]
    script = Script(root, said, listed)
    monkeypatch.setattr(LocalLab, "restic_at", lambda self, host: script)
    # Without Docker no plan moves data.
    monkeypatch.setattr(propose_restore, "plan_of", lambda lab, draft, *rest: SimpleNamespace(draft=draft))
    plan = propose_restore_backup(lab, "s", MODEL)
    assert script.calls[0][:2] == ["restore", "mine"]
    assert [m.target for m in plan.draft.moves][1:] == ["s/app/a"]
    assert [r.reason for r in plan.draft.risks if "left out" in r.reason and "*.mkv" in r.reason]
    assert not any("homelab-tmp" in r.reason for r in plan.draft.risks)
    assert any(r.reason.startswith("s/app/b stays as it is") for r in plan.draft.risks)
    assert any("one was slow" in n for n in plan.draft.notes)
    for named in ("before", "theirs"):
        propose_restore_backup(lab, "s", MODEL, backup=named)
        assert script.calls[-1][1] == named
    with pytest.raises(NotFound):
        propose_restore_backup(lab, "s", MODEL, backup="none")


def test_the_backups_of_other_labs_are_named_by_their_ids_and_never_taken_for_the_latest(
    lab: LocalLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(lab, propose_configure_backup(lab, {"repository": "/mnt/backup"}, MODEL))
    root = Path(lab.root)
    (root / "s").mkdir()
    (root / "s/compose.yaml").write_text("services:\n  app: {image: 'x:1', volumes: ['./app/a:/a']}\n")
    mine = f"lab-{(root / '.homelab/id').read_text().strip()}"
    listed: list[dict[str, object]] = [
        {"short_id": "first", "time": "2026-01-01T00:00:00Z", "tags": ["homelab", "lab-a"]},
        {"short_id": "second", "time": "2026-01-02T00:00:00Z", "tags": ["homelab", "lab-b"]},
    ]
    script = Script(root, {"restore": ["MISSING s/app/a"]}, listed)
    monkeypatch.setattr(LocalLab, "restic_at", lambda self, host: script)
    with pytest.raises(InvalidInput) as refused:
        propose_restore_backup(lab, "s", MODEL)
    assert (refused.value.code, script.calls) == ("backup_whose", [])
    assert "second (2026-01-02T00:00:00Z, lab-b, 1 in all), first" in refused.value.hint
    listed.append({"short_id": "mine", "time": "2026-01-03T00:00:00Z", "tags": ["homelab", mine]})
    with pytest.raises(InvalidInput) as nothing:
        propose_restore_backup(lab, "s", MODEL)
    with pytest.raises(NotFound) as unknown:
        propose_restore_backup(lab, "s", MODEL, backup="none")
    assert (nothing.value.code, unknown.value.code) == ("not_in_backup", "backup_unknown")
    assert all("second (2026-01-02T00:00:00Z, lab-b" in e.value.hint for e in (nothing, unknown))
    with pytest.raises(NotFound) as removed:
        propose_restore_backup(lab, "gone", MODEL)
    assert removed.value.hint.endswith("roll the removal back first, then restore.")
    assert [(o.tag, o.total, o.newest.id) for o in report(lab).others] == [
        ("lab-b", 1, "second"),
        ("lab-a", 1, "first"),
    ]
    assert report(lab).note is None
    listed.append({"short_id": "old", "time": "2026-01-01T00:00:00Z", "tags": ["homelab"]})
    told = report(lab)
    assert str(told.note).startswith("1 backup of an older version has no lab's tag")
    assert not any("tag" in problem for problem in told.problems)
