"""Compose's own word on a change in an included or extended file: what it makes of all differs in that change alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.adapters.compose_cli import ComposeCli
from homelab_mcp.bootstrap import open_lab
from homelab_mcp.model.errors import EngineFailed, HomelabError
from homelab_mcp.model.plan import PlanState
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import propose_rollback
from homelab_mcp.workflow.propose_changes import propose_update_service
from testbed import LocalImage, Scratch
from tests.docker.lab import PIN, REQUESTER
from tests.docker.test_change_services import ChangeRig
from tests.docker.test_override_compose import apply, as_compose_sees_it

BASE = """\
include:
  - parts/db.yaml
  - path: ../shared/cache.yaml
    env_file: ../shared/cache.env
services:
  web:
    extends: {file: ../shared/base.yaml, service: site}
    depends_on: [pg]
"""
DB = """\
# the database
services:
  pg:
    image: postgres:17.2   # by hand
    environment: ["POSTGRES_PASSWORD=${DB_PASSWORD:-none}", "GREETING=price $$5"]
    volumes: ["./data:/var/lib/postgresql/data", "keep:/keep"]
volumes: {keep: {}}
"""
CACHE = 'services:\n  cache:\n    image: "redis:${CACHE_TAG}"\n    restart: always   # by hand\n'
SITE = """\
services:
  site:
    image: nginx:1.29   # of all sites
    mem_limit: 128m
    environment: {MODE: calm, COLOUR: red}
    volumes: ["./pages:/pages:ro"]
