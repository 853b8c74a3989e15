"""What a start does beside recovery: it finishes a cut-off key rotation, and does what older versions did not.

It seals what they left in the clear, records the approver's key, and deletes what was in the trash for long enough.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime

from homelab_mcp.model.errors import EngineUnavailable, HomelabError, JournalUnwritable, StorageFailed
from homelab_mcp.model.lab import TRASH_DAYS
from homelab_mcp.ports import Data, Lab
from homelab_mcp.workflow.approver_trust import ApproverTrust

_LOG = logging.getLogger("homelab_mcp")


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

    What cannot be deleted stays and is told in the log: it keeps nobody from the rest of a start.

    Raises LabLocked while an apply is at work, JournalUnwritable.
    """
    old = lab.data.trash(_long_ago(lab))
    if not old:
        return []
    with lab.lock.hold("emptying the trash"):
        gone = [name for name in old if _dropped(lab.data, name)]
    if gone:
        lab.journal.append("trash_emptied", {"names": gone})
    return gone


def empty_trash_elsewhere(lab: Lab) -> list[threading.Thread]:
    """As ``empty_trash`` on each other host whose data is reached, in a thread for each: none waits for another.

    A host that does not answer is left for the next time. No lock is taken, as one that hangs would hold up every
    apply: a plan that would bring back what is deleted meanwhile is refused as stale.
    """
    try:
        others = lab.placed_data.others()
    except HomelabError as error:
        _LOG.warning("the trash of other hosts is not emptied: %s", error.as_text())
        return []
    threads = [
        threading.Thread(target=_empty, args=(lab, host, data), name=f"trash {host}", daemon=True)
        for host, data in others.items()
    ]
    for thread in threads:
        thread.start()
    return threads


def _empty(lab: Lab, host: str, data: Data) -> None:
    gone: list[str] = []
    try:
        gone += (name for name in data.trash(_long_ago(lab)) if _dropped(data, name))
    except EngineUnavailable as error:
        _LOG.info("the trash of host %s is not emptied: %s", host, error.as_text())
    except (HomelabError, OSError) as error:
        _LOG.warning("the trash of host %s is not emptied: %s", host, error)
    if gone:
        try:
            lab.journal.append("trash_emptied", {"names": gone})
        except JournalUnwritable as error:
            _LOG.warning("%s", error.as_text())


def _dropped(data: Data, name: str) -> bool:
    try:
        data.drop_trash(name)
    except StorageFailed as error:
        _LOG.warning("%s stays in the trash: %s", name, error.as_text())
        return False
    return True


def _long_ago(lab: Lab) -> str:
    return f"{datetime.fromtimestamp(lab.clock.now() - TRASH_DAYS * 86_400, UTC):%Y%m%d-%H%M%S}"
