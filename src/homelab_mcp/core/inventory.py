"""The lab's own page: what runs, where it is reached, who may pass, where its data is, and what needs what.

Made from files alone, without a clock: the same lab gives the same page, so that undoing a change undoes the page too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from homelab_mcp.core.access import RouteAccess, all_routes, explained, owner_of, routers_of
from homelab_mcp.core.backup_coverage import Coverage, coverage_of
from homelab_mcp.core.inventory_diagram import diagram
from homelab_mcp.core.labels import COMPANION_OF, SERVICE
from homelab_mcp.core.needs import needs_of, networks_of
from homelab_mcp.core.operations.lab_view import Known, LabView, expand
from homelab_mcp.core.operations.stack_paths import Root
from homelab_mcp.model.definition import LAB_VARIABLES, ServiceDefinition
from homelab_mcp.model.errors import NotFound
from homelab_mcp.model.lab import LabSettings

PAGE = "INVENTORY.md"
BEGIN = "<!-- homelab-mcp: made anew by every apply from here to the end mark; write above or below -->"
END = "<!-- homelab-mcp: end -->"

_BLOCK = re.compile(rf"{re.escape(BEGIN)}.*?{re.escape(END)}\n?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Entry:
    """One service on the page; lists are sorted as its files have them."""

    service: Known
    routes: tuple[RouteAccess, ...]
    definition: ServiceDefinition | None
    needs: tuple[str, ...]
    networks: tuple[str, ...]


def entries(lab: LabView, settings: LabSettings, find: Callable[[str], ServiceDefinition]) -> list[Entry]:
    """Every service of the lab with what the page tells of it, by stack and name."""
    by_host = {a.host: a for a in all_routes(lab, settings)}
    routes: dict[str, dict[str, RouteAccess]] = {}
    for carrier in lab.services:
        for router in routers_of(carrier.labels):
            owner = owner_of(lab, carrier, router.name).where
            for host in router.hosts:
                if host in by_host:
                    routes.setdefault(owner, {})[host] = by_host[host]
    found = []
    for service in sorted(lab.services, key=lambda s: (s.stack, s.name)):
        mine = tuple(routes.get(service.where, {}).values())
        found.append(
            Entry(service, mine, _definition(service, find), needs_of(service, lab), networks_of(service.data))
        )
    return found


def block(
    lab: LabView,
    settings: LabSettings,
    find: Callable[[str], ServiceDefinition],
    read: Callable[[str], str | None] = lambda _: None,
    *,
    root: Root = "",
) -> str:
    """The part of the page that is made, marks and all.

    Args:
        lab: the lab's services.
        settings: the lab's.
        find: a definition by id; raises NotFound.
        read: the text of a file of the lab, or None; it says what the backup covers.
        root: the lab's on its machine.
    """
    known = entries(lab, settings, find)
    saved = coverage_of(lab, settings.backup_paths, _or_none(find), read, root=root)
    external = elsewhere_of(lab, settings, known)
    parts = [
        BEGIN,
        f"## What runs in {settings.domain}",
        "",
        *(_services(known) or ["Nothing yet."]),
        *_section("Reached by name", _routes(known, external)),
        *_section("Where the data is", _data(known, saved)),
        *_section("What needs what", [f"- {line}" for line in _needs(known)]),
        *_section("How it hangs together", diagram(known, external)),
    ]
    if lab.unreadable:
        parts += ["", f"Not on this page, as they cannot be read: {', '.join(map(_plain, lab.unreadable))}."]
    return "\n".join([*parts, "", END]) + "\n"


def elsewhere_of(lab: LabView, settings: LabSettings, known: Sequence[Entry]) -> list[RouteAccess]:
    """Routes that lead to no service of the lab."""
    named = {r.host for e in known for r in e.routes}
    return [a for a in all_routes(lab, settings) if a.host not in named]


def merged(page: str | None, made: str) -> str:
    """The page with its made part as it must be; what people wrote around it stays, byte for byte.

    Args:
        page: the page as it is, None where there is none.
        made: the made part.
    """
    if page is None:
        return f"# Inventory\n\nWrite what you like above or below the marks.\n\n{made}"
    if not _BLOCK.search(page):
        gap = "" if not page or page.endswith("\n\n") else "\n" if page.endswith("\n") else "\n\n"
        return f"{page}{gap}{made}"
    return _BLOCK.sub(lambda _: made, page, count=1)


def is_kept(page: str | None) -> bool:
    """Whether a page is ours to keep fresh: it has the marks. Taking them out, or the page away, switches it off."""
    return page is not None and _BLOCK.search(page) is not None


def _definition(service: Known, find: Callable[[str], ServiceDefinition]) -> ServiceDefinition | None:
    name = service.labels.get(SERVICE)
    if not name or service.labels.get(COMPANION_OF):
        return None
    try:
        return find(name)
    except NotFound:
        return None


def _services(known: Iterable[Entry]) -> list[str]:
    rows = []
    for entry in known:
        ports = sorted(entry.service.published())
        told = ", ".join(f"{port}{'' if protocol == 'tcp' else f'/{protocol}'}" for port, protocol in ports)
        what = entry.definition.summary if entry.definition else _companion(entry.service)
        image = str(entry.service.data.get("image", ""))
        rows.append((entry.service.name, entry.service.stack, what, told, f"`{image}`" if image else ""))
    return _table(("Service", "Stack", "What it is", "Ports on the host", "Image"), rows)


def _companion(service: Known) -> str:
    owner = service.labels.get(COMPANION_OF)
    return f"for {owner}" if owner else ""


def _routes(known: Iterable[Entry], elsewhere: Iterable[RouteAccess]) -> list[str]:
    rows = [(f"https://{r.host}", r.where, "; ".join(explained(r))) for e in known for r in e.routes]
    rows += [(f"https://{r.host}", r.where, "; ".join(explained(r))) for r in elsewhere]
    return _table(("Address", "Service", "Who may pass"), sorted(rows))


def _or_none(find: Callable[[str], ServiceDefinition]) -> Callable[[str], ServiceDefinition | None]:
    def found(name: str) -> ServiceDefinition | None:
        try:
            return find(name)
        except NotFound:
            return None

    return found


def _data(known: Iterable[Entry], saved: Coverage) -> list[str]:
    rows = []
    for entry in known:
        paths = list(_paths(entry.service))
        kept = entry.definition.backup if entry.definition else None
        if not paths and kept is None:
            continue
        note = kept.notes if kept else ""
        if kept and kept.dump:
            note = f"{note} Dump first: `{' '.join(kept.dump)}`"
        where = entry.service.where
        rows.append((where, ", ".join(f"`{p}`" for p in paths), saved.services.get(where, ""), note))
    table = _table(("Service", "Folders and volumes", "Backed up", "What a copy needs"), rows)
    return [_plain(saved.told), "", *table] if table else []


def _paths(service: Known) -> Iterator[str]:
    shown = {name: service.env[name] for name in LAB_VARIABLES if service.env.get(name)}
    volumes = service.data.get("volumes")
    for volume in volumes if isinstance(volumes, list) else ():
        source = str(volume.get("source", "")) if isinstance(volume, Mapping) else str(volume).partition(":")[0]
        if not isinstance(volume, Mapping) and ":" not in str(volume):
            continue
        if source and not source.endswith("docker.sock"):
            text = expand(source, shown)
            yield f"{service.stack}/{text.removeprefix('./')}" if text.startswith("./") else text


def _needs(known: Iterable[Entry]) -> Iterator[str]:
    for entry in known:
        if entry.needs:
            yield f"{_plain(entry.service.where)}: {', '.join(map(_plain, entry.needs))}"


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"### {title}", "", *lines] if lines else []


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    used = [n for n in range(len(head)) if any(row[n] for row in rows)]
    lines = [[head[n] for n in used], ["---"] * len(used), *([_cell(row[n]) for n in used] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    """Text on one line that cannot end the part or begin a tag: labels and names may be anybody's."""
    return " ".join(text.split()).replace("<", "&lt;")
