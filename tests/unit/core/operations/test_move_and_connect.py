"""move_service, connect_services, fix_permissions and what removal does with data."""

from typing import Any

import pytest

from homelab_mcp.core import yaml12
from homelab_mcp.core.operations.change_request import ConnectServicesRequest, MoveServiceRequest
from homelab_mcp.core.operations.connect_services import connect_services
from homelab_mcp.core.operations.fix_permissions import fix_permissions, own_folders, owner_of
from homelab_mcp.core.operations.move_service import move_service
from homelab_mcp.core.operations.moves_back import moved_back
from homelab_mcp.core.operations.remove_service import remove_service
from homelab_mcp.core.operations.request import RemoveServiceRequest
from homelab_mcp.core.operations.rollback import rollback
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import ActionKind, DataMove, Draft, Plan, Requester, Risk
from tests.unit.core.operation_parts import SETTINGS, find, lab
from tests.unit.core.test_operations_add_service import propose, worst
from tests.unit.core.test_operations_remove_and_env import apply

APPS = """\
services:
  wiki:   # ours
    # the family's notes
    image: wiki:1
    environment: {KEY: "${WIKI_KEY}", ZONE: "${TZ}"}   # both
    volumes:
      - ./wiki/data:/data
      - pages:/pages
      - /mnt/media:/media:ro
    networks: [homelab-network]
  other:
    image: o
    environment: [TZ]
    volumes: ["./shared:/shared", "./other:/o"]

volumes:
  pages:
networks:
  homelab-network: {external: true}
"""
ENV = "TZ=UTC\nWIKI_KEY=geheim-4711\n"
DOCS = "services:\n  reader:\n    image: r\n"


def there(*paths: str) -> Any:
    return lambda path: path in paths


def move(snapshot: Snapshot, service: str = "wiki", to: str = "docs", *paths: str) -> Draft:
    request = MoveServiceRequest(stack="apps", service=service, to=to)
    return move_service(snapshot, SETTINGS, request, exists=there(*paths), read_text=lambda path: None)


def refusal(call: Any, *args: Any, **options: Any) -> str:
    with pytest.raises(HomelabError) as caught:
        call(*args, **options)
    assert caught.value.hint
    return caught.value.code


def text_of(draft: Draft, path: str) -> str:
    return next(e.after for e in draft.edits if e.path == path) or ""


def test_a_service_moves_with_its_lines_variables_data_and_volume() -> None:
    snapshot = lab(apps=(APPS, ENV), docs=(DOCS, "A=1\n"))
    draft = move(snapshot, "wiki", "docs", "apps/wiki")

    after = text_of(draft, "docs/docker-compose.yml")
    assert after.startswith(DOCS.rstrip("\n"))
    assert "  wiki:   # ours\n    # the family's notes\n    image: wiki:1\n" in after
    assert '    environment: {KEY: "${WIKI_KEY}", ZONE: "${TZ}"}   # both\n' in after
    meant = yaml12.load(after)
    assert meant["volumes"] == {"pages": {"name": "apps_pages", "external": True}}
    assert meant["networks"] == {"homelab-network": {"external": True}}
    assert "wiki" not in yaml12.load(text_of(draft, "apps/docker-compose.yml"))["services"]
    assert text_of(draft, "docs/.env") == "A=1\nWIKI_KEY=geheim-4711\nTZ=UTC\n"
    assert text_of(draft, "apps/.env") == "TZ=UTC\n"
    assert [(m.source, m.target) for m in draft.moves] == [("apps/wiki", "docs/wiki")]
    kinds = [(a.kind, a.stack) for a in draft.actions]
    assert kinds == [(ActionKind.CREATE_NETWORK, ""), (ActionKind.REMOVE, "apps"), (ActionKind.UP, "docs")]
    assert draft.also_verify[0].gone == ("wiki",)
    assert "geheim" not in " ".join((*draft.notes, *(r.reason for r in draft.risks)))


def test_a_catalog_service_with_a_database_moves_whole_and_back_to_the_same_bytes() -> None:
    first = lab(apps=("", ""), docs=(DOCS, ""))
    snapshot = apply(first, propose(first, "app"))
    draft = move(snapshot, "app", "docs", "apps/app", "apps/app-db")

    assert set(draft.verification.services) == {"app", "app-db"}
    assert {m.target for m in draft.moves} == {"docs/app", "docs/app-db"}
    assert draft.edits[0].after is None, "the last service takes its file along"
    moved = apply(snapshot, draft)
    removed = remove_service(moved, SETTINGS, RemoveServiceRequest(stack="docs", service="app"), find=find)
    assert removed.edits[0].after == DOCS


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("image: o", "image: o\n    depends_on: [wiki]", "has_dependents"),
        ("image: o", "image: o\n    network_mode: service:wiki", "has_dependents"),
        ("image: wiki:1", "image: wiki:1\n    depends_on: [other]", "needs_others"),
        ("image: wiki:1", "build: .", "data_not_movable"),
        ("image: wiki:1", "image: wiki:1\n    env_file: .env", "data_not_movable"),
        ("./wiki/data:/data", "./:/data", "data_not_movable"),
        ("./wiki/data:/data", "./shared:/data", "data_shared"),
        ("./wiki/data:/data", "./shared/x:/data", "data_shared"),
    ],
)
def test_what_is_tied_to_its_stack_stays_with_the_reason(old: str, new: str, code: str) -> None:
    snapshot = lab(apps=(APPS.replace(old, new), ENV), docs=(DOCS, ""))

    assert refusal(move, snapshot, "wiki", "docs", "apps/wiki", "apps/shared") == code


