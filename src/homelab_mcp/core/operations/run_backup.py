"""Make a backup now, as the clock does."""

from __future__ import annotations

from homelab_mcp.core.backup_config import BackupConfig
from homelab_mcp.core.backup_jobs import Jobs
from homelab_mcp.model.plan import ActionKind, Draft, EngineAction, Risk, RiskReason

_NAMED = 10


def run_backup(stack: str, service: str, config: BackupConfig, jobs: Jobs) -> Draft:
    """A draft that makes a backup now.

    Args:
        stack: the stack that makes backups.
        service: its service with restic.
        config: the backup's settings.
        jobs: its work.
    """
    dumped = _some([f"{d.stack}/{d.service} ({d.kind})" for d in jobs.dumps])
    missing = _some([f"{where}: {what}" for where, what, _ in jobs.uncovered])
    kept = ", ".join(f"{name} {count}" for name, count in config.keep.model_dump().items() if count)
    told = [
        f"Dumped first: {dumped}." if dumped else "There is no database to dump.",
        f"Then only these stay: {kept} (docs: backups)." if kept else "No backup is let go of.",
        "Services go on meanwhile; one that writes to its SQLite file all the time stands still for the copy of it.",
        "A first backup may take hours, and other plans wait for it: then leave it to the clock, or let a person run "
        "`homelab-mcp backup run`.",
    ]
    if missing:
        told.append(f"Not in it: {missing}.")
    return Draft(
        operation="run_backup",
        summary=f"Make a backup of the lab to {config.repository} now",
        edits=(),
        actions=(EngineAction(ActionKind.BACKUP, "As its clock does.", stack, (service,)),),
        risks=(
            RiskReason(Risk.MEDIUM, f"Every file of the lab, secrets too, goes (encrypted) to {config.repository}."),
        ),
        notes=tuple(told),
        undo="Nothing of the lab is changed; what is in the repository stays there.",
        target=service,
    )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return "; ".join(names[:_NAMED]) + more
