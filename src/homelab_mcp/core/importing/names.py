"""Names of somebody's services in the lab: one is the main one, the others go by it; old names stay as aliases."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homelab_mcp.core.operations.import_request import ImportRequest
from homelab_mcp.model.errors import InvalidInput

_GENERIC = frozenset({"app", "web", "server", "main", "service", "frontend", "backend", "api", "www", "site"})


@dataclass(slots=True)
class Named:
    """Old names to new ones; ``once``: old names of services that run to their end."""

    of: dict[str, str]
    main: str
    once: frozenset[str] = frozenset()

    @property
    def private(self) -> str:
        """The network that the services share with nobody else."""
        return f"{self.main}-private"

    def mode(self, network_mode: str) -> str:
        """``network_mode`` with the new name of whom it borrows from; "" where Docker's usual one is meant."""
        kind, _, name = network_mode.partition(":")
        if kind in {"bridge", "default", ""}:
            return ""
        if kind == "service":
            return f"service:{self.of.get(name, name)}"
        return network_mode

    def depends_on(self, part: Any) -> Any:
        """``depends_on`` with the new names; who did not come along cannot be waited for."""
        if isinstance(part, Mapping):
            return {self.of[str(k)]: v for k, v in part.items() if str(k) in self.of}
        return [self.of[str(n)] for n in part if str(n) in self.of] if isinstance(part, list) else None

    def aliases(self, old: str, body: Mapping[str, Any]) -> list[str]:
        """The names that its neighbours know it by, besides the new one."""
        found = [old, str(body.get("container_name") or old)]
        networks = body.get("networks")
        for options in networks.values() if isinstance(networks, Mapping) else ():
            given = options.get("aliases") if isinstance(options, Mapping) else None
            found += [str(a) for a in given or ()]
        return [n for n in dict.fromkeys(found) if n != self.of[old] and "$" not in n]


def name_services(services: Mapping[str, Mapping[str, Any]], request: ImportRequest, web: Mapping[str, int]) -> Named:
    """New names. Raises InvalidInput for a main service that is not among them."""
    main_old = request.main or next((n for n in services if web[n]), next(iter(services)))
    if main_old not in services:
        raise InvalidInput(
            f"There is no service {main_old!r} in this text.", hint=f"It has {', '.join(services)}.", code="no_service"
        )
    usual = request.stack if main_old in _GENERIC and request.stack else main_old
    main = request.name or plain(usual)
    of = {main_old: main}
    for old in services:
        if old != main_old:
            name = plain(old)
            of[old] = name if name.startswith(f"{main}-") else f"{main}-{name}"[:63]
    if len(set(of.values())) != len(of):
        raise InvalidInput("Two services would have one name.", hint="Give 'name' for the main one.", code="bad_name")
    return Named(of, main, frozenset(_once(services)))


def plain(name: str) -> str:
    """A name as the lab's services have it."""
    found = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:50] or "service"
    # Docker's names of containers have two characters at least.
    return found if len(found) > 1 else f"{found}-app"


def _once(services: Mapping[str, Mapping[str, Any]]) -> set[str]:
    found = set()
    for body in services.values():
        waits = body.get("depends_on")
        for name, how in waits.items() if isinstance(waits, Mapping) else ():
            if isinstance(how, Mapping) and how.get("condition") == "service_completed_successfully":
                found.add(str(name))
    return found
