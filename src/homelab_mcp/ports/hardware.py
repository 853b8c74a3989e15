"""The host itself: its graphics processors and its disks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from homelab_mcp.core.gpu import Gpus


@dataclass(frozen=True, slots=True)
class Place:
    """A path of the host.

    Args:
        path: as it was asked for.
        kind: folder, file, other, or "" where there is nothing (or nobody may look).
        mount: the mount point that it is on.
        filesystem: that mount's kind (ext4, nfs4, cifs ...); "" where unknown.
        free: bytes that are free there.
        total: bytes that the file system has.
        uid: its owner.
        gid: its group.
        mode: its permission bits.
    """

    path: str
    kind: str = ""
    mount: str = ""
    filesystem: str = ""
    free: int = 0
    total: int = 0
    uid: int = -1
    gid: int = -1
    mode: int = 0


class Hardware(Protocol):
    """What this machine has. Looks only; what cannot be looked at is told as not there."""

    def gpus(self) -> Gpus:
        """Drivers and render nodes; ``toolkit`` is told by files alone, the engine may know better."""
        ...

    def weighs_disks(self) -> bool | None:
        """Whether a weight of disk traffic counts for some disk; None where the kernel shows no file for weights.

        False: a weight is kept, and nothing acts on it.
        """
        ...

    def place(self, path: str) -> Place: ...

    def listens(self, port: int) -> bool:
        """Whether a program of this machine listens on that TCP port, on any address."""
        ...

    def routes(self) -> tuple[tuple[str, str], ...]:
        """(subnet, interface) of what this machine reaches by IPv4 besides its default route."""
        ...

    def resolve(self, host: str) -> tuple[str, ...]:
        """The addresses that this machine's resolver gives for a name; none where it knows none."""
        ...
