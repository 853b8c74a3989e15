"""Docker, Compose and the network: what runs, and what makes it run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from homelab_mcp.core.resources import Usage
from homelab_mcp.model.certificate import Served
from homelab_mcp.model.diagnosis import ContainerFacts
from homelab_mcp.model.image import ImageFacts
from homelab_mcp.model.judgement import Judged, Question
from homelab_mcp.model.observed import ContainerMake, ContainerState, Rollout


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What the engine says of itself."""

    version: str
    api_version: str
    os: str
    architecture: str
    cpus: int
    memory: int
    storage_driver: str
    containers_running: int
    runtimes: tuple[str, ...] = ()
    cgroup: str = ""
    kernel: str = ""
    warnings: tuple[str, ...] = ()
    """What it cannot do here, as ``docker info`` shows it."""


class Engine(Protocol):
    """A Docker Engine. Every call raises EngineUnavailable when it does not answer, EngineFailed on its errors."""

    def info(self) -> EngineInfo: ...
    def memory(self) -> int:
        """Bytes of the machine's memory, as ``info`` has them; 0 where unknown. Asked anew after minutes only."""
        ...

    def silent(self) -> Mapping[str, str]:
        """Of several hosts: those that did not answer when all were asked last, and why. Of one engine: none."""
        ...

    def containers(self, stack: str | None = None, *, besides: bool = False) -> tuple[ContainerState, ...]:
        """Containers of services that Compose made (any state), of one stack or all, in one request; sorted by name.

        With ``besides`` also those that are no service's (``docker compose run``), and of all stacks every container
        that the engine has: those have names, ports and mounts as well.

        Of a stack that Swarm runs they are its tasks, wherever they run, with a task's id in place of a container's.

        ``restart_count``, ``exit_code`` and ``started_at`` are filled by ``inspect`` only.
        """
        ...

    def rollouts(self, stack: str) -> tuple[Rollout, ...]:
        """How far Swarm has come with each service of a stack that it runs; none of a stack that Compose runs."""
        ...

    def inspect(self, container_id: str) -> ContainerState: ...
    def usage(self, container_id: str) -> Usage:
        """What it uses now, looked at for about a second (the engine's own two readings)."""
        ...

    def facts(self, container_id: str) -> ContainerFacts:
        """One container in full, for a diagnosis; nothing is run in it. EngineFailed where it is gone."""
        ...

    def volumes(self) -> frozenset[str]: ...
    def made_from(self, container_id: str) -> ContainerMake:
        """What a container was made from. EngineFailed (``no_such_object``) where it is gone."""
        ...

    def logs(
        self, container_id: str, *, tail: int, since: float | None = None, until: float | None = None
    ) -> Iterator[tuple[str, str, str]]:
        """(RFC 3339 time, stream, line) of the last ``tail`` lines, oldest first."""
        ...

    def networks(self) -> frozenset[str]: ...
    def pools(self) -> Mapping[str, tuple[str, ...]]:
        """Every network, named as :meth:`networks` does, with its subnets (``172.18.0.0/16``)."""
        ...

    def create_network(self, name: str) -> None: ...
    def remove_network(self, name: str) -> None:
        """Remove a network that nothing is attached to; a missing one is no error."""
        ...

    def images(self) -> frozenset[str]:
        """Every repository:tag that is on the engine."""
        ...

    def image_digests(self, reference: str) -> frozenset[str]:
        """The digests by which registries know the image that this reference names here; none where it is not here."""
        ...

    def image_facts(self, reference: str) -> ImageFacts | None:
        """What an image says of itself; None where it is not on the engine (nothing is pulled)."""
        ...

    def sweep_renamed(self, stack: str) -> list[str]:
        """Remove the ``<hex>_name`` containers that a killed ``compose up`` leaves; their names."""
        ...

    def remove_orphans(self, stack: str, services: Collection[str]) -> list[str]:
        """Stop and remove the containers that carry these services' labels, never volumes; their names."""
        ...

    def sweep_networks(self, stack: str, names: Collection[str]) -> list[str]:
        """Remove those of the stack's own networks with these names that no container is joined to; their names."""
        ...


