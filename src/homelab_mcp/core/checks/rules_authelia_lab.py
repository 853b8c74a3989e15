"""HL276, HL277: what Authelia's configuration names and the lab does not have, and rules that nobody meets."""

from __future__ import annotations

import difflib
import posixpath
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.db_settings import kind_of
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_own_address import given_hosts
from homelab_mcp.core.checks.traefik_places import Places, TraefikFile, Unknown
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

HEAD = (
    "services:\n  cache: {image: 'redis:8.0'}\n  authelia:\n    image: authelia/authelia:4.39.4\n"
    "    configs: [{source: auth, target: /config/configuration.yml}]\nconfigs:\n  auth:\n    content: |\n"
)
RULES = "      access_control:\n        default_policy: deny\n        rules:\n"
WIDE = "          - {domain: '*.example.org', policy: one_factor}\n"
STRICT = "          - {domain: admin.example.org, policy: two_factor}\n"


@rule(
    "HL276",
    Severity.ERROR,
    "Authelia is told of something that is not there",
    why="Without its session store or its file of users Authelia ends at the start; at an address of the portal that "
    "no router has, whoever must log in meets 404.",
    link="https://www.authelia.com/configuration/session/redis/",
    bad=f"{HEAD}      session: {{redis: {{host: redis}}}}\n",
    good=f"{HEAD}      session: {{redis: {{host: cache}}}}\n",
)
def not_there(ctx: LintContext) -> Iterable[Finding]:
    """Hosts of the session and storage, the file of users and ``authelia_url``, each as far as the lab shows it."""
    for service, file in _portals(ctx):
        yield from _hosts(ctx, service, file)
        yield from _users(ctx, service, file)
        yield from _portal(ctx, service, file)


def _portals(ctx: LintContext) -> Iterator[tuple[ServiceView, TraefikFile]]:
    """The lab's Authelia and its file, where there is one of each."""
    services = [s for s in ctx.services() if s.image_name == "authelia" and not s.partial]
    files = ctx.lab.authelia_files
    if len(services) == len(files) == 1 and isinstance(files[0].data, dict) and not files[0].has_actions:
        yield services[0], files[0]


def _at(data: Any, path: Path) -> Any:
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data


def _hosts(ctx: LintContext, service: ServiceView, file: TraefikFile) -> Iterator[Finding]:
    for path, kind in _STORES.items():
        text = _at(file.data, path)
        host = text.rpartition("//")[2].partition(":")[0].lower() if isinstance(text, str) else ""
        if (
            not host
            or "." in host
            or "/" in host
            or "$" in host
            or "{{" in host
            or host in ctx.lab.hosts
            or host == "localhost"
        ):
            continue
        if host in given_hosts(service) or not ctx.lab.whole:
            continue
        names = [s.name for s in service.stack.services if kind_of(s) == kind]
        if len(names) == 1:
            yield ctx.at(file, path, f"No service or container is called {host!r}; {names[0]!r} is there.")
        elif not names:
            message = f"No service or container of the lab is called {host!r}."
            yield ctx.at(file, path, message, severity=Severity.WARNING)


_STORES: dict[Path, str] = {
    ("session", "redis", "host"): "redis",
    ("storage", "postgres", "address"): "postgres",
    ("storage", "postgres", "host"): "postgres",
    ("storage", "mysql", "address"): "mysql",
    ("storage", "mysql", "host"): "mysql",
}


def _users(ctx: LintContext, service: ServiceView, file: TraefikFile) -> Iterator[Finding]:
    path: Path = ("authentication_backend", "file", "path")
    text = _at(file.data, path)
    told = any(key.upper().startswith("AUTHELIA_AUTHENTICATION_BACKEND_FILE") for key in service.environment)
    if not isinstance(text, str) or not text.startswith("/") or "$" in text or "{{" in text or told:
        return
    places = Places(service)
    try:
        if not places.covered(text) or places.read(text) is not None:
            return
        folder = posixpath.dirname(places.outside(text))
    except Unknown:
        return
    known = service.stack.names(folder) if service.stack.names else None
    near = [n for n in known or () if n.endswith((".yml", ".yaml")) and "user" in n]
    tail = f" Did you mean {near[0]!r}?" if near else ""
    yield ctx.at(file, path, f"There is no {posixpath.basename(text)!r} in the folder.{tail}")


