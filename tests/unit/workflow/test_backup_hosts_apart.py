"""One host of several that is slow, silent or wrong takes nothing from what is told and done of the others."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.cli.app import app
from homelab_mcp.model.errors import EngineUnavailable, HomelabError, InvalidInput, NotFound
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.plan import Draft, Requester
from homelab_mcp.queries import backup_everywhere
from homelab_mcp.queries.backup_everywhere import hosts_meant, reports, runs
from homelab_mcp.queries.backups import report
from homelab_mcp.queries.survival import survives
from homelab_mcp.workflow import propose_backup
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.propose_backup import propose_run_backup
from homelab_mcp.workflow.propose_restore import propose_restore_backup

pytestmark = pytest.mark.unit

ASKER = Requester("cli")
SILENT = EngineUnavailable("Host nas does not answer.", hint="Look at that machine.", code="host_silent")
NEVER = "No backup has been made yet."


class Script:
    """Stands for a host's container that makes backups."""

    def __init__(self, listed: Sequence[Mapping[str, Any]] = (), error: Exception | None = None) -> None:
        self.listed, self.error, self.made, self.slow = list(listed), error, 0, threading.Event()
        self.slow.set()

    def read(self, words: Sequence[str], *, seconds: float) -> str:
        self.slow.wait(20)
        if self.error is not None:
            raise self.error
        if words == ["snapshots"]:
            return json.dumps(self.listed)
        run = {"result": "ok", "started": 1, "ended": self.made, "snapshot": "abcdef12", "problems": []}
        return f"{json.dumps(run) if self.made else 'null'}\nnull\n"

    def run(
        self, words: Sequence[str], *, seconds: float, on_line: Callable[[str], None] | None = None
    ) -> tuple[int, list[str]]:
        self.made += 1
        return 0, [f"MISSING {path}" for path in words[3:]]

    def knock(self) -> None:
        """It is there."""

    def load(self, service: str, file: str) -> None:
        raise AssertionError


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Script]]:
    made = {LOCAL: Script(), "nas": Script([row("one", "lab/nas")]), "attic": Script()}
    monkeypatch.setattr(LocalLab, "restic_at", lambda self, host: made[host])
    yield made
    for one in made.values():
        one.slow.set()


@pytest.fixture
def lab(tmp_path: Path) -> LocalLab:
    """``here`` on this machine, ``far`` on nas, ``old`` on attic, each with a database and a backup."""
    made = LocalLab(str(tmp_path / "lab"), files_only=True)
    init_lab(made, {"domain": "example.org"}, "27182818")
    root = Path(made.root)
    hosts = {n: {"address": f"ssh://root@{n}.invalid"} for n in ("nas", "attic")}
    (root / "hosts.yaml").write_text(json.dumps({"hosts": hosts}))
    for host, stack in ((LOCAL, "here"), ("nas", "far"), ("attic", "old")):
        head = "" if host == LOCAL else f"x-homelab: {{host: {host}}}\n"
        data = "./d:/var/lib/postgresql/data"
        texts = {
            f"{stack}/compose.yaml": f"{head}services:\n  db: {{image: 'postgres:17', volumes: ['{data}']}}\n",
            f"{maker(host)}/compose.yaml": f"{head}services:\n  b: {{image: r, labels: {{homelab.backup: engine}}}}\n",
            f"{maker(host)}/backup.yaml": f"repository: /mnt/{host}\n",
        }
        for path, text in texts.items():
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_text(text)
    return made


def maker(host: str) -> str:
    return f"backup-{host}"


def row(name: str, host: str, day: int = 1, tag: str = "") -> dict[str, Any]:
    return {
        "short_id": name,
        "time": f"2026-01-0{day}T00:00:00Z",
        "tags": ["homelab", *([tag] if tag else [])],
        "hostname": host,
    }