"""
FILES = {
    "apps/compose.yaml": BASE,
    "apps/parts/db.yaml": DB,
    "shared/cache.yaml": CACHE,
    "shared/cache.env": "CACHE_TAG=7.4.1\n",
    "shared/base.yaml": SITE,
    "apps/.env": "TZ=UTC\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "lab"
    init_lab(open_lab(str(made), files_only=True), {"domain": "lab.test"}, PIN)
    for name, text in FILES.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
        if name.endswith(".env"):
            (made / name).chmod(0o600)
    return made


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("service", "changes", "file", "path", "value"),
    [
        ("pg", {"tag": "17.3"}, "apps/parts/db.yaml", "image", "postgres:17.3"),
        ("pg", {"restart": "always"}, "apps/parts/db.yaml", "restart", "always"),
        ("pg", {"env_set": {"MODE": "a $b"}}, "apps/parts/db.yaml", "environment.MODE", "a $$b"),
        ("pg", {"volumes_remove": ("/keep",)}, "apps/parts/db.yaml", "volumes.1", None),
        ("cache", {"restart": "no"}, "shared/cache.yaml", "restart", "no"),
        ("web", {"tag": "1.31"}, "apps/compose.yaml", "image", "nginx:1.31"),
        ("web", {"limits": {"memory": "256m"}}, "apps/compose.yaml", "mem_limit", str(256 * 2**20)),
        ("web", {"env_unset": ("COLOUR",)}, "shared/base.yaml", "environment.COLOUR", None),
    ],
)
def test_only_what_was_asked_for_differs_and_undoing_gives_the_bytes_back(
    root: Path, service: str, changes: dict[str, Any], file: str, path: str, value: Any
) -> None:
    before = as_compose_sees_it(root)
    plan = propose_update_service(open_lab(str(root), files_only=True), service, "apps", changes, REQUESTER)
    assert [e.path for e in plan.draft.edits if e.path in FILES] == [file]
    apply(root, plan.id)

    wanted = json.loads(json.dumps(before))
    *above, last = path.split(".")
    inside = wanted[service]
    for step in above:
        inside = inside[step]
    if value is None:
        del inside[int(last) if isinstance(inside, list) else last]
    else:
        inside[last] = value
    assert as_compose_sees_it(root) == wanted
    kept = [line for line in FILES[file].splitlines() if "#" in line]
    assert all(line.rpartition("#")[2] in (root / file).read_text() for line in kept)

    apply(root, propose_rollback(open_lab(str(root), files_only=True), plan.id, REQUESTER).id)
    assert {name: (root / name).read_text() for name in FILES} == FILES


def test_an_edit_of_the_included_file_after_the_plan_makes_it_stale(root: Path) -> None:
    plan = propose_update_service(open_lab(str(root), files_only=True), "pg", "apps", {"tag": "17.3"}, REQUESTER)
    (root / "apps/parts/db.yaml").write_text(DB.replace("17.2", "17.4"))
    lab = open_lab(str(root), files_only=True)
    with pytest.raises(HomelabError) as told:
        approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
        assert applier(lab).run(plan.id).state is PlanState.DONE
    assert told.value.code == "plan_stale"


def test_compose_judges_the_included_file_as_it_would_be(root: Path) -> None:
    compose = ComposeCli(root)
    named = [("shared/cache.yaml", CACHE.replace("restart: always", "ports: [nonsense:1:2:3]"))]
    compose.check_text("apps", BASE, "TZ=UTC\n", (), [("shared/cache.yaml", CACHE)])
    with pytest.raises(EngineFailed, match="nonsense"):
        compose.check_text("apps", BASE, "TZ=UTC\n", (), named)
    with pytest.raises(EngineFailed, match="nonsense"):
        compose.check_text("apps", BASE, "TZ=UTC\n", (), [("apps/parts/db.yaml", named[0][1])])
    assert not list((root / ".homelab/checks").iterdir())


def test_what_is_included_from_outside_of_the_lab_is_named_with_its_place(root: Path) -> None:
    (root.parent / "more.yaml").write_text("services: {far: {image: 'nginx:1.29'}}\n")
    (root / "apps/compose.yaml").write_text(BASE.replace("parts/db.yaml\n", "parts/db.yaml\n  - ../../more.yaml\n"))
    with pytest.raises(HomelabError) as told:
        propose_update_service(open_lab(str(root), files_only=True), "far", "apps", {"tag": "1.30"}, REQUESTER)
    assert "apps/compose.yaml, line 3: '../../more.yaml' was not looked at" in told.value.message
    assert "by hand" in told.value.hint


@pytest.mark.timeout(180)
@pytest.mark.parametrize("place", ["parts/wiki.yaml", "../wiki.yaml"])
def test_a_service_of_an_included_file_runs_as_changed_and_as_before_after_an_undo(
    tmp_path: Path, testbed_run: Scratch, stand_in: Callable[..., LocalImage], place: str
) -> None:
    with Scratch() as scratch:
        rig = ChangeRig(tmp_path / "lab", scratch, stand_in)
        whole = rig.compose_file.read_text()
        parts = Path(os.path.normpath(rig.compose_file.parent / place))
        parts.parent.mkdir(exist_ok=True)
        head, tail = whole.split("  other:\n")
        data = os.path.relpath(rig.compose_file.parent / "wiki/data", parts.parent)
        inside = head.replace("./wiki/data", data if data[0] == "." else f"./{data}") + "volumes:\n  pages:\n"
        parts.write_text(inside)
        other = tail.partition("volumes:\n  pages:\n")[0]
        rig.compose_file.write_text(f"include: [{place}]\nservices:\n  other:\n{other}")
        try:
            rig.lab.compose.up(rig.apps, ())
            first = running(rig)
            plan = propose_update_service(rig.lab, "wiki", rig.apps, {"tag": "2"}, REQUESTER)
            assert rig.apply(plan).state is PlanState.DONE
            assert parts.read_text() == inside.replace(f"{rig.repository}:1", f"{rig.repository}:2")
            assert running(rig) == {**first, "wiki": f"{rig.repository}:2"}
            assert rig.in_container(rig.apps, "/pages/one") == b"kept\n"
            # What does not start goes back, the included file with it.
            bad = propose_update_service(rig.lab, "wiki", rig.apps, {"tag": "3"}, REQUESTER)
            assert rig.apply(bad).state is PlanState.ROLLED_BACK
            assert running(rig)["wiki"] == f"{rig.repository}:2"
            assert rig.apply(propose_rollback(rig.lab, plan.id, REQUESTER)).state is PlanState.DONE
            assert parts.read_text() == inside
            assert running(rig) == first
        finally:
            rig.lab.compose.down(rig.apps)


def running(rig: ChangeRig) -> dict[str, str]:
    return {c.service: c.image for c in rig.lab.engine.containers(rig.apps) if c.state == "running"}
