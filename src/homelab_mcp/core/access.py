"""Who may pass to what: the log-in that each deployed route asks for, read back from the labels of the lab's services.

The labels are the truth: a route that does not name the log-in's middleware is open, whatever else was meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from homelab_mcp.core.labels import COMPANION_OF, SSO, SSO_GROUPS, SSO_REASON
from homelab_mcp.core.operations.lab_view import Known, LabView
from homelab_mcp.model.lab import LabSettings

Policy = Literal["bypass", "one_factor", "two_factor"]

_ROUTER = re.compile(r"^traefik\.http\.routers\.([^.]+)\.(rule|middlewares)$", re.IGNORECASE)
_HOST = re.compile(r"\bHost\(([^)]*)\)")
_QUOTED = re.compile(r"[`\"']([^`\"']+)[`\"']")
_PATH = re.compile(r"(?<![A-Za-z!])(Path|PathPrefix)\(\s*[`\"']([^`\"']+)[`\"']\s*\)")
_NARROW = re.compile(r"\b(?:Path|PathPrefix|PathRegexp|Method|Header|HeaderRegexp|Query|QueryRegexp|ClientIP)\(")
_SUFFIX = "-api"
_EXTERNAL: dict[str, Policy] = {"protect": "one_factor", "two_factor": "two_factor", "bypass": "bypass"}


@dataclass(frozen=True, slots=True)
class Router:
    """One of Traefik's HTTP routers as a service's labels have it, variables filled in.

    ``paths`` are (path, whether what is below counts too); ``narrow`` says that the rule asks for more than the host.
    """

    name: str
    hosts: tuple[str, ...]
    middlewares: tuple[str, ...]
    paths: tuple[tuple[str, bool], ...] = ()
    narrow: bool = False


@dataclass(frozen=True, slots=True)
class RouteAccess:
    """What a host name asks of a visitor.

    Args:
        host: the host name in full.
        where: ``stack/service`` of whose page it is, or a route's own name.
        policy: the log-in asked.
        groups: who may pass; none: everyone who has logged in.
        why: why nobody is asked, where that is so.
        portal: it is the log-in's own page.
        open_paths: (path, whether what is below counts too) that are reached without log-in.
    """

    host: str
    where: str
    policy: Policy
    groups: tuple[str, ...] = ()
    why: str = ""
    portal: bool = False
    open_paths: tuple[tuple[str, bool], ...] = ()


def routers_of(labels: Mapping[str, str]) -> list[Router]:
    """The HTTP routers among a service's labels, in their order; none where Traefik is told to leave it alone."""
    if labels.get("traefik.enable", "true").lower() == "false":
        return []
    parts: dict[str, dict[str, str]] = {}
    for key, value in labels.items():
        if found := _ROUTER.match(key):
            parts.setdefault(found[1], {})[found[2].lower()] = value
    return [_router(name, part) for name, part in parts.items() if part.get("rule")]


def _router(name: str, part: Mapping[str, str]) -> Router:
    rule = part["rule"]
    hosts = [h.lower() for call in _HOST.findall(rule) for h in _QUOTED.findall(call)]
    return Router(
        name,
        tuple(dict.fromkeys(hosts)),
        tuple(m.strip() for m in part.get("middlewares", "").split(",") if m.strip()),
        tuple(dict.fromkeys((path, kind == "PathPrefix") for kind, path in _PATH.findall(rule))),
        bool(_NARROW.search(rule)),
    )


def owner_of(lab: LabView, carrier: Known, router: str) -> Known:
    """Whose page a router leads to: a service behind a gateway has its router on the gateway."""
    names = {router, router.removesuffix(_SUFFIX), carrier.labels.get(COMPANION_OF, "")}
    behind = f"service:{carrier.name}"
    for service in lab.services:
        if service.stack == carrier.stack and service.name in names and service.data.get("network_mode") == behind:
            return service
    return carrier


@dataclass
class _Found:
    """What is known of one host so far."""

    where: str
    asked: list[Known] = field(default_factory=list)
    open: list[Known] = field(default_factory=list)
    paths: list[tuple[str, bool]] = field(default_factory=list)


def accesses(lab: LabView, middleware: str, domain: str) -> list[RouteAccess]:
    """What each host of the lab's domain asks, sorted by host.

    Args:
        lab: the lab's services.
        middleware: the log-in's, as routers name it (``authelia@docker``).
        domain: the lab's; hosts outside of it have no session to look for.
    """
    found: dict[str, _Found] = {}
    for service in lab.services:
        for router in routers_of(service.labels):
            owner = owner_of(lab, service, router.name)
            asks = _asks(router, owner, middleware)
            for host in router.hosts:
                if not _within(host, domain):
                    continue
                mine = found.setdefault(host, _Found(owner.where))
                if asks:
                    mine.asked.append(owner)
                elif router.narrow:
                    mine.paths += router.paths
                else:
                    mine.open.append(owner)
    return [_access(host, found[host]) for host in sorted(found)]


