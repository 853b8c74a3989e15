"""Labels: what Traefik, Homepage and this project read from a container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from homelab_mcp.model.containers import KEPT
from homelab_mcp.model.definition import Container, ServiceDefinition
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LabSettings

CATEGORY = "homelab.category"
SERVICE = "homelab.service"
"""The definition a service was made from."""
COMPANION_OF = "homelab.companion-of"
"""On a companion or gateway: the compose service it was added with, and is removed with."""
SSO = "homelab.sso"
"""Whether and how log-in is asked: ``bypass``, ``portal`` or ``two_factor``; unset: one factor."""
SSO_REASON = "homelab.sso.reason"
SSO_GROUPS = "homelab.sso.groups"
"""Groups whose members may pass, comma-separated; unset: everyone who has logged in."""
OWNER = "homelab.owner"
"""Whose its folders are where it is neither the lab's user nor ``user``: ``uid:gid``, or ``folder=uid:gid``, ..."""

OWN_CERTIFICATE = "-own-certificate"
"""The end of the name of a transport over which Traefik does not check the certificate; the service's is before it."""

_API_PRIORITY = "1000"
# Traefik's default priority is the rule's length; this is above any Host rule (253 characters at most).
_DISGUISED = r"(?i)%2f|%5c|\\|\.\.(;|%3b)"
"""What Traefik leaves in a path and some servers read as a way up (RFC 3986 section 7.3 names the danger), so that
``/api/..%2fsettings`` would be asked past the log-in."""


@dataclass(frozen=True, slots=True)
class Access:
    """How a route is reached: sub-domain, and whether the lab's log-in is asked (``why`` not, where it is not).

    Where it is: whether a second factor is, and the groups that may pass (none: everyone who has logged in).
    """

    subdomain: str
    protected: bool
    portal: bool = False
    why: str = ""
    two_factor: bool = False
    groups: tuple[str, ...] = ()


def host_of(subdomain: str) -> str:
    """The host name as compose files write it; the domain comes from ``.env``."""
    return f"{subdomain}.${{DOMAIN}}"


def own_labels(definition: ServiceDefinition, access: Access | None) -> dict[str, str]:
    """Labels this project reads back: category, definition, and what is special about log-in."""
    return {CATEGORY: definition.category, SERVICE: definition.id, **(sso_labels(access) if access else {})}


def owner_labels(container: Container) -> dict[str, str]:
    """The label that says whose a container's folders must be; none where they are the lab's user's, or ``user``'s."""
    named = {v.name or v.kind: v.owner for v in container.volumes if v.kind in KEPT and not v.shared}
    owners = set(named.values())
    if owners <= {None}:
        return {}
    if len(owners) == 1:
        return {OWNER: str(owners.pop())}
    return {OWNER: ",".join(f"{folder}={owner}" for folder, owner in named.items() if owner)}


def made_from(labels: Mapping[str, str]) -> str:
    """The definition that a service itself was made from; "" for a companion, whose label names its owner's.

    A VPN gateway counts as one too: what it is its image says.
    """
    return "" if labels.get(COMPANION_OF) else labels.get(SERVICE, "")


def sso_labels(access: Access) -> dict[str, str]:
    """The labels that say how log-in is asked; none for the usual: one factor, everyone."""
    if access.portal:
        return {SSO: "portal"}
    if not access.protected:
        return {SSO: "bypass", **({SSO_REASON: _literal(access.why)} if access.why else {})}
    labels = {SSO: "two_factor"} if access.two_factor else {}
    return labels | ({SSO_GROUPS: ",".join(access.groups)} if access.groups else {})


def route_labels(
    definition: ServiceDefinition,
    name: str,
    access: Access,
    settings: LabSettings,
    *,
    shared_certificates: bool = False,
) -> dict[str, str]:
    """Traefik's labels for a service: router(s), certificate, log-in, and the *container's* port.

    With ``shared_certificates`` Traefik's entry point says where certificates come from, and the routers say nothing.
    """
    route = definition.route
    if route is None:
        return {}
    target = route.traefik_service or name
    host = f"Host(`{host_of(access.subdomain)}`)"
    tls = _tls(settings, shared_certificates)
    labels = {
        "traefik.enable": "true",
        "traefik.docker.network": settings.route_network,
        **_router(name, host, target, tls),
    }
    if access.protected:
        labels[f"traefik.http.routers.{name}.middlewares"] = settings.sso_middleware
        if route.sso.api_paths:
            paths = " || ".join(_below(p) for p in route.sso.api_paths)
            labels |= _router(f"{name}-api", f"{host} && ({paths}) && !PathRegexp(`{_DISGUISED}`)", target, tls)
            labels[f"traefik.http.routers.{name}-api.priority"] = _API_PRIORITY
    if not route.traefik_service:
        balancer = f"traefik.http.services.{name}.loadbalancer"
        server = f"{balancer}.server"
        labels[f"{server}.port"] = str(route.port)
        if route.scheme != "http":
            labels[f"{server}.scheme"] = route.scheme
        if route.own_certificate:
            labels[f"{balancer}.serverstransport"] = f"{name}{OWN_CERTIFICATE}@file"
    return labels


