"""Catalog entries dealt into batches that can be started side by side on one host."""

from __future__ import annotations

from collections.abc import Iterable

from homelab_mcp.model.definition import ServiceDefinition


def published(definition: ServiceDefinition) -> set[tuple[int, str]]:
    """The ports of the host that an entry takes, with their protocol."""
    parts = (definition.container, *definition.companions.values())
    return {(p.publish, p.protocol) for part in parts for p in part.ports if p.publish}


def batches(entries: Iterable[ServiceDefinition], size: int) -> list[list[ServiceDefinition]]:
    """The entries in batches of at most ``size``, no two of which publish the same port of the host.

    Each goes into the first batch that has room for it, so that the order stays where nothing clashes.
    """
    dealt: list[tuple[list[ServiceDefinition], set[tuple[int, str]]]] = []
    for entry in entries:
        ports = published(entry)
        fitting = (each for each in dealt if len(each[0]) < size and not ports & each[1])
        batch, taken = next(fitting, ([], set()))
        if not batch:
            dealt.append((batch, taken))
        batch.append(entry)
        taken |= ports
    return [batch for batch, _ in dealt]
