"""A day's traffic in one go, over HTTP, and what the server keeps of it.

The day has 2,880 half minutes. In each, a client that stays connected all day asks one thing: eleven kinds of reads by
turns, and what is searched for or checked never comes twice. Each quarter of an hour another client comes, lists the
tools, looks at the status and leaves: of the two versions of the protocol by turns, and three times a day without a
word, which leaves its session to the server. Each hour such a visitor plans a service and its person says no, and a
person edits a compose file.

The floor is the same server after the first tenth, when all is imported. What it keeps of files and texts it has read,
a fixed number of each kind, fills for some days, which the bound on memory leaves room for. Time is not simulated: what
depends on the clock (sessions and tokens that expire, samples every five minutes) is not in it, nor are applies, which
need an engine.

Run: ``python -m bench.soak [HALF MINUTES]``.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitResult

from bench.http_clients import served, tokens_of
from bench.lines import Line, show
from bench.validate import lab, stack
from homelab_mcp.bootstrap import open_lab
from homelab_mcp.workflow.assembly import approvals
from homelab_mcp.workflow.init_lab import init_lab
from testbed import free_port

DAY = 2_880
PIN = "27182818"
QUARTER, HOUR, THIRD = 30, 120, 960
"""Half minutes between two visitors, two plans, and two visitors who leave without a word."""

IDLE = 6.0
"""Seconds after which server and client have closed a connection that nobody uses; uvicorn's is 5."""

Read = tuple[str, dict[str, Any]]


def read(number: int) -> Read:
    """The tool and the arguments of a read; ``resource`` is no tool."""
    kinds: tuple[Read, ...] = (
        ("lab_status", {}),
        ("lab_status", {"stack": f"s{number % 5}"}),
        ("search_catalog", {"query": f"photos {number}"}),
        ("validate_compose", {"content": [stack(0, number, 2).text]}),
        ("validate_compose", {"stack": f"s{number % 5}"}),
        ("service_details", {"service": f"app{number % 20}"}),
        ("get_env", {}),
        ("audit", {"what": "security"}),
        ("history", {}),
        ("show_platform", {"part": "sign_on"}),
        ("resource", {}),
    )
    return kinds[number % len(kinds)]


