"""remove_service and set_env."""

from typing import Any

import pytest

from homelab_mcp.core import yaml12
from homelab_mcp.core.operations.change_request import MoveServiceRequest
from homelab_mcp.core.operations.move_service import move_service
from homelab_mcp.core.operations.remove_service import remove_service
from homelab_mcp.core.operations.request import RemoveServiceRequest, SetEnvRequest
from homelab_mcp.core.operations.set_env import set_env
from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft, Risk
from tests.unit.core.operation_parts import SETTINGS, find, lab
from tests.unit.core.test_operations_add_service import propose, worst

MINE = "# mine\nservices:\n  a:\n    image: x   # pinned\n"


def apply(snapshot: Snapshot, draft: Draft) -> Snapshot:
    """The lab as the draft would leave it."""
    texts = {e.path: e.after for e in draft.edits}
    stacks = {s.name: s for s in snapshot.stacks}
    for path in texts:
        name, _, file = path.partition("/")
        if file in {"compose.yaml", "docker-compose.yml"}:
            env = texts.get(f"{name}/.env", stacks[name].env_text if name in stacks else "")
            stacks[name] = StackFiles(name, path, texts[path] or "", env or "")
    return Snapshot(tuple(stacks.values()), None)


def remove(snapshot: Snapshot, service: str, stack: str = "apps") -> Draft:
    return remove_service(snapshot, SETTINGS, RemoveServiceRequest(stack=stack, service=service), find=find)


def code_of(call: Any, *args: Any) -> str:
    with pytest.raises(HomelabError) as caught:
        call(*args)
    return caught.value.code


@pytest.mark.parametrize("service", ["web", "app", "torrent", "dns"])
def test_adding_then_removing_gives_the_first_bytes_with_all_that_came_along(service: str) -> None:
    before = lab(apps=(MINE, ""))
    added = apply(before, propose(before, service))

    draft = remove(added, service)

    assert draft.edits[0].after == MINE
    assert set(draft.verification.gone) == set(yaml12.load(added.stacks[1].compose_text)["services"]) - {"a"}
    assert draft.actions[0].kind is ActionKind.REMOVE
    assert set(draft.actions[0].services) == set(draft.verification.gone)


def test_the_last_service_takes_the_file_along_and_data_and_values_stay() -> None:
    added = apply(lab(), propose(lab(), "app"))

    draft = remove(added, "app")
    said = " ".join(draft.notes)

    assert [(e.path, e.after) for e in draft.edits] == [("apps/compose.yaml", None)]
    assert "apps/app/data" in said and "apps/app-db/database" in said and "APP_DB_PASSWORD" in said
    assert worst(draft) is Risk.MEDIUM


@pytest.mark.parametrize(
    "needing",
    ["depends_on: [a]", "depends_on: {a: {condition: service_started}}", "network_mode: service:a", "extends: a"],
)
def test_a_service_that_others_need_is_not_removed(needing: str) -> None:
    snapshot = lab(apps=(f"{MINE}  b:\n    image: y\n    {needing}\n", ""))

    with pytest.raises(InvalidInput) as caught:
        remove(snapshot, "a")
    assert (caught.value.code, caught.value.details) == ("has_dependents", {"dependents": ["b"]})


def test_what_wakes_others_stays_until_they_do_not_sleep() -> None:
    asleep = """\
services:
  books:
    image: kavita:0.8.8
    labels: {sablier.enable: "true", sablier.group: books, homelab.lazy: dynamic}
"""
    core = "services: {sablier: {image: 'sablierapp/sablier:1.10.1'}, other: {image: x}}\n"
    with pytest.raises(InvalidInput) as caught:
        remove(lab(lazy=(core, ""), apps=(asleep, "")), "sablier", "lazy")
    assert (caught.value.code, caught.value.details) == ("has_dependents", {"dependents": ["apps/books"]})
    assert "set_lazy_loading" in caught.value.hint
    awake = lab(lazy=(core, ""), apps=("services: {books: {image: 'kavita:0.8.8'}}\n", ""))
    assert remove(awake, "sablier", "lazy").verification.gone == ("sablier",)
    assert remove(lab(lazy=(core, ""), apps=(asleep, "")), "other", "lazy").verification.gone == ("other",)
    second = "services: {sablier: {image: 'sablierapp/sablier:1.10.1'}, x: {image: x}}\n"
    two = lab(lazy=(core, ""), more=(second, ""), apps=(asleep, ""))
    assert remove(two, "sablier", "more").verification.gone == ("sablier",), "the other still wakes it"


def test_a_companion_goes_only_with_its_service() -> None:
    added = apply(lab(), propose(lab(), "app"))

    assert code_of(remove, added, "app-db") == "is_companion"
    assert code_of(remove, added, "nothing") == "service_unknown"
    assert code_of(remove, added, "web", "nowhere") == "stack_unknown"


