"""Where projects tell what changed in each release."""

from __future__ import annotations

from typing import Protocol

from homelab_mcp.core.release_notes import Releases as Found
from homelab_mcp.core.release_notes import Source


class Releases(Protocol):
    """The hosts of projects' repositories, asked as anybody may."""

    def of(self, source: Source) -> Found:
        """The newest releases of a project; what was asked a while ago is not asked again.

        Raises EngineUnavailable (``releases_unavailable``, ``releases_limit``), NotFound (``releases_unknown``).
        """
        ...
