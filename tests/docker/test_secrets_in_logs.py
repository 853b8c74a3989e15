"""Containers that print secrets, in every encoding and by the hundred megabytes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from homelab_mcp.adapters.compose_cli import ComposeCli
from homelab_mcp.bootstrap import LocalLab, open_lab
from homelab_mcp.core.env_file import quote
from homelab_mcp.queries.read_logs import logs_of
from testbed import LocalImage, Scratch
from testbed.docker_engine import wait_until
from tests.canaries import Hunt, make
from tests.unit.core.test_redact_known import WAYS

IMAGE = "homelab-tests/secrets:1"
VALUES = make(60)
ENGINE_ONLY = "Only-In-The-Engine-7"
FLOOD_MB = 100
COMPOSE = f"""\
services:
  leaky:
    image: {IMAGE}
    entrypoint: [/bin/sh, -c, 'cat /out/*.txt; echo "and $$APP_TOKEN"; echo end-of-leaks; exec sleep 1000']
    stop_signal: KILL
    environment: {{APP_TOKEN: {ENGINE_ONLY}}}
    volumes: ["./out:/out:ro"]
  flood:
    image: {IMAGE}
    entrypoint: [/bin/sh, -c, 'yes "{"flood of words " * 12}" | head -c {FLOOD_MB}000000; echo; echo end-of-flood; exec sleep 1000']
    stop_signal: KILL
"""  # noqa: E501


@pytest.fixture(scope="module")
def lab(
    testbed_run: Scratch, stand_in: Callable[..., LocalImage], tmp_path_factory: pytest.TempPathFactory
) -> tuple[LocalLab, str]:
    stand_in(IMAGE)
    root = tmp_path_factory.mktemp("lab")
    stack = testbed_run.claim_project(testbed_run.name("leaks"))
    (root / stack / "out").mkdir(parents=True)
    (root / stack / "compose.yaml").write_text(COMPOSE)
    (root / stack / ".env").write_text("".join(f"{n}={quote(v)}\n" for n, v in VALUES.items()))
    for number, (way, told) in enumerate(WAYS.items()):
        text = "".join(f"{way}: {told(value)} .\n" for value in VALUES.values())
        (root / stack / "out" / f"{number:02}.txt").write_text(text)
    return open_lab(str(root)), stack


def pages(lab: LocalLab, stack: str) -> list[str]:
    """Every line of the log, page by page, each page the newest first."""
    found: list[str] = []
    cursor = ""
    while True:
        page = logs_of(lab, ["leaky"], stack, tail=1000, cursor=cursor)
        found = [*page["lines"], *found]
        cursor = page.get("next_cursor") or ""
        if not cursor:
            return found


def test_what_a_container_prints_is_masked_in_every_encoding(lab: tuple[LocalLab, str]) -> None:
    here, stack = lab
    ComposeCli(here.root).up(stack, ["leaky"])
    wait_until(lambda: "end-of-leaks" in str(logs_of(here, ["leaky"], stack, tail=1)["lines"]), "the log's end")
    lines = pages(here, stack)
    hunt = Hunt({**VALUES, "engine": ENGINE_ONLY})
    hunt.look("logs", "\n".join(lines))
    # As a reader would put together what was broken into lines.
    hunt.look("logs, joined", "".join(line.split(" ", 2)[-1] for line in lines))
    told = "\n".join(lines)
    assert [way for way in WAYS if f"leaky {way}: " not in told] == [], "a way is missing, so it was not tried"
    counted = [int(line.rsplit("(x", 1)[1][:-1]) if line.endswith(")") and "(x" in line else 1 for line in lines]
    assert sum(n for n, line in zip(counted, lines, strict=True) if "[redacted]" in line) > 900
    assert lines[-1].endswith("leaky end-of-leaks")
    assert not hunt.found, "\n".join(hunt.found[:10])
    searched = logs_of(here, ["leaky"], stack, grep="only-in-the|Only-In", tail=10)
    assert searched["lines"] == [], "a pattern must not ask for a secret"


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_flood_costs_little_memory_and_time(lab: tuple[LocalLab, str]) -> None:
    here, stack = lab
    ComposeCli(here.root).up(stack, ["flood"])
    wait_until(
        lambda: "end-of-flood" in str(logs_of(here, ["flood"], stack, tail=1)["lines"]), "the flood's end", within=200
    )
    code = (
        "import re, sys, time\n"
        "from homelab_mcp.bootstrap import open_lab\n"
        "from homelab_mcp.queries.read_logs import logs_of\n"
        "lab = open_lab(sys.argv[1]); spent = []\n"
        "for more in ({}, {'tail': 1000}, {'grep': 'nowhere'}):\n"
        "    begun = time.monotonic(); logs_of(lab, ['flood'], sys.argv[2], **more)\n"
        "    spent.append(time.monotonic() - begun)\n"
        # Not getrusage: its peak is that of the process which started this one, where that was larger.
        "peak = re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())\n"
        "print(*spent, int(peak[1]) / 1024)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, here.root, stack], capture_output=True, text=True, check=True, timeout=120
    )
    plain, most, searched, megabytes = map(float, done.stdout.split())
    begun = time.monotonic()
    piped = f"docker logs {stack}-flood-1 2>&1 | grep -c nowhere"
    counted = subprocess.run(["sh", "-c", piped], capture_output=True, text=True, check=False, timeout=120)
    assert counted.stdout == "0\n", counted
    floor = time.monotonic() - begun
    print(
        f"{FLOOD_MB} MB of log: {plain:.2f} s, 1000 lines {most:.2f} s, searched {searched:.2f} s, "
        f"docker logs | grep {floor:.2f} s, {megabytes:.0f} MiB"
    )
    assert megabytes < 100
    # As ratios, as machines differ; bench/logs.py measures closer.
    assert max(plain, most) < floor, "the end of a log is not found by reading all of it"
    assert searched < 3 * floor
