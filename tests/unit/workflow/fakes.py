"""A small make-believe Docker over real files: what a compose file says is what runs.

An image's name decides how its container behaves: ``crash`` restarts for ever, ``exit`` ends with code 3, ``sick`` is
unhealthy, ``steady`` has no health check, ``nowhere`` cannot be pulled, everything else becomes healthy.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from homelab_mcp.core.resources import Usage
from homelab_mcp.model.certificate import Served
from homelab_mcp.model.diagnosis import ContainerFacts
from homelab_mcp.model.errors import EngineFailed, EngineUnavailable, InvalidInput
from homelab_mcp.model.image import ImageFacts
from homelab_mcp.model.observed import ContainerMake, ContainerState, Rollout
from homelab_mcp.ports import EngineInfo, ProbeResult


class FakeClock:
    """Time that passes only by sleeping."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.wall = now
        self.passed = 0.0

    def now(self) -> float:
        return self.wall + self.passed

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds


@dataclass
class FakeContainer:
    id: str
    stack: str
    service: str
    image: str
    config_hash: str
    state: str = "running"
    restarts: int = 0


@dataclass
class FakeDocker:
    """The engine; ``calls`` is what was asked of it and of Compose, in order."""

    containers_now: dict[str, FakeContainer] = field(default_factory=dict)
    besides_now: list[ContainerState] = field(default_factory=list)
    networks_now: set[str] = field(default_factory=lambda: {"bridge"})
    calls: list[str] = field(default_factory=list)
    log_line: str = "listening"
    down_for: int = 0
    exit_code: int = 3
    made: int = 0

    def ask(self) -> None:
        if self.down_for > 0:
            self.down_for -= 1
            raise EngineUnavailable("Docker is not running.")

    def silent(self) -> dict[str, str]:
        return {}

    def info(self) -> EngineInfo:
        return EngineInfo("27", "1.47", "linux", "x86_64", 2, 1 << 32, "overlay2", len(self.containers_now))

    def memory(self) -> int:
        return self.info().memory

    def containers(self, stack: str | None = None, *, besides: bool = False) -> tuple[ContainerState, ...]:
        self.ask()
        found = [c for c in self.containers_now.values() if stack in (None, c.stack)]
        mine = tuple(self.state_of(c) for c in sorted(found, key=lambda c: c.id))
        return (*mine, *(c for c in self.besides_now if besides and stack in (None, c.stack)))

    def state_of(self, one: FakeContainer) -> ContainerState:
        health = "" if "steady" in one.image or "crash" in one.image else "healthy"
        health = "unhealthy" if "sick" in one.image else health
        state = "exited" if "exit" in one.image else one.state
        return ContainerState(
            id=one.id,
            name=f"{one.stack}-{one.service}-1",
            image=one.image,
            state=state,
            health=health if state == "running" else "",
            stack=one.stack,
            service=one.service,
            config_hash=one.config_hash,
            restart_count=one.restarts,
            exit_code=self.exit_code if state == "exited" else None,
        )

    def rollouts(self, stack: str) -> tuple[Rollout, ...]:
        return ()

    def inspect(self, container_id: str) -> ContainerState:
        self.ask()
        if container_id not in self.containers_now:
            raise EngineFailed("No such container.", code="no_such_object")
        one = self.containers_now[container_id]
        one.restarts += "crash" in one.image
        return self.state_of(one)

    def usage(self, container_id: str) -> Usage:
        return Usage(50 * 2**20, 0.1, 5)

    def logs(
        self, container_id: str, *, tail: int, since: float | None = None, until: float | None = None
    ) -> Iterator[tuple[str, str, str]]:
        yield ("2026-01-01T00:00:00Z", "stderr", self.log_line)

    def networks(self) -> frozenset[str]:
        self.ask()
        return frozenset(self.networks_now)

    def pools(self) -> dict[str, tuple[str, ...]]:
        return dict.fromkeys(self.networks(), ())

    def create_network(self, name: str) -> None:
        self.calls.append(f"create network {name}")
        self.networks_now.add(name)

    def remove_network(self, name: str) -> None:
        self.calls.append(f"remove network {name}")
        self.networks_now.discard(name)

    def image_digests(self, reference: str) -> frozenset[str]:
        return frozenset()

    def images(self) -> frozenset[str]:
        return frozenset()

    def facts(self, container_id: str) -> ContainerFacts:
        return ContainerFacts(self.inspect(container_id))

    def volumes(self) -> frozenset[str]:
        return frozenset()

    def image_facts(self, reference: str) -> ImageFacts | None:
        return None

    def made_from(self, container_id: str) -> ContainerMake:
        return ContainerMake(self.containers_now[container_id].image)

    def remove_orphans(self, stack: str, services: Collection[str]) -> list[str]:
        self.calls.append(f"remove orphans {stack} {','.join(services)}")
        gone = [c for c in self.containers_now.values() if c.stack == stack and c.service in services]
        for one in gone:
            del self.containers_now[one.id]
        return [f"{stack}-{one.service}-1" for one in gone]

    def sweep_renamed(self, stack: str) -> list[str]:
        return []

    def sweep_networks(self, stack: str, names: Collection[str]) -> list[str]:
        return []

    def running(self) -> dict[str, tuple[str, str]]:
        """service -> (image, config hash) of what is there."""
        return {c.service: (c.image, c.config_hash) for c in self.containers_now.values()}


