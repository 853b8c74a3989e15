"""Server start, spawn to first tools/list answer, and memory then, against a bare server on the same SDK.

Run: ``.venv/bin/python -m bench.start [ROUNDS]``. Prints medians and the ratio; the aim is below that of the bare one.
"""

from __future__ import annotations

import asyncio
import json
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


async def measure(argv: list[str]) -> tuple[float, float, int]:
    """Seconds from spawn to the tools/list answer, the MB of memory it had by then, the answer's size in bytes."""
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
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        if not line:
            raise RuntimeError(f"{argv[0]} ended without an answer")
        if json.loads(line).get("id") == 2:
            break
    seconds = time.perf_counter() - begun
    memory = peak(process.pid)
    process.stdin.close()
    await process.wait()
    return seconds, memory, len(line)


async def main(rounds: int) -> None:
    """Take turns, so that a noisy machine slows both alike."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE, encoding="utf-8")
        ours = [sys.executable, "-m", "homelab_mcp", "--root", folder, "serve"]
        times: dict[str, list[float]] = {"bare": [], "ours": []}
        sizes: dict[str, list[float]] = {"bare": [], "ours": []}
        size = 0
        for turn in range(rounds + 1):
            for name, argv in (("bare", [sys.executable, str(bare)]), ("ours", ours)):
                seconds, memory, size = await measure(argv)
                if turn:  # the first round warms the file cache
                    times[name].append(seconds)
                    sizes[name].append(memory)
        medians = {name: statistics.median(values) for name, values in times.items()}
        memories = {name: statistics.median(values) for name, values in sizes.items()}
        bare_server = "bare server on the same SDK"
        show(Line("start to the first tools/list", bare_server, medians["ours"], medians["bare"], "s", bound=1.0))
        show(Line("memory at the first tools/list", bare_server, memories["ours"], memories["bare"], "MB"))
        print(f"tools/list {size} bytes")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
