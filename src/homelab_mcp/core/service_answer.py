"""What a service answered, cut to what was asked for: kept fields, a page, no secrets, nothing invisible."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from homelab_mcp.core.redact import MASK
from homelab_mcp.core.service_api import at
from homelab_mcp.model.service_api import Operation

ROOM = 11_000
"""Characters of a page as JSON; a result of a tool has 16,384 for everything."""

TEXT = 600
_DEPTH, _LIST, _KEYS = 6, 40, 60
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET = frozenset(
    {"password", "passwd", "passphrase", "secret", "token", "apikey", "passkey", "cookie", "credential"}
)
_KEY_OF = frozenset({"api", "private", "access", "auth", "secret", "encryption", "session", "license", "recovery"})


def data_of(content_type: str, body: bytes) -> Any:
    """The answer as data where it is JSON, else its text."""
    text = body.decode("utf-8", "replace")
    if "json" in content_type.lower() or text[:1] in ("{", "["):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def secret_field(name: str) -> bool:
    """Whether a field's name says that its value is a secret: by whole words, so that ``author`` is none."""
    words = [w.lower() for w in _WORDS.findall(name)]
    pairs = pairwise(words)
    return bool(_SECRET & {w.rstrip("s") for w in words}) or any(b == "key" and a in _KEY_OF for a, b in pairs)


def shaped(data: Any, operation: Operation, hide: Callable[[str], str], *, limit: int, offset: int) -> dict[str, Any]:
    """The part of an answer that is shown.

    Args:
        data: the answer.
        operation: whose; its ``items`` and ``keep``.
        hide: masks and cleans one text.
        limit: items at most; fewer where they are large.
        offset: how many to leave out.

    Returns: ``items`` with ``total`` and, where there are more, ``next_offset``; or ``data`` for one thing.
    """
    found = at(data, operation.items) if operation.items else data
    if not isinstance(found, list):
        return {"data": _kept(found, operation.keep, hide)}
    shown: list[Any] = []
    room = ROOM
    for one in found[offset : offset + limit]:
        item = _kept(one, operation.keep, hide)
        room -= len(json.dumps(item, ensure_ascii=False)) + 1
        if room < 0 and shown:
            break
        shown.append(item if room >= 0 else _cut(item))
    seen = offset + len(shown)
    page: dict[str, Any] = {"items": shown, "total": len(found)}
    return {**page, "next_offset": seen} if seen < len(found) else page


def plain(data: Any, hide: Callable[[str], str]) -> Any:
    """All of an answer, cut, without secrets."""
    return _within(_plain(data, hide, _DEPTH))


def _kept(item: Any, keep: list[str], hide: Callable[[str], str]) -> Any:
    if keep and isinstance(item, Mapping):
        picked = {path: at(item, path) for path in keep}
        item = {path: MASK if secret_field(path) else value for path, value in picked.items() if value is not None}
    return plain(item, hide)


def _plain(value: Any, hide: Callable[[str], str], depth: int) -> Any:
    if isinstance(value, str):
        text = hide(value)
        return text if len(text) <= TEXT else f"{text[:TEXT]}…"
    if isinstance(value, bool) or value is None or isinstance(value, (int, float)):
        return value
    if depth == 0:
        return "…"
    if isinstance(value, Mapping):
        rows = list(value.items())[:_KEYS]
        return {
            hide(str(k))[:80]: MASK
            if v not in (None, "", False) and secret_field(str(k))
            else _plain(v, hide, depth - 1)
            for k, v in rows
        }
    if isinstance(value, list):
        more = [f"… {len(value) - _LIST} more"] if len(value) > _LIST else []
        return [*(_plain(one, hide, depth - 1) for one in value[:_LIST]), *more]
    return "…"


def _within(value: Any) -> Any:
    return value if len(json.dumps(value, ensure_ascii=False)) <= ROOM else _cut(value)


def _cut(value: Any) -> Any:
    """What is too large for an answer, as the beginning of its text."""
    return f"{json.dumps(value, ensure_ascii=False)[: ROOM // 2]}… (cut)"
