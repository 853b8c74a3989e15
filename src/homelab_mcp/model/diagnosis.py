"""What a diagnosis is made from, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from homelab_mcp.model.observed import ContainerState


@dataclass(frozen=True, slots=True)
class ContainerMount:
    """One mount of a container: kind (bind, volume, tmpfs), source on the host, target inside, whether it may write."""

    kind: str
    source: str
    target: str
    writable: bool = True


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """One container in full, as ``docker inspect`` has it; no value of a variable is in it.

    Args:
        state: identity, state, exit code and restarts.
        oom: the kernel killed it for its memory.
        error: the engine's own words on why it could not start.
        finished_at: RFC 3339 time at which it last ended; "" where it never did.
        health_log: outputs of its last health checks, oldest first.
        health_test: the check's command, as one line.
        user: whom it runs as; "" is the image's own.
        restart: its restart policy.
        network_mode: Docker's word, such as ``bridge``, ``none`` or ``container:ID``.
        read_only: its root file system cannot be written.
        memory: its memory limit, bytes; 0 for none.
        pids: its limit of processes; 0 for none.
        mounts: what is mounted.
        image_architecture: what its image was built for; "" where unknown.
        exposed: ports that its image says it listens on.
        listens: TCP ports that something listens on inside it; None where nobody can look.
        listens_local: those of them that only the container itself can reach.
    """

    state: ContainerState
    oom: bool = False
    error: str = ""
    finished_at: str = ""
    health_log: tuple[str, ...] = ()
    health_test: str = ""
    user: str = ""
    restart: str = ""
    network_mode: str = ""
    read_only: bool = False
    memory: int = 0
    pids: int = 0
    mounts: tuple[ContainerMount, ...] = ()
    image_architecture: str = ""
    exposed: tuple[int, ...] = ()
    listens: frozenset[int] | None = None
    listens_local: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class HostPath:
    """The host's side of a mount: kind (folder, file, other, "" where nothing is), owner, mode, and room, bytes."""

    target: str
    path: str
    kind: str
    uid: int = -1
    gid: int = -1
    mode: int = 0
    free: int = 0
    total: int = 0
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Other:
    """Another service: where it is, how it is, the networks it is on and the ports it is known to serve."""

    stack: str
    service: str
    state: str
    health: str = ""
    networks: frozenset[str] = frozenset()

    @property
    def where(self) -> str:
        """``stack/service``."""
        return f"{self.stack}/{self.service}"

    @property
    def down(self) -> bool:
        """Whether it does not run."""
        return self.state != "running"


