"""A rare line in a large container log: this project's search beside ``docker logs | grep``, time and memory.

Both read the same log of the same engine, in turn. Memory is this process's peak over what it had before the first
search. ``--mb`` says how large a log is made (default 1024), with lines of about 100 bytes.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from bench.lines import Line, show
from homelab_mcp.adapters.compose_cli import ComposeCli
from homelab_mcp.bootstrap import open_lab
from homelab_mcp.queries.read_logs import LogQuestion, page_of
from testbed import Scratch, stand_in

IMAGE = "homelab-bench/logs:1"
LINE = "GET /api/v1/items?page=3 200 served in 12 ms to a client of the house, as usual, by worker"
WORD = "needle-in-the-stack"


def peak_mb() -> float:
    """This process's peak resident memory so far."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def main() -> None:
    """Make the log, search it both ways, print the figures, and take everything away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    stand_in(IMAGE)
    with Scratch() as run, tempfile.TemporaryDirectory() as folder:
        stack = run.claim_project(run.name("biglog"))
        count = asked.mb * 1_000_000 // (len(LINE) + 11)
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
        print(f"made {count} lines in {time.monotonic() - begun:.0f} s")
        page_of(lab, LogQuestion(["big"], stack))
        idle = peak_mb()
        ours, theirs, cpu = [], [], []
        for _ in range(asked.rounds):
            begun = time.monotonic()
            shell = f"docker logs {container.id} 2>&1 | grep -c {WORD}"
            assert subprocess.run(shell, shell=True, capture_output=True, text=True, check=True).stdout.strip() == "1"
            theirs.append(time.monotonic() - begun)
            begun, used = time.monotonic(), time.process_time()
            page = page_of(lab, LogQuestion(["big"], stack, grep=WORD, scan_seconds=600.0))
            ours.append(time.monotonic() - begun)
            cpu.append(time.process_time() - used)
            assert len(page.lines) == 1, page
        one, other = statistics.median(ours), statistics.median(theirs)
        show(Line(f"read_logs, a rare line in {asked.mb} MB", "docker logs | grep", one, other, "s"))
        print(f"of a processor read_logs itself takes {statistics.median(cpu):.2f} s, the rest is the engine's")
        print(f"memory over idle {peak_mb() - idle:.0f} MB")


if __name__ == "__main__":
    main()
