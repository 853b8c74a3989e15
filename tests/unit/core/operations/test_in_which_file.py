"""update_service in a stack of several files: a change is made in the file in which it holds."""

from __future__ import annotations

from typing import Any

import pytest

from homelab_mcp.core.operations.change_request import UpdateServiceRequest
from homelab_mcp.core.operations.fix_permissions import own_folders, owner_of
from homelab_mcp.core.operations.restore_backup import wanted
from homelab_mcp.core.operations.update_images import NewImage, update_images
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


def test_of_two_changes_the_one_that_stands_in_the_compose_file_is_said_over_it() -> None:
    (edit,) = update(files(), tag="1.31", subdomain="site").edits
    assert edit.path == PATH
    assert "nginx:1.31" in (edit.after or "") and "Host(`site.lab.test`)" in (edit.after or "")


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


SHARED = """\
# the database of all
services:
  pg:
    image: postgres:17.2   # by hand
    environment: {POSTGRES_DB: "${DB:-app}"}
    volumes: ["./data:/var/lib/postgresql/data"]
"""
NAMED = "include: [parts/db.yaml]\nservices:\n  web: {image: 'nginx:1.29'}\n"


def including(path: str = "apps/parts/db.yaml", text: str = NAMED, shared: str = SHARED, *more: StackFiles) -> Snapshot:
    return Snapshot((StackFiles("apps", "apps/compose.yaml", text, "TZ=UTC\n", (), ((path, shared),)), *more), None)


@pytest.mark.parametrize(
    ("changes", "old", "new"),
    [
        ({"tag": "17.3"}, "postgres:17.2", "postgres:17.3"),
        ({"env_set": {"MODE": "new"}}, '"${DB:-app}"}', '"${DB:-app}", MODE: new}'),
        ({"volumes_add": ("/mnt/more:/more",)}, '/data"]', '/data", /mnt/more:/more]'),
    ],
)
def test_a_service_of_an_included_file_is_changed_there(changes: dict[str, Any], old: str, new: str) -> None:
    draft = update(including(), "pg", **changes)
    (edit,) = draft.edits
    assert (edit.path, edit.before) == ("apps/parts/db.yaml", SHARED)
    assert edit.after == SHARED.replace(old, new)
    assert "pg is changed in apps/parts/db.yaml, where it stands." in draft.notes
    assert draft.actions[-1].services == ("pg",) and draft.verification.stack == "apps"


def test_a_path_that_would_lead_elsewhere_from_the_included_file_is_refused_with_the_place() -> None:
    with pytest.raises(NotFound, match=r"apps/parts/db\.yaml, line 3") as told:
        update(including(), "pg", volumes_add=("./more:/more",))
    assert told.value.code == "service_elsewhere"


def test_a_file_of_the_machine_is_refused_with_its_place() -> None:
    text = NAMED.replace("parts/db.yaml", "/srv/db.yaml")
    with pytest.raises(NotFound, match=r"/srv/db\.yaml, line 3"):
        update(including("/srv/db.yaml", text), "pg", tag="17.3")


def test_a_file_that_another_stack_takes_too_is_refused_where_the_change_would_reach_that_one() -> None:
    text = NAMED.replace("parts/", "../shared/")
    other = StackFiles("more", "more/compose.yaml", text, named=(("shared/db.yaml", SHARED),))
    with pytest.raises(InvalidInput, match=r"shared/db\.yaml, line 3, which stack more takes too") as told:
        update(including("shared/db.yaml", text, SHARED, other), "pg", tag="17.3")
    assert told.value.code == "file_shared"
    (edit,) = update(including("shared/db.yaml", text), "pg", tag="17.3").edits
    assert edit.path == "shared/db.yaml"


@pytest.mark.parametrize("own", ["compose.yaml", "compose.override.yaml"])
def test_another_stack_s_own_file_is_refused_as_well(own: str) -> None:
    text, path = NAMED.replace("parts/db.yaml", f"../more/{own}"), f"more/{own}"
    other = StackFiles("more", "more/compose.yaml", SHARED)
    if own != "compose.yaml":
        other = StackFiles("more", "more/compose.yaml", "services: {x: {image: x}}\n", others=((path, SHARED),))
    lab = including(path, text, SHARED, other)
    with pytest.raises(InvalidInput, match=rf"{path}, line 3, which stack more takes too") as told:
        update(lab, "pg", tag="17.3")
    assert told.value.code == "file_shared"
    with pytest.raises(InvalidInput) as told:
        update_images(lab, SETTINGS, [NewImage("apps", "pg", digest="sha256:" + "a" * 64)], find=find)
    assert told.value.code == "file_shared"


