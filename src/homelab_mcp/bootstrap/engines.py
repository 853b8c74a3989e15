"""The part of a lab that runs: engines of this machine and of other hosts, Compose, and what looks at them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, cast

from homelab_mcp.bootstrap.on_disk import LabOnDisk
from homelab_mcp.bootstrap.outside import compose_judge
from homelab_mcp.core.stack_host import require
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import HOSTS_FILE, LOCAL
from homelab_mcp.ports import (
    Compose,
    Data,
    Engine,
    Hardware,
    Host,
    Hosts,
    Inside,
    Judge,
    Lab,
    Meter,
    PlacedData,
    Probe,
    Registry,
    Releases,
    ServiceCalls,
    Standby,
    Swarm,
    Trials,
)

if TYPE_CHECKING:
    from homelab_mcp.adapters.docker_engine import DockerEngine
    from homelab_mcp.adapters.hosts import HostSet
    from homelab_mcp.adapters.hosts_engine import HostsEngine
    from homelab_mcp.adapters.stack_compose import StackCompose
    from homelab_mcp.adapters.swarm_cli import SwarmCli
    from homelab_mcp.adapters.swarm_engine import SwarmEngine


class LabEngines(LabOnDisk):
    """A lab's machines; each is connected to on first use."""

    @cached_property
    def engine(self) -> Engine:
        """The Docker Engine of DOCKER_HOST, or the usual socket; with ``hosts.yaml`` those of all hosts."""
        if self.files.read(HOSTS_FILE) is None:
            return self._local_engine
        from homelab_mcp.adapters.hosts_engine import HostsEngine

        return HostsEngine(self._host_set)

    @cached_property
    def _local_engine(self) -> SwarmEngine:
        from homelab_mcp.adapters.swarm_engine import SwarmEngine

        return SwarmEngine(self.files)

    @cached_property
    def _host_set(self) -> HostSet:
        from homelab_mcp.adapters.hosts import HostSet

        return HostSet(self.root, self.files, self._local_engine)

    @property
    def hosts(self) -> Hosts:
        """This machine and the hosts of ``hosts.yaml``."""
        return self._host_set

    @property
    def seen(self) -> str:
        """Nothing but all of it."""
        return ""

    @property
    def whole(self) -> Lab:
        """Itself."""
        return cast("Lab", self)

    def on(self, host: str) -> Lab:
        """The lab seen through one host."""
        if not host:
            return self.whole
        others = () if self.files.read(HOSTS_FILE) is None else self.hosts.settings.hosts
        require(host, others)
        if not others:
            return self.whole
        from homelab_mcp.bootstrap.one_host import OneHost

        return cast("Lab", OneHost(self.whole, host, self._host_set))

    @cached_property
    def swarm(self) -> Swarm:
        """The Swarm that this machine manages."""
        from homelab_mcp.adapters.swarm_nodes import SwarmNodes

        return SwarmNodes(self._local_engine, lambda: self._host_set, self._stacks.swarm)

    @cached_property
    def standby(self) -> Standby:
        """The core once more on another host."""
        from homelab_mcp.adapters.compose_cli import ComposeCli
        from homelab_mcp.adapters.standby import StandbyHosts

        def compose(host: str) -> ComposeCli:
            return ComposeCli(self.root, reach=lambda _: self._host_set.reach(host))

        return StandbyHosts(self.root, lambda: self._host_set, compose)

    @cached_property
    def compose(self) -> Compose:
        """``docker compose``, on each stack's own host, and Swarm for the stacks that say so."""
        return self._stacks

    @cached_property
    def _stacks(self) -> StackCompose:
        from homelab_mcp.adapters.compose_cli import ComposeCli
        from homelab_mcp.adapters.stack_compose import StackCompose

        plain = ComposeCli(self.root, reach=self._reach)

        def swarm() -> SwarmCli:
            from homelab_mcp.adapters.swarm_cli import SwarmCli

            return SwarmCli(plain, plain.environment)

        return StackCompose(self.root, plain, swarm)

    def _reach(self, stack: str) -> Mapping[str, str]:
        if self.files.read(HOSTS_FILE) is None:
            return {}
        return self._host_set.reach(self._host_set.home(stack))

    @cached_property
    def placed_data(self) -> PlacedData:
        """The services' data, each stack's on its host."""
        from homelab_mcp.adapters.data_hosts import DataHosts

        return DataHosts(
            self.data, self._stack_host, self._data_there, lambda: tuple(sorted(self._host_set.settings.hosts))
        )

    def _stack_host(self, folder: str) -> str:
        from homelab_mcp.core.stack_host import host_of

        try:
            path = None if self.files.read(HOSTS_FILE) is None else dict(self.files.stack_folders()).get(folder)
            return host_of(self.files.read(path) or "") if path else LOCAL
        except HomelabError:
            return LOCAL

    def _data_there(self, host: str) -> Data | None:
        from homelab_mcp.adapters.data_there import DataThere
        from homelab_mcp.adapters.data_way import BackupWay, backup_project

        if host not in self._host_set.settings.hosts or backup_project(self.files, host) is None:
            return None
        way = BackupWay(host, self.roots, self.files, self._host_set, files_only=self.files_only)
        return self._ways.setdefault(host, DataThere(host, way))

    @cached_property
    def _ways(self) -> dict[str, Data]:
        return {}

    @cached_property
    def meter(self) -> Meter:
        """What the engine measures, or those of all hosts."""
        from homelab_mcp.adapters.docker_meter import DockerMeter

        # As the engine was made, whatever became of hosts.yaml since.
        if not hasattr(self.engine, "everywhere"):
            return DockerMeter(cast("DockerEngine", self.engine))
        from homelab_mcp.adapters.hosts_meter import HostsMeter

        return HostsMeter(cast("HostsEngine", self.engine), self._local_engine)

    @property
    def probe(self) -> Probe:
        """HTTPS through the lab's own Traefik, at the address the settings publish it on."""
        from homelab_mcp.adapters.http_probe import LabProbe

        return LabProbe(lambda: self.settings)

    @cached_property
    def inside(self) -> Inside:
        """Looks at the network from inside containers."""
        from homelab_mcp.adapters.container_inside import ContainerInside

        return ContainerInside()

    @cached_property
    def service_calls(self) -> ServiceCalls:
        """HTTP with the services themselves."""
        from homelab_mcp.adapters.service_calls import ContainerCalls
        from homelab_mcp.adapters.service_ways import found_by

        return ContainerCalls(found_by(self.engine, lambda: self._host_set.settings))

    @cached_property
    def trials(self) -> Trials:
        """Throw-away runs on this machine's engine."""
        from homelab_mcp.adapters.trials import ComposeTrials

        return ComposeTrials(self._local_engine, self.root)

    @cached_property
    def judge(self) -> Judge:
        """``docker compose config``, within bounds."""
        return compose_judge(self.root)

    @cached_property
    def registry(self) -> Registry:
        """Image registries, asked as anybody may."""
        from homelab_mcp.adapters.registry import HttpRegistry

        return HttpRegistry()

    @cached_property
    def releases(self) -> Releases:
        """The hosts of projects' repositories, asked as anybody may."""
        from homelab_mcp.adapters.releases import HttpReleases

        return HttpReleases(self.root)

    @cached_property
    def hardware(self) -> Hardware:
        """This machine."""
        from homelab_mcp.adapters.hardware import LinuxHardware

        return LinuxHardware()

    @property
    def host(self) -> Host:
        """This machine."""
        from homelab_mcp.adapters.host_facts import LinuxHost

        return LinuxHost()
