"""Which networks the engine of a stack's host has, by the names that facts give them, and which a stack makes.

This machine's are called as the engine calls them, those of a host that was asked ``host/name``, those that a Swarm
makes on every node ``swarm/name``. Every engine has networks of its own, so a host without any was not asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from homelab_mcp.core.checks.view import StackView
from homelab_mcp.core.compose_model import is_external
from homelab_mcp.core.stack_host import SWARM
from homelab_mcp.core.swarm.network import OVERLAY
from homelab_mcp.model.lab import LOCAL


def asked(known: Collection[str] | None, stack: StackView) -> bool:
    """Whether the engine of the stack's host was asked for its networks."""
    if known is None:
        return False
    return stack.host == LOCAL or any(name.startswith(f"{stack.host}/") for name in known)


def silent(known: Collection[str] | None, stack: StackView) -> bool:
    """Whether engines were asked, and that of the stack's host was not, or did not answer."""
    return known is not None and not asked(known, stack)


def has(known: Collection[str] | None, stack: StackView, real: str) -> bool:
    """Whether the engine of the stack's host has a network of that name; no where it was not asked."""
    if known is None:
        return False
    if f"{OVERLAY}{real}" in known:
        return True
    return stack.engine != SWARM and (real if stack.host == LOCAL else f"{stack.host}/{real}") in known


def declares(stack: StackView) -> Iterator[str]:
    """The engine's names of the networks of its own that a stack writes down."""
    return (stack.real_network(k) for k, body in stack.section("networks").items() if not is_external(body))


def makes(stack: StackView) -> Iterator[str]:
    """Those, and the default network that Compose makes unasked for services that name none."""
    yield from declares(stack)
    on_it = any("default" in s.networks for s in stack.services)
    if on_it and not is_external(stack.section("networks").get("default")):
        yield stack.real_network("default")
