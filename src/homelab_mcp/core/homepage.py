"""Homepage: where its files are, its list of external services, and the widgets that services have there.

Facts: gethomepage/homepage ``docs/configs/services.md``, ``docs/configs/docker.md`` (labels; ``{{HOMEPAGE_VAR_X}}`` is
filled in there as well, ``src/utils/config/service-helpers.js``), ``docs/installation/docker.md`` and
``docs/widgets/services/*.md`` (v1.13).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.homepage_elsewhere import entry_of, told_of
from homelab_mcp.core.host_routes import HostRoute
from homelab_mcp.core.labels import COMPANION_OF, SERVICE
from homelab_mcp.core.operations.lab_view import Known, LabView
from homelab_mcp.core.service_facts import environment_of, folder_at
from homelab_mcp.core.yaml12 import YamlRefused, load
from homelab_mcp.core.yaml_emit import Style, entry
from homelab_mcp.model.errors import NotFound
from homelab_mcp.model.lab import LOCAL, LabSettings

HOMEPAGE = "homepage"
CONFIG_TARGET = "/app/config"
SERVICES = "services.yaml"

_BEGIN = "# homelab-mcp: external services, made anew by every plan"
_INSTEAD = f"{_BEGIN}, in place of []"
_OPEN = f"{_BEGIN}, after a line that had no end"
_END = "# homelab-mcp: end"
_BLOCK = re.compile(
    rf"^{_BEGIN}(?P<how>, in place of \[\]|, after a line that had no end)?\n.*?^{_END}\n", re.DOTALL | re.MULTILINE
)
_EMPTY = re.compile(r"^\[\][ \t]*\n", re.MULTILINE)
_VARIABLE = re.compile(r"\{\{(HOMEPAGE_VAR_[A-Z0-9_]+)\}\}")


@dataclass(frozen=True, slots=True)
class Page:
    """The lab's Homepage: its compose service, and the folder of its files, relative to the lab's root."""

    service: Known
    folder: str

    def path(self, name: str) -> str:
        """A file of its folder, relative to the lab's root."""
        return f"{self.folder}/{name}"


def page_of(lab: LabView) -> Page | None:
    """The lab's Homepage on this machine, where its ``/app/config`` is a folder of the lab: files reach no other."""
    for service in lab.on(LOCAL).services:
        image = str(service.data.get("image", "")).partition("@")[0]
        ours = service.labels.get(SERVICE) == HOMEPAGE and not service.labels.get(COMPANION_OF)
        if ours or re.search(r"(^|/)gethomepage/homepage(:|$)", image):
            folder = folder_at(service, CONFIG_TARGET)
            if folder:
                return Page(service, folder)
    return None


def the_page(lab: LabView) -> Page:
    """As :func:`page_of`. Raises NotFound (code ``no_homepage``)."""
    found = page_of(lab)
    if found is None:
        raise NotFound(
            "The lab has no Homepage whose /app/config is a folder of the lab.",
            hint="Add it first: add_service homepage.",
            code="no_homepage",
        )
    return found


def external_entries(settings: LabSettings, elsewhere: Iterable[HostRoute] = ()) -> list[dict[str, Any]]:
    """The external services and those on other hosts as Homepage lists them: groups by name, services by name in them.

    Homepage finds this machine's containers by itself and has no way to ask another host's Docker.
    """
    reached = {r.service.where: r for r in reversed(list(elsewhere)) if r.url}
    groups: dict[str, list[dict[str, Any]]] = {}
    for name, route in sorted(settings.external.items()):
        told: dict[str, Any] = {"href": f"https://{route.host_name(name, settings.domain)}{route.path}"}
        if route.icon:
            told["icon"] = route.icon
        if route.description:
            told["description"] = route.description
        # The machine itself: through Traefik only the log-in would answer.
        told["siteMonitor"] = route.url
        groups.setdefault(route.group or "Network", []).append({route.shown(name): told})
    for _, one in sorted(reached.items()):
        name, group = told_of(one.service, "name"), told_of(one.service, "group")
        if name and group:
            groups.setdefault(group, []).append({name: entry_of(one)})
    return [{group: entries} for group, entries in sorted(groups.items())]


def with_external(text: str | None, settings: LabSettings, elsewhere: Iterable[HostRoute] = ()) -> str | None:
    """``services.yaml`` with the external services between our marks, and everything else as it is.

    None stands for no file. A text that could not be added to (a list in brackets, no YAML) is given back as it is.
    """
    wanted = external_entries(settings, elsewhere)
    bare = _without(text)
    if not wanted:
        return bare
    block = "\n".join(entry("x", wanted, 0, Style(indented_lists=False))[1:]) + f"\n{_END}\n"
    base = bare or ""
    instead = _EMPTY.search(base)
    if instead:
        after = f"{base[: instead.start()]}{_INSTEAD}\n{block}{base[instead.end() :]}"
    else:
        ended = not base or base.endswith("\n")
        after = f"{base}{_BEGIN}\n{block}" if ended else f"{base}\n{_OPEN}\n{block}"
    return after if _adds(bare, after, wanted) and _without(after) == (bare or "") else text


def _without(text: str | None) -> str | None:
    if text is None:
        return None
    found = _BLOCK.search(text)
    if found is None:
        return text
    how = found["how"] or ""
    start = found.start() - (1 if "no end" in how else 0)
    return text[:start] + ("[]\n" if "[]" in how else "") + text[found.end() :]


def _adds(before: str | None, after: str, wanted: list[dict[str, Any]]) -> bool:
    """Whether the new text means the old list and ours."""
    try:
        old, new = load(before or "") or [], load(after)
    except YamlRefused:
        return False
    return (
        isinstance(old, list)
        and isinstance(new, list)
        and len(new) == len(old) + len(wanted)
        and (all(item in new for item in old) and all(item in new for item in wanted))
    )


@dataclass(frozen=True, slots=True)
class MissingKey:
    """A widget that lacks a value: the service, the variable, and the stack whose ``.env`` it belongs to."""

    service: str
    variable: str
    stack: str


def missing_keys(lab: LabView) -> Iterator[MissingKey]:
    """Widgets whose variable Homepage does not get, or gets empty."""
    page = page_of(lab)
    if page is None:
        return
    given = environment_of(page.service)
    for service in lab.services:
        for key, value in service.labels.items():
            if key.startswith("homepage.widget"):
                for name in _VARIABLE.findall(value):
                    if name not in given or not page.service.env.get(name):
                        yield MissingKey(service.where, name, page.service.stack)
