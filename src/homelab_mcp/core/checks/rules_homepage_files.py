"""HL331 and HL336: Homepage's own files: what it cannot read, names that nobody has, and secrets."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.alike import near_host
from homelab_mcp.core.checks.config_files import ConfigFile
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.homepage_words import LABELS, WIDGETS
from homelab_mcp.core.checks.hosts import OWN
from homelab_mcp.core.checks.rules_own_address import given_hosts
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.yaml12 import Document, Path, YamlRefused, load_nodes
from homelab_mcp.model.finding import Finding, Severity

IMAGE = (
    "services:\n  homepage:\n    image: ghcr.io/gethomepage/homepage:v1.2.0\n"
    "    configs: [{source: s, target: /app/config/services.yaml}]\n"
)
CONFIG = "configs:\n  s:\n    content: |\n"
HEAD = IMAGE + CONFIG
ENTRY = "      - Media:\n          - Films: {href: 'https://films.example.org', widget: {type: "
_VARIABLE = re.compile(r"\{\{\s*(HOMEPAGE_(?:VAR|FILE)_\w+)\s*\}\}")
_BARE = re.compile(
    r"((?:[:,-][ \t]|[\[{]|(?<=\n)|\A)[ \t]*)\{\{(HOMEPAGE_(?:VAR|FILE)_\w+)\}\}"
    r"(?=[ \t]*(?:[,\]}\r\n]|[ \t]#|:[ \t\r\n]|:?$))"
)
"""A variable without quotes that is a whole value, or a whole key."""


@rule(
    "HL331",
    Severity.WARNING,
    "A file of Homepage's that shows less than it says",
    why="Over a file of another form Homepage shows an error in place of the page. A widget, server, container or "
    "variable that it does not find stays empty, and a link to a host without a route ends at 404 page not found.",
    link="https://gethomepage.dev/configs/services/",
    bad=f"{HEAD}{ENTRY}jellyfinn}}}}\n",
    good=f"{HEAD}{ENTRY}jellyfin}}}}\n",
)
def homepage_files(ctx: LintContext) -> Iterable[Finding]:
    """``services.yaml`` and ``docker.yaml`` of a Homepage of the lab, as far as they can be read."""
    files: dict[ServiceView, dict[str, tuple[ConfigFile, Document]]] = {}
    for service, file in ctx.lab.config_files:
        if service.image_name == "homepage":
            name = _name(service, file)
            try:
                files.setdefault(service, {})[name] = (file, load_nodes(_filled(file.text)))
            except YamlRefused as error:
                finding = ctx.on(service, (), error.message, severity=Severity.ERROR)
                place, mark = file.place(error.mark.line, error.mark.column)
                yield replace(finding, file=place, line=mark.line, column=mark.column)
    for service, named in files.items():
        for file, document in named.values():
            yield from _variables(ctx, service, file, document)
        docker = named.get("docker.yaml")
        if docker:
            yield from _docker(ctx, service, *docker)
        if "services.yaml" in named:
            yield from _services(ctx, service, *named["services.yaml"], docker[1] if docker else None)


def _filled(text: str) -> str:
    """The text with plain words of the same length for whole values that Homepage fills in before it reads YAML."""
    return _BARE.sub(r"\1__\2__", text) if "{{" in text else text


def _is_open(value: str) -> bool:
    return "{{" in value or value.startswith(("__HOMEPAGE_VAR_", "__HOMEPAGE_FILE_"))


def _name(service: ServiceView, file: ConfigFile) -> str:
    """Which of its files it is: by its name on disk, or by the place that a config has in the container."""
    name = file.source.file.rpartition("/")[2]
    part = service.data.get("configs")
    for item in part if isinstance(part, list) else ():
        if isinstance(item, dict) and item.get("source") == name:
            name = str(item.get("target") or "")
    return name.rpartition("/")[2]


def _at(
    ctx: LintContext,
    service: ServiceView,
    file: ConfigFile,
    document: Document,
    path: Path,
    message: str,
    severity: Severity | None = None,
    *,
    key: bool = False,
) -> Finding:
    mark = document.key_mark(path) if key else document.mark(path)
    place, mark = file.place(mark.line, mark.column)
    finding = ctx.on(service, (), message, severity=severity)
    return replace(finding, file=place, line=mark.line, column=mark.column)


def _variables(ctx: LintContext, service: ServiceView, file: ConfigFile, document: Document) -> Iterator[Finding]:
    """``{{HOMEPAGE_VAR_X}}`` that the container is not given."""
    if service.data.get("env_file") or service.partial:
        return
    told: set[str] = set()
    for number, line in enumerate(file.text.splitlines(), start=1):
        for match in _VARIABLE.finditer(line):
            if match[1] not in service.environment and match[1] not in told and not line.lstrip().startswith("#"):
                told.add(match[1])
                place, mark = file.place(number, match.start() + 1)
                finding = ctx.on(service, (), f"Its container is given no variable {match[1]}.")
                yield replace(finding, file=place, line=mark.line, column=mark.column)


def _docker(ctx: LintContext, service: ServiceView, file: ConfigFile, document: Document) -> Iterator[Finding]:
    """Sockets that are not mounted, hosts that no container has."""
    unsure = service.partial or any(m.open for m in service.mounts)
    for name, body in document.data.items() if isinstance(document.data, dict) else ():
        socket, host = (body.get(k) if isinstance(body, dict) else None for k in ("socket", "host"))
        if isinstance(socket, str) and not unsure and not _is_open(socket):
            above = [m for m in service.mounts if f"{socket}/".startswith(f"{m.target.rstrip('/')}/")]
            if not above:
                message = f"{socket} is not mounted into the container: it sees no other container."
                yield _at(ctx, service, file, document, (name, "socket"), message)
        if isinstance(host, str) and "://" in host and not host.startswith("http"):
            message = f"Here stands the host alone, without {host.partition('://')[0]}://."
            yield _at(ctx, service, file, document, (name, "host"), message)
        if isinstance(host, str) and re.fullmatch(r"[A-Za-z][\w-]*", host) and not _known(ctx, service, host):
            near = near_host(ctx.lab, host, 0.6)
            tail = f" Did you mean {near!r}?" if near else ""
            yield _at(ctx, service, file, document, (name, "host"), f"No container is called {host!r}.{tail}")


def _known(ctx: LintContext, service: ServiceView, host: str) -> bool:
    return host in ctx.lab.hosts or host in given_hosts(service) or not ctx.lab.whole


def _services(
    ctx: LintContext, service: ServiceView, file: ConfigFile, document: Document, docker: Document | None
) -> Iterator[Finding]:
    if isinstance(document.data, dict):
        message = "It is a list of groups: each begins with a dash."
        yield _at(ctx, service, file, document, (), message, Severity.ERROR)
        return
    servers = docker.data if docker and isinstance(docker.data, dict) else None
    for path, entry in _entries(document.data, ()):
        server, href = entry.get("server"), entry.get("href")
        if isinstance(server, str) and servers is not None and server not in servers and not _is_open(server):
            near = difflib.get_close_matches(server, map(str, servers), n=1)
            tail = f" Did you mean {near[0]!r}?" if near else ""
            yield _at(ctx, service, file, document, (*path, "server"), f"docker.yaml has no {server!r}.{tail}")
        if server is None or (servers is not None and _is_here(ctx, servers.get(str(server)))):
            yield from _container(ctx, service, file, document, path, entry)
        if isinstance(href, str) and (message := _dead(ctx, href)):
            yield _at(ctx, service, file, document, (*path, "href"), message, _how_bad(ctx, message))
        for n, widget in _widgets(entry):
            kind = widget.get("type")
            if kind is None:
                place: Path = (*path, "widget") if n < 0 else (*path, "widgets", n)
                near = difflib.get_close_matches("type", map(str, widget), n=1)
                message = f"Homepage does not read {near[0]!r}. Did you mean 'type'?" if near else "It has no 'type'."
                yield _at(ctx, service, file, document, (*place, *near), message, key=True)
            where = (*path, "widget", "type") if n < 0 else (*path, "widgets", n, "type")
            if not isinstance(kind, str) or kind.lower() in WIDGETS or _is_open(kind):
                continue
            near = difflib.get_close_matches(kind.lower(), WIDGETS, n=1, cutoff=0.75)
            if near:
                yield _at(
                    ctx, service, file, document, where, f"There is no widget {kind!r}. Did you mean {near[0]!r}?"
                )
        for key in entry:
            near = [] if str(key) in LABELS else difflib.get_close_matches(str(key), LABELS, n=1, cutoff=0.8)
            if near and near[0] not in entry:
                message = f"Homepage does not read {key!r}. Did you mean {near[0]!r}?"
                yield _at(ctx, service, file, document, (*path, str(key)), message, key=True)


def _is_here(ctx: LintContext, body: Any) -> bool:
    """False for an entry of docker.yaml that leads to a Docker whose containers no file of the lab tells."""
    host = body.get("host") if isinstance(body, dict) else None
    return host is None or str(host) in ctx.lab.hosts


def _entries(data: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """(path, settings) of every service, groups in groups too: a group is a list, a service a mapping."""
    for n, item in enumerate(data if isinstance(data, list) else ()):
        for name, body in item.items() if isinstance(item, dict) else ():
            if isinstance(body, list):
                yield from _entries(body, (*path, n, name))
            elif isinstance(body, dict):
                yield (*path, n, name), body


def _widgets(entry: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    if isinstance(entry.get("widget"), dict):
        yield -1, entry["widget"]
    several = entry.get("widgets")
    yield from ((n, w) for n, w in enumerate(several if isinstance(several, list) else ()) if isinstance(w, dict))


def _container(
    ctx: LintContext, service: ServiceView, file: ConfigFile, document: Document, path: Path, entry: dict[str, Any]
) -> Iterator[Finding]:
    """A container that is nearly one of the lab's."""
    name = entry.get("container")
    if not isinstance(name, str) or _is_open(name) or name in (names := _containers(ctx)) or not ctx.lab.whole:
        return
    by_service = [s for s in ctx.services() if s.name == name and s.data.get("container_name")]
    near = [str(s.data["container_name"]) for s in by_service] or difflib.get_close_matches(
        name, names, n=1, cutoff=0.75
    )
    if near:
        message = f"No container is called {name!r}. Did you mean {near[0]!r}?"
        yield _at(ctx, service, file, document, (*path, "container"), message)


