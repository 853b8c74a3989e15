"""HL278: what Traefik's dynamic files send requests to: transports that are not defined, hosts that nobody has."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.alike import near_host
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.hosts import host_in
from homelab_mcp.core.checks.traefik_files import FileService
from homelab_mcp.model.finding import Finding, Severity

HEAD = (
    "services:\n  web:\n    image: nginx:1.29\n  traefik:\n    image: traefik:v3.6.1\n    command:\n"
    "      - --entrypoints.web.address=:80\n      - --providers.file.directory=/d\n"
    "    configs: [{source: a, target: /d/a.yml}]\nconfigs:\n  a:\n    content: |\n"
    "      http: {services: {web: {loadBalancer: {servers: [{url: 'http://"
)


@rule(
    "HL278",
    Severity.ERROR,
    "A file of Traefik's that sends requests nowhere",
    why="Over a transport that is not defined Traefik drops the service; at a host that no container has it gets no "
    "answer: 502 Bad Gateway.",
    link="https://doc.traefik.io/traefik/reference/routing-configuration/http/load-balancing/service/",
    bad=f"{HEAD}wbe:80'}}]}}}}}}}}\n",
    good=f"{HEAD}web:80'}}]}}}}}}}}\n",
)
def sent_nowhere(ctx: LintContext) -> Iterable[Finding]:
    """``serversTransport`` and the hosts of ``servers`` in dynamic files; hosts only where one is nearly it."""
    known = ctx.lab.traefik_files.names("serverstransports")
    for service in ctx.lab.traefik_files.services:
        for _, option, entry in tl.http_labels(service, "services"):
            value = (entry.value or "").strip()
            bare, _, provider = value.partition("@")
            if option == "loadbalancer.serverstransport" and known is not None and provider == "file":
                if bare not in {*known, "default"}:
                    yield ctx.at(service.source, entry.path, _undefined(bare, sorted(known)))
            elif option.startswith("loadbalancer.servers") and "://" in value:
                yield from _host(ctx, service, entry.path, value)
    if known is None or ctx.lab.traefik is None:
        return
    for labelled in ctx.services():
        for _, option, entry in tl.http_labels(labelled, "services"):
            bare, _, provider = (entry.value or "").partition("@")
            wanted = option == "loadbalancer.serverstransport" and provider == "file" and not entry.open
            if wanted and bare not in {*known, "default"}:
                yield ctx.on(labelled, entry.path, _undefined(bare, sorted(known)))


def _undefined(name: str, known: list[str]) -> str:
    near = known if len(known) == 1 else difflib.get_close_matches(name, known, n=1)
    tail = f" Did you mean {near[0]!r}?" if near else ""
    return f"No file of Traefik's defines the serversTransport {name!r}.{tail}"


def _host(ctx: LintContext, service: FileService, path: tuple[str | int, ...], url: str) -> Iterator[Finding]:
    host, _ = host_in(url)
    names = ctx.lab.hosts
    if not host or "." in host or host in names or host == "localhost" or not ctx.lab.whole:
        return
    near = near_host(ctx.lab, host, 0.66)
    if near:
        yield ctx.at(service.source, path, f"No container is called {host!r}. Did you mean {near!r}?")
