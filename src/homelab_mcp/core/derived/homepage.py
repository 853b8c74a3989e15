"""Homepage's entries of what runs outside of the lab; those of the lab's own services are their labels."""

from __future__ import annotations

from collections.abc import Iterator

from homelab_mcp.core.derived import DerivedFile, LabAfter
from homelab_mcp.core.derived.host_routes import routes_of
from homelab_mcp.core.homepage import SERVICES, page_of, with_external


def homepage_services(lab: LabAfter) -> Iterator[DerivedFile]:
    """``services.yaml``: a person's file, of which only the part between our marks follows from the lab."""
    page = page_of(lab.view)
    if page is None:
        return
    path = page.path(SERVICES)
    before = lab.read(path)
    after = with_external(before, lab.settings, routes_of(lab))
    if after is not None:
        yield DerivedFile(path, after, f"{path} lists what is 'external' in homelab.yaml, or on another host.")
