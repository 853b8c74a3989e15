"""Reading Traefik's labels: routers, services, middlewares of a lab, and what Traefik's own command line defines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from homelab_mcp.core.checks.view import Entry, Lab, ServiceView

ROUTER_OPTIONS = frozenset({"rule", "rulesyntax", "entrypoints", "middlewares", "service", "priority", "tls"})
DEEP_ROUTER_OPTIONS = ("tls.certresolver", "tls.options", "tls.domains[", "observability.")
SERVICE_KINDS = ("loadbalancer", "weighted", "mirroring", "failover", "highestrandomweight")
MIDDLEWARES = frozenset(
    {"addprefix", "basicauth", "buffering", "chain", "circuitbreaker", "compress", "contenttype", "digestauth"}
    | {"encodedcharacters", "errors", "forwardauth", "grpcweb", "headers", "inflightreq", "ipallowlist", "ipwhitelist"}
    | {"passtlsclientcert", "plugin", "ratelimit", "redirectregex", "redirectscheme", "replacepath"}
    | {"replacepathregex", "retry", "stripprefix", "stripprefixregex"}
)
"""Traefik 3's HTTP middlewares (its reference, "HTTP middlewares"), lower case."""
MATCHERS = frozenset(
    {"Host", "HostRegexp", "Path", "PathPrefix", "PathRegexp", "Method", "Header", "HeaderRegexp", "Query"}
    | {"QueryRegexp", "ClientIP", "Headers", "HeadersRegexp", "HostHeader"}
)
"""Rule matchers of Traefik 2 and 3."""


@dataclass(slots=True)
class Router:
    """One HTTP router: where it was first named, and its options (lower-case name -> label)."""

    name: str
    service: ServiceView
    options: dict[str, Entry] = field(default_factory=dict)

    def value(self, option: str) -> str:
        """An option's value or ""."""
        entry = self.options.get(option)
        return (entry.value or "") if entry else ""

    @property
    def anchor(self) -> Entry:
        """The label to point at when it is about the whole router."""
        return self.options.get("rule") or next(iter(self.options.values()))

    @property
    def middlewares(self) -> list[str]:
        """The middlewares it names, in order."""
        return [m.strip() for m in self.value("middlewares").split(",") if m.strip()]

    @property
    def hosts(self) -> list[str]:
        """Host names its rule matches, lower case."""
        return [
            h.lower() for group in _HOST.findall(self.value("rule")) for h in re.findall(r"[`\"]([^`\"]+)[`\"]", group)
        ]


_HOST = re.compile(r"\bHost\(([^)]*)\)")


def http_labels(service: ServiceView, kind: str) -> Iterator[tuple[str, str, Entry]]:
    """(name, option in lower case, label) of ``traefik.http.<kind>.<name>.<option>``."""
    prefix = f"traefik.http.{kind}."
    for key, entry in service.labels.items():
        if key.lower().startswith(prefix):
            name, _, option = key[len(prefix) :].partition(".")
            yield name, option.lower(), entry


def routers(service: ServiceView) -> list[Router]:
    """The HTTP routers a service's labels define."""
    found: dict[str, Router] = {}
    if service.label("traefik.enable").lower() == "false":
        return []
    for name, option, entry in http_labels(service, "routers"):
        if name and option:
            found.setdefault(name, Router(name, service)).options[option] = entry
    return list(found.values())


def all_routers(lab: Lab) -> list[Router]:
    """Every HTTP router of the lab."""
    return [router for service in lab.services for router in routers(service)]


def port_labels(service: ServiceView) -> Iterator[tuple[str, Entry]]:
    """(Traefik service's name, label) of every ``loadbalancer.server.port``."""
    for name, option, entry in http_labels(service, "services"):
        if option == "loadbalancer.server.port":
            yield name, entry


def defined_middlewares(lab: Lab) -> set[str]:
    """Names of middlewares that labels define, lower case."""
    return {name.lower() for s in lab.services for name, _, _ in http_labels(s, "middlewares")}


@dataclass(frozen=True, slots=True)
class StaticConfig:
    """What Traefik's command line says. ``complete`` is False where a file may say more."""

    entry_points: frozenset[str]
    resolvers: frozenset[str]
    tls_entry_points: frozenset[str]
    complete: bool


def static_config(lab: Lab) -> StaticConfig | None:
    """The command line of the lab's Traefik; None where the lab has none."""
    traefik = lab.traefik
    if traefik is None:
        return None
    command = traefik.data.get("command")
    words = [str(w) for w in command] if isinstance(command, list) else str(command or "").split()
    options = [w.lstrip("-").lower() for w in words if w.startswith("--")]
    points = {o.split(".")[1] for o in options if o.startswith("entrypoints.") and o.count(".") > 1}
    resolvers = {o.split(".")[1] for o in options if o.startswith("certificatesresolvers.") and o.count(".") > 1}
    secure = {o.split(".")[1] for o in options if re.match(r"entrypoints\.[^.]+\.http\.tls", o)}
    return StaticConfig(frozenset(points), frozenset(resolvers), frozenset(secure), bool(points))
