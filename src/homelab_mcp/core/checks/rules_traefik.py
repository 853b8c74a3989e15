"""HL060, HL061 and HL064 to HL067: Traefik labels that do not do what they should."""

from __future__ import annotations

import re
from collections.abc import Iterable

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.alike import Words
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.listening import checked_ports, main_port, only_told, port_variables
from homelab_mcp.core.checks.listening import label_problem as port_problem
from homelab_mcp.core.checks.traefik_label_problem import drops_the_container, label_problem
from homelab_mcp.core.checks.traefik_made_up import made_up_services
from homelab_mcp.core.checks.traefik_regex import braces_problem, regex_problem
from homelab_mcp.core.checks.traefik_rule import RuleInvalid, old_syntax_problem, value_problem, version_problem
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.model.finding import Finding, Severity

DOCS = "https://doc.traefik.io/traefik/reference/routing-configuration/other-providers/docker/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"
LABELS = f"{HEAD}    labels:\n      traefik.enable: 'true'\n"
RULE = "      traefik.http.routers.web.rule: Host(`web.example.org`)\n"
PORT = "      traefik.http.services.web.loadbalancer.server.port: "


PORT_LIKE = re.compile("[0-9]{1,9}")
"""A number that may be meant as a port, right or not."""


def container_ports(service: ServiceView) -> set[int]:
    """The container's own ports that the file names."""
    inside = {
        p for _, x in service.published for p in range(x.container[0], min(x.container[1], x.container[0] + 500) + 1)
    }
    exposed = service.data.get("expose")
    for item in exposed if isinstance(exposed, list) else ():
        number = str(item).partition("/")[0]
        if PORT_LIKE.fullmatch(number):
            inside.add(int(number))
    return inside


@rule(
    "HL060",
    Severity.ERROR,
    "The host's port where the container's belongs",
    why="Inside Docker's network, where Traefik asks, only the container's own port listens: 502 Bad Gateway.",
    link=DOCS,
    bad=f"{HEAD}    ports: ['8089:80']\n    labels:\n{RULE}{PORT}'8089'\n",
    good=f"{HEAD}    ports: ['8089:80']\n    labels:\n{RULE}{PORT}'80'\n",
    needs="ports",
)
def host_port_label(ctx: LintContext) -> Iterable[Finding]:
    """``loadbalancer.server.port`` is a published host port and no port of the container."""
    for service in ctx.services():
        if service.network_mode == "host" or not service.published:
            continue
        inside = container_ports(service)
        for _, entry in tl.port_labels(service):
            value = entry.value or ""
            if entry.open or not PORT_LIKE.fullmatch(value) or int(value) in inside:
                continue
            for _, published in service.published:
                if (
                    published.protocol == "tcp"
                    and published.host
                    and published.host[0] <= int(value) <= published.host[1]
                ):
                    target = published.container[0] + (int(value) - published.host[0] if not published.picks else 0)
                    yield ctx.on(
                        service, entry.path, f"{value} is the port on the host; the container listens on {target}."
                    )
                    break


@rule(
    "HL061",
    Severity.WARNING,
    "A port the container is not known to have",
    why="Traefik gets no answer from a port nothing listens on. What the file publishes, the container's variables or "
    "its well-known image tell of others.",
    link=DOCS,
    bad=f"{HEAD}    ports: ['8080:80']\n    labels:\n{RULE}{PORT}'81'\n",
    good=f"{HEAD}    ports: ['8080:80']\n    labels:\n{RULE}{PORT}'80'\n",
)
def unknown_port_label(ctx: LintContext) -> Iterable[Finding]:
    """``loadbalancer.server.port`` is not among the ports that ``ports``, variables or the image tell."""
    lenders = {(id(other.stack), other.network_mode) for other in ctx.having("network_mode")}
    for service in ctx.services():
        if not service.http_labels or (lenders and not lenders.isdisjoint(_as_lender(service))):
            continue
        inside = container_ports(service)
        variables = {e.value for e in port_variables(service)}
        hosts = {
            p for _, x in service.published if x.host for p in range(x.host[0], min(x.host[1], x.host[0] + 500) + 1)
        }
        for _, entry in tl.port_labels(service):
            value = entry.value or ""
            if entry.open or not PORT_LIKE.fullmatch(value) or value in variables or int(value) in hosts - inside:
                continue
            if int(value) == main_port(service) and not variables:
                continue
            if inside - _NO_WEB and int(value) not in inside:
                message = f"The container's ports named here are {_numbers(inside)}, not {value}."
            else:
                message = port_problem(service, int(value), inside - _NO_WEB)
            if not message and _asked_inside(service, int(value)):
                asked = _numbers(checked_ports(service))
                message = f"The health check asks the port {asked}, which the image has; {value} is another."
                yield ctx.on(service, entry.path, message, severity=Severity.ERROR)
            elif message:
                sure = only_told(service) and "unless told otherwise" in message
                yield ctx.on(service, entry.path, message, severity=Severity.ERROR if sure else None)


