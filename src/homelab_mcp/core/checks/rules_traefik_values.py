"""HL224 to HL226: values of Traefik's dynamic options, what a middleware needs, and how middlewares hang together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_limits import value_at
from homelab_mcp.core.checks.traefik_files import FileService
from homelab_mcp.core.checks.traefik_types import NEEDS, OPTION_KINDS, REFUSED, SWITCHES, Problem, value_problem, words
from homelab_mcp.core.checks.view import Entry, Lab, ServiceView
from homelab_mcp.model.finding import Finding, Severity

DOCS = "https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/"
WEB = "services:\n  web:\n    image: nginx:1.29\n    labels:\n"
LIMIT = "      traefik.http.middlewares.slow.ratelimit."
CHAIN = "      traefik.http.middlewares."


@rule(
    "HL224",
    Severity.ERROR,
    "A value that an option of Traefik's cannot have",
    why="Over a number, switch or time that it cannot read Traefik leaves the whole container out; over an address "
    "range, expression or status that its middleware refuses it drops the routes that use it. Its log alone tells.",
    link=f"{DOCS}overview/",
    bad=f"{WEB}{LIMIT}average: '10'\n{LIMIT}period: 1 minute\n",
    good=f"{WEB}{LIMIT}average: '10'\n{LIMIT}period: 1m\n",
)
def bad_option_value(ctx: LintContext) -> Iterable[Finding]:
    """The value of a middleware's or a service's option against the kind of value that it has."""
    for service in ctx.lab.routing:
        for kind in ("middlewares", "services"):
            for _, option, entry in service.http_labels.get(kind, ()):
                if option == "loadbalancer.server.port" or not entry.value or entry.open or "{{" in entry.value:
                    continue
                found = _problem(service, option, entry)
                if found:
                    yield ctx.on(service, entry.path, f"{_last(option)}: {found[0]}", severity=found[1])
        yield from _balancer_times(ctx, service)
        for _, option, entry in service.http_labels.get("routers", ()):
            if option == "tls" and entry.value and not entry.open and entry.value not in SWITCHES:
                yield ctx.on(service, entry.path, f"'tls' is true or false: with {entry.value!r} there is none.")


def _problem(service: ServiceView, option: str, entry: Entry) -> Problem | None:
    """What is wrong with a value; a label's commas part a list's items, in a file they stand apart already."""
    if isinstance(service, FileService) and OPTION_KINDS.get(option) == "regexes":
        items = value_at(service.source.data, entry.path)
        if isinstance(items, list):
            return next((p for item in items if (p := value_problem(f"{option}[0]", str(item)))), None)
    return value_problem(option, entry.value or "")


def _last(option: str) -> str:
    return option.rpartition(".")[2]


def _balancer_times(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    """A health check of Traefik's that may take as long as the pause between two."""
    for options in _by_name(service, "services").values():
        times = [options.get(f"loadbalancer.healthcheck.{name}") for name in ("interval", "timeout")]
        interval, timeout = (_seconds(entry) for entry in times)
        entry = times[1] or times[0]
        if entry and (timeout or 5.0) >= (interval or 30.0) and (interval or timeout):
            message = "The time-out (5s by default) should be shorter than the interval (30s by default)."
            yield ctx.on(service, entry.path, message, severity=Severity.WARNING)


def _seconds(entry: Entry | None) -> float | None:
    text = (entry.value or "") if entry else ""
    unit = next((u for u in ("ms", "s", "m", "h") if text.endswith(u)), "")
    number = text.removesuffix(unit)
    return (
        float(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "": 1}[unit]
        if re.fullmatch("[0-9]+", number)
        else None
    )


def _by_name(service: ServiceView, kind: str) -> dict[str, dict[str, Entry]]:
    found: dict[str, dict[str, Entry]] = {}
    for name, option, entry in service.http_labels.get(kind, ()):
        found.setdefault(name.lower(), {})[option] = entry
    return found


