"""What a machine is like, as far as a lab depends on it; sizes are bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HostQuestion:
    """What is asked of a machine, since it depends on the lab."""

    paths: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """Host names to be resolved."""
    timezone: str = ""
    puid: int = 0
    pgid: int = 0


@dataclass(frozen=True, slots=True)
class Disk:
    """A path and the file system it is on (or would be on); ``mounted``: on another file system than ``/``."""

    path: str
    exists: bool
    total: int
    free: int
    mounted: bool
    owner: int = -1


@dataclass(frozen=True, slots=True)
class Route:
    """One network the machine reaches directly, by its CIDR, and through which device."""

    network: str
    device: str


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What was seen.

    Args:
        listeners: TCP port -> the program that listens on it, "" where this user may not know.
        disks: one for each path that was asked for.
        memory: all there is, ``available`` what a new program could have; 0 where it cannot be read.
        cpus: processors.
        resolved: each name that was asked for -> its addresses; None where no answer came in time.
        own_addresses: addresses of this machine's interfaces.
        firewall: "ufw", "nftables", "none", or "unseen" where this user may not look.
        timezone_known, user, group: whether the zone exists; the names of PUID and PGID, "" for none.
        nvidia: whether an NVIDIA driver is loaded, ``nvidia_toolkit`` whether containers can be given its GPUs.
        render_nodes: device files of GPUs that decode and encode video (``/dev/dri/renderD128``).
        routes: directly reached networks, Docker's own among them.
    """

    listeners: Mapping[int, str] = field(default_factory=dict)
    disks: tuple[Disk, ...] = ()
    memory: int = 0
    available: int = 0
    cpus: int = 0
    resolved: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    own_addresses: tuple[str, ...] = ()
    firewall: str = "unseen"
    timezone_known: bool = True
    user: str = ""
    group: str = ""
    nvidia: bool = False
    nvidia_toolkit: bool = False
    render_nodes: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """One check: ``sentence`` says what was seen, ``hint`` what to do where it is not well.

    ``warning``: nothing stands in the way, but a person should know.
    """

    name: str
    ok: bool
    sentence: str
    hint: str = ""
    warning: bool = False

    @property
    def level(self) -> str:
        """The check in one word: ok, warn or fail."""
        return "fail" if not self.ok else "warn" if self.warning else "ok"