def test_what_extends_another_stack_s_service_never_changes_that_one() -> None:
    text = EXTENDING.replace("shared/base", "more/compose")
    lab = including("more/compose.yaml", text, SITE, StackFiles("more", "more/compose.yaml", SITE))
    assert [e.path for e in update(lab, tag="1.31").edits] == ["apps/compose.yaml"]
    with pytest.raises(InvalidInput) as told:
        update(lab, env_unset=("COLOUR",))
    assert told.value.code == "file_shared"


EXTENDING = """\
services:
  web:
    extends: {file: ../shared/base.yaml, service: site}
    restart: always   # mine
"""
SITE = """\
services:
  site:
    image: nginx:1.29   # of all sites
    mem_limit: 1g
    environment: {MODE: calm, COLOUR: red}
"""


def extending(*more: StackFiles) -> Snapshot:
    return including("shared/base.yaml", EXTENDING, SITE, *more)


def test_a_service_that_extends_another_says_its_change_itself_and_leaves_the_other_alone() -> None:
    (edit,) = update(extending(), tag="1.31").edits
    assert edit.path == "apps/compose.yaml"
    assert edit.after == EXTENDING + "    image: nginx:1.31\n"
    (edit,) = update(extending(), limits={"memory": "512m"}).edits
    assert edit.path == "apps/compose.yaml" and "    mem_limit: " in (edit.after or "")
    (edit,) = update(extending(), env_set={"MODE": "wild"}).edits
    assert edit.path == "apps/compose.yaml" and "MODE: wild" in (edit.after or "")


def test_what_is_to_go_is_taken_out_of_what_it_extends_where_that_reaches_nobody_else() -> None:
    (edit,) = update(extending(), env_unset=("COLOUR",)).edits
    assert (edit.path, edit.after) == ("shared/base.yaml", SITE.replace(", COLOUR: red", ""))
    twin = StackFiles("more", "more/compose.yaml", EXTENDING, named=(("shared/base.yaml", SITE),))
    with pytest.raises(InvalidInput) as told:
        update(extending(twin), env_unset=("COLOUR",))
    assert told.value.code == "file_shared"


@pytest.mark.parametrize("changes", [{"env_unset": ("COLOUR",)}, {"volumes_remove": ("/d",)}])
def test_what_two_services_extend_is_named_with_its_place_where_one_is_to_lose_it(changes: dict[str, Any]) -> None:
    text = f"{EXTENDING}  shop:\n    extends: {{file: ../shared/base.yaml, service: site}}\n"
    base = SITE.replace("    mem_limit", "    volumes: ['./pages:/d']\n    mem_limit")
    lab = including("shared/base.yaml", text, base)
    with pytest.raises(NotFound, match=r"^web of stack apps extends site of shared/base\.yaml, line 2; ") as told:
        update(lab, **changes)
    assert told.value.code == "service_elsewhere"
    assert "apps/compose.yaml" in told.value.hint
    with pytest.raises(InvalidInput, match="web has no variable NOPE"):
        update(lab, env_unset=("NOPE",))


def test_images_of_an_included_file_are_updated_there_by_tag_and_by_digest() -> None:
    digest = "sha256:" + "a" * 64
    new = [NewImage("apps", "pg", tag="17.3"), NewImage("apps", "web", digest=digest)]
    draft = update_images(including(), SETTINGS, new, find=find)
    assert {e.path: e.after for e in draft.edits} == {
        "apps/parts/db.yaml": SHARED.replace("17.2", "17.3"),
        "apps/compose.yaml": NAMED.replace("nginx:1.29", f"nginx:1.29@{digest}"),
    }
    (edit,) = update_images(including(), SETTINGS, [NewImage("apps", "pg", digest=digest)], find=find).edits
    assert edit.path == "apps/parts/db.yaml"
    assert edit.after == SHARED.replace("postgres:17.2", f"postgres:17.2@{digest}")


def test_what_an_included_service_keeps_is_found_for_its_owner_and_for_a_restore() -> None:
    shared = SHARED.replace("    image:", '    user: "70:70"\n    image:')
    snapshot = including(shared=shared)
    assert owner_of(snapshot, "apps", "pg") == (70, 70)
    assert own_folders(snapshot, "apps", "pg", exists=lambda _: True) == ["apps/parts/data"]
    assert wanted(snapshot, (), "apps", "pg", "").paths == ("apps/parts/data",)
    assert "pg" in wanted(snapshot, (), "apps", "", "").services
