"""HL201 to HL205 and HL218: Traefik's own options: what is not looked at, not known, or leads nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterable

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks import traefik_paths
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.traefik_known import DYNAMIC, unknown_in
from homelab_mcp.core.checks.traefik_static import StaticConfig
from homelab_mcp.model.finding import Finding, Severity

INSTALL = "https://doc.traefik.io/traefik/reference/install-configuration/"
FILES = f"{INSTALL}providers/others/file/"
PROXY = "services:\n  traefik:\n    image: traefik:v3.6.1\n"
POINT = "      - --entrypoints.web.address=:80\n"
ACME = "      - --certificatesresolvers.le.acme.email=me@example.org\n"


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
            yield told(ctx, static, option, message)


def _is_defined(ctx: LintContext, name: str) -> bool:
    bare, _, provider = name.partition("@")
    in_files = ctx.lab.traefik_files.names("middlewares")
    of_files = in_files is None or bare in in_files
    of_labels = not ctx.lab.labels_seen or bare.lower() in tl.defined_middlewares(ctx.lab)
    return {"docker": of_labels, "file": of_files, "": of_labels or of_files}.get(provider, True)


def _ends(option: str, section: str, rest: str) -> bool:
    """True for ``section.<name>.rest``."""
    return option.startswith(f"{section}.") and option.partition(".")[2].partition(".")[2] == rest


def told(
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
    Severity.ERROR,
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
            yield told(ctx, static, own[0], f"The resolver {name!r} has no challenge.")


@rule(
    "HL204",
    Severity.ERROR,
    "An option that Traefik does not know",
    why="Over an option on its command line, or inside a section of its file, that it does not know Traefik does not "
    "start. A whole section of the file that it does not know, http or tls for one, it passes over.",
    link=f"{INSTALL}configuration-options/",
    bad=f"{PROXY}    command:\n      - --entrypoint.web.address=:80\n",
    good=f"{PROXY}    command:\n{POINT}",
)
def unknown_option(ctx: LintContext) -> Iterable[Finding]:
    """An option, or a section of the file, that Traefik's own list of options has not."""
    static = tl.static_config(ctx.lab)
    if static is None or static.source == "environment":
        return
    named: set[str] = set()
    for option in static.options:
        words = re.sub(r"\[[0-9]+\]", "", option.removeprefix("traefik.")).split(".")
        unknown = unknown_in(words)
        if unknown is None or (unknown.depth and tl.version(ctx.lab) == 2 and not unknown.near):
            continue
        name = ".".join(words[: unknown.depth + 1])
        passed_over = static.source == "file" and not unknown.depth
        own = passed_over and (name.startswith("x-") or (name in DYNAMIC and _is_dynamic_too(ctx, static)))
        if name in named or own:
            continue
        named.add(name)
        where = f" in {unknown.section!r}" if unknown.section else ""
        message = f"Traefik has no option {words[unknown.depth]!r}{where}."
        if passed_over and name in DYNAMIC:
            message = f"Traefik does not look at {name!r} in its static file: it belongs into one of its dynamic files."
        elif unknown.near:
            message = f"{message} Did you mean {unknown.near!r}?"
        elif name in DYNAMIC:
            message = f"{message} Routers, services and middlewares stand in labels and dynamic files."
        listed = ctx.lab.traefik is not None and _LISTED.search(ctx.lab.traefik.image)
        unsure = passed_over or not (unknown.near or name in DYNAMIC or listed)
        lost = passed_over and name in _ROUTES and any(".routers." in o for o in static.options if o.startswith(name))
        # A section that everything hangs on, under a misspelt name and not there under its own.
        near = unknown.near if passed_over and unknown.near in _NEEDED else ""
        lost = lost or bool(near and not any(o.startswith(near) for o in static.options))
        severity = Severity.WARNING if unsure and not lost else None
        path = static.where[option]
        if static.file is not None and len(path) > unknown.depth:
            yield ctx.at(static.file, path[: unknown.depth + 1], message, key=True, severity=severity)
        else:
            yield told(ctx, static, option, message, severity)


_ROUTES = frozenset({"http", "tcp", "udp"})
"""Sections with routes: those in the static file never exist, so nothing answers at their addresses."""
_NEEDED = frozenset({"certificatesresolvers", "entrypoints", "providers"})
_LISTED = re.compile(r":v?3\.[0-7](?![0-9])")
"""Tags of the releases whose options are all in the list; a later one may have more."""


def _is_dynamic_too(ctx: LintContext, static: StaticConfig) -> bool:
    """True when the static file may be one of the dynamic files as well."""
    files = ctx.lab.traefik_files
    mine = static.file.file if static.file else ""
    return not files.complete or any(s.source.file == mine for s in files.services)


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
    """``providers.file``, certificates and lists of users at a place of the image that no mount covers."""
    yield from traefik_paths.not_mounted(ctx)
    static = tl.static_config(ctx.lab)
    missing = ctx.lab.traefik_files.missing
    if static and missing:
        option = "directory" if "providers.file.directory" in static.options else "filename"
        used = any(m.endswith("@file") for r in tl.all_routers(ctx.lab) for m in r.middlewares)
        severity = Severity.ERROR if used else None
        message = f"Nothing is mounted at {missing} in Traefik's container."
        yield told(ctx, static, f"providers.file.{option}", message, severity)


@rule(
    "HL218",
    Severity.WARNING,
    "Labels that Traefik does not read",
    why="Traefik looks at containers only when its Docker provider is switched on (providers.docker): without it no "
    "label makes a route. In a file 'docker:' with nothing behind it switches nothing on; 'docker: {}' does.",
    link=f"{INSTALL}providers/docker/",
    bad=f"{PROXY}    command:\n{POINT}      - --providers.file.directory=/d\n  web:\n    image: nginx:1.29\n"
    "    labels:\n      traefik.http.routers.web.rule: Host(`web.example.org`)\n",
    good=f"{PROXY}    command:\n{POINT}      - --providers.docker=true\n  web:\n    image: nginx:1.29\n"
    "    labels:\n      traefik.http.routers.web.rule: Host(`web.example.org`)\n",
)
def unread_labels(ctx: LintContext) -> Iterable[Finding]:
    """Router labels in a lab whose Traefik has providers, but none that reads labels."""
    static = tl.static_config(ctx.lab)
    if static is None or ctx.lab.traefik is None or not static.complete:
        return
    providers = {o.split(".")[1] for o in static.options if o.startswith("providers.")}
    routed = [r for s in ctx.services() for r in tl.routers(s) if "rule" in r.options]
    if routed and (providers == {"file"} or (static.file is not None and not providers)):
        message = f"Its options have no providers.docker, so the labels of {routed[0].service.name!r} make no route."
        yield ctx.on(ctx.lab.traefik, (), message)
