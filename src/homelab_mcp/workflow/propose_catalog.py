"""Plans that take another's catalog into the lab and out of it, and what catalogs there are."""

from __future__ import annotations

from pydantic import BaseModel

from homelab_mcp.core.operations.catalogs import add_catalog, chosen, remove_catalog
from homelab_mcp.core.settings import parse_settings
from homelab_mcp.model.catalog_source import CATALOG_FOLDER, CatalogName, CatalogSource
from homelab_mcp.model.errors import NotFound
from homelab_mcp.model.lab import SETTINGS_FILE
from homelab_mcp.model.plan import Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of, request_of


class _Named(BaseModel):
    name: CatalogName


def propose_catalog(lab: Lab, name: str, url: str, commit: str, folder: str, requester: Requester) -> Plan:
    """A plan that takes a catalog at a commit, or another commit of one that is there.

    Raises:
        NotFound: ``lab_not_initialised``, ``no_commit``.
        InvalidInput: a name, address or commit that does not fit; ``empty_catalog``; ``nothing_to_do``.
        HomelabError: ``fetch_failed``.
    """
    request_of(_Named, name=name)
    old = lab.settings.catalogs.get(name)
    values = {"url": url or (old.url if old else ""), "folder": folder or (old.folder if old else "")}
    source = request_of(CatalogSource, commit=commit, **values)
    texts = lab.repositories.files(source.url, source.commit, source.folder)
    known = [d for d in lab.catalog.all() if lab.catalog.catalog_of(d.id) != name]
    draft = add_catalog(name, source, chosen(texts, known), read=lab.files.read, present=_present(lab, name))
    return plan_of(lab, draft, planner(lab).snapshot(containers=False), requester)


def propose_remove_catalog(lab: Lab, name: str, requester: Requester) -> Plan:
    """A plan that takes a catalog out. Raises NotFound (``catalog_unknown``), EditRefused."""
    if name not in lab.settings.catalogs:
        known = ", ".join(lab.settings.catalogs) or "none yet"
        raise NotFound(f"There is no catalog {name[:60]!r}.", hint=f"There are: {known}.", code="catalog_unknown")
    draft = remove_catalog(name, read=lab.files.read, present=_present(lab, name))
    return plan_of(lab, draft, planner(lab).snapshot(containers=False), requester)


def catalog_rows(lab: Lab) -> list[dict[str, str | int]]:
    """Every catalog of others as a row: name, url, commit, and how many services are from it."""
    text = lab.files.read(SETTINGS_FILE)
    listed = parse_settings(text).catalogs if text is not None else {}
    counted = [lab.catalog.catalog_of(record.id) for record in lab.catalog.records()]
    return [
        {"name": name, "url": source.url, "commit": source.commit, "services": counted.count(name)}
        for name, source in sorted(listed.items())
    ]


def _present(lab: Lab, name: str) -> list[str]:
    return [path for path in lab.files.listing(f"{CATALOG_FOLDER}/{name}") if path.endswith(".yaml")]
