"""A warm ``validate_compose`` call on a stack of ten services, against a hello-world tool on the same SDK, over stdio.

Run: ``.venv/bin/python -m bench.validate_call [CALLS]``. Prints medians; the aim is hello plus 15 ms at most.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters

from bench.start import BARE
from bench.validate import lab

AIM = 0.015
"""Seconds beyond hello world."""


async def calls(client: Client, tool: str, arguments: dict[str, Any], times: int) -> list[float]:
    """Seconds of each call."""
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        answer = await client.call_tool(tool, arguments)
        seconds.append(time.perf_counter() - begun)
        if answer.is_error:
            raise RuntimeError(f"{tool} refused: {answer.content}")
    return seconds


async def main(times: int) -> None:
    """Take turns, so that a noisy machine slows both alike."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "lab")
        text = lab(1, 10)[0].text
        Path(root, "ten").mkdir(parents=True)
        Path(root, "ten", "compose.yaml").write_text(text, encoding="utf-8")
        bare = Path(folder, "bare.py")
        bare.write_text(BARE, encoding="utf-8")
        hello = StdioServerParameters(command=sys.executable, args=[str(bare)])
        ours = StdioServerParameters(command=sys.executable, args=["-m", "homelab_mcp", "--root", str(root), "serve"])
        asked: dict[str, tuple[str, dict[str, Any]]] = {
            "hello": ("hello", {"name": "x"}),
            "hello, given the text": ("hello", {"name": text}),
            "validate_compose, a stack": ("validate_compose", {"stack": "ten"}),
            "validate_compose, the text": ("validate_compose", {"content": [text]}),
        }
        seconds: dict[str, list[float]] = {name: [] for name in asked}
        async with Client(hello) as plain, Client(ours) as linter:
            for turn in range(11):
                for name, (tool, arguments) in asked.items():
                    spent = await calls(plain if tool == "hello" else linter, tool, arguments, times // 10)
                    if turn:  # the first round warms both
                        seconds[name] += spent
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        for name, value in medians.items():
            beyond = f"   {1000 * (value - medians['hello']):+.1f} ms" if name != "hello" else ""
            print(f"{name:28} {1000 * value:6.1f} ms{beyond}")
        print(f"aim: {1000 * AIM:+.0f} ms at most")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
