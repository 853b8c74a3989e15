"""The labs in which the documentation's commands are run, and a person who types them at a terminal.

Run in this process, through the command's own entry point: some hundred commands are too many for a process each.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.cli.main import run as entry_point
from homelab_mcp.model.plan import Plan, PlanState, Requester
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import propose_add_service
from homelab_mcp.workflow.propose_changes import propose_remove_service
from homelab_mcp.workflow.propose_setup import propose_core
from tests.doc_pages import Block, Command

PIN = "correct-horse"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
USUAL_ROOT = "/opt/stacks"
SETTINGS = {
    "domain": "example.org",
    "email": "you@example.org",
    "acme.challenge": "tls",
    "timezone": "Europe/Berlin",
    "puid": 1000,
    "pgid": 1000,
}
SERVICES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("media", "jellyfin", {}),
    ("apps", "sonarr", {}),
    ("downloads", "gluetun", {"variables": {"VPN_SERVICE_PROVIDER": "mullvad"}}),
    ("downloads", "prowlarr", {}),
    ("monitoring", "uptime-kuma", {}),
    ("monitoring", "grafana", {}),
    ("apps", "whoami", {}),
    ("apps", "dokuwiki", {"name": "wiki"}),
)
"""What the pages' examples are about."""

FILES = {
    "Downloads/compose.yaml": "services:\n  papers:\n    image: example/papers:2.0\n    ports: ['8090:80']\n",
    "work/command.txt": "docker run -d --name paint -p 3000:3000 example/paint:1.2\n",
    "work/address.txt": "https://ntfy.example.org/lab?template=alertmanager\n",
    "work/answers.yaml": "domain: example.org\nacme: {challenge: tls}\n",
    "work/core.env": "DUCKDNS_TOKEN=0f0f0f0f-1111-2222-3333-444455556666\n",
    "work/pin": f"{PIN}\n",
    "work/nas.pem": "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIU\n-----END CERTIFICATE-----\n",
    ".local/share/man/man1/.keep": "",
}
"""What the reader has at hand: below the home folder; ``work`` is where commands are typed."""


def applied(lab: LocalLab, plan: Plan) -> None:
    """The person's yes to a plan, and its apply."""
    approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
    status = applier(lab).run(plan.id)
    assert status.state is PlanState.DONE, status


def make_home(root: Path) -> None:
    """A lab as the pages have it: the core, and the services of their examples."""
    lab = open_lab(str(root), files_only=True)
    init_lab(lab, dict(SETTINGS), PIN)
    applied(lab, propose_core(lab, ("duckdns",), Requester("cli")))
    for stack, service, options in SERVICES:
        applied(lab, propose_add_service(lab, service, stack, options, Requester("cli")))


@dataclass
class Ended:
    """How a command ended: its exit code and all that was on the screen."""

    code: int
    screen: str


