"""Fixes of Traefik's labels."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.fix_edit import Change, Edit, Spot, entry_edit, nearest
from homelab_mcp.core.checks.fixes import fixer
from homelab_mcp.core.checks.images import asks_for_login
from homelab_mcp.core.checks.rule_repair import repaired
from homelab_mcp.core.checks.rules_traefik_wiring import reaches_nobody
from homelab_mcp.core.checks.view import Entry

_MEANT = re.compile(r"Did you mean '([^']+)'\?\Z")
_WORD = re.compile(r"(?:no option|no middleware|service has no) '([^']+)'")


def _labels(spot: Spot, ending: str = "") -> Iterable[Entry]:
    return (e for e in spot.entries("labels") if e.key.lower().endswith(ending))


def _set(spot: Spot, entry: Entry, value: str) -> Edit:
    return entry_edit(spot.edit, (*spot.home, *entry.path), entry, value)


def add_label(spot: Spot, key: str, value: str) -> Edit:
    """One label more, in the form the service's labels have."""
    path = (*spot.home, "labels")
    part = spot.service.data.get("labels") if spot.service else None
    if isinstance(part, list):
        return spot.edit.push(path, f"{key}={value}")
    return spot.edit.add(path, key, value)


@fixer("HL060")
def host_port(spot: Spot) -> Change | None:
    """Safe: on the host's port nothing listens inside Docker's network; the file says which port does."""
    match = re.search(r"listens on ([0-9]+)\.\Z", spot.finding.message)
    for entry in _labels(spot, ".port") if match else ():
        port = match.group(1) if match else ""
        return Change(f"Write {port}, the container's port", _set(spot, entry, port))
    return None


@fixer("HL061", safe=False)
def unknown_port(spot: Spot) -> Change | None:
    """Unsafe: the container may listen on ports that the file does not name. Only where it names one."""
    match = re.search(r"named here are ([0-9]+), not", spot.finding.message)
    for entry in _labels(spot, ".port") if match else ():
        port = match.group(1) if match else ""
        return Change(f"Write {port}, the port named here", _set(spot, entry, port), safe=False)
    return None


@fixer("HL064")
def bad_rule(spot: Spot) -> Change | None:
    """Safe: Traefik drops the router as it is; only quotes, joins, brackets and misspelt matchers are put right."""
    for entry in _labels(spot, ".rule"):
        meant = repaired(entry.raw, tl.version(spot.lab))
        return Change(f"Write {meant}", _set(spot, entry, meant)) if meant else None
    return None


@fixer("HL065")
def unknown_label(spot: Spot) -> Change | None:
    """Safe: Traefik refuses the container's labels as they are, and one known word only is near."""
    meant = _MEANT.search(spot.finding.message)
    for entry in _labels(spot) if meant and spot.service else ():
        near = (meant.group(1) if meant else "").removeprefix("traefik.")
        parts = entry.key.split(".")
        wrong = _WORD.search(spot.finding.message)
        at = _where(parts, spot.finding.message, wrong.group(1) if wrong else "")
        if at is None:
            return None
        start, end = at
        old = ".".join(parts[start:end])
        key = ".".join([*parts[:start], near, *parts[end:]])
        bracket = old.find("[")
        if bracket >= 0:
            key = ".".join([*parts[:start], near + old[bracket:], *parts[end:]])
        taken = {k.lower() for k in spot.service.labels} if spot.service else set()
        if nearest(old.partition("[")[0], [near], 0.6) is None or key.lower() in taken:
            return None
        edit = spot.edit
        path = (*spot.home, *entry.path)
        if isinstance(path[-1], int):
            tail = "" if entry.value is None else f"={entry.raw}"
            return Change(f"Write {key}", edit.set(path, key + tail))
        return Change(f"Write {key}", edit.rename(path, key))
    return None


def _where(parts: list[str], message: str, wrong: str) -> tuple[int, int] | None:
    """Which parts of a label's key the message calls wrong."""
    if "no such label" in message:
        return (1, 2) if "'traefik." in message else (2, 3) if len(parts) > 2 else None
    if "a router has no option" in message:
        return (4, len(parts))
    if wrong and len(parts) > 4 and parts[4].lower() == wrong:
        return (4, 5)
    return (5, 6) if wrong and len(parts) > 5 and parts[5].lower().partition("[")[0] == wrong else None


@fixer("HL066")
def unknown_service(spot: Spot) -> Change | None:
    """Safe for a slip in the name of one that the container's own labels define. Unsafe else: it opens another."""
    by_label = {name for s in spot.lab.services for name, _, _ in tl.http_labels(s, "services")}
    beside = {name for name, _, _ in tl.http_labels(spot.service, "services")} if spot.service else set()
    for entry in _labels(spot, ".service"):
        name, at, provider = entry.raw.partition("@")
        if provider == "file":
            known: Collection[str] = spot.lab.traefik_files.names("services") or ()
        else:
            # Where not all labels are seen, another one may define the very name.
            known = by_label if spot.lab.labels_seen else ()
        near = nearest(name, known, 0.6)
        safe = provider != "file" and near in beside and _is_slip(name, near or "")
        if near is None or not (safe or nearest(name, [near])):
            return None
        return Change(f"Write {near}", _set(spot, entry, f"{near}{at}{provider}"), safe=safe)
    return None


def _is_slip(written: str, meant: str) -> bool:
    """True where each word is nearly the other's, or its letters in another order, and no number differs."""
    one, other = (re.split(r"[-_.]+", text.lower()) for text in (written, meant))
    if len(one) != len(other) or re.findall("[0-9]+", written) != re.findall("[0-9]+", meant):
        return False
    return all(sorted(a) == sorted(b) or nearest(a, [b]) for a, b in zip(one, other, strict=True))