def test_a_slow_first_host_and_one_that_fails_take_no_answer_from_the_others(
    lab: LocalLab, scripts: dict[str, Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_everywhere, "ASK_SECONDS", 0.5)
    scripts[LOCAL].slow.clear()
    scripts["attic"].error = RuntimeError("odd")
    found = reports(lab)
    main, attic = found.main, found.hosts["attic"]
    assert (main.host, main.asked, main.repository, main.databases) == (
        LOCAL,
        False,
        "/mnt/local",
        ("here/db (postgres)",),
    )
    assert main.problems == ("The backup gives no answer within 0.5 s.", "attic: odd", f"nas: {NEVER}")
    assert attic is not None
    assert (attic.repository, attic.schedule, attic.problems) == ("/mnt/attic", main.schedule, ("odd",))
    assert found.hosts["nas"] is not None
    assert found.hosts["nas"].total == 1


def test_settings_of_the_first_host_that_are_wrong_are_its_problem_alone(
    lab: LocalLab, scripts: dict[str, Script]
) -> None:
    (Path(lab.root) / maker(LOCAL) / "backup.yaml").write_text("repository: nowhere\n")
    found = reports(lab)
    assert (found.main.host, list(found.hosts), found.hosts[LOCAL]) == ("attic", [LOCAL, "nas"], None)
    assert found.main.problems[0].startswith("local: ")
    assert runs(lab, hosts_meant(lab, ""))["nas"]["result"] == "ok"
    for host in ("nas", "attic"):
        (Path(lab.root) / maker(host) / "backup.yaml").write_text("repository: nowhere\n")
    with pytest.raises(InvalidInput) as caught:
        reports(lab)
    assert caught.value.code == "bad_backup_config"


def test_that_no_backup_was_made_is_said_only_where_somebody_said_so(
    lab: LocalLab, scripts: dict[str, Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert report(lab, host="nas").problems == (NEVER,)
    scripts["nas"].error = SILENT
    found = report(lab, host="nas")
    assert (found.asked, found.problems) == (False, ("Host nas does not answer. Look at that machine.",))
    words = ["--root", lab.root, "--files-only", "backups", "--host", "nas"]
    shown = CliRunner().invoke(app, words).output
    assert "Last good  not known" in shown


def test_one_hosts_settings_that_cannot_be_read_make_no_lab_without_a_backup(lab: LocalLab) -> None:
    (Path(lab.root) / maker("nas") / "backup.yaml").unlink()
    told = {f["failure"]: f for f in survives(lab)["failures"]}
    assert "data_gone" not in told["The machine of the lab is lost"]
    assert "no backup" not in told["The machine of the lab is lost"]["note"]
    assert told["The machine nas is lost"]["data_gone"] == ["far/db"]
    assert "(backup.yaml) cannot be read" in told["The machine nas is lost"]["note"]
    for host in (LOCAL, "attic"):
        (Path(lab.root) / maker(host) / "backup.yaml").write_text("repository: [")
    assert not any("The lab makes no backup" in f.get("note", "") for f in survives(lab)["failures"])


def planned(lab: LocalLab, monkeypatch: pytest.MonkeyPatch, down: Mapping[str, HomelabError], host: str = "") -> Draft:
    def container(_: object, name: str = LOCAL) -> str:
        if name in down:
            raise down[name]
        return "id"

    monkeypatch.setattr(propose_backup, "backup_container", container)
    monkeypatch.setattr(propose_backup, "plan_of", lambda _, draft, *rest: SimpleNamespace(draft=draft))
    snapshot = SimpleNamespace(snapshot=lambda containers: None)
    monkeypatch.setattr(propose_backup, "planner", lambda _: snapshot)
    return propose_run_backup(LocalLab(lab.root), ASKER, host=host).draft


def test_a_plan_is_made_of_the_hosts_that_can_be_asked_and_names_the_others(
    lab: LocalLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = planned(lab, monkeypatch, {})
    assert [a.name for a in whole.actions] == ["", "attic", "nas"]
    assert not [n for n in whole.notes if "No backup is made" in n]
    draft = planned(lab, monkeypatch, {"nas": SILENT})
    assert [a.name for a in draft.actions] == ["", "attic"]
    assert "No backup is made of nas: Host nas does not answer. Look at that machine." in draft.notes
    assert "No backup is made of nas, which cannot be asked." in [r.reason for r in draft.risks]
    assert "nas" not in draft.summary
    for down, host in (({n: SILENT for n in (LOCAL, "nas", "attic")}, ""), ({"nas": SILENT}, "nas")):
        with pytest.raises(EngineUnavailable) as caught:
            planned(lab, monkeypatch, down, host)
        assert caught.value.code == "host_silent"


def test_backups_of_a_host_by_its_former_name_are_told_and_can_be_named(
    lab: LocalLab, scripts: dict[str, Script]
) -> None:
    tag = f"lab-{(Path(lab.root) / '.homelab/id').read_text().strip()}"
    scripts["nas"].listed = [
        row("a", "lab/storage", 1, tag),
        row("b", "lab/storage", 2, tag),
        row("c", "lab", 3, tag),
        row("d", "lab/attic", 4, tag),
        row("e", "lab/elsewhere", 5, "lab-0"),
    ]
    with pytest.raises(NotFound) as none:
        propose_restore_backup(lab, "far", ASKER)
    assert (none.value.code, none.value.message) == ("no_backup", "There is no backup of nas yet.")
    assert "b (2026-01-02T00:00:00Z, storage)" in none.value.hint
    assert "c (2026-01-03T00:00:00Z, this machine)" in none.value.hint
    with pytest.raises(NotFound) as unknown:
        propose_restore_backup(lab, "far", ASKER, backup="zzz")
    assert unknown.value.code == "backup_unknown"
    assert "storage" in unknown.value.hint and "The newest: ." not in unknown.value.hint
    # One that is named is looked into, though there is none by the present name.
    with pytest.raises(InvalidInput) as named:
        propose_restore_backup(lab, "far", ASKER, backup="b")
    assert named.value.code == "not_in_backup"
    note = report(lab, host="nas").note
    assert note is not None
    assert "b (2026-01-02T00:00:00Z, storage, 2 in all)" in note
    assert "attic" not in note and "elsewhere" not in note
    scripts["nas"].listed = [row("f", "lab/nas", 6, tag), row("d", "lab/attic", 4, tag)]
    assert report(lab, host="nas").note is None


def test_the_json_of_a_run_keeps_its_shape_when_a_second_host_comes(lab: LocalLab, scripts: dict[str, Script]) -> None:
    def made(*words: str) -> dict[str, Any]:
        done = CliRunner().invoke(app, ["--root", lab.root, "--files-only", "backup", "run", "--json", *words])
        found: dict[str, Any] = json.loads(done.stdout)
        return found | {"exit": done.exit_code}

    flat = {"result", "ended", "seconds", "snapshot", "problems", "host", "exit"}
    alone = made("--host", "nas")
    assert (set(alone), alone["host"], alone["result"], alone["exit"]) == (flat, "nas", "ok", 0)
    scripts["attic"].error = SILENT
    every = made()
    assert set(every) == {*flat, "hosts"}
    assert (every["host"], every["result"], every["exit"]) == (LOCAL, "ok", 1)
    assert {n: one["result"] for n, one in every["hosts"].items()} == {"attic": "failed", "nas": "ok"}
    assert "does not answer" in every["hosts"]["attic"]["error"]
