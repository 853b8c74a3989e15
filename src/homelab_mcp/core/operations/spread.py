"""A wanted form of a stack of several files, reached by edits of those files that say what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core import compose_edit
from homelab_mcp.core.compose_meaning import RECORD, names_in, same
from homelab_mcp.core.operations.stack_as_one import may_write, merged, services_said, with_texts
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.model.errors import EditRefused, HomelabError
from homelab_mcp.model.observed import StackFiles

_ENTRIES = ("environment", "labels")
_NAMED = ("networks", "depends_on")
_GONE = object()

Path = tuple[str, ...]


def without_records(data: Any) -> dict[str, Any]:
    """The data of a stack as far as Compose takes it in: without our own notes, and without sections that are empty.

    What a service's addition brought along is noted for its file, and differs from what it is of all files as one.
    """
    found = {k: v for k, v in (data or {}).items() if v not in (None, {}, [])}
    services = found.get("services")
    if isinstance(services, Mapping):
        found["services"] = {n: _bare(body) for n, body in services.items()}
    return found


def means(stack: StackFiles, wanted: Mapping[str, Any]) -> bool:
    """Whether the stack's files come to that data, which is without our notes."""
    return same(without_records(merged(stack)), wanted)


def spread(stack: StackFiles, wanted: Mapping[str, Any]) -> StackFiles | None:
    """The stack with its files edited to come to ``wanted`` (:func:`without_records`); None where no edits found do."""
    found = stack
    try:
        all_of_them = _differences(without_records(merged(stack)), wanted)
        # What goes comes last: what is said instead keeps its parents there.
        for difference in sorted(all_of_them, key=lambda d: d.then is _GONE):
            found = _with_one(found, difference) or found
    except HomelabError:
        return None
    return found if means(found, wanted) else None


@dataclass(frozen=True, slots=True)
class _Difference:
    """A value at a path that is to be another one; ``_GONE``: is not to be there."""

    path: Path
    now: Any
    then: Any


def _differences(now: Mapping[str, Any], then: Mapping[str, Any]) -> Iterator[_Difference]:
    """What differs, sections that services name first, so that a name is declared before it is used."""
    for key in sorted({*now, *then}, key=lambda k: (k == "services", k)):
        if key != "services":
            yield from _between(now.get(key, _GONE), then.get(key, _GONE), (key,), depth=2)
    old, new = now.get("services") or {}, then.get("services") or {}
    for name in [*old, *(n for n in new if n not in old)]:
        if name in old and name in new:
            yield from _between(old[name], new[name], ("services", name), depth=9)
        else:
            yield _Difference(("services", name), old.get(name, _GONE), new.get(name, _GONE))


def _between(now: Any, then: Any, path: Path, *, depth: int) -> Iterator[_Difference]:
    # A network or dependency of a service is one value: without its options it is still there.
    depth = min(depth, 4) if path[2:3] and path[2] in _NAMED else depth
    if isinstance(now, Mapping) and isinstance(then, Mapping) and len(path) < depth:
        for key in [*now, *(k for k in then if k not in now)]:
            yield from _between(now.get(key, _GONE), then.get(key, _GONE), (*path, str(key)), depth=depth)
    elif now is _GONE or then is _GONE or not same(now, then):
        yield _Difference(path, now, then)


def _with_one(stack: StackFiles, difference: _Difference) -> StackFiles | None:
    """The stack with that difference made in the first file where it holds and nothing else comes of it."""
    before = without_records(merged(stack))
    for path, text in _places(stack, difference.path):
        try:
            after = _edited(text, difference)
        except HomelabError:
            continue
        found = with_texts(stack, {path: after})
        data = without_records(merged(found))
        if data and _only(before, data, difference):
            return found
    return None


def _places(stack: StackFiles, path: Path) -> Iterator[tuple[str, str]]:
    """The files that may say it, the ones that win first; a new service or declaration is the compose file's."""
    own = (*reversed(stack.others), (stack.compose_path, stack.compose_text))
    files = [(p, t) for p, t in (*own, *stack.named) if may_write(p)]
    if path[0] == "services":
        said = [(p, t) for p, t in files if path[1] in services_said(t)]
        yield from said or [f for f in files if f[0] == stack.compose_path]
    else:
        yield from sorted(files, key=lambda f: f[0] != stack.compose_path)


def _edited(text: str, one: _Difference) -> str:
    path, then = one.path, one.then
    services = services_said(text)
    if path[0] == "services" and len(path) == 2:
        if then is _GONE:
            return compose_edit.remove_service(text, path[1])
        return compose_edit.add_service(text, path[1], then)
    if path[0] != "services":
        if not services:
            raise EditRefused("It has no service to speak for.", code="not_here")
        edit = ServiceEdit(text, next(iter(services)))
        return (edit.remove_at(path) if then is _GONE else edit.set_at(path, then)).text
    return _in_service(ServiceEdit(text, path[1]), path[2:], one).text


def _in_service(edit: ServiceEdit, path: Path, one: _Difference) -> ServiceEdit:
    field, then = path[0], one.then
    if field in _ENTRIES and len(path) == 2:
        return edit.remove_entry(field, path[1]) if then is _GONE else _set_entry(edit, field, path[1], then)
    if field in _NAMED and len(path) == 2:
        if then is _GONE:
            return edit.remove_name(field, path[1])
        if isinstance(edit.get(field), Mapping):
            return edit.set(path, then)
        return edit.add_name(field, path[1], then if isinstance(then, Mapping) and then else None)
    lists = isinstance(then, list) and (one.now is _GONE or isinstance(one.now, list))
    if field in _NAMED and len(path) == 1 and lists:
        was, names = names_in(None if one.now is _GONE else one.now), names_in(None if then is _GONE else then)
        for name in names:
            edit.add_name(field, name)
        for name in (n for n in was if n not in names):
            edit.remove_name(field, name)
        return edit
    if then is _GONE:
        return edit.remove(path)
    if lists and edit.items(path):
        gone = [item for item in (() if one.now is _GONE else one.now) if not any(same(item, t) for t in then)]
        edit.remove_items(path, lambda item: any(same(item, g) for g in gone))
        for item in then:
            if one.now is _GONE or not any(same(item, n) for n in one.now):
                edit.add_item(path, item)
        return edit
    return edit.set(path, then)


def _only(before: Mapping[str, Any], after: Mapping[str, Any], one: _Difference) -> bool:
    """Whether nothing differs but at that path, and there it is as wanted."""
    at = list(_differences(before, after))
    return bool(at) and all(d.path[: len(one.path)] == one.path for d in at) and same(_at(after, one.path), one.then)


def _at(data: Any, path: Path) -> Any:
    for key in path:
        if not isinstance(data, Mapping) or key not in data:
            return _GONE
        data = data[key]
    return data


def _bare(body: Any) -> Any:
    return {k: v for k, v in body.items() if k != RECORD} if isinstance(body, Mapping) else body


def _set_entry(edit: ServiceEdit, field: str, key: str, value: Any) -> ServiceEdit:
    if value is not None:
        return edit.set_entry(field, key, _text(value))
    # A variable that is passed on from where Compose runs: its name alone.
    return edit.add_item(field, key) if isinstance(edit.get(field), list) else edit.set((field, key), None)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
