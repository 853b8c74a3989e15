"""What the start page shows, and which of its widgets lack a key."""

from __future__ import annotations

from dataclasses import dataclass

from homelab_mcp.core.homepage import MissingKey, missing_keys, page_of
from homelab_mcp.core.homepage_widgets import KINDS
from homelab_mcp.core.labels import made_from
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.model.lab import SETTINGS_FILE
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.ports import Lab
from homelab_mcp.queries.find import read_stacks
from homelab_mcp.queries.on_host import in_view, own_machine


@dataclass(frozen=True, slots=True)
class StartPage:
    """Homepage as the lab's files have it.

    Args:
        where: ``stack/service``; "" where the lab has none.
        entries: ``group / name: address``, a line each.
        missing: widgets that lack a value.
        possible: ``service: where to find what it needs``, of services that could have a widget and have none.
    """

    where: str
    entries: tuple[str, ...]
    missing: tuple[MissingKey, ...]
    possible: tuple[str, ...]


def start_page(lab: Lab) -> StartPage:
    """Read it all from files. Raises NotFound (``lab_not_initialised``), InvalidInput (bad settings)."""
    settings = lab.settings
    seen = view(Snapshot(read_stacks(lab.whole.files), lab.files.read(SETTINGS_FILE)))
    mine = in_view(lab)
    page = page_of(seen)
    entries, possible = [], []
    for service in (s for s in seen.services if mine(s.stack)):
        labels = service.labels
        if labels.get("homepage.group") and labels.get("homepage.name"):
            entries.append(f"{labels['homepage.group']} / {labels['homepage.name']}: {labels.get('homepage.href', '')}")
        kind = KINDS.get(made_from(labels)) or KINDS.get(service.name)
        if kind and not any(k.startswith("homepage.widget") for k in labels):
            possible.append(f"{service.where}: {kind.find or 'nothing'}")
    for name, route in settings.external.items() if own_machine(lab) else ():
        address = f"https://{route.host_name(name, settings.domain)}"
        entries.append(f"{route.group or 'Network'} / {route.shown(name)}: {address}")
    return StartPage(
        page.service.where if page else "",
        tuple(sorted(entries)),
        tuple(m for m in missing_keys(seen) if mine(m.stack)),
        tuple(possible),
    )
