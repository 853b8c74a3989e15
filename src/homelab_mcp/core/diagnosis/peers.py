"""Others that it needs: their names, the networks between, and how they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from homelab_mcp.core.diagnosis.clues import control_other, diagnose_other, literal, quoted, repair, said, settle_other
from homelab_mcp.model.diagnosis import Cause, Facts, Other, Remedy

_NAME = r"[\"'`]?(?:https?://|tcp://|\w+://)?([A-Za-z0-9][A-Za-z0-9_.-]{0,80})"
_UNRESOLVED = (
    rf"bad address {_NAME}|could not resolve host:? {_NAME}|getaddrinfo (?:ENOTFOUND|EAI_AGAIN) {_NAME}|"
    rf"lookup {_NAME}[^:]{{0,60}}: (?:no such host|server misbehaving|Temporary failure|i/o timeout)|"
    rf"could not translate host name {_NAME}|Name or service not known.{{0,20}}?{_NAME}|"
    rf"(?:unknown|unresolved) (?:MySQL server )?host:? {_NAME}|(?:can't|cannot|unable to) resolve (?:host )?{_NAME}|"
    rf"host not found in upstream {_NAME}|Temporary failure in name resolution"
)
_REFUSED = (
    rf"(?:can't|cannot|could not|unable to|failed to) connect to (?:remote host |server at |server |host )?\(?{_NAME}|"
    rf"connect ECONNREFUSED {_NAME}|dial tcp {_NAME}[^ ]*: connect: connection refused|"
    rf"connection to (?:server at )?{_NAME}[^:]{{0,40}}(?:failed|refused)|{_NAME}:\d+:? connection refused"
)


def causes(f: Facts) -> Iterator[Cause]:
    """Dependencies, names that do not resolve, connections that are refused, a gateway that is away."""
    yield from _gateway(f)
    yield from _dependencies(f)
    yield from _names(f)
    yield from _connections(f)


def _gateway(f: Facts) -> Iterator[Cause]:
    gateway = f.other(f.gateway) if f.gateway else None
    if gateway is None or not (gateway.down or gateway.health == "unhealthy"):
        return
    seen: tuple[str, ...] = (
        f"it uses the network of {gateway.where}",
        f"{gateway.where}: {gateway.health or gateway.state}",
    )
    fix = settle_other(f, gateway)
    yield Cause("gateway_down", 0.96, f"The VPN gateway {gateway.where} does not work.", seen, fix)


def _dependencies(f: Facts) -> Iterator[Cause]:
    waits = f.one is None or f.one.state.state == "created" or not f.runs or bool(f.one.state.restart_count)
    for name in f.depends:
        other = f.other(name)
        if other is None or (not other.down and other.health != "unhealthy"):
            continue
        seen: tuple[str, ...] = (
            f"depends_on {name}",
            f"{other.where}: {other.state}{f', {other.health}' if other.health else ''}",
        )
        sure = 0.9 if waits else 0.5
        if other.down:
            fix = settle_other(f, other)
            yield Cause("dependency_down", sure, f"{other.where}, which it needs, does not run.", seen, fix)
        else:
            fix = diagnose_other(other.stack, other.service)
            yield Cause("dependency_unhealthy", sure, f"{other.where}, which it needs, is unhealthy.", seen, fix)


def _names(f: Facts) -> Iterator[Cause]:
    found = said(f, _UNRESOLVED)
    if found is None:
        return
    name = _group(found).partition(":")[0].rstrip(".")
    one = f.one
    if one and one.network_mode == "none":
        fix = repair(f, "Put it on its stack's network (`network_mode: none` goes).", "networked")
        yield Cause("no_network", 0.95, "It has no network at all.", (quoted(found), "network_mode: none"), fix)
        return
    other = f.other(name)
    if other is not None and other.down:
        seen: tuple[str, ...] = (quoted(found), f"{other.where}: {other.state}")
        fix = control_other(f, other.stack, other.service)
        yield Cause("dependency_down", 0.93, f"{other.where}, which it looks for, does not run.", seen, fix)
    elif other is not None and not _share(f, other):
        yield Cause(
            "no_shared_network",
            0.93,
            f"It shares no network with {other.where}.",
            _apart(f, other, found),
            _connect(f, other),
        )
    elif name and "." not in name:
        near = get_close_matches(name, sorted({o.service for o in f.others}), n=1, cutoff=0.6)
        seen = (quoted(found), f"the lab has no service {name}", *(f"it has {n}" for n in near))
        meant = f"; {near[0]} may be meant" if near else ""
        fix = Remedy(f"Correct the name where it is set (a variable or a file of the service){meant}.")
        if near and literal(f, name):
            fix = repair(f, f"Look for {near[0]} instead.", f"rename_host:{name}>{near[0]}")
        yield Cause("wrong_service_name", 0.9, f"It looks for {name}, which nobody is called{meant}.", seen, fix)
    else:
        fix = Remedy("Look at the host's DNS (/etc/resolv.conf, Pi-hole or AdGuard), and at the engine's `dns`.")
        yield Cause("dns_fails", 0.8, f"It cannot resolve {name or 'names'}.", (quoted(found),), fix)


def _connections(f: Facts) -> Iterator[Cause]:
    found = said(f, _REFUSED)
    if found is None:
        return
    name = _group(found).partition(":")[0]
    other = f.other(name)
    if other is not None and other.down:
        seen: tuple[str, ...] = (quoted(found), f"{other.where}: {other.state}")
        fix = control_other(f, other.stack, other.service)
        yield Cause("dependency_down", 0.92, f"{other.where}, which it connects to, does not run.", seen, fix)
    elif name in {"localhost", "127.0.0.1"} or name.startswith("127."):
        fix = Remedy("Inside a container, localhost is the container: give the other service's name instead.")
        yield Cause("localhost_meant", 0.85, "It looks for another service on localhost.", (quoted(found),), fix)
    elif other is not None:
        port = re.search(r":(\d{2,5})", found.string[found.start() :])
        seen = (quoted(found), f"{other.where}: {other.state}")
        fix = Remedy(f"Give the port that {other.where} listens on{f', not {port[1]}' if port else ''}.")
        yield Cause("peer_wrong_port", 0.72, f"{other.where} runs, but nothing answers there.", seen, fix)


def reach(f: Facts, other: Other) -> tuple[Cause, ...]:
    """What keeps this service from reaching that one, asked without any log line."""
    found = list(causes(f))
    if other.down:
        fix = control_other(f, other.stack, other.service)
        found.append(Cause("dependency_down", 0.9, f"{other.where} does not run.", (f"state: {other.state}",), fix))
    if f.one and not _share(f, other) and not f.gateway:
        found.append(
            Cause(
                "no_shared_network",
                0.92,
                f"It shares no network with {other.where}.",
                _apart(f, other),
                _connect(f, other),
            )
        )
    return tuple(sorted(found, key=lambda c: -c.confidence))


def _group(found: re.Match[str]) -> str:
    return next((g for g in found.groups() if g), "")


def _mine(f: Facts) -> frozenset[str]:
    return frozenset(f.one.state.networks) if f.one else frozenset()


def _share(f: Facts, other: Other) -> bool:
    return bool(_mine(f) & other.networks)


def _apart(f: Facts, other: Other, found: re.Match[str] | None = None) -> tuple[str, ...]:
    here, there = ", ".join(sorted(_mine(f))) or "none", ", ".join(sorted(other.networks)) or "none"
    return (*([quoted(found)] if found else []), f"it is on {here}", f"{other.where} is on {there}")


def _connect(f: Facts, other: Other) -> Remedy:
    arguments = {"a": f"{f.stack}/{f.service}", "b": other.where}
    return Remedy(f"Connect it with {other.where}.", "connect_services", arguments)
