"""HL200, HL206 and HL207: Traefik's own files: what cannot be read, and names that are there twice or not at all."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.traefik_files import KINDS, FileService
from homelab_mcp.core.checks.traefik_label_problem import http_problem
from homelab_mcp.model.finding import Finding, Severity

INSTALL = "https://doc.traefik.io/traefik/reference/install-configuration/"
FILES = f"{INSTALL}providers/others/file/"
PROXY = "services:\n  traefik:\n    image: traefik:v3.6.1\n"
POINT = "      - --entrypoints.web.address=:80\n"


@rule(
    "HL200",
    Severity.ERROR,
    "A Traefik file that Traefik cannot read",
    why="With a static file that it cannot read Traefik does not start. Over one option that it does not know in one "
    "of the dynamic files it leaves out all of them, and says so only in its log.",
    link=FILES,
    bad=f"{PROXY}    configs: [{{source: main, target: /etc/traefik/traefik.yml}}]\n"
    "configs:\n  main:\n    content: 'entryPoints: ['\n",
    good=f"{PROXY}    configs: [{{source: main, target: /etc/traefik/traefik.yml}}]\n"
    "configs:\n  main:\n    content: 'entryPoints: {web: {address: \":80\"}}'\n",
)
def unreadable(ctx: LintContext) -> Iterable[Finding]:
    """No YAML or TOML, an option that is none, or an option that must not stand alone; templates are left alone."""
    files = ctx.lab.traefik_files
    for file in files.all:
        if file.refused:
            message, mark = file.refused
            named, holder = file.place(())
            inline = holder if named != file.file else mark
            yield Finding("HL200", Severity.ERROR, message, named, inline.line, inline.column)
    for service in files.services:
        yield from _unknown_parts(ctx, service)
        told: set[object] = set()
        for kind in KINDS[:3]:
            for _, option, entry in tl.http_labels(service, kind):
                message, depth = _problem(kind, option, entry.value or "")
                place = entry.path[:depth]
                if message and place not in told:
                    told.add(place)
                    sure = "Did you mean" in message or "alone" in message
                    severity = None if sure else Severity.WARNING
                    yield ctx.at(service.source, place, f"{place[2]}: {message}", key=True, severity=severity)


def _problem(kind: str, option: str, value: str) -> tuple[str, int]:
    """What is wrong with an option of a router, service or middleware, and how deep in the file it stands."""
    head, _, rest = option.partition(".")
    if not option or (kind == "routers" and option in {"parentrefs", "tls.options"}):
        return "", 0
    if kind == "middlewares" and not rest and head in tl.MIDDLEWARES and value == "true":
        alone = head in {"compress", "contenttype"}
        return "" if alone else f"{head!r} cannot stand alone: it needs options.", 4
    message = http_problem(kind, head, option)
    if " has no option " not in message or kind == "routers":
        return message, 4
    return message, 5 if message.startswith(repr(head)) else option.count(".") + option.count("[") + 4


def _unknown_parts(ctx: LintContext, service: FileService) -> Iterator[Finding]:
    """Sections of a dynamic file that are none: below http an error, at the top Traefik does not look at them."""
    data = service.source.data
    for key, body in data.items() if isinstance(data, dict) else ():
        name = str(key)
        if name.lower() not in _TOP and not name.startswith(("x-", ".")):
            near = difflib.get_close_matches(name.lower(), _TOP, n=1)
            tail = f" Did you mean {near[0]!r}?" if near else ""
            message = f"A dynamic file has no section {name!r}; Traefik does not look at it.{tail}"
            yield ctx.at(service.source, (name,), message, key=True, severity=Severity.WARNING)
        for part in body if name.lower() == "http" and isinstance(body, dict) else ():
            if str(part).lower() not in (*KINDS, "models"):
                near = difflib.get_close_matches(str(part).lower(), KINDS, n=1)
                tail = f" Did you mean {near[0]!r}?" if near else ""
                yield ctx.at(service.source, (name, str(part)), f"'http' has no section {part!r}.{tail}", key=True)
            elif body[part] == {}:
                yield ctx.at(service.source, (name, str(part)), f"{part!r} cannot be empty: take it out.", key=True)


_TOP = ("http", "tcp", "udp", "tls")


@rule(
    "HL206",
    Severity.WARNING,
    "One name in two of Traefik's files",
    why="All dynamic files share one space of names: Traefik takes the first it reads and passes over the other.",
    link=FILES,
    bad=f"{PROXY}    command:\n{POINT}      - --providers.file.directory=/d\n"
    "    configs: [{source: a, target: /d/a.yml}, {source: b, target: /d/b.yml}]\nconfigs:\n"
    "  a: {content: 'http: {routers: {web: {rule: \"Host(`a.example.org`)\", service: noop@internal}}}'}\n"
    "  b: {content: 'http: {routers: {web: {rule: \"Host(`b.example.org`)\", service: noop@internal}}}'}\n",
    good=f"{PROXY}    command:\n{POINT}      - --providers.file.directory=/d\n"
    "    configs: [{source: a, target: /d/a.yml}, {source: b, target: /d/b.yml}]\nconfigs:\n"
    "  a: {content: 'http: {routers: {web: {rule: \"Host(`a.example.org`)\", service: noop@internal}}}'}\n"
    "  b: {content: 'http: {routers: {more: {rule: \"Host(`b.example.org`)\", service: noop@internal}}}'}\n",
)
def defined_twice(ctx: LintContext) -> Iterable[Finding]:
    """A router, service or middleware that two dynamic files define."""
    for kind in KINDS[:3]:
        first: dict[str, FileService] = {}
        for service in ctx.lab.traefik_files.services:
            for name, path in service.defined(kind):
                other = first.setdefault(name, service)
                if other is not service:
                    message = f"The {kind[:-1]} {name!r} is also in {other.source.file}."
                    yield ctx.at(service.source, path, message, key=True)


@rule(
    "HL207",
    Severity.ERROR,
    "TLS options that no file defines",
    why="Traefik drops the router: options for TLS come from its dynamic files only.",
    link="https://doc.traefik.io/traefik/reference/routing-configuration/http/tls/tls-options/",
    bad=f"{PROXY}    command:\n{POINT}  web:\n    image: nginx:1.29\n    labels:\n"
    "      traefik.http.routers.web.tls.options: modern@file\n",
    good=f"{PROXY}    command:\n{POINT}      - --providers.file.directory=/d\n"
    "    configs: [{source: a, target: /d/a.yml}]\n  web:\n    image: nginx:1.29\n    labels:\n"
    "      traefik.http.routers.web.tls.options: modern@file\nconfigs:\n"
    "  a: {content: 'tls: {options: {modern: {minVersion: VersionTLS13}}}'}\n",
)
def unknown_tls_options(ctx: LintContext) -> Iterable[Finding]:
    """``tls.options`` of the file provider that no dynamic file has, where these are known."""
    known = ctx.lab.traefik_files.tls_options()
    for router in tl.all_routers(ctx.lab) if known is not None else ():
        entry = router.options.get("tls.options")
        name, _, provider = (entry.value or "").partition("@") if entry else ("", "", "")
        if entry and known is not None and provider == "file" and not entry.open and name not in {*known, "default"}:
            yield ctx.on(router.service, entry.path, f"No file of Traefik's defines the TLS options {name!r}.")