@fixer("HL068")
def unknown_middleware(spot: Spot) -> Change | None:
    """Safe for a slip of letters: Traefik refuses the router as it is. Unsafe else: it may ask less of who comes."""
    known = {name for s in spot.lab.services for name, _, _ in tl.http_labels(s, "middlewares")}
    told = re.search(r"No label defines '([^']+)'", spot.finding.message)
    for entry in _labels(spot, "middlewares") if told and spot.lab.labels_seen else ():
        wrong = told.group(1) if told else ""
        bare, at, provider = wrong.partition("@")
        near = nearest(bare, known)
        parts = entry.raw.split(",")
        if near is None or wrong not in (part.strip() for part in parts):
            return None
        value = ",".join(p.replace(wrong, f"{near}{at}{provider}") if p.strip() == wrong else p for p in parts)
        # One of Traefik's files has the very name: then its provider was forgotten.
        in_files = bare in (spot.lab.traefik_files.names("middlewares") or ())
        return Change(f"Write {near}", _set(spot, entry, value), safe=_is_slip(bare, near) and not in_files)
    return None


@fixer("HL069")
def network_name(spot: Spot) -> Change | None:
    """Safe: the label must have the engine's name of the network that it means."""
    match = re.search(r"calls this network '([^']+)'", spot.finding.message)
    for entry in _labels(spot, "traefik.docker.network") if match else ():
        name = match.group(1) if match else ""
        return Change(f"Write {name}", _set(spot, entry, name))
    return None


@fixer("HL070")
def no_tls(spot: Spot) -> Change | None:
    """Safe where only HTTPS comes to the router: nobody uses the route today. Unsafe else: with TLS it leaves HTTP."""
    for entry in _labels(spot, ".entrypoints"):
        router = next((r for r in tl.all_routers(spot.lab) if r.options.get("entrypoints") is entry), None)
        safe = router is not None and reaches_nobody(spot.lab, router)
        key = f"{entry.key.rpartition('.')[0]}.tls"
        return Change("Switch TLS on for the router", add_label(spot, key, "true"), safe=safe)
    return None


@fixer("HL071")
def unknown_entry_point(spot: Spot) -> Change | None:
    """Safe: Traefik drops the router as it is, and one entry point (resolver) of its options is near."""
    static = tl.static_config(spot.lab)
    for entry in _labels(spot) if static else ():
        resolver = entry.key.lower().endswith(".certresolver")
        known = (static.resolvers if resolver else static.entry_points) if static else ()
        names = [n.strip() for n in entry.raw.split(",")]
        meant = [n if n.lower() in known or "$" in n else nearest(n, known, 0.7) for n in names]
        if None in meant or meant == names:
            return None
        value = ",".join(str(m) for m in meant)
        return Change(f"Write {value}", _set(spot, entry, value))
    return None


@fixer("HL074")
def bad_value(spot: Spot) -> Change | None:
    """Safe: Traefik leaves the container out as it is, and the word can only have meant true or false."""
    for entry in _labels(spot, "traefik.enable"):
        word = entry.raw.strip().lower()
        fixed = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(word)
        meant = fixed or nearest(word, ("true", "false"), 0.7)
        return Change(f"Write {meant}", _set(spot, entry, meant)) if meant else None
    return None


@fixer("HL076", safe=False)
def not_enabled(spot: Spot) -> Change | None:
    """Unsafe: it opens a service to the network that nobody could reach so far."""
    return Change("Add traefik.enable=true", add_label(spot, "traefik.enable", "true"), safe=False)


@fixer("HL078")
def which_network(spot: Spot) -> Change | None:
    """Safe where the service shares one network only with Traefik: no other can be meant."""
    traefik, service = spot.lab.traefik, spot.service
    shared = sorted(service.real_networks & traefik.real_networks) if traefik and service else []
    if len(shared) != 1 or "$" in shared[0]:
        return None
    return Change(f"Name the network {shared[0]}", add_label(spot, "traefik.docker.network", shared[0]))


@fixer("HL080", safe=False)
def no_log_in(spot: Spot) -> Change | None:
    """Unsafe: a program with a log-in of its own, or one that apps call, may not work behind another."""
    used = [m for r in tl.all_routers(spot.lab) for m in r.middlewares if asks_for_login(m)]
    if not used or spot.service is None:
        return None
    middleware = max(sorted(set(used)), key=used.count)
    provider = middleware if "@" in middleware else f"{middleware}@docker"
    for entry in _labels(spot):
        match = re.match(r"(traefik\.http\.routers\.[^.]+)\.", entry.key, re.IGNORECASE)
        router = next((r for r in tl.routers(spot.service) if match and r.name == match.group(1).split(".")[3]), None)
        if match is None or router is None:
            return None
        title = f"Ask for log-in ({provider})"
        own = router.options.get("middlewares")
        if own is not None:
            return Change(title, _set(spot, own, f"{provider},{own.raw}"), safe=False)
        return Change(title, add_label(spot, f"{match.group(1)}.middlewares", provider), safe=False)
    return None


@fixer("HL084")
def empty_group(spot: Spot) -> Change | None:
    """Safe: nobody is in the group, and one group of the lab has nearly that name."""
    groups = {s.label("sablier.group") for s in spot.lab.services if s.label("sablier.enable").lower() == "true"}
    for entry in _labels(spot, ".group"):
        near = nearest(entry.raw, groups - {""}, 0.6)
        return Change(f"Write {near}", _set(spot, entry, near)) if near else None
    return None
