"""Plans of backups on other Docker hosts, in a lab without Docker: what is written for whom."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.core import env_file, yaml12
from homelab_mcp.core.backup_config import BackupConfig
from homelab_mcp.core.backup_shared import same_place
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.plan import FileEdit, Plan, PlanState, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.queries.backup_list import listing
from homelab_mcp.queries.backup_place import backup_hosts, backup_place
from homelab_mcp.queries.survival import survives
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.propose_backup import missing_keys, propose_configure_backup

pytestmark = pytest.mark.unit

PIN = "27182818"
ASKER = Requester("cli")
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "one-two-three-four"}
S3 = "s3:https://s3.lab/b"


@pytest.fixture
def lab(tmp_path: Path) -> LocalLab:
    made = LocalLab(str(tmp_path / "lab"), files_only=True)
    init_lab(made, {"domain": "example.org"}, PIN)
    root = Path(made.root)
    hosts = {n: {"address": f"ssh://root@{n}.lan"} for n in ("nas", "attic")}
    hosts["second"] = {"address": "unix:///run/second/docker.sock"}
    (root / "hosts.yaml").write_text(json.dumps({"hosts": hosts}))
    for host, service in (("", "here"), ("nas", "far"), ("attic", "old")):
        (root / service).mkdir()
        head = f"x-homelab: {{host: {host}}}\n" if host else ""
        (root / service / "compose.yaml").write_text(
            f"{head}services:\n  db: {{image: 'postgres:17', volumes: ['./data:/var/lib/postgresql/data']}}\n"
        )
    return made


def apply(lab: LocalLab, plan: Plan) -> None:
    approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
    status = applier(lab).run(plan.id)
    assert status.state is PlanState.DONE, status


def edits(plan: Plan) -> dict[str, FileEdit]:
    return {e.path: e for e in plan.draft.edits}


def script(plan: Plan, stack: str) -> tuple[dict[str, str], dict[str, str]]:
    """The variables and the files that come to another host."""
    data = yaml12.load(str(edits(plan)[f"{stack}/compose.override.yml"].after))
    configs = data["configs"]
    files = {n.replace("_", "."): c["content"].replace("$$", "$") for n, c in configs.items()}
    return data["services"][stack]["environment"], files


def test_another_host_gets_a_backup_of_its_own_with_files_that_come_by_compose(lab: LocalLab) -> None:
    plan = propose_configure_backup(lab, {"repository": "/mnt/disk"}, ASKER, host="nas")
    text = str(edits(plan)["backup-nas/compose.yaml"].after)
    service = yaml12.load(text)["services"]["backup-nas"]
    assert yaml12.load(text)["x-homelab"] == {"host": "nas"}
    assert f"{lab.root}:/lab:ro" in service["volumes"]
    assert "/mnt/disk:/repository" in service["volumes"]
    assert "/var/run/docker.sock:/var/run/docker.sock:ro" in service["volumes"]
    assert not [p for p in edits(plan) if p.startswith("backup-nas/engine")], "no file of the lab is on that disk"
    marks, files = script(plan, "backup-nas")
    ident = (Path(lab.root) / ".homelab/id").read_text().strip()
    digest = marks.pop("HOMELAB_FILES")
    assert digest.startswith("sha256-")
    assert marks == {"HOMELAB_HOST": "nas", "HOMELAB_LAB": ident}
    assert "dump far db far/db.sql" in files["jobs.sh"]
    assert "here" not in files["jobs.sh"]
    assert "/lab/far/data/*" in files["excludes"].split("\n")
    apply(lab, plan)
    assert backup_hosts(lab) == ("nas",)
    assert [d.stack for d in backup_place(lab, "nas").jobs.dumps] == ["far"]
    with pytest.raises(NotFound):
        backup_place(lab)


def test_a_host_that_shares_the_labs_repository_gets_its_password_and_never_makes_it(lab: LocalLab) -> None:
    apply(lab, propose_configure_backup(lab, {"repository": S3, "keep": {"daily": 2}}, ASKER, keys=KEYS))
    assert missing_keys(lab, {}, host="nas") == ()
    plan = propose_configure_backup(lab, {}, ASKER, host="nas")
    mine = env_file.parse((Path(lab.root) / "backup/.env").read_text())
    theirs = env_file.parse(str(edits(plan)["backup-nas/.env"].after))
    assert {n: theirs[n] for n in ("RESTIC_PASSWORD", *KEYS)} == {n: mine[n] for n in ("RESTIC_PASSWORD", *KEYS)}
    assert mine["RESTIC_PASSWORD"] not in json.dumps([r.reason for r in plan.draft.risks])
    assert any("can read and delete every backup in it" in r.reason for r in plan.draft.risks)
    assert script(plan, "backup-nas")[0]["HOMELAB_SHARED"] == "the lab's machine"
    apply(lab, plan)
    assert backup_place(lab, "nas").config.keep.daily == 2
    # A repository of its own has a password of its own.
    other = propose_configure_backup(lab, {"repository": "/mnt/disk"}, ASKER, host="attic")
    assert env_file.parse(str(edits(other)["backup-attic/.env"].after))["RESTIC_PASSWORD"] != mine["RESTIC_PASSWORD"]
    assert "HOMELAB_SHARED" not in script(other, "backup-attic")[0]


def env_of(lab: LocalLab, stack: str) -> dict[str, str]:
    return env_file.parse((Path(lab.root) / stack / ".env").read_text())


def test_what_opens_a_hosts_repository_is_never_put_aside_for_another_hosts(lab: LocalLab) -> None:
    apply(lab, propose_configure_backup(lab, {"repository": "/mnt/backup"}, ASKER))
    apply(lab, propose_configure_backup(lab, {"repository": S3}, ASKER, host="nas", keys=KEYS))
    theirs = env_of(lab, "backup-nas")
    # The lab comes to the repository that nas has: it needs the password of that, and makes none.
    plan = propose_configure_backup(lab, {"repository": f"{S3}/"}, ASKER)
    assert any("its password and keys are on this machine" in r.reason for r in plan.draft.risks)
    apply(lab, plan)
    assert {n: env_of(lab, "backup")[n] for n in ("RESTIC_PASSWORD", *KEYS)} == {
        n: theirs[n] for n in ("RESTIC_PASSWORD", *KEYS)
    }
    apply(lab, propose_configure_backup(lab, {"schedule": "1 2 * * *"}, ASKER, host="nas"))
    assert env_of(lab, "backup-nas") == theirs


def test_keys_that_a_person_gave_one_host_stay(lab: LocalLab) -> None:
    apply(lab, propose_configure_backup(lab, {"repository": S3}, ASKER, keys=KEYS))
    fewer = {**KEYS, "AWS_ACCESS_KEY_ID": "AKIANASONLY"}
    apply(lab, propose_configure_backup(lab, {}, ASKER, host="nas", keys=fewer))
    for schedule in ("1 2 * * *", "3 4 * * *"):
        apply(lab, propose_configure_backup(lab, {"schedule": schedule}, ASKER, host="nas"))
        assert env_of(lab, "backup-nas")["AWS_ACCESS_KEY_ID"] == "AKIANASONLY"
    assert env_of(lab, "backup")["AWS_ACCESS_KEY_ID"] == KEYS["AWS_ACCESS_KEY_ID"]


def test_a_host_that_leaves_the_shared_repository_leaves_its_password_and_keys_behind(lab: LocalLab) -> None:
    apply(lab, propose_configure_backup(lab, {"repository": S3}, ASKER, keys=KEYS))
    apply(lab, propose_configure_backup(lab, {}, ASKER, host="nas"))
    plan = propose_configure_backup(lab, {"repository": "/mnt/disk"}, ASKER, host="nas")
    assert any("were known on nas" in note and "restic key passwd" in note for note in plan.draft.notes)
    apply(lab, plan)
    after = env_of(lab, "backup-nas")
    assert not set(KEYS) & set(after)
    assert after["RESTIC_PASSWORD"] not in ("", env_of(lab, "backup")["RESTIC_PASSWORD"])
    # One that nobody else has keeps its password.
    apply(lab, propose_configure_backup(lab, {"repository": "/mnt/other"}, ASKER, host="nas"))
    assert env_of(lab, "backup-nas")["RESTIC_PASSWORD"] == after["RESTIC_PASSWORD"]


def test_a_second_engine_of_this_machine_has_this_machines_disk(lab: LocalLab) -> None:
    apply(lab, propose_configure_backup(lab, {"repository": "/mnt/backup"}, ASKER))
    plan = propose_configure_backup(lab, {"repository": "/mnt/backup"}, ASKER, host="second")
    marks, files = script(plan, "backup-second")
    assert marks["HOMELAB_SHARED"] == "the lab's machine"
    assert (
        env_file.parse(str(edits(plan)["backup-second/.env"].after))["RESTIC_PASSWORD"]
        == (env_of(lab, "backup")["RESTIC_PASSWORD"])
    )
    assert any(r.reason.startswith("Every file of the lab, secrets too") for r in plan.draft.risks)
    for where in (files["excludes"], str(edits(plan)["backup/engine/excludes"].after)):
        assert {"/lab/backup/dumps", "/lab/backup-second/dumps", "/lab/backup-second/state"} <= set(where.split("\n"))
    other = propose_configure_backup(lab, {"repository": "/mnt/backup"}, ASKER, host="nas")
    assert "HOMELAB_SHARED" not in script(other, "backup-nas")[0], "that folder is on another disk"


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("sftp:me@nas:/backup", "sftp://me@nas//backup", True),
        ("sftp:me@nas:/backup", "sftp://me@nas:22//backup/", True),
        ("sftp:me@nas:/backup", "sftp://me@nas:2222//backup", False),
        ("rest:https://nas/", "rest:https://nas", True),
        ("s3:https://s3.lab/a", "s3:https://s3.lab/b", False),
    ],
)
def test_a_repository_is_the_same_however_it_is_written(lab: LocalLab, one: str, two: str, same: bool) -> None:
    places = {same_place(BackupConfig(repository=text), "nas", lab.files.read) for text in (one, two)}
    assert (len(places) == 1) is same


def test_what_no_backup_holds_is_told_until_its_host_makes_one(lab: LocalLab) -> None:
    apply(lab, propose_configure_backup(lab, {"repository": "/mnt/backup"}, ASKER))
    before = {where: why for where, _, why in backup_place(lab).jobs.uncovered}
    assert before == {
        f"{stack}/db": f"on host {host}, which makes no backup: backup configure --host {host}"
        for stack, host in (("far", "nas"), ("old", "attic"))
    }
    apply(lab, propose_configure_backup(lab, {"repository": "/mnt/disk"}, ASKER, host="nas"))
    assert [where for where, _, _ in backup_place(lab).jobs.uncovered] == ["old/db"]
    assert backup_place(lab, "nas").jobs.uncovered == []
    gone = {f["failure"]: f.get("data_gone", []) for f in survives(lab)["failures"]}
    assert not any("far/db" in data for data in gone.values())
    assert any("old/db" in data for data in gone.values())


def test_a_new_database_there_comes_into_the_list_and_the_container_is_made_anew(lab: LocalLab) -> None:
    apply(lab, propose_configure_backup(lab, {"repository": "/mnt/disk"}, ASKER, host="nas"))
    (Path(lab.root) / "more").mkdir()
    (Path(lab.root) / "more/compose.yaml").write_text(
        "x-homelab: {host: nas}\nservices:\n  db: {image: 'mariadb:11', volumes: ['./d:/var/lib/mysql']}\n"
    )
    plan = propose_configure_backup(lab, {"schedule": "1 2 * * *"}, ASKER, host="nas")
    _, files = script(plan, "backup-nas")
    assert "dump more db more/db.sql" in files["jobs.sh"]
    assert files["crontab"] == "1 2 * * * sh /backup/run.sh backup\n"
    assert "What the backup of nas reads follows; its container is made anew for that." in plan.draft.notes
    now = yaml12.load((Path(lab.root) / "backup-nas/compose.override.yml").read_text())
    before = now["services"]["backup-nas"]["environment"]["HOMELAB_FILES"]
    assert script(plan, "backup-nas")[0]["HOMELAB_FILES"] != before, "Compose does not look into what a config holds"


@pytest.mark.parametrize(
    ("host", "ui", "stack", "code"),
    [("gone", False, "", "host_unknown"), ("nas", True, "", "bad_value"), ("nas", False, "here", "other_host")],
)
def test_what_cannot_be_is_refused(lab: LocalLab, host: str, ui: bool, stack: str, code: str) -> None:
    with pytest.raises((InvalidInput, NotFound)) as refused:
        propose_configure_backup(lab, {"repository": "/mnt/disk"}, ASKER, host=host, ui=ui, stack=stack)
    assert refused.value.code == code


def test_a_second_engine_of_this_machine_has_a_socket_of_its_own(lab: LocalLab) -> None:
    plan = propose_configure_backup(lab, {"repository": "/mnt/disk"}, ASKER, host="second")
    volumes = yaml12.load(str(edits(plan)["backup-second/compose.yaml"].after))["services"]["backup-second"]["volumes"]
    assert "/run/second/docker.sock:/var/run/docker.sock:ro" in volumes


def test_each_host_sees_its_own_backups_in_a_repository_that_they_share(lab: LocalLab) -> None:
    tag = f"lab-{(Path(lab.root) / '.homelab/id').read_text().strip()}"
    raw = [
        {"short_id": one, "time": f"2026-01-0{n}T00:00:00Z", "tags": ["homelab", tag], "hostname": host}
        for n, (one, host) in enumerate([("a", "lab"), ("b", "lab/nas"), ("c", "lab"), ("d", "lab/attic")], 1)
    ]
    restic = SimpleNamespace(read=lambda *_, **__: json.dumps(raw))
    seen = SimpleNamespace(files=lab.files, hosts=lab.hosts, restic_at=lambda _: restic)
    found = {h: [b.id for b in listing(cast(Lab, cast(Any, seen)), h).backups] for h in (LOCAL, "nas", "attic")}
    assert found == {LOCAL: ["c", "a"], "nas": ["b"], "attic": ["d"]}
    all_ = listing(cast(Lab, cast(Any, seen)), "nas")
    assert all_.makers == {"a": LOCAL, "b": "nas", "c": LOCAL, "d": "attic"}
    assert [b.id for b in all_.every] == ["d", "c", "b", "a"], "one of a host's former name can be asked for"
