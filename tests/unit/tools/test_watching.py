"""The one task that looks at resources for all clients: no failure ends it."""

from __future__ import annotations

import asyncio
import logging

import pytest

from homelab_mcp.tools import watching
from homelab_mcp.tools.watching import Watcher


async def test_a_look_that_fails_is_logged_once_and_the_next_one_tells(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watching, "SECONDS", 0.001)
    looks = 0
    told = asyncio.Event()

    async def read(uri: str) -> bytes:
        nonlocal looks
        looks += 1
        if looks in (2, 3):
            raise KeyError("unforeseen")
        return b"changed" if looks > 3 else b"as it was"

    async def tell(uri: str) -> None:
        told.set()

    watcher = Watcher(read, tell)
    with caplog.at_level(logging.ERROR):
        await watcher.add(["homelab://journal"])
        await asyncio.wait_for(told.wait(), 60)
    watcher.remove(["homelab://journal"])
    assert [r.exc_info[0] for r in caplog.records if r.exc_info] == [KeyError]
