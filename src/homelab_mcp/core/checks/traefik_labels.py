"""Reading Traefik's labels: routers, services, middlewares of a lab, and what Traefik's own command line defines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from homelab_mcp.core.checks.view import Entry, Lab, ServiceView

ROUTER_OPTIONS = frozenset(
    {
        "rule",
        "rulesyntax",
        "entrypoints",
        "middlewares",
        "service",
        "priority",
        "tls",
        "tls.certresolver",
        "tls.options",
    }
)
DEEP_ROUTER_OPTIONS = ("tls.domains[", "observability.")
SERVICE_KINDS = ("loadbalancer", "weighted", "mirroring", "failover", "highestrandomweight")
MIDDLEWARES = frozenset(
    {"addprefix", "basicauth", "buffering", "chain", "circuitbreaker", "compress", "contenttype", "digestauth"}
    | {"encodedcharacters", "errors", "forwardauth", "grpcweb", "headers", "inflightreq", "ipallowlist", "ipwhitelist"}
    | {"passtlsclientcert", "plugin", "ratelimit", "redirectregex", "redirectscheme", "replacepath"}
    | {"replacepathregex", "retry", "stripprefix", "stripprefixregex"}
)
"""Traefik 3's HTTP middlewares (its reference, "HTTP middlewares"), lower case."""
MIDDLEWARE_OPTIONS: dict[str, frozenset[str]] = {
    name: frozenset(options.split())
    for name, options in {
        "addprefix": "prefix",
        "basicauth": "users usersfile realm removeheader headerfield",
        "buffering": "maxrequestbodybytes memrequestbodybytes maxresponsebodybytes memresponsebodybytes "
        "retryexpression",
        "chain": "middlewares",
        "circuitbreaker": "expression checkperiod fallbackduration recoveryduration responsecode",
        "compress": "excludedcontenttypes includedcontenttypes minresponsebodybytes defaultencoding encodings",
        "contenttype": "autodetect",
        "digestauth": "users usersfile realm removeheader headerfield",
        "errors": "status service query statusrewrites",
        "forwardauth": "address tls trustforwardheader authresponseheaders authresponseheadersregex authrequestheaders "
        "addauthcookiestoresponse headerfield forwardbody maxbodysize maxresponsebodysize preservelocationheader "
        "preserverequestmethod",
        "headers": "customrequestheaders customresponseheaders accesscontrolallowcredentials accesscontrolallowheaders "
        "accesscontrolallowmethods accesscontrolalloworiginlist accesscontrolalloworiginlistregex "
        "accesscontrolexposeheaders accesscontrolmaxage addvaryheader allowedhosts hostsproxyheaders sslredirect "
        "ssltemporaryredirect sslhost sslproxyheaders sslforcehost stsseconds stsincludesubdomains stspreload "
        "forcestsheader framedeny customframeoptionsvalue contenttypenosniff browserxssfilter custombrowserxssvalue "
        "contentsecuritypolicy contentsecuritypolicyreportonly publickey referrerpolicy permissionspolicy "
        "featurepolicy isdevelopment",
        "inflightreq": "amount sourcecriterion",
        "ipallowlist": "sourcerange ipstrategy rejectstatuscode",
        "ipwhitelist": "sourcerange ipstrategy",
        "ratelimit": "average period burst sourcecriterion redis",
        "redirectregex": "regex replacement permanent",
        "redirectscheme": "scheme port permanent",
        "replacepath": "path",
        "replacepathregex": "regex replacement",
        "stripprefix": "prefixes forceslash",
        "stripprefixregex": "regex",
    }.items()
}
"""Options of those whose lists are settled (the same reference), lower case."""
BALANCER_OPTIONS = frozenset(
    [
        "server",
        "servers",
        "passhostheader",
        "responseforwarding",
        "serverstransport",
        "strategy",
        "sticky",
        "healthcheck",
        "passivehealthcheck",
    ]
)


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
    def known_rule(self) -> str:
        """Its rule; where variables have no value, "x" in their place, or "" where the rule is nothing else."""
        entry = self.options["rule"]
        if not entry.open:
            return entry.value or ""
        text = re.sub(r"\$\{[^}]*\}|\$[A-Za-z_]\w*", "x", entry.raw).replace("$$", "$")
        return text if "(" in text and "}" not in text else ""

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
    yield from service.http_labels.get(kind, ())


def routers(service: ServiceView) -> list[Router]:
    """The HTTP routers a service's labels define; worked out once."""
    known: list[Router] | None = service.memo.get("routers")
    if known is None:
        known = service.memo["routers"] = _routers(service)
    return known


def _routers(service: ServiceView) -> list[Router]:
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
    """What Traefik's command line says. ``complete`` is False where a file may say more.

    ``options`` has every option in lower case without its dashes, with its value.
    """

    options: dict[str, str]
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
    parts = [w.lstrip("-").partition("=") for w in words if w.startswith("--")]
    options = {name.lower(): value.strip("\"'") for name, _, value in parts}
    points = {o.split(".")[1] for o in options if o.startswith("entrypoints.") and o.count(".") > 1}
    resolvers = {o.split(".")[1] for o in options if o.startswith("certificatesresolvers.") and o.count(".") > 1}
    secure = {o.split(".")[1] for o in options if re.match(r"entrypoints\.[^.]+\.http\.tls", o)}
    return StaticConfig(options, frozenset(points), frozenset(resolvers), frozenset(secure), bool(points))


def version(lab: Lab) -> int:
    """The major version of the lab's Traefik by its tag, 0 where nobody can say."""
    tag = lab.traefik.image.rsplit("/", 1)[-1].partition(":")[2] if lab.traefik else ""
    match = re.match(r"v?([1-9])(?:\.|$|-)", tag)
    return int(match.group(1)) if match else 0