def test_removing_from_core_or_the_log_in_itself_is_high() -> None:
    added = apply(lab(), propose(lab(), "web"))

    assert worst(remove(added, "traefik", "core")) is Risk.HIGH
    reasons = " ".join(r.reason for r in remove(added, "authelia", "core").risks)
    assert "apps/web" in reasons


ENV = "# mine\nTOKEN=old-secret\nTZ=UTC # here\n"
USERS = (
    "services:\n  a:\n    image: x\n    environment: {T: '${TOKEN}'}\n  b:\n    image: y\n    env_file: .env\n"
    "  c:\n    image: z\n    environment: [TOKEN]\n  d:\n    image: z\n    environment: {X: $$TOKEN}\n"
)


def change(snapshot: Snapshot, values: dict[str, str | None], read: Any = None) -> Draft:
    return set_env(snapshot, SetEnvRequest(stack="apps", values=values), find=find, read=read)


def test_a_value_is_set_and_its_users_are_recreated() -> None:
    draft = change(lab(apps=(USERS, ENV)), {"TOKEN": "new secret $1"})

    assert draft.edits[0].after == ENV.replace("old-secret", "'new secret $1'")
    assert (draft.edits[0].secret, draft.edits[0].mode) == (True, 0o600)
    assert draft.actions[0].services == ("a", "b", "c")
    assert draft.secrets == ("new secret $1",)
    assert "new secret" not in " ".join([draft.summary, *draft.notes, draft.undo])


def test_a_variable_is_unset_and_one_that_nobody_uses_recreates_nothing() -> None:
    unset = change(lab(apps=(USERS, ENV)), {"TOKEN": None})
    unused = change(lab(apps=(MINE, ENV)), {"TOKEN": "other"})

    assert unset.edits[0].after == "# mine\nTZ=UTC # here\n"
    assert (unused.actions, unused.verification.services) == ((), ())


def test_reserved_names_nothing_to_do_and_unknown_stacks_are_refused() -> None:
    snapshot = lab(apps=(USERS, ENV))

    assert code_of(change, snapshot, {"COMPOSE_PROJECT_NAME": "x"}) == "reserved_name"
    assert code_of(change, snapshot, {"DOCKER_HOST": None}) == "reserved_name"
    assert code_of(change, snapshot, {"TOKEN": "old-secret"}) == "nothing_to_do"
    with pytest.raises(NotFound):
        change(lab(), {"A": "1"})


def test_values_can_wait_for_a_stack_that_has_no_compose_file_yet() -> None:
    draft = change(lab(), {"TOKEN": "x1"}, {"apps/.env": "A=1\n"}.get)

    assert (draft.edits[0].before, draft.edits[0].after) == ("A=1\n", "A=1\nTOKEN=x1\n")


def test_core_is_high() -> None:
    request = SetEnvRequest(stack="core", values={"DOMAIN": "other.test"})

    assert worst(set_env(lab(), request)) is Risk.HIGH


def with_included(more: str) -> Snapshot:
    text = (
        "include: [more.yaml]\nservices:\n  web: {image: 'web:1', environment: {KEY: '${KEY}'}, "
        "volumes: ['./web/data:/data']}\n  other: {image: 'x:1'}\n"
    )
    return Snapshot((StackFiles("apps", "apps/compose.yaml", text, "KEY=a\n", (), (("apps/more.yaml", more),)),), None)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("depends_on: [web]", "has_dependents"),
        ("volumes: ['./web/data:/data:ro']", "data_shared"),
    ],
)
def test_what_a_service_of_an_included_file_needs_is_not_removed(body: str, code: str) -> None:
    snapshot = with_included(f"services: {{job: {{image: 'job:1', {body}}}}}\n")
    request = RemoveServiceRequest(stack="apps", service="web", data="delete")
    with pytest.raises(HomelabError) as refused:
        remove_service(snapshot, SETTINGS, request, find=find, exists=lambda _: True, trash=".homelab/trash/x")
    assert refused.value.code == code
    move = MoveServiceRequest(stack="apps", service="web", to="new")
    with pytest.raises(HomelabError) as stays:
        move_service(snapshot, SETTINGS, move, exists=lambda path: path.startswith("apps/"), read_text=lambda _: None)
    assert stays.value.code == code


def test_a_variable_that_an_included_file_uses_stays() -> None:
    snapshot = with_included("services: {job: {image: 'job:1', environment: {KEY: '${KEY}'}}}\n")
    request = RemoveServiceRequest(stack="apps", service="web", env="delete")
    draft = remove_service(snapshot, SETTINGS, request, find=find)
    assert [e.path for e in draft.edits] == ["apps/compose.yaml"]
