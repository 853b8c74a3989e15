"""Random updates in a stack of several files: only the service that was meant differs, and undoing gives the bytes."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.core.compose_meaning import same
from homelab_mcp.core.env_file import parse
from homelab_mcp.core.shadowed import merged_services
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.plan import Plan
from homelab_mcp.ports import Signer
from homelab_mcp.queries.find import read_stacks
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.inventory import Inventory
from homelab_mcp.workflow.propose_changes import propose_update_service
from tests.unit.workflow.random_labs import OURS, PIN, apply, lab_at, texts, undo
from tests.unit.workflow.random_operations import PERSON

FILES = {
    "apps/compose.yaml": """\
# by hand, since 2019
include:
  - parts/db.yaml        # the database
  - path: ../shared/cache.yaml
services:
  web:
    extends: {file: ../shared/base.yaml, service: site}
    environment: [MODE=calm]
    depends_on: [pg]
  app: &app
    image: nginx:1.29   # pinned
    labels:
      - traefik.enable=true
      - traefik.http.routers.app.rule=Host(`app.lab.test`)
  worker: {<<: *app, labels: [], command: work}
""",
    "apps/compose.override.yaml": """\
services:
  app:
    image: nginx:1.30   # newer here
    environment: {MODE: wild, ROOM: "${ROOM:-7}"}
  extra:
    image: redis:7.4.1
    restart: always
""",
    "apps/parts/db.yaml": """\
services:
  pg:
    image: "postgres:${PG_TAG:-17.2}"
    environment: ["POSTGRES_DB=app", "GREETING=price $$5"]
    volumes: ["./data:/var/lib/postgresql/data", "keep:/keep"]
    networks: [back]
volumes: {keep: {}}
networks: {back: {internal: true}}
""",
    "shared/cache.yaml": "services:\n  cache:\n    image: redis:7.4.1   # shared\n    mem_limit: 64m\n",
    "shared/base.yaml": "services:\n  site:\n    image: nginx:1.29\n    mem_limit: 128m\n"
    "    environment: {COLOUR: red}\n",
    "more/compose.yaml": "include: [../shared/cache.yaml]\nservices:\n  other:\n    image: nginx:1.29\n",
    "apps/.env": "TZ=UTC\n",
}
CHANGES: tuple[dict[str, Any], ...] = (
    {"tag": "9.1"},
    {"tag": "9.2", "restart": "unless-stopped"},
    {"restart": "always"},
    {"restart": "no"},
    {"limits": {"memory": "96m"}},
    {"limits": {"cpus": "0.5", "pids": "200"}},
    {"limits": {"io_device": "/dev/sda", "write_bps": "9M"}},
    {"resources": "downloader"},
    {"env_set": {"MODE": "new"}},
    {"env_set": {"COLOUR": "a $b", "ROOM": "8"}},
    {"env_unset": ("MODE",)},
    {"env_unset": ("COLOUR",)},
    {"volumes_add": ("/mnt/a:/a:ro",)},
    {"volumes_add": ("more:/more",)},
    {"volumes_add": ("./here:/here",)},
    {"volumes_remove": ("/keep",)},
    {"volumes_remove": ("/a",)},
    {"health": "true"},
    {"health": "off", "health_reason": "It has none."},
    {"subdomain": "site"},
    {"sso": "protect"},
)
SERVICES = ("web", "app", "worker", "extra", "pg", "cache", "other")
STEPS = 20


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Signer]:
    root = tmp_path_factory.mktemp("files") / "lab"
    init_lab(open_lab(str(root), files_only=True), {"domain": "lab.test"}, PIN)
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "apps/.env").chmod(0o600)
    # So that the lab's page knows of them.
    Inventory(lab_at(root)).start()
    return root, lab_at(root).approver.unlock(PIN)


def meant(root: Path) -> dict[tuple[str, str], Any]:
    """Every service as Compose sees it, by stack and name."""
    stacks = read_stacks(lab_at(root).files)
    return {(s.name, n): body for s in stacks for n, body in merged_services(s, parse(s.env_text)).items()}


def sequence(made: tuple[Path, Signer], place: Path, seed: int) -> Counter[str]:
    master, signer = made
    root = Path(shutil.copytree(master, place / "lab"))
    start, source = texts(root), random.Random(seed)  # the same sequence for the same seed
    applied: list[Plan] = []
    written: Counter[str] = Counter()
    for step in range(STEPS):
        service, changes = source.choice(SERVICES), source.choice(CHANGES)
        told = f"seed {seed} step {step} {service} {changes}"
        stack = "more" if service == "other" else "apps"
        before = meant(root)
        try:
            plan = propose_update_service(lab_at(root), service, stack, changes, PERSON)
        except HomelabError as refused:
            assert refused.code not in OURS, f"{told}: {refused.code} {refused.message}"
            written[refused.code] += 1
            continue
        apply(root, plan, signer)
        applied.append(plan)
        after = meant(root)
        # Variables of the stack's .env are everybody's; the plan then names who is made anew.
        named = {(stack, name) for action in plan.draft.actions for name in action.services}
        differing = {key for key in before.keys() | after.keys() if not same(before.get(key), after.get(key))}
        assert differing <= named | {(stack, service)}, told
        assert differing or "/.env" in str([e.path for e in plan.draft.edits]), told
        written.update(e.path for e in plan.draft.edits)
    undo(root, applied, signer)
    assert texts(root) == start, f"seed {seed}: undone, but not as it was"
    return written


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2))
def test_any_updates_in_several_files_change_what_was_meant_and_can_be_undone(
    made: tuple[Path, Signer], tmp_path: Path, seed: int
) -> None:
    written = sequence(made, tmp_path, seed)
    assert {"apps/compose.yaml", "apps/compose.override.yaml", "apps/parts/db.yaml"} <= written.keys(), written


@pytest.mark.nightly
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(2, 30))
def test_many_more_updates_in_several_files(made: tuple[Path, Signer], tmp_path: Path, seed: int) -> None:
    sequence(made, tmp_path, seed)
