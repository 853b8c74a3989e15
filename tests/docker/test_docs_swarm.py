"""The listings of docs/swarm.md, typed as they stand there: from one Docker host to a Swarm of two, a stack, a drain.

And the drill of a node from docs/hosts.md, on the same Swarm.

Real here: the command, both engines, SSH to the second, Swarm between them over a cable, Compose, every plan.
Stand-ins: the service's program. The lab's own machine is a network namespace too, found by DOCKER_HOST.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import stand_in
from testbed.docker_engine import wait_until
from tests.doc_play import played
from tests.docker.doc_rig import APPROVE, SSH_NAME, WRITE, new_lab, shell_of
from tests.docker.host_rig import OtherMachine

pytestmark = [pytest.mark.timeout(580), pytest.mark.nightly]

IMAGE = "homelab-testbed/docs-web:1"
PAGES = f"""services:
  web:
    image: {IMAGE}
    restart: unless-stopped
    mem_limit: 64m
    deploy:  # half a minute of waiting less
      update_config: {{monitor: 2s}}
"""


@pytest.fixture
def two(docker_engine: str) -> Iterator[tuple[OtherMachine, OtherMachine]]:
    stand_in(IMAGE, service="web", ports=[3000])
    with OtherMachine(96) as first, OtherMachine(97) as second:
        for machine in (first, second):
            machine.load(IMAGE)
        yield first, second


def test_a_swarm_of_two_is_made_runs_a_stack_and_gives_a_node_up_and_back(
    two: tuple[OtherMachine, OtherMachine], tmp_path: Path
) -> None:
    first, second = two
    address, _ = first.connect(second)
    root = new_lab(tmp_path / "stacks", route_network="proxy", bind_address=first.address)
    (root / "pages").mkdir()
    (root / "pages/compose.yaml").write_text(PAGES)
    first.docker("compose", "--project-directory", str(root / "pages"), "up", "--detach")
    # A node is called by its machine's name, which this one cannot choose.
    meant = {"192.168.1.10": address, "swarm drain nas": f"swarm drain {second.name}"}
    meant["swarm activate nas"] = f"swarm activate {second.name}"
    shell = shell_of(root, meant, programs=second.sshd(SSH_NAME), engine=first.socket)

    def tasks() -> list[str]:
        form = ("--filter", "desired-state=running", "--format", "{{.Node}} {{.CurrentState}}")
        rows = (line.split() for line in first.docker("service", "ps", "pages_web", *form).splitlines())
        return sorted(node for node, state, *_ in rows if state == "Running")

    def availability() -> dict[str, str]:
        found = json.loads(shell.type("homelab-mcp swarm nodes --json").said)["nodes"]
        return {node["name"]: node["availability"] for node in found}

    with played("docs/swarm.md", __file__) as play:
        play.type(shell, play.beginning("docker swarm init"))
        play.type(shell, play.beginning("host add"), replies=WRITE)
        play.type(shell, play.beginning("swarm join"), replies=APPROVE)
        play.type(shell, play.beginning("swarm run"), replies=APPROVE)
        assert tasks() == sorted([first.name, second.name])
        assert not first.docker("ps", "--quiet", "--filter", "label=com.docker.compose.project=pages")
        (nodes,) = play.type(shell, play.beginning("swarm nodes"))
        assert first.name in nodes.said, nodes
        assert second.name in nodes.said, nodes

        play.type(shell, play.beginning("swarm drain"), replies=APPROVE)
        assert availability()[second.name] == "drain"
        wait_until(lambda: tasks() == [first.name] * 2, "two tasks on the first node", within=120)
        play.type(shell, play.beginning("swarm activate"), replies=APPROVE)
        assert set(availability().values()) == {"active"}
        assert tasks() == [first.name] * 2, "Swarm moves nothing back by itself"

    # One task on each again.
    first.docker("service", "update", "--quiet", "--force", "pages_web")
    wait_until(lambda: tasks() == sorted([first.name, second.name]), "both nodes", within=120)
    shell = shell_of(root, {"attic": second.name}, engine=first.socket)
    with played("docs/hosts.md", __file__, "drill attic") as play:
        (told,) = play.type(shell, replies=(*APPROVE, *APPROVE))
    (row,) = (line for line in told.said.splitlines() if line.startswith("pages/web"))
    assert "(said: goes on)" in row, told
    assert set(availability().values()) == {"active"}, "given back"
    assert tasks() == [first.name] * 2
