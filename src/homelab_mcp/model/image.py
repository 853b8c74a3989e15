"""What an image says of itself."""

from __future__ import annotations

from dataclasses import dataclass

IMAGES_FOR = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
"""How images call a machine's architecture, by what its engine calls it."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """An image on the engine, by its own configuration (OCI image specification, "Image Configuration").

    Args:
        ports: (port, protocol) pairs of EXPOSE.
        volumes: paths of VOLUME.
        user: USER; "" is root.
        workdir: WORKDIR.
        health: whether it has a HEALTHCHECK of its own.
        variables: names of its ENV.
    """

    ports: tuple[tuple[int, str], ...] = ()
    volumes: tuple[str, ...] = ()
    user: str = ""
    workdir: str = ""
    health: bool = False
    variables: tuple[str, ...] = ()

    @property
    def is_root(self) -> bool:
        """Whether it starts as root."""
        return self.user.partition(":")[0] in {"", "0", "root"}
