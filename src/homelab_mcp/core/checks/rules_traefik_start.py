"""HL227 to HL229: values of Traefik's own options, and what its container lacks for them."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.hosts import host_in, meet
from homelab_mcp.core.checks.rules_traefik_options import told
from homelab_mcp.core.checks.traefik_dns import NEEDED, PROVIDERS
from homelab_mcp.core.checks.traefik_static import StaticConfig
from homelab_mcp.core.checks.traefik_types import SWITCHES, TIME
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.model.finding import Finding, Severity

INSTALL = "https://doc.traefik.io/traefik/reference/install-configuration/"
PROXY = "services:\n  traefik:\n    image: traefik:v3.6.1\n    command:\n      - --entrypoints.web.address=:80\n"
LE = "      - --certificatesresolvers.le.acme."
_SWITCH = frozenset(
    {"dashboard", "exposedbydefault", "watch", "usebindportip", "allowemptyservices", "asdefault", "permanent", "debug"}
    | {"insecure", "insecureskipverify", "sendanonymoususage", "checknewversion", "addinternals", "nocolor"}
    | {"disabledashboardad", "disablecommonname", "disablepropagationcheck", "disablechecks", "requireallrns"}
    | {"reuseport", "encodequerysemicolons", "sanitizepath", "allowacmebypass", "dualoutput", "retryattempts"}
    | {"addentrypointslabels", "addrouterslabels", "addserviceslabels", "manualrouting", "debugloggeneratedtemplate"}
)
_TIMES = frozenset(
    {"readtimeout", "writetimeout", "idletimeout", "gracetimeout", "requestacceptgracetimeout", "keepalivemaxtime"}
    | {"dialtimeout", "idleconntimeout", "responseheadertimeout", "throttleduration", "providersthrottleduration"}
    | {"httpclienttimeout", "pollinterval", "polltimeout", "delaybeforecheck", "delaybeforechecks", "minduration"}
    | {"refreshinterval", "dialkeepalive", "terminationdelay", "pushinterval"}
)
_NUMBERS = frozenset(
    {"bufferingsize", "maxage", "maxbackups", "maxsize", "certificatesduration", "maxconcurrentstreams", "priority"}
    | {"advertisedport", "maxheaderbytes", "maxidleconnsperhost", "keepalivemaxrequests", "terminatingstatuscode"}
    | {"resolvdepth"}
)
"""Last words of options, one kind each wherever they stand in ``traefik --help`` of Traefik 3.7."""
_WORDS = {
    "log.level": "trace debug info warn error fatal panic",
    "log.format": "common json",
    "accesslog.format": "common json genericclf",
    "core.defaultrulesyntax": "v2 v3",
}
_KEYS = frozenset(["ec256", "ec384", "rsa2048", "rsa4096", "rsa8192"])
_EXAMPLE = re.compile(r"(?:your-?e?mail|changeme)@|.*@(?:your|my)-?domain\.|.*@example\.com$", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:\[[0-9a-fA-F:]+\]|[^:/\s\[\]]*):([0-9]{1,5})(?:/(tcp|udp))?", re.IGNORECASE)


@rule(
    "HL227",
    Severity.ERROR,
    "A value that an option of Traefik's own cannot have",
    why="Over a switch, number, time or address that it cannot read Traefik does not start; two entry points on one "
    "port neither. Other words it replaces by what it does without them, and says so only in its log.",
    link=f"{INSTALL}configuration-options/",
    bad=f"{PROXY}      - --providers.docker.exposedbydefault=nope\n",
    good=f"{PROXY}      - --providers.docker.exposedbydefault=false\n",
)
def bad_static_value(ctx: LintContext) -> Iterable[Finding]:
    """Switches, numbers, times, addresses and words among Traefik's options."""
    static = tl.static_config(ctx.lab)
    if static is None:
        return
    taken: dict[tuple[str, str], str] = {}
    for option, value in static.options.items():
        if not value or "$" in value or "{{" in value:
            continue
        found = _static_problem(option, value, static)
        if re.fullmatch(r"entrypoints\.[^.]+\.address", option) and (match := _ADDRESS.fullmatch(value)):
            place = (value.rpartition("/")[0] or value, match.group(2) or "tcp")
            other = taken.setdefault(place, option)
            if other != option:
                found = f"The entry point {other.split('.')[1]!r} has this address already.", Severity.ERROR
        if found:
            yield told(ctx, static, option, found[0], found[1])