def test_taken_names_values_and_places_are_refused() -> None:
    assert refusal(move, lab(apps=(APPS, ENV)), "wiki", "docs", "apps/wiki", "docs/wiki") == "data_in_the_way"
    assert refusal(move, lab(apps=(APPS, ENV), docs=("services:\n  wiki:\n    image: x\n", ""))) == "service_exists"
    assert refusal(move, lab(apps=(APPS, ENV), docs=(DOCS, "WIKI_KEY=other\n"))) == "variable_taken"
    assert refusal(move, lab(apps=(APPS, ENV)), "wiki", "apps") == "nothing_to_do"
    first = lab(apps=("", ""))
    assert refusal(move, apply(first, propose(first, "app")), "app-db") == "is_companion"


def test_who_shared_a_private_network_is_named() -> None:
    draft = move(lab(apps=(APPS.replace("    networks: [homelab-network]\n", ""), ENV)))

    assert any("other no longer share" in r.reason for r in draft.risks)
    assert draft.edits[1].path == "docs/compose.yaml"


def connect(snapshot: Snapshot, a: str = "wiki", b: str = "reader", **options: Any) -> Draft:
    request = ConnectServicesRequest(a_stack="apps", a=a, b_stack=options.pop("b_stack", "docs"), b=b, **options)
    return connect_services(snapshot, SETTINGS, request)


def test_two_services_come_to_share_a_network_and_know_each_other() -> None:
    reader = DOCS + "    ports: ['9000:8080']\n"
    draft = connect(lab(apps=(APPS, ENV), docs=(reader, "")), variables={"READER": "{url}/api", "PORT": "{port}"})

    assert yaml12.load(text_of(draft, "docs/docker-compose.yml"))["services"]["reader"]["networks"] == [
        "default",
        "homelab-network",
    ]
    wiki = yaml12.load(text_of(draft, "apps/docker-compose.yml"))["services"]["wiki"]
    assert wiki["networks"] == ["homelab-network"]
    assert wiki["environment"]["READER"] == "http://reader:8080/api" and wiki["environment"]["PORT"] == "8080"
    assert "wiki reaches reader at reader:8080" in draft.notes[0]
    assert {(a.stack, a.services) for a in draft.actions if a.kind is ActionKind.UP} == {
        ("apps", ("wiki",)),
        ("docs", ("reader",)),
    }


def test_without_a_network_to_share_they_get_one_of_their_own() -> None:
    plain = APPS.replace("    networks: [homelab-network]\n", "")
    draft = connect(lab(apps=(plain, ENV), docs=(DOCS, "")))

    assert draft.actions[0].kind is ActionKind.CREATE_NETWORK and draft.actions[0].name == "wiki-reader"
    for path in ("apps/docker-compose.yml", "docs/docker-compose.yml"):
        assert yaml12.load(text_of(draft, path))["networks"]["wiki-reader"] == {"external": True}
    assert refusal(connect, lab(apps=(plain, ENV), docs=(DOCS, "")), variables={"U": "{url}"}) == "missing_input"


def test_a_network_is_known_by_the_name_that_its_variable_gives() -> None:
    shared = APPS.replace("{external: true}", "{external: true, name: '${NET:-lan}'}")
    draft = connect(lab(apps=(shared, ENV), docs=(DOCS, "")))

    assert "over network lan" in draft.notes[0]
    assert yaml12.load(text_of(draft, "docs/docker-compose.yml"))["networks"] == {"lan": {"external": True}}
    joined = DOCS + "    networks: [l]\nnetworks:\n  l: {external: true, name: lan}\n"
    assert refusal(connect, lab(apps=(shared, ENV), docs=(joined, ""))) == "nothing_to_do"
    assert refusal(connect, lab(apps=(APPS, ENV), docs=(DOCS + "    network_mode: bridge\n", ""))) == "no_network"


def test_what_is_connected_already_or_cannot_be_is_said() -> None:
    plain = APPS.replace("    networks: [homelab-network]\n", "")
    assert refusal(connect, lab(apps=(plain, ENV)), "wiki", "other", b_stack="apps") == "nothing_to_do"
    host = DOCS + "    network_mode: host\n"
    assert refusal(connect, lab(apps=(APPS, ENV), docs=(host, ""))) == "no_network"


