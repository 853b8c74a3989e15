"""Applies with real containers, killed at random moments and at every named point: always before or after."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testbed import LocalImage, Scratch
from tests.docker.crash_rig import NOT_BEGUN, WORKER_SECONDS, CrashRig, kill_all

WAYS = ("call", "call", "call", "recover", "worker")
STATES = ("done", "rolled_back", "queued", "approved")
SHORT_RANDOM, SHORT_POINTS = 5, 3


@pytest.fixture
def rig(tmp_path: Path, testbed_run: Scratch, stand_in: Callable[..., LocalImage]) -> Iterator[CrashRig]:
    # A run's names are used once, so that one test's leftovers can be no other's.
    with Scratch() as scratch:
        made = CrashRig(tmp_path / "lab", scratch, stand_in)
        yield made
        for stack in (made.front, made.back):
            made.lab.compose.down(stack)
        made.lab.engine.remove_network(made.network)


def measured(rig: CrashRig) -> float:
    """How long an apply takes, in seconds: the longer of the two directions."""
    lengths = []
    for _ in range(2):
        plan = rig.plan()
        begun = time.monotonic()
        rig.finish(plan)
        lengths.append(time.monotonic() - begun)
        rig.rest()
    return max(lengths)


def points_of_next(rig: CrashRig) -> list[str]:
    """Every point of the next apply, which is done afterwards."""
    log = rig.root.parent / "points"
    log.unlink(missing_ok=True)
    plan = rig.plan()
    assert rig.worker(plan, HOMELAB_POINTS=str(log)).wait(timeout=WORKER_SECONDS) == 0, rig.lab.plans.status(plan.id)
    rig.side = 1 - rig.side
    rig.rest()
    return log.read_text().splitlines()


def kill_at_random(rig: CrashRig, times: int, chance: random.Random) -> Counter[str]:
    """That many kills, and how they and the applies between that were over too soon ended."""
    ended: Counter[str] = Counter()
    length = measured(rig)
    print(f"an apply takes {length:.1f} s")
    while ended["killed"] < times:
        plan, files = rig.plan(), rig.files()
        moment = chance.uniform(0.0, length)
        whole = chance.random() < 0.5
        way = chance.choice(WAYS)
        begun = time.monotonic()
        child = rig.worker(plan)
        try:
            child.wait(timeout=moment)
            # The machine is less busy by now; the next moments are to be within an apply again.
            length = time.monotonic() - begun
            ended["over before the kill"] += 1
        except subprocess.TimeoutExpired:
            if whole:
                kill_all(child)
            else:
                os.kill(child.pid, signal.SIGKILL)
                child.wait()
            ended["killed"] += 1
        status = rig.lab.plans.status(plan.id)
        if status.state in NOT_BEGUN:
            # It is busier: else all moments would come to be before the first change.
            length *= 1.1
        step = status.step or str(status.state)
        rig.put_right(plan, way)
        ended[f"killed at: {step.partition(' ')[0]}"] += 1
        ended[rig.judge(plan, files, (ended["killed"], moment, step, way, whole))] += 1
        rig.rest()
        if sum(ended[state] for state in STATES) % 20 == 0:
            print(dict(ended), f"{length:.1f} s", flush=True)
    return ended


def kill_at_points(rig: CrashRig, chosen: Callable[[list[str]], list[str]], chance: random.Random) -> Counter[str]:
    ended: Counter[str] = Counter()
    first = rig.side
    both = {first: points_of_next(rig), 1 - first: points_of_next(rig)}
    for side, points in both.items():
        for point in chosen(points):
            if rig.side != side:
                rig.finish(rig.plan())
                rig.rest()
            plan, files = rig.plan(), rig.files()
            way = chance.choice(WAYS)
            child = rig.worker(plan, HOMELAB_AT=point, HOMELAB_THEN="die")
            assert child.wait(timeout=WORKER_SECONDS) == -signal.SIGKILL, (side, point, "was not reached")
            rig.put_right(plan, way)
            ended[rig.judge(plan, files, (side, point, way))] += 1
            rig.rest()
    ended["points"] = sum(len(points) for points in both.values())
    return ended


def volume_is_there(rig: CrashRig) -> bool:
    said = subprocess.run(["docker", "volume", "ls", "-q"], capture_output=True, text=True, check=True).stdout
    return f"{rig.front}_data" in said.split()


@pytest.mark.timeout(480)
def test_an_apply_killed_at_some_random_moments_and_points_recovers_to_before_or_after(rig: CrashRig) -> None:
    chance = random.Random()
    ended = kill_at_random(rig, SHORT_RANDOM, chance)
    ended += kill_at_points(rig, lambda points: chance.sample(points, SHORT_POINTS), chance)
    assert sum(ended[state] for state in STATES) >= SHORT_RANDOM, ended
    assert volume_is_there(rig)


@pytest.mark.nightly
@pytest.mark.timeout(5400)
def test_an_apply_killed_at_200_random_moments_recovers_to_before_or_after(rig: CrashRig) -> None:
    seed = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"seed {seed}")
    begun = time.monotonic()
    kills = int(os.environ.get("KILLS") or 200)
    ended = kill_at_random(rig, kills, random.Random(seed))
    print(dict(ended), f"{time.monotonic() - begun:.0f} s")
    assert ended["killed"] == kills
    assert ended["rolled_back"] >= kills // 4, ended
    assert volume_is_there(rig)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_an_apply_killed_before_and_after_every_step_recovers_to_before_or_after(rig: CrashRig) -> None:
    begun = time.monotonic()
    # "2/6": every sixth point from the second on, for a run in pieces.
    part, parts = (int(n) for n in (os.environ.get("POINTS") or "1/1").split("/"))
    chosen: list[str] = []

    def some(points: list[str]) -> list[str]:
        mine = points[part - 1 :: parts]
        chosen.extend(mine)
        return mine

    ended = kill_at_points(rig, some, random.Random(1))
    print(dict(ended), f"part {part} of {parts}", f"{time.monotonic() - begun:.0f} s")
    assert sum(ended[state] for state in STATES) == len(chosen)
    assert ended["done"] >= (2 if parts == 1 else 0)
    assert volume_is_there(rig)
