"""The Sablier of another host as part of whole plans: it comes with the first sleeper there and goes with the last."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from homelab_mcp.core.compose_meaning import read, services_of
from homelab_mcp.core.lazy_hosts import NOBODY
from homelab_mcp.core.yaml12 import load
from homelab_mcp.model.errors import HomelabError, InvalidInput
from homelab_mcp.model.plan import ActionKind, Plan, Risk
from homelab_mcp.queries.validate_lab import check
from homelab_mcp.workflow.proposals import propose_add_service, propose_rollback
from homelab_mcp.workflow.propose_changes import propose_remove_service
from tests.unit.workflow.test_lazy_and_vpn_plans import PERSON, SABLIER, apply, core, lab_at, sleep, texts

__all__ = ["core"]

COMPOSE = "lazy-nas/compose.yaml"
HOSTS = "hosts:\n  nas: {address: 'ssh://root@nas.lan', private: 10.0.0.2}\n"


@pytest.fixture
def root(core: Path, tmp_path: Path) -> str:
    """A lab with Traefik, log-in and Sablier, and two services on the host ``nas``."""
    made = str(shutil.copytree(core, tmp_path / "lab"))
    Path(made, "hosts.yaml").write_text(HOSTS)
    for service in ("it-tools", "cyberchef"):
        apply(made, add(made, service))
    return made


def add(root: str, service: str, stack: str = "", **options: object) -> Plan:
    return propose_add_service(lab_at(root), service, stack or f"{service}-nas", options, PERSON, host="nas")


def asked(root: str) -> dict[str, str]:
    """Middleware -> the Sablier it asks, as Traefik's file has it."""
    middlewares = load(texts(root)[SABLIER])["http"]["middlewares"]
    return {name: m["plugin"]["sablier"]["sablierUrl"] for name, m in middlewares.items()}


def test_it_comes_with_the_first_and_goes_with_the_last_to_the_byte(root: str) -> None:
    start = texts(root)
    first = apply(root, sleep(root, "it-tools"))
    assert first.draft.operation == "set_lazy_loading"
    assert first.draft.target == "it-tools"
    server = services_of(read(texts(root)[COMPOSE]))["sablier-nas"]
    assert server["ports"] == ["10.0.0.2:10000:10000"]
    assert "--provider.reject-unlabeled-requests=true" in server["command"]
    assert asked(root) == {"sablier-it-tools": "http://10.0.0.2:10000"}
    risks = {r.reason for r in first.draft.risks if r.risk is Risk.HIGH}
    assert "sablier-nas publishes 10.0.0.2:10000:10000 on the host." in risks
    notes = " ".join(first.draft.notes)
    assert "Host nas gets a Sablier of its own: sablier-nas in stack lazy-nas." in notes
    assert "whoever reaches 10.0.0.2 at its port can start and stop what sleeps there" in notes
    assert {"lazy-nas/.env"} & set(texts(root)) == set(), "one file, which goes with its service"

    second = apply(root, sleep(root, "cyberchef"))
    assert COMPOSE not in {e.path for e in second.draft.edits}
    one = apply(root, sleep(root, "it-tools", on=False))
    assert COMPOSE not in {e.path for e in one.draft.edits}
    last = apply(root, sleep(root, "cyberchef", on=False))
    assert last.draft.summary == "Keep cyberchef of stack cyberchef-nas running: no lazy loading"
    assert texts(root) == start


def test_a_roll_back_takes_it_along(root: str) -> None:
    start = texts(root)
    plan = apply(root, sleep(root, "it-tools"))
    apply(root, propose_rollback(lab_at(root), plan.id, PERSON))
    assert texts(root) == start


