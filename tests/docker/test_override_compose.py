"""Compose's own word on a change in an override file: what it makes of both files differs in that change alone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.model.plan import PlanState
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import propose_rollback
from homelab_mcp.workflow.propose_changes import propose_update_service
from tests.docker.lab import PIN, REQUESTER

BASE = """\
services:
  web:
    image: nginx:1.29
    environment: ["GREETING=price $$5", MODE=calm]
    volumes: ["./web:/data"]
  db: {image: "postgres:17.2", environment: {POSTGRES_PASSWORD: "${DB_PASSWORD}"}}
"""
OVER = """\
# mine alone
services:
  web:
    image: nginx:1.30   # newer here
    environment: {MODE: wild, ROOM: "${ROOM:-7}"}
    volumes:
      - ./more:/more   # photos
    deploy: {resources: {limits: {memory: 128M}}}
  extra:
    image: redis:7.4.1   # by hand
    depends_on: [db]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "lab"
    init_lab(open_lab(str(made), files_only=True), {"domain": "lab.test"}, PIN)
    (made / "apps").mkdir()
    (made / "apps/compose.yaml").write_text(BASE)
    (made / "apps/compose.override.yaml").write_text(OVER)
    (made / "apps/.env").write_text("DB_PASSWORD=hunter2hunter2\n")
    (made / "apps/.env").chmod(0o600)
    return made


def as_compose_sees_it(root: Path) -> dict[str, Any]:
    argv = ["docker", "compose", "config", "--format", "json"]
    run = subprocess.run(argv, cwd=root / "apps", capture_output=True, text=True, timeout=60, check=True)
    found: dict[str, Any] = json.loads(run.stdout)["services"]
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("service", "changes", "path", "value"),
    [
        ("web", {"tag": "1.31"}, "image", "nginx:1.31"),
        ("web", {"env_set": {"MODE": "new one"}}, "environment.MODE", "new one"),
        ("web", {"limits": {"memory": "256m"}}, "deploy.resources.limits.memory", str(256 * 2**20)),
        ("web", {"volumes_remove": ("/more",)}, "volumes.1", None),
        ("extra", {"tag": "7.4.2"}, "image", "redis:7.4.2"),
        ("extra", {"restart": "always"}, "restart", "always"),
    ],
)
def test_only_what_was_asked_for_differs_and_undoing_gives_the_bytes_back(
    root: Path, service: str, changes: dict[str, Any], path: str, value: Any
) -> None:
    before = as_compose_sees_it(root)
    plan = propose_update_service(open_lab(str(root), files_only=True), service, "apps", changes, REQUESTER)
    assert [e.path for e in plan.draft.edits if e.path.startswith("apps/")] == ["apps/compose.override.yaml"]
    apply(root, plan.id)

    wanted = json.loads(json.dumps(before))
    *above, last = path.split(".")
    inside = wanted[service]
    for step in above:
        inside = inside[step]
    if isinstance(inside, list):
        del inside[int(last)]
    else:
        inside[last] = value
    assert as_compose_sees_it(root) == wanted
    text = (root / "apps/compose.override.yaml").read_text()
    assert "# mine alone\n" in text and ("# newer here" in text and "# by hand" in text)
    assert (root / "apps/compose.yaml").read_text() == BASE

    apply(root, propose_rollback(open_lab(str(root), files_only=True), plan.id, REQUESTER).id)
    assert (root / "apps/compose.override.yaml").read_text() == OVER
    assert as_compose_sees_it(root) == before


def apply(root: Path, plan: str) -> None:
    lab = open_lab(str(root), files_only=True)
    approvals(lab).out_of_band(plan, PIN, who="test", approved=True)
    assert applier(lab).run(plan).state is PlanState.DONE