def _portal(ctx: LintContext, service: ServiceView, file: TraefikFile) -> Iterator[Finding]:
    """``authelia_url`` at a host that no router has, where Authelia's own router has another one."""
    routers = tl.all_routers(ctx.lab)
    own = {h for r in tl.routers(service) for h in r.hosts}
    rules = [r.options.get("rule") for r in routers]
    if not own or not ctx.lab.labels_seen or any(e is None or e.open or "HostRegexp" in (e.value or "") for e in rules):
        return
    hosts = {h for r in routers for h in r.hosts}
    cookies = _at(file.data, ("session", "cookies"))
    for n, item in enumerate(cookies if isinstance(cookies, list) else ()):
        url = _at(item, ("authelia_url",))
        try:
            host = (urlsplit(str(url)).hostname or "").lower()
        except ValueError:
            continue
        domain = str(_at(item, ("domain",)) or "").lower()
        if host and "$" not in host and host not in hosts and any(h.endswith(domain) for h in own):
            message = f"No router answers to {host}; Authelia's is {sorted(own)[0]}."
            yield ctx.at(file, ("session", "cookies", n, "authelia_url"), message)


@rule(
    "HL277",
    Severity.WARNING,
    "A rule of Authelia's that nobody meets",
    why="Authelia takes the first rule that fits: one behind a wider one is never looked at. A rule for a group that "
    "no user is in lets in nobody.",
    link="https://www.authelia.com/configuration/security/access-control/#rule-matching",
    bad=f"{HEAD}{RULES}{WIDE}{STRICT}",
    good=f"{HEAD}{RULES}{STRICT}{WIDE}",
)
def unmet_rule(ctx: LintContext) -> Iterable[Finding]:
    """Rules behind one without conditions for the same hosts, and groups and users that the file of users has not."""
    for file in ctx.lab.authelia_files:
        part = _at(file.data, ("access_control", "rules"))
        rules = [r if isinstance(r, dict) else {} for r in part] if isinstance(part, list) else []
        for n, each in enumerate(rules):
            first = next((r for r in rules[:n] if _covers(r, each)), None)
            if first is not None and first.get("policy") != each.get("policy"):
                message = f"The rule for {_domains(first)[0]!r} above it takes every request that this one is for."
                yield ctx.at(file, ("access_control", "rules", n), message)
    for service, file in _portals(ctx):
        known = _people(service, file)
        for path, word in _subjects(_at(file.data, ("access_control", "rules"))) if known else ():
            kind, _, name = word.partition(":")
            if kind in ("group", "user") and name and known and name not in known[kind]:
                near = difflib.get_close_matches(name, known[kind], n=1)
                tail = f" Did you mean {near[0]!r}?" if near else ""
                what = "No user is in the group" if kind == "group" else "There is no user"
                yield ctx.at(file, path, f"{what} {name!r}.{tail}")


_CONDITIONS = frozenset({"subject", "networks", "methods", "resources", "query", "domain_regex"})


def _domains(item: dict[str, Any]) -> list[str]:
    domain = item.get("domain")
    return [str(d).lower() for d in (domain if isinstance(domain, list) else [domain] if domain else [])]


def _covers(first: dict[str, Any], each: dict[str, Any]) -> bool:
    if _CONDITIONS & first.keys() or "domain_regex" in each or "{" in str(first.get("domain")):
        return False
    wide, narrow = _domains(first), _domains(each)
    return bool(narrow) and all(any(d == w or (w[:2] == "*." and d.endswith(w[1:])) for w in wide) for d in narrow)


def _people(service: ServiceView, file: TraefikFile) -> dict[str, set[str]]:
    """Groups and users of the file of users; {} where it cannot be seen."""
    text = _at(file.data, ("authentication_backend", "file", "path"))
    try:
        found = Places(service).read(text) if isinstance(text, str) and text.startswith("/") else None
    except Unknown:
        return {}
    users = _at(found.data, ("users",)) if found else None
    if not isinstance(users, dict) or not users or "ldap" in (_at(file.data, ("authentication_backend",)) or ()):
        return {}
    listed = [_at(u, ("groups",)) for u in users.values()]
    groups = {g for part in listed if isinstance(part, list) for g in part if isinstance(g, str)}
    return {"user": {str(u) for u in users}, "group": groups}


def _subjects(rules: Any) -> Iterator[tuple[Path, str]]:
    for n, item in enumerate(rules if isinstance(rules, list) else ()):
        yield from _words(_at(item, ("subject",)), ("access_control", "rules", n, "subject"))


def _words(part: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(part, str):
        yield path, part
    for n, item in enumerate(part if isinstance(part, list) else ()):
        yield from _words(item, (*path, n))
