"""How large a tool's answer may be: pages that are cut by bytes, and a last cut of what has no pages.

Clients cut or refuse much longer results, in the middle of whatever stands there (README, "Results").
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from pydantic import BaseModel

RESULT_LIMIT = 16_384
"""Bytes of one result's JSON in UTF-8, as text and as structured content."""

ROOM = RESULT_LIMIT - 1_024
"""Bytes that a page is filled to: a mask may be longer than the secret it stands for."""

_NOTE = 600
"""Bytes kept free for ``cut``, which names so many places at most, by so many characters each."""
_NAMES, _NAME = 8, 60

_LIGHT = 64
"""Bytes of a row below which there is nothing to shorten in it."""
_LEAST = 8
"""Bytes that a text keeps, or a list, before a whole field is dropped."""

Model = TypeVar("Model", bound=BaseModel)


def weight(value: Any) -> int:
    """Bytes of a model or of JSON-ready data, written compactly."""
    if isinstance(value, BaseModel):
        return len(value.model_dump_json(exclude_none=True).encode())
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"))


def fitting(make: Callable[[int], Model], most: int) -> Model:
    """The page with as many rows as a result takes, ``most`` of them at the most, and one however long it is.

    Args:
        make: the page with its first so many rows, and the place of the next one where there are more.
        most: rows that were asked for and are there.
    """
    whole = make(most)
    if most <= 1 or weight(whole) <= ROOM:
        return whole
    fits, over = 1, most
    while over - fits > 1:
        middle = (fits + over) // 2
        if weight(make(middle)) <= ROOM:
            fits = middle
        else:
            over = middle
    return make(fits)


def next_offset(offset: int, shown: int, total: int) -> int | None:
    """Where the page after this one begins; None where this one is the last."""
    return offset + shown if offset + shown < total else None


def bounded(body: dict[str, Any], limit: int = RESULT_LIMIT, keep: Collection[str] = ()) -> dict[str, Any]:
    """A result that is within the limit: the ends of its longest lists and texts are left out, and ``cut`` says so.

    For what is masked already: half a secret would not be known as one.

    Args:
        body: the result.
        limit: bytes.
        keep: names of fields that the client must send back to the letter.
    """
    if weight(body) <= limit:
        return body
    gone: dict[str, int] = {}
    found = _fields(body, limit - _NOTE, gone, keep)
    found["cut"] = _told(gone)
    return found


def _told(gone: dict[str, int]) -> str:
    """What was left out, within the room that is kept for it: names may come from files, and be of any length."""
    parts: list[str] = []
    for name, count in gone.items():
        part = f"{name if len(name) <= _NAME else name[: _NAME - 1] + '…'} {count:,}"
        if len(parts) == _NAMES or weight([*parts, part]) > _NOTE - 120:
            parts.append("and more")
            break
        parts.append(part)
    return f"Left out to fit (rows, or characters of a text): {', '.join(parts)}. Ask for less at once."


def _fields(body: dict[str, Any], room: int, gone: dict[str, int], keep: Collection[str]) -> dict[str, Any]:
    """The result's own fields, the longest shortened to one length.

    A field is dropped only where even the shortest do not fit, the longest first: a short one is what a reader needs.
    """
    names = {key: weight(key) + 2 for key in body}
    heavy = {key: weight(value) for key, value in body.items()}
    lighter = dict(body)
    # Of short ones the last: the first say what it is.
    order = sorted((key for key in body if key not in keep), key=lambda key: max(heavy[key], _LIGHT))
    least = sum(names[key] + (heavy[key] if key in keep else min(heavy[key], _LEAST)) for key in body)
    while order and least > room and len(lighter) > 1:
        last = order.pop()
        least -= names[last] + min(heavy[last], _LEAST)
        del lighter[last]
        _count(gone, "fields", 1)
    # The longest come last: what a short one leaves is for those after it.
    order.sort(key=lambda key: heavy[key])
    left = room - sum(names[key] + (heavy[key] if key in keep else 0) for key in lighter)
    for at, key in enumerate(order):
        share = max(left // (len(order) - at), 0)
        if heavy[key] > share:
            lighter[key] = _lighter(body[key], heavy[key], share, gone, key)
            heavy[key] = weight(lighter[key])
        left -= heavy[key]
    for key in sorted(order, key=lambda key: -heavy[key]):
        # What cannot be made shorter, such as one name that is longer than a result.
        if left >= 0 or len(lighter) == 1:
            break
        left += names[key] + heavy[key]
        del lighter[key]
        _count(gone, "fields", 1)
    return lighter


def _lighter(value: Any, heavy: int, room: int, gone: dict[str, int], name: str) -> Any:
    """The value, which weighs ``heavy``, within so many bytes, or as near to them as it goes."""
    if isinstance(value, str):
        kept = _shorter(value, room)
        _count(gone, name, len(value) - len(kept))
        return kept
    if not value or not isinstance(value, (list, dict)):
        return value
    keys: list[Any] = list(range(len(value))) if isinstance(value, list) else list(value)
    names = {key: 1 if isinstance(value, list) else weight(key) + 2 for key in keys}
    weights = {key: weight(value[key]) for key in keys}
    found = dict(zip(keys, value, strict=True)) if isinstance(value, list) else dict(value)
    now = heavy

    def shorten(key: Any, share: int) -> int:
        path = name if isinstance(value, list) else f"{name}.{key}"
        found[key] = _lighter(found[key], weights[key], share, gone, path)
        weights[key], before = weight(found[key]), weights[key]
        return before - weights[key]

    most = max(keys, key=lambda key: weights[key])
    if weights[most] * 2 >= heavy:
        # At most by half where others stand beside it: each keeps its beginning.
        now -= shorten(most, max(room - (heavy - weights[most]), room // 2))
    while now > room and len(found) > 1:
        last = keys[-1]
        rest = now - weights[last]
        if room - rest > room // 4:
            # Without this one much of the room would be empty.
            now -= shorten(last, room - rest)
            if now <= room:
                break
        keys.pop()
        del found[last]
        now -= weights[last] + names[last]
        _count(gone, name, 1)
    if now > room and weights[keys[0]] > _LIGHT:
        now -= shorten(keys[0], room - (now - weights[keys[0]]))
    if isinstance(value, dict):
        return found
    if now > room:
        _count(gone, name, len(found))
        return []
    return list(found.values())


def _count(gone: dict[str, int], name: str, more: int) -> None:
    gone[name] = gone.get(name, 0) + more


def _shorter(text: str, room: int) -> str:
    """The text without its end, within so many bytes of JSON, by whole lines where it has some."""
    fits, over = 0, min(len(text), max(room, 0)) + 1
    while over - fits > 1:
        middle = (fits + over) // 2
        if weight(text[:middle] + "…") <= room:
            fits = middle
        else:
            over = middle
    kept = text[:fits]
    line = kept.rfind("\n")
    return f"{kept[: line + 1] if line * 2 > len(kept) else kept}…"
