"""A lab and its repository elsewhere, by real git: taken by a plan, sent, and never one machine over the other."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from homelab_mcp.adapters import git_remote
from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.plan import Plan, PlanState, Requester
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.git_sync import propose_pull, push, set_remote, sync_state
from homelab_mcp.workflow.init_lab import init_lab

pytestmark = pytest.mark.timeout(120)

PIN = "27182818"
ME = Requester("cli")
WEB = "services:\n  web:\n    image: nginx:1.29\n    restart: unless-stopped\n"
ENV = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}


def git(folder: Path, *words: str) -> str:
    named = ("-c", "user.name=ann", "-c", "user.email=ann@lab.test", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ("git", *named, *words), cwd=folder, env=ENV, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


class Shared:
    """A lab, the bare repository it goes with, and another machine's clone of that."""

    def __init__(self, tmp: Path) -> None:
        self.root, self.bare, self.other = tmp / "stacks", tmp / "lab.git", tmp / "other"

    def open(self) -> LocalLab:
        return open_lab(str(self.root), files_only=True)

    def adopted(self, stack: str) -> Plan:
        from homelab_mcp.workflow.proposals import propose_resolve_drift

        return propose_resolve_drift(self.open(), stack, "adopt", ME)

    def apply(self, plan: Plan) -> None:
        lab = self.open()
        approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
        status = applier(lab).run(plan.id)
        assert status.state is PlanState.DONE, status

    def elsewhere(self, path: str, text: str | None) -> str:
        """What the other machine commits and pushes; the commit."""
        if not self.other.exists():
            git(self.bare.parent, "clone", "--quiet", str(self.bare), str(self.other))
        git(self.other, "pull", "--quiet", "--ff-only")
        file = self.other / path
        if text is None:
            file.unlink()
        else:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        git(self.other, "add", "--all", "--force")
        git(self.other, "commit", "--quiet", "-m", f"change {path}")
        git(self.other, "push", "--quiet", "origin", "HEAD")
        return git(self.other, "rev-parse", "HEAD")

    def refused(self) -> HomelabError:
        with pytest.raises(HomelabError) as caught:
            propose_pull(self.open(), ME)
        return caught.value

    def make(self) -> None:
        """A lab with one stack, whose commits are in the repository."""
        init_lab(open_lab(str(self.root), files_only=True), {"domain": "lab.test"}, PIN)
        (self.root / "media").mkdir()
        (self.root / "media" / "compose.yaml").write_text(WEB)
        self.apply(self.adopted("media"))
        self.bare.mkdir()
        git(self.bare, "init", "--bare", "--quiet")
        set_remote(self.open(), str(self.bare), "main", signed=False)
        push(self.open())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once: an approval's key takes a second by design."""
    folder = tmp_path_factory.mktemp("made")
    Shared(folder).make()
    return folder


@pytest.fixture
def shared(made: Path, tmp_path: Path) -> Shared:
    """A lab of the test's own."""
    shutil.copytree(made, tmp_path / "lab")
    mine = Shared(tmp_path / "lab")
    git(mine.root, "config", "remote.origin.url", str(mine.bare))
    return mine


def test_what_is_here_goes_there_and_no_secret_with_it(shared: Shared) -> None:
    files = git(shared.bare, "ls-tree", "-r", "--name-only", "main").splitlines()
    assert {"homelab.yaml", "media/compose.yaml"} <= set(files)
    assert not [f for f in files if ".env" in f or f.startswith(".homelab")]
    state = sync_state(shared.open())
    assert (state["ahead"], state["behind"], state["to_take"]) == (0, 0, [])
    assert shared.refused().code == "nothing_to_do"