def _static_problem(option: str, value: str, static: StaticConfig) -> tuple[str, Severity] | None:
    last = option.rpartition(".")[2]
    if last in _SWITCH and value not in SWITCHES:
        return f"{last!r} is true or false, not {value!r}.", Severity.ERROR
    if last in _NUMBERS and not re.fullmatch(r"-?[0-9]+", value):
        return f"{last!r} is a whole number, not {value!r}.", Severity.ERROR
    if last in _TIMES and not TIME.fullmatch(value):
        return f"{last!r} is a time such as 30s, not {value!r}.", Severity.ERROR
    known = _WORDS.get(option, "").split()
    if known and value.lower() not in known:
        return f"{option} is one of {', '.join(known)}; {value!r} counts for nothing.", Severity.WARNING
    if re.fullmatch(r"entrypoints\.[^.]+\.address", option):
        match = _ADDRESS.fullmatch(value)
        if match is None or int(match.group(1)) > 65535:
            return f"{value!r} is no address such as :80 or 127.0.0.1:8080.", Severity.ERROR
    own = re.fullmatch(r"entrypoints\.([^.]+)\.http\.redirections\.entrypoint\.to", option)
    if own and value.lower() == own.group(1):
        return f"The entry point {value!r} sends every visitor to itself.", Severity.ERROR
    return _acme_problem(option, value) if option.startswith("certificatesresolvers.") else None


def _acme_problem(option: str, value: str) -> tuple[str, Severity] | None:
    if option.endswith(".acme.email") and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", value):
        return f"{value!r} is no address for mail: the authority refuses it.", Severity.WARNING
    if option.endswith(".acme.email") and _EXAMPLE.match(value):
        return f"{value!r} is a manual's example: the authority's warnings reach nobody.", Severity.WARNING
    if option.endswith(".acme.keytype") and value.lower() not in _KEYS:
        return f"{value!r} is no type of key; there are EC256, EC384, RSA2048, RSA4096 and RSA8192.", Severity.WARNING
    if option.endswith(".acme.caserver") and not value.startswith(("https://", "http://")):
        return "The authority's address begins with https://.", Severity.WARNING
    if option.endswith(".acme.caserver") and "acme-staging" in value:
        return "No browser trusts certificates of this authority: it is for trials.", Severity.WARNING
    return None


@rule(
    "HL228",
    Severity.WARNING,
    "Traefik's container lacks what its options speak of",
    why="Certificates outside of a mount are gone with the container, and the authority gives few a week; without the "
    "Docker socket, or a proxy for it, no container is seen; an entry point whose port nobody publishes gets no visit.",
    link=f"{INSTALL}tls/certificate-resolvers/acme/#storage",
    bad=f"{PROXY}{LE}tlschallenge=true\n{LE}email=me@example.org\n{LE}storage=/acme/acme.json\n",
    good=f"{PROXY}{LE}tlschallenge=true\n{LE}email=me@example.org\n{LE}storage=/acme/acme.json\n"
    "    volumes: ['./acme:/acme']\n",
)
def not_in_the_container(ctx: LintContext) -> Iterable[Finding]:
    """ACME storage without a mount, the Docker provider without a socket, entry points and ports that do not meet."""
    static, traefik = tl.static_config(ctx.lab), ctx.lab.traefik
    if static is None or traefik is None or traefik.partial:
        return
    mounts = [posixpath.normpath(m.target) for m in traefik.mounts if m.target]
    unknown = any("$" in m.target for m in traefik.mounts) or "volumes_from" in traefik.data
    for option, value in static.options.items():
        if option.endswith(".acme.storage") and value and "$" not in value and not unknown:
            yield from _storage(ctx, static, traefik, option, value, mounts)
    yield from _socket(ctx, static, traefik, mounts, unknown=unknown)
    yield from _points(ctx, static, traefik)


