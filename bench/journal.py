"""The journal and the history at 10,000 entries, against only reading the same files and parsing their JSON.

The plans are dated as if they were of 90 days, which is how long a server keeps them, and their folders with them.

Run: ``python -m bench.journal [ENTRIES]``.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from bench.lines import Line, in_turn, show
from homelab_mcp.adapters.journal import JsonlJournal
from homelab_mcp.adapters.plan_store import FilePlanStore
from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.plan import Draft, FileEdit, Plan, PlanState, PlanStatus, Requester, Risk
from homelab_mcp.queries.history import history
from homelab_mcp.server import KEEP_PLANS_SECONDS

PAGE = 20


def lines_of(folder: Path, pattern: str) -> int:
    """Every line of these files, parsed as JSON."""
    found = 0
    for path in folder.glob(pattern):
        with path.open(encoding="utf-8") as file:
            found += sum(1 for text in file if json.loads(text))
    return found


def texts_of(folder: Path) -> int:
    """Every plan's status and outline, parsed as JSON."""
    names = ("status.json", "plan.json")
    return sum(1 for one in folder.iterdir() for name in names if json.loads((one / name).read_text(encoding="utf-8")))


def made(number: int, when: float) -> Plan:
    """A plan like any other."""
    draft = Draft("add_service", f"Add service {number}.", (FileEdit("media/compose.yaml", "a: 1\n", "a: 2\n"),), ())
    return Plan(f"{number:032x}", draft, Risk.LOW, (), (), {}, Requester("cli"), when, when + 900, "digest")


def keep(plans: FilePlanStore, folder: Path, count: int) -> None:
    """Put that many applied plans on record, the last of them of now."""
    now = time.time()
    for number in range(count):
        when = now - (count - number) * KEEP_PLANS_SECONDS / count
        plan = made(number, when)
        plans.add(plan)
        plans.set_status(plan.id, PlanStatus(PlanState.DONE, updated=when))
        os.utime(folder / plan.id, (when, when))


def main(entries: int) -> None:
    """Write, then measure the reading."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        (root / "homelab.yaml").write_text("domain: example.org\n", encoding="utf-8")
        journal, plans = JsonlJournal(root), FilePlanStore(root)
        begun = time.perf_counter()
        for number in range(entries):
            journal.append("bench", {"plan": f"{number:032x}", "stack": "media", "why": "an entry like any other"})
        print(f"{entries:,} entries written in {time.perf_counter() - begun:.1f} s, each on disk before the next")
        folder = root / ".homelab"
        ours, floor = in_turn(journal.verify, lambda: lines_of(folder, "journal*.jsonl"), 5)
        show(Line(f"journal verify, {entries:,} entries", "reading and parsing them", ours, floor))
        ours, floor = in_turn(journal.entries, lambda: lines_of(folder, "journal*.jsonl"), 5)
        show(Line(f"journal read, {entries:,} entries", "reading and parsing them", ours, floor))
        keep(plans, folder / "plans", entries)
        lab = LocalLab(str(root), files_only=True)
        for name, offset in (("first", 0), ("last", entries - PAGE)):
            ours, floor = in_turn(partial(history, lab, PAGE, offset), lambda: texts_of(folder / "plans"), 3)
            show(Line(f"history, {name} page of {entries:,} plans", "reading and parsing all", ours, floor))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
