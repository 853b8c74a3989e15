"""The data of a lab's stacks, each on its stack's own host: a path tells which."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from homelab_mcp.core.trash import host_of_trash
from homelab_mcp.model.errors import EngineUnavailable, StorageFailed
from homelab_mcp.model.lab import LOCAL, TRASH
from homelab_mcp.ports.data import Data, Owners


class DataHosts:
    """Fulfils ``ports.PlacedData``; no host is asked for anything before its data is.

    Where nothing on a host gives way to its data, a path of it is taken for one of this machine: there is nothing. Only
    what was put into that host's trash is known to be there.

    Args:
        here: this machine's.
        host_of: the host of a stack by its folder's name; ``local`` for what is no stack.
        there: data on another host; None where nothing there gives way to it. Asked at each call, so it asks no host.
        hosts: the other hosts there are.
    """

    def __init__(
        self,
        here: Data,
        host_of: Callable[[str], str],
        there: Callable[[str], Data | None],
        hosts: Callable[[], tuple[str, ...]],
    ) -> None:
        self._here = here
        self._host_of = host_of
        self._there = there
        self._hosts = hosts

    def host(self, path: str) -> str:
        """As the port says. Raises EngineUnavailable (``backup_not_running``) for the trash of a host without a way."""
        return self._at(path)[0]

    def others(self) -> Mapping[str, Data]:
        """As the port says."""
        found = ((name, self._there(name)) for name in self._hosts())
        return {name: data for name, data in found if data is not None}

    def identity(self, path: str) -> str | None:
        """As the port says, of the path's host."""
        return self._at(path)[1].identity(path)

    def move(self, source: str, target: str) -> None:
        """As the port says. Raises StorageFailed (``other_host``) where the target is on another host as well."""
        (from_host, data), (to_host, _) = self._at(source), self._at(target)
        if from_host != to_host:
            raise StorageFailed(
                f"{source} is on host {from_host} and {target} on host {to_host}, so that data cannot be moved.",
                code="other_host",
                hint="Copy it by hand while the service is stopped, or leave the service where it is.",
            )
        data.move(source, target)

    def is_database(self, path: str) -> bool:
        """As the port says, of the path's host."""
        return self._at(path)[1].is_database(path)

    def logs(self, path: str) -> list[str]:
        """As the port says, of the path's host."""
        return self._at(path)[1].logs(path)

    def movable(self, source: str, target: str) -> bool:
        """As the port says; never from one host to another."""
        (from_host, data), (to_host, _) = self._at(source), self._at(target)
        return from_host == to_host and data.movable(source, target)

    def owner(self, path: str) -> tuple[int, int] | None:
        """As the port says, of the path's host."""
        return self._at(path)[1].owner(path)

    def give(self, path: str, uid: int, gid: int) -> None:
        """As the port says, of the path's host."""
        self._at(path)[1].give(path, uid, gid)

    def strangers(self, path: str, uid: int, gid: int, limit: int) -> Owners:
        """As the port says, of the path's host."""
        return self._at(path)[1].strangers(path, uid, gid, limit)

    def trash(self, before: str) -> list[str]:
        """This machine's alone: ``others`` have each their own."""
        return self._here.trash(before)

    def drop_trash(self, name: str) -> None:
        """As the port says, on the host that the name says."""
        self._at(f"{TRASH}/{name}")[1].drop_trash(name)

    def _at(self, path: str) -> tuple[str, Data]:
        host = self._home(path)
        data = self._there(host) if host != LOCAL else None
        if data is None and host != LOCAL and path.startswith(f"{TRASH}/") and host in self._hosts():
            # Taken for this machine's, it would count as gone.
            raise EngineUnavailable(
                f"{path} is in the trash on host {host}, which no container gives way to any more.",
                hint=f"Set up its backup again (`homelab-mcp backup configure --host {host}`), then ask anew.",
                code="backup_not_running",
                details={"host": host},
            )
        return (LOCAL, self._here) if data is None else (host, data)

    def _home(self, path: str) -> str:
        if path.startswith(f"{TRASH}/"):
            return host_of_trash(path.removeprefix(f"{TRASH}/").partition("/")[0])
        folder, slash, _ = path.partition("/")
        return self._host_of(folder) if slash and not folder.startswith(".") else LOCAL
