"""What a start does beside recovery: it finishes a cut-off key rotation, and does what older versions did not.

It seals what they left in the clear, and records the approver's key.
"""

from __future__ import annotations

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
