"""The Sablier of another host, which comes with the first service that sleeps there and goes with the last."""

from __future__ import annotations

from dataclasses import replace

from homelab_mcp.core import lazy, lazy_hosts
from homelab_mcp.core.after import stacks_after
from homelab_mcp.core.compose_meaning import RECORD
from homelab_mcp.core.drafts import then
from homelab_mcp.core.generator import Generated
from homelab_mcp.core.operations.add_service import add_service
from homelab_mcp.core.operations.lab_view import Known, LabView, view
from homelab_mcp.core.operations.lazy_request import LazyRequest
from homelab_mcp.core.operations.remove_service import remove_service
from homelab_mcp.core.operations.request import AddServiceRequest, RemoveServiceRequest, ServiceOptions
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LOCAL
from homelab_mcp.model.observed import Snapshot
from homelab_mcp.model.plan import Draft
from homelab_mcp.ports import Lab
from homelab_mcp.queries.machine import host_of
from homelab_mcp.workflow.on_hosts import place_of


def coming(lab: Lab, snapshot: Snapshot, request: LazyRequest) -> Draft | None:
    """The addition of a Sablier to the service's host; None for this machine, and where that host has one.

    Raises NotFound, EngineUnavailable (``host_silent``), InvalidInput (its name is taken there).
    """
    seen = view(snapshot)
    service = _service(seen, request.stack, request.service)
    if service is None or service.host == LOCAL or lazy_hosts.server_on(seen, service.host):
        return None
    stack, name = lazy_hosts.stack_for(service.host), f"{lazy.SABLIER}-{service.host}"
    place, address = place_of(lab, snapshot, stack, service.host)
    draft = add_service(
        snapshot,
        lab.settings,
        AddServiceRequest(service=lazy.SABLIER, stack=stack, options=ServiceOptions(name=name), host=place),
        find=lab.catalog.get,
        secrets=lab.secrets.make,
        argon2=lab.secrets.argon2,
        root=lab.root,
        read=lab.files.read,
        finish=lambda made: _without_env(made, lab.settings.timezone),
        host=host_of(lab, place),
        address=address,
    )
    compose, *others = draft.edits
    marked = ServiceEdit(compose.after or "", name).add_item((RECORD,), lazy.SERVER_TOKEN).text
    known = lab.catalog.get(lazy.SABLIER).notes
    told = (
        f"Host {service.host} gets a Sablier of its own: {name} in stack {stack}. It goes with the last service that "
        "sleeps there.",
        *(note for note in draft.notes if note not in known),
    )
    return replace(draft, edits=(replace(compose, after=marked), *others), notes=told)


def going(lab: Lab, before: Snapshot, after: Snapshot, stack: str, name: str) -> Draft | None:
    """The removal of a Sablier that came with sleepers, of whom that service was the last; None where it stays."""
    seen = view(after)
    service = _service(view(before), stack, name)
    if service is None or service.host == LOCAL or lazy.lazy_of(service) is None:
        return None
    server = lazy_hosts.server_on(seen, service.host)
    if server is None or not lazy_hosts.came_with_sleepers(server) or lazy.sleepers(seen.on(server.host)):
        return None
    asked = RemoveServiceRequest(stack=server.stack, service=server.name)
    return remove_service(after, lab.settings, asked, find=lab.catalog.get, root=lab.roots)


def refuse_plugin_gone(before: Snapshot, draft: Draft) -> None:
    """Refuse a roll-back that takes Sablier's plugin from Traefik while somebody sleeps.

    Raises InvalidInput (``has_dependents``).
    """
    then = view(replace(before, stacks=stacks_after(before.stacks, draft.edits)))
    was, now = lazy_hosts.traefik_of(view(before)), lazy_hosts.traefik_of(then)
    asleep = lazy.sleepers(then)
    if asleep and was and now and lazy.has_plugin(was) and not lazy.has_plugin(now):
        raise InvalidInput(
            f"Traefik would lose Sablier's plugin, and these still sleep: {', '.join(asleep)}.",
            hint="Turn their lazy loading off first (set_lazy_loading), or roll back to before that apply.",
            code="has_dependents",
        )


def joined(asked: Draft, server: Draft, *, first: Draft) -> Draft:
    """One draft that does both, ``first`` before the other; ``asked`` names it and says what is verified of routes."""
    both = then(first, server if first is asked else asked)
    return replace(
        both,
        operation=asked.operation,
        summary=asked.summary,
        verification=asked.verification,
        also_verify=(*server.verifications, *asked.also_verify),
        notes=tuple(dict.fromkeys((*asked.notes, *server.notes))),
        undo=asked.undo,
        target=asked.target,
    )


def _without_env(made: Generated, timezone: str) -> Generated:
    """With the time zone as it is now, so that the stack is one file, which goes with its service."""
    services = {
        name: {**block, "environment": {**block["environment"], "TZ": timezone}}
        if "TZ" in block.get("environment", {})
        else block
        for name, block in made.services.items()
    }
    return replace(made, services=services, env={k: v for k, v in made.env.items() if k != "TZ"})


def _service(lab: LabView, stack: str, name: str) -> Known | None:
    return next((s for s in lab.services if (s.stack, s.name) == (stack, name)), None)
