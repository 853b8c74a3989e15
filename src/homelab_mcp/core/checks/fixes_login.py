"""The fix of HL252."""

from __future__ import annotations

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.fix_edit import Change, Spot, entry_edit
from homelab_mcp.core.checks.fixes import fixer
from homelab_mcp.core.checks.fixes_traefik import add_label
from homelab_mcp.core.checks.rules_login_stays import EMPTY_TOO, KEEP, kept_label
from homelab_mcp.core.checks.traefik_static import PREFIX, StaticConfig

_OPTION = "allowEmptyServices"
_VARIABLE = PREFIX + EMPTY_TOO.upper().replace(".", "_")


@fixer("HL252", files=True)
def keep_the_login(spot: Spot) -> Change | None:
    """Safe where nothing says otherwise: what answered 404 meanwhile answers 500 or 503, and the rest stays."""
    service = spot.service
    if service is None:
        return None
    if EMPTY_TOO in spot.finding.message:
        return _at_traefik(spot)
    own = kept_label(service)
    if own is not None:
        edit = entry_edit(spot.edit, (*spot.home, *own.path), own, "true")
        return Change(f"Set {KEEP} to true", edit, safe=False)
    return Change(f"Add {KEEP}=true", add_label(spot, KEEP, "true"))


def _at_traefik(spot: Spot) -> Change | None:
    """Where Traefik takes its options from, for it looks at one of the three places only."""
    static = tl.static_config(spot.lab)
    if static is None:
        return None
    if static.source == "file":
        # An inline config's text is a scalar of the compose file, which nothing here edits.
        return _in_file(spot, static) if static.file and static.file.file == spot.finding.file else None
    return _variable(spot, static) if static.source == "environment" else _flag(spot)


def _in_file(spot: Spot, static: StaticConfig) -> Change | None:
    written = static.where.get(EMPTY_TOO)
    if written is not None:
        return Change(f"Set {_OPTION} to true", spot.edit.replace(written, "true", True), safe=False)
    # providers.docker, as the file writes these two words.
    home = next((p[:2] for o, p in static.where.items() if o.startswith("providers.docker")), None)
    return None if home is None else Change(f"Add {_OPTION}: true", spot.edit.add(home, _OPTION, True))


def _variable(spot: Spot, static: StaticConfig) -> Change | None:
    service, home = spot.service, (*spot.home, "environment")
    if service is None:
        return None
    own = next((e for k, e in service.environment.items() if k.upper() == _VARIABLE), None)
    if own is not None:
        edit = entry_edit(spot.edit, (*spot.home, *own.path), own, "true")
        return Change(f"Set {_VARIABLE} to true", edit, safe=False)
    part, title = service.data.get("environment"), f"Add {_VARIABLE}=true"
    # One of an env file says no then: a variable of the service itself goes before it.
    safe = EMPTY_TOO not in static.options
    if isinstance(part, list):
        return Change(title, spot.edit.push(home, f"{_VARIABLE}=true"), safe)
    if part:
        return Change(title, spot.edit.add(home, _VARIABLE, "true"), safe)
    return Change(title, spot.edit.add(spot.home, "environment", {_VARIABLE: "true"}), safe)


def _flag(spot: Spot) -> Change | None:
    command = spot.service.data.get("command") if spot.service else None
    flag = f"--{EMPTY_TOO}=true"
    if not isinstance(command, list):
        return None
    here = [n for n, word in enumerate(command) if str(word).lower().startswith(f"--{EMPTY_TOO}")]
    if here:
        return Change(f"Write {flag}", spot.edit.set((*spot.home, "command", here[0]), flag), safe=False)
    return Change(f"Add {flag}", spot.edit.push((*spot.home, "command"), flag))
