"""Access by plans: labels change, nothing else does, and Authelia's rules follow."""

from __future__ import annotations

from typing import Any

import pytest

from homelab_mcp.core import compose_edit
from homelab_mcp.core.access import accesses
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.operations.set_access import SetAccessRequest, set_access
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, Risk
from tests.unit.core.operation_parts import SETTINGS, definition
from tests.unit.core.test_access import PORTAL, routed

API = definition(
    "api",
    route={"port": 80, "subdomain": "api", "sso": {"policy": "protect", "why": "None.", "api_paths": ["/api"]}},
)
OPEN = definition("open", route={"port": 80, "subdomain": "open", "sso": {"policy": "bypass", "why": "Own log-in."}})
LIST = """services:
  hand:  # by hand
    image: x:1
    labels:
      - "traefik.http.routers.hand.rule=Host(`hand.lab.test`)"   # here
      - traefik.http.routers.hand.middlewares=zip@file
"""


def find(name: str) -> Any:
    if name not in ("api", "open"):
        raise NotFound(name)
    return {"api": API, "open": OPEN}[name]


def snapshot(services: dict[str, Any], *, hand: bool = False) -> Snapshot:
    stacks = [StackFiles("apps", "apps/compose.yaml", compose_edit.add_services("", services), "DOMAIN=lab.test\n")]
    return Snapshot((*stacks, *((StackFiles("hand", "hand/compose.yaml", LIST),) if hand else ())), None)


def ask(lab: Snapshot, users: str = "", **values: Any) -> Draft:
    return set_access(
        lab, SETTINGS, SetAccessRequest(**values), find=find, read=lambda p: users if p.endswith("base.yml") else None
    )


def after(lab: Snapshot, draft: Draft) -> Snapshot:
    texts = {e.path: e.after or "" for e in draft.edits}
    stacks = tuple(
        StackFiles(s.name, s.compose_path, texts.get(s.compose_path, s.compose_text), s.env_text) for s in lab.stacks
    )
    return Snapshot(stacks, None)


def policies(lab: Snapshot) -> dict[str, tuple[str, tuple[str, ...]]]:
    found = accesses(view(lab), "authelia@docker", "lab.test")
    return {a.host.partition(".")[0]: (a.policy, a.groups) for a in found}


LAB = {"web": routed("web"), "free": routed("free", sso=False), "authelia": PORTAL}


@pytest.mark.parametrize(
    ("service", "values", "expected"),
    [
        ("web", {"policy": "two_factor"}, ("two_factor", ())),
        ("web", {"groups": ("family",)}, ("one_factor", ("family",))),
        ("web", {"policy": "two_factor", "groups": ("a", "b")}, ("two_factor", ("a", "b"))),
        ("web", {"policy": "bypass", "reason": "Public: $5 `page`"}, ("bypass", ())),
        ("free", {"policy": "one_factor"}, ("one_factor", ())),
        ("apps/free", {"policy": "two_factor", "groups": ("a",)}, ("two_factor", ("a",))),
    ],
)
def test_the_route_asks_what_was_asked_for(service: str, values: Any, expected: Any) -> None:
    lab = snapshot(LAB)
    draft = ask(lab, services=(service,), **values)
    name = service.rpartition("/")[2]
    assert policies(after(lab, draft))[name] == expected
    assert draft.actions[0].kind is ActionKind.UP
    assert set(draft.actions[0].services) == {name}
    others = {k: v for k, v in policies(lab).items() if k != name}
    assert {k: v for k, v in policies(after(lab, draft)).items() if k != name} == others


def test_there_and_back_gives_the_first_bytes() -> None:
    lab = snapshot(LAB)
    once = after(lab, ask(lab, services=("web",), policy="two_factor", groups=("family",)))
    back = after(once, ask(once, services=("web",), policy="one_factor", groups=("everyone",)))
    assert back.stacks[0].compose_text == lab.stacks[0].compose_text
    free = after(lab, ask(lab, services=("web",), policy="bypass", reason="Open."))
    again = after(free, ask(free, services=("web",), policy="one_factor"))
    assert policies(again) == policies(lab)


def test_a_person_s_own_list_of_labels_keeps_its_form_and_comments() -> None:
    lab = snapshot(LAB, hand=True)
    draft = ask(lab, services=("hand",), policy="one_factor")
    (edit,) = draft.edits
    assert edit.after == LIST.replace("middlewares=zip@file", "middlewares=authelia@docker,zip@file")


