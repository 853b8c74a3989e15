"""The journal and the history at 10,000 entries, against only reading the same files and parsing their JSON.

Run: ``python -m bench.journal [ENTRIES]``.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from bench.lines import Line, in_turn, show
from homelab_mcp.adapters.journal import JsonlJournal
from homelab_mcp.adapters.plan_store import FilePlanStore
from homelab_mcp.bootstrap import LocalLab
from homelab_mcp.model.plan import Draft, FileEdit, Plan, PlanState, PlanStatus, Requester, Risk
from homelab_mcp.queries.history import history

PLANS = 1_000
"""Plans on record: each is a folder of its own."""


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


def made(number: int) -> Plan:
    """A plan like any other."""
    draft = Draft("add_service", f"Add service {number}.", (FileEdit("media/compose.yaml", "a: 1\n", "a: 2\n"),), ())
    when = float(number)
    return Plan(f"{number:032x}", draft, Risk.LOW, (), (), {}, Requester("cli"), when, when + 900, "digest")


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
        for number in range(PLANS):
            plans.add(made(number))
            plans.set_status(f"{number:032x}", PlanStatus(PlanState.DONE, updated=float(number)))
        lab = LocalLab(str(root), files_only=True)
        ours, floor = in_turn(lambda: history(lab, 20), lambda: texts_of(folder / "plans"), 3)
        show(Line(f"history, first page of {PLANS:,} plans", "reading and parsing them", ours, floor))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
