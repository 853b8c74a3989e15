"""HL020 to HL025, HL293: names that must be defined somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks.alike import Words
from homelab_mcp.core.checks.engine_networks import asked, declares, has, makes, silent
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.view import ServiceView, StackView
from homelab_mcp.core.compose_model import is_external, is_open
from homelab_mcp.core.stack_host import SWARM
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.lab import LOCAL

DOCS = "https://docs.docker.com/reference/compose-file/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"


def _named(service: ServiceView, field: str) -> Iterator[tuple[str, Path]]:
    """Names that a service's ``secrets`` or ``configs`` use, and where."""
    part = service.data.get(field)
    for n, item in enumerate(part if isinstance(part, list) else ()):
        if isinstance(item, str) and not is_open(item):
            yield item, (field, n)
        elif isinstance(item, dict) and isinstance(item.get("source"), str) and not is_open(item["source"]):
            yield item["source"], (field, n, "source")


def _used(service: ServiceView, section: str) -> Iterator[tuple[str, Path]]:
    if section == "networks":
        if "networks" in service.data:
            yield from ((k, p) for k, p in service.networks.items() if not is_open(k) and k != "default")
    elif section == "volumes":
        yield from ((m.source, m.path) for m in service.mounts if m.kind == "volume" and m.source and not m.open)
    else:
        yield from _named(service, section)


def _undefined(ctx: LintContext, section: str) -> Iterator[Finding]:
    for service in ctx.services():
        if service.stack.partial:
            continue
        known = service.stack.section(section)
        for name, path in _used(service, section):
            if name not in known:
                one = section[:-1]
                message = f"The {one} {name!r} is not defined under the top-level '{section}:'."
                if section == "volumes" and ("/" in name or "." in name):
                    message += f" A folder or file beside this one is './{name}'."
                # The long form says it one level deeper; of a missing place the nearest above it is found.
                place = (*path, "source") if section == "volumes" else path
                yield ctx.on(service, place, message, key=section == "networks")


@rule(
    "HL020",
    Severity.ERROR,
    "Undefined network",
    why="Compose refuses a file whose service is on a network that it does not define.",
    link=f"{DOCS}networks/",
    bad=f"{HEAD}    networks: [front]\n",
    good=f"{HEAD}    networks: [front]\nnetworks:\n  front:\n",
)
def undefined_network(ctx: LintContext) -> Iterable[Finding]:
    """A service's network without a top-level entry."""
    return _undefined(ctx, "networks")


@rule(
    "HL021",
    Severity.ERROR,
    "Undefined volume",
    why="Compose refuses a file whose service mounts a named volume that it does not define.",
    link=f"{DOCS}volumes/",
    bad=f"{HEAD}    volumes: ['data:/data']\n",
    good=f"{HEAD}    volumes: ['data:/data']\nvolumes:\n  data:\n",
)
def undefined_volume(ctx: LintContext) -> Iterable[Finding]:
    """A named volume without a top-level entry."""
    return _undefined(ctx, "volumes")


@rule(
    "HL022",
    Severity.ERROR,
    "Undefined secret",
    why="Compose refuses a file whose service uses a secret that it does not define.",
    link=f"{DOCS}secrets/",
    bad=f"{HEAD}    secrets: [key]\n",
    good=f"{HEAD}    secrets: [key]\nsecrets:\n  key:\n    environment: KEY\n",
)
def undefined_secret(ctx: LintContext) -> Iterable[Finding]:
    """A secret without a top-level entry."""
    return _undefined(ctx, "secrets")


@rule(
    "HL023",
    Severity.ERROR,
    "Undefined config",
    why="Compose refuses a file whose service uses a config that it does not define.",
    link=f"{DOCS}configs/",
    bad=f"{HEAD}    configs: [conf]\n",
    good=f"{HEAD}    configs: [conf]\nconfigs:\n  conf:\n    content: hello\n",
)
def undefined_config(ctx: LintContext) -> Iterable[Finding]:
    """A config without a top-level entry."""
    return _undefined(ctx, "configs")


@rule(
    "HL024",
    Severity.WARNING,
    "Defined and never used",
    why="Compose never makes it; it is left over, or the service that should use it forgot to.",
    link=f"{DOCS}",
    bad=f"{HEAD}volumes:\n  data:\n",
    good=f"{HEAD}    volumes: ['data:/data']\nvolumes:\n  data:\n",
)
def unused(ctx: LintContext) -> Iterable[Finding]:
    """A top-level network, volume, secret or config that no service uses."""
    for stack in ctx.lab.stacks:
        if stack.partial or not stack.services or any(s.partial for s in stack.services):
            continue
        for section in ("networks", "volumes", "secrets", "configs"):
            used = {name for s in stack.services for name, _ in _used(s, section)}
            for name in stack.section(section):
                if name not in used and name != "default" and not _built_with(stack, section, name):
                    yield ctx.at(stack, (section, name), f"No service uses the {section[:-1]} {name!r}.", key=True)


