"""update_service in a stack with an override file: what that file says is changed there, as that is what holds."""

from __future__ import annotations

from typing import Any

import pytest

from homelab_mcp.core.operations.change_request import UpdateServiceRequest
from homelab_mcp.core.operations.update_service import update_service
from homelab_mcp.core.operations.update_work import Machine
from homelab_mcp.core.resources import Host
from homelab_mcp.model.errors import HomelabError, InvalidInput, NotFound
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import ActionKind, Draft
from tests.unit.core.operation_parts import SETTINGS, find

PATH = "apps/compose.override.yaml"
BASE = """\
services:
  web:
    image: nginx:1.29
    restart: always
    environment:
      - GREETING=${GREETING:-price $$5}
      - MODE=calm
      - COLOUR=red
    labels:
      traefik.enable: "true"
      traefik.http.routers.web.rule: Host(`web.lab.test`)
  db:
    image: postgres:17.2
"""
OVER = """\
# mine alone
services:
  web:
    image: nginx:1.30   # newer here
    environment: {MODE: wild}
  extra:
    image: redis:7.4.1   # by hand
    restart: always
"""
HOST = Host(cpus=2, memory=4 * 2**30)


def files(base: str = BASE, over: str = OVER) -> Snapshot:
    return Snapshot((StackFiles("apps", "apps/compose.yaml", base, "TZ=UTC\n", ((PATH, over),)),), None)


def update(snapshot: Snapshot, service: str = "web", **changes: Any) -> Draft:
    request = UpdateServiceRequest(stack="apps", service=service, **changes)
    return update_service(snapshot, SETTINGS, request, find=find, machine=Machine(HOST))


def test_a_tag_that_the_override_file_says_is_changed_there_and_nothing_else() -> None:
    draft = update(files(), tag="1.31")
    (edit,) = draft.edits
    assert (edit.path, edit.before) == (PATH, OVER)
    assert edit.after == OVER.replace("nginx:1.30", "nginx:1.31")
    assert f"web is changed in {PATH}, which wins over apps/compose.yaml." in draft.notes
    assert "tag 1.31 instead of 1.30" in draft.summary, "as it runs, not as the compose file has it"
    assert [(a.kind, a.services) for a in draft.actions] == [(ActionKind.PULL, ("web",)), (ActionKind.UP, ("web",))]


def test_what_the_compose_file_says_is_changed_there_as_ever() -> None:
    draft = update(files(), restart="unless-stopped")
    (edit,) = draft.edits
    assert edit.path == "apps/compose.yaml"
    assert edit.after == BASE.replace("restart: always", "restart: unless-stopped")
    assert not [n for n in draft.notes if PATH in n]


def test_a_variable_goes_where_it_holds() -> None:
    told = [update(files(), env_set={name: "new"}).edits[0] for name in ("MODE", "COLOUR", "GREETING")]
    assert [e.path for e in told] == [PATH, "apps/compose.yaml", "apps/.env"]
    assert told[0].after == OVER.replace("wild", "new")
    assert told[1].after == BASE.replace("red", "new")
    draft = update(files(over=OVER.replace("wild", "'${MODE:-wild}'")), env_set={"MODE": "new"})
    assert [e.path for e in draft.edits] == ["apps/.env"]
    assert not [n for n in draft.notes if PATH in n]


def test_two_changes_of_which_one_must_be_there_are_both_made_there() -> None:
    (edit,) = update(files(), tag="1.31", restart="unless-stopped").edits
    assert edit.path == PATH
    assert "nginx:1.31" in (edit.after or "") and "    restart: unless-stopped\n" in (edit.after or "")


def test_a_service_of_the_override_file_alone_is_changed_there() -> None:
    draft = update(files(), "extra", tag="7.4.2", limits={"memory": "64m"})
    (edit,) = draft.edits
    assert edit.path == PATH
    assert "redis:7.4.2   # by hand" in (edit.after or "") and 'memory: "64m"' in (edit.after or "")
    assert f"extra is changed in {PATH}, where it stands." in draft.notes
    assert draft.verification.services == ("extra",)


def test_who_shares_its_network_from_the_compose_file_is_made_anew_with_it() -> None:
    snapshot = files(base=f"{BASE}  rider:\n    image: nginx:1.29\n    network_mode: service:extra\n")
    draft = update(snapshot, "extra", tag="7.4.2")
    assert draft.actions[-1].services == ("rider", "extra")


@pytest.mark.parametrize(
    ("over", "changes"),
    [
        # Its labels, and so its route, stand in the compose file.
        (OVER, {"tag": "1.31", "subdomain": "site"}),
        # A variable that the compose file would bring back.
        (OVER, {"env_unset": ("MODE",)}),
        # Another service has these lines too.
        (
            OVER.replace("image: nginx:1.30   # newer here", "image: &i nginx:1.30") + "  third: {image: *i}\n",
            {"tag": "2"},
        ),
    ],
)
def test_what_neither_file_can_have_alone_leaves_the_override_file_as_it_is(over: str, changes: dict[str, Any]) -> None:
    # The planner then refuses what would not hold (override_wins).
    try:
        draft = update(files(over=over), **changes)
    except HomelabError as error:
        assert isinstance(error, InvalidInput | NotFound)
    else:
        assert [e.path for e in draft.edits] == ["apps/compose.yaml"]


def test_a_service_whose_companion_stands_elsewhere_is_refused_with_its_place() -> None:
    owned = "labels: {homelab.companion-of: extra}"
    snapshot = files(base=f"{BASE}  extra-worker:\n    image: redis:7.4.1\n    {owned}\n")
    with pytest.raises(NotFound) as told:
        update(snapshot, "extra", tag="7.4.2")
    assert told.value.code == "service_elsewhere"


@pytest.mark.parametrize(
    "over", ["services: [", "services:\n  web: !reset null\n", "services:\n  web:\n    image: [a]\n"]
)
def test_an_override_file_that_cannot_be_merged_is_not_touched(over: str) -> None:
    draft = update(files(over=over), restart="unless-stopped")
    assert [e.path for e in draft.edits] == ["apps/compose.yaml"]


def test_what_does_not_fit_the_service_as_both_files_make_it_is_refused() -> None:
    with pytest.raises(InvalidInput):
        update(files(over=f"{OVER}    container_name: the-one\n"), "extra", replicas=2)
