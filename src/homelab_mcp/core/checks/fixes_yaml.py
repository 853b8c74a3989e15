"""Fixes of how a file is written: quotes, keys twice, unknown keys, words that are misspelt."""

from __future__ import annotations

import re
from typing import Any

from homelab_mcp.core.checks.fix_edit import Change, Spot, nearest
from homelab_mcp.core.checks.fix_source import Slot, single_quoted
from homelab_mcp.core.checks.fixes import fixer
from homelab_mcp.core.checks.schema import service_keys
from homelab_mcp.core.yaml12 import Path

_MEANT = re.compile(r"Did you mean '([^']+)'\?\Z")
_OPTION = re.compile(r'"([^"]+)"')
_POLICIES = ("no", "always", "unless-stopped", "on-failure")
_POLICY_WORDS = {"never": "no", "none": "no", "off": "no", "false": "no", "true": "always", "onfailure": "on-failure"}


def data_at(spot: Spot, path: Path) -> Any:
    """The data as written at a path; None where there is none."""
    data = spot.source.data
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


@fixer("HL002")
def key_twice(spot: Spot) -> Change | None:
    """Safe: only where both say the same, so that nothing is lost; which of two is meant, nobody knows."""
    slot = spot.key
    if slot is None:
        return None
    parent = spot.source.at(slot.path[:-1])
    twins = [v for k, v in parent.value.children if k is not None and k.text == slot.path[-1]] if parent else []
    texts = {spot.source.text[v.start : v.end].strip() for v in twins}
    if len(twins) < 2 or len(texts) > 1 or any(v.kind != "scalar" for v in twins):
        return None
    return Change("Remove the second of two equal entries", spot.edit.remove_slot(slot))


@fixer("HL004", "HL005", "HL006")
def unquoted(spot: Spot) -> Change | None:
    """Safe: the same characters in quotes are what Compose reads, or the only thing that can be meant."""
    slot = spot.value
    return Change("Put it in quotes", spot.edit.quote(slot.path)) if slot else None


@fixer("HL010")
def wrong_form(spot: Spot) -> Change | None:
    """Safe: a number that must be text is quoted, one item becomes a list of one, a misspelt word is set right."""
    slot = spot.value
    if slot is None or not slot.path:
        return None
    message = spot.finding.message
    if "must be one of" in message:
        value = data_at(spot, slot.path)
        word = nearest(value, _OPTION.findall(message)) if isinstance(value, str) else None
        return Change(f"Write {word!r}", spot.edit.set(slot.path, word)) if word else None
    if "has an item twice" in message:
        return _items_twice(spot, slot)
    for change in (_as_text, _as_list):
        found = change(spot, slot, message)
        if found:
            return found
    return None


def _as_text(spot: Spot, slot: Slot, message: str) -> Change | None:
    if not re.search(r"must be [^.]*\btext\b", message) or slot.value.kind != "scalar":
        return None
    if slot.path[-1] == "restart":
        # YAML 1.1 made false of a bare 'no'; nothing is known that makes true of a policy.
        if data_at(spot, slot.path) is not False:
            return None
        return Change("Write restart: 'no'", spot.edit.replace(slot.path, "'no'", "no"))
    if not isinstance(data_at(spot, slot.path), bool | int | float):
        return None
    return Change("Put it in quotes", spot.edit.quote(slot.path))


def _as_list(spot: Spot, slot: Slot, message: str) -> Change | None:
    value = data_at(spot, slot.path)
    if not re.search(r"must be [^.]*\ba list\b", message) or not isinstance(value, str) or not value or "\n" in value:
        return None
    body = spot.source.text[slot.value.start : slot.value.end]
    written = body if body[0] in "\"'" else single_quoted(value)
    return Change("Make it a list of one", spot.edit.replace(slot.path, f"[{written}]", [value]))


def _items_twice(spot: Spot, slot: Slot) -> Change | None:
    # The finding is at the first item that was there before.
    path = slot.path[:-1]
    value = data_at(spot, path)
    edit = spot.edit
    for n in range(len(value) - 1, -1, -1) if isinstance(value, list) else ():
        if value[n] in value[:n]:
            edit.remove((*path, n))
    return Change("Remove what the list has already", edit) if edit.touched else None


@fixer("HL011")
def unknown_key(spot: Spot) -> Change | None:
    """Safe: Compose refuses the file with it, and one known key only is near (a key that is no text is quoted)."""
    slot = spot.key
    if slot is None or slot.key is None:
        return None
    name = str(slot.path[-1])
    if spot.finding.message.endswith("must be text; quote it."):
        edit = spot.edit
        edit.text = spot.source.quoted(slot.key)
        edit.touched += [slot.path, _data_path(slot)]
        return Change("Put the key in quotes", edit)
    meant = _MEANT.search(spot.finding.message)
    if meant is None or (len(slot.path) == 3 and slot.path[0] == "services" and nearest(name, service_keys()) is None):
        return None
    return Change(f"Rename it to {meant.group(1)!r}", spot.edit.rename(slot.path, meant.group(1)))


