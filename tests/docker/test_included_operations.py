"""Operations on services of included and extended files: Compose makes of all files what it makes of the same in one.

The measure is a twin: the same lab with the stack written out as one file, on which the operation is known to be right.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core.operations.stack_as_one import written_out
from homelab_mcp.model.plan import Plan, PlanState
from homelab_mcp.queries.find import read_stacks
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import propose_rollback
from homelab_mcp.workflow.propose_changes import (
    propose_connect_services,
    propose_move_service,
    propose_remove_service,
)
from homelab_mcp.workflow.propose_lazy import propose_lazy_loading
from homelab_mcp.workflow.propose_sign_on import propose_set_access
from homelab_mcp.workflow.propose_vpn import propose_vpn
from testbed import LocalImage, Scratch
from tests.docker.lab import PIN, REQUESTER
from tests.docker.test_change_services import ChangeRig
from tests.docker.test_override_compose import apply

CORE = """\
services:
  traefik:
    image: traefik:v3.7.13
    command: [--providers.docker=true, --providers.file.directory=/dynamic]
    volumes: ["./traefik/dynamic:/dynamic:ro"]
    networks: [traefik-network]
  sablier: {image: "sablierapp/sablier:1.16.2", container_name: sleeper, networks: [traefik-network]}
networks: {traefik-network: {external: true}}
"""
APPS = """\
include:
  - parts/wiki.yaml
  - path: ../shared/cache.yaml
    env_file: ../shared/cache.env
services:
  web:
    extends: {file: ../shared/base.yaml, service: site}
  far:
    image: nginx:1.29   # nobody's
networks: {traefik-network: {external: true}}
"""
WIKI = """\
# the family's
services:
  wiki:   # read now and then
    image: ghcr.io/example/wiki:2.1   # do not bump
    restart: unless-stopped
    environment: ["KEY=${WIKI_KEY}", "PRICE=5 $$"]
    healthcheck: {test: [CMD, "true"]}
    volumes: ["./pages:/pages", "kept:/kept"]
    networks: [inner, traefik-network]
    labels:
      - traefik.enable=true
      - "traefik.http.routers.wiki.rule=Host(`wiki.lab.test`)"
      - traefik.http.services.wiki.loadbalancer.server.port=80
  notes:
    image: example/notes:1   # last year's
    expose: ['3000']
    volumes: ["notes:/notes"]
volumes: {kept: {}, notes: {}}
networks: {inner: {}, traefik-network: {external: true}}
"""
CACHE = "services:\n  cache:\n    image: \"redis:${CACHE_TAG:-7}\"\n    expose: ['6379']   # by hand\n"
SITE = """\
services:
  site:
    image: nginx:1.29   # of all sites
    networks: [traefik-network]
    labels:
      traefik.enable: 'true'
      traefik.http.routers.web.rule: Host(`web.lab.test`)
