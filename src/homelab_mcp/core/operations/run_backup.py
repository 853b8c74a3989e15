"""Make a backup now, as the clock does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from homelab_mcp.core.backup_config import BackupConfig
from homelab_mcp.core.backup_jobs import Jobs
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, Risk, RiskReason

_NAMED = 10


@dataclass(frozen=True, slots=True)
class Maker:
    """What makes a Docker host's backups: its stack, its service with restic, its settings, its work, the host."""

    stack: str
    service: str
    config: BackupConfig
    jobs: Jobs
    host: str = LOCAL


def run_backup(makers: Sequence[Maker], left: Mapping[str, str] | None = None) -> Draft:
    """A draft that makes a backup now, on all of these hosts at the same time; there is one at least.

    ``left`` are those that would make one too and cannot: why, by the host.
    """
    left = left or {}
    first = makers[0]
    dumped = _some([f"{d.stack}/{d.service} ({d.kind})" for m in makers for d in m.jobs.dumps])
    missing = _some([f"{where}: {what}" for m in makers for where, what, _ in m.jobs.uncovered])
    kept = ", ".join(f"{name} {count}" for name, count in first.config.keep.model_dump().items() if count)
    elsewhere = "" if len(makers) == 1 else " on this machine" if first.host == LOCAL else f" on {first.host}"
    told = [
        f"Dumped first: {dumped}." if dumped else "There is no database to dump.",
        f"Then only these stay{elsewhere}: {kept} (docs: backups)." if kept else "No backup is let go of.",
        "Services go on meanwhile; one that writes to its SQLite file all the time stands still for the copy of it.",
        "A first backup may take hours, and other plans wait for it: then leave it to the clock, or let a person run "
        "`homelab-mcp backup run`.",
    ]
    if missing:
        told.append(f"Not in it: {missing}.")
    told += [f"No backup is made of {_named(host)}: {why}" for host, why in left.items()]
    places = dict.fromkeys(m.config.repository for m in makers)
    of = "the lab" if [*(m.host for m in makers), *left] == [LOCAL] else ", ".join(_named(m.host) for m in makers)
    return Draft(
        operation="run_backup",
        summary=f"Make a backup of {of} to {', '.join(places)} now"[:300],
        edits=(),
        actions=tuple(
            EngineAction(ActionKind.BACKUP, "As its clock does.", m.stack, (m.service,), name=_name(m)) for m in makers
        ),
        risks=(
            *(RiskReason(Risk.MEDIUM, _goes(m)) for m in makers),
            *(RiskReason(Risk.MEDIUM, f"No backup is made of {_named(host)}, which cannot be asked.") for host in left),
        ),
        notes=tuple(told),
        undo="Nothing of the lab is changed; what is in the repository stays there.",
        target=first.service,
    )


def _name(maker: Maker) -> str:
    return "" if maker.host == LOCAL else maker.host


def _named(host: str) -> str:
    return "this machine" if host == LOCAL else host


def _goes(maker: Maker) -> str:
    what = "Every file of the lab, secrets too," if maker.host == LOCAL else f"The data of the stacks on {maker.host}"
    return f"{what} goes (encrypted) to {maker.config.repository}."


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return "; ".join(names[:_NAMED]) + more
