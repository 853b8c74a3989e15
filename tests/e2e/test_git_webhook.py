"""A forge's call after a push, over real HTTP to a real server: signed it makes a plan, unsigned it makes nothing."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from testbed.docker_engine import wait_until
from tests.e2e.http_server import Served, serving
from tests.e2e.server import LabOnDisk

pytestmark = pytest.mark.timeout(240)

WEB = "services:\n  web:\n    image: nginx:1.30\n    restart: unless-stopped\n"
GIT_ENV = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
PUSH = json.dumps({"ref": "refs/heads/main", "after": "0" * 40, "repository": {"clone_url": "https://evil.test/x"}})


def git(folder: Path, *words: str) -> str:
    named = ("-c", "user.name=ann", "-c", "user.email=ann@lab.test", "-c", "init.defaultBranch=main")
    done = subprocess.run(("git", *named, *words), cwd=folder, env=GIT_ENV, capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Forge:
    """A repository that somebody else pushes to, and what its forge then sends."""

    def __init__(self, served: Served, folder: Path, secret: str) -> None:
        self.served, self.folder, self.secret = served, folder, secret

    def push(self, path: str, text: str) -> str:
        clone = self.folder / "clone"
        if not clone.exists():
            git(self.folder, "clone", "--quiet", "lab.git", "clone")
        (clone / path).parent.mkdir(exist_ok=True)
        (clone / path).write_text(text)
        git(clone, "add", "--all")
        git(clone, "commit", "--quiet", "-m", f"change {path}")
        git(clone, "push", "--quiet", "origin", "HEAD")
        return git(clone, "rev-parse", "HEAD")

    def mac(self, body: str, secret: str = "") -> str:
        return hmac.new((secret or self.secret).encode(), body.encode(), hashlib.sha256).hexdigest()

    def github(self, body: str = PUSH, event: str = "push", secret: str = "") -> httpx.Response:
        return self.post(body, X_GitHub_Event=event, X_Hub_Signature_256=f"sha256={self.mac(body, secret)}")

    def post(self, body: str, **headers: str) -> httpx.Response:
        sent = {k.replace("_", "-"): v for k, v in headers.items()} | {"Content-Type": "application/json"}
        return httpx.post(self.served.url.replace("/mcp", "/hooks/git"), content=body, headers=sent, timeout=60)

    def told(self) -> list[str]:
        """What the server said of plans that wait."""
        return [s.strip() for s in self.served.said if "waits for a person" in s]


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    folder = tmp_path_factory.mktemp("forge")
    lab = LabOnDisk(folder / "stacks", {"HOMELAB_FILES_ONLY": "1", "HOMELAB_HTTP_TOKEN": "a-long-random-token"})
    lab.init()
    git(folder, "init", "--quiet", "--bare", "lab.git")
    lab.json("git", "remote", str(folder / "lab.git"))
    lab.json("git", "push")
    with serving(lab) as served:
        without = Forge(served, folder, "nobody-knows-this-one-at-all-really")
        assert without.github().status_code == 404
        made = lab.json("git", "webhook")
        assert lab.json("git", "webhook", code=1)["error"]["code"] == "webhook_exists"
        assert made["path"] == "/hooks/git"
        assert (lab.root / ".homelab/webhook.secret").stat().st_mode & 0o777 == 0o600
        yield Forge(served, folder, made["secret"])


def test_a_signed_push_makes_one_plan_that_waits_for_a_person(forge: Forge) -> None:
    lab = forge.served.lab
    before = lab.files()
    assert forge.github(event="ping").json() == {"status": "pong"}
    forge.push("tools/compose.yaml", WEB)
    answer = forge.github()
    assert (answer.status_code, answer.json()) == (202, {"status": "looking"})
    said = wait_until(lambda: forge.told() or None, "a plan", within=60)
    plan = said[0].split()[-1]
    shown = lab.json("plan", plan)
    assert "Take 1 commit of main" in json.dumps(shown)
    assert lab.files() == before, "a call changes nothing"
    # The same word again, as somebody who overheard it would say it, or as Gitea signs: no second plan.
    assert forge.post(PUSH, X_Gitea_Event="push", X_Gitea_Signature=forge.mac(PUSH)).status_code == 202
    said = wait_until(lambda: forge.told()[1:] or None, "a second look", within=60)
    assert said[0].split()[-1] == plan
    done = lab.approve(plan, "--apply")
    assert done
    assert (lab.root / "tools/compose.yaml").read_text() == WEB


def test_what_is_not_signed_right_or_no_push_of_that_branch_makes_nothing(forge: Forge) -> None:
    good = forge.mac(PUSH)
    headers: list[dict[str, str]] = [
        {},
        {"X_Hub_Signature_256": good},
        {"X_Hub_Signature_256": "sha256="},
        {"X_Hub_Signature_256": f"sha256={good[:-1]}{'0' if good[-1] != '0' else '1'}"},
        {"X_Hub_Signature_256": f"sha256={forge.mac(PUSH, 'another')}"},
        {"X_Hub_Signature_256": f"sha256={forge.mac('{}')}"},
        {"X_Hub_Signature": "sha1=" + hmac.new(forge.secret.encode(), PUSH.encode(), hashlib.sha1).hexdigest()},
        # A bad one of GitHub's is not made good by a good one of Gitea's.
        {"X_Hub_Signature_256": "sha256=00", "X_Gitea_Signature": good},
        {"Authorization": "Bearer a-long-random-token"},
    ]
    for given in headers:
        answer = forge.post(PUSH, X_GitHub_Event="push", **given)
        assert (answer.status_code, answer.json()) == (401, {"status": "no good signature"}), given
    other = PUSH.replace("heads/main", "heads/other")
    assert forge.github(other).json() == {"status": "ignored: another branch"}
    assert forge.github(event="issues").json() == {"status": "ignored: no push"}
    assert forge.github("[" * 100_000).status_code == 400
    assert forge.github("payload=%7B%7D").status_code == 400
    assert httpx.get(forge.served.url.replace("/mcp", "/hooks/git")).status_code == 405
    browser = forge.post(PUSH, X_GitHub_Event="push", X_Hub_Signature_256=f"sha256={good}", Origin="https://evil.test")
    assert browser.status_code == 403
    assert forge.github("x" * (1024 * 1024 + 1)).status_code == 413
    looked = [s for s in forge.served.said if "waits for a person" in s or "was not planned" in s]
    assert len(looked) == 2, looked
    assert forge.secret not in "".join(forge.served.said)
    # Where nobody may plan, a forge may not either; the policy is read anew each time.
    policy = forge.served.lab.root / "policy.yaml"
    kept = policy.read_text() if policy.exists() else None
    policy.write_text("read_only: true\n")
    assert forge.github().status_code == 404
    if kept is None:
        policy.unlink()
    else:
        policy.write_text(kept)
    assert forge.github(other).status_code == 202


def test_many_calls_are_told_to_wait_and_an_old_secret_counts_no_more(forge: Forge) -> None:
    codes = [forge.github().status_code for _ in range(14)]
    assert 429 in codes
    assert codes.index(429) <= 11
    # At once, so that they come faster than one a second on any machine.
    with ThreadPoolExecutor(16) as pool:
        refused = list(pool.map(lambda _: forge.github(secret="wrong" * 10), range(130)))
    waits = [r for r in refused if r.status_code == 429]
    assert waits
    assert {r.status_code for r in refused} == {401, 429}
    assert int(waits[0].headers["retry-after"]) >= 1
    forge.served.lab.json("git", "webhook", "--new")
    assert forge.github().status_code in {401, 429}
    assert forge.served.lab.json("git", "webhook", "--off")["was_on"] is True
    assert forge.github().status_code == 404
    journal = (forge.served.lab.root / ".homelab/journal.jsonl").read_text()
    assert forge.secret not in journal
    assert journal.count('"git_webhook"') >= 3
