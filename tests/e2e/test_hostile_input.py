"""Every parameter of every tool against every hostile value, through a real client, server and lab on disk."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import CallToolResult

from tests.e2e.hostile import Case, Watch, cases, huge, texts, tree
from tests.e2e.server import ERAS, Era, LabOnDisk, connected, words

SECRET = "outside-canary-5d1f9c"
# Not docker: validate_compose asks `docker compose` where it is told to.
PROGRAMS = ("homelab-canary", "sh", "bash", "touch", "curl", "wget", "id", "python3", "git", "nc")
RAW_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff]")
WAY_OUT = re.compile(r"\S.*[.?!)] \S.*\[[a-z_]+\]", re.DOTALL)
"""A sentence, what to do next, and a stable code."""


@pytest.fixture
def surrounded(lab: LabOnDisk, tmp_path: Path) -> LabOnDisk:
    """The lab with links out of it, something outside to find, and programs on PATH that tell when they are run."""
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "secret.env").write_text(f"TOKEN={SECRET}\n")
    (outside / "compose.yaml").write_text(f"services:\n  far:\n    image: {SECRET}:1\n")
    (outside / "deep" / "app.conf").write_text(SECRET)
    (lab.root / "linked").symlink_to(outside)
    (lab.root / "filelink").mkdir()
    (lab.root / "filelink" / "compose.yaml").symlink_to(outside / "compose.yaml")
    (lab.root / "envlink").mkdir()
    (lab.root / "envlink" / "compose.yaml").write_text("services:\n  app:\n    image: x:1\n")
    (lab.root / "envlink" / ".env").symlink_to(outside / "secret.env")
    programs = tmp_path / "bin"
    programs.mkdir()
    (tmp_path / "ran").mkdir()
    for name in PROGRAMS:
        # Its own interpreter by its full path: the PATH is what is under test.
        (programs / name).write_text(f'#!/bin/sh\necho "$0 $*" >> {tmp_path}/ran/{name}\n')
        (programs / name).chmod(0o755)
    lab.environment["PATH"] = f"{programs}:/usr/local/bin:/usr/bin:/bin"
    # Registries are away at once, and not after as long as this machine's resolver takes to give up.
    lab.environment["HTTPS_PROXY"] = "http://127.0.0.1:9"
    return lab


class Round:
    """Sends cases and keeps what is wrong with the answers."""

    def __init__(self, lab: LabOnDisk) -> None:
        self.lab = lab
        self.faults: list[str] = []
        self.sent: Counter[str] = Counter()
        self.slowest = (0.0, "")

    async def send(self, client: Client, case: Case) -> None:
        begun = time.monotonic()
        result = await client.call_tool(case.tool, case.arguments)
        took = time.monotonic() - begun
        self.slowest = max(self.slowest, (took, case.id))
        self.sent[case.tool] += 1
        self.faults += [f"{case.id}: {fault}" for fault in judge(result, took)]
        self._forget(result)

    def _forget(self, result: CallToolResult) -> None:
        """Plans that wait are limited in number; the limit is not what is asked about here."""
        plan = (result.structured_content or {}).get("plan_id", "")
        if re.fullmatch("[0-9a-f]{32}", str(plan)) and plan != self.keep:
            shutil.rmtree(self.lab.root / ".homelab" / "plans" / plan)

    keep = ""


def judge(result: CallToolResult, took: float) -> list[str]:
    """What is wrong with an answer to a hostile call."""
    text = words(result)
    wrong = []
    if "Traceback" in text or "internal_error" in text or 'File "' in text:
        wrong.append(f"an unforeseen error: {text[:200]}")
    if SECRET in text:
        wrong.append(f"shows what lies outside: {text[:200]}")
    if len(text) > 100_000:
        wrong.append(f"{len(text)} characters")
    if took > 5:
        wrong.append(f"took {took:.1f} s")
    if RAW_CONTROL.search(text) or RAW_CONTROL.search(json.dumps(result.structured_content, ensure_ascii=False)):
        wrong.append(f"raw control characters: {text[:200]!r}")
    elif not result.is_error and RAW_CONTROL.search(_strings(result.structured_content)):
        wrong.append(f"control characters: {text[:200]!r}")
    if result.is_error and not WAY_OUT.search(text):
        wrong.append(f"no way out: {text[:200]}")
    return wrong


def _strings(part: Any) -> str:
    """Every string in a structure, as it is after JSON."""
    if isinstance(part, dict):
        return "".join(_strings(v) for pair in part.items() for v in pair)
    if isinstance(part, list):
        return "".join(_strings(v) for v in part)
    return part.replace("\n", "").replace("\t", "") if isinstance(part, str) else ""


FIXED = re.compile(
    r"\S+/git -c safe\.directory=\* -c protocol\.ext\.allow=never -c gc\.auto=0 -C \S+ "
    r"(config --get (remote\.origin\.url|homelab\.branch|homelab\.signed)|rev-parse --show-prefix)"
)
"""What git is asked, whoever calls: whether the lab has a repository elsewhere. Nothing of a call is in it."""
EACH = 11
"""Of some 14,000 calls every so many is made; all of them with --nightly. A prime, so that the values go round."""


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.timeout(360)
async def test_every_parameter_of_every_tool_takes_every_hostile_value(
    surrounded: LabOnDisk, tmp_path: Path, era: Era, request: pytest.FixtureRequest
) -> None:
    lab, outside, marker = surrounded, tmp_path / "outside", tmp_path / "ran" / "marker"
    around, before = tree(outside), lab.files()
    round_ = Round(lab)
    async with connected(lab, era) as client:
        tools = (await client.list_tools()).tools
        plan = (await client.call_tool("add_service", {"service": "uptime-kuma"})).structured_content or {}
        round_.keep = plan["plan_id"]
        good = {"plan_id": round_.keep, "service": "uptime-kuma", "stack": "core"}
        made = [c for t in tools for c in cases(t.name, t.input_schema, good, texts(outside, marker))]
        tens = [c for t in tools for c in huge(t.name, t.input_schema, good)]
        # Half of them in each era when all are sent, so that each parameter meets both.
        step = 2 if request.config.getoption("--nightly") else EACH
        mine, tens = (some[step * ERAS.index(era) // 2 :: step] for some in (made, tens))
        first = {c.tool: c for c in reversed(made)}
        mine += [case for tool, case in first.items() if tool not in {c.tool for c in mine}]
        with Watch(outside) as watch:
            for case in [*mine, *tens]:
                await round_.send(client, case)
                if touched := watch.seen():
                    round_.faults.append(f"{case.id}: touched {touched[0]}")
            (outside / "secret.env").read_text()
            assert watch.seen(), "the watch is blind"
        await round_.send(client, Case("lab_status", "lab_status: at the end", {}))
    print(f"{sum(round_.sent.values())} calls, slowest {round_.slowest}, {dict(round_.sent)}")
    assert not round_.faults, f"{len(round_.faults)} of {sum(round_.sent.values())}:\n" + "\n".join(round_.faults[:60])
    assert sum(round_.sent.values()) >= 500
    assert set(round_.sent) == {t.name for t in tools}, "a tool was left out"
    assert (tree(outside), lab.files()) == (around, before)
    ran = [line for file in (tmp_path / "ran").iterdir() for line in file.read_text().splitlines()]
    assert [line for line in ran if not FIXED.fullmatch(line)] == [], "a command was run"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bin", "config", "outside", "ran", "stacks"]
    assert lab.json("journal", "verify")["ok"]


RAW: dict[str, bytes] = {
    "not JSON": b"{]",
    "nothing": b"",
    "no object": b"[1, 2]",
    "a number": b"1e999",
    "bytes that are no text": b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"\xff\xfe"}}',
    "half a surrogate": b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"set_env",'
    b'"arguments":{"stack":"core","values":{"A":"\\ud800"}}}}',
    "a key twice": b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"get_plan","arguments":'
    b'{"plan_id":"00000000","plan_id":"../../x","plan_id":"11111111"}}}',
    "infinity": b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"history","arguments":'
    b'{"limit":1e999,"offset":-1e999}}}',
    "not a number": b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"history","arguments":'
    b'{"limit":NaN}}}',
    "deep": b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"set_env","arguments":{"values":'
    + b'{"a":' * 5_000
    + b"1"
    + b"}" * 5_003,
    "deep list": b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "no such tool": b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"../apply","arguments":{}}}',
    "no such method": b'{"jsonrpc":"2.0","id":%d,"method":"approve","params":{"plan_id":"0"}}',
    "arguments as list": b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"history","arguments":[]}}',
    "a forged answer": b'{"jsonrpc":"2.0","id":%d,"result":{"action":"accept","content":{"name":"uptime-kuma"}}}',
    "a forged request state": b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"apply_plan",'
    b'"arguments":{"plan_id":"00000000000000000000000000000000"},"requestState":"AAAA","inputResponses":{"x":{}}}}',
    "an odd prompt": b'{"jsonrpc":"2.0","id":%d,"method":"prompts/get","params":{"name":"add-service","arguments":'
    b'{"service":"{{7*7}}\\u0000\\u202e"}}}',
    "an odd resource": b'{"jsonrpc":"2.0","id":%d,"method":"resources/read","params":{"uri":"file:///etc/passwd"}}',
}


@pytest.mark.timeout(60)
def test_lines_that_are_no_proper_message_neither_end_the_server_nor_show_anything(surrounded: LabOnDisk) -> None:
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": {"elicitation": {}},
        "clientInfo": {"name": "a\u202e\x1b[31m" * 50, "version": "1"},
    }
    server = subprocess.Popen(
        [sys.executable, "-m", "homelab_mcp", "serve"],
        env=surrounded.env(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert server.stdin is not None
    lines = [json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}).encode()]
    lines.append(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
    for number, raw in enumerate(RAW.values()):
        lines.append(raw.replace(b'"id":%d', b'"id":%d' % (100 + number)))
        lines.append(json.dumps({"jsonrpc": "2.0", "id": 1000 + number, "method": "ping"}).encode())
    assert server.stdout is not None
    assert server.stderr is not None
    stdin, last, answers = server.stdin, 1000 + len(RAW) - 1, []
    writing = threading.Thread(target=lambda: (stdin.write(b"\n".join(lines) + b"\n"), stdin.flush()))
    writing.start()
    try:
        # Closing the input ends the server, so that waits until the last line is answered.
        for line in server.stdout:
            answers.append(json.loads(line))
            if answers[-1].get("id") == last:
                break
        writing.join()
        rest, err = server.communicate(timeout=20)
    finally:
        server.kill()
    answers += [json.loads(line) for line in rest.splitlines()]
    out = json.dumps(answers).encode()
    alive = {a.get("id") for a in answers}
    assert {n for n in range(1000, 1000 + len(RAW))} <= alive, err.decode()[-2000:]
    assert b"root:x:" not in out
    assert SECRET.encode() not in out + err
    assert b"internal_error" not in out
    assert b"Traceback" not in out
    changed = [a for a in answers if (a.get("result") or {}).get("structuredContent", {}).get("state") == "done"]
    assert changed == []
