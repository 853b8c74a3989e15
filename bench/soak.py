"""A day's traffic in one go: 2,880 reads (one each 30 seconds of a day) of one server, and what it keeps of them.

The floor is the same server after the first tenth, when all is imported and every cache is full. Time is not
simulated: what depends on the clock (tokens that expire, samples every five minutes) is not in it.

Run: ``python -m bench.soak [CALLS]``.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from mcp import Client, StdioServerParameters

from bench.lines import Line, show
from bench.validate import lab, stack

DAY = 2_880


def child() -> int:
    """The server, which is this process's only child."""
    found = [int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    (only,) = found
    return only


def kept(pid: int) -> tuple[float, int]:
    """MB of memory that process has, and how many handles."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(resident.split()[1]) / 1024, len(list(Path(f"/proc/{pid}/fd").iterdir()))


def question(number: int) -> tuple[str, dict[str, Any]]:
    """The tool and the arguments of a call; the texts never come twice."""
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("lab_status", {}),
        ("search_catalog", {"query": f"photos {number}"}),
        ("validate_compose", {"content": [stack(0, number, 2).text]}),
        ("validate_compose", {"stack": "s0"}),
    )
    return kinds[number % len(kinds)]


async def main(calls: int) -> None:
    """Ask, and look at the server after a tenth and at the end."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        for each in lab(5, 4):
            (root / each.name).mkdir()
            (root / each.file).write_text(each.text, encoding="utf-8")
        (root / "homelab.yaml").write_text("domain: example.org\n", encoding="utf-8")
        argv = ["-m", "homelab_mcp", "--root", str(root), "--files-only", "serve"]
        async with Client(StdioServerParameters(command=sys.executable, args=argv)) as client:
            pid = child()
            seen = {}
            for number in range(calls):
                tool, arguments = question(number)
                answer = await client.call_tool(tool, arguments)
                if answer.is_error:
                    raise RuntimeError(f"{tool} refused: {answer.content}")
                if number + 1 in (calls // 10, calls):
                    seen[number + 1] = kept(pid)
    first, last = seen[calls // 10], seen[calls]
    tenth = "after a tenth of them"
    show(Line(f"memory after {calls:,} reads", tenth, last[0], first[0], "MB", bound=1.1))
    show(Line(f"open handles after {calls:,} reads", tenth, last[1], first[1], "handles", bound=1.0))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else DAY))