def all_routes(lab: LabView, settings: LabSettings) -> list[RouteAccess]:
    """What each host asks, with those that lead outside of the lab; these are there as soon as Traefik is."""
    found = accesses(lab, settings.sso_middleware, settings.domain)
    taken = {a.host for a in found}
    if lab.made_from("traefik") is not None:
        for name, route in settings.external.items():
            host = route.host_name(name, settings.domain)
            if host not in taken:
                asked = _EXTERNAL[route.sso]
                found.append(RouteAccess(host, f"external {name}", asked, route.sso_groups, why=route.sso_reason))
    return sorted(found, key=lambda a: a.host)


def _within(host: str, domain: str) -> bool:
    return "$" not in host and (host == domain or host.endswith(f".{domain}"))


def _asks(router: Router, owner: Known, middleware: str) -> bool:
    """Whether a router leads past the log-in.

    Middlewares of other files may ask as well (a chain): where nobody said that the service is open, it counts as
    asking. Where it then does not, Authelia is never asked and its rule does no harm.
    """
    if any(same_middleware(m, middleware) for m in router.middlewares):
        return True
    said = owner.labels.get(SSO) in ("bypass", "portal")
    return bool(router.middlewares) and not said and not router.narrow


def same_middleware(one: str, other: str) -> bool:
    """Whether two references name one middleware; without a provider a label's own (docker) is meant."""
    name, _, provider = one.lower().partition("@")
    second, _, second_provider = other.lower().partition("@")
    return (name, provider or "docker") == (second, second_provider or "docker")


def groups_of(labels: Mapping[str, str]) -> tuple[str, ...]:
    """The groups that a service's labels let pass."""
    return tuple(dict.fromkeys(g.strip() for g in labels.get(SSO_GROUPS, "").split(",") if g.strip()))


def _access(host: str, found: _Found) -> RouteAccess:
    if not found.asked:
        said = found.open[0].labels if found.open else {}
        portal = said.get(SSO) == "portal"
        why = "it is the log-in page itself" if portal else said.get(SSO_REASON, "") or "its route asks for no log-in"
        return RouteAccess(host, found.where, "bypass", why=why, portal=portal)
    labels_of_asked = [s.labels for s in found.asked]
    # Several services behind one host: what the strictest asks, for the host is all that a session is bound to.
    strict = any(one.get(SSO) == "two_factor" for one in labels_of_asked)
    groups = _common([groups_of(one) for one in labels_of_asked])
    paths = tuple(dict.fromkeys(found.paths))
    return RouteAccess(host, found.asked[0].where, "two_factor" if strict else "one_factor", groups, open_paths=paths)


def _common(lists: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """The groups of the first service that names any, less those that another one does not let pass."""
    named = [groups for groups in lists if groups]
    if not named:
        return ()
    shared = tuple(g for g in named[0] if all(g in other for other in named))
    return shared or named[0]


def open_pattern(path: str, *, below: bool) -> str:
    """A regular expression (RE2) for a path and, with ``below``, what is below it; queries may follow.

    Only plain characters count: no per cent sign, no second dot in a row. What Traefik leaves in a path and a server
    may read as a way up (``/api/..%2fsettings``) is asked for log-in as any other path.
    """
    plain = r"[A-Za-z0-9_~@:,+=-]+(?:\.[A-Za-z0-9_~@:,+=-]+)*"
    rest = rf"{plain}(?:/{plain})*/?"
    stem = re.escape(path).replace(r"\-", "-")
    if below:
        stem += f"(?:{rest})?" if path.endswith("/") else f"(?:/(?:{rest})?)?"
    return rf"^{stem}(?:\?.*)?$"


def explained(access: RouteAccess) -> Iterator[str]:
    """What a route asks, in words for a person: a part a line."""
    if access.portal:
        yield "the log-in page"
    elif access.policy == "bypass":
        yield f"open: {access.why}"
    else:
        yield "log-in with a second factor" if access.policy == "two_factor" else "log-in"
        if access.groups:
            yield f"groups {', '.join(access.groups)}"
        if access.open_paths:
            stems = dict.fromkeys(path.rstrip("/") or "/" for path, _ in access.open_paths)
            yield f"open below {', '.join(stems)}"
