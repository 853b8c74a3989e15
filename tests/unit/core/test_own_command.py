"""The command that a person is told finds the plan's lab, from any shell."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.core.own_command import USUAL_ROOT, approve_command
from homelab_mcp.model.errors import PlanRefused
from homelab_mcp.model.plan import Requester
from homelab_mcp.opening.kept import DEFAULT_ROOT
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.plan_view import view
from homelab_mcp.workflow.proposals import propose_add_service


def test_the_usual_folder_is_not_named_and_any_other_is() -> None:
    assert USUAL_ROOT == DEFAULT_ROOT
    assert approve_command("", "1a") == approve_command(USUAL_ROOT, "1a") == "homelab-mcp approve 1a"
    assert approve_command("/srv/lab", "1a", "--apply") == "homelab-mcp --root /srv/lab approve --apply 1a"
    assert shlex.split(approve_command("/srv/my lab", "1a"))[2] == "/srv/my lab"


def test_answers_of_a_lab_elsewhere_name_its_folder(tmp_path: Path) -> None:
    lab = LocalLab(str(tmp_path / "lab"), files_only=True)
    init_lab(lab, {"domain": "lab.test"}, "27182818")
    plan = propose_add_service(lab, "whoami", "", {}, Requester("mcp", "model"))
    told = f"homelab-mcp --root {lab.root} approve {plan.id}"
    shown = view(plan, approvals(lab).state(plan.id), lab.clock.now(), policy=lab.policy, root=lab.root)
    assert told in shown.next
    with pytest.raises(PlanRefused) as refused:
        applier(lab).check(plan.id)
    assert told in refused.value.hint
    with pytest.raises(PlanRefused) as refused:
        approvals(lab).dialog(plan, "another name", "client")
    assert told in refused.value.hint