def typed(shared: Shared, *words: str) -> tuple[int, str]:
    """What ``homelab-mcp git`` ends with, and what it says."""
    argv = [sys.executable, "-m", "homelab_mcp", "--root", str(shared.root), "--files-only", "git", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


def test_nothing_new_is_said_and_is_no_failure_and_a_plan_that_waits_ends_with_3(shared: Shared) -> None:
    for command in ("pull", "poll"):
        code, said = typed(shared, command)
        assert (code, "The lab has all that main holds." in said) == (0, True), said
        code, said = typed(shared, command, "--json")
        assert (code, json.loads(said)) == (0, {"plan_id": "", "summary": "The lab has all that main holds."})
    assert typed(shared, "pull", "--offline")[0] == 0
    shared.elsewhere("tools/compose.yaml", WEB)
    code, said = typed(shared, "pull", "--json")
    assert (code, json.loads(said)["state"]) == (3, "pending")
    # What is wrong still is: a file that both changed.
    (shared.root / "media" / "compose.yaml").write_text(WEB.replace("nginx", "caddy"))
    shared.apply(shared.adopted("media"))
    shared.elsewhere("media/compose.yaml", WEB.replace("1.29", "1.30"))
    code, said = typed(shared, "pull")
    assert (code, "the same file was changed" in said) == (1, True), said


def test_a_change_there_is_a_plan_here_and_both_histories_are_joined(shared: Shared) -> None:
    tip = shared.elsewhere("media/compose.yaml", WEB.replace("1.29", "1.30"))
    shared.elsewhere("tools/compose.yaml", WEB)
    plan = propose_pull(shared.open(), ME)
    assert plan.draft.summary.startswith("Take 2 commits of main (")
    assert {e.path for e in plan.draft.edits} == {"media/compose.yaml", "tools/compose.yaml"}
    assert any(n.startswith("tools is new here") for n in plan.draft.notes)
    assert "1.29" in (shared.root / "media" / "compose.yaml").read_text(), "a plan changes nothing"
    assert propose_pull(shared.open(), ME).id == plan.id, "one plan a commit, however often a timer asks"
    shared.apply(plan)
    assert "1.30" in (shared.root / "media" / "compose.yaml").read_text()
    assert shared.refused().code == "nothing_to_do"
    assert push(shared.open())["joined"]
    assert tip in git(shared.bare, "rev-list", "main").split()
    assert git(shared.bare, "rev-parse", "main") == git(shared.root, "rev-parse", "HEAD")
    assert git(shared.root, "status", "--porcelain") == ""


def test_a_word_of_a_forge_brings_back_no_plan_that_a_person_declined(shared: Shared) -> None:
    shared.elsewhere("tools/compose.yaml", WEB)
    asked = propose_pull(shared.open(), ME, once=True)
    assert propose_pull(shared.open(), ME, once=True).id == asked.id
    approvals(shared.open()).out_of_band(asked.id, PIN, who="test", approved=False)
    with pytest.raises(HomelabError) as refused:
        propose_pull(shared.open(), ME, once=True)
    assert refused.value.code == "nothing_to_do"
    assert propose_pull(shared.open(), ME).id != asked.id, "a person may ask again"
    shared.elsewhere("tools/compose.yaml", WEB.replace("1.29", "1.30"))
    assert propose_pull(shared.open(), ME, once=True).id != asked.id, "another commit has a plan of its own"


def test_two_machines_do_not_fight(shared: Shared) -> None:
    shared.elsewhere("tools/compose.yaml", WEB)
    (shared.root / "media" / "compose.yaml").write_text(WEB.replace("1.29", "1.31"))
    shared.apply(shared.adopted("media"))
    before = git(shared.bare, "rev-parse", "main")
    with pytest.raises(HomelabError) as caught:
        push(shared.open())
    assert (caught.value.code, "git pull" in caught.value.hint) == ("push_behind", True)
    assert git(shared.bare, "rev-parse", "main") == before
    shared.apply(propose_pull(shared.open(), ME))
    push(shared.open())
    both = git(shared.bare, "show", "main:media/compose.yaml"), git(shared.bare, "show", "main:tools/compose.yaml")
    assert ("1.31" in both[0], "1.29" in both[1]) == (True, True)


def test_what_both_changed_a_person_joins(shared: Shared) -> None:
    shared.elsewhere("media/compose.yaml", WEB.replace("1.29", "1.30"))
    (shared.root / "media" / "compose.yaml").write_text(WEB.replace("1.29", "1.31"))
    assert shared.refused().code == "git_dirty"
    shared.apply(shared.adopted("media"))
    error = shared.refused()
    assert (error.code, error.details["paths"]) == ("git_conflict", ["media/compose.yaml"])
    assert "git merge" in error.hint


def test_what_no_plan_changes_is_not_taken(shared: Shared) -> None:
    for path in ("policy.yaml", "hosts.yaml", "media/secret.env"):
        shared.elsewhere(path, "a: 1\n")
    error = shared.refused()
    assert (error.code, len(error.details["paths"])) == ("git_guarded", 3)


def test_a_link_is_not_taken(shared: Shared) -> None:
    shared.elsewhere("media/notes.txt", "x\n")
    (shared.other / "media" / "link").symlink_to("/etc/passwd")
    git(shared.other, "add", "--all")
    git(shared.other, "commit", "--quiet", "-m", "link")
    git(shared.other, "push", "--quiet", "origin", "HEAD")
    assert shared.refused().code == "git_odd"


def test_only_signed_commits_where_that_was_said(shared: Shared) -> None:
    set_remote(shared.open(), str(shared.bare), "main", signed=True)
    shared.elsewhere("tools/compose.yaml", WEB)
    assert shared.refused().code == "not_signed"


def test_an_old_unsigned_commit_is_not_hidden_by_many_later_ones(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_remote(shared.open(), str(shared.bare), "main", signed=True)
    monkeypatch.setattr(git_remote, "MOST_COMMITS", 1)
    shared.elsewhere("tools/compose.yaml", WEB)
    shared.elsewhere("tools/compose.yaml", WEB + "# more\n")
    assert shared.refused().code == "too_many_commits"


def test_signed_by_a_trusted_key_is_taken(shared: Shared, tmp_path: Path) -> None:
    key, trusted = tmp_path / "key", tmp_path / "trusted"
    subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)), check=True, timeout=60)
    trusted.write_text(f"ann@lab.test {key.with_suffix('.pub').read_text()}")
    for name, value in (("gpg.format", "ssh"), ("gpg.ssh.allowedSignersFile", str(trusted))):
        git(shared.root, "config", name, value)
    set_remote(shared.open(), str(shared.bare), "main", signed=True)
    git(shared.bare.parent, "clone", "--quiet", str(shared.bare), str(shared.other))
    for name, value in (("gpg.format", "ssh"), ("user.signingkey", str(key)), ("commit.gpgsign", "true")):
        git(shared.other, "config", name, value)
    shared.elsewhere("tools/compose.yaml", WEB)
    assert propose_pull(shared.open(), ME).draft.operation == "pull"


def test_a_stack_that_is_gone_there_goes_here(shared: Shared) -> None:
    shared.elsewhere("media/compose.yaml", None)
    plan = propose_pull(shared.open(), ME)
    assert [(e.path, e.after) for e in plan.draft.edits] == [("media/compose.yaml", None)]


def test_no_repository_and_addresses_that_cannot_be_kept(shared: Shared) -> None:
    lab = shared.open()
    git(shared.root, "config", "--unset", "remote.origin.url")
    with pytest.raises(HomelabError) as caught:
        sync_state(lab)
    assert caught.value.code == "no_remote"
    for bad in ("--upload-pack=x", "ext::sh -c x", "https://me:pass@host/x", "https://token@host/x"):
        with pytest.raises(HomelabError) as refused:
            set_remote(lab, bad, "main", signed=False)
        assert refused.value.code == "bad_remote"
    set_remote(lab, str(shared.bare.parent / "nowhere.git"), "main", signed=False)
    with pytest.raises(HomelabError) as gone:
        sync_state(lab)
    assert gone.value.code == "fetch_failed"
