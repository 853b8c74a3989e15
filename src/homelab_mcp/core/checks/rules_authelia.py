"""HL245 and HL246: Authelia's own configuration, and the address that Traefik asks for log-in."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.authelia_known import misspelt
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.hosts import host_in
from homelab_mcp.core.checks.traefik_places import TraefikFile
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

CONFIG = "https://www.authelia.com/configuration/security/access-control/"
TRAEFIK = "https://www.authelia.com/integration/proxies/traefik/"
HEAD = (
    "services:\n  authelia:\n    image: authelia/authelia:4.39.4\n    configs: [{source: auth, target: "
    "/config/configuration.yml}]\nconfigs:\n  auth:\n    content: |\n      access_control:\n        default_policy: "
)
AUTH = "services:\n  authelia:\n    image: authelia/authelia:4.39.4\n    labels:\n"
ADDRESS = "      traefik.http.middlewares.auth.forwardauth.address: http://authelia:"
_POLICIES = ("deny", "one_factor", "two_factor", "bypass")


@rule(
    "HL245",
    Severity.ERROR,
    "A configuration that Authelia refuses, or that opens the door",
    why="Authelia does not start over a key or a policy that it does not know, and then nobody gets in anywhere. With "
    "default_policy bypass every host that no rule names is open to everybody.",
    link=CONFIG,
    bad=f"{HEAD}one-factor\n",
    good=f"{HEAD}deny\n        rules: [{{domain: '*.example.org', policy: one_factor}}]\n",
)
def bad_configuration(ctx: LintContext) -> Iterable[Finding]:
    """Keys nearly known, policies, and cookies against the address of the portal, in ``configuration.yml``."""
    for file in ctx.lab.authelia_files:
        if file.refused and file.is_template:
            continue
        if file.refused:
            message, mark = file.refused
            where = file.place(())[0]
            yield Finding("HL245", Severity.ERROR, message, where, mark.line, mark.column)
            continue
        for path, meant in misspelt(file.data):
            yield ctx.at(file, path, f"Authelia knows no key {path[-1]!r}. Did you mean {meant!r}?", key=True)
        if "default_redirection_url" in (file.data or {}) and _part(_part(file.data, "session"), "cookies"):
            message = "With session.cookies it stands at each cookie: Authelia refuses it here."
            yield ctx.at(file, ("default_redirection_url",), message, key=True)
        control = _part(file.data, "access_control")
        yield from _left_out(ctx, file, control)
        yield from _policies(ctx, file, control)
        yield from _cookies(ctx, file)


def _policies(ctx: LintContext, file: TraefikFile, control: Any) -> Iterator[Finding]:
    default = _part(control, "default_policy")
    if default == "bypass":
        message = "Every host that no rule names is open to everybody."
        yield ctx.at(file, ("access_control", "default_policy"), message, severity=Severity.WARNING)
    rules = _part(control, "rules")
    for n, item in enumerate(rules if isinstance(rules, list) else ()):
        domain = _part(item, "domain")
        wide = [d for d in (domain if isinstance(domain, list) else [domain]) if str(d).startswith("*.")]
        if wide and _part(item, "policy") == "bypass" and set(item) <= {"domain", "policy"}:
            message = f"Every host below {wide[0]!r} that no rule above names is open to everybody."
            path: Path = ("access_control", "rules", n, "policy")
            yield ctx.at(file, path, message, severity=Severity.WARNING)
    found: list[tuple[Any, Path]] = [(default, ("access_control", "default_policy"))]
    for n, item in enumerate(rules if isinstance(rules, list) else ()):
        found.append((_part(item, "policy"), ("access_control", "rules", n, "policy")))
        if isinstance(item, dict) and not {"domain", "domain_regex"} & item.keys():
            yield ctx.at(file, ("access_control", "rules", n), "A rule needs a 'domain' or a 'domain_regex'.")
        if isinstance(item, dict) and "policy" not in item:
            yield ctx.at(file, ("access_control", "rules", n), "A rule needs a 'policy'.")
    for policy, path in found:
        if isinstance(policy, str) and policy not in _POLICIES and "{{" not in policy and not policy.startswith("$"):
            near = difflib.get_close_matches(policy, _POLICIES, n=1)
            tail = f" Did you mean {near[0]!r}?" if near else f" There are {', '.join(_POLICIES)}."
            yield ctx.at(file, path, f"There is no policy {policy!r}.{tail}")


def _cookies(ctx: LintContext, file: TraefikFile) -> Iterator[Finding]:
    """A cookie's domain that its portal is not below."""
    cookies = _part(_part(file.data, "session"), "cookies")
    for n, item in enumerate(cookies if isinstance(cookies, list) else ()):
        domain, portal = str(_part(item, "domain") or "").lower(), str(_part(item, "authelia_url") or "")
        path: Path = ("session", "cookies", n)
        if domain.startswith("*") or "{{" in domain or "$" in domain:
            continue  # HL332 speaks of a wildcard; what a template comes to nobody knows.
        if domain.lstrip(".") in _SHARED or (domain and "." not in domain and domain != "localhost"):
            message = f"{domain!r} belongs to everybody: no browser keeps such a cookie, and Authelia refuses it."
            yield ctx.at(file, (*path, "domain"), message)
            continue
        if not domain or not portal or "{{" in portal or "$" in portal:
            continue
        try:
            host = (urlsplit(portal).hostname or "").lower()
        except ValueError:
            host = ""
        if not portal.startswith("https://"):
            yield ctx.at(file, (*path, "authelia_url"), "The address of the portal begins with https://.")
        elif host != domain and not host.endswith(f".{domain.lstrip('.')}"):
            # Where a router answers to the portal's address, the domain is the one that is wrong.
            wrong = "domain" if any(host in r.hosts for r in tl.all_routers(ctx.lab)) else "authelia_url"
            yield ctx.at(file, (*path, wrong), f"The portal {host!r} is not below the cookie's domain {domain!r}.")


