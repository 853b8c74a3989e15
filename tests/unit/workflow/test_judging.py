"""Plans that were open at once and are of different stacks: what one has taken, the other does not take too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.errors import PlanRefused
from homelab_mcp.model.plan import Draft, FileEdit, Plan, PlanState, Requester
from homelab_mcp.workflow.assembly import applier, approvals, planner
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import plan_of, propose_add_service, propose_set_env


@pytest.fixture
def lab(tmp_path: Path) -> LocalLab:
    made = LocalLab(str(tmp_path / "lab"), files_only=True)
    init_lab(made, {"domain": "lab.test"}, "correct-horse")
    return made


def plan(lab: LocalLab, service: str, stack: str, **options: Any) -> Plan:
    made = propose_add_service(lab, service, stack, options, Requester("mcp", "test"))
    approvals(lab).dialog(made, made.draft.target, "test")
    return made


@pytest.mark.parametrize(
    ("first", "second", "rule"),
    [
        ({"subdomain": "same"}, ("stirling-pdf", {"subdomain": "same"}), "HL063"),
        ({}, ("uptime-kuma", {"subdomain": "other"}), "HL042"),
    ],
)
def test_what_another_stack_took_since_makes_a_plan_stale(
    lab: LocalLab, first: dict[str, str], second: tuple[str, dict[str, str]], rule: str
) -> None:
    """A host name, a container's name: both plans were right when they were made."""
    one, two = plan(lab, "uptime-kuma", "one", **first), plan(lab, second[0], "two", **second[1])
    other = plan(lab, "it-tools", "three")
    assert applier(lab).run(one.id).state is PlanState.DONE
    with pytest.raises(PlanRefused) as refused:
        applier(lab).run(two.id)
    assert refused.value.code == "plan_stale"
    assert rule in refused.value.message
    assert "one/compose.yaml" in refused.value.message
    assert not Path(lab.root, "two").exists()
    assert not lab.plans.used(two.id)
    assert applier(lab).run(other.id).state is PlanState.DONE, "what clashes with nothing is applied all the same"
    assert lab.journal.verify() == ""


def test_an_error_that_another_made_elsewhere_is_none_of_the_plans(lab: LocalLab) -> None:
    """It would keep a person from mending the one stack before the other."""
    one = plan(lab, "uptime-kuma", "one")
    folder = Path(lab.root, "broken")
    folder.mkdir()
    (folder / "compose.yaml").write_text("services:\n  web:\n    image: nginx:1\n    ports: ['99999:1']\n")
    assert applier(lab).run(one.id).state is PlanState.DONE


def test_a_plan_of_the_same_stack_is_stale_by_its_files_as_ever(lab: LocalLab) -> None:
    assert applier(lab).run(plan(lab, "uptime-kuma", "one").id).state is PlanState.DONE
    plans = [propose_set_env(lab, "one", {name: "x"}, Requester("cli")) for name in ("A", "B")]
    for made in plans:
        approvals(lab).dialog(made, made.draft.target, "test")
    assert applier(lab).run(plans[0].id).state is PlanState.DONE
    with pytest.raises(PlanRefused, match="changed") as refused:
        applier(lab).run(plans[1].id)
    assert refused.value.details["changed"] == ["file one/.env changed"]


def test_a_roll_back_is_not_stale_for_the_error_that_it_told_when_another_stack_changes(lab: LocalLab) -> None:
    old, broken = Path(lab.root, "old"), "services:\n  web:\n    image: nginx:1.27\n    ports: ['99999:1']\n"
    old.mkdir()
    (old / "compose.yaml").write_text(broken)
    draft = Draft(
        "rollback",
        "Take it back",
        (FileEdit("old/compose.yaml", broken, broken.replace("1.27", "1.26")),),
        (),
        target="old",
    )
    made = plan_of(lab, draft, planner(lab).snapshot(containers=False), Requester("cli"))
    approvals(lab).out_of_band(made.id, "correct-horse", who="test", approved=True)
    assert applier(lab).run(plan(lab, "uptime-kuma", "one").id).state is PlanState.DONE
    assert applier(lab).run(made.id).state is PlanState.DONE
