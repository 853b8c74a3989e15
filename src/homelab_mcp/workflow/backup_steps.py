"""The step of an apply that makes a backup now, followed to its end and looked for in the repository."""

from __future__ import annotations

from collections.abc import Callable

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Evidence
from homelab_mcp.ports import Restic
from homelab_mcp.queries.backup_list import snapshots_of
from homelab_mcp.queries.backups import made_now
from homelab_mcp.workflow.apply_ends import NotVerified


def carry_out(restic: Restic | None, step: Callable[[str], None]) -> tuple[Evidence, ...]:
    """Make a backup; what it came to. ``step`` is told how far it is; what it raises leaves the run to go on alone.

    Raises:
        InvalidInput: no Docker (``plan_needs_docker``).
        EngineFailed: another is at work (``backup_at_work``), or it ended without a word; as ``Restic`` does.
        NotVerified: it was not whole, or the repository does not hold it.
    """
    if restic is None:
        raise InvalidInput("A backup needs Docker.", code="plan_needs_docker")
    dumped: list[str] = []
    new = ""

    def heard(told: str) -> None:
        nonlocal new
        if told.startswith("dumping "):
            dumped.append(told.removeprefix("dumping "))
        if " new in " in told:
            new = told
        step(f"backup: {told}")

    last = made_now(restic, heard)
    wrong = tuple(Evidence(problem, ok=False) for problem in last["problems"])
    said = " ".join(last["problems"])
    seen = [Evidence(f"{where} was dumped", ok=True) for where in dumped if where not in said.split()]
    if last["result"] != "ok":
        raise NotVerified((Evidence(f"the backup ended {last['result']}", ok=False), *wrong, *seen))
    step("backup: looking for it in the repository")
    there = any(last["snapshot"].startswith(b.id) or b.id == last["snapshot"] for b in snapshots_of(restic))
    if not there:
        raise NotVerified((Evidence(f"the repository does not list {last['snapshot']}", ok=False), *seen))
    made = f"backup {last['snapshot']} is in the repository, after {last['seconds']} s"
    return (Evidence(f"{made}{f': {new}' if new else ''}", ok=True), *seen)
