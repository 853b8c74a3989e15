"""Server start, spawn to first tools/list answer, and memory then, against a bare server on the same SDK.

From its second start on ours answers that from what the first one answered. What this does not help is measured beside
it: the very first start, and the answer to a first call, for which the whole server is loaded.

Run: ``.venv/bin/python -m bench.start [ROUNDS]``. Prints medians and the ratio; the aim is below that of the bare one.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.lines import Line, show

BARE = """
from mcp.server import MCPServer
server = MCPServer("bare")
@server.tool()
def hello(name: str) -> str:
    "Say hello."
    return f"Hello {name}"
server.run("stdio")
"""


def requests() -> bytes:
    """Handshake and tools/list, as a 2025-11-25 client sends them."""
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
    messages = (
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}},
    )
    return b"".join(json.dumps(m).encode() + b"\n" for m in messages)


def call(tool: str, **arguments: str) -> bytes:
    """A call of that tool."""
    params = {"name": tool, "arguments": arguments}
    return json.dumps({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": params}).encode() + b"\n"


def peak(pid: int) -> float:
    """The most MB of memory that process has had."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(text for text in status.splitlines() if text.startswith("VmHWM:")).split()[1]) / 1024


def worked(pid: int) -> float:
    """Seconds of processor time that process has used."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Spent:
    """To an answer: seconds from the spawn, seconds of processor, MB of memory."""

    seconds: float
    work: float
    memory: float


async def measure(argv: list[str], asked: bytes, cache: Path) -> tuple[Spent, Spent, int]:
    """To the answers of tools/list and of a call; the size of the first, in bytes."""
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        limit=2**22,
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
    )
    assert process.stdin and process.stdout
    found: list[Spent] = []
    sizes: list[int] = []
    for number, message in ((2, requests()), (3, asked)):
        process.stdin.write(message)
        await process.stdin.drain()
        while True:
            line = await asyncio.wait_for(process.stdout.readline(), 120)
            if not line:
                raise RuntimeError(f"{argv[0]} ended without an answer")
            if json.loads(line).get("id") == number:
                break
        found.append(Spent(time.perf_counter() - begun, worked(process.pid), peak(process.pid)))
        sizes.append(len(line))
    process.stdin.close()
    await process.wait()
    return found[0], found[1], sizes[0]


async def main(rounds: int) -> None:
    """Take turns, so that a noisy machine slows all alike."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE, encoding="utf-8")
        ours = [sys.executable, "-m", "homelab_mcp", "--root", folder, "serve"]
        search = call("search_catalog", query="photos")
        listed: dict[str, list[Spent]] = {"bare": [], "ours": [], "anew": []}
        called: dict[str, list[Spent]] = {"bare": [], "ours": [], "anew": []}
        size = 0
        for turn in range(rounds + 1):
            for who, argv, asked, cache in (
                ("bare", [sys.executable, str(bare)], call("hello", name="you"), "kept"),
                ("ours", ours, search, "kept"),
                ("anew", ours, search, f"empty{turn}"),
            ):
                one, other, size = await measure(argv, asked, Path(folder) / cache)
                if turn:  # the first round warms the file cache, and keeps the answers
                    listed[who].append(one)
                    called[who].append(other)

    def line(what: str, who: str, found: dict[str, list[Spent]], field: str, bound: float = 0.0) -> None:
        us, them = (statistics.median(getattr(one, field) for one in found[name]) for name in (who, "bare"))
        unit = "MB" if field == "memory" else "s"
        show(Line(what, "bare server on the same SDK", us, them, unit, bound=bound))

    line("start to the first tools/list", "ours", listed, "seconds", 1.0)
    line("start, processor time", "ours", listed, "work")
    line("memory at the first tools/list", "ours", listed, "memory")
    line("start to the first call's answer", "ours", called, "seconds")
    line("start to the first call's answer, processor time", "ours", called, "work")
    line("memory at the first call's answer", "ours", called, "memory")
    line("first start of all to tools/list", "anew", listed, "seconds")
    line("first start of all, processor time", "anew", listed, "work")
    print(f"tools/list {size} bytes")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
