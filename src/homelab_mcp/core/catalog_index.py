"""What is compiled of a catalog: of each definition what search needs, and the whole as text, read when asked for.

Reading some hundred YAML files costs a second, so the packaged ones are compiled once. The text is lines: a head with
the digest of all that it was made from, all records, then a line a definition.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from homelab_mcp.model.definition import ServiceDefinition

FORMAT = 3


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a definition without reading it whole.

    Args:
        keywords: further words that people ask for it with.
        does: what its dashboard entry says.
        memory: what its containers set aside together, or what its makers ask for, if that is more; MiB.
        roles: of its companions (database, cache, worker).
        vpn: recommended, possible or no.
    """

    id: str
    name: str
    aliases: tuple[str, ...]
    replaces: tuple[str, ...]
    keywords: tuple[str, ...]
    summary: str
    category: str
    stack: str
    level: str
    does: str
    architectures: tuple[str, ...]
    memory: int
    roles: tuple[str, ...]
    vpn: str
    gpu: tuple[str, ...]
    lazy: bool


def record_of(definition: ServiceDefinition) -> Record:
    """The record of a definition."""
    from homelab_mcp.core.resources import reserved_mib, size_of

    containers = (definition.container, *definition.companions.values())
    asked = size_of(definition.minimum_memory) // 2**20 if definition.minimum_memory else 0
    return Record(
        id=definition.id,
        name=definition.name,
        aliases=tuple(definition.aliases),
        replaces=tuple(definition.replaces),
        keywords=tuple(definition.keywords),
        summary=definition.summary,
        category=definition.category,
        stack=definition.stack,
        level=definition.level,
        does=definition.homepage.description if definition.homepage else "",
        architectures=tuple(definition.architectures),
        memory=max(asked, sum(reserved_mib(container.resources) for container in containers)),
        roles=tuple(companion.role for companion in definition.companions.values()),
        vpn=definition.vpn.use,
        gpu=tuple(definition.gpu.kinds),
        lazy=definition.lazy.ok,
    )


@dataclass(frozen=True, slots=True)
class Packed:
    """A compiled definition: its record, and its JSON text."""

    record: Record
    text: str


def pack(definitions: Iterable[ServiceDefinition], digest: str) -> str:
    """Definitions as one text, with the digest of what they were made from."""

    def lines() -> Iterator[str]:
        yield json.dumps({"format": FORMAT, "digest": digest})
        whole = list(definitions)
        # One parse of all, and by place instead of by name: half the cost of a line each.
        yield json.dumps([astuple(record_of(definition)) for definition in whole], ensure_ascii=False)
        for definition in whole:
            yield definition.model_dump_json(exclude_defaults=True)

    return "\n".join(lines()) + "\n"


def unpack(text: str, digest: str) -> tuple[Packed, ...] | None:
    """What :func:`pack` made; None when it was made from something else, or is not whole."""
    head, records, *rest = text.split("\n") if "\n" in text else ("", "")
    try:
        if json.loads(head) != {"format": FORMAT, "digest": digest} or not rest or rest.pop():
            return None
        return tuple(Packed(_record(row), whole) for row, whole in zip(json.loads(records), rest, strict=True))
    except (ValueError, TypeError):
        return None


def _record(row: list[Any]) -> Record:
    return Record(*[tuple(v) if v.__class__ is list else v for v in row])  # type: ignore[arg-type]
