"""50 clients at once over HTTP: the slowest answers to one read, against a bare server on the same SDK.

Ours is asked for ``lab_status`` of a lab of ten services from its files; the bare one says hello. All clients are in
one process, which costs both alike. Each server has the clients by turns.

Run: ``python -m bench.http_clients [CALLS]``; calls are of each client.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from bench.lines import Line, show
from bench.start import BARE
from bench.validate import lab
from testbed import free_port

CLIENTS = 50
TOKENS = 5
"""One token may have 32 requests at work; a household has several."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server process: where it answers, and its id."""

    url: str
    pid: int


@contextmanager
def served(argv: list[str], port: int) -> Iterator[Served]:
    """A server process that answers at this port."""
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if process.poll() is not None:
                raise RuntimeError(f"{argv} ended with {process.returncode}")
            try:
                httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=2)
                break
            except httpx2.TransportError:
                time.sleep(0.1)
        yield Served(f"http://127.0.0.1:{port}/mcp", process.pid)
    finally:
        process.terminate()
        process.wait(20)


async def asked(url: str, tokens: list[str], tool: str, arguments: dict[str, Any], calls: int) -> list[float]:
    """Seconds of every call of every client."""
    seconds: list[float] = []

    async def work(client: Client) -> None:
        for _ in range(calls):
            begun = time.perf_counter()
            answer = await client.call_tool(tool, arguments)
            seconds.append(time.perf_counter() - begun)
            if answer.is_error:
                raise RuntimeError(f"{tool} refused: {answer.content}")

    async with AsyncExitStack() as stack:
        clients = []
        for number in range(CLIENTS):
            headers = {"Authorization": f"Bearer {tokens[number % len(tokens)]}"} if tokens else {}
            http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=120))
            transport = streamable_http_client(url, http_client=http)
            clients.append(await stack.enter_async_context(Client(transport)))
        await asyncio.gather(*(work(client) for client in clients))
    return seconds


def tokens_of(root: Path, count: int = TOKENS, *options: str) -> list[str]:
    """Tokens that the server takes."""
    made = []
    for number in range(count):
        argv = [sys.executable, "-m", "homelab_mcp", "--root", str(root), "token", "create", f"bench{number}", "--json"]
        argv += options
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        made.append(str(json.loads(done.stdout)["token"]))
    return made


def percentile(seconds: list[float], part: float) -> float:
    """That part of the calls took at most this many milliseconds."""
    return 1000 * sorted(seconds)[min(int(part * len(seconds)), len(seconds) - 1)]


def main(calls: int) -> None:
    """Measure and show."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        root = folder / "lab"
        for each in lab(1, 10):
            (root / each.name).mkdir(parents=True)
            (root / each.file).write_text(each.text, encoding="utf-8")
        (root / "homelab.yaml").write_text("domain: example.org\n", encoding="utf-8")
        ports = (free_port(), free_port())
        bare = folder / "bare.py"
        over_http = BARE.replace('run("stdio")', f'run("streamable-http", host="127.0.0.1", port={ports[0]})')
        bare.write_text(over_http, encoding="utf-8")
        ours_argv = [sys.executable, "-m", "homelab_mcp", "--root", str(root), "--files-only"]
        ours_argv += ["serve", "--http", f"127.0.0.1:{ports[1]}", "--rate", "0"]
        tokens = tokens_of(root)
        spent: dict[str, list[float]] = {"bare": [], "ours": []}
        with served([sys.executable, str(bare)], ports[0]) as plain, served(ours_argv, ports[1]) as ours:
            for turn in range(3):
                one = asyncio.run(asked(plain.url, [], "hello", {"name": "x"}, calls))
                other = asyncio.run(asked(ours.url, tokens, "lab_status", {}, calls))
                if turn:  # the first warms both
                    spent["bare"] += one
                    spent["ours"] += other
    for name, part in (("median", 0.5), ("p99", 0.99)):
        values = {who: percentile(seconds, part) for who, seconds in spent.items()}
        what = f"{CLIENTS} HTTP clients at once, {name} of a read"
        show(Line(what, "hello of a bare SDK server", values["ours"], values["bare"]))
    print(f"{len(spent['ours'])} calls of each; mean {1000 * statistics.mean(spent['ours']):.0f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
