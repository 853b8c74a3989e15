"""From "update what is old" to one stored plan."""

from __future__ import annotations

from collections.abc import Sequence

from homelab_mcp.core.image_updates import ORDER, UPDATE_LABEL
from homelab_mcp.core.operations.update_images import NewImage, update_images
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.plan import Plan, Requester
from homelab_mcp.ports import Lab
from homelab_mcp.queries.check_updates import ImageUpdate, check_updates
from homelab_mcp.queries.find import find_service
from homelab_mcp.workflow.assembly import planner
from homelab_mcp.workflow.proposals import plan_of

MOST_AT_ONCE = 25


def propose_updates(
    lab: Lab, services: Sequence[str], requester: Requester, *, stack: str = "", most: str = "minor"
) -> Plan:
    """A plan that updates services to newer images, all or none.

    Args:
        lab: the lab.
        services: ``service``, ``stack/service``, or either with ``=TAG``; none: all of ``stack``, or of the lab (or of
            the one host that it is seen through).
        requester: who asks.
        stack: only of this stack.
        most: patch, minor or major: no larger step, where no tag is named.

    Raises NotFound, InvalidInput (``nothing_to_do`` says what stands in the way), EditRefused.
    """
    if most not in ("patch", "minor", "major"):
        raise InvalidInput(f"{most!r} is no size of a step.", hint="Use patch, minor or major.")
    wanted: list[NewImage] = []
    ask: list[str] = []
    for word in services:
        name, _, tag = word.partition("=")
        where, service = find_service(lab.files, name, stack)
        if tag:
            wanted.append(NewImage(where, service, tag))
        else:
            ask.append(f"{where}/{service}")
    held: list[str] = []
    by_label, by_size = False, False
    if ask or not services:
        for one in check_updates(lab, stack, ask, most=most):
            found = _chosen(one, most)
            if found is not None:
                wanted.append(found)
            elif one.state in ("update", "moved", "unknown"):
                held.append(f"{one.stack}/{one.service}: {one.why or f'{one.newest} is a {one.level} step'}")
            elif one.beyond and one.state == "current":
                labelled = bool(one.limit) and ORDER[one.limit] <= ORDER[most]
                by_label, by_size = by_label or labelled, by_size or not labelled
                why = f"its label {UPDATE_LABEL} takes no more than a {one.limit} step, and {one.beyond} is larger"
                held.append(f"{one.stack}/{one.service}: {why if labelled else f'{one.beyond} is a larger step'}")
    if not wanted:
        raise InvalidInput(
            "Nothing is to be updated." + (f" Left out: {'; '.join(held[:8]).rstrip('.')}." if held else ""),
            code="nothing_to_do",
            hint=_way_out(by_label, by_size and most != "major") if held else "All is current.",
        )
    lab = lab.whole
    if len(wanted) > MOST_AT_ONCE:
        raise InvalidInput(
            f"{len(wanted)} services at once are more than anybody can judge.",
            code="too_many",
            hint=f"Name a stack or at most {MOST_AT_ONCE} services.",
        )
    snapshot = planner(lab).snapshot(containers=not lab.files_only)
    return plan_of(lab, update_images(snapshot, lab.settings, wanted, find=lab.catalog.get), snapshot, requester)


def _way_out(by_label: bool, by_size: bool) -> str:
    ways = ["See check_updates"]
    if by_size:
        ways.append("a larger step is taken with level=major")
    if by_label:
        ways.append("to go beyond a label, name the tag (SERVICE=TAG)")
    return f"{'; '.join(ways)}."


def _chosen(one: ImageUpdate, most: str) -> NewImage | None:
    if one.why.startswith("Watchtower"):
        return None
    if one.state == "moved":
        return NewImage(one.stack, one.service, digest=one.digest)
    if one.state == "update" and ORDER[one.level] <= ORDER[most]:
        return NewImage(one.stack, one.service, one.newest)
    return None
