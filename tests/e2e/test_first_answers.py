"""The first answers of a server on stdio, given from what an earlier start answered: the same to the byte, or not.

Real processes and real clients of both eras, each test with a cache folder of its own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from .server import ERAS, Era, LabOnDisk, call, connected, words

pytestmark = pytest.mark.timeout(300)

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
FIRST: list[dict[str, Any]] = [
    {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO},
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": "zwei ü", "method": "tools/list", "params": {}},
]
CALL = {
    "jsonrpc": "2.0",
    "id": 3,
    "method": "tools/call",
    "params": {"name": "search_catalog", "arguments": {"query": "photos"}},
}
HEAVY = re.compile(r"\| +(mcp|mcp_types|pydantic|anyio|starlette|typer|docker|yaml|homelab_mcp\.server)$", re.MULTILINE)


@pytest.fixture
def lab(tmp_path: Path) -> LabOnDisk:
    (tmp_path / "lab").mkdir()
    return LabOnDisk(tmp_path / "lab", {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOMELAB_FILES_ONLY": "1"})


def kept(lab: LabOnDisk) -> list[Path]:
    return sorted((Path(lab.environment["XDG_CACHE_HOME"]) / "homelab-mcp" / "answers").glob("*.json"))


class Server:
    """A server's process, spoken to in bytes; stderr tells what it imports."""

    def __init__(self, lab: LabOnDisk, *options: str, before: tuple[str, ...] = ()) -> None:
        argv = [sys.executable, "-X", "importtime", "-m", "homelab_mcp", *before, "serve", *options]
        pipe = subprocess.PIPE
        # What is imported fills a pipe that nobody reads meanwhile.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self.process = subprocess.Popen(argv, env=lab.env(), stdin=pipe, stdout=pipe, stderr=self._said)

    def say(self, *messages: dict[str, Any]) -> None:
        self.send(b"".join(json.dumps(m).encode() + b"\n" for m in messages))

    def send(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def hear(self, lines: int) -> list[bytes]:
        assert self.process.stdout
        return [self.process.stdout.readline() for _ in range(lines)]

    def end(self) -> tuple[list[bytes], str]:
        """What else it said, and its stderr."""
        with self.process:
            out, _ = self.process.communicate(timeout=120)
        with self._said:
            self._said.seek(0)
            said = self._said.read().decode()
        assert self.process.returncode == 0, said[-2000:]
        return out.splitlines(keepends=True), said


def first(lab: LabOnDisk, *options: str, before: tuple[str, ...] = ()) -> tuple[list[bytes], bool]:
    """The first answers of one start, and whether they came without the server being loaded."""
    server = Server(lab, *options, before=before)
    server.say(*FIRST)
    found = server.hear(2)
    rest, said = server.end()
    assert rest == []
    assert "WARNING" not in said
    return found, not HEAVY.search(said)


def test_the_second_start_answers_the_same_bytes_before_it_loads_anything(lab: LabOnDisk) -> None:
    anew, quick = first(lab)
    assert not quick
    again, quick = first(lab)
    assert quick
    assert again == anew
    assert [json.loads(line)["id"] for line in again] == [1, "zwei ü"]
    assert len(json.loads(again[1])["result"]["tools"]) > 40
    assert [path.stat().st_mode & 0o777 for path in kept(lab)] == [0o600]


@pytest.mark.parametrize("era", ERAS)
async def test_a_real_client_sees_and_does_the_same_each_time(lab: LabOnDisk, era: Era) -> None:
    seen = []
    for _ in range(3):
        async with connected(lab, era) as client:
            tools = (await client.list_tools()).tools
            found = words(await call(client, "search_catalog", query="photos"))
            names = [one.name for one in (await client.list_prompts()).prompts]
            seen.append(([tool.model_dump() for tool in tools], found, names, client.server_info, client.instructions))
    assert seen[0] == seen[1] == seen[2]
    assert kept(lab)


def test_a_call_right_behind_is_answered_by_the_server_told_of_all_before(lab: LabOnDisk) -> None:
    first(lab)
    server = Server(lab)
    big = {**CALL, "id": 4, "params": {"name": "search_catalog", "arguments": {"query": "x" * 300_000}}}
    data = b"".join(json.dumps(m).encode() + b"\n" for m in (*FIRST, CALL, big))
    # Torn in the middle of a message, where the first part was read before the server was there.
    cut = data.index(b"x" * 100) + 1000
    server.send(data[:cut])
    assert [json.loads(line)["id"] for line in server.hear(2)] == [1, "zwei ü"]
    server.send(data[cut:])
    answers = {json.loads(line)["id"]: json.loads(line) for line in server.hear(2)}
    server.say({"jsonrpc": "2.0", "id": 5, "method": "tools/list", "params": {}})
    answers |= {json.loads(line)["id"]: json.loads(line) for line in server.hear(1)}
    rest, said = server.end()
    assert rest == []
    assert answers.keys() == {3, 4, 5}
    assert not answers[3]["result"].get("isError")
    assert "too long" in json.dumps(answers[4]) or answers[4]["result"]["isError"]
    assert "WARNING" not in said


def test_a_client_that_rests_finds_the_server_loaded(lab: LabOnDisk) -> None:
    first(lab)
    server = Server(lab)
    server.say(*FIRST)
    assert len(server.hear(2)) == 2
    children = Path(f"/proc/{server.process.pid}/maps")
    until = time.monotonic() + 60
    while "pydantic_core" not in children.read_text():
        assert time.monotonic() < until, "never loaded"
        time.sleep(0.1)
    server.say(CALL)
    assert json.loads(server.hear(1)[0])["id"] == 3
    server.end()


def test_what_answers_are_made_of_decides_which_are_found(lab: LabOnDisk) -> None:
    whole, _ = first(lab)
    core, quick = first(lab, "--toolsets", "core")
    assert not quick
    assert len(core[1]) < len(whole[1])
    (lab.root / "policy.yaml").write_text("read_only: true\n")
    reading, quick = first(lab)
    assert not quick
    assert "apply_plan" not in reading[1].decode()
    (lab.root / "policy.yaml").unlink()
    assert first(lab) == (whole, True)
    # The same lab by a link is the same; another client's words are not.
    link = lab.root.with_name("link")
    link.symlink_to(lab.root)
    (lab.root / "policy.yaml").write_text("read_only: true\n")
    assert first(lab, before=("--root", str(link)))[0] == reading
    other = {**FIRST[0], "params": {**HELLO, "capabilities": {"extensions": {"io.modelcontextprotocol/ui": {}}}}}
    server = Server(lab)
    server.say(other, *FIRST[1:])
    server.hear(2)
    assert HEAVY.search(server.end()[1])


@pytest.mark.parametrize("spoil", ["open to others", "a link", "broken", "no texts", "empty"])
def test_what_somebody_else_may_have_written_or_nobody_can_read_is_not_used(lab: LabOnDisk, spoil: str) -> None:
    anew, _ = first(lab)
    (path,) = kept(lab)
    if spoil == "open to others":
        path.chmod(0o662)
    elif spoil == "a link":
        moved = path.rename(path.with_name("elsewhere"))
        path.symlink_to(moved)
    else:
        path.write_text({"broken": '{"a', "no texts": json.dumps({"a": {"tools": []}}), "empty": ""}[spoil])
    again, quick = first(lab)
    assert not quick
    assert again == anew


def test_an_answer_that_is_no_longer_right_is_said_and_dropped(lab: LabOnDisk) -> None:
    anew, _ = first(lab)
    (path,) = kept(lab)
    answers = {
        key: text.replace("search_catalog", "search_katalog") for key, text in json.loads(path.read_text()).items()
    }
    path.write_text(json.dumps(answers))
    server = Server(lab)
    server.say(*FIRST, CALL)
    assert b"search_katalog" in server.hear(2)[1]
    assert json.loads(server.hear(1)[0])["id"] == 3
    rest, said = server.end()
    assert rest == []
    assert "no longer right" in said
    assert not kept(lab)
    assert first(lab) == (anew, False)
    assert first(lab) == (anew, True)


def test_out_of_turn_the_server_itself_answers(lab: LabOnDisk) -> None:
    first(lab)
    other = LabOnDisk(lab.root, {**lab.environment, "XDG_CACHE_HOME": str(lab.root / "none")})
    for messages in ([FIRST[2]], [FIRST[0], FIRST[0]], [{**FIRST[0], "method": "nonsense"}]):
        found = []
        for where in (lab, other):
            server = Server(where)
            server.say(*messages)
            found.append(server.hear(len(messages)))
            assert server.end()[0] == []
        assert found[0] == found[1]
        assert all(found[0])


@pytest.mark.parametrize(
    "odd", [b"[" * 200_000, b'{"jsonrpc":"2.0","id":"\\ud800","method":"initialize"}', b"\xff", b""]
)
def test_what_is_no_message_reaches_the_server_and_ends_nothing(lab: LabOnDisk, odd: bytes) -> None:
    anew, _ = first(lab)
    server = Server(lab)
    server.send(odd + b"\n")
    server.say(*FIRST)
    heard: list[bytes] = []
    while heard[-2:] != anew:
        heard += server.hear(1)
        assert heard[-1], "it ended"
    server.end()


def test_a_folder_that_cannot_be_written_changes_nothing(lab: LabOnDisk) -> None:
    Path(lab.environment["XDG_CACHE_HOME"]).write_text("a file where the folder should be")
    assert first(lab) == first(lab)


def test_few_files_are_kept(lab: LabOnDisk) -> None:
    folder = Path(lab.environment["XDG_CACHE_HOME"]) / "homelab-mcp" / "answers"
    folder.mkdir(parents=True)
    for number in range(30):
        (folder / f"{number}.json").write_text("{}")
        os.utime(folder / f"{number}.json", (number, number))
    first(lab)
    assert len(kept(lab)) == 16
    assert first(lab)[1]
