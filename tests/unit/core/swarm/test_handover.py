"""Any plan that changes what runs a stack stops it as a whole by the one and starts it by the other."""

from __future__ import annotations

from homelab_mcp.core.swarm.handover import handed_over
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, FileEdit, RouteCheck, Verification

COMPOSE = "services:\n  a: {image: x, networks: [proxy]}\n  b: {image: y}\nnetworks: {proxy: {external: true}}\n"
SWARM = "x-homelab: {engine: swarm}\n" + COMPOSE.replace("proxy", "proxy-swarm")


def draft(before: str, after: str, *actions: EngineAction, services: tuple[str, ...] = ("a",)) -> Draft:
    look = Verification("pages", services, routes=(RouteCheck("a", "a.lab.test"),))
    return Draft("rollback", "Roll back", (FileEdit("pages/compose.yaml", before, after),), actions, look)


def lab(text: str) -> tuple[StackFiles, ...]:
    return (StackFiles("pages", "pages/compose.yaml", text),)


UP = EngineAction(ActionKind.UP, "earlier files", "pages", ("a",))
NETWORK = EngineAction(ActionKind.CREATE_NETWORK, "missing", name="proxy-swarm")


def test_a_roll_back_of_a_hand_over_is_one_itself() -> None:
    found = handed_over(draft(SWARM, COMPOSE, UP), lab(SWARM))
    assert [(a.kind, a.services) for a in found.actions] == [(ActionKind.REMOVE, ("a", "b")), (ActionKind.UP, ())]
    assert found.verification.services == ("a", "b")
    assert found.verification.routes == (RouteCheck("a", "a.lab.test"),)


def test_a_network_of_a_stack_that_swarm_runs_is_made_in_the_swarm() -> None:
    found = handed_over(draft(COMPOSE, SWARM, NETWORK, UP), lab(COMPOSE))
    assert [(a.kind, a.name) for a in found.actions][:2] == [
        (ActionKind.CREATE_NETWORK, "swarm/proxy-swarm"), (ActionKind.REMOVE, ""),
    ]  # fmt: skip


def test_what_stays_where_it_is_stays_as_it_was_planned() -> None:
    for text in (COMPOSE, SWARM):
        plain = draft(text, text.replace("image: x", "image: z"), UP)
        assert handed_over(plain, lab(text)) == plain
    no_actions = draft(COMPOSE, SWARM)
    assert handed_over(no_actions, lab(COMPOSE)).actions == ()


def test_a_network_that_only_the_lab_has_is_the_swarms_for_a_stack_that_is_acted_on() -> None:
    asked = Draft("connect", "Connect", (), (NETWORK, UP), Verification("pages", ("a",)))
    assert handed_over(asked, lab(SWARM)).actions[0].name == "swarm/proxy-swarm"
    assert handed_over(asked, lab(COMPOSE)) == asked
