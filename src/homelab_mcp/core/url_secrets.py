"""What is secret in an address: its log-in, keys in its query, and tokens in its path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from homelab_mcp.core.redact import is_secret_name
from homelab_mcp.core.redact_forms import SHORTEST
from homelab_mcp.core.redact_shapes import has_token, looks_random

_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]{1,30}:(?://|\?)[^\s\"'<>]+", re.IGNORECASE)
# newznab's "r" is the key of who asks (its API's page on RSS); "sig" signs shared links of several stores.
_SHORT_NAMES = frozenset({"r", "sig"})
# discord.com/developers/docs/resources/webhook; docs.slack.dev, "Incoming webhooks"; core.telegram.org/bots/api.
_HOOKS = (
    re.compile(r"/api(?:/v\d+)?/webhooks/\d+/([\w-]{20,})"),
    re.compile(r"/(?:services|workflows)/T\w+/\w+/(\w{16,})"),
    re.compile(r"/bot(\d+:[\w-]{30,})"),
    # A tracker's key of who downloads stands before its announce.
    re.compile(r"/([0-9A-Za-z]{20,64})/announce"),
)
_MOST_DEEP = 2


def secrets_of_addresses(values: object) -> tuple[str, ...]:
    """Every secret part of the addresses in these values, in order, each once; none shorter than is searched for.

    Args:
        values: texts, and lists and mappings of them at any depth; anything else has none.
    """
    return tuple(dict.fromkeys(part for text in _texts(values) for part in _in_text(text) if len(part) >= SHORTEST))


def elsewhere(values: object) -> str:
    """All of these values but their addresses, names of fields included: what a person judges a call by."""
    return "\n".join(_ADDRESS.sub(" ", text) for text in _texts(values, names=True))


def _texts(value: Any, *, names: bool = False) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            if names:
                yield str(name)
            yield from _texts(one, names=names)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one, names=names)
    elif names and value is not None:
        yield str(value)


def _in_text(text: str, deep: int = 0) -> Iterator[str]:
    for match in _ADDRESS.finditer(text):
        try:
            parts = urlsplit(match[0])
        except ValueError:
            # No address after all; its log-in is one all the same where it has the form of one.
            continue
        yield from _login(parts)
        yield from _of_path(parts.path)
        for name, value in _pairs(parts):
            if is_secret_name(name) or name.lower() in _SHORT_NAMES or has_token(value):
                yield value
            elif deep < _MOST_DEEP:
                yield from _in_text(value, deep + 1)


def _login(parts: SplitResult) -> Iterable[str]:
    login, at, _ = parts.netloc.rpartition("@")
    if not at:
        return ()
    user, _, password = login.partition(":")
    # A name alone before a web address is a token: people log in with two words.
    secret = password or (user if parts.scheme in ("http", "https") else "")
    if not secret:
        return ()
    # A short one is no word that can be searched for by itself: then all that stands around it goes.
    return (secret, unquote(secret)) if len(secret) >= SHORTEST else (f"//{login}@",)


def _of_path(path: str) -> Iterator[str]:
    for hook in _HOOKS:
        yield from (match[1] for match in hook.finditer(path))
    for segment in path.split("/"):
        if has_token(segment) or _is_token(segment):
            yield segment


def _is_token(segment: str) -> bool:
    """Whether it is one long random word; titles with dashes and dots between their words are to be read."""
    kinds = (str.isdigit, str.isupper, str.islower)
    return segment.isalnum() and looks_random(segment) and all(any(map(kind, segment)) for kind in kinds)


def _pairs(parts: SplitResult) -> list[tuple[str, str]]:
    try:
        found = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=200)
        return found + (parse_qsl(parts.fragment, max_num_fields=200) if "=" in parts.fragment else [])
    except ValueError:
        return []
