"""What a stack of several texts comes to, and what is wrong between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from homelab_mcp.core.compose_model import ComposeFile
from homelab_mcp.core.compose_parts import Part, plain
from homelab_mcp.core.yaml12 import Mark, YamlRefused

if TYPE_CHECKING:
    from yaml.nodes import Node

Read = Callable[[str], str | None]
"""A path to its text, None where there is no such file. Raises HomelabError for what it may or can not read."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one stack may take.

    Args:
        files: texts read, each time counted.
        size: characters of all of them.
        depth: ``extends`` and ``include`` one inside the other.
        spare: values that merging may add, beyond ten times what is written.
    """

    files: int = 100
    size: int = 8 * 1024 * 1024
    depth: int = 20
    spare: int = 20_000


DEFAULT_BOUNDS = Bounds()


class Kind(StrEnum):
    """What is wrong between files."""

    MISSING = "missing"
    CIRCLE = "circle"
    NO_SERVICE = "no_service"
    CONFLICT = "conflict"
    BOUNDS = "bounds"
    UNSEEN = "unseen"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something wrong between files: at a place of one of them, with a sentence."""

    kind: Kind
    file: str
    mark: Mark
    message: str
    service: str = ""


@dataclass(slots=True)
class Source:
    """One text that was read. ``judged``: Compose checks all of it, not only what another file takes from it."""

    file: str
    text: str
    judged: bool = True
    documents: list[ComposeFile] = field(default_factory=list)
    refused: YamlRefused | None = None


class Merged:
    """What the files of a stack come to, in the shape of one :class:`ComposeFile`."""

    def __init__(self, root: Part) -> None:
        self.root = root
        self.data: dict[Any, Any] = plain(root) if isinstance(root.value, dict) else {}

    def section(self, name: str) -> dict[str, Any]:
        """See :meth:`ComposeFile.section`."""
        part = self.data.get(name)
        return part if isinstance(part, dict) else {}

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        """See :attr:`ComposeFile.services`."""
        return {str(name): body for name, body in self.section("services").items() if isinstance(body, dict)}

    def find(self, path: Sequence[str | int]) -> tuple[Part, bool]:
        """The part at the path, and True; of a path that is not there its nearest parent, and False."""
        part = self.root
        for step in path:
            inside = _inside(part.value, step)
            if inside is None:
                return part, False
            part = inside
        return part, True

    def place(self, path: Sequence[str | int], *, key: bool = False) -> tuple[str, Mark]:
        """The file and place of the value (or its key) at the path."""
        part, there = self.find(path)
        return part.file.place(part.path, key=key and there)

    def node(self, path: Sequence[str | int]) -> Node | None:
        """See :meth:`ComposeFile.node`."""
        part, there = self.find(path)
        return part.file.node(part.path) if there else None

    def is_plain(self, path: Sequence[str | int]) -> bool:
        """See :meth:`ComposeFile.is_plain`."""
        part, there = self.find(path)
        return there and part.file.is_plain(part.path)


def _inside(value: Any, step: str | int) -> Part | None:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value):
        found: Part = value[step]
        return found
    return None


@dataclass(frozen=True, slots=True)
class Loaded:
    """A stack's texts and what they come to. ``partial``: something of it is unknown. ``merged`` None: all of it."""

    merged: Merged | None
    sources: tuple[Source, ...]
    troubles: tuple[Trouble, ...]
    partial: bool
