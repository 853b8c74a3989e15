"""A VPN gateway made from the catalog for one service, which it goes with again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.container_block import container_block
from homelab_mcp.core.labels import CATEGORY, COMPANION_OF, SERVICE
from homelab_mcp.core.references import Words, variables_in
from homelab_mcp.core.variables import fill
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.lab import LabSettings


@dataclass(frozen=True, slots=True)
class MadeGateway:
    """Its compose block, what ``.env`` lacks, and what a person should know."""

    block: dict[str, Any]
    env: dict[str, str]
    notes: tuple[str, ...]


def gateway_for(
    definition: ServiceDefinition,
    settings: LabSettings,
    *,
    name: str,
    owner: str,
    root: str,
    env: Mapping[str, str],
    networks: Sequence[str],
) -> MadeGateway:
    """A gateway.

    Args:
        definition: Gluetun's.
        settings: the lab's.
        name: its service name.
        owner: the service that it is made for.
        root: the lab's absolute path.
        env: the stack's variables, with the provider's choice in them.
        networks: what it joins; none: the stack's own.
    """
    words = Words(
        service=name, subdomain=name, root=root, companions={}, settings=settings, hash_of=lambda variable: ""
    )
    block = container_block(definition.container, name, words, settings)
    if networks:
        block["networks"] = list(networks)
    block["labels"] = {CATEGORY: definition.category, SERVICE: definition.id, COMPANION_OF: owner}
    filled = fill(list(variables_in(block)), definition.variables, {}, env, settings, lambda kind, length: "")
    return MadeGateway(block, filled.added, (*filled.notes, *definition.notes))