@dataclass(frozen=True, slots=True)
class Signature:
    """A known line of a service's log: what it means and what to do.

    ``images`` are the repositories it counts for, none for every image: a word is looked for in a repository's last
    part, ``owner/name`` is its end. ``family`` is the cause's id. ``tool`` makes a plan of ``fix``, with ``arguments``
    beside service and stack; without one a person does it. ``of_entry``: a catalog entry says it of its own service.
    """

    id: str
    images: tuple[str, ...]
    pattern: str
    family: str
    cause: str
    fix: str
    source: str
    confidence: float = 0.9
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    of_entry: bool = False


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """A service's route as its labels, Traefik and a request through it show it.

    Args:
        hosts: host names of its routers.
        port: the port its labels lead to; 0 where they name none.
        middlewares: middlewares that its routers name.
        undefined: those of them that nothing defines.
        enabled: what ``traefik.enable`` says.
        network: what ``traefik.docker.network`` names.
        clashes: ``stack/service`` of others that answer to the same host with the same rule.
        traefik: the lab's Traefik; None where there is none.
        status: what the route answered; 0 for nothing.
        location: where it sent the request.
        error: why nothing came.
        certificate: subject and issuer that were served.
        verified: whether the certificate was trusted.
        expired: when the served certificate ended, where that is past.
        resolves: addresses that the host's DNS gives; None where nobody asked.
        sso: the log-in middleware is among its middlewares.
        login: the service that the log-in is; None where unknown.
        login_protected: the log-in's own route asks for log-in.
        domain: the lab's.
    """

    hosts: tuple[str, ...] = ()
    port: int = 0
    middlewares: tuple[str, ...] = ()
    undefined: tuple[str, ...] = ()
    enabled: str = ""
    network: str = ""
    clashes: tuple[str, ...] = ()
    traefik: Other | None = None
    status: int = 0
    location: str = ""
    error: str = ""
    certificate: str = ""
    verified: bool = False
    expired: str = ""
    resolves: tuple[str, ...] | None = None
    sso: bool = False
    login: Other | None = None
    login_protected: bool = False
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of one service when it is judged; texts from outside are masked already.

    Args:
        stack: its stack.
        service: its name.
        image: the image its file names.
        body: the service as its file has it, variables put in where they have values.
        containers: its containers; None where the engine was not asked.
        logs: last lines of its log, oldest first.
        logs_before: the same with those of before its present run, where ``logs`` lacks them and a fault may come back.
        compose_error: what Compose says of the stack's files, "" where it takes them.
        missing: variables of its file without a value.
        required: those of them without which Compose stops.
        depends: services of ``depends_on``.
        gateway: the service whose network it shares.
        others: every other service of the lab.
        networks: names of the engine's networks.
        wanted_networks: networks of others that its file names.
        volumes: names of the engine's volumes; None where unknown.
        wanted_volumes: volumes that are to be there already.
        image_here: whether the image is on the engine.
        tags: other tags of it that are on the engine.
        host_architecture: the engine's.
        takers: host port it publishes -> who has it already.
        paths: the host's side of its mounts.
        puid: the user that it says it works as; -1 where it says nothing.
        free: bytes that are free on the lab's disk.
        total: bytes of that disk.
        findings: (rule, severity, sentence, can be fixed by itself) of the checker on this service.
        recent: (plan id, summary, seconds ago) of the last apply that touched its stack.
        drift: the container is not what its file says.
        lazy: it is started on demand and sleeps otherwise.
        route: its route; None where it has none.
        error: what the person saw, as they put it.
        signatures: known lines of logs.
    """

    stack: str
    service: str
    image: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    containers: tuple[ContainerFacts, ...] | None = None
    logs: tuple[str, ...] = ()
    logs_before: tuple[str, ...] = ()
    compose_error: str = ""
    missing: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()
    gateway: str = ""
    others: tuple[Other, ...] = ()
    networks: frozenset[str] = frozenset()
    wanted_networks: tuple[str, ...] = ()
    volumes: frozenset[str] | None = None
    wanted_volumes: tuple[str, ...] = ()
    image_here: bool | None = None
    tags: tuple[str, ...] = ()
    host_architecture: str = ""
    takers: Mapping[int, str] = field(default_factory=dict)
    paths: tuple[HostPath, ...] = ()
    puid: int = -1
    free: int = 0
    total: int = 0
    findings: tuple[tuple[str, str, str, bool], ...] = ()
    recent: tuple[str, str, float] | None = None
    drift: bool = False
    lazy: bool = False
    route: RouteFacts | None = None
    error: str = ""
    signatures: tuple[Signature, ...] = ()

    @property
    def one(self) -> ContainerFacts | None:
        """Its container, the one that is worst off where it has several."""
        rank = {"dead": 0, "restarting": 1, "exited": 2, "created": 3, "paused": 4}
        return min(self.containers or (), key=lambda c: rank.get(c.state.state, 9), default=None)

    @property
    def runs(self) -> bool:
        """Whether its container is up right now."""
        return self.one is not None and self.one.state.state == "running"

    def other(self, name: str) -> Other | None:
        """The service of that name, of this stack before any other."""
        found = [o for o in self.others if o.service == name]
        return next((o for o in found if o.stack == self.stack), found[0] if found else None)


@dataclass(frozen=True, slots=True)
class Remedy:
    """How a cause is settled: what is done, and the tool call that makes the plan; without one a person does it."""

    what: str
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: ``what``, and ``tool`` and ``arguments`` where a plan does it."""
        call = {"tool": self.tool, "arguments": dict(self.arguments)} if self.tool else {}
        return {"what": self.what, **call}


@dataclass(frozen=True, slots=True)
class Cause:
    """One possible cause: a stable id, confidence from 0 to 1, one sentence, what was seen, and how it is settled."""

    id: str
    confidence: float
    title: str
    evidence: tuple[str, ...]
    fix: Remedy

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "cause": self.id,
            "confidence": round(self.confidence, 2),
            "title": self.title,
            "evidence": list(self.evidence),
            "fix": self.fix.as_dict(),
        }
