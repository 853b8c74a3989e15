"""The Docker Engine, asked over its own API (https://docs.docker.com/reference/api/engine/)."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from homelab_mcp.adapters import container_facts, docker_answers, docker_logs
from homelab_mcp.adapters.docker_connection import connected, knock
from homelab_mcp.adapters.docker_errors import endpoint, translated
from homelab_mcp.core.project_name import PROJECT_LABEL, of_a_service
from homelab_mcp.core.resources import Usage
from homelab_mcp.model.diagnosis import ContainerFacts
from homelab_mcp.model.errors import EngineFailed
from homelab_mcp.model.image import ImageFacts
from homelab_mcp.model.observed import ContainerMake, ContainerState, Rollout
from homelab_mcp.ports import EngineInfo

if TYPE_CHECKING:
    from docker.api import APIClient

NETWORK_LABEL = "homelab.network"
READ_SECONDS = 10.0
WRITE_SECONDS = 60.0
_MEMORY_SECONDS = 300.0
_RENAMED = re.compile(r"^[0-9a-f]{8,12}_")


class DockerEngine:
    """One engine; connected to on first use.

    Args:
        base_url: ``unix://``, ``tcp://`` or ``ssh://`` address; None takes DOCKER_HOST, else the current Docker
            context, as the ``docker`` command does.
        read_seconds: what one answer may take.
        certificates: for ``tcp://``: the folder of ca.pem, cert.pem and key.pem.
    """

    def __init__(
        self, base_url: str | None = None, *, read_seconds: float = READ_SECONDS, certificates: str = ""
    ) -> None:
        self._base_url = base_url
        self._certificates = certificates
        self._read_seconds = read_seconds
        self._clients: dict[float, APIClient] = {}
        self._memory: tuple[int, float] | None = None
        self._guard = threading.Lock()
        self._environments: dict[str, tuple[tuple[str, str], ...]] = {}

    @property
    def address(self) -> str:
        """The address that is asked, without connecting to it."""
        return endpoint(self._base_url)[0]

    def silent(self) -> Mapping[str, str]:
        """None: one engine answers or raises."""
        return {}

    def info(self) -> EngineInfo:
        """What the engine says of itself."""
        raw = self._ask(lambda c: c.info())
        return EngineInfo(
            version=str(raw.get("ServerVersion", "")),
            api_version=str(self._client(self._read_seconds).api_version),
            os=str(raw.get("OperatingSystem", "")),
            architecture=str(raw.get("Architecture", "")),
            cpus=int(raw.get("NCPU") or 0),
            memory=int(raw.get("MemTotal") or 0),
            storage_driver=str(raw.get("Driver", "")),
            containers_running=int(raw.get("ContainersRunning") or 0),
            runtimes=tuple(sorted(raw.get("Runtimes") or {})),
            cgroup=str(raw.get("CgroupVersion") or ""),
            kernel=str(raw.get("KernelVersion") or ""),
            warnings=tuple(str(w) for w in raw.get("Warnings") or ()),
        )

    def memory(self) -> int:
        """Bytes; kept for five minutes: Docker works on an ``info`` for ten times as long as on a list."""
        known = self._memory
        if known is None or time.monotonic() - known[1] > _MEMORY_SECONDS:
            known = self._memory = self.info().memory, time.monotonic()
        return known[0]

    def containers(self, stack: str | None = None, *, besides: bool = False) -> tuple[ContainerState, ...]:
        """Containers of services that Compose made, or all of them, in one request; sorted by name."""
        label = PROJECT_LABEL if stack is None else f"{PROJECT_LABEL}={stack}"
        filters = {} if besides and stack is None else {"label": [label]}
        raw = self._ask(lambda c: c.containers(all=True, filters=filters))
        found = (docker_answers.listed(one) for one in raw if besides or of_a_service(one.get("Labels") or {}))
        return tuple(sorted(found, key=lambda c: c.name))

    def rollouts(self, stack: str) -> tuple[Rollout, ...]:
        """None: what Compose runs is no service of Swarm's."""
        return ()

    def inspect(self, container_id: str) -> ContainerState:
        """One container in full; EngineFailed (code ``no_such_object``) where it is gone.

        ``status`` holds the engine's own word on why it ended (out of memory, could not start), or is empty.
        """
        raw = self._ask(lambda c: c.inspect_container(container_id))
        self._environments[container_id] = docker_answers.environment(raw)
        return docker_answers.inspected(raw)

    def usage(self, container_id: str) -> Usage:
        """One answer of ``GET /containers/ID/stats``, for which the engine reads twice, a second apart."""
        return docker_answers.usage(self._ask(lambda c: c.stats(container_id, stream=False)))

    def facts(self, container_id: str) -> ContainerFacts:
        """One container in full; what it listens on where it runs on this machine's kernel."""
        raw = self._ask(lambda c: c.inspect_container(container_id))
        self._environments[container_id] = docker_answers.environment(raw)
        return container_facts.read(raw, self._image(str(raw.get("Image", ""))))

    def raw(self, container_id: str) -> dict[str, Any]:
        """``GET /containers/ID/json``, for other adapters."""
        return dict(self._ask(lambda c: c.inspect_container(container_id)))

    def volumes(self) -> frozenset[str]:
        """Names of all volumes."""
        return frozenset(str(v["Name"]) for v in self._ask(lambda c: c.volumes()).get("Volumes") or ())

    def made_from(self, container_id: str) -> ContainerMake:
        """What a container was made from, beside what its image brings by itself. Values of variables are secret."""
        raw = self._ask(lambda c: c.inspect_container(container_id))
        reference = str((raw.get("Config") or {}).get("Image", ""))
        try:
            image = self._ask(lambda c: c.inspect_image(reference))  # type: ignore[no-untyped-call] # docker-py
        except EngineFailed as error:
            if error.code != "no_such_object":
                raise
            # The name is gone or was given to no other image; the container's own image is still there.
            image = {}
        return docker_answers.made_from(raw, image or self._image(str(raw.get("Image", ""))))

    def _image(self, identity: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._ask(lambda c: c.inspect_image(identity))  # type: ignore[no-untyped-call] # docker-py
            return found
        except EngineFailed as error:
            if error.code != "no_such_object":
                raise
            return {}

    def logs(
        self, container_id: str, *, tail: int, since: float | None = None, until: float | None = None
    ) -> Iterator[tuple[str, str, str]]:
        """(time, stream, line) of the last ``tail`` lines (of those before ``until``), oldest first."""
        if until is None:
            yield from self._read_log(container_id, tail, since)
        else:
            yield from docker_logs.last_lines(lambda most: self._read_log(container_id, most, since), tail, until)

    def environments(self) -> Mapping[str, tuple[tuple[str, str], ...]]:
        """By id, the variables of the containers that were inspected or whose logs were read, for masking alone."""
        return self._environments

    def networks(self) -> frozenset[str]:
        """Names of all networks."""
        return frozenset(self.pools())

    def pools(self) -> Mapping[str, tuple[str, ...]]:
        """Every network with its subnets."""
        return docker_answers.pools(self._ask(lambda c: c.networks()))

    def create_network(self, name: str) -> None:
        """Make a bridge network, marked as this project's; one that is there is left as it is."""
        if name not in self.networks():
            self._change(lambda c: c.create_network(name, driver="bridge", labels={NETWORK_LABEL: "true"}))

    def remove_network(self, name: str) -> None:
        """Remove a network that nothing is attached to; a missing one is no error.

        Raises:
            EngineFailed: containers are attached (code ``network_in_use``).
        """
        try:
            users = self._ask(lambda c: c.inspect_network(name)).get("Containers") or {}
            if users:
                attached = ", ".join(sorted(str(u.get("Name", "")) for u in users.values())[:5])
                raise EngineFailed(
                    f"Network {name} is in use by {attached}.",
                    hint="Remove those containers first.",
                    code="network_in_use",
                )
            self._change(lambda c: c.remove_network(name))
        except EngineFailed as error:
            if error.code != "no_such_object":
                raise

    def images(self) -> frozenset[str]:
        """Every repository:tag on the engine."""
        raw = self._ask(lambda c: c.images())
        return frozenset(tag for image in raw for tag in image.get("RepoTags") or () if tag != "<none>:<none>")

    def image_digests(self, reference: str) -> frozenset[str]:
        """What is behind the @ of its RepoDigests; a locally built image has none."""
        found = self._image(reference).get("RepoDigests") or ()
        return frozenset(str(d).partition("@")[2] for d in found)

    def image_facts(self, reference: str) -> ImageFacts | None:
        """What an image says of itself; None where it is not on the engine."""
        raw = self._image(reference)
        return docker_answers.image_facts(raw) if raw else None

    def sweep_renamed(self, stack: str) -> list[str]:
        """Remove the ``<hex>_name`` containers a killed ``compose up`` leaves; never volumes."""
        gone = []
        for container in self.containers(stack):
            if _RENAMED.match(container.name):
                self._remove(container.id)
                gone.append(container.name)
        return gone

    def remove_orphans(self, stack: str, services: Collection[str]) -> list[str]:
        """Stop and remove the project's containers of these services; volumes stay."""
        gone = []
        for container in self.containers(stack):
            if container.service in services:
                self._stop(container.id)
                self._remove(container.id)
                gone.append(container.name)
        return gone

    def _stop(self, container_id: str) -> None:
        try:
            # Asked to end before it is taken away: what it holds in memory may belong on a volume.
            self._change(lambda c: c.stop(container_id, timeout=10))
        except EngineFailed as error:
            if error.code != "no_such_object":
                raise

    def sweep_networks(self, stack: str, names: Collection[str]) -> list[str]:
        """Remove those of the project's own networks with these names that no container is joined to, running or not.

        Returns:
            The names of what was removed; a network that someone joins at this moment stays.
        """
        label = f"{PROJECT_LABEL}={stack}"
        own = {str(n["Name"]) for n in self._ask(lambda c: c.networks(filters={"label": [label]}))} & set(names)
        raw = self._ask(lambda c: c.containers(all=True)) if own else ()
        used = {name for one in raw for name in docker_answers.listed(one).networks}
        gone = []
        for name in sorted(own - used):
            try:
                self.remove_network(name)
            except EngineFailed as error:
                if error.code != "network_in_use":
                    raise
            else:
                gone.append(name)
        return gone

    def _remove(self, container_id: str) -> None:
        try:
            self._change(lambda c: c.remove_container(container_id, force=True, v=False))
        except EngineFailed as error:
            if error.code != "no_such_object":
                raise

    def log_place(self, container_id: str) -> str:
        """Where the API has the log, below its version."""
        return f"containers/{container_id}"

    def _read_log(self, container_id: str, tail: int, since: float | None) -> docker_logs.LogLines:
        with self.raw_log(container_id, tail=str(tail), since=since) as chunks:
            yield from docker_answers.log_lines(chunks)

    @contextmanager
    def raw_log(
        self,
        container_id: str,
        *,
        tail: str = "all",
        since: float | None = None,
        until: float | None = None,
        whole: bool = False,
    ) -> Iterator[Iterator[bytes]]:
        """The body of ``GET /containers/ID/logs`` with times, in pieces. Raises EngineUnavailable, EngineFailed.

        ``whole`` says that it may be gigabytes.
        """
        if container_id not in self._environments:
            # What a container was given is what it may print; a container's environment never changes.
            self.inspect(container_id)
        ask = docker_logs.request(self.log_place(container_id), tail, since, until, self._read_seconds, whole=whole)
        with closing(self._ask(ask)) as answer:
            yield docker_logs.pieces(answer, self.address, self._read_seconds if whole else None)

    def _client(self, seconds: float) -> APIClient:
        with self._guard:
            if seconds not in self._clients:
                self._clients[seconds] = connected(self._base_url, self._certificates, seconds)
            return self._clients[seconds]

    def asked(self, call: Callable[[APIClient], Any], seconds: float = 0.0) -> Any:
        """What a call of docker-py answers, for adapters that ask for more (``seconds`` 0: the usual time).

        Raises EngineUnavailable, EngineFailed.
        """
        return self._call(call, seconds or self._read_seconds)

    def _ask(self, call: Callable[[APIClient], Any]) -> Any:
        return self._call(call, self._read_seconds)

    def _change(self, call: Callable[[APIClient], Any]) -> Any:
        return self._call(call, WRITE_SECONDS)

    def _call(self, call: Callable[[APIClient], Any], seconds: float) -> Any:
        from docker.errors import DockerException
        from requests.exceptions import RequestException
        from urllib3.exceptions import HTTPError

        try:
            knock(self.address, self._read_seconds)
            return call(self._client(seconds))
        except (OSError, DockerException, RequestException, HTTPError) as error:
            raise translated(error, self.address) from error
