"""Log-in as labels have it: which routers lead to a service, what they ask, and how that is changed without loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from homelab_mcp.core.access import Router, groups_of, owner_of, routers_of, same_middleware
from homelab_mcp.core.authelia import BOTH_FILES, CONFIG_VARIABLE, Portal
from homelab_mcp.core.labels import (
    CATEGORY,
    SSO,
    SSO_GROUPS,
    SSO_REASON,
    Access,
    labels_of,
    made_from,
    route_labels,
    sso_labels,
)
from homelab_mcp.core.operations.lab_view import Known, LabView
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.core.service_facts import environment_of
from homelab_mcp.model.definition import ServiceDefinition
from homelab_mcp.model.errors import InvalidInput, NotFound
from homelab_mcp.model.lab import LabSettings


@dataclass
class Target:
    """One service with the routers that lead to it: (who carries them, the routers)."""

    service: Known
    routers: list[tuple[Known, Router]] = field(default_factory=list)


def targets_of(lab: LabView, names: Iterable[str]) -> list[Target]:
    """The services that are meant, each with its routers."""
    by_owner: dict[str, Target] = {}
    for carrier in lab.services:
        for router in routers_of(carrier.labels):
            owner = owner_of(lab, carrier, router.name)
            by_owner.setdefault(owner.where, Target(owner)).routers.append((carrier, router))
    found: dict[str, Target] = {}
    for name in names:
        kind, _, rest = name.partition(":")
        if rest and kind in ("stack", "category"):
            some = [t for t in by_owner.values() if _is_in(t.service, kind, rest) and not _is_portal(t.service)]
            if not some:
                raise NotFound(f"No service with a route is in {kind} {rest}.", hint="See lab_status.", code="unknown")
            found |= {t.service.where: t for t in some}
            continue
        known = [s for s in lab.services if name in (s.name, s.where)]
        if not known:
            raise NotFound(f"There is no service called {name}.", hint="See lab_status.", code="service_unknown")
        if len(known) > 1:
            told = ", ".join(s.where for s in known)
            raise InvalidInput(f"{name} is in several stacks: {told}.", hint="Say which, as stack/name.")
        service = known[0]
        if service.where not in by_owner:
            raise InvalidInput(f"{service.where} has no route that log-in could stand in front of.", code="no_route")
        if _is_portal(service):
            raise InvalidInput(f"{name} is the log-in itself and cannot stand behind it.", code="sso_loop")
        found[service.where] = by_owner[service.where]
    return list(found.values())


def _is_in(service: Known, kind: str, name: str) -> bool:
    return (service.stack if kind == "stack" else service.labels.get(CATEGORY)) == name


def _is_portal(service: Known) -> bool:
    return service.labels.get(SSO) == "portal"


def access_now(target: Target, settings: LabSettings) -> Access:
    """What the service asks now."""
    labels = target.service.labels
    protected = any(same_middleware(m, settings.sso_middleware) for _, r in target.routers for m in r.middlewares)
    return Access(
        "",
        protected,
        why=labels.get(SSO_REASON, ""),
        two_factor=protected and labels.get(SSO) == "two_factor",
        groups=groups_of(labels) if protected else (),
    )


def definition_of(service: Known, find: Callable[[str], ServiceDefinition]) -> ServiceDefinition | None:
    """The definition that a service was made from, where the catalog has it."""
    try:
        return find(kind) if (kind := made_from(service.labels)) else None
    except NotFound:
        return None


def relabel(
    texts: dict[str, str],
    target: Target,
    wanted: Access,
    settings: LabSettings,
    find: Callable[[str], ServiceDefinition],
) -> list[tuple[str, str]]:
    """Change the texts; the (stack, service) pairs whose labels changed."""
    changed = []
    service = target.service
    edit = ServiceEdit(texts[service.stack], service.name)
    said = sso_labels(wanted)
    for key in (SSO, SSO_REASON, SSO_GROUPS):
        if key in said:
            edit.set_entry("labels", key, said[key])
        else:
            edit.remove_entry("labels", key)
    texts[service.stack] = edit.text
    if edit.changed:
        changed.append((service.stack, service.name))
    carriers = {carrier.where: carrier for carrier, _ in target.routers}
    for carrier in carriers.values():
        routers = [r for c, r in target.routers if c.where == carrier.where]
        edit = ServiceEdit(texts[carrier.stack], carrier.name)
        _middlewares(edit, routers, wanted, settings.sso_middleware)
        _api_paths(edit, target, wanted, settings, definition_of(service, find))
        texts[carrier.stack] = edit.text
        if edit.changed and (carrier.stack, carrier.name) not in changed:
            changed.append((carrier.stack, carrier.name))
    return changed


def _middlewares(edit: ServiceEdit, routers: list[Router], wanted: Access, login: str) -> None:
    """Put the log-in first in every whole router, or take it out."""
    written = labels_of(edit.data)
    for router in routers:
        key = f"traefik.http.routers.{router.name}.middlewares"
        key = next((k for k in written if k.lower() == key.lower()), key)
        names = [n.strip() for n in written.get(key, "").split(",") if n.strip()]
        has = any(same_middleware(n, login) for n in names)
        if wanted.protected and not has and not router.narrow:
            # First, so that nobody wakes or reaches anything before logging in.
            edit.set_entry("labels", key, ",".join([login, *names]))
        elif not wanted.protected and has:
            left = [n for n in names if not same_middleware(n, login)]
            if left:
                edit.set_entry("labels", key, ",".join(left))
            else:
                edit.remove_entry("labels", key)


def _api_paths(
    edit: ServiceEdit, target: Target, wanted: Access, settings: LabSettings, definition: ServiceDefinition | None
) -> None:
    """The router of paths that programs use: there exactly while the service asks for log-in."""
    route = definition.route if definition else None
    if definition is None or route is None or not route.sso.api_paths:
        return
    name = target.service.name
    host = f"traefik.http.routers.{name}.rule"
    prefix = f"traefik.http.routers.{name}-api."
    written = labels_of(edit.data)
    if host not in written:
        return
    mine = {k: v for k, v in written.items() if k.startswith(prefix)}
    if not wanted.protected:
        for key in mine:
            edit.remove_entry("labels", key)
    elif not mine:
        access = Access("@", protected=True)
        rule = written[host]
        for key, value in route_labels(definition, name, access, settings).items():
            if key.startswith(prefix):
                edit.set_entry("labels", key, value.replace("Host(`@.${DOMAIN}`)", rule))


def load_rules(text: str, portal: Portal) -> str:
    """The compose text with an Authelia that loads the access rules too."""
    if portal.service.data.get("command"):
        raise InvalidInput(
            f"{portal.service.where} is told by its command which files to load.",
            hint="Add --config=/config/access-control.yml there, last, and ask again.",
            code="command_decides",
        )
    given = environment_of(portal.service).get(CONFIG_VARIABLE, "")
    value = f"{given},{BOTH_FILES.partition(',')[2]}" if given else BOTH_FILES
    return ServiceEdit(text, portal.service.name).set_entry("environment", CONFIG_VARIABLE, value).text
