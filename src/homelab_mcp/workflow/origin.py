"""Where the definition behind a plan is from, said to the person who approves."""

from __future__ import annotations

from dataclasses import replace

from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.plan import Draft, Risk, RiskReason
from homelab_mcp.ports import Lab


def with_origin(lab: Lab, definition: ServiceDefinition, draft: Draft) -> Draft:
    """The draft with where its definition is from among its reasons, where that is not this program's own catalog."""
    origin, catalog = lab.catalog.origin(definition.id), lab.catalog.catalog_of(definition.id)
    if not origin:
        return draft
    if not catalog:
        return replace(draft, notes=(*draft.notes, f"Made from the lab's own definition, {origin}."))
    source = lab.settings.catalogs.get(catalog)
    where = f"{source.url} at {source.commit[:12]}" if source else "nobody knows where, as the settings do not say"
    told = (
        f"UNTRUSTED: its definition is from catalog {catalog} ({where}), which is not this program's: nobody here has "
        "checked what its image does. Look at image, volumes and privileges in the diff."
    )
    return replace(draft, risks=(RiskReason(Risk.HIGH, told), *draft.risks))
