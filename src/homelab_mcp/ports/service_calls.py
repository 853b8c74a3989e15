"""HTTP with the services of the lab, each at its own container and nowhere else."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from homelab_mcp.model.service_http import HttpAnswer, HttpAsk


class ServiceLine(Protocol):
    """A way to one port of one container."""

    @property
    def place(self) -> str:
        """``address:port``, as a Host header has it."""
        ...

    def ask(self, request: HttpAsk) -> HttpAnswer:
        """Send one request and read its answer; redirects are answers like others.

        Raises ServiceFailed: ``service_unreached`` where nothing was sent, ``service_silent`` where it was, so that
        nobody knows what became of it.
        """
        ...


class ServiceCalls(Protocol):
    """Opens ways to containers."""

    def line(self, container_id: str, port: int) -> AbstractContextManager[ServiceLine]:
        """A way to that port of that container, whatever host it runs on.

        Raises EngineUnavailable, EngineFailed, ServiceFailed (``service_unreached``).
        """
        ...
