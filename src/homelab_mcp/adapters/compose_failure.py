"""What Compose said when it failed, as an error with a way on."""

from __future__ import annotations

import re
from collections.abc import Sequence

from homelab_mcp.adapters.compose_program import PLUGIN_HINT
from homelab_mcp.adapters.process import Finished
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable

CRASH = re.compile(r"^(goroutine \d+ |fatal error: |r[a-d]x )", re.MULTILINE)
"""How the output of a Go program begins that died of its limits."""
_DAEMON_GONE = re.compile(r"cannot connect to the docker daemon|error during connect|connection refused", re.IGNORECASE)
_NOT_ALLOWED = re.compile(r"permission denied while trying to connect", re.IGNORECASE)
_FOUND_NO_PLUGIN = re.compile(
    r"'compose' is not a docker command|unknown command: docker compose|unknown (shorthand )?flag"
)


def failure(arguments: Sequence[str], done: Finished, said: str, timeout: float) -> EngineFailed | EngineUnavailable:
    """The error for a command that failed; ``said`` is its output without secrets, ``timeout`` the seconds it had."""
    verb = next((a for a in arguments if not a.startswith("-")), "compose")
    details = {"output": said, "exit_code": done.code}
    if done.timed_out:
        return EngineFailed(
            f"docker compose {verb} took longer than {timeout:g} seconds and was ended.",
            hint="What it had begun may be half done: see `homelab-mcp status`.",
            code="compose_timeout",
            details=details,
        )
    if _NOT_ALLOWED.search(said):
        return EngineUnavailable(
            "This user may not talk to Docker.",
            hint="Add the user to the group docker (`sudo usermod -aG docker $USER`) and log in again.",
            code="engine_permission",
            details=details,
        )
    if _DAEMON_GONE.search(said):
        return EngineUnavailable(
            "Docker is not running.", hint="Start it with `sudo systemctl start docker`.", details=details
        )
    if _FOUND_NO_PLUGIN.search(said):
        return EngineUnavailable(
            "Compose v2 is not installed.", hint=PLUGIN_HINT, code="compose_missing", details=details
        )
    # A Go program that runs into its limit dies with a dump of its threads, a killed plugin without a word.
    if verb == "config" and (done.code < 0 or not said.strip() or CRASH.search(said)):
        return EngineFailed(
            "Compose needed more than 20 s or 512 MiB to read the file.",
            hint="Look for deeply nested aliases.",
            code="compose_too_costly",
            details={"exit_code": done.code},
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return EngineFailed(
        f"docker compose {verb} failed: {lines[-1][:300] if lines else f'exit code {done.code}'}",
        hint="The details hold its last lines.",
        code="compose_config" if verb == "config" else None,
        details=details,
    )
