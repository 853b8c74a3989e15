"""Dockge on the same folder: what a person does there is shown, adopted or undone by a plan, and never overwritten.

``Dockge`` below is a STAND-IN that writes files as louislam/dockge 1.5 does: ``backend/stack.ts`` (``save`` writes the
compose text it was given as it is, and ``.env`` where there is one or something to write), ``frontend/src/pages/
Compose.vue`` (a change in its form writes the whole file anew from its data; comments are put back where it finds their
place), ``backend/socket-handlers/main-socket-handler.ts`` (``global.env``).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.model.errors import InvalidInput, PlanRefused
from homelab_mcp.model.plan import Plan, PlanState, Requester
from homelab_mcp.queries.review import review
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import propose_add_service, propose_resolve_drift
from homelab_mcp.workflow.propose_changes import propose_remove_service

PIN = "27182818"
PERSON = Requester("cli")


class Dockge:
    """Saves a stack as Dockge does."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def save(self, stack: str, text: str, env: str = "") -> None:
        folder = self.root / stack
        (folder / "compose.yaml").write_text(text)
        if (folder / ".env").exists() or env.strip():
            (folder / ".env").write_text(env)

    def form(self, stack: str, change: Callable[[dict[str, Any]], None]) -> None:
        """A change in its form: the first comment stays, anchors and quotes do not."""
        text = (self.root / stack / "compose.yaml").read_text()
        head = "".join(line for line in text.splitlines(keepends=True)[:1] if line.startswith("#"))
        data = yaml.safe_load(text)
        change(data)
        env = self.root / stack / ".env"
        self.save(stack, head + yaml.safe_dump(data, sort_keys=False), env.read_text() if env.exists() else "")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dockge") / "lab"
    settings = {"domain": "lab.test", "email": "a@lab.test", "acme.challenge": "tls"}
    init_lab(open_lab(str(root), files_only=True), settings, PIN)
    for service in ("traefik", "authelia", "grafana", "dockge"):
        apply(root, propose_add_service(lab(root), service, "", {}, PERSON))
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "lab"))


def lab(root: Path) -> LocalLab:
    return open_lab(str(root), files_only=True)


def apply(root: Path, plan: Plan) -> None:
    at = lab(root)
    approvals(at).out_of_band(plan.id, PIN, who="test", approved=True)
    assert applier(at).run(plan.id).state is PlanState.DONE


def compose(root: Path, stack: str) -> str:
    return (root / stack / "compose.yaml").read_text()


def urls(root: Path, stack: str) -> list[str]:
    found: list[str] = read(compose(root, stack)).get("x-dockge", {}).get("urls", [])
    return found


def test_dockge_sees_the_lab_at_the_very_path_that_the_host_has(made: Path) -> None:
    service = services_of(read(compose(made, "dockge")))["dockge"]
    assert service["environment"]["DOCKGE_STACKS_DIR"] == str(made)
    assert f"{made}:{made}" in service["volumes"]


def test_an_edit_in_dockge_s_form_is_shown_adopted_as_it_is_and_built_on(root: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        data["services"]["grafana"]["environment"]["GF_LOG_LEVEL"] = "warn"

    before = compose(root, "monitoring")
    waiting = propose_add_service(lab(root), "uptime-kuma", "monitoring", {}, PERSON)
    Dockge(root).form("monitoring", change)
    written = compose(root, "monitoring")
    assert written != before
    approvals(lab(root)).out_of_band(waiting.id, PIN, who="test", approved=True)
    with pytest.raises(PlanRefused) as stale:
        applier(lab(root)).run(waiting.id)
    assert stale.value.code == "plan_stale"
    assert [f.path for f in review(lab(root), "monitoring").files] == ["monitoring/compose.yaml"]
    apply(root, propose_resolve_drift(lab(root), "monitoring", "adopt", PERSON))
    assert compose(root, "monitoring") == written
    assert review(lab(root), "monitoring").files == ()
    apply(root, propose_add_service(lab(root), "uptime-kuma", "monitoring", {}, PERSON))
    assert services_of(read(compose(root, "monitoring")))["grafana"]["environment"]["GF_LOG_LEVEL"] == "warn"
    apply(root, propose_remove_service(lab(root), "uptime-kuma", "monitoring", PERSON))
    assert compose(root, "monitoring") == written, "to the byte that Dockge wrote"


def test_an_edit_in_dockge_can_be_taken_back_by_a_plan(root: Path) -> None:
    before = compose(root, "monitoring")
    Dockge(root).form("monitoring", lambda data: data["services"]["grafana"].update(hostname="g"))
    apply(root, propose_resolve_drift(lab(root), "monitoring", "undo", PERSON))
    assert compose(root, "monitoring") == before


def test_variables_that_dockge_saved_are_kept_by_later_plans(root: Path) -> None:
    env = (root / "monitoring/.env").read_text()
    Dockge(root).save("monitoring", compose(root, "monitoring"), env + "# mine\nEXTRA='a b'\n")
    apply(root, propose_add_service(lab(root), "uptime-kuma", "monitoring", {}, PERSON))
    assert (root / "monitoring/.env").read_text().startswith(env + "# mine\nEXTRA='a b'\n")


def test_dockge_s_addresses_follow_what_is_there(root: Path) -> None:
    grafana = urls(root, "monitoring")
    assert grafana == ["https://grafana.${DOMAIN}"]
    assert "DOMAIN=lab.test" in (root / "monitoring/.env").read_text(), "Dockge fills addresses in from this file alone"
    apply(root, propose_add_service(lab(root), "uptime-kuma", "monitoring", {"subdomain": "up"}, PERSON))
    assert urls(root, "monitoring") == [*grafana, "https://up.${DOMAIN}"]
    apply(root, propose_remove_service(lab(root), "grafana", "monitoring", PERSON))
    assert urls(root, "monitoring") == ["https://up.${DOMAIN}"]


def test_a_stack_made_in_dockge_counts_with_the_variables_of_global_env(root: Path) -> None:
    (root / "global.env").write_text("HOME_DOMAIN=lab.test\n")
    (root / "hobby").mkdir()
    label = "traefik.http.routers.x.rule: Host(`up.${HOME_DOMAIN}`)"
    text = f"services:\n  x:\n    image: example/x:1\n    labels:\n      {label}\n"
    Dockge(root).save("hobby", text)
    assert not (root / "hobby/.env").exists()
    with pytest.raises(InvalidInput) as taken:
        propose_add_service(lab(root), "uptime-kuma", "", {"subdomain": "up"}, PERSON)
    assert (taken.value.code, "hobby/x" in taken.value.message) == ("host_taken", True)
