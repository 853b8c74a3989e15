"""Every derivation, in the order in which a plan shows them."""

from __future__ import annotations

from homelab_mcp.core.derived import Derivation
from homelab_mcp.core.derived.backups import backups
from homelab_mcp.core.derived.sablier import sablier_file

DERIVATIONS: tuple[Derivation, ...] = (sablier_file, backups)
