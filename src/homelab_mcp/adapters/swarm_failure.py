"""What ``docker stack`` or ``docker service`` said when it failed, as an error with a way on."""

from __future__ import annotations

import re
from collections.abc import Sequence

from homelab_mcp.adapters.compose_failure import failure as of_docker
from homelab_mcp.adapters.process import Finished
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable

_NO_MANAGER = re.compile(r"not a swarm manager|not part of a swarm", re.IGNORECASE)
_NO_OVERLAY = re.compile(
    r'network "([^"]+)" is declared as external, but (?:could not be found|it is not in the right)'
)
_IGNORED = re.compile(r"^(Ignoring|Since --detach|In a future release|Creating|Updating)\b")


def failure(arguments: Sequence[str], done: Finished, said: str, timeout: float) -> EngineFailed | EngineUnavailable:
    """The error for a command that failed; arguments as for Compose's (``compose_failure.failure``)."""
    what = " ".join(a for a in arguments[:2])
    details = {"output": said, "exit_code": done.code}
    if _NO_MANAGER.search(said):
        return EngineFailed(
            "This machine is no manager of a Swarm.",
            hint="`docker swarm init` makes one; or take `engine: swarm` out of the stack's compose file.",
            code="swarm_missing",
            details=details,
        )
    if network := _NO_OVERLAY.search(said):
        return EngineFailed(
            f"Network {network[1]} is no network of the Swarm, and the stack's compose file calls it external.",
            hint=f"`docker network create --driver overlay --attachable {network[1]}` makes one of another name than "
            "that of a network which is there.",
            code="swarm_network",
            details=details,
        )
    if done.timed_out:
        return EngineFailed(
            f"docker {what} took longer than {timeout:g} seconds and was ended.",
            hint="What it had begun may be half done: see `homelab-mcp status`.",
            code="swarm_timeout",
            details=details,
        )
    known = of_docker(arguments, done, said, timeout)
    if isinstance(known, EngineUnavailable):
        return known
    lines = [one for line in said.splitlines() if (one := line.strip()) and not _IGNORED.match(one)]
    return EngineFailed(
        f"docker {what} failed: {lines[-1][:300] if lines else f'exit code {done.code}'}",
        hint="The details hold its last lines.",
        details=details,
    )