"""
TOOLS = "services:\n  tool:\n    image: example/tool:1\n    expose: ['7000']\n"
ENV = "WIKI_KEY=abc\nVPN_SERVICE_PROVIDER=mullvad\nWIREGUARD_PRIVATE_KEY=k3yk3y\nWIREGUARD_ADDRESSES=10.64.0.2/32\n"
FILES = {
    "core/compose.yaml": CORE,
    "apps/compose.yaml": APPS,
    "apps/parts/wiki.yaml": WIKI,
    "shared/cache.yaml": CACHE,
    "shared/cache.env": "CACHE_TAG=7.4.1\n",
    "shared/base.yaml": SITE,
    "tools/compose.yaml": TOOLS,
    "apps/.env": ENV,
}
BYPASS = {"policy": "bypass", "reason": "It has its own."}


def access(lab: LocalLab, *services: str) -> Plan:
    return propose_set_access(lab, REQUESTER, services=services, **BYPASS)


def lazy(lab: LocalLab, service: str, *, on: bool = True) -> Plan:
    return propose_lazy_loading(lab, service, "apps", on=on, options={}, requester=REQUESTER)


def vpn(lab: LocalLab, service: str, state: str = "on") -> Plan:
    return propose_vpn(lab, REQUESTER, service=service, state=state, stack="apps")


def connect(lab: LocalLab, a: str, b: str) -> Plan:
    return propose_connect_services(lab, a, b, REQUESTER, variables={"PEER_URL": "{url}"})


def move(lab: LocalLab, service: str) -> Plan:
    return propose_move_service(lab, service, "apps", "tools", REQUESTER)


def remove(lab: LocalLab, service: str) -> Plan:
    return propose_remove_service(lab, service, "apps", REQUESTER, env="delete")


WAYS: list[tuple[list[Callable[[LocalLab], Plan]], set[str]]] = [
    ([lambda lab: access(lab, "wiki")], {"apps/parts/wiki.yaml"}),
    ([lambda lab: access(lab, "web")], {"apps/compose.yaml"}),
    ([lambda lab: lazy(lab, "wiki")], {"apps/parts/wiki.yaml", "core/compose.yaml"}),
    ([lambda lab: vpn(lab, "notes")], {"apps/compose.yaml", "apps/parts/wiki.yaml"}),
    (
        [lambda lab: vpn(lab, "notes"), lambda lab: vpn(lab, "wiki"), lambda lab: vpn(lab, "notes", "off")],
        {"apps/compose.yaml", "apps/parts/wiki.yaml"},
    ),
    (
        [lambda lab: vpn(lab, "notes"), lambda lab: vpn(lab, "wiki"), lambda lab: remove(lab, "wiki")],
        {"apps/compose.yaml", "apps/parts/wiki.yaml"},
    ),
    ([lambda lab: connect(lab, "apps/wiki", "tools/tool")], {"apps/parts/wiki.yaml", "tools/compose.yaml"}),
    ([lambda lab: connect(lab, "tools/tool", "apps/cache")], {"shared/cache.yaml", "tools/compose.yaml"}),
    ([lambda lab: connect(lab, "apps/far", "apps/notes")], set()),
    ([lambda lab: move(lab, "notes")], {"apps/parts/wiki.yaml", "tools/compose.yaml"}),
    ([lambda lab: move(lab, "web")], {"apps/compose.yaml", "tools/compose.yaml"}),
    ([lambda lab: remove(lab, "notes")], {"apps/parts/wiki.yaml"}),
    ([lambda lab: remove(lab, "cache")], {"shared/cache.yaml"}),
    ([lambda lab: remove(lab, "web"), lambda lab: remove(lab, "wiki"), lambda lab: remove(lab, "notes")], set()),
]


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
        if name.endswith(".env"):
            (root / name).chmod(0o600)


@pytest.fixture
def labs(tmp_path: Path) -> tuple[Path, Path]:
    """The lab of several files, and its twin of one file a stack."""
    spread, one = tmp_path / "a" / "lab", tmp_path / "b" / "lab"
    init_lab(open_lab(str(spread), files_only=True), {"domain": "lab.test"}, PIN)
    write(spread, FILES)
    for folder in ("apps/parts/pages", "core/traefik/dynamic"):
        (spread / folder).mkdir(parents=True)
    shutil.copytree(spread, one)
    apps = next(s for s in read_stacks(open_lab(str(spread), files_only=True).files) if s.name == "apps")
    whole = written_out(apps)
    assert whole is not None
    write(one, {"apps/compose.yaml": whole.compose_text, "apps/.env": ENV + "CACHE_TAG=7.4.1\n"})
    shutil.rmtree(one / "shared")
    (one / "apps/parts/wiki.yaml").unlink()
    assert seen(spread) == seen(one)
    return spread, one


def seen(root: Path) -> dict[str, Any]:
    """What Compose makes of each stack, its folder's own name aside."""
    found = {}
    for stack in ("apps", "tools", "core"):
        argv = ["docker", "compose", "config", "--format", "json"]
        run = subprocess.run(argv, cwd=root / stack, capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == 0, run.stderr
        data = json.loads(run.stdout.replace(f"{root}/", "/LAB/"))
        found[stack] = {k: without_notes(v) for k, v in data.items() if not k.startswith("x-")}
    return found


def without_notes(section: Any) -> Any:
    """Without ``x-homelab-added``: it speaks of the file that the service stands in."""
    if not isinstance(section, dict):
        return section
    return {
        name: {k: v for k, v in body.items() if k != "x-homelab-added"} if isinstance(body, dict) else body
        for name, body in section.items()
    }


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("steps", "touched"), WAYS)
def test_compose_sees_what_it_sees_of_one_file_and_undoing_gives_every_byte_back(
    labs: tuple[Path, Path], steps: list[Callable[[LocalLab], Plan]], touched: set[str]
) -> None:
    spread, one = labs
    before = seen(spread)
    plans = []
    for step in steps:
        for root in (one, spread):
            plan = step(open_lab(str(root), files_only=True))
            apply(root, plan.id)
        plans.append(plan)
    after = seen(spread)
    assert after != before
    assert after == seen(one)
    changed = {name for name in FILES if not name.endswith(".env") and (spread / name).read_text() != FILES[name]}
    assert not touched or changed == touched
    for name in changed:
        kept = [line for line in FILES[name].splitlines() if line.startswith("#")]
        assert all(line in (spread / name).read_text() for line in kept)
    for plan in reversed(plans):
        apply(spread, propose_rollback(open_lab(str(spread), files_only=True), plan.id, REQUESTER).id)
    assert {name: (spread / name).read_text() for name in FILES} == FILES


