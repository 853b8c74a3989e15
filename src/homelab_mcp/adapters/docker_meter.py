"""What the Docker Engine measures, over the same connection as the engine itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from homelab_mcp.adapters import docker_answers
from homelab_mcp.adapters.docker_engine import DockerEngine
from homelab_mcp.adapters.docker_search import stretches
from homelab_mcp.model.errors import EngineFailed
from homelab_mcp.ports.meter import DiskClass, Ending, Stretch, Use

AT_ONCE = 20
DISK_SECONDS = 60.0
_NO_LIMIT = 1 << 60


class DockerMeter:
    """Fulfils ``ports.Meter``.

    Args:
        engine: whose connection is used.
    """

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine

    def uses(self, containers: Sequence[str]) -> Mapping[str, Use]:
        """Each by one answer of ``GET /containers/ID/stats``, for which the engine reads twice, a second apart."""

        def one(container: str) -> Use | None:
            try:
                return use(self._engine.asked(lambda c: c.stats(container, stream=False)))
            except EngineFailed as error:
                if error.code != "no_such_object":
                    raise
                return None

        if not containers:
            return {}
        with ThreadPoolExecutor(min(AT_ONCE, len(containers)), thread_name_prefix="stats") as pool:
            found = pool.map(one, containers)
            return {key: value for key, value in zip(containers, found, strict=True) if value is not None}

    def disk(self) -> tuple[DiskClass, ...]:
        """``GET /system/df``, which walks through volumes."""
        return disk_classes(self._engine.asked(lambda c: c.df(), DISK_SECONDS))

    def image_times(self) -> Mapping[str, float]:
        """``GET /images/json``."""
        raw = self._engine.asked(lambda c: c.images())
        return {str(image.get("Id", "")): float(image.get("Created") or 0) for image in raw}

    def search(
        self, container: str, word: str, *, fold: bool, since: float | None, until: float | None
    ) -> Iterator[Stretch]:
        """``GET /containers/ID/logs`` from its beginning, at the engine's own pace."""
        with self._engine.raw_log(container, since=since, until=until, whole=True) as chunks:
            yield from stretches(chunks, word.encode(), fold=fold)

    def endings(self, since: float) -> tuple[Ending, ...]:
        """``GET /events`` up to now."""
        import time

        def ask(client: Any) -> list[dict[str, Any]]:
            filters = {"type": ["container"], "event": ["oom", "die"]}
            return list(client.events(since=int(since), until=int(time.time()) + 1, filters=filters, decode=True))

        return tuple(_ending(one) for one in self._engine.asked(ask))


def use(raw: Mapping[str, Any]) -> Use | None:
    """``GET /containers/ID/stats``; None for a container that does not run (nothing is counted then)."""
    memory: Mapping[str, Any] = raw.get("memory_stats") or {}
    if not memory.get("usage"):
        return None
    limit = int(memory.get("limit") or 0)
    networks = (raw.get("networks") or {}).values()
    moved = (raw.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ()

    def blocks(word: str) -> int:
        return sum(int(one.get("value") or 0) for one in moved if str(one.get("op", "")).lower() == word)

    return Use(
        usage=docker_answers.usage(dict(raw)),
        limit=limit if limit < _NO_LIMIT else 0,
        received=sum(int(one.get("rx_bytes") or 0) for one in networks),
        sent=sum(int(one.get("tx_bytes") or 0) for one in networks),
        read=blocks("read"),
        written=blocks("write"),
    )


def disk_classes(raw: Mapping[str, Any]) -> tuple[DiskClass, ...]:
    """``GET /system/df`` as ``docker system df`` sums it up.

    Layers that images share count once; an image is unused when no container, running or not, is made from it.
    """
    images = raw.get("Images") or []
    unused = [one for one in images if not one.get("Containers")]
    idle = sum(int(one.get("Size") or 0) - max(int(one.get("SharedSize") or 0), 0) for one in unused)
    containers = raw.get("Containers") or []
    volumes = raw.get("Volumes") or []
    cache = raw.get("BuildCache") or []

    def total(items: Sequence[Mapping[str, Any]], size: Callable[[Mapping[str, Any]], Any]) -> int:
        return sum(max(int(size(one) or 0), 0) for one in items)

    def of_volume(one: Mapping[str, Any]) -> Any:
        return (one.get("UsageData") or {}).get("Size")

    unused_volumes = [v for v in volumes if not (v.get("UsageData") or {}).get("RefCount")]
    stopped = [c for c in containers if c.get("State") not in {"running", "paused", "restarting"}]
    unused_cache = [b for b in cache if not b.get("InUse") and not b.get("Shared")]
    return (
        DiskClass("images", len(images), int(raw.get("LayersSize") or 0), max(idle, 0)),
        DiskClass("containers", len(containers), total(containers, _writable), total(stopped, _writable)),
        DiskClass("volumes", len(volumes), total(volumes, of_volume), total(unused_volumes, of_volume)),
        DiskClass("build cache", len(cache), total(cache, _size), total(unused_cache, _size)),
    )


def _writable(one: Mapping[str, Any]) -> Any:
    return one.get("SizeRw")


def _size(one: Mapping[str, Any]) -> Any:
    return one.get("Size")


def _ending(raw: Mapping[str, Any]) -> Ending:
    actor: Mapping[str, Any] = raw.get("Actor") or {}
    code = str((actor.get("Attributes") or {}).get("exitCode") or "")
    return Ending(
        time=float(raw.get("time") or 0),
        container=str(actor.get("ID") or raw.get("id") or ""),
        kind=str(raw.get("Action") or raw.get("status") or ""),
        exit_code=int(code) if code.isdigit() else None,
    )
