"""Scripted agents: what people ask for, served by the real server on a lab of files, to its outcome in the lab."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet
from anyio.from_thread import start_blocking_portal
from mcp import Client, StdioServerParameters

from homelab_mcp.adapters.processes import processes
from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.cli.agent_test import Lines, client_of, steps_of
from homelab_mcp.core.agent_script import Script, parse_script
from testbed import Scratch
from tests.e2e.agent_labs import AgentLabs, RunningLab
from tests.e2e.server import PIN, LabOnDisk

SCRIPTS = {
    path: parse_script(path.read_text(encoding="utf-8"), path.name)
    for path in sorted((Path(__file__).parents[1] / "agents").glob("*.yaml"))
}


LONG = 60
"""Seconds that a step may wait by day."""


@pytest.fixture(scope="module")
def files_played(
    keys_of_test_labs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Script], Lines]]:
    """Plays a script on a fresh copy of the lab it names; one server looks after the folder all the while."""
    labs = AgentLabs(tmp_path_factory.mktemp("agents"))
    with played_on(open_lab(str(labs.root), files_only=True), {}, before=labs.lay) as play_one:
        yield play_one


@pytest.fixture(scope="module")
def running_played(docker_engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Script], Lines]]:
    """Plays a script on the one lab that runs; its scripts leave it as it was, or touch what is theirs alone."""
    with Scratch() as scratch:
        lab = RunningLab(tmp_path_factory.mktemp("agents"), scratch)
        with played_on(open_lab(str(lab.root)), lab.names) as play_one:
            yield play_one


@contextmanager
def played_on(
    lab: LocalLab, names: dict[str, str], *, before: Callable[[str], None] = lambda name: None
) -> Iterator[Callable[[Script], Lines]]:
    """A server of that lab over stdio, and a function that plays a script on it. ``before`` lays the lab it names."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(client_of(lab)) as client:

        def play_one(script: Script) -> Lines:
            before(script.lab)
            return portal.call(steps_of, client, lab, script, PIN, names)

        yield play_one


def dealt(paths: Iterable[Path], each: int) -> list[ParameterSet]:
    """Every ``each``-th by day, all of them at night: together they take ten minutes. Long waits are for the night."""

    def late(n: int, path: Path) -> bool:
        return n % each != 0 or any(step.within > LONG for step in SCRIPTS[path].steps)

    return [
        pytest.param(path, id=path.stem, marks=pytest.mark.nightly if late(n, path) else ())
        for n, path in enumerate(paths)
    ]


# The first to come makes the labs for all.
@pytest.mark.timeout(240)
@pytest.mark.parametrize("path", dealt((p for p, s in SCRIPTS.items() if s.lab != "running"), 3))
def test_the_agent_gets_to_the_end(files_played: Callable[[Script], Lines], path: Path) -> None:
    holds(SCRIPTS[path], files_played(SCRIPTS[path]))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("path", dealt((p for p, s in SCRIPTS.items() if s.lab == "running"), 2))
def test_the_agent_gets_to_the_end_where_things_run(running_played: Callable[[Script], Lines], path: Path) -> None:
    holds(SCRIPTS[path], running_played(SCRIPTS[path]))


def holds(script: Script, lines: Lines) -> None:
    assert [line for line in lines if not line["ok"]] == []
    assert len(lines) == len(script.steps)


@pytest.mark.timeout(120)
def test_the_command_says_which_step_did_not_hold(lab: LabOnDisk, tmp_path: Path) -> None:
    script = tmp_path / "wrong.yaml"
    script.write_text("says: x\nsteps:\n  - tool: search_catalog\n    with: {query: plex}\n    expect: {total: -1}\n")
    answer = lab.json("agent-test", str(script), code=1)
    assert answer["ok"] is False
    assert "not -1" in answer["steps"][0]["problems"][0]
    script.write_text("says: x\nsteps:\n  - {tool: a, file: b}\n")
    assert lab.json("agent-test", str(script), code=1)["error"]["code"] == "bad_script"


@pytest.mark.timeout(120)
def test_what_a_script_starts_is_seen_and_ends_with_it_whether_it_holds_or_not(lab: LabOnDisk, tmp_path: Path) -> None:
    script, mark = tmp_path / "beside.yaml", f"stand-in-{os.getpid()}-beside"
    found = "  - {tool: host_health, with: {find: MARK}, expect: {found: WANTED}}\n".replace("MARK", mark)
    begins = f"says: x\nsteps:\n  - start: \"sh -c 'sleep 600; :' {mark}\"\n"
    # At first it may not be there yet: it is asked for again.
    script.write_text(begins + found.replace("expect", "within: 20, expect").replace("WANTED", "1"))
    assert lab.json("agent-test", str(script))["ok"] is True
    script.write_text(begins + found.replace("WANTED", "-1"))
    assert lab.json("agent-test", str(script), code=1)["ok"] is False
    assert not [one for one in processes(Path("/proc"), find=mark, pause=0.0)[0] if one.state != "Z"]
    script.write_text("says: x\nsteps:\n  - start: no-such-program-anywhere\n")
    assert "does not start" in lab.json("agent-test", str(script), code=1)["steps"][0]["problems"][0]
    file = "says: x\nsteps:\n  - {file: homelab.yaml, owner: WHOSE}\n"
    script.write_text(file.replace("WHOSE", f'"{os.getuid()}:{os.getgid()}"'))
    assert lab.json("agent-test", str(script))["ok"] is True
    script.write_text(file.replace("WHOSE", '"4321:4321"'))
    assert "not to 4321:4321" in lab.json("agent-test", str(script), code=1)["steps"][0]["problems"][0]


def test_a_clients_file_is_written_after_a_yes_and_keeps_what_is_there(lab: LabOnDisk, tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    file.write_text('{\n  "servers": {"mine": {"type": "stdio", "command": "x"}}\n}\n')
    options = ("connect", "vscode", "--http", "http://nas:8765", "--write", "--file", str(file))
    refused = lab.run(*options)
    assert refused.returncode == 1
    assert "homelab" not in file.read_text()
    answer = lab.json(*options, "--yes")
    data = json.loads(file.read_text())
    assert data["servers"]["mine"] == {"type": "stdio", "command": "x"}
    assert data["servers"]["homelab"]["headers"] == {"Authorization": "Bearer ${input:homelab-token}"}
    assert answer["written"] is True


async def test_the_printed_command_is_one_that_a_client_can_start(lab: LabOnDisk) -> None:
    config = json.loads(lab.json("connect", "claude", "--toolsets", "core")["config"])
    entry = config["mcpServers"]["homelab"]
    server = StdioServerParameters(command=entry["command"], args=entry["args"], env={"PATH": os.environ["PATH"]})
    async with Client(server) as client:
        assert "add_service" in {tool.name for tool in (await client.list_tools()).tools}
