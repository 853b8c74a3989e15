"""A look at the network from inside a container, by ``docker exec`` of programs that its image has."""

from __future__ import annotations

import http.client
import ipaddress
import os
import urllib.request
from collections.abc import Sequence

from homelab_mcp.adapters.process import Finished, read
from homelab_mcp.model.errors import EngineUnavailable

ECHO = "https://api.ipify.org"
"""Answers with nothing but the address it was asked from (ipify.org); HOMELAB_ADDRESS_ECHO names another."""

ECHO_VARIABLE = "HOMELAB_ADDRESS_ECHO"
_SECONDS = 8.0
_LARGEST = 65_536


class ContainerInside:
    """Fulfils ``ports.Inside`` with the ``docker`` command and one web page.

    Args:
        echo: the page; None takes HOMELAB_ADDRESS_ECHO, else ipify's.
    """

    def __init__(self, echo: str | None = None) -> None:
        self._echo = echo or os.environ.get(ECHO_VARIABLE) or ECHO

    def network_of(self, container_id: str) -> str:
        """As the port's."""
        done, out = self._docker("inspect", "--format", "{{.HostConfig.NetworkMode}}", container_id)
        kind, _, name = out.strip().partition(":")
        return name if done.code == 0 and kind == "container" else ""

    def read(self, container_id: str, path: str) -> str | None:
        """As the port's."""
        done, out = self._docker("exec", container_id, "cat", path)
        return out[:_LARGEST] if done.code == 0 else None

    def address(self, container_id: str) -> str:
        """As the port's: by wget, else by curl."""
        for program in (("wget", "-q", "-T", "5", "-O", "-"), ("curl", "-fsS", "-m", "5")):
            done, out = self._docker("exec", container_id, *program, self._echo)
            if done.code == 0 and (found := _address(out)):
                return found
        return ""

    def host_address(self) -> str:
        """As the port's."""
        try:
            with urllib.request.urlopen(self._echo, timeout=_SECONDS) as answer:  # noqa: S310 - a constant or a person's
                return _address(answer.read(200).decode("ascii", "replace"))
        except (OSError, http.client.HTTPException, ValueError):
            return ""

    def _docker(self, *arguments: str) -> tuple[Finished, str]:
        words: Sequence[str] = ("docker", *arguments)
        try:
            done, out = read(words, timeout=_SECONDS)
        except FileNotFoundError as error:
            raise EngineUnavailable("There is no docker command.", hint="Install Docker's command line.") from error
        if done.code != 0 and "Cannot connect to the Docker daemon" in done.output:
            raise EngineUnavailable("Docker does not answer.", hint="Start it, then ask again.")
        return done, out.decode("utf-8", "replace")


def _address(text: str) -> str:
    """The text when it is an IP address, else ""."""
    word = text.strip()
    try:
        return str(ipaddress.ip_address(word))
    except ValueError:
        return ""
