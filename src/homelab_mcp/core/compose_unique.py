"""Which items of a compose list are the same one: a later file's item then takes the place of an earlier one's.

Source: compose-go 2.9.1, the indexers that follow a merge. Compose compares ports and volumes in their long form, so
that ``80:80`` and ``{target: 80, published: "80"}`` are one.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

from homelab_mcp.core.checks.ports_syntax import Published, PublishedInvalid, parse_port
from homelab_mcp.core.compose_parts import Part, plain
from homelab_mcp.core.yaml12 import Path

Keys = Callable[[Any], tuple[Hashable, ...]]
"""A plain item to what it is known by; several for a range of ports, none for what no one can tell."""

_WIDE = 200
"""Ports of a range beyond which it is compared as a whole."""


def keys_of(where: Path) -> Keys | None:
    """How the items of the list at this place are told apart; None where Compose keeps them all."""
    if len(where) < 3 or where[0] != "services":
        return _pair if where[0:1] == ("networks",) and where[2:] == ("labels",) else None
    inside = tuple(str(s) for s in where[2:])
    if inside[0] == "networks" and len(inside) == 3:
        return _pair if inside[2] in {"aliases", "link_local_ips"} else None
    return _BY_PLACE.get(inside)


def without_repeats(items: Sequence[Part], keys: Keys) -> list[Part]:
    """The items, a later one with an earlier one's key in that one's place."""
    known = [(item, keys(plain(item))) for item in items]
    if any(len(each) > 1 for _, each in known):
        known = list(_without_overlap(known))
    places: dict[tuple[Hashable, ...], int] = {}
    result: list[Part] = []
    for item, each in known:
        if each and each in places:
            result[places[each]] = item
            continue
        if each:
            places[each] = len(result)
        result.append(item)
    return result


def _without_overlap(
    known: Sequence[tuple[Part, tuple[Hashable, ...]]],
) -> Iterator[tuple[Part, tuple[Hashable, ...]]]:
    """Ranges of ports that share some with another item, port by port."""
    owner: dict[Hashable, tuple[Hashable, ...]] = {}
    mixed: set[tuple[Hashable, ...]] = set()
    for _, each in known:
        for key in each:
            if owner.setdefault(key, each) != each:
                mixed |= {each, owner[key]}
    for item, each in known:
        if len(each) < 2 or each not in mixed:
            yield item, each
            continue
        for key in each:
            port = dict(zip(_PORT, key, strict=True)) if isinstance(key, tuple) else {}
            yield item.like({k: item.like(v) for k, v in port.items() if v not in (None, _ANY)}), (key,)


_PORT = ("host_ip", "published", "target", "protocol")


def _pair(item: Any) -> tuple[Hashable, ...]:
    return (item.partition("=")[0],) if isinstance(item, str) else ()


def _as_text(item: Any) -> tuple[Hashable, ...]:
    return (str(item),) if isinstance(item, (str, int)) else ()


def _port(item: Any) -> tuple[Hashable, ...]:
    if isinstance(item, dict):
        published = item.get("published")
        # Compose writes a number here in another way than a text, and so never finds the two equal.
        shown = ("number", published) if isinstance(published, int) else published
        if "target" not in item or not isinstance(shown, Hashable):
            return ()
        return ((item.get("host_ip", _ANY), shown, str(item["target"]), item.get("protocol", "tcp")),)
    try:
        port = parse_port(item)
    except PublishedInvalid:
        return (str(item),)
    return tuple(_single_ports(port))


_ANY = "0.0.0.0"  # noqa: S104


def _single_ports(port: Published) -> Iterator[Hashable]:
    address = port.address or _ANY
    first, last = port.container
    if port.picks and port.host:
        yield address, f"{port.host[0]}-{port.host[1]}", str(first), port.protocol
        return
    if last - first > _WIDE:
        yield address, str(port.host), str(port.container), port.protocol
        return
    for n in range(last - first + 1):
        yield address, str(port.host[0] + n) if port.host else None, str(first + n), port.protocol


def volume_parts(text: str) -> list[str]:
    """A short volume at its colons; Compose takes a single letter before one for a Windows drive."""
    return _BEHIND_A_PART.split(text)


_BEHIND_A_PART = re.compile(r"(?<!^[A-Za-z])(?<!:[A-Za-z]):")


def _volume(item: Any) -> tuple[Hashable, ...]:
    if isinstance(item, dict):
        target = item.get("target")
        return (target,) if isinstance(target, str) else ()
    if not isinstance(item, str):
        return ()
    parts = volume_parts(item)
    return (posixpath.normpath(parts[1] if len(parts) > 1 else parts[0]),)


def _device(item: Any) -> tuple[Hashable, ...]:
    if isinstance(item, dict):
        target = item.get("target")
        return (target,) if isinstance(target, str) else ()
    if not isinstance(item, str):
        return ()
    parts = item.split(":")
    return (parts[1] if len(parts) > 1 else parts[0],)


def _mounted(folder: str) -> Keys:
    def keys(item: Any) -> tuple[Hashable, ...]:
        if isinstance(item, str):
            return (f"{folder}/{item}",)
        if not isinstance(item, dict):
            return ()
        target = item.get("target")
        return (target if isinstance(target, str) else f"{folder}/{item.get('source')}",)

    return keys


def _env_file(item: Any) -> tuple[Hashable, ...]:
    path = item.get("path") if isinstance(item, dict) else item
    return (path,) if isinstance(path, str) else ()


_BY_PLACE: dict[tuple[str, ...], Keys] = {
    ("build", "tags"): _pair,
    ("cap_add",): _pair,
    ("cap_drop",): _pair,
    ("devices",): _device,
    ("configs",): _mounted(""),
    ("dns",): _pair,
    ("dns_opt",): _pair,
    ("dns_search",): _pair,
    ("env_file",): _env_file,
    ("expose",): _as_text,
    ("links",): _pair,
    ("ports",): _port,
    ("profiles",): _pair,
    ("secrets",): _mounted("/run/secrets"),
    ("tmpfs",): _pair,
    ("volumes",): _volume,
}