@dataclass
class Reader:
    """Somebody who types a page's commands, in a home folder of their own, on a lab that is theirs alone.

    Args:
        home: the home folder; the lab is ``stacks`` in it, and commands are typed in ``work``.
        patch: undone by its maker.
        files_only: no engine is touched.
    """

    home: Path
    patch: pytest.MonkeyPatch
    files_only: bool = True
    plan_id: str = ""

    def __post_init__(self) -> None:
        for name, text in FILES.items():
            (self.home / name).parent.mkdir(parents=True, exist_ok=True)
            (self.home / name).write_text(text)
        subprocess.run(["git", "init", "-q", "--bare", str(self.home / "elsewhere.git")], check=True)
        self.root.mkdir(exist_ok=True)
        (self.root / "catalog").mkdir(exist_ok=True)
        self.patch.chdir(self.home / "work")
        self.patch.setenv("HOME", str(self.home))
        self.patch.setenv("HOMELAB_ROOT", str(self.root))
        # Without the compiled catalog each home would compile its own.
        self.patch.setenv("XDG_CACHE_HOME", str(CACHE))
        for name in ("HOMELAB_PIN_FILE", "HOMELAB_APPROVER_FILE", "HOMELAB_MCP_TOKEN"):
            self.patch.delenv(name, raising=False)
        if self.files_only:
            self.patch.setenv("HOMELAB_FILES_ONLY", "1")

    @property
    def root(self) -> Path:
        """The lab's folder."""
        return self.home / "stacks"

    def lay(self, made: Path) -> None:
        """Begin with a copy of that lab."""
        shutil.rmtree(self.root)
        shutil.copytree(made, self.root, symlinks=True)
        (self.root / "catalog").mkdir(exist_ok=True)

    def lack(self, service: str) -> None:
        """Begin without that service."""
        lab = open_lab(str(self.root), files_only=True)
        applied(lab, propose_remove_service(lab, service, "", Requester("cli")))

    def play(self, block: Block) -> list[str]:
        """Type those of the listing's commands that can be run here; what did not end as the page says, a line each.

        By day that is what needs no engine, at night the rest.
        """
        wrong = []
        for command in (*block.before, *block.commands):
            elsewhere = block.parse_only(command) or block.run_by(command)
            if elsewhere or self.files_only == block.needs_docker(command):
                continue
            if command.ours is None:
                wrong.append(f"{command}: another program; name the test that runs it above the listing")
                continue
            before = self.newest()
            yes = "in order" in block.how and command not in block.before
            ended = self.type(command, yes=yes or command.ours[:1] == ("approve",))
            if ended.code not in block.codes(command):
                right = " or ".join(map(str, sorted(block.codes(command))))
                wrong.append(f"{command}: ended with {ended.code}, not {right}:\n{ended.screen[-1500:]}")
            now = self.newest()
            if now and now != before:
                self.plan_id = now
        return wrong

    def newest(self) -> str:
        """The newest plan's id; "" where there is none."""
        plans = [place.parent for place in (self.root / ".homelab" / "plans").glob("*/plan.json")]
        return max(plans, key=lambda place: place.stat().st_ctime_ns).name if plans else ""

    def type(self, command: Command, *, yes: bool = False) -> Ended:
        """Type one command of ours at a terminal.

        Args:
            command: its words; ``ID`` stands for the last plan, the usual folder for the lab's.
            yes: give the PIN where a plan asks for it; else it waits.
        """
        assert command.ours is not None
        words = [self.meant(word) for word in command.ours]
        screen = Terminal(lambda asked: self.answer(asked, yes=yes))
        if command.reads:
            screen.given = io.StringIO(Path(self.meant(command.reads)).read_text("utf-8"))
        out = Terminal(lambda asked: "") if command.writes else screen
        with self.patch.context() as patch:
            patch.setattr(sys, "argv", ["homelab-mcp", *words])
            patch.setattr(sys, "stdin", screen)
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", screen)
            patch.setattr("getpass.getpass", screen.hidden)
            patch.setattr("homelab_mcp.adapters.worker_process.WorkerProcess.start", self._apply_here)
            code = _code(entry_point)
        if command.writes:
            Path(self.meant(command.writes)).write_text(out.getvalue(), "utf-8")
        return Ended(code, screen.getvalue())

    def meant(self, word: str) -> str:
        """What a word of a page stands for here."""
        if word == "ID":
            return self.plan_id or "no-plan-was-made"
        if word == "git@host:me/lab.git":
            return str(self.home / "elsewhere.git")
        word = os.path.expanduser(word) if word.startswith("~") else word  # noqa: PTH111
        return re.sub(rf"^{USUAL_ROOT}(?=/|$)", str(self.root), word)

    def answer(self, asked: str, *, yes: bool) -> str:
        """What this person answers to a question."""
        if "Approval PIN" in asked:
            return PIN if yes else ""
        if "PIN" in asked:
            return PIN
        if asked.endswith(("[y/N]: ", "[Y/n]: ")):
            return "y"
        if "]: " in asked:
            return ""  # the default
        return "wOcAeS1kVn7hJ0WqKxQ4mT2bZ8rYd5uG3pLfN6sXvE0="

    def _apply_here(self, plan_id: str) -> None:
        """In this process instead of one of its own, which would load everything again."""
        applier(open_lab(str(self.root), files_only=self.files_only)).run(plan_id)


class Terminal(io.StringIO):
    """A screen and a keyboard: what is asked is answered by a function of the question."""

    def __init__(self, answer: Callable[[str], str]) -> None:
        super().__init__()
        self.answered = answer
        self.last = ""
        self.given: io.StringIO | None = None

    def isatty(self) -> bool:
        return self.given is None

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override] # as io.StringIO itself has it
        if self.given is not None:
            return self.given.readline()
        asked = self.getvalue().rpartition("\n")[2]
        if "confirmation" not in asked:
            self.last = self.answered(asked)
        # The terminal shows the line's end that the person typed.
        self.write("\n")
        return self.last + "\n"

    def read(self, size: int | None = -1, /) -> str:
        return self.given.read() if self.given is not None else ""

    def hidden(self, prompt: str = "Password: ", stream: object = None) -> str:
        """In place of getpass, which asks the real terminal."""
        self.write(prompt)
        return self.readline().rstrip("\n")


def _code(main: Callable[[], None] | Callable[[], NoReturn]) -> int:
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0
