"""Keeps the lab's page (``INVENTORY.md``) as the lab is: after every apply, and after every one that went back."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from homelab_mcp.core.inventory import PAGE, block, is_kept, merged
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import read_stacks

_MODE = 0o644

logger = logging.getLogger("homelab_mcp")


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The page as it was and as it is now."""

    before: str | None
    after: str


class Inventory:
    """The page of a lab. A page without the marks, or none, is left alone: having one is what switches it on."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def made(self) -> str:
        """The part of the page that follows from the lab. Raises NotFound, InvalidInput (no or bad settings)."""
        lab = self._lab
        seen = view(Snapshot(read_stacks(lab.files), None))
        return lab.redactor.safe(block(seen, lab.settings, lab.catalog.get, self._read, root=lab.roots))

    def _read(self, path: str) -> str | None:
        try:
            return self._lab.files.read(path)
        except HomelabError:
            return None

    def text(self) -> str:
        """The whole page as it should be. Raises as :meth:`made`."""
        return merged(self._lab.files.read(PAGE), self.made())

    def refresh(self) -> Refreshed | None:
        """Write the page where it is kept and not as it should be. Never raises: no apply fails for its page."""
        try:
            before = self._lab.files.read(PAGE)
            if not is_kept(before):
                return None
            after = merged(before, self.made())
            if after == before:
                return None
            self._lab.files.write_atomic(PAGE, after, _MODE)
        except (HomelabError, OSError):
            return None
        except Exception:
            # Whatever it is: the apply that calls this is verified by now, and a page is no reason to take it back.
            logger.exception("the inventory was left as it is")
            return None
        return Refreshed(before, after)

    def start(self) -> bool:
        """Make the page, or put the marks into one that is there, and commit it; whether anything was written.

        Raises as :meth:`made`, StorageFailed.
        """
        lab = self._lab
        before, after = lab.files.read(PAGE), self.text()
        if after == before:
            return False
        lab.files.write_atomic(PAGE, after, _MODE)
        lab.history.commit([PAGE], "Write down what runs in the lab")
        return True
