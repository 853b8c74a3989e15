"""HL200 to HL207: Traefik's own files and options: what cannot be read, is not looked at, or leads nowhere."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_traefik import http_problem
from homelab_mcp.core.checks.traefik_files import KINDS, FileService
from homelab_mcp.core.checks.traefik_static import StaticConfig
from homelab_mcp.model.finding import Finding, Severity

INSTALL = "https://doc.traefik.io/traefik/reference/install-configuration/"
FILES = f"{INSTALL}providers/others/file/"
PROXY = "services:\n  traefik:\n    image: traefik:v3.6.1\n"
POINT = "      - --entrypoints.web.address=:80\n"
ACME = "      - --certificatesresolvers.le.acme.email=me@example.org\n"


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
    return message, 5 if " has no option " in message and kind != "routers" else 4


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
    "HL201",
    Severity.WARNING,
    "Options that Traefik does not look at",
    why="Traefik takes its static configuration from one place: a file, or else the command line, or else TRAEFIK_ "
    "variables. What stands in the others does nothing.",
    link=f"{INSTALL}boot-environment/",
    bad=f"{PROXY}    command:\n{POINT}    environment:\n      TRAEFIK_LOG_LEVEL: DEBUG\n",
    good=f"{PROXY}    command:\n{POINT}      - --log.level=DEBUG\n",
)
def ignored_options(ctx: LintContext) -> Iterable[Finding]:
    """Command-line options beside a static file, ``TRAEFIK_`` variables beside either."""
    static = tl.static_config(ctx.lab)
    if static is None or ctx.lab.traefik is None:
        return
    what = f"the file {static.file.file}" if static.file else "its command line"
    for path in static.ignored:
        yield ctx.on(ctx.lab.traefik, path, f"Traefik takes its options from {what} and does not look at this.")


@rule(
    "HL202",
    Severity.ERROR,
    "An option of Traefik's that leads nowhere",
    why="An entry point, certificate resolver or middleware that is named in Traefik's own options and does not exist: "
    "every route of the entry point fails, or no certificate comes.",
    link=f"{INSTALL}entrypoints/",
    bad=f"{PROXY}    command:\n{POINT}      - --entrypoints.web.http.tls.certresolver=le\n",
    good=f"{PROXY}    command:\n{POINT}      - --entrypoints.web.http.tls.certresolver=le\n{ACME}"
    "      - --certificatesresolvers.le.acme.tlschallenge=true\n",
)
def option_to_nowhere(ctx: LintContext) -> Iterable[Finding]:
    """Resolver, redirection target and middlewares of entry points, and the entry point of the HTTP challenge."""
    static = tl.static_config(ctx.lab)
    if static is None or not static.complete:
        return
    for option, value in static.options.items():
        if not value or "$" in value:
            continue
        message = ""
        if _ends(option, "entrypoints", "http.tls.certresolver") and value.lower() not in static.resolvers:
            message = f"Traefik has no certificate resolver {value!r}."
        to = _ends(option, "entrypoints", "http.redirections.entrypoint.to")
        challenge = _ends(option, "certificatesresolvers", "acme.httpchallenge.entrypoint")
        if (to or challenge) and not value.startswith(":") and value.lower() not in static.entry_points:
            listed = ", ".join(sorted(static.entry_points))
            message = f"Traefik has the entry points {listed}, not {value!r}."
        if _ends(option, "entrypoints", "http.middlewares"):
            missing = [m.strip() for m in value.split(",") if m.strip() and not _is_defined(ctx, m.strip())]
            message = f"Nothing defines the middleware {missing[0]!r}." if missing else ""
        if message:
            yield _told(ctx, static, option, message)


def _is_defined(ctx: LintContext, name: str) -> bool:
    bare, _, provider = name.partition("@")
    in_files = ctx.lab.traefik_files.names("middlewares")
    of_files = in_files is None or bare in in_files
    of_labels = bare.lower() in tl.defined_middlewares(ctx.lab)
    return {"docker": of_labels, "file": of_files, "": of_labels or of_files}.get(provider, True)


def _ends(option: str, section: str, rest: str) -> bool:
    """True for ``section.<name>.rest``."""
    return option.startswith(f"{section}.") and option.partition(".")[2].partition(".")[2] == rest


def _told(
    ctx: LintContext, static: StaticConfig, option: str, message: str, severity: Severity | None = None
) -> Finding:
    """A finding at the place of a static option."""
    traefik = ctx.lab.traefik
    path = static.where[option]
    if static.file is not None or traefik is None:
        return ctx.at(static.file or ctx.lab.stacks[0], path, message, severity=severity)
    return ctx.on(traefik, path or ("env_file",), message, severity=severity)


@rule(
    "HL203",
    Severity.WARNING,
    "A certificate resolver without a challenge",
    why="The authority wants a proof that the name is yours: without tlsChallenge, httpChallenge or dnsChallenge the "
    "resolver gets no certificate and browsers see Traefik's own, which nobody trusts.",
    link=f"{INSTALL}tls/certificate-resolvers/acme/",
    bad=f"{PROXY}    command:\n{POINT}{ACME}",
    good=f"{PROXY}    command:\n{POINT}{ACME}      - --certificatesresolvers.le.acme.tlschallenge=true\n",
)
def no_challenge(ctx: LintContext) -> Iterable[Finding]:
    """An ACME resolver with no challenge among its options."""
    static = tl.static_config(ctx.lab)
    for name in sorted(static.resolvers) if static and static.complete else ():
        own = [o for o in static.options if o.startswith(f"certificatesresolvers.{name}.acme")] if static else []
        if static and own and not any("challenge" in o for o in own):
            yield _told(ctx, static, own[0], f"The resolver {name!r} has no challenge.")


@rule(
    "HL204",
    Severity.ERROR,
    "An option that Traefik does not know",
    why="Over an option on the command line, or an entry point's in its file, that it does not know Traefik does not "
    "start. A section of the file that it does not know it passes over.",
    link=f"{INSTALL}configuration-options/",
    bad=f"{PROXY}    command:\n      - --entrypoint.web.address=:80\n",
    good=f"{PROXY}    command:\n{POINT}",
)
def unknown_option(ctx: LintContext) -> Iterable[Finding]:
    """The first word of an option, or an entry point's option, that is close to one and none."""
    static = tl.static_config(ctx.lab)
    told: set[str] = set()
    for option in static.options if static else ():
        words = option.partition("[")[0].split(".")
        deep = words[0] == "entrypoints" and len(words) > 2
        word, known = (words[2], _POINT) if deep else (words[0].removeprefix("traefik."), _STATIC)
        if not static or word in known or word in told or static.source == "environment":
            continue
        told.add(word)
        near = difflib.get_close_matches(word, known, n=1)
        passed_over = static.source == "file" and not deep
        if near:
            message = f"Traefik has no option {word!r}. Did you mean {near[0]!r}?"
            yield _told(ctx, static, option, message, Severity.WARNING if passed_over else None)


