"""What the files declare, laid beside what runs: the rows of the lab's status."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from homelab_mcp.core.declared import declared as declared
from homelab_mcp.core.declared import url_of
from homelab_mcp.core.stack_host import host_of
from homelab_mcp.core.stack_owner import owners
from homelab_mcp.core.yaml12 import YamlRefused
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import ContainerState, StackFiles

MISSING = "missing"
UNDECLARED = "undeclared"
UNREADABLE = "unreadable"
ASLEEP = "asleep"

_UP = re.compile(
    r"^Up (?:(?P<number>\d+)|(?P<one>About an?|Less than a|an?)) (?P<unit>second|minute|hour|day|week|month|year)s?"
)
# What a program ends with that was told to stop: its own 0, or by SIGTERM or SIGKILL.
_STOPPED = re.compile(r"^Exited \((?:0|137|143)\)")
_UNITS = {"second": "s", "minute": "m", "hour": "h", "day": "d", "week": "w", "month": "mo", "year": "y"}


@dataclass(frozen=True, slots=True)
class Row:
    """One service's line.

    ``state`` is Docker's word, or missing (declared, no container), unreadable (a compose file that is no valid
    YAML), or "" where the engine was not asked or its host is silent. ``note`` is undeclared for a container that no
    file declares, and asleep for one that Sablier stopped and wakes on a visit. ``image_age`` is since the image was
    built, as 3mo. ``host`` is "" for the lab's own machine.
    """

    stack: str
    service: str
    state: str
    health: str = ""
    restarts: int | None = None
    up: str = ""
    url: str = ""
    image: str = ""
    note: str = ""
    image_age: str = ""
    host: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, empty fields left out."""
        whole: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return {k: v for k, v in whole.items() if v not in ("", None) or k in {"stack", "service", "state"}}


def uptime(status: str) -> str:
    """Docker's "Up 5 minutes (healthy)" as "5m"; "" for one that is not up."""
    found = _UP.match(status)
    if not found:
        return ""
    number = found["number"] or ("<1" if (found["one"] or "").startswith("Less") else "1")
    return f"{number}{_UNITS[found['unit']]}"


def short_image(image: str) -> str:
    """The image without digest and Docker Hub's own prefix."""
    name = image.partition("@")[0] if not image.startswith("sha256:") else image[:19]
    return name.removeprefix("docker.io/").removeprefix("library/")


def rows(
    stacks: Sequence[StackFiles],
    containers: Sequence[ContainerState] | None,
    *,
    root: str,
    restarts: Mapping[str, int],
    shared_env: str = "",
    ages: Mapping[str, str] | None = None,
    silent: Collection[str] = (),
) -> list[Row]:
    """One row a container, and one a declared service without any; sorted by stack, declared order first.

    Args:
        stacks: what the files say.
        containers: what the engine says; None where it was not asked.
        root: the lab's folder, as an absolute path.
        restarts: restart counts by container id, as far as known.
        shared_env: the text of ``global.env``.
        ages: images' ages by image id, as far as known.
        silent: hosts that did not answer: what runs there is not known.
    """
    by_stack: dict[str, dict[str, list[ContainerState]]] = {}
    whose = owners(stacks, root)
    for container in containers or ():
        by_stack.setdefault(whose(container), {}).setdefault(container.service, []).append(container)
    found: list[Row] = []
    for stack in stacks:
        running = by_stack.pop(stack.name, {})
        try:
            services = declared(stack, shared_env)
        except YamlRefused:
            found.append(Row(stack.name, "", UNREADABLE, note="compose file is not valid YAML"))
            services = ()
        host = host_of(stack.compose_text)
        shown = "" if host == LOCAL else host
        for service in services:
            here = running.pop(service.service, [])
            # On another host Traefik reaches what is published there, and nothing else.
            url = "" if shown and not any(c.ports for c in here) else service.url
            if not here:
                unseen = host in silent
                state = "" if containers is None or unseen else MISSING
                image = short_image(service.image)
                note = f"host {host} does not answer" if unseen else ""
                found.append(
                    Row(stack.name, service.service, state, url=service.url, image=image, note=note, host=shown)
                )
            # What the engine reports is filled in, secrets too.
            image = service.image if "$" in service.image else ""
            found += [
                replace(_row(stack.name, c, restarts, url, image=image), image_age=(ages or {}).get(c.image_id, ""))
                for c in here
            ]
        found += _undeclared(stack.name, running, restarts)
    for name in sorted(by_stack):
        found += _undeclared(name, by_stack[name], restarts)
    return found


def counts(found: Sequence[Row]) -> dict[str, int]:
    """How many rows have each state, and how many are unhealthy."""
    tally: dict[str, int] = {}
    for row in found:
        words = [row.state or "unknown"] + (["unhealthy"] if row.health == "unhealthy" else [])
        for word in [*words, *([UNDECLARED] if row.note == UNDECLARED else [])]:
            tally[word] = tally.get(word, 0) + 1
    return tally


def as_text(found: Sequence[Row], total: int, tally: Mapping[str, int]) -> str:
    """The rows as compact text: a line of counts, then stack/service, state, health, uptime, restarts, URL, image."""
    lines = [f"{total} services: " + ", ".join(f"{n} {word}" for word, n in sorted(tally.items()))]
    for row in found:
        restarts = f"{row.restarts} restarts" if row.restarts else ""
        built = f"({row.image_age} old)" if row.image_age else ""
        parts = (
            f"on {row.host}" if row.host else "",
            row.state,
            row.health,
            row.up,
            restarts,
            row.note,
            row.url,
            row.image,
            built,
        )
        lines.append(" ".join([f"{row.stack}/{row.service}", *(p for p in parts if p)]))
    return "\n".join(lines)


def _row(
    stack: str, container: ContainerState, restarts: Mapping[str, int], url: str, note: str = "", image: str = ""
) -> Row:
    if not note and _asleep(container):
        note = ASLEEP
    return Row(
        stack,
        container.service,
        container.state,
        health=container.health,
        restarts=restarts.get(container.id),
        up=uptime(container.status),
        url=url,
        image=short_image(image or container.image),
        note=note,
        host=container.host,
    )


def _asleep(container: ContainerState) -> bool:
    enabled = container.labels.get("sablier.enable", "").lower() == "true"
    return enabled and container.state == "exited" and bool(_STOPPED.match(container.status))


def _undeclared(stack: str, left: Mapping[str, list[ContainerState]], restarts: Mapping[str, int]) -> list[Row]:
    return [_row(stack, c, restarts, url_of(c.labels), UNDECLARED) for name in sorted(left) for c in left[name]]
