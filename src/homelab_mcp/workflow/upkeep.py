"""What a start does beside recovery: it finishes a cut-off key rotation, and does what older versions did not.

It seals what they left in the clear, records the approver's key, and deletes what was in the trash for long enough.
"""

from __future__ import annotations

from datetime import UTC, datetime

from homelab_mcp.model.lab import TRASH_DAYS
from homelab_mcp.ports import Lab
from homelab_mcp.workflow.approver_trust import ApproverTrust


def upkeep(lab: Lab) -> int:
    """Seal clear records and finish a rotation; how many records were sealed. Without work it takes no lock.

    Raises LabLocked while an apply is at work, VaultLocked, StorageFailed, JournalUnwritable.
    """
    lab.vault.finish()
    if lab.approver.exists():
        ApproverTrust(lab.approver, lab.journal).remember("start")
    if not lab.plans.migrate(count_only=True):
        return 0
    with lab.lock.hold("encrypting old records"):
        sealed = lab.plans.migrate()
    lab.journal.append("records_sealed", {"count": sealed})
    return sealed


def empty_trash(lab: Lab) -> list[str]:
    """Delete for good what went to the trash more than ``TRASH_DAYS`` ago; its names. Without any it takes no lock.

    Raises LabLocked while an apply is at work, StorageFailed, JournalUnwritable.
    """
    before = f"{datetime.fromtimestamp(lab.clock.now() - TRASH_DAYS * 86_400, UTC):%Y%m%d-%H%M%S}"
    old = lab.data.trash(before)
    if not old:
        return []
    with lab.lock.hold("emptying the trash"):
        for name in old:
            lab.data.drop_trash(name)
    lab.journal.append("trash_emptied", {"names": old})
    return old
