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
    caa: tuple[str, ...] = ()
    """Host names whose CAA records are asked for."""
    clock_from: str = ""
    """An https address whose date this machine's clock is compared with; "" for none."""
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
        caa: each name that was asked for -> what CAA records say (``issue ca.example``); None where no answer came.
        clock_off: seconds this clock is ahead of the server's that was asked; None where nobody can tell.
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
    caa: Mapping[str, tuple[str, ...] | None] = field(default_factory=dict)
    clock_off: float | None = None
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
class MountUse:
    """A mounted file system: bytes and inodes, all and free; ``answered`` False for one that hangs (a dead NFS)."""

    path: str
    filesystem: str
    total: int = 0
    free: int = 0
    inodes: int = 0
    inodes_free: int = 0
    answered: bool = True


@dataclass(frozen=True, slots=True)
class ProcessSeen:
    """One process.

    Args:
        pid, parent: its number and its parent's.
        name: its program's name, as the kernel has it.
        user: who runs it.
        state: R, S, D (waits in the kernel, cannot be ended), Z (ended, its parent has not taken note), T ...
        seconds: how long it has been there.
        cpus: processors it used between two looks.
        memory: resident bytes.
        container: the id of the container it is in, "" for none.
        waited: it was in state D at both looks.
    """

    pid: int
    parent: int
    name: str
    user: str
    state: str
    seconds: float
    cpus: float
    memory: int
    container: str = ""
    waited: bool = False


@dataclass(frozen=True, slots=True)
class Unseen:
    """What could not be looked at, why, and what a person runs to see it."""

    what: str
    why: str
    run: str


@dataclass(frozen=True, slots=True)
class HostHealth:
    """How a machine is at the moment.

    Args:
        inside: "" on the machine itself, else where this program is ("a container").
        uptime: seconds.
        load: averages over 1, 5 and 15 minutes.
        cpus: processors.
        memory, available, swap, swap_free: bytes.
        pressure: share of the last minute in which some task waited for "cpu", "memory" or "io", 0 to 1.
        mounts: real file systems.
        processes: all that are seen, or only those that were asked for.
        total: how many there are.
        clock_synced: None where nobody can tell.
        resolved: names -> whether the resolver knows them; None where it did not answer.
        reboot: why a restart is due, "" for not; None where that is not told here.
        updates, security_updates: packages that wait; None where that is not told here.
        lists_age: seconds since the package lists were fetched.
        unseen: what could not be looked at.
    """

    inside: str = ""
    uptime: float = 0.0
    load: tuple[float, float, float] = (0.0, 0.0, 0.0)
    cpus: int = 0
    memory: int = 0
    available: int = 0
    swap: int = 0
    swap_free: int = 0
    pressure: Mapping[str, float] = field(default_factory=dict)
    mounts: tuple[MountUse, ...] = ()
    processes: tuple[ProcessSeen, ...] = ()
    total: int = 0
    clock_synced: bool | None = None
    resolved: Mapping[str, bool | None] = field(default_factory=dict)
    reboot: str | None = None
    updates: int | None = None
    security_updates: int | None = None
    lists_age: float | None = None
    unseen: tuple[Unseen, ...] = ()


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