_GIVEN = frozenset({"bridge", "host", "none"})
"""Networks that every engine has of itself, Swarm's nodes as well; Docker refuses to make one of that name."""
_NEVER = "Docker makes none of that name, so name another"
_OVERLAY_MADE = "docker network create --driver overlay --attachable"


def _built_with(stack: StackView, section: str, name: str) -> bool:
    builds = (s.data.get("build") for s in stack.services)
    return any(str(name) in f"{b.get(section, '')} {b.get('network', '')}" for b in builds if isinstance(b, dict))


@rule(
    "HL025",
    Severity.ERROR,
    "External network that does not exist",
    why="Compose never makes an external network; the stack does not start until somebody does.",
    link=f"{DOCS}networks/#external",
    bad=f"{HEAD}    networks: [front]\nnetworks:\n  front:\n    external: true\n",
    good=f"{HEAD}    networks: [front]\nnetworks:\n  front:\n",
)
def external_network(ctx: LintContext) -> Iterable[Finding]:
    """An external network that the engine of the stack's host has not; silent where nobody asked that engine.

    A warning where a part of the lab is unknown: that may make it.
    """
    known = ctx.lab.facts.networks
    if known is None:
        return
    sure = None if ctx.lab.whole else Severity.WARNING
    made = {(s.host, name) for s in ctx.lab.stacks for name in makes(s)}
    for stack in ctx.lab.stacks:
        for key, body in stack.section("networks").items():
            real = stack.real_network(key)
            there = (stack.host, real) in made or has(known, stack, real)
            if not is_external(body) or there or is_open(body.get("name")) or real in _GIVEN:
                continue
            named = isinstance(body.get("name"), str)
            whole: Path = ("networks", key)
            path: Path = (*whole, "name") if named else whole
            if stack.engine == SWARM:
                made_by = f"make it with '{_OVERLAY_MADE} {real}'"
                message = f"The Swarm has no network {real!r}; {_NEVER if real == 'default' else made_by}."
                yield ctx.at(stack, path, message, key=not named, severity=sure, of=whole)
            elif asked(known, stack):
                whose, place = ("", "") if stack.host == LOCAL else (f" of host {stack.host!r}", " there")
                made_by = f"make it{place} with 'docker network create {real}'"
                message = f"The engine{whose} has no network {real!r}; {_NEVER if real == 'default' else made_by}."
                yield ctx.at(stack, path, message, key=not named, severity=sure, of=whole)


@rule(
    "HL293",
    Severity.WARNING,
    "An external network named almost like one of the lab's",
    why="Compose looks for the very name: '_' is not '-'. The stack does not start, or its container is alone on a "
    "network that Traefik and the others are not on.",
    link=f"{DOCS}networks/#external",
    bad=f"{HEAD}    networks: [proxy_net]\n  db:\n    image: postgres:17.5\n    networks: [proxy]\n"
    "networks:\n  proxy: {name: proxy-net}\n  proxy_net: {external: true}\n",
    good=f"{HEAD}    networks: [proxy]\n  db:\n    image: postgres:17.5\n    networks: [proxy]\n"
    "networks:\n  proxy: {name: proxy-net}\n",
    needs="networks",
)
def misnamed_network(ctx: LintContext) -> Iterable[Finding]:
    """An external network that no stack makes, where a stack makes one of nearly that name.

    An error where only dashes differ, and all that is told where a part of the lab is unknown, as a warning. Silent
    where the engine has it.
    """
    known = ctx.lab.facts.networks
    made_on: dict[str, set[str]] = {}
    declared_on: dict[str, set[str]] = {}
    for s in ctx.lab.stacks:
        made_on.setdefault(s.host, set()).update(makes(s))
        declared_on.setdefault(s.host, set()).update(declares(s))
    # Two default networks are alike by their ends already: of those only one with another dash is told.
    words = {host: Words(names) for host, names in declared_on.items()}
    by_letters = {host: {_letters(n): n for n in sorted(names, reverse=True)} for host, names in made_on.items()}
    for stack in (s for s in ctx.lab.stacks if not silent(known, s)):
        made = made_on[stack.host]
        for key, body in stack.section("networks").items():
            real = stack.real_network(key)
            if not is_external(body) or real in made or has(known, stack, real) or "$" in real:
                continue
            same = by_letters[stack.host].get(_letters(real), "")
            near = same
            if not same and ctx.lab.whole:
                near = words[stack.host].near(real, 0.9)
            if near:
                message = f"No stack makes the network {real!r}. Did you mean {near!r}?"
                severity = Severity.ERROR if same and ctx.lab.whole else None
                yield ctx.at(stack, ("networks", key), message, key=True, severity=severity)


def _letters(name: str) -> str:
    return re.sub(r"[-_.]", "", name.lower())
