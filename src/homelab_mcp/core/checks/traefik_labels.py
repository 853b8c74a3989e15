"""Reading Traefik's labels: routers, services, middlewares of a lab, and what Traefik's own command line defines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from homelab_mcp.core.checks.traefik_rule import Matcher, parse_rule
from homelab_mcp.core.checks.traefik_static import StaticConfig
from homelab_mcp.core.checks.traefik_static import static_config as static_config
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
BELOW: dict[str, frozenset[str]] = {
    section: frozenset(options.split())
    for section, options in {
        "loadbalancer.healthcheck": "scheme mode path method status port interval unhealthyinterval timeout hostname "
        "followredirects headers",
        "loadbalancer.sticky.cookie": "name secure httponly samesite maxage path domain",
        "forwardauth.tls": "ca cert key insecureskipverify caoptional",
        "ipallowlist.ipstrategy": "depth excludedips ipv6subnet",
        "ratelimit.sourcecriterion": "ipstrategy requestheadername requesthost",
        "inflightreq.sourcecriterion": "ipstrategy requestheadername requesthost",
    }.items()
}
"""Options two levels down whose lists are settled (Traefik's ``pkg/config/dynamic``), lower case."""

PROVIDERS = (
    *("docker", "swarm", "file", "internal", "http", "redis", "consulcatalog", "consul", "etcd", "nomad", "rest"),
    *("ecs", "kubernetes", "kubernetescrd", "kubernetesingress", "kubernetesgateway", "zookeeper", "plugin", "knative"),
)
"""What may stand behind the '@' of a name; a plug-in's has its name behind 'plugin-', consul a namespace."""


def is_provider(name: str) -> bool:
    """True for the name of a provider that Traefik has."""
    return name.lower() in PROVIDERS or name.lower().startswith(("plugin-", "consul", "nomad-", "kubernetes"))


@dataclass(slots=True)
class Router:
    """One HTTP router: where it was first named, and its options (lower-case name -> label)."""

    name: str
    service: ServiceView
    options: dict[str, Entry] = field(default_factory=dict)
    _matchers: list[Matcher] | None = None

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

    def matchers(self) -> list[Matcher]:
        """What :attr:`known_rule` matches, read once.

        Raises:
            RuleInvalid: Traefik cannot read it.
        """
        if self._matchers is None:
            self._matchers = parse_rule(self.known_rule)
        return self._matchers

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


def http_labels(service: ServiceView, kind: str) -> Sequence[tuple[str, str, Entry]]:
    """(name, option in lower case, label) of ``traefik.http.<kind>.<name>.<option>``."""
    return service.http_labels.get(kind, ())


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
            # Within one container Traefik compares names without case.
            found.setdefault(name.lower(), Router(name, service)).options[option] = entry
    return list(found.values())


def all_routers(lab: Lab) -> list[Router]:
    """Every HTTP router of the lab, those of Traefik's dynamic files with it; worked out once."""
    known: list[Router] | None = lab.memo.get("routers")
    if known is None:
        known = lab.memo["routers"] = _all_routers(lab)
    return known


def _all_routers(lab: Lab) -> list[Router]:
    return [router for service in lab.routing if service.http_labels for router in routers(service)]


def stream_labels(service: ServiceView, kind: str, part: str) -> list[tuple[str, str, Entry]]:
    """(name, option, label) of ``traefik.<kind>.<part>.<name>.<option>``, lower case; ``kind`` is tcp or udp."""
    known: dict[tuple[str, str], list[tuple[str, str, Entry]]] | None = service.memo.get("streams")
    if known is None:
        known = service.memo["streams"] = {}
        for key, entry in service.traefik_labels:
            if key[:12] in ("traefik.tcp.", "traefik.udp."):
                words = key.split(".", 4)
                if len(words) == 5 and words[3] and words[4]:
                    known.setdefault((words[1], words[2]), []).append((words[3], words[4], entry))
    return known.get((kind, part), [])


def stream_routers(service: ServiceView, kind: str) -> list[Router]:
    """The TCP or UDP routers that a service's labels define."""
    found: dict[str, Router] = {}
    labels = stream_labels(service, kind, "routers")
    if labels and service.label("traefik.enable").lower() != "false":
        for name, option, entry in labels:
            found.setdefault(name, Router(name, service)).options[option] = entry
    return list(found.values())


def all_stream_routers(lab: Lab, kind: str) -> list[Router]:
    """Every TCP or UDP router of the lab; worked out once."""
    known: list[Router] | None = lab.memo.get(kind)
    if known is None:
        known = lab.memo[kind] = _all_stream_routers(lab, kind)
    return known


def _all_stream_routers(lab: Lab, kind: str) -> list[Router]:
    return [router for service in lab.routing for router in stream_routers(service, kind)]


def port_labels(service: ServiceView) -> Iterator[tuple[str, Entry]]:
    """(Traefik service's name, label) of every ``loadbalancer.server.port``."""
    for name, option, entry in http_labels(service, "services"):
        if option == "loadbalancer.server.port":
            yield name, entry


def defined_middlewares(lab: Lab) -> set[str]:
    """Names of middlewares that labels define, lower case; worked out once."""
    known: set[str] | None = lab.memo.get("middlewares")
    if known is None:
        known = lab.memo["middlewares"] = _defined_middlewares(lab)
    return known


def _defined_middlewares(lab: Lab) -> set[str]:
    return {name.lower() for s in lab.services for name, _, _ in http_labels(s, "middlewares")}


def version(lab: Lab) -> int:
    """The major version of the lab's Traefik by its tag, 0 where nobody can say."""
    tag = lab.traefik.image.rsplit("/", 1)[-1].partition(":")[2] if lab.traefik else ""
    match = re.match(r"v?([1-9])(?:\.|$|-)", tag)
    return int(match.group(1)) if match else 0


def rivals(one: Router, other: Router, static: StaticConfig | None) -> bool:
    """True for two routers of different names that a request can come to alike, as far as anybody can say.

    That takes an entry point that both are on, and TLS on both or on none: Traefik keeps the two apart.
    """
    same = one.name.lower() == other.name.lower() and one.service.of_file is other.service.of_file
    if same or not one.service.is_beside(other.service):
        return False
    # The routers of one service mostly share its host on purpose (HTTP beside HTTPS).
    if one.service is other.service and _points(one) != _points(other):
        return False
    pairs = ((a, b) for a in _ways(one, static) for b in _ways(other, static))
    return any(a[1] == b[1] and (a[0] == b[0] or "" in {a[0], b[0]}) for a, b in pairs)


def _points(router: Router) -> frozenset[str]:
    return frozenset(p.strip().lower() for p in router.value("entrypoints").split(",") if p.strip())


def _ways(router: Router, static: StaticConfig | None) -> set[tuple[str, bool]]:
    """(entry point, with TLS) of a router; "" is any entry point."""
    tls = any(o == "tls" or o.startswith("tls.") for o in router.options)
    points = _points(router)
    if static is not None and static.complete:
        return {(p, tls or p in static.tls_entry_points) for p in points or static.entry_points}
    return {(p, tls or points in _HTTPS) for p in points or {""}}


_HTTPS = (frozenset({"websecure"}), frozenset({"https"}))
"""Entry points that mostly have TLS for all their routers, where nobody can see whether they do."""
