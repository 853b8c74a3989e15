"""Real clients that plan and apply on one lab at once, with real containers: no update is lost, none interleaves."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.core import env_file
from testbed import LocalImage, Scratch
from tests.e2e.server import LabOnDisk, call, connected, data, types_the_name, words

CLIENTS = 8
SHORT = 3
REFUSALS = ("plan_stale", "lab_locked", "plan_used")
AT_WORK = {"queued", "applying"}


class Rounds:
    """A stack with one service per client, each of which shows its client's variable of the one ``.env``."""

    def __init__(self, root: Path, scratch: Scratch, image: str, clients: int) -> None:
        self.clients = clients
        self.stack = scratch.claim_project(f"rounds-{scratch.run_id}")
        self.disk, self.lab = LabOnDisk(root), LocalLab(str(root))
        folder = root / self.stack
        folder.mkdir(parents=True)
        (root / "homelab.yaml").write_text("domain: lab.test\n")
        services = "".join(
            f"  c{n}:\n    image: {image}\n    restart: unless-stopped\n    stop_grace_period: 1s\n"
            f"    environment: ['ROUND=${{N{n}}}']\n"
            "    healthcheck: {test: ['CMD', 'true'], interval: 300ms, retries: 3}\n"
            for n in range(self.clients)
        )
        (folder / "compose.yaml").write_text(f"services:\n{services}")
        (folder / ".env").write_text("".join(f"N{n}='0'\n" for n in range(self.clients)))
        self.lab.history.ensure()
        self.lab.compose.up(self.stack, ())
        self.seen: Counter[str] = Counter()

    def values(self) -> dict[str, str]:
        return dict(env_file.parse((Path(self.lab.root) / self.stack / ".env").read_text()))

    async def client(self, number: int, rounds: int) -> None:
        """Counts its own variable up, each time by a plan of its own, as often as it takes."""
        async with connected(self.disk, "auto", types_the_name) as server:
            for turn in range(1, rounds + 1):
                while not await self.tried(server, number, turn):
                    # Plans that all the others make meanwhile cost two processors more than the one that gets through.
                    await asyncio.sleep(random.uniform(0.5, 1.2 * self.clients))
                assert self.values()[f"N{number}"] == str(turn), "somebody took it back"

    async def tried(self, server: object, number: int, turn: int) -> bool:
        made = await call(server, "set_env", stack=self.stack, values={f"N{number}": str(turn)})  # type: ignore[arg-type]
        if made.is_error:
            # The file moved while the plan was being made from it.
            assert any(code in words(made) for code in REFUSALS), words(made)
            self.seen["moved while planning"] += 1
            return False
        return await self.ended(server, data(made)["plan_id"])

    async def ended(self, server: object, plan: str) -> bool:
        """Whether that plan got through."""
        applied = await call(server, "apply_plan", plan_id=plan)  # type: ignore[arg-type]
        if applied.is_error:
            assert any(code in words(applied) for code in REFUSALS), words(applied)
            self.seen["stale at apply"] += 1
            return False
        end = data(applied)
        while end["state"] in AT_WORK:
            end = data(await call(server, "get_plan", plan_id=plan, wait=20))  # type: ignore[arg-type]
        if end["state"] == "done":
            self.seen["done"] += 1
            if self.seen["done"] % 20 == 0:
                print(dict(self.seen), flush=True)
            return True
        if end["state"] == "approved":
            # Another's apply was at work; the same plan may be asked for again.
            await asyncio.sleep(random.uniform(0.2, 1.0))
            self.seen["asked again"] += 1
            return await self.ended(server, plan)
        assert end["state"] in {"expired", "pending"}, end
        self.seen[f"not begun: {end['state']}"] += 1
        return False

    async def play(self, rounds: int) -> None:
        begun = time.monotonic()
        await asyncio.gather(*(self.client(n, rounds) for n in range(self.clients)))
        print(dict(self.seen), f"{time.monotonic() - begun:.0f} s")
        self.judge(rounds)

    def judge(self, rounds: int) -> None:
        assert self.values() == {f"N{n}": str(rounds) for n in range(self.clients)}, "an update was lost"
        entries = self.lab.journal.entries()
        work = [
            (e["event"], e["data"]["plan"]) for e in entries if e["event"].startswith(("apply_", "roll", "recover"))
        ]
        assert len(work) == 2 * self.clients * rounds, self.seen
        for begin, end in zip(work[::2], work[1::2], strict=True):
            assert (begin[0], end) == ("apply_begin", ("apply_done", begin[1])), "two applies were interleaved"
        assert len({plan for _, plan in work}) == self.clients * rounds, "a plan was applied twice"
        assert self.lab.journal.verify() == ""
        folder = Path(self.lab.root) / self.stack
        said = subprocess.run(
            ["docker", "compose", "config", "--hash", "*"], cwd=folder, capture_output=True, text=True, check=True
        )
        found = self.lab.engine.containers(self.stack)
        assert {c.service: c.config_hash for c in found} == dict(line.split() for line in said.stdout.splitlines())
        assert {c.state for c in found} == {"running"}
        for one in found:
            raw = subprocess.run(
                ["docker", "inspect", "--format", "{{json .Config.Env}}", one.id], capture_output=True, check=True
            )
            assert f"ROUND={rounds}" in json.loads(raw.stdout), one.name


@pytest.fixture
def lab(
    request: pytest.FixtureRequest, tmp_path: Path, testbed_run: Scratch, stand_in: Callable[..., LocalImage]
) -> Iterator[Rounds]:
    with Scratch() as scratch:
        image = stand_in(f"homelab-testbed/rounds:{scratch.run_id}", service="web", ports=[80]).reference
        made = Rounds(tmp_path / "lab", scratch, image, request.param)
        yield made
        made.lab.compose.down(made.stack)


@pytest.mark.parametrize("lab", [SHORT], indirect=True)
@pytest.mark.timeout(240)
async def test_clients_plan_and_apply_at_once_and_no_update_is_lost(lab: Rounds) -> None:
    await lab.play(1)


@pytest.mark.nightly
@pytest.mark.parametrize("lab", [CLIENTS], indirect=True)
@pytest.mark.timeout(7200)
async def test_eight_clients_with_fifty_rounds_each_lose_no_update(lab: Rounds) -> None:
    await lab.play(int(os.environ.get("ROUNDS") or 50))
