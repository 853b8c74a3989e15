"""Make a lab, or adopt a folder of stacks as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.approver_record import Standing
from homelab_mcp.core.env_file import parse_or_empty
from homelab_mcp.core.inventory import PAGE
from homelab_mcp.core.settings import build_settings, emit_settings
from homelab_mcp.model.lab import SETTINGS_FILE
from homelab_mcp.ports import Files, Lab
from homelab_mcp.queries.find import read_stacks
from homelab_mcp.workflow.approver_trust import ApproverTrust
from homelab_mcp.workflow.inventory import Inventory

_FROM_ENV = {
    "DOMAIN": "domain",
    "TZ": "timezone",
    "PUID": "puid",
    "PGID": "pgid",
    "MEDIA_DIR": "media_dir",
    "DOWNLOADS_DIR": "downloads_dir",
    "DOWNLOAD_DIR": "downloads_dir",
    "ACME_EMAIL": "email",
}


@dataclass(frozen=True, slots=True)
class InitReport:
    """What ``init`` made and found.

    Args:
        root: the lab's folder.
        made: what was missing.
        kept: what was there.
        stacks: names of the stacks that were there and stay as they are.
        pin_set: whether there is an approver's key.
        pin_counts: False where another key is on record, so that a person must accept this one first.
    """

    root: str
    made: tuple[str, ...]
    kept: tuple[str, ...]
    stacks: tuple[str, ...]
    pin_set: bool
    pin_counts: bool = True


def known_values(files: Files) -> dict[str, str]:
    """Settings that the ``.env`` files of an existing folder already tell, by settings name."""
    found: dict[str, str] = {}
    for stack in read_stacks(files):
        for variable, value in parse_or_empty(stack.env_text).items():
            key = _FROM_ENV.get(variable)
            if key and value and "$" not in value:
                found.setdefault(key, value)
    return found


def init_lab(lab: Lab, values: dict[str, Any], pin: str = "") -> InitReport:
    """Make the lab's folder, settings, git repository and private folder where they are missing.

    Args:
        lab: the lab; its folder may not exist yet.
        values: settings by name; unused when ``homelab.yaml`` is there.
        pin: the approver's PIN; "" sets none.

    Raises:
        InvalidInput: a value does not fit; nothing was made then.
    """
    files = lab.files
    made: list[str] = []
    kept: list[str] = []
    if files.read(SETTINGS_FILE) is None:
        text = emit_settings(build_settings({**known_values(files), **values}))
        files.make_folder("")
        files.write_atomic(SETTINGS_FILE, text, 0o644)
        made.append(SETTINGS_FILE)
    else:
        kept.append(SETTINGS_FILE)
    if lab.history.ensure():
        made.append("git repository")
    if SETTINGS_FILE in made:
        lab.history.commit([SETTINGS_FILE, ".gitignore"], "Set up the lab")
    if pin and not lab.approver.exists():
        lab.approver.create(pin)
        made.append("approver key")
    if not lab.vault.report().lab_id:
        lab.vault.ensure()
        made.append("encryption key")
    stacks = tuple(name for name, _ in files.stack_folders())
    # A lab that starts here gets its page; a folder that was there keeps exactly the files that it had.
    if SETTINGS_FILE in made and not stacks and Inventory(lab).start():
        made.append(PAGE)
    trust = ApproverTrust(lab.approver, lab.journal)
    if lab.approver.exists():
        trust.remember("init")
    lab.journal.append("lab_initialised", {"made": made})
    return InitReport(
        root=files.root,
        made=tuple(made),
        kept=tuple(kept),
        stacks=stacks,
        pin_set=lab.approver.exists(),
        pin_counts=trust.look()[0] is not Standing.REPLACED,
    )
