"""Fixes of what Compose or the engine cannot read: words, health checks, names, mounts."""

from __future__ import annotations

import re

from homelab_mcp.core.checks.fix_edit import Change, Spot, nearest
from homelab_mcp.core.checks.fixes import fixer
from homelab_mcp.core.checks.fixes_yaml import data_at

_SIGNALS = ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGWINCH")
_SECURITY = ("no-new-privileges", "seccomp", "apparmor", "label", "systempaths")


@fixer("HL135")
def misspelt_word(spot: Spot) -> Change | None:
    """Safe: the engine refuses the container as it is, and one word that it knows is near."""
    slot = spot.value
    value = data_at(spot, slot.path) if slot else None
    if slot is None or not isinstance(value, str):
        return None
    field = next((str(s) for s in reversed(slot.path) if isinstance(s, str)), "")
    meant: str | None = None
    if field == "stop_signal":
        meant = nearest(value if value.upper().startswith("SIG") else f"SIG{value}", _SIGNALS)
    elif field == "security_opt":
        word = re.split("[:=]", value)[0]
        near = nearest(word, _SECURITY)
        meant = near + value[len(word) :] if near else None
    elif field == "driver":
        match = re.search(r"it has '([^']+)'\.\Z", spot.finding.message)
        meant = match.group(1) if match else None
    return Change(f"Write {meant}", spot.edit.set(slot.path, meant)) if meant else None


@fixer("HL137")
def health_check(spot: Spot) -> Change | None:
    """Safe: a list that names a program can only have meant CMD, one line of shell only CMD-SHELL."""
    slot = spot.value
    test = data_at(spot, slot.path) if slot else None
    if slot is None or not isinstance(test, list) or not test or not all(isinstance(t, str) for t in test):
        return None
    first = test[0].upper().replace("_", "-")
    if first in {"CMD", "CMD-SHELL", "NONE"} and first != test[0]:
        return Change(f"Write {first}", spot.edit.set((*slot.path, 0), first))
    if first in {"CMD", "CMD-SHELL", "NONE"}:
        return None
    word = "CMD-SHELL" if len(test) == 1 and " " in test[0].strip() else "CMD"
    start = slot.value.children[0][1].start
    edit = spot.edit
    if slot.value.flow:
        put = f"{word}, "
    else:
        line = spot.source.layout.line_start(start)
        put = f"{word}\n{spot.source.text[line:start]}"
        if spot.source.text[line:start].strip(" ") != "-":
            return None
        if spot.source.text[line - 2 : line] == "\r\n":
            put = put.replace("\n", "\r\n")
    edit.text = spot.source.text[:start] + put + spot.source.text[start:]
    edit.touched.append(slot.path)
    edit.expected.append((slot.path, [word, *test]))
    return Change(f"Begin the test with {word}", edit)


@fixer("HL131", safe=False)
def bad_name(spot: Spot) -> Change | None:
    """Unsafe: Docker refuses the name, but what to write in the bad characters' place is taste."""
    slot = spot.value
    value = data_at(spot, slot.path) if slot else None
    if slot is None or not isinstance(value, str) or "$" in value:
        return None
    meant = re.sub(r"[^A-Za-z0-9_.-]+", "-", value.strip()).strip("-._")
    return Change(f"Write {meant}", spot.edit.set(slot.path, meant), safe=False) if len(meant) > 1 else None


@fixer("HL130", safe=False)
def mount_option(spot: Spot) -> Change | None:
    """Unsafe: 'readonly' does nothing today, and the service may write there; a target without '/' may be a typo."""
    slot = spot.value
    value = data_at(spot, slot.path) if slot else None
    if slot is None or not isinstance(value, str) or "$" in value or value.count(":") not in {1, 2}:
        return None
    source, target, *options = value.split(":")
    if options:
        words = ["ro" if o.lower() in {"readonly", "read-only", "read_only"} else o for o in options[0].split(",")]
        options = [",".join(words)]
    if not target.startswith("/") and re.fullmatch(r"[a-z][a-z0-9_/.-]*", target):
        target = f"/{target}"
    meant = ":".join([source, target, *options])
    return Change(f"Write {meant}", spot.edit.set(slot.path, meant), safe=False) if meant != value else None


@fixer("HL018")
def mounted_twice(spot: Spot) -> Change | None:
    """Safe: only where the same item stands there twice, of which Compose takes one."""
    slot = spot.item
    items = data_at(spot, slot.path[:-1]) if slot else None
    if slot is None or not isinstance(items, list) or slot.index >= len(items):
        return None
    if items[slot.index] not in items[: slot.index]:
        return None
    return Change("Remove the second of two equal items", spot.edit.remove(slot.path))


@fixer("HL046", safe=False)
def net_admin(spot: Spot) -> Change | None:
    """Unsafe: it cannot work without, but giving a container a right is for a person to say."""
    if spot.service is None:
        return None
    title = "Give it NET_ADMIN"
    if "cap_add" in spot.service.data:
        return Change(title, spot.edit.push((*spot.home, "cap_add"), "NET_ADMIN"), safe=False)
    return Change(title, spot.edit.add(spot.home, "cap_add", ["NET_ADMIN"]), safe=False)


@fixer("HL094", safe=False)
def unconfined(spot: Spot) -> Change | None:
    """Unsafe: the protection may have been switched off because the service needs it so."""
    slot = spot.value
    if slot is None or not isinstance(slot.path[-1], int):
        return None
    return Change("Switch the protection on again", spot.edit.remove(slot.path), safe=False)


@fixer("HL103", safe=False)
def open_dashboard(spot: Spot) -> Change | None:
    """Unsafe: whoever reads the dashboard on port 8080 today no longer can."""
    slot = spot.value
    value = data_at(spot, slot.path) if slot else None
    if slot is None or not isinstance(value, str) or not re.fullmatch(r"(?i)--api\.insecure(?:=.*)?", value):
        return None
    return Change(
        "Switch the open dashboard off", spot.edit.set(slot.path, f"{value.partition('=')[0]}=false"), safe=False
    )
