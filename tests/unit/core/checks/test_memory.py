"""A linter that lives for months keeps nothing of what it has read."""

from __future__ import annotations

import gc
import tracemalloc

from homelab_mcp.core.checks import LintStack, lint

WAYS = (
    "services:\n  web{n}:\n    image: nginx:1.{n}\n    ports: ['{n}:80']\n    labels:\n"
    "      traefik.http.routers.r{n}.rule: Host(`h{n}.example.org`)\n    environment: [A=${{V{n}:-x}}, B=${{W{n}}}]\n",
    "services:\n  web:\n    imgae{n}: x\n    restart: sometimes{n}\n",
    "services:\n  a{n}: [\n",
    "a{n}: 1\na{n}: 2\n3: x\n",
    "x0: &x0 [a, a, a, a]\nx1: &x1 [*x0, *x0, *x0]\nn: {n}\n",
    "x: &x [*x]\nn: {n}\n",
    "services:\n  b:\n    image: ${{IMAGE{n}:?say which}}\n    depends_on: [c{n}]\n    networks: [n{n}]\n",
)


def _run(first: int, calls: int) -> None:
    for n in range(first, first + calls):
        text = WAYS[n % len(WAYS)].format(n=n)
        assert lint([LintStack(f"s{n}", f"s{n}/compose.yaml", text, {f"V{n}": "y"})])


def test_three_hundred_texts_leave_nothing_behind() -> None:
    _run(0, 150)
    tracemalloc.start()
    try:
        _run(150, 50)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        _run(200, 300)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    # The findings of one text alone take more than 50 bytes each; 300 texts kept would be hundreds of kilobytes.
    assert grown < 30_000