def _storage(
    ctx: LintContext, static: StaticConfig, traefik: ServiceView, option: str, value: str, mounts: list[str]
) -> Iterator[Finding]:
    home = str(traefik.data.get("working_dir") or "/")
    path = posixpath.normpath(posixpath.join(home, value))
    mount = next((m for m in traefik.mounts if m.target and path.startswith(posixpath.normpath(m.target))), None)
    if not any(path == m or path.startswith(f"{m.rstrip('/')}/") for m in mounts):
        yield told(ctx, static, option, f"Nothing is mounted at {posixpath.dirname(path)}: certificates are lost.")
    elif mount and mount.read_only:
        yield told(ctx, static, option, f"{mount.target} is mounted read-only: no certificate can be kept.")


def _socket(
    ctx: LintContext, static: StaticConfig, traefik: ServiceView, mounts: list[str], *, unknown: bool
) -> Iterator[Finding]:
    options = [o for o in static.options if o == "providers.docker" or o.startswith("providers.docker.")]
    if not options or static.options.get("providers.docker", "").lower() == "false":
        return
    endpoint = static.options.get("providers.docker.endpoint", "")
    elsewhere = unknown or endpoint or "DOCKER_HOST" in traefik.environment or traefik.data.get("env_file")
    if not elsewhere and not any(m.endswith(".sock") or m in {"/var/run", "/run"} for m in mounts):
        message = "Neither docker.sock is mounted nor an endpoint given: Traefik sees no container."
        yield told(ctx, static, options[0], message)
    host = host_in(endpoint)[0] if endpoint.startswith(("tcp://", "http://", "https://")) else ""
    inside = host and "." not in host and host != "localhost" and not traefik.network_mode and "$" not in endpoint
    if inside and host not in ctx.lab.hosts and ctx.lab.whole:
        message = f"No service or container of the lab is called {host!r}."
        yield told(ctx, static, "providers.docker.endpoint", message)
    elif inside and host in ctx.lab.hosts and not any(meet(traefik, s, ctx.lab) for s in ctx.lab.hosts[host]):
        yield told(ctx, static, "providers.docker.endpoint", f"{host!r} is on none of Traefik's networks.")


def _points(ctx: LintContext, static: StaticConfig, traefik: ServiceView) -> Iterator[Finding]:
    """Entry points whose port is not published, published ports (80, 443) that no entry point has."""
    shared = any(s.network_mode.endswith(f":{traefik.name}") for s in ctx.services())
    if not static.complete or traefik.network_mode or not traefik.published or len(traefik.ports) != _count(traefik):
        return
    inside = {
        p for _, x in traefik.published for p in range(x.container[0], min(x.container[1], x.container[0] + 99) + 1)
    }
    points: dict[int, str] = {}
    for option, value in static.options.items():
        match = re.fullmatch(r"entrypoints\.([^.]+)\.address", option)
        address = _ADDRESS.fullmatch(value)
        if match and address:
            points[int(address.group(1))] = option
            used = any(match.group(1) in _listed(r) for r in tl.all_routers(ctx.lab))
            http = {"web", "websecure", "http", "https"} & {match.group(1)}
            if int(address.group(1)) not in inside and (used or http) and not value.startswith(("127.", "localhost")):
                yield told(ctx, static, option, f"No port leads to {address.group(1)} of the container.")
    for entry, published in traefik.published:
        port = published.container[0]
        if port in {80, 443} and points and port not in points and published.protocol == "tcp" and not shared:
            yield ctx.on(traefik, entry.at("target"), f"No entry point listens on {port} of the container.")


def _count(service: ServiceView) -> int:
    part = service.data.get("ports")
    return len(part) if isinstance(part, list) else 0


