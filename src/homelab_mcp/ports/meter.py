"""What the engine measures: use of containers now, disk by class, images' age, and what it killed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from homelab_mcp.core.resources import Usage
from homelab_mcp.core.usage_series import Sample


@dataclass(frozen=True, slots=True)
class Use:
    """One container now: its usage, its memory limit in bytes (0: none), and bytes moved since it started."""

    usage: Usage
    limit: int = 0
    received: int = 0
    sent: int = 0
    read: int = 0
    written: int = 0


@dataclass(frozen=True, slots=True)
class DiskClass:
    """One of Docker's classes (images, containers, volumes, build cache): how many, bytes, bytes that nothing uses."""

    name: str
    count: int
    size: int
    unused: int


@dataclass(frozen=True, slots=True)
class Ending:
    """A container that ended or met its memory limit: Unix seconds, container id, "oom" or "die", exit code."""

    time: float
    container: str
    kind: str
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Lines of a log as ``Engine.logs`` has them; those from ``start`` to ``end`` may have what was looked for."""

    lines: list[tuple[str, str, str]]
    start: int
    end: int


class Meter(Protocol):
    """Measures; every call raises EngineUnavailable when the engine does not answer, EngineFailed on its errors."""

    def uses(self, containers: Sequence[str]) -> Mapping[str, Use]:
        """By container id, all at once, in about two seconds; those that do not run are absent."""
        ...

    def disk(self) -> tuple[DiskClass, ...]:
        """What Docker keeps on disk; may take many seconds where there is much."""
        ...

    def image_times(self) -> Mapping[str, float]:
        """Unix seconds at which each image was built, by its id."""
        ...

    def search(
        self, container: str, word: str, *, fold: bool, since: float | None, until: float | None
    ) -> Iterator[Stretch]:
        """The stretches of a container's whole log that have the word, oldest first; empty ones tell of the progress.

        ``fold``: the word is lower case, and the log's case does not count.
        """
        ...

    def endings(self, since: float) -> tuple[Ending, ...]:
        """Containers that ended since, as far as the engine remembers (its last 256 events)."""
        ...


class UsageLog(Protocol):
    """Samples of what services used, of bounded size, the oldest making room."""

    def append(self, sample: Sample) -> None:
        """Add one. Raises StorageFailed."""
        ...

    def samples(self, since: float = 0.0) -> list[Sample]:
        """Those from that moment on, in time order."""
        ...
