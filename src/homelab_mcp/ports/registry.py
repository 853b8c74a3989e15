"""Image registries, asked without downloading anything."""

from __future__ import annotations

from typing import Protocol

from homelab_mcp.core.image_updates import ImageName


class Registry(Protocol):
    """The registry's HTTP API (OCI distribution specification). Nothing that counts as a pull is asked.

    Both raise EngineUnavailable (``registry_unavailable``, ``registry_limit``) when it does not answer or asks for
    patience, NotFound (``image_unknown``) where it has no such image or shows it to nobody without a log-in.
    """

    def tags(self, image: ImageName) -> tuple[str, ...]:
        """All tags of the repository."""
        ...

    def digest(self, image: ImageName) -> str:
        """The digest that the tag names now."""
        ...
