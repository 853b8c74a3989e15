"""The lab's page through real applies on files: in the same commit, fresh after a roll-back, in no apply's way."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core.inventory import PAGE
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.plan import PlanState, PlanStatus, Requester
from homelab_mcp.server import build
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.inventory import Inventory
from homelab_mcp.workflow.proposals import propose_add_service, propose_rollback

PIN = "27182818"
ME = Requester(via="cli")


@pytest.fixture
def lab(tmp_path: Path) -> LocalLab:
    found = open_lab(str(tmp_path), files_only=True)
    init_lab(found, {"domain": "lab.test", "acme.challenge": "tls"}, PIN)
    return open_lab(str(tmp_path), files_only=True)


def apply(lab: LocalLab, plan_id: str, **parts: Any) -> PlanStatus:
    approvals(lab).out_of_band(plan_id, PIN, who="me", approved=True)
    work = applier(lab)
    for name, part in parts.items():
        setattr(work, name, part)
    return work.run(plan_id)


def git(lab: LocalLab, *words: str) -> str:
    done = subprocess.run(["git", "-C", lab.root, *words], capture_output=True, text=True, check=True)
    return done.stdout


def add(lab: LocalLab, service: str) -> str:
    return propose_add_service(lab, service, "", {}, ME).id


def test_a_lab_without_the_page_gets_none(lab: LocalLab) -> None:
    (Path(lab.root) / PAGE).unlink(missing_ok=True)
    assert apply(lab, add(lab, "whoami")).state is PlanState.DONE
    assert lab.files.read(PAGE) is None


def test_the_page_is_in_the_apply_s_own_commit_and_in_no_plan(lab: LocalLab) -> None:
    Inventory(lab).start()
    assert not Inventory(lab).start()
    first = lab.files.read(PAGE)
    plan = propose_add_service(lab, "whoami", "", {}, ME)
    assert PAGE not in [e.path for e in plan.draft.edits]
    assert apply(lab, plan.id).state is PlanState.DONE
    assert "| https://whoami.lab.test | utilities/whoami | log-in |" in (lab.files.read(PAGE) or "")
    assert PAGE in git(lab, "show", "--stat", "--format=", "HEAD")
    assert git(lab, "status", "--porcelain") == ""
    # Two plans at once: the page makes neither of them stale.
    one, other = add(lab, "uptime-kuma"), add(lab, "jellyfin")
    assert apply(lab, one).state is PlanState.DONE
    assert apply(lab, other).state is PlanState.DONE
    for plan_id in (other, one, plan.id):
        assert apply(lab, propose_rollback(lab, plan_id, ME).id).state is PlanState.DONE
    assert lab.files.read(PAGE) == first
    assert git(lab, "status", "--porcelain") == ""


class Broken:
    """A history that takes no commit, as on a full disk."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def commit(self, *_: Any, **__: Any) -> str:
        raise HomelabError("The disk is full.", code="storage_full")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def test_an_apply_that_goes_back_takes_the_page_along(lab: LocalLab) -> None:
    Inventory(lab).start()
    first = lab.files.read(PAGE)
    status = apply(lab, add(lab, "whoami"), history=Broken(lab.history))
    assert status.state is PlanState.ROLLED_BACK
    assert lab.files.read(PAGE) == first


def test_what_a_person_wrote_is_kept_and_stops_no_apply(lab: LocalLab) -> None:
    Inventory(lab).start()
    token = "ghp_" + "a1B2c3" * 6
    own = f"# Our lab\n\nThe token is {token}\n\n{lab.files.read(PAGE)}\nFuses: box 3\n"
    lab.files.write_atomic(PAGE, own, 0o644)
    assert apply(lab, add(lab, "whoami")).state is PlanState.DONE
    page = lab.files.read(PAGE) or ""
    assert page.startswith(f"# Our lab\n\nThe token is {token}\n")
    assert page.endswith("\nFuses: box 3\n")
    assert "whoami.lab.test" in page
    assert token not in git(lab, "log", "-p", "--all"), "a secret is in no commit"


async def test_a_client_reads_the_page_as_a_resource(lab: LocalLab) -> None:
    async with Client(build(lab)) as client:
        listed = await client.list_resources()
        assert "homelab://inventory" in [str(r.uri) for r in listed.resources]
        read = await client.read_resource("homelab://inventory")
    assert "What runs in lab.test" in read.contents[0].text  # type: ignore[union-attr]


def test_a_page_that_cannot_be_made_takes_no_apply_back(lab: LocalLab, monkeypatch: pytest.MonkeyPatch) -> None:
    Inventory(lab).start()

    def fails(*_: object, **__: object) -> str:
        raise ValueError("nobody foresaw this")

    plan = add(lab, "whoami")
    monkeypatch.setattr("homelab_mcp.workflow.inventory.block", fails)
    assert apply(lab, plan).state is PlanState.DONE
