"""All hosts of a lab as one engine: a question about a stack goes to its host, one about all goes to all at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from homelab_mcp.adapters.docker_engine import DockerEngine
from homelab_mcp.adapters.hosts import KNOCK_SECONDS, HostSet
from homelab_mcp.core.at_once import at_once
from homelab_mcp.core.project_name import FOLDER_LABEL
from homelab_mcp.core.resources import Usage
from homelab_mcp.core.swarm.network import OVERLAY
from homelab_mcp.model.diagnosis import ContainerFacts
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.image import ImageFacts
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import ContainerMake, ContainerState, Rollout
from homelab_mcp.ports import EngineInfo

T = TypeVar("T")


class HostsEngine:
    """Fulfils ``ports.Engine`` over every host of ``hosts.yaml`` and this machine.

    Names of networks on another host than this machine are ``host/name``, so that a plan says where one is made. A
    container on a host that is not its stack's (a project of somebody else there) has ``host:project`` for a stack.

    Args:
        hosts: every host.
        only: the one that questions about all are put to; "" for all of them.
    """

    def __init__(self, hosts: HostSet, *, only: str = "") -> None:
        self._hosts = hosts
        self._only = only
        self._where: dict[str, str] = {}
        self._why: dict[str, str] = {}

    def silent(self) -> Mapping[str, str]:
        """Hosts that did not answer when all were asked last, and why."""
        return dict(self._why)

    def everywhere(self, ask: Callable[[DockerEngine], T]) -> dict[str, T]:
        """What each host answers, by its name; those that are silent are left out, and told by ``silent``.

        Raises:
            EngineUnavailable, EngineFailed: none of them answered; this machine's error, or that of the only one.
        """
        names = (self._only,) if self._only else self._hosts.names

        def one(name: str) -> T:
            self._hosts.knock(name)
            return ask(self._hosts.engine(name))

        calls = {name: (lambda n=name: one(n)) for name in names}
        found = at_once(calls, max(self._hosts.patience(n) for n in names) + KNOCK_SECONDS)
        why: dict[str, str] = {}
        for name, result in found.items():
            if isinstance(result, HomelabError):
                why[name] = result.message
            elif isinstance(result, TimeoutError):
                why[name] = self._hosts.silent(name, str(result)).message
            elif isinstance(result, Exception):
                raise result
        self._why = why
        answers = {name: one for name, one in found.items() if not isinstance(one, Exception)}
        if not answers and isinstance(error := found[first := names[0]], Exception):
            raise error if isinstance(error, HomelabError) else self._hosts.silent(first, str(error))
        return answers

    def info(self) -> EngineInfo:
        """This machine's, or the only one's."""
        return self._at(self._only or LOCAL).info()

    def memory(self) -> int:
        """This machine's, or the only one's."""
        return self._at(self._only or LOCAL).memory()

    def containers(self, stack: str | None = None, *, besides: bool = False) -> tuple[ContainerState, ...]:
        """Of one stack from its host, which must answer; of all from every host that does."""
        if stack is not None:
            host = self._hosts.home(stack)
            return self._placed(host, self._at(host).containers(stack, besides=besides), {stack: host})
        found = self.everywhere(lambda engine: engine.containers(besides=besides))
        homes = self._hosts.homes()
        return tuple(c for host, seen in found.items() for c in self._placed(host, seen, homes))

    def _placed(
        self, host: str, seen: tuple[ContainerState, ...], homes: Mapping[str, str]
    ) -> tuple[ContainerState, ...]:
        self._where |= {c.id: host for c in seen}
        if host == LOCAL and all(home == LOCAL for home in homes.values()):
            return seen
        return tuple(self._one(host, c, homes.get(c.stack, LOCAL if host == LOCAL else "")) for c in seen)

    def _one(self, host: str, container: ContainerState, home: str) -> ContainerState:
        name = "" if host == LOCAL else host
        if home == host:
            return replace(container, host=name)
        labels = {k: v for k, v in container.labels.items() if k != FOLDER_LABEL}
        # One that Compose did not make is of no stack anywhere.
        stack = container.stack and f"{host}:{container.stack}"
        return replace(container, host=name, stack=stack, labels=labels)

    def rollouts(self, stack: str) -> tuple[Rollout, ...]:
        """From the stack's host."""
        return self._at(self._hosts.home(stack)).rollouts(stack)

    def inspect(self, container_id: str) -> ContainerState:
        """As the engine's that has it."""
        host = self._where.get(container_id, LOCAL)
        found = self._holder(container_id).inspect(container_id)
        return replace(found, host=host) if host != LOCAL else found

    def usage(self, container_id: str) -> Usage:
        """As the engine's that has it."""
        return self._holder(container_id).usage(container_id)

    def facts(self, container_id: str) -> ContainerFacts:
        """As the engine's that has it."""
        return self._holder(container_id).facts(container_id)

    def made_from(self, container_id: str) -> ContainerMake:
        """As the engine's that has it."""
        return self._holder(container_id).made_from(container_id)

    def logs(
        self, container_id: str, *, tail: int, since: float | None = None, until: float | None = None
    ) -> Iterator[tuple[str, str, str]]:
        """As the engine's that has it."""
        return self._holder(container_id).logs(container_id, tail=tail, since=since, until=until)

    def volumes(self) -> frozenset[str]:
        """Of every host that answers."""
        return frozenset[str]().union(*self.everywhere(lambda engine: engine.volumes()).values())

    def networks(self) -> frozenset[str]:
        """Of every host that answers; ``host/name`` for those of others than this machine."""
        return frozenset(self.pools())

    def pools(self) -> Mapping[str, tuple[str, ...]]:
        """Of every host that answers, named likewise."""
        found = self.everywhere(lambda engine: engine.pools())
        return {n if host == LOCAL else f"{host}/{n}": nets for host, all_ in found.items() for n, nets in all_.items()}

    def create_network(self, name: str) -> None:
        """Make it on the host that its name says."""
        host, bare = self._network(name)
        self._at(host).create_network(bare)

    def remove_network(self, name: str) -> None:
        """Remove it from the host that its name says."""
        host, bare = self._network(name)
        self._at(host).remove_network(bare)

    def images(self) -> frozenset[str]:
        """Of every host that answers."""
        return frozenset[str]().union(*self.everywhere(lambda engine: engine.images()).values())

    def image_digests(self, reference: str) -> frozenset[str]:
        """Of every host that answers."""
        found = self.everywhere(lambda engine: engine.image_digests(reference))
        return frozenset[str]().union(*found.values())

    def image_facts(self, reference: str) -> ImageFacts | None:
        """Of the first host that has it, this machine first."""
        found = self.everywhere(lambda engine: engine.image_facts(reference))
        return next((found[name] for name in found if found.get(name) is not None), None)

    def sweep_renamed(self, stack: str) -> list[str]:
        """On the stack's host."""
        return self._at(self._hosts.home(stack)).sweep_renamed(stack)

    def remove_orphans(self, stack: str, services: Collection[str]) -> list[str]:
        """On the stack's host."""
        return self._at(self._hosts.home(stack)).remove_orphans(stack, services)

    def sweep_networks(self, stack: str, names: Collection[str]) -> list[str]:
        """On the stack's host."""
        return self._at(self._hosts.home(stack)).sweep_networks(stack, names)

    def holder(self, container_id: str) -> str:
        """The host that a container was last seen on."""
        return self._where.get(container_id, LOCAL)

    def at(self, host: str) -> DockerEngine:
        """That host's engine, once it gave a sign of life. Raises EngineUnavailable, NotFound."""
        return self._at(host)

    def _at(self, host: str) -> DockerEngine:
        self._hosts.knock(host)
        return self._hosts.engine(host)

    def _holder(self, container_id: str) -> DockerEngine:
        return self._at(self._where.get(container_id, LOCAL))

    def _network(self, name: str) -> tuple[str, str]:
        host, slash, bare = name.partition("/")
        # A Swarm's networks are this machine's business.
        return (host, bare) if slash and f"{host}/" != OVERLAY else (LOCAL, name)