_SHARED = frozenset(
    {"duckdns.org", "ddns.net", "hopto.org", "zapto.org", "no-ip.org", "noip.me", "dynu.net", "dedyn.io", "nip.io"}
    | {"sslip.io", "github.io", "co.uk", "org.uk", "com.au", "com.br", "co.jp", "myds.me", "synology.me", "ts.net"}
)
"""Domains below which everybody may have a name (https://publicsuffix.org)."""


def _left_out(ctx: LintContext, file: TraefikFile, control: Any) -> Iterator[Finding]:
    """Hosts behind Authelia's middleware that no rule names, where everything else is denied."""
    rules = _part(control, "rules")
    if _part(control, "default_policy") not in (None, "deny") or not isinstance(rules, list) or not rules:
        return
    named: list[str] = []
    for item in rules:
        domain = _part(item, "domain")
        if not isinstance(item, dict) or "domain_regex" in item or "{" in str(domain):
            return
        named += [str(d).lower() for d in (domain if isinstance(domain, list) else [domain])]
    for router in tl.all_routers(ctx.lab):
        entry = router.options.get("rule")
        asks = any(_is_authelias(ctx, name) for name in router.middlewares)
        for host in router.hosts if asks and entry and not entry.open else ():
            if not any(host == d or (d.startswith("*.") and host.endswith(d[1:])) for d in named):
                message = f"No rule of Authelia's names {host}, and what no rule names is denied."
                yield ctx.on(router.service, router.anchor.path, message)


def _is_authelias(ctx: LintContext, middleware: str) -> bool:
    """True for a forwardAuth middleware of a label that asks an Authelia of the lab."""
    known: dict[str, bool] | None = ctx.lab.memo.get("asks authelia")
    if known is None:
        known = ctx.lab.memo["asks authelia"] = {}
        for service in ctx.services():
            for name, option, entry in service.http_labels.get("middlewares", ()):
                if option == "forwardauth.address" and name.lower() not in known:
                    asked = ctx.lab.hosts.get(host_in(entry.value or "")[0], ())
                    known[name.lower()] = any(s.image_name == "authelia" for s in asked)
    return known.get(middleware.partition("@")[0].lower(), False)


def _part(data: Any, name: str) -> Any:
    return data.get(name) if isinstance(data, dict) else None


@rule(
    "HL246",
    Severity.WARNING,
    "A log-in address at which nobody answers",
    why="Each log-in service answers a proxy's question at one path and port. At another it answers with an error, and "
    "every page behind the middleware is one.",
    link=TRAEFIK,
    bad=f"{AUTH}{ADDRESS}9091/api/authz/forwardauth\n",
    good=f"{AUTH}{ADDRESS}9091/api/authz/forward-auth\n",
)
def other_path(ctx: LintContext) -> Iterable[Finding]:
    """``forwardauth.address`` of a well-known log-in service with a path or port that is not its own."""
    known = ctx.lab.hosts
    for service in ctx.lab.routing:
        for _, option, entry in service.http_labels.get("middlewares", ()):
            if option != "forwardauth.address" or not entry.value or entry.open:
                continue
            host, port = host_in(entry.value)
            asked = known.get(host, [])
            own = next((v for s in asked for k, v in _ANSWERS.items() if k in str(s.data.get("image") or "")), None)
            if own is None:
                continue
            ports, paths = own
            place = re.split("[?#]", entry.value.partition("://")[2])[0]
            path = "/" + place.partition("/")[2].rstrip("/")
            endpoint = _ENDPOINT.fullmatch(path)
            named = _endpoints(ctx, asked) if endpoint else {}
            if endpoint and named:
                paths = tuple(sorted(_path_of(n) for n, kind in named.items() if kind not in _OF_OTHERS))
                answers = any(_answers(endpoint[1], *item) for item in named.items())
            else:
                answers = any(re.fullmatch(p, path) for p in paths)
            others = _others_proxy(endpoint[1], named) if endpoint and named != {} else ""
            if others:
                yield ctx.on(service, entry.path, f"{path} is where Authelia answers {others}, not Traefik.")
            elif (paths or named) and not answers:
                near = difflib.get_close_matches(path, [p for p in paths if "*" not in p], n=1, cutoff=0.3)
                tail = f" It is {near[0]}." if near else ""
                severity = Severity.ERROR if named is not None else None
                yield ctx.on(service, entry.path, f"It does not answer at {path}.{tail}", severity=severity)
            elif ports and port and port not in ports and not _moved(asked[0], port):
                listed = " or ".join(map(str, ports))
                message = f"It listens on {listed} unless told otherwise, not on {port}."
                severity = Severity.ERROR if _not_told(ctx, asked[0], port) else None
                yield ctx.on(service, entry.path, message, severity=severity)


