"""``host=`` through a real client over stdio, in a lab with a second real Docker host and one that is stuck."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from homelab_mcp.bootstrap import open_lab
from homelab_mcp.model.plan import PlanState
from homelab_mcp.workflow.assembly import applier, approvals
from homelab_mcp.workflow.change_hosts import added, write_hosts
from homelab_mcp.workflow.init_lab import init_lab
from homelab_mcp.workflow.proposals import propose_add_service
from testbed import LocalImage, Scratch
from testbed.definitions import definition, provide
from tests.docker.host_rig import OtherMachine
from tests.docker.lab import PIN, REQUESTER, WATCHED

pytestmark = pytest.mark.timeout(240)


KEYS = ("XDG_CONFIG_HOME", "HOMELAB_KEY_FILE", "HOMELAB_APPROVER_FILE")


class StuckMachine:
    """Takes every connection and never says a word, as a machine does whose memory is full; counts who came.

    A stand-in: a real one cannot be made stuck and well again at will.
    """

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = "ssh://root@127.0.0.1:%d" % self._listening.getsockname()[1]  # noqa: UP031 - an address
        self._taken: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while True:
            try:
                self._taken.append(self._listening.accept()[0])
            except OSError:
                return

    @property
    def visits(self) -> int:
        return len(self._taken)

    def close(self) -> None:
        for one in (self._listening, *self._taken):
            one.close()


class TwoHosts:
    """A lab with a stack on this machine and one on ``nas``, and a host ``stuck``."""

    def __init__(self, root: Path, run: str, nas: OtherMachine, stuck: StuckMachine) -> None:
        self.root, self.nas, self.stuck = root, nas, stuck
        self.here, self.there = f"one-here-{run}", f"one-there-{run}"

    def add(self, name: str, address: str) -> None:
        lab = open_lab(str(self.root))
        write_hosts(lab, added(lab, name, address, "", "", 5.0, unreached=name == "stuck"))

    def page(self, stack: str, host: str) -> None:
        """A person brings a page up there."""
        lab = open_lab(str(self.root))
        options = {"name": stack, "subdomain": stack}
        plan = propose_add_service(lab, "whoami", stack, options, REQUESTER, host=host)
        approvals(lab).out_of_band(plan.id, PIN, who="test", approved=True)
        assert applier(lab, WATCHED).run(plan.id).state is PlanState.DONE

    def rows(self, status: dict[str, Any]) -> list[tuple[str, str]]:
        """Stack and state of what is ours: an engine that other tests use has their projects too."""
        mine = (self.here, self.there)
        return [(row["stack"], row["state"]) for row in status["services"] if row["stack"] in mine]

    def server(self) -> StdioServerParameters:
        kept = {
            k: os.environ[k] for k in ("PATH", "HOME", "LANG", "DOCKER_HOST", "PYTHONPATH", *KEYS) if k in os.environ
        }
        more = {"HOMELAB_ROOT": str(self.root), "HOMELAB_TOOLSETS": "all"}
        more |= {"XDG_CACHE_HOME": str(self.root.parent / "cache")}
        return StdioServerParameters(command=sys.executable, args=["-m", "homelab_mcp", "serve"], env={**kept, **more})


@pytest.fixture(scope="module")
def lab(
    tmp_path_factory: pytest.TempPathFactory, stand_in: Callable[..., LocalImage], testbed_run: Scratch
) -> Iterator[TwoHosts]:
    del stand_in
    root = tmp_path_factory.mktemp("one-host") / "stacks"
    images = provide([definition("whoami")])
    values = {f"{kind}_network": testbed_run.network(kind) for kind in ("route", "internal")}
    init_lab(open_lab(str(root), files_only=True), {"domain": "lab.test", **values}, PIN)
    stuck, before = StuckMachine(), os.environ["PATH"]
    with OtherMachine(83) as nas:
        os.environ["PATH"] = f"{nas.sshd()}:{before}"
        try:
            nas.load(*(image.reference for image in images))
            made = TwoHosts(root, testbed_run.run_id, nas, stuck)
            made.add("nas", f"ssh://root@{nas.address}")
            for stack, host in ((made.here, ""), (made.there, "nas")):
                testbed_run.claim_project(stack)
                made.page(stack, host)
            made.add("stuck", stuck.address)
            yield made
        finally:
            stuck.close()
            os.environ["PATH"] = before


async def ask(client: Client, tool: str, **arguments: Any) -> tuple[bool, str]:
    found = await client.call_tool(tool, arguments)
    return bool(found.is_error), str(getattr(found.content[0], "text", ""))


async def told(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    failed, text = await ask(client, tool, **arguments)
    assert not failed, text
    return dict(json.loads(text))


async def test_one_host_is_asked_told_of_and_planned_for_alone(lab: TwoHosts) -> None:
    async with Client(lab.server()) as client:
        tools = {t.name: t for t in (await client.list_tools()).tools}
        assert "host" in tools["lab_status"].input_schema["properties"]
        visits = lab.stuck.visits
        begun = time.monotonic()
        for host, stack in (("nas", lab.there), ("local", lab.here)):
            found = await told(client, "lab_status", host=host)
            assert lab.rows(found) == [(stack, "running")]
            assert "silent_hosts" not in found
            assert "engine_error" not in found
            assert [row["service"] for row in (await told(client, "resource_usage", host=host))["services"]] == [
                f"{stack}/{stack}"
            ]
            page = await told(client, "read_logs", services=[stack], host=host)
            assert page["lines"]
            assert (await told(client, "read_logs", host=host))["services"] == [stack]
            review = await told(client, "review_changes", host=host)
            assert review["containers"] == []
            assert "stuck" not in str(review["notes"])
            audit = await told(client, "audit", what="resources", host=host)
            assert "unseen" not in audit
            # What was applied there; the plan for the other host changed nothing here, as there is no Traefik.
            applies = (await told(client, "history", host=host))["applies"]
            assert [stack in one["summary"] for one in applies] == [True]
        took = time.monotonic() - begun
        assert lab.stuck.visits == visits, "the host that is stuck was asked by nobody"

        begun = time.monotonic()
        whole = await told(client, "lab_status")
        waited = time.monotonic() - begun
        assert {stack for stack, _ in lab.rows(whole)} == {lab.here, lab.there}
        assert list(whole["silent_hosts"]) == ["stuck"]
        assert lab.stuck.visits > visits
        print(f"twelve answers of one host each took {took:.1f} s, one of all {waited:.1f} s")


async def test_who_is_elsewhere_is_refused_and_nothing_is_planned(lab: TwoHosts) -> None:
    plans = len(open_lab(str(lab.root)).plans.list())
    async with Client(lab.server()) as client:
        elsewhere = f"{lab.there}/{lab.there} is on host nas, not on local. Ask with host=nas, or without host."
        for tool, arguments in (
            ("read_logs", {"services": [lab.there]}),
            ("diagnose", {"service": lab.there}),
            ("update_service", {"service": lab.there, "tag": "v1.11.0"}),
            ("control_service", {"service": lab.there, "action": "restart"}),
            ("remove_service", {"service": lab.there}),
        ):
            assert await ask(client, tool, host="local", **arguments) == (True, f"{elsewhere} [other_host]"), tool
        (nas_plan,) = (await told(client, "history", host="nas"))["applies"]
        failed, text = await ask(client, "rollback", plan_id=nas_plan["plan_id"], host="local")
        assert (failed, "[other_host]" in text) == (True, True), text
        failed, text = await ask(client, "lab_status", host="attic")
        assert "There are: local, nas, stuck." in text
        assert len(open_lab(str(lab.root)).plans.list()) == plans

        plan = await told(client, "control_service", service=lab.there, action="restart", host="nas")
        assert lab.there in plan["summary"]


async def test_a_host_that_is_away_is_said_so_and_the_others_answer(lab: TwoHosts) -> None:
    async with Client(lab.server()) as client:
        lab.nas.pull_the_cable()
        try:
            found = await told(client, "lab_status", host="nas")
            assert "nas" in found["engine_error"] or lab.nas.address in found["engine_error"]
            assert [stack for stack, _ in lab.rows(found)] == [lab.there]
            begun = time.monotonic()
            found = await told(client, "lab_status", host="local")
            took = time.monotonic() - begun
            assert lab.rows(found) == [(lab.here, "running")]
            assert "silent_hosts" not in found
            print(f"with nas away, local answers in {took:.2f} s")
            failed, text = await ask(client, "resource_usage", host="nas")
            assert failed
            assert "[host_silent]" in text
        finally:
            lab.nas.put_the_cable_back()
