"""An apply of one changed service against ``docker compose up`` on the same file, both on the real engine.

Two lines: the apply of an approved plan, from its checks to the commit and the journal's end; and the same with the
plan before it (where Compose judges the file) and the approval, between which a person reads and nobody waits for
Docker. Ours is told to watch the container for no time at all, since the wait is what a person asks for and not
overhead. Both change the same line to a value that never came before. What neither line holds is the start of the
process that applies, which is the same for a plan of one service or of fifty.

Run: ``python -m bench.apply [ROUNDS]``. Needs Docker.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.lines import Line, show
from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.plan import (
    ActionKind,
    Draft,
    EngineAction,
    FileEdit,
    PlanState,
    Requester,
    Verification,
)
from homelab_mcp.workflow.assembly import applier, approvals, planner
from homelab_mcp.workflow.verifier import Patience
from testbed import Scratch, stand_in
from tests.unit.workflow.unjudged import unjudged

IMAGE = "homelab-bench/apply:1"


def text(number: int) -> str:
    """The compose file of that turn."""
    return (
        f"services:\n  web:\n    image: {IMAGE}\n    restart: unless-stopped\n    stop_grace_period: 1s\n"
        f"    environment: ['TURN={number}']\n"
    )


def ours(root: Path, stack: str, number: int) -> float:
    """Plan, approve and apply the change to that turn; when the apply began, by the performance counter."""
    lab = LocalLab(str(root))
    path = f"{stack}/compose.yaml"
    draft = Draft(
        operation="bench",
        summary="Change web.",
        edits=(FileEdit(path, lab.files.read(path), text(number)),),
        actions=(EngineAction(ActionKind.UP, "changed", stack, ("web",)),),
        verification=Verification(stack, ("web",)),
        target="web",
    )
    plans = planner(lab)
    plan = plans.make(draft, plans.snapshot(containers=True), Requester("cli"), unjudged)
    approvals(lab).dialog(plan, "web", "bench")
    begun = time.perf_counter()
    # Anew, as each apply has a process of its own: nothing is known of Docker yet.
    status = applier(LocalLab(str(root)), Patience(stable=0.0)).run(plan.id)
    if status.state is not PlanState.DONE:
        raise RuntimeError(f"{status.state}: {status.error}")
    return begun


def floor(root: Path, stack: str, number: int) -> float:
    """Write the file and let Compose do it; when that began."""
    begun = time.perf_counter()
    (root / stack / "compose.yaml").write_text(text(number), encoding="utf-8")
    argv = ["docker", "compose", "up", "--detach", "--no-build"]
    subprocess.run(argv, cwd=root / stack, capture_output=True, check=True)
    return begun


def main(rounds: int) -> None:
    """Take turns; the first of each warms."""
    stand_in(IMAGE)
    applies: list[float] = []
    wholes: list[float] = []
    floors: list[float] = []
    with tempfile.TemporaryDirectory() as name, Scratch() as run:
        root = Path(name).resolve()
        stack = run.claim_project(run.name("benchapply"))
        (root / stack).mkdir()
        (root / "homelab.yaml").write_text("domain: lab.test\n", encoding="utf-8")
        LocalLab(str(root)).history.ensure()
        floor(root, stack, 0)
        for turn in range(rounds + 1):
            begun = time.perf_counter()
            applied = ours(root, stack, 1 + 2 * turn)
            ended = time.perf_counter()
            left = floor(root, stack, 2 + 2 * turn)
            if turn:
                applies.append(ended - applied)
                wholes.append(ended - begun)
                floors.append(time.perf_counter() - left)
    one, whole, other = (statistics.median(times) for times in (applies, wholes, floors))
    show(Line("apply of one changed service", "docker compose up", one, other, "s", bound=1.15))
    show(Line("plan, approval and apply of one changed service", "docker compose up", whole, other, "s"))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