_STATIC = (
    *("global", "serverstransport", "tcpserverstransport", "entrypoints", "providers", "api", "metrics", "ping", "log"),
    *("accesslog", "tracing", "hostresolver", "certificatesresolvers", "experimental", "core", "spiffe", "ocsp"),
    *("pilot", "traefik", "configfile"),
)
_POINT = (
    *("address", "allowacmebypass", "reuseport", "asdefault", "transport", "proxyprotocol", "forwardedheaders"),
    *("http", "http2", "http3", "udp", "observability", "enablehttp3"),
)


@rule(
    "HL205",
    Severity.WARNING,
    "Files that Traefik is told to read and that are not in its container",
    why="The file provider looks inside the container: where nothing is mounted there are no files, and every name "
    "with '@file' is unknown.",
    link=FILES,
    bad=f"{PROXY}    command:\n{POINT}      - --providers.file.directory=/dynamic\n",
    good=f"{PROXY}    command:\n{POINT}      - --providers.file.directory=/dynamic\n"
    "    volumes: ['./dynamic:/dynamic:ro']\n",
)
def no_files(ctx: LintContext) -> Iterable[Finding]:
    """``providers.file.directory`` or ``filename`` at a place of the image that no mount covers."""
    static = tl.static_config(ctx.lab)
    missing = ctx.lab.traefik_files.missing
    if static and missing:
        option = "directory" if "providers.file.directory" in static.options else "filename"
        yield _told(ctx, static, f"providers.file.{option}", f"Nothing is mounted at {missing} in Traefik's container.")


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
