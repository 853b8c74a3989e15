"""Fixes of names: what is not declared, not used, or misspelt."""

from __future__ import annotations

import re
from collections.abc import Collection

from homelab_mcp.core import yaml_span
from homelab_mcp.core.checks import rules_limits
from homelab_mcp.core.checks.engine_networks import has
from homelab_mcp.core.checks.fix_edit import Change, Edit, Spot, nearest
from homelab_mcp.core.checks.fixes import fixer
from homelab_mcp.core.checks.fixes_yaml import data_at
from homelab_mcp.core.checks.rules_dependencies import dependencies
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.core.yaml_emit import entry, flow
from homelab_mcp.model.errors import EditRefused

_QUOTED = re.compile(r"'([^']+)'")


def _told(spot: Spot) -> str:
    """The first name in quotes in the finding's message."""
    match = _QUOTED.search(spot.finding.message)
    return match.group(1) if match else ""


@fixer("HL020")
def undefined_network(spot: Spot) -> Change | None:
    """Safe: Compose refuses the file without the entry; where another stack or the engine there has it, it is external.

    None where a network that is declared has nearly the name: then nobody knows which of the two is wrong.
    """
    name = _told(spot)
    declared = spot.stack.section("networks")
    if not name or nearest(name, map(str, declared)):
        return None
    others = [s for s in spot.lab.stacks if s is not spot.stack and s.host == spot.stack.host]
    made = {s.real_network(k) for s in others for k in s.section("networks")}
    there = name in made or has(spot.lab.facts.networks, spot.stack, name)
    value: dict[str, bool] = {"external": True} if there else {}
    return Change(f"Declare the network {name!r}", spot.edit.declare("networks", name, value))


@fixer("HL021")
def undefined_volume(spot: Spot) -> Change | None:
    """Safe: Compose refuses the file without the entry. Unsafe where a folder of that name is there (./ forgotten?)."""
    name = _told(spot)
    if not name or nearest(name, map(str, spot.stack.section("volumes"))):
        return None
    folder = spot.stack.exists is not None and spot.stack.exists(f"./{name}")
    return Change(f"Declare the volume {name!r}", spot.edit.declare("volumes", name, {}), safe=not folder)


@fixer("HL024", safe=False)
def unused(spot: Spot) -> Change | None:
    """Unsafe: a service may have forgotten to use it, and a volume's data would be orphaned."""
    slot = spot.key
    return Change("Remove what nothing uses", spot.edit.remove(slot.path), safe=False) if slot else None


def _renamed(spot: Spot, names: Collection[str]) -> Change | None:
    """The misspelt service's name at the finding's place, set right."""
    wrong = _told(spot)
    near = nearest(wrong, [n for n in names if n != spot.finding.service]) if wrong else None
    slot = spot.key or spot.value
    if not near or slot is None:
        return None
    if slot is spot.key:
        return Change(f"Write {near!r}", spot.edit.rename(slot.path, near)) if slot.path[-1] == wrong else None
    value = data_at(spot, slot.path)
    if not isinstance(value, str) or wrong not in value:
        return None
    return Change(f"Write {near!r}", spot.edit.set(slot.path, value.replace(wrong, near, 1)))


@fixer("HL028", "HL030", "HL033", "HL038")
def misspelt_service(spot: Spot) -> Change | None:
    """Safe: Compose refuses the file as it is, and one service only has nearly that name."""
    return _renamed(spot, [s.name for s in spot.stack.services])


@fixer("HL027")
def described_external(spot: Spot) -> Change | None:
    """Safe for a network, whose settings Compose ignores; unsafe for a volume, which may have been meant to be made."""
    slot = spot.key
    if slot is None:
        return None
    edit = spot.edit.remove(slot.path)
    return Change("Remove the setting of what is made elsewhere", edit, safe=slot.path[0] == "networks")


@fixer("HL019", "HL132", safe=False)
def excluded(spot: Spot) -> Change | None:
    """Unsafe: Compose or the engine refuses the pair, but which of the two is meant only its owner knows."""
    slot = spot.source.at((*spot.home, "container_name")) if spot.finding.rule == "HL019" else spot.key
    return Change(f"Remove '{slot.path[-1]}'", spot.edit.remove(slot.path), safe=False) if slot else None