def test_paths_of_programs_are_open_only_while_log_in_is_asked() -> None:
    service = routed("api", homelab__service="api")
    lab = snapshot({"api": service, "authelia": PORTAL})
    opened = after(lab, ask(lab, services=("api",), policy="bypass", reason="Open."))
    closed = after(opened, ask(opened, services=("api",), policy="one_factor"))
    labels = view(closed).services[0].labels
    assert labels["traefik.http.routers.api-api.rule"].startswith("Host(`api.lab.test`) && (Path(`/api`)")
    (found,) = (a for a in accesses(view(closed), "authelia@docker", "lab.test") if a.host == "api.lab.test")
    assert found.open_paths == (("/api", False), ("/api/", True))
    again = after(closed, ask(closed, services=("api",), policy="bypass", reason="Open."))
    assert "api-api" not in again.stacks[0].compose_text


def test_a_whole_stack_or_category_at_once() -> None:
    services = {**LAB, "web": routed("web", homelab__category="media")}
    lab = snapshot(services, hand=True)
    assert policies(after(lab, ask(lab, services=("stack:apps",), policy="two_factor"))) == {
        "auth": ("bypass", ()),
        "free": ("two_factor", ()),
        "hand": ("one_factor", ()),
        "web": ("two_factor", ()),
    }
    draft = ask(lab, services=("category:media",), policy="two_factor")
    assert [a.services for a in draft.actions] == [("web",)]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"services": ("web",)}, "nothing_to_do"),
        ({"services": ("web",), "policy": "one_factor"}, "nothing_to_do"),
        ({"services": ("web",), "policy": "bypass"}, "reason_needed"),
        ({"services": ("web",), "policy": "bypass", "reason": "a\nb"}, "bad_value"),
        ({"services": ("web",), "policy": "bypass", "reason": "x", "groups": ("a",)}, "groups_unused"),
        ({"services": ("free",), "groups": ("a",)}, "groups_unused"),
        ({"services": ("web",), "groups": ("a", "everyone")}, "groups_unused"),
        ({"services": ("authelia",), "policy": "two_factor"}, "sso_loop"),
        ({"services": ("nothing",), "policy": "two_factor"}, "service_unknown"),
        ({"services": ("stack:none",), "policy": "two_factor"}, "unknown"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(values: Any, code: str) -> None:
    with pytest.raises((InvalidInput, NotFound)) as refused:
        ask(snapshot(LAB), **values)
    assert refused.value.code == code
    assert refused.value.hint or code == "sso_loop"


def test_a_second_factor_needs_authelia_and_makes_an_older_one_load_the_rules() -> None:
    with pytest.raises(NotFound) as refused:
        ask(snapshot({"web": routed("web")}), services=("web",), policy="two_factor")
    assert refused.value.code == "no_sign_on"
    older = {k: v for k, v in PORTAL.items() if k != "environment"}
    lab = snapshot({"web": routed("web"), "authelia": older})
    draft = ask(lab, services=("web",), policy="two_factor")
    assert view(after(lab, draft)).services[1].data["environment"] == PORTAL["environment"]
    assert set(draft.actions[0].services) == {"web", "authelia"}
    with pytest.raises(InvalidInput) as by_command:
        ask(
            snapshot({"web": routed("web"), "authelia": older | {"command": ["--config", "/config/x.yml"]}}),
            services=("web",),
            policy="two_factor",
        )
    assert by_command.value.code == "command_decides"


def test_less_than_before_is_high_risk_and_unknown_groups_are_told() -> None:
    lab = snapshot({"web": routed("web", homelab__sso="two_factor", homelab__sso__groups="a"), "authelia": PORTAL})
    for values in ({"policy": "one_factor"}, {"groups": ("a", "b")}, {"groups": ("everyone",)}):
        assert max(r.risk for r in ask(lab, services=("web",), **values).risks) is Risk.HIGH, values
    draft = ask(snapshot(LAB), services=("web",), groups=("family",))
    assert max(r.risk for r in draft.risks) is Risk.MEDIUM
    assert any("Nobody is in the group family" in note for note in draft.notes)
    users = "users: {ann: {displayname: A, password: x, groups: [family]}}\n"
    assert not any("Nobody" in n for n in ask(snapshot(LAB), users, services=("web",), groups=("family",)).notes)


def test_the_definition_s_own_reason_serves_where_none_is_given() -> None:
    lab = snapshot({"open": routed("open", homelab__service="open"), "authelia": PORTAL})
    draft = ask(lab, services=("open",), policy="bypass")
    assert "homelab.sso.reason: Own log-in." in (draft.edits[0].after or "").replace('"', "")
