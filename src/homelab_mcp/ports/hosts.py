"""The Docker hosts of a lab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from homelab_mcp.ports.engine import Engine

if TYPE_CHECKING:
    # Ports are loaded before a server's first answer; most labs have one host.
    from homelab_mcp.model.hosts import CaHost, DockerHost, HostLook, HostsSettings, TlsFile


class Hosts(Protocol):
    """This machine (``local``) and those of ``hosts.yaml``, which is read afresh at each use."""

    @property
    def settings(self) -> HostsSettings:
        """Raises InvalidInput (``bad_hosts``)."""
        ...

    def engine(self, name: str) -> Engine:
        """That host's engine alone. Raises NotFound (``host_unknown``)."""
        ...

    def look(self, name: str, host: DockerHost | None = None) -> HostLook:
        """How a host is now, also one that is in no file yet; a silent one is told and raises nothing."""
        ...

    def looks(self, names: tuple[str, ...] = ()) -> tuple[HostLook, ...]:
        """``look`` at these, or at all, at once."""
        ...

    def contexts(self) -> tuple[Mapping[str, DockerHost], Mapping[str, str]]:
        """Docker's contexts that can be hosts, and why others cannot."""
        ...

    def tls(self, name: str) -> tuple[TlsFile, ...]:
        """The certificates that were made here for a host. Raises NotFound (``tls_missing``)."""
        ...

    def make_tls(
        self, name: str, names: Sequence[str], days: int, *, again: bool = False, ca_key: str = ""
    ) -> tuple[TlsFile, ...]:
        """Make a host's certificates; ``again``: in place of those there are.

        ``ca_key`` is where the CA's key is kept, if not in the lab's private folder; it is only read. Raises
        InvalidInput, NotFound (``tls_ca_missing``).
        """
        ...

    def ca_look(self, ca_key: str = "") -> tuple[CaHost, ...] | None:
        """Every host with certificates made here, and how far it is with a new CA; None where none is on its way.

        Raises NotFound (``tls_ca_missing``), InvalidInput (``tls_ca_unreadable``): a CA's own files.
        """
        ...

    def ca_step(self, days: int, ca_key: str = "") -> tuple[CaHost, ...] | None:
        """Begin or carry on with a new CA as far as the hosts are; how it stands then, None once it is finished.

        ``days`` is how long new certificates hold. Raises as ``ca_look``, NotFound (``tls_missing``), StorageFailed.
        """
        ...