def _containers(ctx: LintContext) -> set[str]:
    """The names of all containers of the lab; worked out once."""
    known: set[str] | None = ctx.lab.memo.get("containers")
    if known is None:
        known = {str(s.data.get("container_name") or f"{s.stack.project}-{s.name}-1") for s in ctx.services()}
        ctx.lab.memo["containers"] = known
    return known


def _routed(ctx: LintContext) -> tuple[set[str], set[str]] | None:
    """(hosts, the domains above them) of the lab's routers, None where a rule cannot be read; worked out once."""
    if "routed" not in ctx.lab.memo:
        rules = [(r, r.options.get("rule")) for r in tl.all_routers(ctx.lab)]
        hosts = {h for r, _ in rules for h in r.hosts}
        zones = {h.partition(".")[2] for h in hosts if h.count(".") > 1}
        sure = all(rule and not rule.open and "HostRegexp" not in r.value("rule") for r, rule in rules)
        ctx.lab.memo["routed"] = (hosts, zones) if sure else None
    routed: tuple[set[str], set[str]] | None = ctx.lab.memo["routed"]
    return routed


def _dead(ctx: LintContext, href: str) -> str:
    """What is wrong with a link below the domain of the lab's routers; "" where nothing is, or nobody can say."""
    try:
        host = (urlsplit(href).hostname or "").lower()
    except ValueError:
        return ""
    if re.fullmatch(r"[a-z0-9][\w-]*(?:\.[\w-]+)+(?:[:/].*)?", href):
        return f"{href[:60]!r} has no scheme: the browser takes it for a page of Homepage's own."
    if host in OWN:
        return f"{host} is the machine of whoever looks at the page."
    routed = _routed(ctx)
    if routed is None or _is_open(href) or host in routed[0] or host.partition(".")[2] not in routed[1]:
        return ""
    return f"No router answers to {host}."


