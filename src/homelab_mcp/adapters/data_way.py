"""The way to data on another host: its container that makes backups, which sees the lab's folder there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from homelab_mcp.adapters.compose_program import ENGINE_VARIABLES, compose_environment
from homelab_mcp.adapters.data_there import Way
from homelab_mcp.adapters.data_there_told import not_running
from homelab_mcp.core.backup_config import ENGINE_LABEL
from homelab_mcp.core.operations.lab_view import view
from homelab_mcp.core.project_name import project_name
from homelab_mcp.core.stack_host import host_of
from homelab_mcp.model.errors import EngineUnavailable, HomelabError
from homelab_mcp.model.observed import Snapshot, StackFiles

if TYPE_CHECKING:
    from homelab_mcp.adapters.hosts import HostSet
    from homelab_mcp.ports import Files


def backup_project(files: Files, host: str) -> str | None:
    """The project of the stack that makes a host's backups, by the lab's files alone; None where there is none."""
    for name, path in files.stack_folders():
        try:
            text = files.read(path) or ""
        except HomelabError:
            continue
        # Most files say nothing of it, and none is parsed for that.
        if ENGINE_LABEL not in text or host_of(text) != host:
            continue
        services = view(Snapshot((StackFiles(name, path, text, ""),), None)).services
        if any(one.labels.get(ENGINE_LABEL) == "engine" for one in services):
            return project_name(name, text)
    return None


class BackupWay:
    """Finds that container once, and again when asked to.

    Args:
        host: its name.
        roots: the names of the lab's folder, one of which the container has a mount of.
        files: the lab's.
        hosts: the lab's.
        files_only: no engine is to be asked, so there is no way.
    """

    def __init__(
        self, host: str, roots: Sequence[str], files: Files, hosts: HostSet, *, files_only: bool = False
    ) -> None:
        self._host = host
        self._roots = roots
        self._files = files
        self._hosts = hosts
        self._files_only = files_only
        self._found = ""

    def __call__(self, *, fresh: bool) -> Way:
        """How to run something in it; ``fresh`` looks for it anew.

        Raises EngineUnavailable (``host_silent``, ``backup_not_running``, ``plan_needs_docker``).
        """
        if self._files_only:
            raise EngineUnavailable(
                f"Data on host {self._host} is reached through Docker, which is left out (files only).",
                code="plan_needs_docker",
                hint="Try it without files-only mode.",
            )
        reach = self._hosts.reach(self._host)
        if fresh or not self._found:
            self._found = self._find()
        # Another host's address must not meet certificates or a context of this machine's.
        kept = {k: v for k, v in compose_environment().items() if k not in ENGINE_VARIABLES}
        return Way(("docker", "exec", self._found), {**kept, **reach})

    def _find(self) -> str:
        project = backup_project(self._files, self._host)
        for one in self._hosts.engine(self._host).containers(project) if project else ():
            ours = one.labels.get(ENGINE_LABEL) == "engine" and set(self._roots) & set(one.mounts)
            if one.state == "running" and ours:
                return one.id
        raise not_running(self._host)
