"""Where the Docker Engine is, and what it means when it does not answer."""

from __future__ import annotations

import json
import os
import ssl
from pathlib import Path
from typing import Any

from homelab_mcp.adapters.docker_package import load_docker
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable, HomelabError


class SshFailed(OSError):
    """ssh ended before Docker answered; the text is ssh's own last line."""


def endpoint(given: str | None) -> tuple[str, Any]:
    """(address, TLS settings or None), chosen in the order that the docker command uses."""
    if given:
        return given, None
    if host := os.environ.get("DOCKER_HOST"):
        load_docker()
        from docker.utils import kwargs_from_env

        return host, kwargs_from_env().get("tls")
    if not os.environ.get("DOCKER_CONTEXT") and not _names_context():
        return "unix:///var/run/docker.sock", None
    load_docker()
    from docker.context import ContextAPI
    from docker.errors import DockerException

    try:
        context = ContextAPI.get_context(os.environ.get("DOCKER_CONTEXT"))
    except DockerException as error:
        raise _bad_context(str(error)) from error
    if context is None:
        raise _bad_context("no such context")
    return str(context.Host), context.TLSConfig


def _bad_context(why: str) -> EngineUnavailable:
    return EngineUnavailable(
        f"The Docker context cannot be used: {why}.",
        hint="See `docker context ls`, then choose one with `docker context use default`.",
        code="engine_context",
    )


def _names_context() -> bool:
    folder = os.environ.get("DOCKER_CONFIG")
    path = (Path(folder) if folder else Path.home() / ".docker") / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError):
        return False
    return isinstance(config, dict) and config.get("currentContext", "default") != "default"


def translated(error: Exception, address: str) -> HomelabError:
    """The error in this project's terms: nobody there, not allowed, too slow, or the engine's own refusal."""
    load_docker()
    from docker.errors import APIError

    if isinstance(error, APIError) and error.response is not None:
        said = str(error.explanation or error.response.reason or "no reason given").strip()
        missing = error.response.status_code == 404
        return EngineFailed(
            f"Docker refused: {said[:300]}.",
            hint="Look at `homelab-mcp status`; it may have been removed meanwhile." if missing else "",
            code="no_such_object" if missing else None,
            details={"status": error.response.status_code, "output": said[:2000]},
        )
    causes = _chain(error)
    if by_ssh := next((c for c in causes if isinstance(c, SshFailed)), None):
        return EngineUnavailable(
            f"Docker at {address} is not reached: {str(by_ssh)[:200]}.",
            hint=f"Try `ssh {address.removeprefix('ssh://')} docker version`: it must work without asking anything.",
            code="engine_ssh",
        )
    if any(isinstance(c, ssl.SSLError) for c in causes):
        return EngineUnavailable(
            f"Docker at {address} and this machine do not trust each other's certificates.",
            hint="`homelab-mcp host tls NAME --check` tells which has ended or does not fit.",
            code="engine_tls",
            details={"cause": str(causes[-1])[:200]},
        )
    text = " ".join(str(cause) for cause in causes).lower()
    if any(isinstance(c, PermissionError) for c in causes) or "permission denied" in text:
        return EngineUnavailable(
            f"This user may not talk to Docker at {address}.",
            hint="Add the user to the group docker (`sudo usermod -aG docker $USER`) and log in again.",
            code="engine_permission",
        )
    if any(isinstance(c, TimeoutError) for c in causes) or "timed out" in text:
        return EngineUnavailable(
            f"Docker at {address} did not answer in time.",
            hint="The machine may be overloaded: try again, then look at `sudo systemctl status docker`.",
            code="engine_timeout",
        )
    return EngineUnavailable(
        f"Docker is not running at {address}.", hint=_way_out(address), details={"cause": str(causes[-1])[:200]}
    )


def _way_out(address: str) -> str:
    if os.environ.get("DOCKER_HOST") == address:
        return "DOCKER_HOST says so: start Docker there, or unset DOCKER_HOST."
    if address.startswith("unix://"):
        return "Start it with `sudo systemctl start docker`; where Docker is not installed, run script/setup."
    return "Start Docker on that machine and check the address and the network between."


def _chain(error: BaseException) -> list[BaseException]:
    seen: list[BaseException] = []
    stack: list[object] = [error]
    while stack and len(seen) < 30:
        one = stack.pop()
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            stack += [*one.args, one.__cause__, one.__context__]
            stack.append(getattr(one, "reason", None))
    return seen