def with_login_name(definition: ServiceDefinition, own: dict[str, str], settings: LabSettings) -> dict[str, str]:
    """A definition's own labels, with the log-in's middleware under the name that the lab's routes ask for."""
    name, _, provider = settings.sso_middleware.partition("@")
    portal = definition.route is not None and definition.route.sso.policy == "portal"
    if not portal or provider not in {"", "docker"}:
        return own
    usual, wanted = (f"traefik.http.middlewares.{n}." for n in (definition.id, name))
    return {f"{wanted}{k[len(usual) :]}" if k.startswith(usual) else k: v for k, v in own.items()}


def homepage_labels(definition: ServiceDefinition, access: Access | None) -> dict[str, str]:
    """Homepage's labels (its Docker discovery reads them); none for a service without a dashboard entry."""
    entry = definition.homepage
    if entry is None:
        return {}
    labels = {"homepage.group": entry.group, "homepage.name": definition.name, "homepage.icon": entry.icon}
    if access:
        labels["homepage.href"] = f"https://{host_of(access.subdomain)}"
    labels["homepage.description"] = entry.description
    for key, value in (entry.widget or {}).items():
        labels[f"homepage.widget.{key}"] = value
    return labels


def access_of(
    definition: ServiceDefinition,
    subdomain: str | None,
    sso: str | None,
    reason: str,
    groups: tuple[str, ...] = (),
) -> Access | None:
    """What the definition and the person's options come to; None for a service without a route.

    Raises:
        InvalidInput: an option for a route that is not there, a bypass without a reason, or groups with a bypass.
    """
    route = definition.route
    if route is None:
        if subdomain or sso or groups:
            raise InvalidInput(f"{definition.name} has no web page to route to.", code="no_route")
        return None
    name = subdomain or route.subdomain
    if route.sso.policy == "portal":
        if sso in ("protect", "two_factor") or groups:
            raise InvalidInput(f"{definition.name} is the log-in itself and cannot stand behind it.", code="sso_loop")
        return Access(name, protected=False, portal=True, why=route.sso.why)
    wanted = sso or route.sso.policy
    if wanted == "bypass" and route.sso.policy != "bypass" and not reason.strip():
        raise InvalidInput(
            f"{definition.name} is protected by the lab's log-in; going without needs a reason.",
            hint="Give 'sso_reason' in a sentence.",
            code="reason_needed",
        )
    if any(ord(c) < 32 or ord(c) == 127 for c in reason):
        raise InvalidInput("The reason holds a control character.", hint="Give it as one plain line.", code="bad_value")
    if wanted == "bypass" and groups:
        raise InvalidInput(
            "Without log-in nobody's groups are known.",
            hint="Leave out the groups or the bypass.",
            code="groups_unused",
        )
    return Access(
        name,
        protected=wanted != "bypass",
        why=reason.strip() or route.sso.why,
        two_factor=wanted == "two_factor",
        groups=groups,
    )


def labels_of(service: object) -> dict[str, str]:
    """A service's labels as a mapping, from either way Compose lets them be written."""
    raw = service.get("labels") if isinstance(service, Mapping) else None
    if isinstance(raw, Mapping):
        return {str(k): "" if v is None else str(v) for k, v in raw.items()}
    if isinstance(raw, list):
        pairs = (str(item).partition("=") for item in raw)
        return {key: value for key, _, value in pairs}
    return {}


def _router(name: str, rule: str, target: str, tls: Mapping[str, str]) -> dict[str, str]:
    router = f"traefik.http.routers.{name}"
    return {
        f"{router}.rule": rule,
        f"{router}.entrypoints": "websecure",
        **{f"{router}.{key}": value for key, value in tls.items()},
        f"{router}.service": target,
    }


def _tls(settings: LabSettings, shared_certificates: bool) -> dict[str, str]:
    """A router's own word on its certificate: one would replace all that the entry point says (Traefik 3.7)."""
    if shared_certificates:
        return {}
    return {"tls": "true"} if settings.acme.challenge == "none" else {"tls.certresolver": "letsencrypt"}


def _below(path: str) -> str:
    """A rule for a path and what is below it; PathPrefix alone compares texts, so that /api would open /apikeys."""
    stem = path.rstrip("/")
    return f"PathPrefix(`{stem}/`)" if path.endswith("/") else f"Path(`{stem}`) || PathPrefix(`{stem}/`)"


def _literal(text: str) -> str:
    """Text that Compose leaves as it is."""
    return " ".join(text.split()).replace("$", "$$")
