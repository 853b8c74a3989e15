"""Compose itself: where it is on this machine, and what of this process's environment it gets."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from homelab_mcp.model.errors import EngineUnavailable

PLUGIN_HINT = "Run script/setup, or install the package docker-compose-v2, docker-compose-plugin or docker-compose."
"""How to get Compose v2."""
_PLUGIN_FOLDERS = tuple(
    f"{base}/docker/cli-plugins" for base in ("/usr/local/lib", "/usr/local/libexec", "/usr/lib", "/usr/libexec")
)
"""Where the docker command looks for plugins after the user's own folder (docker/cli, cli-plugins/manager)."""
_KEPT = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_[A-Z]+|TMPDIR|TERM|XDG_[A-Z_]+|SSH_[A-Z_]+|SSL_CERT_(FILE|DIR)|BUILDKIT_[A-Z_]+"
    r"|DOCKER_(?!DEFAULT_PLATFORM$)[A-Z_]+|(?i:(http|https|all|no)_proxy)"
)
"""What Compose gets of this process's environment: any other variable there would win over the stack's ``.env``."""

ENGINE_VARIABLES = frozenset({"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"})
"""Of those, what tells the docker command which engine to ask."""


def compose_environment() -> dict[str, str]:
    """The part of this process's environment that Compose gets."""
    return {k: v for k, v in os.environ.items() if _KEPT.fullmatch(k)}


def find_compose(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Compose v2 as it is to be called: the docker command's plugin, else the program docker-compose.

    Raises:
        EngineUnavailable: there is none (code ``compose_missing``); the hint says how to get it.
    """
    docker, standalone = shutil.which("docker"), shutil.which("docker-compose")
    if docker and (_is_all(standalone, environment) or _answers((docker, "compose"), environment)):
        return docker, "compose"
    if standalone and _answers((standalone,), environment):
        return (standalone,)
    missing = "Compose v2 is not installed" if docker else "The docker command is not installed"
    raise EngineUnavailable(f"{missing}.", hint=PLUGIN_HINT, code="compose_missing")


def _is_all(standalone: str | None, environment: Mapping[str, str]) -> bool:
    """Whether the docker command has Compose as a plugin, and nothing but that plugin could be taken.

    Then it need not be asked for its version first, which takes as long as reading a stack's files and would be done
    at every apply: that it does not work is told by the first command, in the same words.
    """
    home = environment.get("DOCKER_CONFIG") or f"{environment.get('HOME', '')}/.docker"
    places = [f"{folder}/docker-compose" for folder in (f"{home}/cli-plugins", *_PLUGIN_FOLDERS)]
    found = next((place for place in places if os.access(place, os.X_OK)), None)
    return found is not None and (standalone is None or os.path.realpath(standalone) == os.path.realpath(found))


def _answers(program: Sequence[str], environment: Mapping[str, str]) -> bool:
    try:
        done = subprocess.run(
            [*program, "version", "--short"],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    # Compose v1 answers too, but knows none of the options used here.
    return done.returncode == 0 and bool(re.match(rb"v?([2-9]|[1-9][0-9])\.", done.stdout.strip()))
