"""Observed state: what files and containers are, read once, before any decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StackFiles:
    """A stack as its files say: name, the compose file's path relative to the root, its text and the .env's.

    ``others`` are further compose files that Compose merges over it by itself (override files), ``named`` those that
    any of them names (``include``, ``extends``): (path, text). One that was written out as one file has their paths in
    ``made_of``.
    """

    name: str
    compose_path: str
    compose_text: str
    env_text: str = ""
    others: tuple[tuple[str, str], ...] = ()
    named: tuple[tuple[str, str], ...] = ()
    made_of: tuple[str, ...] = ()

    @property
    def env_path(self) -> str:
        """Where the stack's ``.env`` is or would be, relative to the lab's root."""
        return f"{self.name}/.env"


@dataclass(frozen=True, slots=True)
class PublishedPort:
    """A container's port on the host."""

    host_ip: str
    host_port: int
    container_port: int
    protocol: str = "tcp"


@dataclass(frozen=True, slots=True)
class ContainerState:
    """One container as the engine reports it.

    ``state`` is Docker's word (created, running, paused, restarting, removing, exited, dead). ``health`` is
    healthy, unhealthy, starting, or "" where the image and the compose file have no health check. ``host`` is "" for
    the lab's own machine. ``stop_seconds`` is how long a stop waits before it kills; only an inspection tells it.
    ``mounts`` are the paths of the host that it was made with, and the names of its volumes, ``only_read`` those of
    them that it may not write to; only a list tells them.
    """

    id: str
    name: str
    image: str
    state: str
    health: str = ""
    stack: str = ""
    service: str = ""
    config_hash: str = ""
    restart_count: int = 0
    exit_code: int | None = None
    started_at: str = ""
    status: str = ""
    labels: dict[str, str] = field(default_factory=dict, compare=False, hash=False)
    ports: tuple[PublishedPort, ...] = ()
    networks: tuple[str, ...] = ()
    image_id: str = ""
    host: str = ""
    stop_seconds: float = 10.0
    mounts: tuple[str, ...] = field(default=(), compare=False, repr=False)
    only_read: tuple[str, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Rollout:
    """One service of a Swarm stack: what is wanted, and how far Swarm has come with it.

    Args:
        service: as the compose file names it.
        wanted: tasks there are to be; of a global service, one a node that takes it.
        running: tasks that run as the service is now; one with a health check counts once that passes.
        failed: tasks of this form that failed or were rejected, as far as Swarm remembers them.
        update: Swarm's word on the last update (updating, paused, completed, rollback_started, rollback_paused,
            rollback_completed); "" where there was none since the last deploy.
        error: what the last failed task said.
        checked: whether it has a health check of its own in the file.
        watched: seconds that Swarm watches each task of an update.
        form: the hash of the text that it was deployed from.
    """

    service: str
    wanted: int
    running: int
    failed: int = 0
    update: str = ""
    error: str = ""
    checked: bool = False
    watched: float = 0.0
    form: str = ""


@dataclass(frozen=True, slots=True)
class ContainerMake:
    """What a container was made from; values in ``env`` are secret.

    Args:
        image: the reference it was made with.
        image_moved: that reference names another image by now.
        env: its variables.
        labels: its labels but Compose's own.
        image_env: the variables that its image brings.
        image_labels: the labels that its image brings.
        ports: what is published, as it was asked for.
        user: whom its first process starts as, by the file or else the image; "" is root.
    """

    image: str
    image_moved: bool = False
    env: dict[str, str] = field(default_factory=dict, repr=False)
    labels: dict[str, str] = field(default_factory=dict, repr=False)
    image_env: dict[str, str] = field(default_factory=dict, repr=False)
    image_labels: dict[str, str] = field(default_factory=dict, repr=False)
    ports: tuple[PublishedPort, ...] = ()
    user: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The lab at one moment: every stack's files, the settings file's text, and the containers when asked for.

    ``shared_env`` is the text of ``global.env``, Dockge's variables of every stack. ``containers`` is None when the
    engine was not asked or did not answer; ``engine_error`` then says why. ``silent`` are the hosts of several that
    did not answer, and why: containers there are not among these. ``besides`` are the other containers, of no service:
    what ``docker compose run`` made, and what Compose did not make.
    """

    stacks: tuple[StackFiles, ...]
    settings_text: str | None
    containers: tuple[ContainerState, ...] | None = None
    engine_error: str = ""
    shared_env: str = field(default="", repr=False)
    silent: Mapping[str, str] = field(default_factory=dict)
    besides: tuple[ContainerState, ...] = ()

    @property
    def every_container(self) -> tuple[ContainerState, ...]:
        """Every container, whoever made it: each has a name, may publish ports, and holds what it mounts."""
        return (*(self.containers or ()), *self.besides)

    def stack(self, name: str) -> StackFiles | None:
        """The stack of that name, or None."""
        return next((s for s in self.stacks if s.name == name), None)
