"""Adding a service to a compose file and taking it out again, changing nothing else in the file.

The first compose file is somebody's own: comments, anchors, quoting, line endings and order stay as they are. Two
things are proved about every edit before it counts: read again, the file means what it meant, plus or minus exactly
the service; and taking an added service out again gives the very bytes from before.

What an addition brought along (network and volume declarations, Dockge's addresses, a section that was not there)
is listed in the service itself, under ``x-homelab-added``: files are the state, and removal takes out only what is
listed there and no longer used. Why this way: docs/decisions/0002-loss-free-editing.md.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from homelab_mcp.core import yaml_span
from homelab_mcp.core.compose_meaning import (
    DOCKGE,
    RECORD,
    check_meaning,
    form_token,
    named_volumes,
    names_in,
    read,
    services_of,
    tokens_of,
)
from homelab_mcp.core.compose_removal import remove_service, remove_services
from homelab_mcp.core.compose_work import EMPTY_FLOW, NO_FINAL_NEWLINE, NO_GAP, OWN_FORMS, Work
from homelab_mcp.model.errors import EditRefused, InvalidInput

__all__ = ["OWN_FORMS", "add_service", "add_services", "new_document", "remove_service", "remove_services"]


def add_service(
    text: str,
    name: str,
    block: Mapping[str, Any],
    *,
    networks: Mapping[str, Any] | None = None,
    volumes: Mapping[str, Any] | None = None,
    urls: Sequence[str] = (),
) -> str:
    """The compose text with one service more.

    Args:
        text: the compose file; "" for a new one.
        name: the service's key.
        block: the service as plain data.
        networks: top-level network declarations it needs; one that is there already is left as it is.
        volumes: the same for named volumes.
        urls: addresses for Dockge's ``x-dockge.urls``.

    Raises:
        InvalidInput: the file has a service of that name, or is no YAML that can be read (YamlRefused).
        EditRefused: the file is written so that it cannot be added to without touching other lines.
    """
    data = read(text)
    if name in services_of(data):
        raise InvalidInput(f"The stack already has a service called {name!r}.", code="service_exists")
    refusal: EditRefused | None = None
    inherited = tokens_of(data)
    # A blank line may be content (a "|+" text before it), and stays risky for whatever is added there later.
    for gap in (False,) if NO_GAP in inherited else (True, False):
        work = Work(text, copy.deepcopy(data), inherited=inherited, gap=gap)
        try:
            _add(work, name, block, networks or {}, volumes or {}, urls)
            check_meaning(work.text, work.data)
            if remove_service(work.text, name) != text:
                raise EditRefused("Taking the service out again would not restore the file.", code="not_reversible")
        except EditRefused as error:
            refusal = refusal or error
            continue
        return work.text
    assert refusal is not None  # noqa: S101
    raise _explained(refusal, name)


def new_document(
    blocks: Mapping[str, Mapping[str, Any]],
    *,
    networks: Mapping[str, Mapping[str, Any]] | None = None,
    volumes: Mapping[str, Any] | None = None,
    urls: Sequence[str] = (),
) -> str:
    """A new compose file with these services; networks and volumes are declared for the first of them."""
    return add_services("", blocks, networks=networks, volumes=volumes, urls=urls)


def add_services(
    text: str,
    blocks: Mapping[str, Mapping[str, Any]],
    *,
    networks: Mapping[str, Any] | None = None,
    volumes: Mapping[str, Any] | None = None,
    urls: Sequence[str] = (),
) -> str:
    """:func:`add_service` for several, in order: each declares the networks it uses, the first gets the addresses."""
    for index, (name, block) in enumerate(blocks.items()):
        used = set(names_in(block.get("networks")))
        text = add_service(
            text,
            name,
            block,
            networks={k: v for k, v in (networks or {}).items() if k in used},
            volumes={k: v for k, v in (volumes or {}).items() if k in named_volumes(block)},
            urls=urls if index == 0 else (),
        )
    return text


def _add(
    work: Work,
    name: str,
    block: Mapping[str, Any],
    networks: Mapping[str, Any],
    volumes: Mapping[str, Any],
    urls: Sequence[str],
) -> None:
    ended = not work.text or work.text.endswith("\n")
    if "services" not in work.data:
        work.text = yaml_span.append_section(work.text, "services", None, gap=work.gap)
        work.note("section:services", added=True)
    _unfold_empty_services(work)
    _declare(work, "volumes", volumes)
    _declare(work, "networks", networks)
    _add_urls(work, urls)
    if not work.gap:
        work.note(NO_GAP, added=True)
    # Every insertion ends its line: a text that ends in one now, and did not, was added to at its end.
    grown = _insert(work.text, name, {}, gap=work.gap).endswith("\n")
    work.note(NO_FINAL_NEWLINE, added=not ended and grown)
    for token in (NO_FINAL_NEWLINE, "section:services"):
        work.note(token, added=False)
    full = dict(block)
    if work.record:
        full[RECORD] = list(work.record)
    work.data["services"] = {**services_of(work.data), name: full}
    work.text = _insert(work.text, name, full, gap=work.gap)


def _insert(text: str, name: str, block: Mapping[str, Any], *, gap: bool) -> str:
    return yaml_span.insert_entry(text, ("services",), name, block, gap=gap)


def _unfold_empty_services(work: Work) -> None:
    unfolded = yaml_span.unfold(work.text, "services")
    if unfolded != work.text:
        work.text = unfolded
        work.data["services"] = None
        work.note(EMPTY_FLOW, added=True)


def _declare(work: Work, section: str, wanted: Mapping[str, Any]) -> None:
    for name, value in wanted.items():
        present = work.data.get(section)
        if section not in work.data:
            work.text = yaml_span.append_section(work.text, section, {name: value}, gap=work.gap)
            work.note(f"section:{section}", added=True)
        elif name not in (present or {}):
            work.text = yaml_span.insert_entry(work.text, (section,), name, value)
        work.note(f"{section}:{name}", added=name not in (present or {}))
        if value not in OWN_FORMS:
            work.note(form_token(section, name, value), added=name not in (present or {}))
        work.note(f"section:{section}", added=False)
        work.data[section] = {name: value, **(present or {})}


def _add_urls(work: Work, urls: Sequence[str]) -> None:
    for url in urls:
        dockge = work.data.get(DOCKGE)
        present = (dockge or {}).get("urls") if isinstance(dockge or {}, dict) else None
        if DOCKGE not in work.data:
            work.text = yaml_span.append_section(work.text, DOCKGE, {"urls": [url]}, gap=work.gap)
            work.note(f"section:{DOCKGE}", added=True)
        elif "urls" not in (dockge or {}):
            work.text = yaml_span.insert_entry(work.text, (DOCKGE,), "urls", [url])
            work.note(f"section:{DOCKGE}.urls", added=True)
        elif url not in (present or ()):
            work.text = yaml_span.insert_item(work.text, (DOCKGE, "urls"), url)
        work.note(f"url:{url}", added=url not in (present or ()))
        work.note(f"section:{DOCKGE}", added=False)
        work.note(f"section:{DOCKGE}.urls", added=False)
        fresh = list(present or ())
        work.data[DOCKGE] = {**(dockge or {}), "urls": fresh if url in fresh else [*fresh, url]}


def _explained(error: EditRefused, name: str) -> EditRefused:
    return EditRefused(
        f"{name} cannot be added without touching other lines of the file: {error.message}",
        code=error.code,
        hint="Write 'services', 'networks' and 'volumes' in block style (one key a line), or use another stack.",
        details=error.details,
    )
