"""What the engines of several hosts measure, as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from homelab_mcp.adapters.docker_meter import DockerMeter
from homelab_mcp.ports.meter import DiskClass, Ending, Stretch, Use

if TYPE_CHECKING:
    from homelab_mcp.adapters.docker_engine import DockerEngine
    from homelab_mcp.adapters.hosts_engine import HostsEngine


class HostsMeter:
    """Fulfils ``ports.Meter``; hosts that are silent are left out. Disk space is this machine's.

    Args:
        engine: all hosts.
        local: this machine's engine.
    """

    def __init__(self, engine: HostsEngine, local: DockerEngine) -> None:
        self._engine = engine
        self._local = DockerMeter(local)

    def uses(self, containers: Sequence[str]) -> Mapping[str, Use]:
        """Every host is asked about its own at the same time."""
        names = {self._engine.holder(c) for c in containers}
        mine = {name: [c for c in containers if self._engine.holder(c) == name] for name in names}
        engines = {id(self._engine.at(name)): name for name in names if name not in self._engine.silent()}

        def ask(engine: DockerEngine) -> Mapping[str, Use]:
            name = engines.get(id(engine))
            return DockerMeter(engine).uses(mine[name]) if name else {}

        found = self._engine.everywhere(ask)
        return {key: use for uses in found.values() for key, use in uses.items()}

    def disk(self) -> tuple[DiskClass, ...]:
        """This machine's."""
        return self._local.disk()

    def image_times(self) -> Mapping[str, float]:
        """Of every host."""
        found = self._engine.everywhere(lambda engine: DockerMeter(engine).image_times())
        return {image: when for times in found.values() for image, when in times.items()}

    def search(
        self, container: str, word: str, *, fold: bool, since: float | None, until: float | None
    ) -> Iterator[Stretch]:
        """On the container's host."""
        engine = self._engine.at(self._engine.holder(container))
        return DockerMeter(engine).search(container, word, fold=fold, since=since, until=until)

    def endings(self, since: float) -> tuple[Ending, ...]:
        """Of every host."""
        found = self._engine.everywhere(lambda engine: DockerMeter(engine).endings(since))
        return tuple(sorted((e for endings in found.values() for e in endings), key=lambda e: e.time))