def _asked_inside(service: ServiceView, port: int) -> bool:
    """True when the health check asks a port that is the image's own page, and the label one that is not."""
    checked = checked_ports(service)
    return bool(checked) and port not in checked and main_port(service) in checked


_NO_WEB = frozenset(
    {21, 22, 25, 53, 110, 123, 139, 143, 389, 445, 465, 514, 587, 636, 853, 993, 995, 1883, 1900, 2222, 3306, 3478}
    | {4190, 5353, 5432, 6379, 6881, 8883, 21027, 22000, 25565, 27017, 51413, 51820}
    | {554, 1935, 2022, 5060, 7882, 8554, 8555, 9982, 9987, 19132, 50300, 58846, 64738}
)
"""Ports of other protocols: that they alone are published says nothing of the one that Traefik asks."""


def _as_lender(owner: ServiceView) -> set[tuple[int, str]]:
    """How a client names the network that it borrows: its ports count as the owner's, without being named there."""
    stack = id(owner.stack)
    return {(stack, f"service:{owner.name}"), (stack, f"container:{owner.data.get('container_name')}")}


def _numbers(ports: set[int]) -> str:
    return ", ".join(str(p) for p in sorted(ports)[:6])


@rule(
    "HL064",
    Severity.ERROR,
    "Not a Traefik rule",
    why="Traefik drops the router and says so only in its log: 404 page not found.",
    link="https://doc.traefik.io/traefik/reference/routing-configuration/http/router/rules-and-priority/",
    bad=f"{LABELS}      traefik.http.routers.web.rule: Host('web.example.org')\n",
    good=f"{LABELS}{RULE}",
)
def bad_rule(ctx: LintContext) -> Iterable[Finding]:
    """A rule that Traefik cannot read, or that no request can match."""
    version = tl.version(ctx.lab)
    static = tl.static_config(ctx.lab)
    usual = static.options.get("core.defaultrulesyntax", "").lower() if static else ""
    for router in tl.all_routers(ctx.lab):
        entry = router.options.get("rule")
        if entry is None or entry.value is None or (entry.open and not router.known_rule):
            continue
        try:
            matchers = router.matchers()
        except RuleInvalid as error:
            yield ctx.on(router.service, entry.path, str(error))
            continue
        problem = "" if entry.open else value_problem(matchers)
        syntax = router.value("rulesyntax").lower() or usual
        if syntax == "v2":
            problem = problem or old_syntax_problem(matchers)
        elif syntax == "v3" or (version == 3 and not syntax):
            problem = problem or version_problem(matchers)
        severity = None
        if not problem and syntax != "v2" and version not in {1, 2}:
            # A backslash in double quotes is Go's, not the expression's.
            problem = "" if '"' in router.known_rule else regex_problem(matchers)
            if not problem and (problem := braces_problem(matchers)):
                severity = None if version == 3 or syntax == "v3" else Severity.WARNING
        if problem:
            yield ctx.on(router.service, entry.path, problem, severity=severity)