@pytest.mark.parametrize(
    ("hosts", "bad"),
    [
        (HOSTS.replace("10.0.0.2", "10.0.0.9"), False),
        (HOSTS.replace(", private: 10.0.0.2", ""), False),
        (HOSTS.replace("10.0.0.2", "8.8.8.8"), True),
        ("hosts: [", True),
    ],
)
def test_a_sablier_that_is_no_longer_reached_shuts_routes_and_refuses_no_plan(root: str, hosts: str, bad: bool) -> None:
    for service in ("it-tools", "cyberchef"):
        apply(root, sleep(root, service))
    Path(root, "hosts.yaml").write_text(hosts)
    told = {f.message.partition(" on nas")[0] for f in check(lab_at(root)).findings if f.rule == "HL270"}
    assert told == {"No route leads to it-tools", "No route leads to cyberchef"}
    added = apply(root, propose_add_service(lab_at(root), "omni-tools", "", {}, PERSON))
    assert asked(root) == dict.fromkeys(("sablier-it-tools", "sablier-cyberchef"), NOBODY)
    (risk,) = [r for r in added.draft.risks if "Nobody wakes these" in r.reason]
    assert ("it-tools-nas/it-tools" in risk.reason, "cyberchef-nas/cyberchef" in risk.reason) == (True, True)
    again = propose_add_service(lab_at(root), "excalidraw", "", {}, PERSON)
    assert not [r for r in again.draft.risks if "Nobody wakes" in r.reason], "told once"
    if bad:
        # What acts there has to know how it is reached.
        with pytest.raises(HomelabError):
            sleep(root, "it-tools", on=False)
        Path(root, "hosts.yaml").write_text("hosts:\n  nas: {address: 'ssh://root@nas.lan'}\n")
    apply(root, sleep(root, "it-tools", on=False))
    apply(root, propose_remove_service(lab_at(root), "cyberchef", "", PERSON))
    assert SABLIER not in texts(root)


def test_a_roll_back_that_takes_traefik_s_plugin_names_who_sleeps_and_the_way(root: str) -> None:
    start = texts(root)
    first = apply(root, sleep(root, "it-tools"))
    apply(root, sleep(root, "cyberchef"))
    with pytest.raises(InvalidInput) as refused:
        propose_rollback(lab_at(root), first.id, PERSON)
    assert refused.value.code == "has_dependents"
    assert ("cyberchef-nas/cyberchef" in refused.value.message, "it-tools-nas" in refused.value.message) == (
        True,
        False,
    )
    assert "lazy loading off first" in refused.value.hint
    apply(root, propose_rollback(lab_at(root), first.id, PERSON, to="before"))
    assert texts(root) == start


def test_a_roll_back_of_the_sablier_says_who_is_not_woken(root: str) -> None:
    apply(root, propose_add_service(lab_at(root), "omni-tools", "", {"lazy": True}, PERSON))
    first = apply(root, sleep(root, "it-tools"))
    apply(root, sleep(root, "cyberchef"))
    plan = apply(root, propose_rollback(lab_at(root), first.id, PERSON))
    (risk,) = [r for r in plan.draft.risks if "Nobody wakes these" in r.reason]
    assert "cyberchef-nas/cyberchef (the Sablier of nas cannot wake it: there is none)" in risk.reason
    assert "it-tools-nas" not in risk.reason
    assert risk.risk is Risk.HIGH
    assert asked(root) == {"sablier-cyberchef": NOBODY, "sablier-omni-tools": "http://sablier:10000"}
    apply(root, sleep(root, "cyberchef", on=False))
    assert asked(root) == {"sablier-omni-tools": "http://sablier:10000"}


def test_it_goes_with_the_last_sleeper_that_is_removed(root: str) -> None:
    apply(root, sleep(root, "it-tools"))
    apply(root, sleep(root, "cyberchef"))
    apply(root, propose_remove_service(lab_at(root), "it-tools", "", PERSON))
    assert COMPOSE in texts(root)
    last = apply(root, propose_remove_service(lab_at(root), "cyberchef", "", PERSON))
    assert last.draft.summary == "Remove cyberchef from stack cyberchef-nas"
    assert {COMPOSE, SABLIER} & set(texts(root)) == set()