@pytest.mark.timeout(300)
def test_a_service_of_an_included_file_is_opened_joined_moved_and_removed_and_runs_as_before_after_an_undo(
    tmp_path: Path, testbed_run: Scratch, stand_in: Callable[..., LocalImage]
) -> None:
    with Scratch() as scratch:
        rig = ChangeRig(tmp_path / "lab", scratch, stand_in)
        part = rig.compose_file.parent / "parts/wiki.yaml"
        part.parent.mkdir()
        head, tail = rig.compose_file.read_text().split("  other:\n")
        labels = '    labels: {traefik.enable: "true", traefik.http.routers.wiki.rule: "Host(`wiki.lab.test`)"}\n'
        part.write_text(f"{head.replace('./wiki/data', '../wiki/data')}{labels}volumes:\n  pages:\n")
        other = tail.partition("volumes:\n  pages:\n")[0]
        rig.compose_file.write_text(f"include: [parts/wiki.yaml]\nservices:\n  other:\n{other}")
        docs = rig.root / rig.docs / "compose.yaml"
        docs.parent.mkdir()
        docs.write_text(f"services:\n  reader:\n{other}")
        ways: list[tuple[Callable[[], Plan], str]] = [
            (lambda: access(rig.lab, f"{rig.apps}/wiki"), "apps"),
            (lambda: connect_to(rig), "apps"),
            (lambda: propose_move_service(rig.lab, "wiki", rig.apps, rig.docs, REQUESTER), "docs"),
            (lambda: propose_remove_service(rig.lab, "wiki", rig.apps, REQUESTER), ""),
        ]
        try:
            for stack in (rig.apps, rig.docs):
                rig.lab.compose.up(stack, ())
            before, first = rig.files(), rig.running()
            for way, place in ways:
                plan = way()
                assert rig.apply(plan).state is PlanState.DONE
                assert part.read_text() != before[f"{rig.apps}/parts/wiki.yaml"].decode()
                running_in = {"apps": rig.apps, "docs": rig.docs}.get(place, "")
                made = {c.stack for c in containers(rig) if c.service == "wiki" and c.state == "running"}
                assert made == ({running_in} if running_in else set()), plan.draft.operation
                if running_in:
                    assert rig.in_container(running_in, "/pages/one") == b"kept\n"
                    assert rig.in_container(running_in, "/data/wiki.db") == rig.bytes
                assert rig.apply(propose_rollback(rig.lab, plan.id, REQUESTER)).state is PlanState.DONE
                assert rig.files() == before
                assert rig.running() == first
                assert rig.in_container(rig.apps, "/pages/one") == b"kept\n"
        finally:
            for stack in (rig.docs, rig.apps):
                rig.lab.compose.down(stack)


def connect_to(rig: ChangeRig) -> Plan:
    return propose_connect_services(
        rig.lab,
        f"{rig.apps}/wiki",
        f"{rig.docs}/reader",
        REQUESTER,
        port=80,
        network=f"peers-{rig.apps}",
        variables={"PEER_URL": "{url}"},
    )


def containers(rig: ChangeRig) -> list[Any]:
    return [*rig.lab.engine.containers(rig.apps), *rig.lab.engine.containers(rig.docs)]
