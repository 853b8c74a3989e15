"""Change Homepage's own page: title, looks, the widgets at its top, and bookmarks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from homelab_mcp.core import yaml_put
from homelab_mcp.core.homepage import the_page
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.operations.request import _Request
from homelab_mcp.core.yaml12 import Path, YamlRefused, load
from homelab_mcp.core.yaml_emit import Style, entry
from homelab_mcp.model.errors import EditRefused, InvalidInput
from homelab_mcp.model.lab import LabSettings
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Draft, FileEdit, Risk, RiskReason

Info = Literal["resources", "search", "datetime", "weather"]
COLORS = (
    "slate gray zinc neutral stone red orange amber yellow lime green emerald teal cyan sky blue indigo violet purple"
)
COLORS += " fuchsia pink rose white"
_SEARCH = ("google", "duckduckgo", "bing", "baidu", "brave")
_WEATHER = "openmeteo"
_PLACE = re.compile(r"(-?\d{1,2}(?:\.\d{1,6})?), ?(-?\d{1,3}(?:\.\d{1,6})?)")
Line = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class SetHomepageRequest(_Request):
    """What is to change; "" and empty leave a part as it is."""

    title: Line = ""
    theme: Literal["", "dark", "light"] = ""
    color: Line = ""
    show: tuple[Info, ...] = ()
    hide: tuple[Info, ...] = ()
    search: Line = Field(default="", description="google, duckduckgo, bing, baidu or brave.")
    place: Line = Field(default="", description="Latitude, longitude: whose weather is shown.")
    bookmark: Line = Field(default="", description="Name of a bookmark, in 'group'.")
    group: Line = "Bookmarks"
    href: Line = Field(default="", description="The bookmark's address; empty removes it.")


def set_homepage(
    snapshot: Snapshot, settings: LabSettings, request: SetHomepageRequest, *, read: Callable[[str], str | None]
) -> Draft:
    """A draft that edits Homepage's own files without loss. Homepage reads them at the next visit.

    Raises:
        NotFound: no Homepage (``no_homepage``).
        InvalidInput: a value that Homepage does not know (``bad_value``), or nothing to do.
        EditRefused: a file is written so that it cannot be changed alone.
    """
    page = the_page(view(snapshot))
    _check(request)
    texts: dict[str, str] = {
        name: read(page.path(name)) or "" for name in ("settings.yaml", "widgets.yaml", "bookmarks.yaml")
    }
    before = dict(texts)
    for key in ("title", "theme", "color"):
        if value := getattr(request, key):
            texts["settings.yaml"] = _put(texts["settings.yaml"], (key,), value)
    for name in request.hide:
        texts["widgets.yaml"] = _without(texts["widgets.yaml"], _WEATHER if name == "weather" else name)
    for widget, options in _info(request, settings).items():
        texts["widgets.yaml"] = _with(texts["widgets.yaml"], widget, options)
    if request.bookmark:
        texts["bookmarks.yaml"] = _bookmark(texts["bookmarks.yaml"], request)
    edits = tuple(
        FileEdit(page.path(name), before[name] or None, text) for name, text in texts.items() if text != before[name]
    )
    if not edits:
        raise InvalidInput("The page already is as asked.", hint="No plan is needed.", code="nothing_to_do")
    return Draft(
        operation="set_homepage",
        summary=f"Homepage: change {', '.join(e.path.rpartition('/')[2] for e in edits)}",
        edits=edits,
        actions=(),
        risks=(RiskReason(Risk.LOW, "Changes how the start page looks."),),
        notes=("Homepage shows it at the next visit.",),
        undo="Roll this plan back.",
        target=page.service.name,
    )


def _check(request: SetHomepageRequest) -> None:
    problems = {
        "color": bool(request.color) and request.color not in COLORS.split(),
        "search": bool(request.search) and request.search not in _SEARCH,
        "place": bool(request.place) and not _PLACE.fullmatch(request.place),
        "href": bool(request.href) and urlsplit(request.href).scheme not in ("http", "https"),
        "bookmark": bool(request.href) and not request.bookmark,
        "group": not request.group,
        "hide": bool(set(request.show) & set(request.hide)),
    }
    hints = {
        "color": f"One of {COLORS}.",
        "search": f"One of {', '.join(_SEARCH)}.",
        "place": "Latitude, longitude, such as 52.52, 13.41.",
        "href": "An http or https address.",
        "bookmark": "A bookmark has a name and an address.",
        "group": "A bookmark stands in a group.",
        "hide": "Show or hide, not both.",
    }
    for name, wrong in problems.items():
        if wrong:
            raise InvalidInput(f"{name} does not fit.", hint=hints[name], code="bad_value")


def _info(request: SetHomepageRequest, settings: LabSettings) -> dict[str, dict[str, Any]]:
    """The widgets at the page's top that are to be there, by Homepage's own names, with their options."""
    wanted = [*request.show, *(["search"] if request.search else []), *(["weather"] if request.place else [])]
    found: dict[str, dict[str, Any]] = {}
    for name in wanted:
        match name:
            case "resources":
                found["resources"] = {"cpu": True, "memory": True}
            case "datetime":
                found["datetime"] = {"text_size": "xl", "format": {"dateStyle": "long", "timeStyle": "short"}}
            case "search":
                found["search"] = {"provider": request.search or "duckduckgo", "target": "_blank"}
            case _:
                place = _PLACE.fullmatch(request.place)
                where = {"latitude": float(place[1]), "longitude": float(place[2])} if place else {}
                # Without a place the visitor's browser is asked for one.
                found[_WEATHER] = {**where, "timezone": settings.timezone, "units": "metric", "cache": 15}
    return found


def _with(text: str, name: str, options: Mapping[str, Any]) -> str:
    """The list with that widget: changed where it is, else added at its end."""
    items = _list(text)
    place = next((n for n, item in enumerate(items) if isinstance(item, dict) and name in item), None)
    if place is None:
        return _appended(text, items, {name: dict(options)})
    old = items[place][name]
    return _put(text, (place, name), {**(old if isinstance(old, dict) else {}), **options})


def _without(text: str, name: str) -> str:
    for place, item in reversed(list(enumerate(_list(text)))):
        if isinstance(item, dict) and set(item) == {name}:
            text = _checked(
                yaml_put.drop(text, (place,), prune=False), [i for i in _list(text) if i is not item and i != item]
            )
    return text


def _bookmark(text: str, request: SetHomepageRequest) -> str:
    items = _list(text)
    mark = {request.bookmark: [{"abbr": request.bookmark[:2].upper(), "href": request.href}]}
    for n, group in enumerate(items):
        marks = group.get(request.group) if isinstance(group, dict) else None
        if not isinstance(marks, list):
            continue
        for m, one in enumerate(marks):
            if isinstance(one, dict) and request.bookmark in one:
                if not request.href and len(marks) == 1:
                    return _checked(yaml_put.drop(text, (n,), prune=False), items[:n] + items[n + 1 :])
                if not request.href:
                    wanted = [*items[:n], {request.group: marks[:m] + marks[m + 1 :]}, *items[n + 1 :]]
                    return _checked(yaml_put.drop(text, (n, request.group, m), prune=False), wanted)
                return _put(text, (n, request.group, m, request.bookmark), mark[request.bookmark])
        if request.href:
            return _put(text, (n, request.group), [*marks, mark])
    return _appended(text, items, {request.group: [mark]}) if request.href else text


def _list(text: str) -> list[Any]:
    try:
        data = load(text) if text.strip() else []
    except YamlRefused as error:
        raise EditRefused(f"The file cannot be read: {error.message}", code="edit_broke_file") from None
    if data is not None and not isinstance(data, list):
        raise EditRefused("The file holds no list.", hint="Correct it first.", code="not_a_list")
    return data or []


def _appended(text: str, items: list[Any], item: dict[str, Any]) -> str:
    lines = entry("x", [item], 0, Style(indented_lists=False))[1:]
    base = text if items else re.sub(r"^\[\][ \t]*$\n?", "", text, flags=re.MULTILINE)
    gap = "" if not base or base.endswith("\n") else "\n"
    return _checked(f"{base}{gap}" + "".join(f"{line}\n" for line in lines), [*items, item])


def _put(text: str, path: Path, value: Any) -> str:
    wanted = load(text) if text.strip() else {}
    yaml_put.set_in(wanted, path, value)
    return _checked(yaml_put.put(text, path, value), wanted)


def _checked(text: str, wanted: Any) -> str:
    if (load(text) or type(wanted)()) != wanted:
        raise EditRefused("The file would not read back as meant.", hint="Change it by hand.", code="edit_changed_more")
    return text
