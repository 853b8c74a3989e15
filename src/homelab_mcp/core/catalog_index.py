"""What is compiled of a catalog: of each definition what search needs, and the whole as text, read when asked for.

Reading some hundred YAML files costs a second, so the packaged ones are compiled once. The text is lines: a head with
the digest of all that it was made from, then two lines a definition.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from homelab_mcp.model.definition import ServiceDefinition

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a definition without reading it whole.

    Args:
        does: what its dashboard entry says.
        memory: what its containers set aside together, MiB.
        roles: of its companions (database, cache, worker).
        vpn: recommended, possible or no.
    """

    id: str
    name: str
    aliases: tuple[str, ...]
    replaces: tuple[str, ...]
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
    from homelab_mcp.core.resources import reserved_mib

    containers = (definition.container, *definition.companions.values())
    return Record(
        id=definition.id,
        name=definition.name,
        aliases=tuple(definition.aliases),
        replaces=tuple(definition.replaces),
        summary=definition.summary,
        category=definition.category,
        stack=definition.stack,
        level=definition.level,
        does=definition.homepage.description if definition.homepage else "",
        architectures=tuple(definition.architectures),
        memory=sum(reserved_mib(container.resources) for container in containers),
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
        for definition in definitions:
            yield json.dumps(asdict(record_of(definition)), ensure_ascii=False)
            yield definition.model_dump_json(exclude_defaults=True)

    return "\n".join(lines()) + "\n"


def unpack(text: str, digest: str) -> tuple[Packed, ...] | None:
    """What :func:`pack` made; None when it was made from something else, or is not whole."""
    head, *rest = text.split("\n")
    try:
        if json.loads(head) != {"format": FORMAT, "digest": digest} or len(rest) % 2 == 0 or rest[-1]:
            return None
        return tuple(
            Packed(_record(json.loads(record)), whole) for record, whole in zip(rest[:-1:2], rest[1:-1:2], strict=True)
        )
    except (ValueError, TypeError, KeyError):
        return None


def _record(data: dict[str, object]) -> Record:
    return Record(**{key: tuple(v) if isinstance(v, list) else v for key, v in data.items()})  # type: ignore[arg-type]