@rule(
    "HL065",
    Severity.WARNING,
    "A label that Traefik does not know",
    why="Traefik 3 drops all labels of a container over one below http, tcp, udp or docker that it cannot place, and "
    "says so only in its log. Others it passes over.",
    link=DOCS,
    bad=f"{LABELS}      traefik.http.router.web.rule: Host(`web.example.org`)\n",
    good=f"{LABELS}{RULE}",
)
def unknown_label(ctx: LintContext) -> Iterable[Finding]:
    """A ``traefik.`` label outside Traefik's reference."""
    known: dict[tuple[str, str, str], str] = {}
    for service in ctx.having("labels"):
        for lower, entry in service.traefik_labels:
            key = entry.key
            if "$" not in key:
                parts = lower.split(".", 4)
                # Where there is an option, the name before it makes no difference.
                what = (parts[1], parts[2], parts[4]) if len(parts) > 4 else (lower, "", "")
                problem = known.get(what)
                if problem is None:
                    problem = known[what] = label_problem(lower)
                if problem:
                    severity = Severity.ERROR if drops_the_container(key.lower()) else None
                    yield ctx.on(service, entry.path, f"{key}: {problem}", key=True, severity=severity)


@rule(
    "HL066",
    Severity.ERROR,
    "A router to a service that is not there",
    why="Traefik drops the router: 404 page not found.",
    link=DOCS,
    bad=f"{LABELS}{RULE}      traefik.http.routers.web.service: wbe\n{PORT}'80'\n",
    good=f"{LABELS}{RULE}      traefik.http.routers.web.service: web\n{PORT}'80'\n",
)
def unknown_service(ctx: LintContext) -> Iterable[Finding]:
    """``routers.x.service`` names no Traefik service of the lab's labels, or of its files where these are known."""
    in_files = ctx.lab.traefik_files.names("services")
    known = {name.lower() for s in ctx.lab.services for name, _, _ in tl.http_labels(s, "services")}
    words, words_of_files = Words(known), Words(in_files or ())
    for router in tl.all_routers(ctx.lab):
        entry = router.options.get("service")
        name, _, provider = (entry.value or "").partition("@") if entry else ("", "", "")
        if entry and name and not entry.open and provider in {"", "docker"} and name.lower() not in known:
            near = words.near(name.lower())
            if not ctx.lab.labels_seen:
                beside = {n.lower() for n, _, _ in tl.http_labels(router.service, "services")}
                if near not in beside:
                    continue  # What nobody sees may define it.
            tail = f" Did you mean {near!r}?" if near else ""
            if name.lower() not in made_up_services(ctx.lab):
                message = f"No label defines the Traefik service {name!r}.{tail}"
                severity = None if ctx.lab.labels_seen else Severity.WARNING
                yield ctx.on(router.service, entry.path, message, severity=severity)
        if entry and provider == "file" and not entry.open and in_files is not None and name not in in_files:
            near = words_of_files.near(name)
            tail = f" Did you mean {near!r}?" if near else ""
            yield ctx.on(router.service, entry.path, f"No file of Traefik's defines the service {name!r}.{tail}")


@rule(
    "HL067",
    Severity.ERROR,
    "Several Traefik services and no choice",
    why="A container with two Traefik services needs routers.<name>.service on each router; Traefik drops the others.",
    link=DOCS,
    bad=f"{LABELS}{RULE}{PORT}'80'\n      traefik.http.services.api.loadbalancer.server.port: '81'\n",
    good=f"{LABELS}{RULE}      traefik.http.routers.web.service: web\n{PORT}'80'\n"
    "      traefik.http.services.api.loadbalancer.server.port: '81'\n",
)
def ambiguous_service(ctx: LintContext) -> Iterable[Finding]:
    """A router without ``service`` on a container with several Traefik services."""
    for service in ctx.services():
        names = {name.lower() for name, _, _ in tl.http_labels(service, "services")}
        if len(names) > 1:
            for router in tl.routers(service):
                if "service" not in router.options and "rule" in router.options:
                    listed = ", ".join(sorted(names))
                    yield ctx.on(
                        service, router.anchor.path, f"Say which of {listed} the router {router.name!r} leads to."
                    )