@rule(
    "HL225",
    Severity.WARNING,
    "A middleware without what it needs",
    why="A middleware that lacks its one essential option is refused, and with it every route that goes through it, or "
    "does nothing. One middleware is of one kind: two kinds under one name are refused.",
    link=f"{DOCS}overview/",
    bad=f"{WEB}{CHAIN}https.redirectscheme.permanent: 'true'\n",
    good=f"{WEB}{CHAIN}https.redirectscheme.scheme: https\n{CHAIN}https.redirectscheme.permanent: 'true'\n",
)
def incomplete_middleware(ctx: LintContext) -> Iterable[Finding]:
    """A middleware that lacks an option it cannot do without, or is of two kinds."""
    for service in ctx.lab.routing:
        for name, options in _by_name(service, "middlewares").items() if "middlewares" in service.http_labels else ():
            kinds: dict[str, Entry] = {}
            for option, entry in options.items():
                kinds.setdefault(option.partition(".")[0], entry)
            kind = next(iter(kinds))
            if len(kinds) > 1 and kinds.keys() <= tl.MIDDLEWARES:
                message = f"{name!r} is of two kinds, {' and '.join(kinds)}: give each a name of its own."
                yield ctx.on(service, list(kinds.values())[-1].path, message, severity=Severity.ERROR)
                continue
            given = {o.split(".")[1].partition("[")[0] for o in options if "." in o}
            for either in NEEDS.get(kind, ()):
                if not given & set(either) and not service.partial:
                    message = f"The {kind} {name!r} needs {' or '.join(repr(o) for o in either)}."
                    severity = Severity.ERROR if kind in REFUSED else None
                    yield ctx.on(service, kinds[kind].path, message, severity=severity)
                    break


@rule(
    "HL226",
    Severity.ERROR,
    "Middlewares that go in a circle, or through nothing",
    why="A chain that comes back to itself, an empty name between two commas or an error page of a service that does "
    "not exist: Traefik drops every route that goes through it.",
    link=f"{DOCS}chain/",
    bad=f"{WEB}{CHAIN}a.chain.middlewares: b\n{CHAIN}b.chain.middlewares: a\n",
    good=f"{WEB}{CHAIN}a.chain.middlewares: b\n{CHAIN}b.compress: 'true'\n",
)
def circular_chain(ctx: LintContext) -> Iterable[Finding]:
    """Chains in a circle, empty names in a list of middlewares, an error page's service that nothing defines."""
    chains = {}
    for service in ctx.lab.routing:
        for name, option, entry in service.http_labels.get("middlewares", ()):
            if option == "chain.middlewares":
                chains[_full(name, service)] = (service, entry, [_full(n, service) for n in words(entry.value or "")])
            elif option == "errors.service":
                yield from _error_page(ctx, service, entry)
        for _, option, entry in service.http_labels.get("routers", ()):
            text = (entry.value or "").strip()
            if option == "middlewares" and text and not entry.open and "" in [w.strip() for w in text.split(",")]:
                yield ctx.on(service, entry.path, "Between two commas, or at an end, stands no name.")
    for name, (service, entry, _) in chains.items():
        if _comes_back(name, name, chains, set()):
            yield ctx.on(service, entry.path, f"The chain {name.partition('@')[0]!r} comes back to itself.")


def _full(name: str, service: ServiceView) -> str:
    own = "@file" if service.of_file else "@docker"
    return (name if "@" in name else name + own).lower()


def _comes_back(name: str, to: str, chains: dict[str, tuple[ServiceView, Entry, list[str]]], seen: set[str]) -> bool:
    for inner in chains[name][2] if name in chains else ():
        if inner == to:
            return True
        if inner not in seen:
            seen.add(inner)
            if _comes_back(inner, to, chains, seen):
                return True
    return False


def _error_page(ctx: LintContext, service: ServiceView, entry: Entry) -> Iterator[Finding]:
    name, _, provider = (entry.value or "").partition("@")
    in_files = ctx.lab.traefik_files.names("services")
    if name and provider == "file" and not entry.open and in_files is not None and name not in in_files:
        yield ctx.on(service, entry.path, f"No file of Traefik's defines the service {name!r}.")
    if not name or entry.open or provider not in {"", "docker"} or not ctx.lab.labels_seen:
        return
    if name.lower() not in _services(ctx.lab):
        yield ctx.on(service, entry.path, f"No label defines the Traefik service {name!r}.")


def _services(lab: Lab) -> set[str]:
    """Traefik services that labels define, and those that Traefik makes of the containers by itself."""
    named = {name.lower() for s in lab.services for name, _, _ in tl.http_labels(s, "services")}
    return named | {f"{s.name}-{s.stack.project}".lower() for s in lab.services}
