"""This machine's engine where a stack of the lab is run by Swarm: its tasks beside Compose's containers.

Nothing here costs a request in a lab without such a stack.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homelab_mcp.adapters import docker_answers, swarm_answers
from homelab_mcp.adapters.docker_engine import NETWORK_LABEL, DockerEngine
from homelab_mcp.adapters.swarm_answers import Cluster
from homelab_mcp.core.project_name import project_name
from homelab_mcp.core.resources import Usage
from homelab_mcp.core.stack_host import SWARM, engine_of
from homelab_mcp.core.swarm.network import OVERLAY
from homelab_mcp.core.swarm.render import NAMESPACE
from homelab_mcp.model.diagnosis import ContainerFacts
from homelab_mcp.model.errors import EngineFailed, HomelabError
from homelab_mcp.model.observed import ContainerMake, ContainerState, Rollout
from homelab_mcp.ports import Files

if TYPE_CHECKING:
    from docker.api import APIClient

TASK_ID = 25
"""Characters of a task's id; a container's has 64."""


class SwarmEngine(DockerEngine):
    """``DockerEngine`` of a Swarm's manager.

    Args:
        files: the lab's, whose compose files say which stacks are Swarm's.
    """

    def __init__(self, files: Files) -> None:
        super().__init__()
        self._files = files
        self._known: dict[str, tuple[tuple[int, int, int], str]] = {}

    def containers(self, stack: str | None = None, *, besides: bool = False) -> tuple[ContainerState, ...]:
        """As ``DockerEngine``, with the tasks of stacks that Swarm runs."""
        found = super().containers(stack, besides=besides)
        mine = self._projects() if stack is None else self._projects() & {stack}
        if not mine:
            return found
        try:
            cluster = self.cluster(stack)
        except EngineFailed as error:
            # Whoever asks for all stacks is to see the others.
            if stack is not None or error.code != "swarm_missing":
                raise
            return found
        tasks = [c for c in swarm_answers.states(cluster) if c.stack in mine]
        # A task stands for the container that it has here.
        found = tuple(c for c in found if c.labels.get(NAMESPACE) not in mine)
        return tuple(sorted((*found, *tasks), key=lambda c: c.name))

    def rollouts(self, stack: str) -> tuple[Rollout, ...]:
        """Of each service of the stack."""
        return swarm_answers.rollouts(self.cluster(stack)) if stack in self._projects() else ()

    def pools(self) -> Mapping[str, tuple[str, ...]]:
        """As ``DockerEngine``; a Swarm's overlay networks also as plans name them (``swarm/name``)."""
        raw = self.asked(lambda c: c.networks())
        overlays = [{**n, "Name": f"{OVERLAY}{n['Name']}"} for n in raw if n.get("Driver") == "overlay"]
        return docker_answers.pools([*raw, *overlays])

    def create_network(self, name: str) -> None:
        """As ``DockerEngine``; ``swarm/name`` is an overlay network that containers of Compose may join too."""
        if not name.startswith(OVERLAY):
            super().create_network(name)
        elif name not in self.networks():
            bare = name.removeprefix(OVERLAY)
            labels = {NETWORK_LABEL: "true"}
            self._change(lambda c: c.create_network(bare, driver="overlay", attachable=True, labels=labels))

    def remove_network(self, name: str) -> None:
        """As ``DockerEngine``; of the Swarm's, whose own end points would look like users, Docker itself judges."""
        if not name.startswith(OVERLAY):
            super().remove_network(name)
            return
        try:
            self._change(lambda c: c.remove_network(name.removeprefix(OVERLAY)))
        except EngineFailed as error:
            if error.code != "no_such_object":
                raise

    def sweep_renamed(self, stack: str) -> list[str]:
        """As ``DockerEngine``; a task's name only looks like what a killed Compose leaves."""
        return [] if stack in self._projects() else super().sweep_renamed(stack)

    def remove_orphans(self, stack: str, services: Collection[str]) -> list[str]:
        """As ``DockerEngine``; of a stack that Swarm runs the services themselves."""
        if stack not in self._projects():
            return super().remove_orphans(stack, services)
        there = {r.service for r in self.rollouts(stack)} & set(services)
        for service in sorted(there):
            name = f"{stack}_{service}"
            self._change(lambda c, name=name: c.remove_service(name))  # type: ignore[misc] # of a loop's turn
        return sorted(there)

    def inspect(self, container_id: str) -> ContainerState:
        """A container, or a task by its id."""
        if len(container_id) != TASK_ID:
            return super().inspect(container_id)
        task = self._task(container_id)
        service = self.json(f"/services/{task['ServiceID']}")
        others = self.json("/tasks", {"service": [str(service["Spec"]["Name"])]})
        nodes = {str(n["ID"]): str((n.get("Description") or {}).get("Hostname", "")) for n in self.json("/nodes")}
        return swarm_answers.state(service, task, others, nodes, self._here())

    def usage(self, container_id: str) -> Usage:
        """Of a container here."""
        return super().usage(self._container(container_id))

    def facts(self, container_id: str) -> ContainerFacts:
        """Of a container here; of a task elsewhere what Swarm says."""
        if len(container_id) == TASK_ID and self._task(container_id).get("NodeID") != self._here():
            return ContainerFacts(self.inspect(container_id))
        return super().facts(self._container(container_id))

    def made_from(self, container_id: str) -> ContainerMake:
        """Of a container here."""
        return super().made_from(self._container(container_id))

    def log_place(self, container_id: str) -> str:
        """Swarm hands on the log of a task from whichever node it is on."""
        return f"tasks/{container_id}" if len(container_id) == TASK_ID else super().log_place(container_id)

    def _container(self, ident: str) -> str:
        """The container of a task on this node. Raises EngineFailed (``no_such_object``)."""
        if len(ident) != TASK_ID:
            return ident
        task = self._task(ident)
        container = str(((task.get("Status") or {}).get("ContainerStatus") or {}).get("ContainerID", ""))
        if not container or task.get("NodeID") != self._here():
            raise EngineFailed(
                "This task has no container on this node, and other nodes' engines are not asked.",
                hint="Look on that node, or ask for its log, which Swarm hands on.",
                code="no_such_object",
            )
        return container

    def _task(self, ident: str) -> dict[str, Any]:
        task: dict[str, Any] = self.json(f"/tasks/{ident}")
        self._environments[ident] = swarm_answers.environment(task)
        return task

    def _here(self) -> str:
        return str((self.json("/info").get("Swarm") or {}).get("NodeID", ""))

    def cluster(self, stack: str | None, *, everything: bool = False) -> Cluster:
        """What Swarm has of one stack, of all, or ``everything`` that it runs.

        Raises EngineFailed (``swarm_missing``) where this machine manages no Swarm.
        """
        label = NAMESPACE if stack is None else f"{NAMESPACE}={stack}"
        info = self.json("/info").get("Swarm") or {}
        if not info.get("ControlAvailable"):
            raise EngineFailed(
                f"This machine is no manager of a Swarm{'' if everything else ', and a stack has `engine: swarm`'}.",
                hint="`docker swarm init --advertise-addr ADDRESS` makes one, on an address that other nodes reach.",
                code="swarm_missing",
            )
        wanted = None if everything else {"label": [label]}
        services = self.json("/services", wanted, status=True)
        tasks = self.json("/tasks", wanted) if services else []
        nodes = self.json("/nodes") if services or everything else []
        return Cluster(services, tasks, nodes, str(info.get("NodeID", "")))

    def json(self, path: str, filters: dict[str, list[str]] | None = None, *, status: bool = False) -> Any:
        """What ``GET path`` answers. Raises EngineUnavailable, EngineFailed."""
        return self.asked(_get(path, filters, status=status))

    def _projects(self) -> frozenset[str]:
        """Names of the stacks that Swarm runs. Asked at every look, so a file that is the same is read once."""
        found = set()
        for folder, path in self._files.stack_folders():
            known = self._known.get(path)
            mark = _mark(f"{self._files.root}/{path}")
            if known is None or known[0] != mark:
                known = self._known[path] = (mark, self._project(folder, path))
            if known[1]:
                found.add(known[1])
        return frozenset(found)

    def _project(self, folder: str, path: str) -> str:
        """The stack's name where Swarm runs it, else ""."""
        try:
            text = self._files.read(path) or ""
        except HomelabError:
            return ""
        return project_name(folder, text) if engine_of(text) == SWARM else ""


def _mark(path: str) -> tuple[int, int, int]:
    """What changes with a file's text: every write here puts another file in its place."""
    try:
        found = Path(path).lstat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_mtime_ns, found.st_size


def _get(path: str, filters: dict[str, list[str]] | None, *, status: bool) -> Callable[[APIClient], Any]:
    import json

    from docker.errors import create_api_error_from_http_exception
    from requests.exceptions import HTTPError

    # docker-py's own calls know neither a service's counts nor a filter for tasks by label.
    params = {"filters": json.dumps(filters)} if filters else {}
    if status:
        params["status"] = "true"

    def ask(client: APIClient) -> Any:
        answer = client.get(f"{client.base_url}/v{client.api_version}{path}", params=params, timeout=client.timeout)
        try:
            answer.raise_for_status()
        except HTTPError as error:
            create_api_error_from_http_exception(error)
        return answer.json()

    return ask
