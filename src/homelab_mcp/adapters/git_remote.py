"""The lab's repository elsewhere, by the ``git`` program, so that a person's keys, log-ins and signers work as usual.

Facts: git's manual, ``git-fetch``, ``git-push`` ("! [rejected] ... (fetch first)"), ``git-diff`` (raw format),
``git-verify-commit``, ``git-config`` (``safe.directory`` counts from the command line).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from homelab_mcp.adapters.process import Finished, read
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.ports import RemoteChange, RemoteSettings

SECONDS = 20.0
NETWORK_SECONDS = 120.0
MOST_COMMITS = 200
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""The id that every git gives to a tree with nothing in it."""

_URL = re.compile(r"(https?://|ssh://|file://|/|[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:)[\x21-\x7e]{1,400}")
_WITH_PASSWORD = re.compile(r"^[a-z+]+://[^/@]*:[^/@]*@|^https?://[^/@]+@")
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")


class GitRemote:
    """Fulfils ``ports.Remote``.

    Args:
        root: the lab's folder.
    """

    def __init__(self, root: str | Path) -> None:
        self._root = Path(root)

    def settings(self) -> RemoteSettings:
        """What is set: in git's own configuration, as ``remote.origin.url``, ``homelab.branch``, ``homelab.signed``."""
        return RemoteSettings(
            self._config("remote.origin.url"),
            self._config("homelab.branch") or "main",
            self._config("homelab.signed") == "true",
        )

    def configure(self, url: str, branch: str, *, signed: bool) -> None:
        """Set all three. Raises InvalidInput (``bad_remote``), HomelabError (``git_failed``)."""
        if not _URL.fullmatch(url) or _WITH_PASSWORD.match(url):
            raise InvalidInput(
                "This is no address that can be kept.",
                hint="For example git@host:me/lab.git or https://host/me/lab.git. A log-in does not belong into it: "
                "use an SSH key, or one of git's credential helpers.",
                code="bad_remote",
            )
        if not _BRANCH.fullmatch(branch) or ".." in branch:
            raise InvalidInput(f"{branch[:60]!r} is no branch's name.", hint="Such as main.", code="bad_remote")
        self._git("config", "remote.origin.url", url)
        self._git("config", "homelab.branch", branch)
        self._git("config", "homelab.signed", "true" if signed else "false")

    def whole(self) -> bool:
        """Whether the repository is the lab's alone, and not one of which the lab is a folder."""
        done, out = self._run(("rev-parse", "--show-prefix"), SECONDS)
        return done.code == 0 and not out.strip()

    def fetch(self) -> str:
        """Get what the branch holds; its last commit, "" where there is no such branch. Raises HomelabError."""
        branch = self.settings().branch
        spec = f"+refs/heads/{branch}:{self._ref(branch)}"
        done, _ = self._run(
            ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "origin", spec), NETWORK_SECONDS
        )
        if done.code == 0 and not done.timed_out:
            return self.known()
        if "couldn't find remote ref" in done.output:
            return ""
        raise HomelabError(
            f"The repository gave no answer that git could use: {_last(done)}",
            hint="Try `git fetch origin` in the lab's folder: keys and log-ins are git's own.",
            code="fetch_failed",
        )

    def known(self) -> str:
        """The branch's last commit as of the last fetch; "" for none."""
        return self._id(self._ref(self.settings().branch))

    def head(self) -> str:
        """The lab's last commit; "" for none."""
        return self._id("HEAD")

    def base(self, one: str, other: str) -> str:
        """The last commit that both come from; an empty tree's id where they share none."""
        done, out = self._run(("merge-base", one, other), SECONDS)
        return out.decode().strip() if done.code == 0 and out.strip() else EMPTY_TREE

    def is_empty(self, commit: str) -> bool:
        """Whether this is the id of the empty tree."""
        return commit == EMPTY_TREE

    def count(self, since: str, until: str) -> int:
        """Commits of ``until`` that ``since`` has not."""
        span = until if since == EMPTY_TREE else f"{since}..{until}"
        return int(self._git("rev-list", "--count", span).strip() or 0)

    def changes(self, since: str, until: str) -> list[RemoteChange]:
        """Files that differ between two commits, by path."""
        raw = self._git("diff", "--raw", "--no-renames", "--no-abbrev", "-z", since, until, "--")
        parts = raw.split("\0")
        pairs = zip(parts[::2], parts[1::2], strict=False)
        return [RemoteChange(path, int(told.split(" ")[1], 8)) for told, path in pairs]

    def unsigned(self, since: str, until: str) -> list[str]:
        """Commits of ``until`` that ``since`` has not and that carry no signature which git trusts.

        Raises HomelabError (``too_many_commits``): each one is asked about, or none counts.
        """
        span = until if since == EMPTY_TREE else f"{since}..{until}"
        ids = self._git("rev-list", f"--max-count={MOST_COMMITS + 1}", span).split()
        if len(ids) > MOST_COMMITS:
            raise HomelabError(
                f"More than {MOST_COMMITS} commits would have their signatures looked at.",
                hint="Look with `git log --show-signature`, take them with git itself, then `homelab-mcp review`.",
                code="too_many_commits",
            )
        return [one for one in ids if self._run(("verify-commit", one), SECONDS)[0].code != 0]

    def join(self, tip: str, message: str) -> str:
        """A commit of the lab's files as they are that says that ``tip`` is in them; the commit's id."""
        head = self.head()
        if not head:
            raise HomelabError("The lab has no commit yet.", hint="Make it first: homelab-mcp init.", code="git_failed")
        if self.base(head, tip) == head and not self.changes(head, tip):
            self._git("update-ref", "HEAD", tip, head)
            return tip
        author = ("-c", "user.name=homelab-mcp", "-c", "user.email=homelab-mcp@localhost")
        new = self._git(*author, "commit-tree", f"{head}^{{tree}}", "-p", head, "-p", tip, "-m", message).strip()
        self._git("update-ref", "HEAD", new, head)
        return new

    def push(self) -> None:
        """Send the lab's commits. Raises HomelabError (``push_behind``: the branch has others; ``push_failed``)."""
        branch = self.settings().branch
        done, _ = self._run(("push", "--quiet", "origin", f"HEAD:refs/heads/{branch}"), NETWORK_SECONDS)
        if done.code == 0 and not done.timed_out:
            return
        if "[rejected]" in done.output or "fetch first" in done.output:
            raise HomelabError(
                f"The branch {branch} has commits that this lab has not: somebody pushed before.",
                hint="Take them first: `homelab-mcp git pull`, then push again. Nothing was overwritten.",
                code="push_behind",
            )
        raise HomelabError(
            f"The repository took nothing: {_last(done)}",
            hint="Try `git push origin HEAD` in the lab's folder: keys and log-ins are git's own.",
            code="push_failed",
        )

    def _ref(self, branch: str) -> str:
        return f"refs/remotes/origin/{branch}"

    def _config(self, name: str) -> str:
        done, out = self._run(("config", "--get", name), SECONDS)
        return out.decode("utf-8", "replace").strip() if done.code == 0 else ""

    def _id(self, name: str) -> str:
        done, out = self._run(("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"), SECONDS)
        return out.decode().strip() if done.code == 0 else ""

    def _git(self, *words: str) -> str:
        done, out = self._run(words, SECONDS)
        if done.code != 0 or done.timed_out:
            raise HomelabError(
                f"Git failed: {_last(done)}", hint="Look at the lab's folder with `git status`.", code="git_failed"
            )
        return out.decode("utf-8", "surrogateescape")

    def _run(self, words: tuple[str, ...], seconds: float) -> tuple[Finished, bytes]:
        # Nothing may ask for a password here: nobody would see the question.
        asked = os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=10")
        env = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": asked, "LC_ALL": "C"}
        fixed = ("git", "-c", "safe.directory=*", "-c", "protocol.ext.allow=never", "-c", "gc.auto=0")
        try:
            return read((*fixed, "-C", str(self._root), *words), env=env, timeout=seconds)
        except FileNotFoundError:
            raise HomelabError(
                "The program git is not here, and it is what fetches and pushes.",
                hint="Install it: apt-get install git.",
                code="git_missing",
            ) from None


def _last(done: Finished) -> str:
    """Git's last words, without addresses' log-ins."""
    if done.timed_out:
        return "it took too long."
    lines = [line for line in done.output.strip().splitlines() if line.strip()]
    return re.sub(r"//[^/@\s]+@", "//", lines[-1] if lines else f"it ended with {done.code}")[:300]