def test_one_plan_adds_a_service_there_asleep(root: str) -> None:
    plan = apply(root, add(root, "omni-tools", lazy=True))
    assert plan.draft.summary.startswith("Add omni-tools")
    assert asked(root) == {"sablier-omni-tools": "http://10.0.0.2:10000"}
    apply(root, sleep(root, "omni-tools", on=False))
    assert COMPOSE not in texts(root)


def test_one_that_a_person_added_is_asked_and_stays(root: str) -> None:
    taken = Path(root, "cyberchef-nas/compose.yaml")
    taken.write_text(taken.read_text().replace("10.0.0.2:8080:", "10.0.0.2:10000:"))
    plan = apply(root, propose_add_service(lab_at(root), "sablier", "naps", {"name": "naps"}, PERSON, host="nas"))
    assert any("whoever reaches 10.0.0.2" in note for note in plan.draft.notes)
    assert services_of(read(texts(root)["naps/compose.yaml"]))["naps"]["ports"] == ["10.0.0.2:20000:10000"]
    start = texts(root)
    apply(root, sleep(root, "it-tools"))
    assert COMPOSE not in texts(root)
    assert asked(root) == {"sablier-it-tools": "http://10.0.0.2:20000"}
    with pytest.raises(InvalidInput) as needed:
        propose_remove_service(lab_at(root), "naps", "", PERSON)
    assert needed.value.code == "has_dependents"
    apply(root, propose_remove_service(lab_at(root), "sablier", "", PERSON))
    apply(root, sleep(root, "it-tools", on=False))
    assert texts(root)["naps/compose.yaml"] == start["naps/compose.yaml"]


def test_what_cannot_sleep_there_brings_no_sablier(root: str) -> None:
    hosts = Path(root, "hosts.yaml")
    hosts.write_text("hosts:\n  nas: {address: 'ssh://root@nas.lan'}\n")
    with pytest.raises(InvalidInput) as refused:
        sleep(root, "it-tools")
    assert (refused.value.code, "--private" in refused.value.hint) == ("no_private_address", True)
    hosts.write_text(HOSTS)
    with pytest.raises(InvalidInput) as never:
        add(root, "uptime-kuma", lazy=True)
    assert never.value.code == "lazy_refused"
    other = Path(root, "edge/compose.yaml")
    other.parent.mkdir()
    other.write_text("x-homelab: {host: nas}\nservices:\n  proxy: {image: 'traefik:v3.7.13'}\n")
    with pytest.raises(InvalidInput) as own:
        sleep(root, "it-tools")
    assert (own.value.code, "A Traefik of its own serves host nas" in own.value.message) == ("lazy_refused", True)
    assert not Path(root, "lazy-nas").exists()


def test_the_wakers_start_before_who_sleeps_and_go_after(root: str) -> None:
    """By the drafts alone: a plan of files has no actions."""
    from homelab_mcp.core.operations.lazy_request import LazyRequest
    from homelab_mcp.workflow import propose_lazy
    from homelab_mcp.workflow.assembly import planner

    def stacks(*, on: bool) -> list[tuple[ActionKind, str]]:
        request = LazyRequest(stack="it-tools-nas", service="it-tools", on=on)
        lab = lab_at(root)
        draft = propose_lazy._draft(lab, planner(lab).snapshot(containers=False), request)
        kinds = (ActionKind.UP, ActionKind.REMOVE)
        return [(a.kind, a.stack) for a in draft.actions if a.kind in kinds]

    up = ActionKind.UP
    assert stacks(on=True) == [(up, "lazy-nas"), (up, "core"), (up, "it-tools-nas")]
    apply(root, sleep(root, "it-tools"))
    assert stacks(on=False) == [(up, "core"), (up, "it-tools-nas"), (ActionKind.REMOVE, "lazy-nas")]
