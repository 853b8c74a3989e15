"""The fix of HL252."""

from __future__ import annotations

from homelab_mcp.core.checks.fix_edit import Change, Spot, entry_edit
from homelab_mcp.core.checks.fixes import fixer
from homelab_mcp.core.checks.fixes_traefik import add_label
from homelab_mcp.core.checks.rules_login_stays import EMPTY_TOO, KEEP, kept_label


@fixer("HL252")
def keep_the_login(spot: Spot) -> Change | None:
    """Safe where nothing says otherwise: what answered 404 meanwhile answers 500 or 503, and the rest stays."""
    service = spot.service
    if service is None:
        return None
    if EMPTY_TOO in spot.finding.message:
        return _flag(spot)
    own = kept_label(service)
    if own is not None:
        edit = entry_edit(spot.edit, (*spot.home, *own.path), own, "true")
        return Change(f"Set {KEEP} to true", edit, safe=False)
    return Change(f"Add {KEEP}=true", add_label(spot, KEEP, "true"))


def _flag(spot: Spot) -> Change | None:
    command = spot.service.data.get("command") if spot.service else None
    flag = f"--{EMPTY_TOO}=true"
    if not isinstance(command, list):
        return None
    here = [n for n, word in enumerate(command) if str(word).lower().startswith(f"--{EMPTY_TOO}")]
    if here:
        return Change(f"Write {flag}", spot.edit.set((*spot.home, "command", here[0]), flag), safe=False)
    return Change(f"Add {flag}", spot.edit.push((*spot.home, "command"), flag))
