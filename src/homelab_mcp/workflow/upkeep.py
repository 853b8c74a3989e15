"""What a start does beside recovery: finish a cut-off key rotation, and seal what older versions left in the clear."""

from __future__ import annotations

from homelab_mcp.ports import Lab


def upkeep(lab: Lab) -> int:
    """Seal clear records and finish a rotation; how many records were sealed. Without work it takes no lock.

    Raises LabLocked while an apply is at work, VaultLocked, StorageFailed, JournalUnwritable.
    """
    lab.vault.finish()
    if not lab.plans.migrate(count_only=True):
        return 0
    with lab.lock.hold("encrypting old records"):
        sealed = lab.plans.migrate()
    lab.journal.append("records_sealed", {"count": sealed})
    return sealed
