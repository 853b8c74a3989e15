"""Taking a service out of a compose file, with what its addition brought along and nothing else uses any more."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from homelab_mcp.core import yaml_layout, yaml_span
from homelab_mcp.core.compose_meaning import (
    DOCKGE,
    check_meaning,
    form_token,
    networks_used,
    read,
    record_of,
    services_of,
    tokens_of,
    volumes_used,
)
from homelab_mcp.core.compose_work import EMPTY_FLOW, NO_FINAL_NEWLINE, NO_GAP, OWN_FORMS, Work
from homelab_mcp.model.errors import NotFound


def remove_service(text: str, name: str) -> str:
    """The compose text without one service, and without what its addition brought along and nothing else uses.

    Raises:
        NotFound: the file has no such service.
        EditRefused: others need the service's lines (an anchor), or they cannot be cut out alone.
    """
    data = read(text)
    if name not in services_of(data):
        raise NotFound(f"The file has no service called {name!r}.", code="service_unknown")
    service = data["services"][name]
    record = record_of(service)
    others = {k: v for k, v in data["services"].items() if k != name}
    work = Work(text, copy.deepcopy(data), inherited=tokens_of({"services": others}))
    ours = bool(record)
    work.text = yaml_span.remove_entry(
        text, ("services", name), gap=NO_GAP not in record and (ours or _stands_apart(text, name))
    )
    del work.data["services"][name]
    _remove_declared(work, record, others)
    _remove_urls(work, record)
    _remove_sections(work, record)
    _restore_layout(work, record)
    check_meaning(work.text, work.data)
    return work.text


def remove_services(text: str, names: Iterable[str]) -> str:
    """:func:`remove_service` for several, the last one first."""
    for name in reversed(list(names)):
        text = remove_service(text, name)
    return text


def _remove_declared(work: Work, record: Sequence[str], others: Mapping[str, Any]) -> None:
    for section, used in (("networks", networks_used(others)), ("volumes", volumes_used(others))):
        for name in (t.partition(":")[2] for t in record if t.startswith(f"{section}:")):
            present = work.data.get(section) or {}
            token = f"{section}:{name}"
            ours = name in present and (
                present[name] in OWN_FORMS or form_token(section, name, present[name]) in record
            )
            if ours and name not in used and token not in work.inherited:
                work.text = yaml_span.remove_entry(work.text, (section, name))
                del work.data[section][name]


def _remove_urls(work: Work, record: Sequence[str]) -> None:
    for token in (t for t in record if t.startswith("url:") and t not in work.inherited):
        url = token.removeprefix("url:")
        dockge = work.data.get(DOCKGE)
        urls = dockge.get("urls") if isinstance(dockge, dict) else None
        if isinstance(dockge, dict) and isinstance(urls, list) and url in urls:
            work.text = yaml_span.remove_item(work.text, (DOCKGE, "urls"), url)
            dockge["urls"] = [u for i, u in enumerate(urls) if i != len(urls) - 1 - urls[::-1].index(url)]


def _remove_sections(work: Work, record: Sequence[str]) -> None:
    gap = NO_GAP not in record
    for token in (t for t in record if t.startswith("section:") and t not in work.inherited):
        path = token.removeprefix("section:").split(".")
        parent = work.data
        for part in path[:-1]:
            parent = parent.get(part) or {}
        value = parent.get(path[-1])
        leftover = value if path != [DOCKGE] or not value else {k: v for k, v in value.items() if k != "urls" or v}
        if path[-1] in parent and not leftover:
            work.text = yaml_span.remove_entry(work.text, path, gap=gap and len(path) == 1)
            del parent[path[-1]]


def _restore_layout(work: Work, record: Sequence[str]) -> None:
    if EMPTY_FLOW in record and not work.data.get("services"):
        work.text = yaml_span.fold(work.text, "services")
    if NO_FINAL_NEWLINE in record and NO_FINAL_NEWLINE not in work.inherited:
        work.text = work.text.removesuffix("\n").removesuffix("\r")


def _stands_apart(text: str, name: str) -> bool:
    """True when blank lines stand both before and after a service, so that one of them can go with it."""
    layout = yaml_layout.read(text)
    found = layout.find("services", name)
    if found is None:
        return False
    after = layout.line_end(max(found[0].end, found[1].end))
    return not text[after : layout.line_end(after)].strip()
