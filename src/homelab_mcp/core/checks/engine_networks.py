"""Which networks the engine of a stack's host has, by the names that facts give them, and which a stack makes.

This machine's are called as the engine calls them, those of a host that was asked ``host/name``, those that a Swarm
makes on every node ``swarm/name``. Every engine has networks of its own, so a host without any was not asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from homelab_mcp.core.checks.asleep import sleeps
from homelab_mcp.core.checks.view import StackView
from homelab_mcp.core.compose_model import is_external
from homelab_mcp.core.stack_host import SWARM
from homelab_mcp.core.swarm.network import OVERLAY
from homelab_mcp.model.lab import LOCAL

_DEFAULT = "default"


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
    """The engine's names of the networks of its own that a stack writes down; the default one where it is made."""
    for key, body in stack.section("networks").items():
        if not is_external(body) and (key != _DEFAULT or _on_default(stack)):
            yield stack.real_network(key)


def makes(stack: StackView) -> Iterator[str]:
    """Those, and the default network that Compose makes unasked for services that name none."""
    yield from declares(stack)
    if _DEFAULT not in stack.section("networks") and _on_default(stack):
        yield stack.real_network(_DEFAULT)


def _on_default(stack: StackView) -> bool:
    """Whether a service that is started is on the default network: without one Compose does not make it."""
    return any(_DEFAULT in s.networks and not sleeps(s) for s in stack.services)
