"""The broken services of a lab that is there: how they are looked at, asked about, repaired, and seen to be settled."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.model.plan import Plan, PlanStatus, Requester
from homelab_mcp.queries.diagnose import diagnosis
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.proposals import env_changes, propose_rollback, propose_set_env
from homelab_mcp.workflow.propose_changes import (
    propose_connect_services,
    propose_fix_permissions,
    propose_update_service,
)
from homelab_mcp.workflow.propose_control import propose_control
from homelab_mcp.workflow.verifier import Patience
from testbed.docker_engine import docker
from tests.docker.zoo_cases import Exhibit, read_cases

PIN = "27182818"
CLI = Requester("cli")
QUICK = Patience(poll=0.3, stable=2)
"""A stand-in that stays up for two seconds does not fall later."""


class ZooLab:
    """A lab in ``root`` with the cases ``names``, whose placeholders stand for ``words``."""

    def __init__(self, root: Path, words: Mapping[str, str], names: Iterable[str]) -> None:
        self.root = root
        self.words = words
        self.troubles: list[str] = []
        self.exhibits = {e.name: e for e in read_cases(words, names)}

    def lab(self) -> LocalLab:
        """The lab as a fresh process sees it."""
        return open_lab(str(self.root))

    def of_phase(self, phase: int) -> list[Exhibit]:
        """The exhibits that are judged together."""
        return [e for e in self.exhibits.values() if e.task.get("phase", 1) == phase]

    def ask(self, exhibit: Exhibit) -> list[dict[str, Any]]:
        """The causes that a diagnosis names now, the likeliest first; kept in ``exhibit.causes``."""
        task = exhibit.task
        place = f"{exhibit.stack}/{exhibit.service}"
        other = f"{exhibit.stack}/{task['b']}" if "b" in task else ""
        exhibit.causes = diagnosis(self.lab(), place, what=task.get("what", "service"), b=other)["causes"]
        return exhibit.causes

    def plan_of(self, lab: LocalLab, exhibit: Exhibit, call: dict[str, Any]) -> Plan:
        """The plan that a remedy's tool call makes, with what a person fills in."""
        given = dict(call["arguments"])
        for value in (given, given.get("values"), given.get("env_set")):
            if isinstance(value, dict):
                filled = {k: v for k, v in value.items() if isinstance(v, str) and v in exhibit.task.get("fill", {})}
                value.update({k: exhibit.task["fill"][v] for k, v in filled.items()})
        stack, service = given.pop("stack", exhibit.stack), given.pop("service", exhibit.service)
        match call["tool"]:
            case "control_service":
                return propose_control(lab, given["action"], [service], stack, CLI)
            case "update_service":
                return propose_update_service(lab, service, stack, given, CLI)
            case "set_env":
                values = env_changes(lab, given.get("values", {}), given.get("generate", []), [], from_model=False)
                return propose_set_env(lab, stack, values, CLI)
            case "fix_permissions":
                return propose_fix_permissions(lab, service, stack, given.get("owner", ""), CLI)
            case "connect_services":
                return propose_connect_services(lab, given["a"], given["b"], CLI)
            case "rollback":
                return propose_rollback(lab, given["plan_id"], CLI)
        raise AssertionError(f"{exhibit.name}: no plan is made by {call}")

    def approve_and_apply(self, plan: Plan) -> PlanStatus:
        """A person's signed yes, and the apply in this process."""
        lab = self.lab()
        approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
        return applier(lab, QUICK).run(plan.id)

    def repair(self, exhibit: Exhibit) -> PlanStatus:
        """Apply the plan that was offered for the cause, and do what a person does after it."""
        fix = next(c["fix"] for c in exhibit.causes if c["cause"] == exhibit.task["cause"])
        status = self.approve_and_apply(self.plan_of(self.lab(), exhibit, fix))
        self.commands(exhibit, "then")
        return status

    def unsettled(self, exhibit: Exhibit, within: float = 60) -> str:
        """What is still wrong by the case's own ``verify``, waited for that many seconds; "" where nothing is.

        A case that only a person can settle is settled when the diagnosis names its cause first.
        """
        cause = str(exhibit.task["cause"])
        if "by_hand" in exhibit.task:
            named = [c["cause"] for c in self.ask(exhibit)]
            return "" if named[:1] == [cause] else f"the diagnosis names {named}, not {cause} first"
        wanted = str(exhibit.task["verify"])
        if wanted == "answers":
            if not self.answers(exhibit, within):
                return "its host does not answer below 400"
        # A crash loop is seen running at times, so that one look says nothing.
        elif not self.came_to(exhibit, "steady" if wanted == "running" else wanted, within):
            return f"{exhibit.service} is {self.seen(exhibit) or 'not there'}, not {wanted}"
        if exhibit.task.get("log_stays"):
            # The repaired container is the same one, whose log still says what it said of the fault.
            return ""
        named = [c["cause"] for c in self.ask(exhibit)]
        return f"{cause} is still there: {named}" if cause in named else ""

    def came_to(self, exhibit: Exhibit, what: str, within: float = 60) -> bool:
        """Whether the service comes to be in that state."""
        end = time.monotonic() + within
        while not self._is(exhibit, what):
            if time.monotonic() > end:
                return False
            time.sleep(0.3)
        return True

    def answers(self, exhibit: Exhibit, within: float = 60) -> bool:
        """Whether its first host answers below 400 within a moment."""
        compose = (self.root / exhibit.stack / "compose.yaml").read_text()
        host = re.findall(r"Host\(`([^`]+)`\)", compose)[0]
        end = time.monotonic() + within
        while time.monotonic() < end:
            if 0 < self.lab().probe.get(host).status < 400:
                return True
            time.sleep(0.3)
        return False

    def commands(self, exhibit: Exhibit, when: str) -> None:
        """The commands of the task for that moment, in the stack's folder; one that fails is a trouble."""
        for command in exhibit.task.get(when, ()):
            done = subprocess.run(
                ["/bin/sh", "-c", command], cwd=self.root / exhibit.stack, capture_output=True, text=True, timeout=60
            )
            if done.returncode != 0:
                self.troubles.append(f"{exhibit.name}: {command}: {done.stderr[-300:]}")

    def seen(self, exhibit: Exhibit) -> str:
        """Its container's state, number of restarts and health; "" where there is none."""
        found = docker(
            "ps", "-aq", "--no-trunc",
            "--filter", f"label=com.docker.compose.project={exhibit.stack}",
            "--filter", f"label=com.docker.compose.service={exhibit.service}",
        )  # fmt: skip
        if not found:
            return ""
        form = "{{.State.Status}} {{.RestartCount}} {{if .State.Health}}{{.State.Health.Status}}{{end}}"
        return docker("inspect", "--format", form, found.split()[0])

    def _is(self, exhibit: Exhibit, what: str) -> bool:
        if what == "none":
            return True
        seen = self.seen(exhibit)
        if what == "steady":
            # A crash loop is seen running as often as not; a count that stays for longer than its pause is no loop.
            time.sleep(2)
            return seen.startswith("running") and seen == self.seen(exhibit)
        state, _, rest = seen.partition(" ")
        restarts = int(rest.split(" ")[0] or 0) if rest else 0
        if what == "restarted":
            return restarts > 0
        if what == "ended":
            return state in ("created", "exited")
        if what.startswith("log:"):
            said = subprocess.run(
                ["docker", "compose", "logs", exhibit.service],
                cwd=self.root / exhibit.stack, capture_output=True, text=True, timeout=20, check=False,
            )  # fmt: skip
            return what[4:] in said.stdout
        return what in (state, rest.split(" ")[-1] if rest else "")