class Day:
    """The traffic of a day, counted.

    Args:
        url: the server's.
        token: what it takes.
        root: the lab's folder.
    """

    def __init__(self, url: str, token: str, root: Path) -> None:
        self._url, self._token, self._root = url, token, root
        self.asked: Counter[str] = Counter()

    @asynccontextmanager
    async def client(
        self, mode: Literal["auto", "legacy"] = "auto", *, says_goodbye: bool = True
    ) -> AsyncIterator[Client]:
        """One that is connected, whose person says no, and which keeps no answer for itself."""

        async def person(context: Any, params: Any) -> ElicitResult:
            self.asked["a person's no in the dialog"] += 1
            return ElicitResult(action="decline")

        headers = {"Authorization": f"Bearer {self._token}"}
        async with httpx2.AsyncClient(headers=headers, timeout=120) as http:
            transport = streamable_http_client(self._url, http_client=http, terminate_on_close=says_goodbye)
            async with Client(transport, mode=mode, cache=None, elicitation_callback=person) as client:
                self.asked["a client comes"] += 1
                yield client

    async def call(self, client: Client, tool: str, arguments: dict[str, Any], refused: str = "") -> dict[str, Any]:
        """One call; RuntimeError where it was refused and ought not, or the other way round."""
        answer = await client.call_tool(tool, arguments)
        said = "".join(getattr(block, "text", "") for block in answer.content)
        if answer.is_error != bool(refused) or refused not in said:
            raise RuntimeError(f"{tool}: {said}")
        self.asked[tool] += 1
        return dict(answer.structured_content or {})

    def decline(self, plan_id: str) -> None:
        """What `homelab-mcp approve --decline` does, in another process than the server's."""
        desk = approvals(open_lab(str(self._root), files_only=True))
        desk.out_of_band(plan_id, PIN, who="a person", approved=False)
        self.asked["a person's no with the PIN"] += 1

    async def half_minute(self, resident: Client, number: int) -> None:
        """What happens in it."""
        tool, arguments = read(number)
        if tool == "resource":
            await resident.read_resource("homelab://inventory")
            self.asked["resource homelab://inventory"] += 1
        else:
            await self.call(resident, tool, arguments)
        if number % HOUR == HOUR // 2:
            each = lab(5, 4)[number // HOUR % 5]
            (self._root / each.file).write_text(each.text + f"# edited: {number}\n", encoding="utf-8")
            self.asked["an edit by hand"] += 1
        if number % QUARTER == 0:
            await self.visit(number)

    async def visit(self, number: int) -> None:
        """A client that comes, looks, and leaves."""
        silent = number % THIRD == 0
        old = silent or number // QUARTER % 2 == 1
        async with self.client("legacy" if old else "auto", says_goodbye=not silent) as client:
            await client.list_tools()
            self.asked["tools/list"] += 1
            await self.call(client, "lab_status", {})
            if number % HOUR == 0:
                plan = await self.call(client, "add_service", {"service": "jellyfin", "stack": f"new{number}"})
                await self.call(client, "apply_plan", {"plan_id": plan["plan_id"]}, refused="plan_not_approved")
                await asyncio.to_thread(self.decline, plan["plan_id"])
                seen = await self.call(client, "get_plan", {"plan_id": plan["plan_id"]})
                if seen["state"] != "declined":
                    raise RuntimeError(f"a declined plan is {seen['state']}")


def kept(pid: int) -> tuple[float, int]:
    """MB of memory that process has, and how many handles, once it has closed those of who left.

    RuntimeError where it has children: nothing of this day leaves a program at work.
    """
    handles: list[int] = []
    while len(handles) < 10 or len(set(handles[-10:])) > 1:
        time.sleep(0.2)
        handles.append(len(list(Path(f"/proc/{pid}/fd").iterdir())))
    children = [pid for task in Path(f"/proc/{pid}/task").iterdir() for pid in (task / "children").read_text().split()]
    if children:
        raise RuntimeError(f"the server has {len(children)} programs at work")
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(resident.split()[1]) / 1024, handles[-1]


async def live(day: Day, pid: int, half_minutes: int) -> dict[int, tuple[float, int]]:
    """Let the day pass; what the server has after a tenth of it, and at its end."""
    seen = {}
    async with day.client() as resident:
        for number in range(half_minutes):
            await day.half_minute(resident, number)
            if number + 1 in (half_minutes // 10, half_minutes):
                await asyncio.sleep(IDLE)
                seen[number + 1] = await asyncio.to_thread(kept, pid)
    return seen


def main(half_minutes: int) -> None:
    """Let a day pass, and look at the server after a tenth and at the end."""
    os.environ.pop("HOMELAB_APPROVER_FILE", None)  # a person's own, which this lab is not to use
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        for each in lab(5, 4):
            (root / each.name).mkdir()
            (root / each.file).write_text(each.text, encoding="utf-8")
        init_lab(open_lab(str(root), files_only=True), {"domain": "example.org"}, PIN)
        port = free_port()
        argv = [sys.executable, "-m", "homelab_mcp", "--root", str(root), "--files-only"]
        argv += ["serve", "--http", f"127.0.0.1:{port}", "--rate", "0", "--toolsets", "all"]
        (token,) = tokens_of(root, 1, "--scope", "read,plan,apply")
        with served(argv, port) as server:
            day = Day(server.url, token, root)
            seen = asyncio.run(live(day, server.pid, half_minutes))
    first, last = seen[half_minutes // 10], seen[half_minutes]
    what, floor = f"after a day's traffic, {half_minutes:,} half minutes", "after a tenth of it"
    show(Line(f"memory {what}", floor, last[0], first[0], "MB", bound=1.1))
    show(Line(f"open handles {what}", floor, last[1], first[1], "handles", bound=1.0))
    print("; ".join(f"{kind} {count:,}" for kind, count in sorted(day.asked.items())))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else DAY)
