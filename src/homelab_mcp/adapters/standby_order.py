"""In which order containers start, by what they themselves say: today's compose file may say other things.

Source: Compose's label ``com.docker.compose.depends_on``: ``service:condition:restart`` for each, with commas between.
"""

from __future__ import annotations

from collections.abc import Mapping

from homelab_mcp.model.observed import ContainerState

DEPENDS_LABEL = "com.docker.compose.depends_on"
WELL = "service_healthy"
"""The condition that also says of a whole standby that it is up."""


def waits_for(container: ContainerState) -> dict[str, str]:
    """Service of the same stack -> the condition that it must fulfil first."""
    parts = [one.split(":") for one in container.labels.get(DEPENDS_LABEL, "").split(",") if one]
    return {part[0]: part[1] if len(part) > 1 else "" for part in parts}


def in_order(found: Mapping[str, ContainerState]) -> list[str]:
    """The ``stack/service`` of these, each after those of them that it waits for; a circle in no certain order."""
    done: dict[str, None] = {}
    under_way: set[str] = set()

    def visit(where: str) -> None:
        if where in done or where in under_way or where not in found:
            return
        under_way.add(where)
        for service in sorted(waits_for(found[where])):
            visit(f"{where.partition('/')[0]}/{service}")
        done[where] = None

    for where in sorted(found):
        visit(where)
    return list(done)


def fulfils(container: ContainerState, condition: str) -> bool:
    """Whether what waits for this container may start."""
    if condition == "service_completed_successfully":
        return container.state == "exited" and container.status.startswith("Exited (0)")
    return _well(container) if condition == WELL else True


def _well(container: ContainerState) -> bool:
    """Whether it runs, healthy where that is checked, or has ended as it should."""
    if container.state == "exited":
        return container.status.startswith("Exited (0)")
    return container.state == "running" and container.health in {"", "healthy"}
