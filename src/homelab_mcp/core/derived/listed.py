"""Every derivation, in the order in which a plan shows them."""

from __future__ import annotations

from homelab_mcp.core.derived import Derivation
from homelab_mcp.core.derived.access_control import access_control

DERIVATIONS: tuple[Derivation, ...] = (access_control,)
