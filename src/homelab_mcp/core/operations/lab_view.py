"""What a snapshot's files and containers already take: names, hosts, published ports, middlewares."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from homelab_mcp.core.compose_model import is_external
from homelab_mcp.core.env_file import parse, parse_or_empty
from homelab_mcp.core.labels import labels_of
from homelab_mcp.core.labels import made_from as own_definition
from homelab_mcp.core.once import once
from homelab_mcp.core.shadowed import merged_services
from homelab_mcp.core.stack_host import COMPOSE, engine_of, host_of
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import Snapshot, StackFiles

_HOST_CALL = re.compile(r"\bHost(?:SNI)?\(([^)]*)\)")
_QUOTED = re.compile(r"[`\"']([^`\"']+)[`\"']")
_REFERENCE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*)|:?\?[^}]*)?\}|\$([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True)
class Known:
    """One service of the lab as its compose file has it; ``env``, ``host`` and ``engine`` are its stack's."""

    stack: str
    name: str
    data: Mapping[str, Any]
    env: Mapping[str, str]
    host: str = LOCAL
    engine: str = COMPOSE

    @property
    def where(self) -> str:
        """``stack/service``, as people write it."""
        return f"{self.stack}/{self.name}"

    @once
    def labels(self) -> Mapping[str, str]:
        """Its labels with the stack's variables filled in."""
        return {expand(k, self.env): expand(v, self.env) for k, v in labels_of(self.data).items()}

    def hosts(self) -> set[str]:
        """Host names that its routers answer to."""
        rules = (v for k, v in self.labels.items() if k.startswith("traefik.") and k.endswith(".rule"))
        return {h.lower() for rule in rules for call in _HOST_CALL.findall(rule) for h in _QUOTED.findall(call)}

    def published(self) -> set[tuple[int, str]]:
        """(host port, protocol) pairs it publishes."""
        ports = self.data.get("ports")
        return set(_published(ports, self.env)) if isinstance(ports, list) else set()


@dataclass(frozen=True, slots=True)
class LabView:
    """Every readable service of the lab, the stacks that could not be read, and the files of all."""

    services: tuple[Known, ...]
    unreadable: tuple[str, ...]
    stacks: tuple[StackFiles, ...] = ()

    def on(self, host: str) -> LabView:
        """What is on that Docker host: container names and published ports are taken there alone."""
        if all(s.host == host for s in self.services):
            return self
        return LabView(tuple(s for s in self.services if s.host == host), self.unreadable, self.stacks)

    def routed(self, host: str) -> Known | None:
        """Who answers to that host name."""
        return next((s for s in self.services if host.lower() in s.hosts()), None)

    def publishes(self, port: int, protocol: str) -> Known | None:
        """Who publishes that host port."""
        return next((s for s in self.services if (port, protocol) in s.published()), None)

    def container(self, name: str) -> Known | None:
        """Who has that container name."""
        return next((s for s in self.services if expand(str(s.data.get("container_name", "")), s.env) == name), None)

    def made_from(self, definition: str) -> Known | None:
        """A service made from that definition (no companion of one): by its label, or by its image's or own name."""
        for service in self.services:
            image = str(service.data.get("image", "")).rpartition("/")[2].partition(":")[0]
            if definition in (own_definition(service.labels), image, service.name):
                return service
        return None

    def has_middleware(self, reference: str) -> bool:
        """Whether ``name@docker`` is defined by some service's labels; other providers are taken at their word."""
        name, _, provider = reference.partition("@")
        if provider not in {"", "docker"}:
            return True
        prefix = f"traefik.http.middlewares.{name}.".lower()
        return any(k.lower().startswith(prefix) for s in self.services for k in s.labels)

    def behind(self, reference: str) -> list[Known]:
        """Services whose routers use that middleware."""
        return [
            s
            for s in self.services
            if any(
                k.startswith("traefik.http.routers.") and k.endswith(".middlewares") and reference in v.split(",")
                for k, v in s.labels.items()
            )
        ]


def view(snapshot: Snapshot) -> LabView:
    """Read every stack of a snapshot, all its files merged; one that cannot be read is named, not fatal."""
    found: list[Known] = []
    unreadable: list[str] = []
    shared = snapshot.shared_env
    for stack in snapshot.stacks:
        services = _services(stack, shared)
        if services is None:
            unreadable.append(stack.name)
        else:
            found += services
    return LabView(tuple(found), tuple(unreadable), tuple(snapshot.stacks))


def forget() -> None:
    """Begin anew, as a fresh process does."""
    _services.cache_clear()


@lru_cache(maxsize=1024)
def _services(stack: StackFiles, shared: str) -> tuple[Known, ...] | None:
    """Kept by what the files say: one plan looks at every stack ten times over, and changes one."""
    try:
        env = {**parse_or_empty(shared), **parse(stack.env_text)}
        services = merged_services(stack, env)
    except HomelabError:
        return None
    host, engine = host_of(stack.compose_text), engine_of(stack.compose_text)
    return tuple(Known(stack.name, str(n), d, env, host, engine) for n, d in services.items() if isinstance(d, Mapping))


def known_name(spec: Any, key: str, env: Mapping[str, str]) -> str:
    """The engine's name of a declared network that several stacks may mean; "" for a stack's own, or an unknown one."""
    if not isinstance(spec, Mapping) or not (is_external(spec) or spec.get("name")):
        return ""
    name = expand(str(spec.get("name") or key), env)
    return "" if "$" in name else name


def expand(text: str, env: Mapping[str, str]) -> str:
    """``${NAME}``, ``${NAME:-default}``, ``${NAME:?why}`` and ``$NAME`` filled in from ``.env``; unknown ones stay."""

    def value(found: re.Match[str]) -> str:
        if found.group() == "$$":
            return "$"
        name = found[1] or found[3]
        return env.get(name) or (found[2] if found[2] is not None else found.group())

    return _REFERENCE.sub(value, text)


def _published(ports: list[Any], env: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    for port in ports:
        if isinstance(port, Mapping):
            text = f"{port.get('published', '')}:{port.get('target', '')}/{port.get('protocol', 'tcp')}"
        else:
            text = str(port)
        body, _, protocol = expand(text, env).partition("/")
        parts = body.rsplit(":", 2)
        if len(parts) < 2:
            continue
        first, _, last = parts[-2].partition("-")
        if first.isdigit() and (not last or last.isdigit()):
            for number in range(int(first), min(int(last or first), int(first) + 1000) + 1):
                yield number, protocol or "tcp"