def _listed(router: tl.Router) -> set[str]:
    return {p.strip().lower() for p in router.value("entrypoints").split(",")}


@rule(
    "HL229",
    Severity.WARNING,
    "A DNS challenge that cannot be done",
    why="The provider's code and its variables are lego's: with another code, or without the token in Traefik's "
    "environment, no certificate comes. A wildcard certificate needs the DNS challenge; the others cannot prove it.",
    link="https://go-acme.github.io/lego/dns/",
    bad=f"{PROXY}{LE}dnschallenge.provider=cloudflare\n{LE}storage=/acme/acme.json\n    volumes: ['./acme:/acme']\n"
    "    environment: {CF_TOKEN: '${CF_TOKEN:-}'}\n",
    good=f"{PROXY}{LE}dnschallenge.provider=cloudflare\n{LE}storage=/acme/acme.json\n    volumes: ['./acme:/acme']\n"
    "    environment: {CF_DNS_API_TOKEN: '${CF_TOKEN:-}'}\n",
)
def bad_dns_challenge(ctx: LintContext) -> Iterable[Finding]:
    """Unknown providers, missing variables, wildcard certificates without a DNS challenge."""
    static, traefik = tl.static_config(ctx.lab), ctx.lab.traefik
    if static is None or traefik is None:
        return
    for option, value in static.options.items():
        if not option.endswith(".acme.dnschallenge.provider") or not value or "$" in value:
            continue
        if value not in PROVIDERS:
            near = difflib.get_close_matches(value.lower(), PROVIDERS, n=1, cutoff=0.8)
            if near:
                yield told(ctx, static, option, f"There is no provider {value!r}. Did you mean {near[0]!r}?")
            continue
        names = {name.removesuffix("_FILE") for name in traefik.environment}
        needed = NEEDED.get(value, ())
        unseen = traefik.partial or traefik.data.get("env_file")
        if needed and not unseen and not any(names >= set(each.split()) for each in needed):
            message = f"The provider {value!r} needs {' or '.join(' and '.join(n.split()) for n in needed)}."
            wrong = [e for n, e in traefik.environment.items() if _is_near(n, needed)]
            if wrong:
                yield ctx.on(traefik, wrong[0].path, message, severity=Severity.ERROR)
            else:
                yield told(ctx, static, option, message)
    yield from _wildcards(ctx, static)


def _is_near(name: str, needed: Iterable[str]) -> bool:
    """True for a variable that seems to be meant for one of those that are needed."""
    first = {word.partition("_")[0] for each in needed for word in each.split()}
    also = {"CLOUDFLARE"} if "CF" in first else set()
    known = {word for each in needed for word in each.split()}
    return name.partition("_")[0] in first | also and name.removesuffix("_FILE") not in known


def _wildcards(ctx: LintContext, static: StaticConfig) -> Iterator[Finding]:
    def proves(resolver: str) -> bool:
        mine = [o for o in static.options if o.startswith(f"certificatesresolvers.{resolver.lower()}.acme.")]
        return not mine or any("dnschallenge" in o for o in mine)

    check: Callable[[str], bool] = proves
    for router in tl.all_routers(ctx.lab) if static.complete else ():
        resolver = router.value("tls.certresolver")
        for option, entry in router.options.items() if resolver and not check(resolver) else ():
            if option.startswith("tls.domains[") and "*" in (entry.value or ""):
                message = f"{entry.value!r} needs a DNS challenge, which the resolver {resolver!r} has not."
                yield ctx.on(router.service, entry.path, message)
    for option, value in static.options.items():
        match = re.fullmatch(r"(entrypoints\.[^.]+\.http\.tls)\.domains\[[0-9]+\]\.(?:main|sans)", option)
        resolver = static.options.get(f"{match.group(1)}.certresolver", "") if match else ""
        if resolver and "*" in value and static.complete and not check(resolver):
            yield told(ctx, static, option, f"{value!r} needs a DNS challenge, which {resolver!r} has not.")
