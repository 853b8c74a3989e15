"""Where the paths of a stack's services lead: what they mount, what they read, and what a named volume stands for."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from homelab_mcp.core.compose_meaning import read
from homelab_mcp.core.compose_model import is_external
from homelab_mcp.core.operations.lab_view import expand
from homelab_mcp.core.operations.stack_as_one import as_one_file
from homelab_mcp.core.operations.volume_edit import source_of
from homelab_mcp.core.project_name import project_name
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.observed import StackFiles

Root = str | tuple[str, ...]
"""The lab's folder on its machine; all of its names where a link leads to it. "" where it does not matter."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What a stack's files say beside its services.

    Args:
        project: the project that Compose makes of the stack, by which Docker names its volumes.
        volumes: its named volumes.
        secrets: its secrets.
        configs: its configs.
        files: its files beside the compose file (``include``, ``extends``, overrides), relative to the lab's root.
    """

    project: str = ""
    volumes: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Any] = field(default_factory=dict)
    configs: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    def volume_name(self, volume: str, env: Mapping[str, str]) -> str:
        """What Docker calls a named volume; "" for one that is not declared, or whose name is not known.

        Source: Compose Specification, "Volumes": ``name`` is used as it is; else the project's name stands before it.
        """
        if volume not in self.volumes:
            return ""
        spec = self.volumes[volume]
        spec = spec if isinstance(spec, Mapping) else {}
        external = spec.get("external")
        # The old form has the name below it.
        older = external.get("name") if isinstance(external, Mapping) else None
        said = spec.get("name") or older or (volume if is_external(spec) else f"{self.project}_{volume}")
        name = expand(str(said), env)
        return "" if "$" in name else name


def declared_by(stack: StackFiles, *, files: bool = False) -> Declared:
    """What a stack's files declare; nothing where they cannot be read.

    With ``files`` those beside the compose file are named too, for what would take folders from their place.
    """
    return _declared_by(stack, files)


@lru_cache(maxsize=1024)
def _declared_by(stack: StackFiles, files: bool) -> Declared:
    """Kept by what the files say: every plan asks it of each stack."""
    try:
        found = read(as_one_file(stack).compose_text)
    except HomelabError:
        return Declared()
    parts = {k: v for k in ("volumes", "secrets", "configs") if isinstance(v := found.get(k), Mapping)}
    return Declared(
        project_name(stack.name, stack.compose_text),
        parts.get("volumes", {}),
        parts.get("secrets", {}),
        parts.get("configs", {}),
        files_beside(stack) if files else (),
    )


def files_beside(stack: StackFiles) -> tuple[str, ...]:
    """The stack's files beside its compose file, relative to the lab's root."""
    return stack.made_of or tuple(path for path, _ in (*stack.others, *stack.named))


@dataclass(frozen=True, slots=True)
class Near:
    """A stack as where its services' paths begin. ``env`` are its variables."""

    stack: str
    env: Mapping[str, str]
    root: Root
    declared: Declared

    def paths(self, service: Any, *, files: bool) -> Iterator[str]:
        """Paths of the stack's folder that a service mounts or reads, relative to the lab's root."""
        for source in (*self.sources(service), *(self.reads(service) if files else ())):
            if place := self.own(source):
                yield place

    def sources(self, service: Any) -> list[str]:
        """What a service mounts, as written; the folder behind a named volume where it is one of the machine's."""
        return [self.device(s) or s for s in mounted(service)]

    def reads(self, service: Any) -> Iterator[str]:
        """Files and folders that a service is given beside its mounts.

        Its ``env_file``, the files of its ``secrets`` and ``configs``, what it is built from, and what it extends.
        """
        of = service if isinstance(service, Mapping) else {}
        found = [item.get("path") if isinstance(item, Mapping) else item for item in _listed(of.get("env_file"))]
        for key, declared in (("secrets", self.declared.secrets), ("configs", self.declared.configs)):
            for item in _listed(of.get(key)):
                spec = declared.get(str(item.get("source") if isinstance(item, Mapping) else item))
                found.append(spec.get("file") if isinstance(spec, Mapping) else "")
        build, extends = of.get("build"), of.get("extends")
        found.append(build.get("context") if isinstance(build, Mapping) else build)
        found.append(extends.get("file") if isinstance(extends, Mapping) else "")
        yield from (self._from_here(str(path)) for path in found if path)

    def device(self, volume: str) -> str:
        """The folder that a named volume is but another name of (``driver_opts``, ``device``); "" for another."""
        spec = self.declared.volumes.get(volume)
        options = spec.get("driver_opts") if isinstance(spec, Mapping) else None
        device = str(options.get("device") or "") if isinstance(options, Mapping) else ""
        # A share of Windows begins with two, one of NFS with a colon.
        path = self.filled(device)
        return device if path.startswith((".", "/")) and not path.startswith("//") else ""

    def place(self, source: str) -> str:
        """A source as a path of the lab; "" for a named volume, and what cannot be told or is not in the lab."""
        path = self.filled(source)
        roots = (self.root,) if isinstance(self.root, str) else self.root
        if not path.startswith((".", "/") if any(roots) else "."):
            return ""
        if not any(roots):
            return posixpath.normpath(f"{self.stack}/{path}")
        # The lab may be reached by a link; a path may be written from either name of its folder.
        whole = [posixpath.normpath(path if path.startswith("/") else f"{r}/{self.stack}/{path}") for r in roots]
        found = [posixpath.relpath(w, r) for w in whole for r in roots]
        return next((p for p in found if p != ".." and not p.startswith("../")), found[0])

    def own(self, source: str) -> str | None:
        """The same where it is in the stack's folder, else None."""
        path = self.place(source)
        return path if path == self.stack or path.startswith(f"{self.stack}/") else None

    def filled(self, text: str) -> str:
        """A path with the stack's variables filled in.

        ``PWD`` is the stack's folder: Compose runs there, and its environment counts before ``.env``.
        """
        return expand(text, {**self.env, "PWD": "."})

    def _from_here(self, path: str) -> str:
        # One that begins with a variable may be a path from the machine's root.
        return path if self.filled(path).startswith((".", "/")) else f"./{path}"


def _listed(value: Any) -> list[Any]:
    if isinstance(value, (str, Mapping)):
        return [value]
    return value if isinstance(value, list) else []


def mounted(service: Any) -> list[str]:
    """The sources of what a service mounts, as written."""
    volumes = service.get("volumes") if isinstance(service, Mapping) else None
    return [s for v in (volumes if isinstance(volumes, list) else ()) if (s := source_of(v))]
