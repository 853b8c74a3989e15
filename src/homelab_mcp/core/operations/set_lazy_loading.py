"""Put a service to sleep while nobody visits it, by Sablier, and take that back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from homelab_mcp.core import lazy, lazy_hosts
from homelab_mcp.core.compose_meaning import RECORD
from homelab_mcp.core.hosts import private_addresses
from homelab_mcp.core.labels import COMPANION_OF
from homelab_mcp.core.lazy_fitness import check_may_sleep, depends_on, ends_by_itself, routers_of
from homelab_mcp.core.lazy_needs import definition_of, notes_of, traefik_for
from homelab_mcp.core.operations.in_its_files import in_its_files
from homelab_mcp.core.operations.lab_view import Known, LabView, view
from homelab_mcp.core.operations.lazy_request import LazyRequest
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.lab import HOSTS_FILE, LOCAL, LabSettings
from homelab_mcp.model.observed import Snapshot, StackFiles
from homelab_mcp.model.plan import (
    ActionKind,
    Draft,
    EngineAction,
    FileEdit,
    Risk,
    RiskReason,
    RouteCheck,
    Verification,
)


@dataclass(frozen=True, slots=True)
class _Job:
    snapshot: Snapshot
    settings: LabSettings
    request: LazyRequest
    lab: LabView
    service: Known
    group: tuple[str, ...]
    """The service and who sleeps with it."""


@in_its_files
def set_lazy_loading(
    snapshot: Snapshot,
    settings: LabSettings,
    request: LazyRequest,
    *,
    find: Callable[[str], ServiceDefinition],
    read: Callable[[str], str | None],
) -> Draft:
    """A draft that turns lazy loading on or off. Off gives the bytes from before on.

    Args:
        snapshot: the lab as it is.
        settings: the lab's.
        request: what is asked.
        find: a definition by id or alias; raises NotFound.
        read: the text of a file of the lab, or None.

    Raises:
        NotFound: no such service.
        InvalidInput: it must not sleep (``lazy_refused``, ``lazy_needs_health``), the lab lacks what it takes
            (``no_sablier``, ``no_traefik``, ``traefik_too_old``, ``no_dynamic_folder``, ``plugin_unknown``; of another
            host also ``no_private_address``, ``no_route``, ``sablier_unreached``), or it was set up by hand
            (``lazy_by_hand``).
        EditRefused: a compose file cannot be changed alone.
    """
    lab = view(snapshot)
    service = next((s for s in lab.services if (s.stack, s.name) == (request.stack, request.service)), None)
    if service is None:
        raise NotFound(f"Stack {request.stack} has no service called {request.service}.", code="service_unknown")
    job = _Job(snapshot, settings, request, lab, service, (service.name, *_with_it(service, lab)))
    if service.labels.get(lazy.ENABLE, "").lower() == "true" and lazy.lazy_of(service) is None:
        raise InvalidInput(
            f"{service.where} was given to Sablier by hand, and is left as it is.",
            hint="Take its sablier.* labels out, then ask again.",
            code="lazy_by_hand",
        )
    return _on(job, find, read) if request.on else _off(job)


def _with_it(service: Known, lab: LabView) -> Iterator[str]:
    """Its companions, and what nothing else of the stack waits for and it does."""
    others = [s for s in lab.services if s.stack == service.stack and s.name != service.name]
    for one in others:
        mine = one.labels.get(COMPANION_OF) == service.name
        shared = any(one.name in depends_on(s) for s in others if s.name != one.name)
        waited = one.name in depends_on(service) and not ends_by_itself(service, one.name)
        if mine or (waited and not shared and not one.hosts()):
            yield one.name


def _on(job: _Job, find: Callable[[str], ServiceDefinition], read: Callable[[str], str | None]) -> Draft:
    service, request = job.service, job.request
    definition = definition_of(service, find)
    check_may_sleep(service, job.lab, definition, job.group, job.snapshot.containers)
    traefik, plugin_in = traefik_for(job.lab, service.host, read)
    lazy_hosts.check_led_to(job.lab, service, private_addresses(read(HOSTS_FILE)))
    current = lazy.lazy_of(service)
    group = current.group if current else lazy.group_for(job.lab, service.stack, service.name)
    stack = _stack(job.snapshot, service.stack)
    text = stack.compose_text
    for name in job.group:
        edit = ServiceEdit(text, name)
        edit.set_entry("labels", lazy.ENABLE, "true").set_entry("labels", lazy.GROUP, group)
        if name == service.name:
            _sleep(edit, service, group, request)
        text = edit.text
    texts = {stack.compose_path: text}
    if not plugin_in:
        home = _stack(job.snapshot, traefik.stack)
        edit = ServiceEdit(texts.get(home.compose_path, home.compose_text), traefik.name)
        for flag in lazy.PLUGIN_FLAGS:
            edit.add_item("command", flag)
        texts[home.compose_path] = edit.add_item((RECORD,), lazy.PLUGIN_TOKEN).text
    routers = routers_of(service)
    protected = _protected(job)
    return _draft(
        job,
        texts,
        traefik if not plugin_in else None,
        summary=f"Let {service.name} of stack {service.stack} sleep while nobody visits it",
        routes=tuple(RouteCheck(service.name, h, sso=protected) for h in sorted(service.hosts())[:1]),
        notes=tuple(notes_of(service, request, definition, job.group[1:], routers, protected=protected)),
    )


def _sleep(edit: ServiceEdit, service: Known, group: str, request: LazyRequest) -> None:
    middleware = f"sablier-{group}@file"
    for router in routers_of(service):
        key = f"traefik.http.routers.{router}.middlewares"
        listed = [m for m in (edit.entries("labels").get(key) or "").split(",") if m.strip()]
        if middleware not in [m.strip() for m in listed]:
            # Last: who is not let in by the log-in before it wakes nobody.
            edit.set_entry("labels", key, ",".join([*listed, middleware]))
    if service.host == LOCAL:
        # Another host's routes are in a file, which stays while their containers sleep.
        edit.set_entry("labels", lazy.KEEP_ROUTE, "true")
    edit.set_entry("labels", lazy.STRATEGY, request.strategy)
    edit.set_entry("labels", lazy.SESSION, request.session)
    if request.theme:
        edit.set_entry("labels", lazy.THEME, request.theme)
    else:
        edit.remove_entry("labels", lazy.THEME)
    if edit.get("restart") == "always":
        # Docker would start at every boot what Sablier had stopped; "unless-stopped" remembers that it was.
        edit.set_entry("labels", lazy.RESTART, "always").set("restart", "unless-stopped")


def _off(job: _Job) -> Draft:
    service = job.service
    current = lazy.lazy_of(service)
    if current is None:
        raise InvalidInput(f"{service.where} does not sleep.", code="nothing_to_do", hint="No plan is needed.")
    stack = _stack(job.snapshot, service.stack)
    text = stack.compose_text
    members = [
        s.name for s in job.lab.services if s.stack == service.stack and s.labels.get(lazy.GROUP) == current.group
    ]
    for name in reversed([n for n in (*job.group, *members) if n in members]):
        edit = ServiceEdit(text, name)
        if name == service.name:
            _wake(edit, service, current)
        edit.remove_entry("labels", lazy.GROUP).remove_entry("labels", lazy.ENABLE)
        text = edit.text
    texts = {stack.compose_path: text}
    traefik = lazy_hosts.traefik_of(job.lab)
    last = len(lazy.sleepers(job.lab)) == 1
    if traefik and last and lazy.PLUGIN_TOKEN in (traefik.data.get(RECORD) or ()):
        home = _stack(job.snapshot, traefik.stack)
        edit = ServiceEdit(texts.get(home.compose_path, home.compose_text), traefik.name)
        edit.remove_items((RECORD,), lambda item: item == lazy.PLUGIN_TOKEN)
        edit.remove_items("command", lambda item: item in lazy.PLUGIN_FLAGS)
        texts[home.compose_path] = edit.text
    else:
        traefik = None
    return _draft(
        job,
        texts,
        traefik,
        summary=f"Keep {service.name} of stack {service.stack} running: no lazy loading",
        routes=tuple(RouteCheck(service.name, h, sso=_protected(job)) for h in sorted(service.hosts())[:1]),
        notes=("It runs all the time again.",),
    )


def _wake(edit: ServiceEdit, service: Known, current: lazy.Lazy) -> None:
    """The steps of :func:`_sleep`, the last one first."""
    before = edit.entries("labels").get(lazy.RESTART)
    if before:
        edit.set("restart", before).remove_entry("labels", lazy.RESTART)
    for key in (lazy.THEME, lazy.SESSION, lazy.STRATEGY, lazy.KEEP_ROUTE):
        edit.remove_entry("labels", key)
    middleware = f"{current.middleware}@file"
    for router in routers_of(service):
        key = f"traefik.http.routers.{router}.middlewares"
        listed = (edit.entries("labels").get(key) or "").split(",")
        rest = [m for m in listed if m.strip() != middleware]
        if rest and rest != listed:
            edit.set_entry("labels", key, ",".join(rest))
        elif not rest:
            edit.remove_entry("labels", key)


def _draft(
    job: _Job,
    texts: dict[str, str],
    traefik: Known | None,
    *,
    summary: str,
    routes: tuple[RouteCheck, ...],
    notes: tuple[str, ...],
) -> Draft:
    service = job.service
    before = {s.compose_path: s.compose_text for s in job.snapshot.stacks}
    members = job.group
    actions = [EngineAction(ActionKind.UP, f"{service.name} gets its labels.", service.stack, members)]
    risks = [RiskReason(Risk.MEDIUM, f"Recreates {', '.join(members)}.")]
    also: tuple[Verification, ...] = ()
    if traefik:
        actions.insert(
            0, EngineAction(ActionKind.UP, "Its plugins are chosen at its start.", traefik.stack, (traefik.name,))
        )
        risks.append(RiskReason(Risk.HIGH, "Recreates Traefik: every route is away for some seconds."))
        also = (Verification(traefik.stack, (traefik.name,)),)
    return Draft(
        operation="set_lazy_loading",
        summary=summary,
        edits=tuple(FileEdit(path, before[path], text) for path, text in texts.items()),
        actions=tuple(actions),
        verification=Verification(service.stack, members, routes=routes if _has_traefik(job) else ()),
        risks=tuple(risks),
        notes=notes,
        undo=f"Roll this plan back, or ask for lazy loading {'off' if job.request.on else 'on'}.",
        target=service.name,
        also_verify=also,
    )


def _has_traefik(job: _Job) -> bool:
    return lazy_hosts.traefik_of(job.lab) is not None


def _stack(snapshot: Snapshot, name: str) -> StackFiles:
    found = snapshot.stack(name)
    assert found is not None  # noqa: S101
    return found


def _protected(job: _Job) -> bool:
    """Whether its first router asks for the lab's log-in."""
    wanted = job.settings.sso_middleware
    labels = job.service.labels
    routers = routers_of(job.service)[:1]
    return any(wanted in labels.get(f"traefik.http.routers.{r}.middlewares", "").split(",") for r in routers)
