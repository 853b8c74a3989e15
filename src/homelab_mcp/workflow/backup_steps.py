"""The step of an apply that makes a backup now, followed to its end and looked for in the repository."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.plan import EngineAction, Evidence
from homelab_mcp.ports import Restic
from homelab_mcp.queries.backup_everywhere import on_each, said_of
from homelab_mcp.queries.backup_list import snapshots_of
from homelab_mcp.queries.backups import made_now
from homelab_mcp.workflow.apply_ends import NotVerified


def carry_out(
    restic: Callable[[str], Restic] | None, actions: Sequence[EngineAction], step: Callable[[str], None]
) -> tuple[Evidence, ...]:
    """Make the backups of a plan's actions, all at once; what they came to, by the Docker host where there are several.

    Args and errors as for :func:`_made`; ``restic`` tells what makes backups in a stack.
    """
    if restic is None:
        raise InvalidInput("A backup needs Docker.", code="plan_needs_docker")
    if len(actions) == 1:
        return _made(restic(actions[0].stack), step)
    found = on_each({a.name or LOCAL: restic(a.stack) for a in actions}, _made, step)
    seen: list[Evidence] = []
    for name, answer in found.items():
        if isinstance(answer, NotVerified):
            answer = answer.evidence
        parts = (Evidence(said_of(answer), ok=False),) if isinstance(answer, Exception) else answer
        seen += [replace(one, what=f"{name}: {one.what}") for one in parts]
    if not all(e.ok for e in seen):
        raise NotVerified(tuple(seen))
    return tuple(seen)


def _made(restic: Restic, step: Callable[[str], None]) -> tuple[Evidence, ...]:
    """Make a backup; what it came to. ``step`` is told how far it is; what it raises leaves the run to go on alone.

    Raises:
        EngineFailed: another is at work (``backup_at_work``), or it ended without a word; as ``Restic`` does.
        NotVerified: it was not whole, or the repository does not hold it.
    """
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