def _data_path(slot: Slot) -> Path:
    from homelab_mcp.core.yaml12 import scalar_value

    return (*slot.path[:-1], scalar_value(str(slot.path[-1])))


@fixer("HL013")
def image_case(spot: Spot) -> Change | None:
    """Safe: names of images are lower case everywhere, so an upper-case letter can only have meant the lower one."""
    slot = spot.value
    value = data_at(spot, slot.path) if slot else None
    if slot is None or not isinstance(value, str) or "$" in value:
        return None
    name, colon, tag = value.strip().rpartition(":")
    if not colon or "/" in tag:
        name, colon, tag = value.strip(), "", ""
    meant = f"{name.lower()}{colon}{tag}"
    return Change(f"Write {meant}", spot.edit.set(slot.path, meant)) if meant != value else None


@fixer("HL014")
def restart_policy(spot: Spot) -> Change | None:
    """Safe: the engine refuses the container as it is, and one policy only is near."""
    slot = spot.value
    value = data_at(spot, slot.path) if slot else None
    if slot is None or not isinstance(value, str):
        return None
    word = value.strip().lower()
    plain = re.sub(r"[^a-z]", "", word)
    meant = _POLICY_WORDS.get(plain) or nearest(re.sub(r"[ _]+", "-", word), _POLICIES, 0.7)
    if not meant or ":" in word:
        return None
    return Change(f"Write {meant}", spot.edit.set(slot.path, meant))


@fixer("HL015")
def obsolete_version(spot: Spot) -> Change | None:
    """Safe: Compose ignores the key."""
    edit = spot.edit.remove(("version",))
    lines = edit.text.removeprefix("\ufeff")
    if lines[:1] in {"\n", "\r"} and not spot.source.text.removeprefix("\ufeff")[:1].isspace():
        # The blank line that set it apart would now begin the file.
        mark = edit.text[: len(edit.text) - len(lines)]
        edit.text = mark + lines.removeprefix("\r").removeprefix("\n")
    return Change("Remove the obsolete 'version'", edit)


_DURATION = re.compile(
    r"([0-9]+(?:\.[0-9]+)?) *(?:(ms|milli(?:second)?s?|msecs?)|(s|secs?|seconds?)|(m|mins?|minutes?)|(h|hrs?|hours?))",
    re.IGNORECASE,
)


@fixer("HL016")
def duration(spot: Spot) -> Change | None:
    """Safe: a unit written out, or with a blank before it, has one short form. A number without a unit stays."""
    slot = spot.value
    value = data_at(spot, slot.path) if slot else None
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if slot is None or match is None:
        return None
    unit = next(u for u, given in zip(("ms", "s", "m", "h"), match.groups()[1:], strict=True) if given)
    return Change(f"Write {match.group(1)}{unit}", spot.edit.set(slot.path, f"{match.group(1)}{unit}"))


_SIZE = re.compile(r"([0-9]+(?:[.,][0-9]+)?) *([kmgt])(?:i?b|[a-z]*bytes?|egs?|igs?|eg|ig)?\Z", re.IGNORECASE)


@fixer("HL017")
def size(spot: Spot) -> Change | None:
    """Safe: a unit written out has one short form."""
    slot = spot.value
    value = data_at(spot, slot.path) if slot else None
    match = _SIZE.match(value.strip()) if isinstance(value, str) else None
    if slot is None or match is None:
        return None
    meant = f"{match.group(1).replace(',', '.')}{match.group(2).lower()}"
    return Change(f"Write {meant}", spot.edit.set(slot.path, meant))


@fixer("HL120")
def number(spot: Spot) -> Change | None:
    """Safe: Kubernetes' '500m' of a CPU is 0.5; no other reading is known. Anything else stays."""
    slot = spot.value
    value = data_at(spot, slot.path) if slot else None
    match = re.fullmatch(r"([0-9]{1,6})m", value) if isinstance(value, str) else None
    if slot is None or match is None or slot.path[-1] != "cpus":
        return None
    meant = f"{int(match.group(1)) / 1000:g}"
    return Change(f"Write {meant!r}", spot.edit.set(slot.path, meant))


@fixer("HL056")
def item_twice(spot: Spot) -> Change | None:
    """Safe: the item above has no effect, as the later one wins."""
    slot = spot.value
    items = data_at(spot, slot.path[:-1]) if slot else None
    if slot is None or not isinstance(items, list):
        return None
    name = str(items[slot.index]).partition("=")[0]
    above = [n for n, item in enumerate(items[: slot.index]) if str(item).partition("=")[0] == name]
    if not above:
        return None
    return Change("Remove the one above, which has no effect", spot.edit.remove((*slot.path[:-1], above[-1])))