_ENDPOINT = re.compile(r"(?:/.*?)?(/api/(?:authz|verify)(?:/.+)?)")
_USUAL = {"forward-auth": "ForwardAuth", "legacy": "Legacy", "auth-request": "AuthRequest", "ext-authz": "ExtAuthz"}
"""Authelia's endpoints, with their implementations, where its file names none; it has these no more where one does."""
_OF_OTHERS = {"AuthRequest": "nginx", "ExtAuthz": "Envoy"}
"""Implementation -> the proxy whose way of asking it understands, which Traefik's is not."""


def _path_of(name: str) -> str:
    """Where Authelia answers for an endpoint of that name (``internal/server/handlers.go``)."""
    return "/api/verify" if name == "legacy" else f"/api/authz/{name}"


def _answers(path: str, name: str, kind: str) -> bool:
    """True where the endpoint answers at the path; below its own only some do (``internal/server/handlers.go``)."""
    own = _path_of(name)
    below = name == "legacy" or kind in {"Legacy", "ExtAuthz"}
    return path == own or (below and path.startswith(f"{own}/"))


def _others_proxy(path: str, named: Mapping[str, str] | None) -> str:
    """The proxy that the endpoint at the path is for, where that is not Traefik; the usual ones where none is seen."""
    kinds = (k for n, k in (_USUAL if named is None else named).items() if _answers(path, n, k))
    return _OF_OTHERS.get(next(kinds, ""), "")


def _endpoints(ctx: LintContext, asked: Iterable[ServiceView]) -> dict[str, str] | None:
    """Authelia's endpoints and their implementations, by its files.

    None where not all of those can be seen, empty without Authelia.

    After "Server Authz Endpoints" of its documentation: the key below ``authz`` is the end of the path, and may have
    dots and slashes.
    """
    files = {id(service): file for service, file in ctx.lab.authelias}
    found: dict[str, str] = {}
    for service in asked:
        file = files.get(id(service))
        if service.image_name != "authelia":
            continue
        unsure = service.partial or any(service.data.get(k) for k in ("command", "entrypoint", "env_file"))
        if unsure or file is None or file.refused or file.has_actions:
            return None
        authz = _part(_part(_part(file.data, "server"), "endpoints"), "authz")
        named = authz if isinstance(authz, dict) and authz else None
        found |= {str(n): str(_part(body, "implementation")) for n, body in named.items()} if named else _USUAL
    return found


def _not_told(ctx: LintContext, service: ServiceView, port: int) -> bool:
    """True when nothing that the log-in service reads can have moved it to the port."""
    if service.data.get("command") or service.data.get("env_file") or service.partial:
        return False
    if service.image_name != "authelia":
        return True
    files = [f for f in ctx.lab.authelia_files if isinstance(f.data, dict)]
    return bool(files) and not any(str(port) in str(f.data.get("server")) for f in files)


def _moved(service: ServiceView, port: int) -> bool:
    told = [e.value or "" for e in service.environment.values()] + [e.value or "" for _, e in tl.port_labels(service)]
    return any(str(port) in text for text in told) or service.network_mode != ""


_ANSWERS: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
    "authelia/authelia": (
        (9091,),
        ("/api/authz/forward-auth", "/api/verify", "/.*/api/authz/forward-auth", "(?:/.*)?/api/verify(?:/.*)?"),
    ),
    "tinyauth": ((3000,), ("/api/auth/traefik",)),
    "goauthentik": ((9000, 9443), ("/outpost.goauthentik.io/auth/traefik",)),
    "oauth2-proxy": ((4180, 443, 80), ()),
    "traefik-forward-auth": ((4181,), ()),
}
"""Image -> its ports, and its paths as patterns (the documentation of each for Traefik)."""
