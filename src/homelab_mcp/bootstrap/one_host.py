"""A lab seen through one of its Docker hosts."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from homelab_mcp.core.stack_host import host_of
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.ports import Engine, Files, Lab, Meter

if TYPE_CHECKING:
    from homelab_mcp.adapters.hosts import HostSet
    from homelab_mcp.adapters.hosts_engine import HostsEngine


class OneHost:
    """Fulfils ``ports.Lab`` as its ``on`` says; made for one question, as it looks once which stacks are there.

    Args:
        lab: the whole lab.
        host: a host that there is.
        hosts: the lab's.
    """

    def __init__(self, lab: Lab, host: str, hosts: HostSet) -> None:
        self.whole = lab
        self.seen = host
        self._hosts = hosts

    @cached_property
    def files(self) -> Files:
        """The lab's folder with the host's stacks."""
        return cast("Files", _FilesOfHost(self.whole.files, self.seen))

    @cached_property
    def engine(self) -> Engine:
        """The host's engine; what is asked by a stack's name goes where that is."""
        return self._engine

    @cached_property
    def _engine(self) -> HostsEngine:
        from homelab_mcp.adapters.hosts_engine import HostsEngine

        return HostsEngine(self._hosts, only=self.seen)

    @cached_property
    def meter(self) -> Meter:
        """What the host's engine measures."""
        from homelab_mcp.adapters.hosts_meter import HostsMeter

        return HostsMeter(self._engine, self._hosts.engine(self.seen))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.whole, name)


class _FilesOfHost:
    """The lab's files, of which only one host's stacks are listed; all can be read."""

    def __init__(self, files: Files, host: str) -> None:
        self._files, self._host = files, host

    @cached_property
    def _stacks(self) -> list[tuple[str, str]]:
        return [(name, path) for name, path in self._files.stack_folders() if self._home(path) == self._host]

    def _home(self, path: str) -> str:
        try:
            return host_of(self._files.read(path) or "")
        except HomelabError:
            # Where nobody can read it, it says nothing, as for whoever else looks.
            return host_of("")

    def stack_folders(self) -> list[tuple[str, str]]:
        """Those of the host."""
        return list(self._stacks)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._files, name)
