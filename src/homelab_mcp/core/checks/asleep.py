"""Services whose profiles are all switched off: ``up`` leaves them out, and Compose looks at less of them.

Measured with Compose 2.40: it drops such services before it asks whether what they name is there, so a file is taken
that it refuses as soon as the profile is started. See https://docs.docker.com/compose/how-tos/profiles/.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from homelab_mcp.model.finding import Finding, Severity

if TYPE_CHECKING:
    from homelab_mcp.core.checks.view import Lab, ServiceView, StackView

_ASKED = "HL012 HL019 HL020 HL021 HL022 HL023 HL028 HL030 HL031 HL033 HL036 HL126 HL137"
ASKED_OF_THE_STARTED = frozenset(_ASKED.split())
"""Rules whose errors Compose tells only of services that it starts."""


class Asleep:
    """Tells findings of sleeping services as what they are: nothing fails until their profile is started."""

    def __init__(self, lab: Lab) -> None:
        places: dict[bool, set[tuple[str, str]]] = {True: set(), False: set()}
        for stack in lab.stacks:
            files = {stack.file, *(f.file for f in stack.files)}
            for service in stack.services:
                places[sleeps(service)] |= {(file, service.name) for file in files}
        # A file that several stacks include is judged by the one that starts its service.
        self._services = places[True] - places[False]

    def told(self, finding: Finding) -> Finding:
        """The finding, or the warning that it is of a sleeping service."""
        sleeps = (finding.file, finding.service) in self._services
        if not sleeps or finding.rule not in ASKED_OF_THE_STARTED or finding.severity is not Severity.ERROR:
            return finding
        message = f"{finding.message} Compose says so once a profile of the service is started."
        return replace(finding, severity=Severity.WARNING, message=message)


def sleeps(service: ServiceView) -> bool:
    """True where nothing starts it: it has profiles, and its stack's ``.env`` switches none of them on."""
    on = started(service.stack) if service.profiles else frozenset()
    return bool(service.profiles) and not service.profiles & on and "*" not in on


def started(stack: StackView) -> frozenset[str]:
    """The profiles that the stack's ``.env`` switches on; "*" is all of them."""
    return frozenset(name.strip() for name in stack.env.get("COMPOSE_PROFILES", "").split(","))