@fixer("HL034")
def beside_network_mode(spot: Spot) -> Change | None:
    """Safe for ports beside the host's network, which do nothing there; unsafe for what is refused today."""
    slot = spot.key or spot.source.at((*spot.home, "ports"))
    if slot is None or slot.key is None:
        return None
    idle = spot.service is not None and spot.service.network_mode == "host" and slot.path[-1] == "ports"
    return Change(f"Remove '{slot.path[-1]}'", spot.edit.remove(slot.path), safe=idle)


@fixer("HL032", safe=False)
def no_health(spot: Spot) -> Change | None:
    """Unsafe: the image may bring a check of its own, and the one that waits may need more than a start."""
    found = re.match(r"It waits until '([^']+)' is healthy", spot.finding.message)
    if found is None:
        return None
    edit = spot.edit.set((*spot.home, "depends_on", found.group(1), "condition"), "service_started")
    return Change("Wait for its start only", edit, safe=False)


@fixer("HL045")
def not_gated(spot: Spot) -> Change | None:
    """Safe: waits for the gateway's own check. None where the file has no check to wait for."""
    service = spot.service
    owner = spot.stack.service(service.network_mode.partition(":")[2]) if service else None
    check = owner.data.get("healthcheck") if owner else None
    if service is None or owner is None or not isinstance(check, dict) or check.get("disable") is True:
        return None
    path: Path = (*spot.home, "depends_on")
    healthy = {"condition": "service_healthy"}
    title = f"Wait until {owner.name!r} is healthy"
    part = service.data.get("depends_on")
    edit = spot.edit
    if part is None:
        return Change(title, edit.add(spot.home, "depends_on", {owner.name: healthy}))
    if isinstance(part, dict):
        options = dependencies(service).get(owner.name)
        if options is None:
            return Change(title, edit.add(path, owner.name, healthy))
        if "condition" in options[1]:
            return Change(title, edit.set((*path, owner.name, "condition"), "service_healthy"))
        return Change(title, edit.add((*path, owner.name), "condition", "service_healthy"))
    return Change(title, _gated_list(spot, path, owner.name)) if isinstance(part, list) else None


def _gated_list(spot: Spot, path: Path, owner: str) -> Edit:
    """A list of dependencies as a mapping: that one healthy, the others started, which is what a list means."""
    edit = spot.edit
    slot = edit.slot(path)
    names = [str(i.text) for _, i in slot.value.children if i.kind == "scalar"]
    if len(names) != len(slot.value.children) or slot.key is None or slot.value.decorated:
        raise EditRefused("It is no plain list.", code="not_a_list")
    options = {n: {"condition": "service_healthy" if n == owner else "service_started"} for n in [*names, owner]}
    if slot.value.flow:
        return edit.replace(path, flow(options), options)
    text = spot.source.text
    span = text[slot.key.start : slot.value.end]
    if "#" in span:
        raise EditRefused("Comments stand inside the list.", code="comment_inside")
    style = yaml_span.style_of(spot.source.layout)
    lines = entry("depends_on", options, spot.source.layout.column(slot.key.start), style)
    edit.text = text[: slot.key.start] + style.newline.join(lines).lstrip(" ") + text[slot.value.end :]
    edit.touched.append(path)
    edit.expected.append((path, options))
    return edit


@fixer("HL121", "HL123")
def kernel_word(spot: Spot) -> Change | None:
    """Safe: the engine refuses the container as it is, and the kernel has one such name only."""
    if spot.finding.rule == "HL121":
        slot = spot.key
        near = (
            nearest(str(slot.path[-1]), rules_limits.ULIMITS) if slot and "no limit" in spot.finding.message else None
        )
        return Change(f"Write {near}", spot.edit.rename(slot.path, near)) if slot and near else None
    slot = spot.value
    value = data_at(spot, slot.path) if slot else None
    if slot is None or not isinstance(value, str):
        return None
    near = nearest(value.upper().removeprefix("CAP_"), rules_limits.CAPABILITIES)
    return Change(f"Write {near}", spot.edit.set(slot.path, near)) if near else None
