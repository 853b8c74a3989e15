"""A rare line in a large container log: this project's search beside ``docker logs | grep``, time and memory.

Both read the same log of the same engine, in turn, after one turn that warms. Of each the fastest turn counts: what
others do on the machine can only add. Processor time is told beside it, of the engine together with whoever asks it.
Memory is this process's peak over what it had before the first search. ``--mb`` says how large a log is made (default
1024), with lines of about 100 bytes.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.lines import Line, show
from homelab_mcp.adapters.compose_cli import ComposeCli
from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.model.observed import ContainerState
from homelab_mcp.queries.read_logs import LogQuestion, page_of
from testbed import Scratch, stand_in

IMAGE = "homelab-bench/logs:1"
LINE = "GET /api/v1/items?page=3 200 served in 12 ms to a client of the house, as usual, by worker"
WORD = "needle-in-the-stack"
BOUND = 1.5
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of one turn: by the clock, of the processor by the engine, and of the processor by who asks."""

    wall: float
    engine: float
    asker: float


def peak_mb() -> float:
    """This process's peak resident memory so far."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def engine_seconds() -> float:
    """Processor seconds of the engine so far; 0 where its process cannot be seen."""
    try:
        pid = Path("/var/run/docker.pid").read_text().strip()
        after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(after[11]) + int(after[12])) / _TICKS


def asker_seconds() -> float:
    """Processor seconds of this process and of its children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + used.ru_utime + used.ru_stime


def spent(call: Callable[[], None]) -> Spent:
    """What one call takes."""
    engine, asker, begun = engine_seconds(), asker_seconds(), time.monotonic()
    call()
    wall = time.monotonic() - begun
    return Spent(wall, engine_seconds() - engine, asker_seconds() - asker)


def made(folder: str, stack: str, megabytes: int) -> tuple[LocalLab, ContainerState]:
    """A lab with a container that wrote so much, and has ended."""
    count = megabytes * 1_000_000 // (len(LINE) + 11)
    where = count // 3
    flood = 'yes "{}" | head -n {}'
    script = f'{flood.format(LINE, where)}; echo "{WORD} here"; {flood.format(LINE, count - where)}'
    body = f"services:\n  big:\n    image: {IMAGE}\n    entrypoint: [/bin/sh, -c, '{script}']\n"
    (Path(folder) / stack).mkdir()
    (Path(folder) / stack / "compose.yaml").write_text(body)
    begun = time.monotonic()
    ComposeCli(folder).up(stack, ["big"])
    lab = open_lab(folder)
    container = lab.engine.containers(stack)[0]
    while lab.engine.inspect(container.id).state == "running":
        time.sleep(1)
    print(f"made {count} lines in {time.monotonic() - begun:.0f} s", flush=True)
    return lab, container


def main() -> None:
    """Make the log, search it both ways, print the figures, and take everything away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    stand_in(IMAGE)
    with Scratch() as run, tempfile.TemporaryDirectory() as folder:
        stack = run.claim_project(run.name("biglog"))
        lab, container = made(folder, stack, asked.mb)

        def grep() -> None:
            shell = f"docker logs {container.id} 2>&1 | grep -c {WORD}"
            assert subprocess.run(shell, shell=True, capture_output=True, text=True, check=True).stdout.strip() == "1"

        def ours() -> None:
            page = page_of(lab, LogQuestion(["big"], stack, grep=WORD, scan_seconds=600.0))
            assert len(page.lines) == 1, page

        page_of(lab, LogQuestion(["big"], stack))
        idle = peak_mb()
        turns: list[tuple[Spent, Spent]] = []
        for turn in range(asked.rounds + 1):
            pair = spent(grep), spent(ours)
            if turn:
                turns.append(pair)
            for name, one in zip(("docker logs | grep", "read_logs"), pair, strict=True):
                told = f"{one.wall:.1f} s, processor: engine {one.engine:.1f} s, {name} {one.asker:.1f} s"
                print(f"turn {turn}, {name}: {told}", flush=True)
        what, floor = f"read_logs, a rare line in {asked.mb:,} MB", "docker logs | grep"
        theirs, mine = min(p[0].wall for p in turns), min(p[1].wall for p in turns)
        show(Line(what, floor, mine, theirs, "s", BOUND))
        theirs, mine = (min(p[i].engine + p[i].asker for p in turns) for i in (0, 1))
        show(Line(f"{what}, processor time with the engine's", floor, mine, theirs, "s", BOUND))
        show(Line(f"{what}, memory over idle", "100 MB", peak_mb() - idle, 100.0, "MB", 1.0))


if __name__ == "__main__":
    main()