def _how_bad(ctx: LintContext, message: str) -> Severity:
    """Only told where another Traefik may have the route."""
    if not message.startswith("No router"):
        return Severity.WARNING
    whole = ctx.lab.traefik is not None and ctx.lab.traefik_files.complete and not ctx.lab.facts.hosts
    return Severity.WARNING if whole and ctx.lab.whole else Severity.INFO


@rule(
    "HL336",
    Severity.WARNING,
    "A secret in a file of Homepage's",
    why="The file is shown, copied and kept in git with the rest of the lab. Homepage puts a variable of its container "
    "in place of {{HOMEPAGE_VAR_NAME}}.",
    link="https://gethomepage.dev/installation/docker/#using-environment-secrets",
    bad=f"{HEAD}{ENTRY}sonarr, key: 8f6e2a9b7c4d4f0ea1b2c3d4e5f60718}}}}\n",
    good=f"{IMAGE}    environment: {{HOMEPAGE_VAR_KEY: '${{KEY:-x}}'}}\n{CONFIG}"
    f"{ENTRY}sonarr, key: '{{{{HOMEPAGE_VAR_KEY}}}}'}}}}\n",
)
def secret_in_file(ctx: LintContext) -> Iterable[Finding]:
    """Keys, tokens and passwords of widgets in ``services.yaml`` and ``widgets.yaml`` that are written out."""
    for service, file in ctx.lab.config_files:
        if service.image_name != "homepage":
            continue
        for number, line in enumerate(file.text.splitlines(), start=1):
            for match in _SECRET.finditer(line):
                if line.lstrip().startswith("#") or _NOT_ONE.search(match[2]):
                    continue
                place, mark = file.place(number, match.start(2) + 1)
                finding = ctx.on(service, (), f"{match[1]!r} is written out; use a variable HOMEPAGE_VAR_...")
                yield replace(finding, file=place, line=mark.line, column=mark.column)


_SECRET = re.compile(r"""(?<![\w])(key|password|token|apiToken|api_key|secret)\s*:\s*["']?([^\s"'#,}]{6,})""")
_NOT_ONE = re.compile(r"[{}$<]|^(?:x+|\*+|your|change|null)", re.IGNORECASE)
"""A variable, or a manual's example."""