class Compose(Protocol):
    """``docker compose`` v2 on one stack folder. Raises EngineUnavailable or EngineFailed."""

    def version(self) -> str: ...
    def config(self, stack: str) -> None:
        """Let Compose itself judge the stack's files (no daemon needed); EngineFailed holds what it said."""
        ...

    def check_text(
        self,
        stack: str,
        text: str,
        env_text: str,
        others: Sequence[tuple[str, str]] = (),
        named: Sequence[tuple[str, str]] = (),
    ) -> None:
        """As ``config``, for texts that are not on disk yet.

        ``others`` (path, text) are merged over the first; ``named`` are files that any of them names and that change
        too, by their path from the lab's root.
        """
        ...

    def resolved(self, stack: str) -> dict[str, Any]:
        """What Compose reads from the stack's files, variables filled in: holds secrets, for comparing only."""
        ...

    def hashes(self, stack: str) -> dict[str, str]:
        """Service -> the hash that ``up`` would label its container with; services of inactive profiles are absent.

        "" where nobody can tell it now, as it depends on a container that is not there.
        """
        ...

    def pull(self, stack: str, services: Sequence[str]) -> None:
        """Pull what is missing (``--policy missing``)."""
        ...

    def up(self, stack: str, services: Sequence[str]) -> None:
        """``up -d --no-build`` without waiting; recreates what its files changed. Empty services: the whole stack."""
        ...

    def back(self, stack: str, services: Sequence[str]) -> None:
        """As ``up``, once the stack's files are again what they were: Swarm by its own roll-back where it can."""
        ...

    def remove(self, stack: str, services: Sequence[str]) -> None:
        """Stop and remove containers of these services; never volumes."""
        ...

    def down(self, stack: str) -> None:
        """Stop and remove the stack's containers and own networks; never volumes."""
        ...

    def restart(self, stack: str, services: Sequence[str]) -> None: ...
    def stop(self, stack: str, services: Sequence[str]) -> None: ...
    def start(self, stack: str, services: Sequence[str]) -> None:
        """Start containers that are there, as they are; EngineFailed where there are none."""
        ...

    def recreate(self, stack: str, services: Sequence[str]) -> None:
        """Make these containers anew from their files (``up --force-recreate --no-deps``); anonymous volumes stay."""
        ...

    def pause(self, stack: str, services: Sequence[str]) -> None: ...
    def unpause(self, stack: str, services: Sequence[str]) -> None: ...
    def create(self, stack: str, services: Sequence[str]) -> None:
        """Create or recreate containers as the files say, without starting them (``up --no-start``)."""
        ...


class Judge(Protocol):
    """``docker compose config``, bounded in time and memory, on files anywhere. Raises EngineUnavailable."""

    def version(self) -> str: ...
    def ask(self, question: Question, *, seconds: float) -> Judged:
        """One answer, within that many seconds and the judge's own limits; nothing of it is left running."""
        ...

    def env_texts(self, file: str) -> tuple[str, ...]:
        """The texts of the env files that count for a compose file; what stands in them is no business of a reader."""
        ...


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What an HTTP request saw. ``status`` 0 when no answer came; ``error`` then says why.

    ``certificate`` is the subject and issuer in one line; ``verified`` whether the chain was trusted; ``expires`` when
    it ends, as Unix time, 0 where none was seen.
    """

    url: str
    status: int
    location: str = ""
    certificate: str = ""
    verified: bool = False
    error: str = ""
    expires: float = 0.0


class Probe(Protocol):
    """HTTP as a browser on the LAN would do it."""

    def get(self, host: str, path: str = "/", *, timeout: float = 5.0) -> ProbeResult:
        """GET ``https://host/path`` through the lab's own Traefik (its published address), with SNI and Host."""
        ...

    def certificate(self, host: str, *, timeout: float = 5.0) -> Served:
        """What TLS shows for the host there, asked with its name, trusted or not."""
        ...
