"""How large a tool's answer may be: pages that are cut by bytes, and a last cut of what has no pages.

Clients cut or refuse much longer results, in the middle of whatever stands there (README, "Results").
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel

RESULT_LIMIT = 16_384
"""Bytes of one result's JSON in UTF-8, as text and as structured content."""

ROOM = RESULT_LIMIT - 1_024
"""Bytes that a page is filled to: a mask may be longer than the secret it stands for."""

_NOTE = 600
_LIGHT = 64

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


def bounded(body: dict[str, Any], limit: int = RESULT_LIMIT) -> dict[str, Any]:
    """A result that is within the limit: the ends of its longest lists and texts are left out, and ``cut`` says so.

    For what is masked already: half a secret would not be known as one.
    """
    if weight(body) <= limit:
        return body
    found, gone = copy.deepcopy(body), dict[str, int]()
    left = weight(body) + 1
    while (now := weight(found)) < left and (over := now - limit + _NOTE) > 0:
        left = now
        _lighten(found, over, gone)
    told = ", ".join(f"{name} {count:,}" for name, count in list(gone.items())[:8])
    found["cut"] = f"Left out to fit (rows, or characters of a text): {told}. Ask for less at once."
    return found


def _lighten(found: dict[str, Any], over: int, gone: dict[str, int]) -> None:
    """Take so many bytes, or what there is, from the end of the heaviest list or text."""
    node: Any = found
    name = ""
    while True:
        key = _heaviest(node)
        child, heavy = node[key], weight(node[key])
        name = name if isinstance(node, list) else (f"{name}.{key}" if name else str(key))
        if heavy <= _LIGHT or (node is not found and len(node) > 1 and heavy * 2 < weight(node)):
            # At most half at a time: where several are long, each keeps its beginning.
            share = min(over, weight(node) // 2)
            return _drop(node, share, gone, name if isinstance(node, list) else name.rpartition(".")[0])
        if isinstance(child, str):
            node[key] = _shorter(child, min(over, heavy // 2), heavy)
            gone[name] = gone.get(name, 0) + len(child) - len(node[key])
            return None
        node = child


def _heaviest(node: dict[str, Any] | list[Any]) -> Any:
    keys = range(len(node)) if isinstance(node, list) else node
    return max(keys, key=lambda key: weight(node[key]))


def _drop(node: dict[str, Any] | list[Any], over: int, gone: dict[str, int], name: str) -> None:
    taken = 0
    while taken < over and len(node) > 1:
        last: Any = node.pop() if isinstance(node, list) else node.popitem()
        taken += weight(last)
        gone[name or "fields"] = gone.get(name or "fields", 0) + 1


def _shorter(text: str, over: int, heavy: int) -> str:
    """The text without its end, by whole lines where it has some; ``heavy`` is its weight."""
    kept = text[: max(0, len(text) - 1 - -(-over * len(text) // heavy))]
    line = kept.rfind("\n")
    return f"{kept[: line + 1] if line * 2 > len(kept) else kept}…"