def test_data_goes_to_the_trash_only_when_asked_and_never_what_is_shared() -> None:
    snapshot = lab(apps=(APPS, ENV))

    def remove(service: str, data: str, env: str = "keep") -> Draft:
        request = RemoveServiceRequest(stack="apps", service=service, data=data, env=env)
        exists = there("apps/wiki", "apps/shared", "apps/other")
        return remove_service(snapshot, SETTINGS, request, find=find, exists=exists, trash=".homelab/trash/x")

    kept, gone = remove("wiki", "keep"), remove("wiki", "delete", "delete")
    assert kept.moves == () and "apps/wiki" in " ".join(kept.notes)
    assert [(m.source, m.target) for m in gone.moves] == [("apps/wiki", ".homelab/trash/x/apps/wiki")]
    assert worst(gone) is Risk.HIGH and worst(kept) is Risk.MEDIUM
    assert text_of(gone, "apps/.env") == "TZ=UTC\n"
    both = APPS.replace("./wiki/data", "./shared")
    snapshot = lab(apps=(both, ENV))
    assert refusal(remove, "wiki", "delete") == "data_shared"


def test_a_roll_back_moves_data_back_or_says_why_not() -> None:
    draft = Draft("x", "Remove wiki", (), (), moves=(DataMove("apps/wiki", "t/wiki", "gone"),))
    plan = Plan("p", draft, Risk.HIGH, (), (), {}, Requester("cli"), 0, 1)

    back = rollback(plan, {}, read=lambda path: None, exists=there("t/wiki"))
    assert back.moves == (DataMove("t/wiki", "apps/wiki", "Moves the data back."),)
    assert refusal(rollback, plan, {}, read=lambda path: None, exists=there()) == "nothing_to_do"
    _, stuck = moved_back([("t/wiki", "apps/wiki")], there("t/wiki", "apps/wiki"))
    assert "something else is in its place" in stuck[0]


def test_owners_are_those_of_who_runs_and_only_of_its_own_folders() -> None:
    body = APPS.replace("image: o\n", "image: o\n    user: '${PUID}:50'\n")
    snapshot = lab(apps=(body, "PUID=1000\n"))

    assert owner_of(snapshot, "apps", "other") == (1000, 50)
    assert owner_of(snapshot, "apps", "wiki", "7:8") == (7, 8)
    labelled = lab(apps=(body.replace("'${PUID}:50'", "7\n    labels: {homelab.owner: '33:34'}"), ""))
    assert owner_of(labelled, "apps", "other") == (33, 34)
    assert refusal(owner_of, snapshot, "apps", "wiki") == "owner_unknown"
    assert refusal(owner_of, snapshot, "apps", "wiki", "root") == "bad_value"
    assert own_folders(snapshot, "apps", "other", exists=there("apps/other", "apps/shared")) == [
        "apps/other",
        "apps/shared",
    ]
    assert refusal(own_folders, snapshot, "apps", "wiki", exists=there("/mnt/media")) == "no_own_folder"


def test_few_owners_are_kept_for_the_way_back_and_many_are_high_risk() -> None:
    few = fix_permissions("apps", "wiki", (1000, 1000), {"apps/wiki": ([("apps/wiki/a", 0, 0)], 0, 2)})
    many = fix_permissions("apps", "wiki", (1000, 1000), {"apps/wiki": ([("apps/wiki/a", 0, 0)], 900, 0)})

    assert [(o.path, o.uid, o.was_uid, o.whole) for o in few.owners] == [("apps/wiki/a", 1000, 0, False)]
    assert "2 links" in few.notes[0] and worst(few) is Risk.MEDIUM
    assert [(o.path, o.whole) for o in many.owners] == [("apps/wiki", True)]
    assert worst(many) is Risk.HIGH
    assert refusal(fix_permissions, "apps", "wiki", (0, 0), {"apps/wiki": ([], 0, 1)}) == "nothing_to_do"


def test_a_network_that_two_had_alone_goes_with_the_last_of_them_and_comes_back() -> None:
    plain = lab(apps=(APPS.replace("    networks: [homelab-network]\n", ""), ENV), docs=(DOCS, ""))
    joined = apply(plain, connect(plain))

    def remove(snapshot: Snapshot, stack: str, service: str) -> Draft:
        return remove_service(snapshot, SETTINGS, RemoveServiceRequest(stack=stack, service=service), find=find)

    first = remove(joined, "docs", "reader")
    assert [a.kind for a in first.actions] == [ActionKind.REMOVE], "wiki is still on it"
    docs = next(e for e in first.edits)
    left = Snapshot(tuple(s for s in joined.stacks if s.name != "docs"), None)
    last = remove(left, "apps", "wiki")
    assert [(a.kind, a.name) for a in last.actions][1:] == [(ActionKind.REMOVE_NETWORK, "wiki-reader")]

    plan = Plan("p", last, Risk.HIGH, (), (), {}, Requester("cli"), 0, 1)
    now = {e.path: e.after for e in last.edits}
    back = rollback(plan, {}, read=lambda path: now.get(path))
    assert (back.actions[0].kind, back.actions[0].name) == (ActionKind.CREATE_NETWORK, "wiki-reader")
    assert docs.after is None
