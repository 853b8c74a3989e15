"""``external: no`` and ``"off"``: what Compose reads as false is nowhere in this project a thing of somebody else."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from homelab_mcp.core.importing.volumes import Mounts
from homelab_mcp.core.operations.containers_back import _networks_back
from homelab_mcp.core.operations.lab_view import Known, known_name
from homelab_mcp.core.operations.move_parts import networks, volumes
from homelab_mcp.core.operations.stack_paths import declared_by
from homelab_mcp.core.service_explain import networks_of
from homelab_mcp.core.swarm.handover import _external
from homelab_mcp.core.swarm.render import render
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import StackFiles
from homelab_mcp.queries.diagnose_facts import _external as waited_for

TEXT = """services:
  app: {{image: 'app:1', volumes: ['data:/data'], networks: [net]}}
  peer: {{image: 'peer:1', networks: [net]}}
volumes: {{data: {{external: {said}}}}}
networks: {{net: {{external: {said}}}}}
"""
WORDS = ("no", "'off'", "False", "'N'", "false")


@pytest.mark.parametrize("said", WORDS)
def test_a_volume_that_is_not_external_has_its_projects_name(said: str) -> None:
    stack = StackFiles("apps", "apps/compose.yaml", TEXT.format(said=said), "")
    assert declared_by(stack).volume_name("data", {}) == "apps_data"
    assert _external(stack.compose_text) == set()


@pytest.mark.parametrize("said", ["no", "off", "False", False])
def test_what_is_declared_so_is_the_stacks_own(said: Any) -> None:
    spec = {"external": said}
    assert known_name(spec, "net", {}) == ""
    assert _networks_back({}, {"networks": {"net": spec}}) == []
    stack = SimpleNamespace(section=lambda _: {"net": spec})
    assert list(waited_for(SimpleNamespace(stack=stack), "networks", ["net"])) == []  # type: ignore[arg-type]
    one = Known("apps", "app", {"networks": ["net"]}, {})
    assert networks_of(one, [one], {"net": spec})[0]["only"] == "this stack"


@pytest.mark.parametrize("said", ["no", "off", "False", False])
def test_swarm_is_told_to_make_it(said: Any) -> None:
    service = {"image": "app:1", "networks": {"net": None}, "volumes": []}
    found = render(
        {"services": {"app": service}, "networks": {"net": {"external": said}}, "volumes": {"d": {"external": said}}},
        str,
    )
    assert found["networks"]["net"]["driver"] == "overlay"
    assert "external" not in found["volumes"]["d"]


@pytest.mark.parametrize("said", ["no", "off", "False", False])
def test_a_move_takes_a_volume_along_by_dockers_name_and_tells_who_is_left(said: Any) -> None:
    move: Any = SimpleNamespace(
        document={"networks": {"net": {"external": said}}, "volumes": {"data": {"external": said}}},
        group=("app",),
        services={"app": {"networks": ["net"]}},
        rest={"peer": {"networks": ["net"]}},
        data=SimpleNamespace(volumes=("data",)),
        source=StackFiles("apps", "apps/compose.yaml", "services: {}\n", ""),
    )
    assert networks(move)[1] == ["peer"]
    assert volumes(move)[0] == {"data": {"name": "apps_data", "external": True}}


@pytest.mark.parametrize("said", ["no", "off", "False", False])
def test_an_imported_volume_of_its_own_becomes_a_folder(said: Any) -> None:
    made = Mounts(LabSettings(domain="lab.test"), "/opt/stacks", {"data": {"external": said}}, keep=False)
    assert made.of("app", {"volumes": ["data:/data"]}, as_root=True) == ["./app/data:/data"]
    assert not made.outside
