"""The lab's history, written by dulwich and judged by git itself."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import time
from pathlib import Path

import pytest

from homelab_mcp.adapters.git_history import EXCLUDED, GitHistory
from homelab_mcp.adapters.git_reading import forbidden
from homelab_mcp.adapters.lock import LabLock
from homelab_mcp.model.errors import HomelabError
from tests.kills import killed_after


def git(root: Path, *args: str) -> str:
    identity = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    done = subprocess.run(["git", "-C", str(root), *identity, *args], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "lab" / "media").mkdir(parents=True)
    (tmp_path / "lab" / "media" / "compose.yaml").write_text("a\n")
    (tmp_path / "lab" / "media" / ".env").write_text("SECRET=canary-1234\n")
    return tmp_path / "lab"


def test_a_new_repository_keeps_secrets_out_by_itself(root: Path) -> None:
    history = GitHistory(root)
    assert history.ensure()
    assert not history.ensure()
    (root / ".homelab").mkdir()
    (root / ".homelab/journal.jsonl").touch()
    git(root, "add", "-A")
    assert git(root, "diff", "--cached", "--name-only").split() == [".gitignore", "media/compose.yaml"]


def test_a_persons_own_gitignore_is_never_rewritten(root: Path) -> None:
    (root / ".gitignore").write_text("mine\n")
    git(root, "init", "-q")
    assert not GitHistory(root).ensure()
    GitHistory(root).ensure()
    assert (root / ".gitignore").read_text() == "mine\n"
    exclude = (root / ".git/info/exclude").read_text().splitlines()
    assert [line for line in exclude if line in EXCLUDED] == list(EXCLUDED)
    git(root, "add", "-A")
    assert "media/.env" not in git(root, "ls-files")


def test_a_lab_made_before_leaves_out_what_has_been_added_since(root: Path) -> None:
    git(root, "init", "-q")
    exclude = root / ".git/info/exclude"
    mark = "# homelab-mcp: secrets and private files"
    exclude.write_text(f"theirs\n{mark}\n.env\n*.env\n!mine/id_rsa\n")
    for name in (
        "backup/ssh/nas",
        "keep/ssh/nas_key",
        "keep/rclone/any",
        "media/id_rsa",
        "mine/id_rsa",
        "web/ssh/motd",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("canary\n")
    (root / "keep/backup.yaml").write_text("repository: /mnt/b\n")
    history = GitHistory(root)
    history.ensure()
    lines = exclude.read_text().splitlines()
    assert (lines[:2], lines[-3:]) == (["theirs", mark], [".env", "*.env", "!mine/id_rsa"])
    assert sorted(line for line in lines if line in EXCLUDED) == sorted(EXCLUDED)
    assert {"/backup/ssh/", "/keep/ssh/", "/keep/rclone/"} <= set(lines)
    history.ensure()
    assert exclude.read_text().splitlines() == lines
    shown = git(root, "status", "--porcelain", "-uall").splitlines()
    assert shown == ["?? keep/backup.yaml", "?? media/compose.yaml", "?? mine/id_rsa", "?? web/ssh/motd"]
    keys = ["backup/ssh/nas", "keep/ssh/nas_key", "keep/rclone/any", "media/id_rsa"]
    assert history.dirty(keys) == []
    assert history.ignored([*keys, "web/ssh/motd"]) == keys
    history.commit([*keys, "keep/backup.yaml"], "ours")
    assert git(root, "ls-tree", "-r", "--name-only", "HEAD") == "keep/backup.yaml"


def test_only_the_given_paths_are_committed_and_the_rest_stays_as_it_is(root: Path) -> None:
    git(root, "init", "-q")
    for name in ("dirty", "staged", "gone"):
        (root / name).write_text("1\n")
    git(root, "add", "dirty", "staged", "gone")
    git(root, "commit", "-qm", "theirs")
    (root / "dirty").write_text("2\n")
    (root / "staged").write_text("2\n")
    (root / "untracked").write_text("x\n")
    git(root, "add", "staged")
    (root / "gone").unlink()
    history = GitHistory(root)
    assert history.dirty(["dirty", "media/compose.yaml", "media/.env", "untracked"]) == [
        "dirty",
        "media/compose.yaml",
        "untracked",
    ]
    commit = history.commit(["media/compose.yaml", "gone", "media/.env", ".homelab/x"], "ours\n\nbody")
    assert git(root, "show", "--name-status", "--format=%an <%ae>", commit).split("\n\n") == [
        "homelab-mcp <homelab-mcp@localhost>",
        "D\tgone\nA\tmedia/compose.yaml",
    ]
    assert git(root, "status", "--porcelain").splitlines() == ["M dirty", "M  staged", "?? untracked"]
    assert history.commit(["media/compose.yaml"], "again") == ""
    assert git(root, "fsck", "--strict") == ""
    newest, oldest = history.log(5)
    assert (newest.id, newest.paths, newest.message) == (commit, ("gone", "media/compose.yaml"), "ours\n\nbody")
    assert oldest.message == "theirs"


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "media/.env",
        "media/prod.env",
        "media/.env.local",
        ".homelab/journal.jsonl",
        "x/acme.json",
        "a/users_database.yml",
        "../x",
        "/etc/passwd",
        ".git/config",
        "backup/ssh/nas",
        "backup/rclone/a/b",
        "x/id_ed25519",
    ],
)
def test_paths_that_never_go_into_git(path: str) -> None:
    assert forbidden(path)
    assert not forbidden("media/compose.yaml")


def test_a_lab_inside_a_repository_that_tracks_it_uses_that_one(root: Path) -> None:
    git(root.parent, "init", "-q")
    git(root.parent, "add", "lab/media/compose.yaml")
    git(root.parent, "commit", "-qm", "theirs")
    (root / "media/compose.yaml").write_text("b\n")
    history = GitHistory(root)
    assert not history.ensure()
    assert history.commit(["media/compose.yaml"], "ours")
    assert not (root / ".git").exists()
    assert git(root.parent, "show", "--name-only", "--format=", "HEAD") == "lab/media/compose.yaml"
    assert git(root.parent, "status", "--porcelain") == ""
    assert history.log(1)[0].paths == ("media/compose.yaml",)


def test_a_lab_inside_a_repository_that_knows_nothing_of_it_gets_its_own(root: Path) -> None:
    git(root.parent, "init", "-q")
    (root.parent / "dotfile").touch()
    git(root.parent, "add", "dotfile")
    git(root.parent, "commit", "-qm", "home")
    assert GitHistory(root).ensure()
    assert GitHistory(root).commit(["media/compose.yaml"], "ours")
    assert git(root.parent, "log", "--format=%s") == "home"


def test_a_stale_lock_is_cleared_only_under_the_labs_own_lock(root: Path) -> None:
    history = GitHistory(root)
    history.ensure()
    branch = root / ".git/refs/heads/main.lock"
    branch.touch()
    time.sleep(0.02)
    with pytest.raises(HomelabError) as caught:
        history.commit(["media/compose.yaml"], "x")
    assert caught.value.code == "git_failed"
    assert branch.exists()
    (root / ".git/index.lock").touch()
    time.sleep(0.02)
    with LabLock(root).hold("apply"):
        assert history.commit(["media/compose.yaml"], "x")
    assert git(root, "status", "--porcelain") == "?? .gitignore"


def test_a_lock_that_is_younger_than_ours_belongs_to_somebody(root: Path) -> None:
    history = GitHistory(root)
    history.ensure()
    branch = root / ".git/refs/heads/main.lock"
    with LabLock(root).hold("apply"):
        time.sleep(0.02)
        branch.touch()
        with pytest.raises(HomelabError):
            history.commit(["media/compose.yaml"], "x")
    assert branch.exists()


@pytest.mark.parametrize("turns", [10, pytest.param(50, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("whose", ["ours", "a person's"])
@pytest.mark.timeout(120)
def test_after_every_one_of_a_hundred_killed_commits_the_next_one_works(root: Path, whose: str, turns: int) -> None:
    history, lock = GitHistory(root), LabLock(root)
    history.ensure()
    kills, left = 0, 0
    stack = root / "media"
    for turn in range(50 // turns, 51, 50 // turns):
        (stack / "compose.yaml").write_text(f"services: {{}}\n# {turn}\n")

        def commit(turn: int = turn) -> None:
            with lock.hold("apply"):
                history.commit(["media/compose.yaml"], f"turn {turn}")

        if whose == "ours":
            kills += killed_after(2 * turn, commit)
        else:
            script = "git add -A && git -c user.name=a -c user.email=a@b commit -qm theirs"
            child = subprocess.Popen(["sh", "-c", script], cwd=root, start_new_session=True)
            time.sleep(turn * 0.0004)
            os.killpg(child.pid, signal.SIGKILL)
            kills += child.wait() != 0
            time.sleep(0.01)
        left += any((root / ".git").rglob("*.lock"))
        (stack / "compose.yaml").write_text(f"services: {{}}\n# {turn} again\n")
        with lock.hold("apply"):
            assert history.commit(["media/compose.yaml"], f"again {turn}"), turn
        assert git(root, "show", "HEAD:media/compose.yaml").endswith("again"), turn
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "--allow-empty", "--message", "a person's next one")
    # Chance: on a fast or a busy machine most of them ended in time.
    assert kills >= max(1, turns // 10)
    assert left >= 1 or turns < 50, "a kill left a lock behind"
    assert "error" not in git(root, "fsck", "--no-dangling")


def test_a_user_whom_no_passwd_entry_names_commits_as_anybody(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(root))
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    (root / "a.txt").write_text("one")
    history = GitHistory(root)
    history.ensure()
    for text in ("one", "two"):
        (root / "a.txt").write_text(text)
        assert history.commit(["a.txt"], text)
    assert [c.message for c in history.log(5)] == ["two", "one"]
    logs = [path.read_text() for path in (root / ".git/logs").rglob("*") if path.is_file()]
    written = [line for log in logs for line in log.splitlines()]
    assert written
    assert all("homelab-mcp <homelab-mcp@localhost>" in line for line in written)
