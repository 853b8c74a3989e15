"""Server start, spawn to first tools/list answer, and memory then, against a bare server on the same SDK.

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


def peak(pid: int) -> float:
    """The most MB of memory that process has had."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(text for text in status.splitlines() if text.startswith("VmHWM:")).split()[1]) / 1024


def worked(pid: int) -> float:
    """Seconds of processor time that process has used."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


async def measure(argv: list[str]) -> tuple[float, float, float, int]:
    """To the tools/list answer: seconds from spawn, seconds of processor, MB of memory; the answer's size in bytes."""
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        limit=2**22,
    )
    assert process.stdin and process.stdout
    process.stdin.write(requests())
    await process.stdin.drain()
    while True:
        line = await asyncio.wait_for(process.stdout.readline(), 120)
        if not line:
            raise RuntimeError(f"{argv[0]} ended without an answer")
        if json.loads(line).get("id") == 2:
            break
    seconds = time.perf_counter() - begun
    work, memory = worked(process.pid), peak(process.pid)
    process.stdin.close()
    await process.wait()
    return seconds, work, memory, len(line)


async def main(rounds: int) -> None:
    """Take turns, so that a noisy machine slows both alike."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE, encoding="utf-8")
        ours = [sys.executable, "-m", "homelab_mcp", "--root", folder, "serve"]
        found: dict[str, list[tuple[float, float, float]]] = {"bare": [], "ours": []}
        size = 0
        for turn in range(rounds + 1):
            for name, argv in (("bare", [sys.executable, str(bare)]), ("ours", ours)):
                *measured, size = await measure(argv)
                if turn:  # the first round warms the file cache
                    found[name].append((measured[0], measured[1], measured[2]))
        us, them = ([statistics.median(one) for one in zip(*found[who], strict=True)] for who in ("ours", "bare"))
        floor = "bare server on the same SDK"
        show(Line("start to the first tools/list", floor, us[0], them[0], "s", bound=1.0))
        show(Line("start, processor time", floor, us[1], them[1], "s"))
        show(Line("memory at the first tools/list", floor, us[2], them[2], "MB"))
        print(f"tools/list {size} bytes")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
