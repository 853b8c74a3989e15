"""HL252: a log-in whose middleware Traefik forgets while its container restarts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.hosts import host_in
from homelab_mcp.core.checks.view import Entry, ServiceView
from homelab_mcp.model.finding import Finding, Severity

KEEP = "traefik.docker.allownonrunning"
EMPTY_TOO = "providers.docker.allowemptyservices"
_YES = frozenset({"true", "1"})
_LOGIN = """\
services:
  traefik:
    image: traefik:v3.7.13
    command:
      - --providers.docker=true
{flag}  authelia:
    image: authelia/authelia:4.39.24
    labels:
{label}      traefik.http.middlewares.auth.forwardauth.address: http://authelia:9091/api/authz/forward-auth
  web:
    image: nginx:1.29
    labels:
      traefik.http.routers.web.rule: Host(`web.example.org`)
      traefik.http.routers.web.middlewares: auth
"""


@rule(
    "HL252",
    Severity.WARNING,
    "A log-in that takes every protected route along when it restarts",
    why="Traefik forgets what a container's labels define while it does not run or is not healthy, and drops every "
    "router that uses a middleware it does not know: 404 on all protected pages, each time the log-in restarts. From "
    "3.6 on the label traefik.docker.allownonrunning on the log-in, with allowEmptyServices of Traefik's Docker "
    "provider, keeps them. (From 3.7.2 on Traefik then answers 500 instead of 503 for who is not healthy.)",
    link="https://doc.traefik.io/traefik/reference/install-configuration/providers/docker/",
    bad=_LOGIN.format(flag="", label=""),
    good=_LOGIN.format(
        flag=f"      - --{EMPTY_TOO}=true\n",
        label=f"      {KEEP}: 'true'\n",
    ),
    needs="labels",
)
def login_vanishes(ctx: LintContext) -> Iterable[Finding]:
    """A forwardAuth middleware on the container that it asks, without the label there or the flag at Traefik."""
    if _too_old(ctx):
        return
    logins = list(_logins(ctx))
    for service, entry in logins:
        kept = kept_label(service)
        if not (kept and (kept.open or (kept.value or "").lower() in _YES)):
            told = f"While {service.name} restarts, every route that asks it answers 404"
            where = kept.path if kept else entry.path
            yield ctx.on(service, where, f"{told}; set {KEEP}=true.")
    if logins:
        yield from _traefik(ctx, logins[0][0].name)


def kept_label(service: ServiceView) -> Entry | None:
    """The service's own word on what becomes of its labels while it does not run, however it is written."""
    return next((e for k, e in service.labels.items() if k.lower() == KEEP), None)


def _too_old(ctx: LintContext) -> bool:
    """Whether Traefik does not know the label (before 3.6 it refuses a container that has it)."""
    traefik = ctx.lab.traefik
    tag = (
        re.match(r"v?([0-9]{1,9})(?:\.([0-9]{1,9}))?", traefik.image.rsplit("/", 1)[-1].partition(":")[2])
        if traefik
        else None
    )
    return tag is None or (int(tag[1]), int(tag[2] or 99)) < (3, 6)


def _logins(ctx: LintContext) -> Iterator[tuple[ServiceView, Entry]]:
    """(service, label) of each that defines by its own labels how others ask it."""
    used = {
        (m.partition("@")[0].lower(), id(r.service))
        for r in tl.all_routers(ctx.lab)
        for m in r.middlewares
        if m.partition("@")[2].lower() in {"", "docker"}
    }
    for service in ctx.having("labels"):
        for name, option, entry in tl.http_labels(service, "middlewares"):
            if option != "forwardauth.address" or not entry.value or service.of_file:
                continue
            asked = ctx.lab.hosts.get(host_in(entry.value)[0], ())
            others = any(n == name.lower() and owner != id(service) for n, owner in used)
            if others and service in asked and service is not ctx.lab.traefik:
                yield service, entry


def _traefik(ctx: LintContext, login: str) -> Iterator[Finding]:
    """At Traefik's Docker provider, where its options are seen."""
    static, traefik = tl.static_config(ctx.lab), ctx.lab.traefik
    if static is None or traefik is None or not any(o.startswith("providers.docker") for o in static.options):
        return
    if static.options.get(EMPTY_TOO, "").lower() in _YES or "$" in static.options.get(EMPTY_TOO, ""):
        return
    where = static.where.get(EMPTY_TOO) or next(p for o, p in static.where.items() if o.startswith("providers.docker"))
    message = f"Until {login} is healthy, every route that asks it answers 404; set {EMPTY_TOO}=true."
    yield ctx.at(static.file, where, message) if static.file else ctx.on(traefik, where, message)