class FakeCompose:
    """Compose on real stack folders and a FakeDocker; ``fail`` makes a verb fail, ``before`` is called at each verb."""

    def __init__(self, root: Path, docker: FakeDocker) -> None:
        self.root = root
        self.docker = docker
        self.fail: set[str] = set()
        self.refuses = ""
        self.judged: dict[str, str] = {}
        self.before: Callable[[str], None] = lambda verb: None

    def version(self) -> str:
        return "2.40.3"

    def config(self, stack: str) -> None:
        self.services(stack)

    def check_text(
        self,
        stack: str,
        text: str,
        env_text: str,
        others: Sequence[tuple[str, str]] = (),
        named: Sequence[tuple[str, str]] = (),
    ) -> None:
        if self.refuses:
            raise EngineFailed("docker compose config failed", details={"output": self.refuses})
        self.judged = dict(named)
        for one in (yaml.safe_load(text).get("include") or ()) if "include:" in text else ():
            path = os.path.normpath(f"{stack}/{one}")
            if path not in self.judged and not (self.root / path).exists():
                raise EngineFailed("docker compose config failed", details={"output": f"open {path}: no such file"})

    def resolved(self, stack: str) -> dict[str, Any]:
        return {"services": self.services(stack)}

    def hashes(self, stack: str) -> dict[str, str]:
        return {name: hash_of(body) for name, body in self.services(stack).items()}

    def pull(self, stack: str, services: Sequence[str]) -> None:
        self.did("pull", stack, services)
        for name in services:
            if "nowhere" in str(self.services(stack)[name]["image"]):
                raise EngineFailed("docker compose pull failed", details={"output": f"{name} Error manifest unknown"})

    def up(self, stack: str, services: Sequence[str]) -> None:
        self.did("up", stack, services)
        wanted = self.services(stack)
        for name in services or wanted:
            body = wanted[name]
            config_hash = hash_of(body)
            old = self.find(stack, name)
            if old is not None and old.config_hash == config_hash:
                old.state = "running"
                continue
            if old is not None:
                del self.docker.containers_now[old.id]
            self.docker.made += 1
            one = FakeContainer(f"c{self.docker.made:04d}", stack, name, str(body["image"]), config_hash)
            self.docker.containers_now[one.id] = one

    def back(self, stack: str, services: Sequence[str]) -> None:
        self.up(stack, services)

    def remove(self, stack: str, services: Sequence[str]) -> None:
        self.did("remove", stack, services)
        known = self.services(stack)
        for name in services:
            if name not in known:
                raise EngineFailed(f"no such service: {name}")
            old = self.find(stack, name)
            if old is not None:
                del self.docker.containers_now[old.id]

    def down(self, stack: str) -> None:
        self.did("down", stack, ())
        self.docker.containers_now = {k: c for k, c in self.docker.containers_now.items() if c.stack != stack}

    def restart(self, stack: str, services: Sequence[str]) -> None:
        self.did("restart", stack, services)
        for one in (self.find(stack, name) for name in services):
            if one is not None:
                one.state = "running"

    def stop(self, stack: str, services: Sequence[str]) -> None:
        self.did("stop", stack, services)
        for one in (self.find(stack, name) for name in services):
            if one is not None:
                one.state = "exited"

    def start(self, stack: str, services: Sequence[str]) -> None:
        self.did("start", stack, services)
        self._become(stack, services, "running")

    def pause(self, stack: str, services: Sequence[str]) -> None:
        self.did("pause", stack, services)
        self._become(stack, services, "paused")

    def unpause(self, stack: str, services: Sequence[str]) -> None:
        self.did("unpause", stack, services)
        self._become(stack, services, "running")

    def recreate(self, stack: str, services: Sequence[str]) -> None:
        self.did("recreate", stack, services)
        for name in services:
            old = self.find(stack, name)
            assert old is not None
            del self.docker.containers_now[old.id]
            self.docker.made += 1
            one = FakeContainer(f"c{self.docker.made:04d}", stack, name, old.image, old.config_hash)
            self.docker.containers_now[one.id] = one

    def _become(self, stack: str, services: Sequence[str], state: str) -> None:
        for name in services:
            one = self.find(stack, name)
            if one is not None:
                one.state = state

    def create(self, stack: str, services: Sequence[str]) -> None:
        kept = {name: one.state for name in services if (one := self.find(stack, name))}
        self.up(stack, services)
        self.docker.calls[-1] = self.docker.calls[-1].replace("up ", "create ", 1)
        for name in services:
            one = self.find(stack, name)
            if one is not None:
                one.state = kept.get(name, "created")

    def did(self, verb: str, stack: str, services: Sequence[str]) -> None:
        self.before(verb)
        self.docker.ask()
        self.docker.calls.append(f"{verb} {stack} {','.join(services)}".strip())
        if verb in self.fail:
            raise EngineFailed(f"docker compose {verb} failed", details={"output": f"{verb}: something broke"})

    def find(self, stack: str, service: str) -> FakeContainer | None:
        return next((c for c in self.docker.containers_now.values() if (c.stack, c.service) == (stack, service)), None)

    def services(self, stack: str) -> dict[str, dict[str, Any]]:
        path = self.root / stack / "compose.yaml"
        if not path.exists():
            raise InvalidInput(f"There is no compose file in {stack}.")
        return services_of(path)


def services_of(path: Path) -> dict[str, dict[str, Any]]:
    """The services of a compose file and of those that it includes by their paths."""
    data = yaml.safe_load(path.read_text())
    found: dict[str, dict[str, Any]] = {}
    for one in data.get("include", ()):
        found |= services_of(path.parent / one)
    return found | dict(data["services"] or {})


def hash_of(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:12]


@dataclass
class FakeProbe:
    """Answers with the next of ``statuses``, the last for ever; the first ``untrusted`` without a good certificate."""

    statuses: list[int] = field(default_factory=lambda: [200])
    location: str = ""
    asked: list[str] = field(default_factory=list)
    untrusted: int = 0
    shown: Callable[[str], Served] = Served

    def certificate(self, host: str, *, timeout: float = 5.0) -> Served:
        return self.shown(host)

    def get(self, host: str, path: str = "/", *, timeout: float = 5.0) -> ProbeResult:
        self.asked.append(host + path)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return ProbeResult(
            f"https://{host}{path}",
            status,
            location=self.location,
            verified=bool(status) and len(self.asked) > self.untrusted,
            error="" if status else "refused",
        )
