"""What a plan opens, by the lab's files before and after it: ports, hosts without log-in, the core that all else needs.

An operation names the risks that it knows of itself. These hold for every plan, so that none gets past the stricter
approval by a way that nobody thought of: a roll-back may open again what a person closed.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from homelab_mcp.core.access import RouteAccess, accesses
from homelab_mcp.core.labels import CATEGORY
from homelab_mcp.core.operations.lab_view import Known, LabView, expand, view
from homelab_mcp.core.settings import parse_settings
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import COMPOSE_NAMES, OVERRIDE_NAMES, LabSettings
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import ActionKind, Draft, Risk, RiskReason

CORE_TOLD = "Touches the core stack, which every route depends on."
_CORE = "core"
_CORE_FILES = frozenset({*COMPOSE_NAMES, *OVERRIDE_NAMES, ".env"})
_AWAY = frozenset({ActionKind.UP, ActionKind.REMOVE, ActionKind.RECREATE, ActionKind.STOP, ActionKind.PAUSE})
"""What leaves the core's services as others or not there; a restart of them is as a restart anywhere."""
_WIDEST = 1000


def what_opens(draft: Draft, before: Snapshot, after: Snapshot) -> list[RiskReason]:
    """Reasons for a high risk that follow from the files alone.

    Args:
        draft: the edits and actions.
        before: the lab as it is, of the stacks that the draft is about.
        after: the same as the draft leaves it.
    """
    old, new = view(before), view(after)
    told = [CORE_TOLD] if _touches_core(draft, (*old.services, *new.services)) else []
    told += _ports(old, new)
    if settings := _settings(before, after):
        told += _doors(old, new, settings)
        told += _external(*settings)
    return [RiskReason(Risk.HIGH, one) for one in dict.fromkeys(told)]


def _touches_core(draft: Draft, services: Sequence[Known]) -> bool:
    for edit in (e for e in (*draft.edits, *draft.adopts) if not e.derived):
        stack, _, name = edit.path.partition("/")
        if stack == _CORE and name in _CORE_FILES:
            return True
    core = {(s.stack, s.name) for s in services if s.stack == _CORE or s.labels.get(CATEGORY) == _CORE}
    return any(
        (a.stack == _CORE and not a.services) or {(a.stack, s) for s in a.services} & core
        for a in draft.actions
        if a.kind in _AWAY
    )


def _ports(old: LabView, new: LabView) -> Iterator[str]:
    """Who publishes what nobody published before."""
    had = {one for s in old.services for one, _ in _published(s)}
    on_host = {s.where for s in old.services if s.data.get("network_mode") == "host"}
    for service in new.services:
        more = [text for one, text in _published(service) if one not in had and ("", *one[1:]) not in had]
        if more:
            yield f"{service.name} publishes {', '.join(dict.fromkeys(more))} on the host."
        if service.data.get("network_mode") == "host" and service.where not in on_host:
            yield f"{service.name} uses the host's own network."


def _published(service: Known) -> Iterator[tuple[tuple[str, str, str], str]]:
    """((address or "" for all, port, protocol), as it is written) of what others than this machine can reach."""
    ports = service.data.get("ports")
    for port in ports if isinstance(ports, list) else []:
        text = expand(_short(port), service.env)
        body, _, protocol = text.partition("/")
        address, first, last = _parts(body)
        if _is_loopback(address):
            continue
        if first.isdigit() and (last or first).isdigit():
            numbers = range(int(first), min(int(last or first), int(first) + _WIDEST) + 1)
            yield from (((address, str(n), protocol or "tcp"), _short(port)) for n in numbers)
        else:
            # A port of the engine's choice, or one that a variable says which nobody knows here.
            yield (address, body, protocol or "tcp"), _short(port)


def _short(port: Any) -> str:
    if not isinstance(port, Mapping):
        return str(port)
    parts = [str(port[k]) for k in ("host_ip", "published", "target") if port.get(k) not in (None, "")]
    return ":".join(parts) + (f"/{port['protocol']}" if port.get("protocol") else "")


def _parts(body: str) -> tuple[str, str, str]:
    """Address ("" for all), first and last port on the host ("" where the engine chooses) of ``[IP:][HOST:]TARGET``."""
    rest, _, _ = body.rpartition(":")
    address, _, host = rest.rpartition(":")
    address = address.strip("[]")
    first, _, last = host.partition("-")
    return ("" if address in {"0.0.0.0", "::"} else address), first, last  # noqa: S104 - to be told apart


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _settings(before: Snapshot, after: Snapshot) -> tuple[LabSettings, LabSettings] | None:
    try:
        return parse_settings(before.settings_text or ""), parse_settings(after.settings_text or "")
    except HomelabError:
        return None


def _doors(old: LabView, new: LabView, settings: tuple[LabSettings, LabSettings]) -> Iterator[str]:
    """Hosts that ask for less than before."""
    was = {a.host: a for a in accesses(old, settings[0].sso_middleware, settings[0].domain)}
    for now in accesses(new, settings[1].sso_middleware, settings[1].domain):
        then = was.get(now.host)
        if then is not None and then.policy != "bypass":
            yield from _less(then, now)


def _less(then: RouteAccess, now: RouteAccess) -> Iterator[str]:
    # Quoted, as the words may be a model's.
    if now.policy == "bypass":
        yield f"{now.where} is reached without the lab's log-in: {json.dumps(now.why)}"
    elif then.policy == "two_factor" and now.policy != "two_factor":
        yield f"{now.where} asks for no second factor any more."
    elif then.groups and not now.groups:
        yield f"{now.where} lets everyone pass who has logged in."
    elif then.groups and not set(now.groups) <= set(then.groups):
        yield f"{now.where} lets more groups pass."
    elif opened := sorted({p for p, _ in now.open_paths} - {p for p, _ in then.open_paths}):
        yield f"{now.where} is reached without the lab's log-in below {', '.join(opened)}."


def _external(old: LabSettings, new: LabSettings) -> Iterator[str]:
    for name, now in new.external.items():
        then = old.external.get(name)
        if then is None or then.sso == "bypass":
            continue
        if now.sso == "bypass":
            yield f"{name} is reached without the lab's log-in: {json.dumps(now.sso_reason)}"
        elif then.sso == "two_factor" and now.sso != "two_factor":
            yield f"{name} asks for no second factor any more."
        elif then.sso_groups and (not now.sso_groups or not set(now.sso_groups) <= set(then.sso_groups)):
            yield f"{name} lets more people pass."
