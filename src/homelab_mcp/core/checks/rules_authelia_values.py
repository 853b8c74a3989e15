"""HL332: what Authelia's validator refuses beyond keys and policies, and a file of users without hashes."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Any

from homelab_mcp.core.checks.authelia_known import misspelt
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.traefik_places import Places, TraefikFile, Unknown
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

HEAD = (
    "services:\n  authelia:\n    image: authelia/authelia:4.39.4\n    configs: [{source: auth, target: "
    "/config/configuration.yml}]\nconfigs:\n  auth:\n    content: |\n"
)
SECTIONS = {
    "authentication_backend": "AUTHELIA_AUTHENTICATION_BACKEND_",
    "access_control": "AUTHELIA_ACCESS_CONTROL_",
    "session": "AUTHELIA_SESSION_COOKIES AUTHELIA_SESSION_DOMAIN",
    "storage": "AUTHELIA_STORAGE_LOCAL AUTHELIA_STORAGE_POSTGRES AUTHELIA_STORAGE_MYSQL",
    "notifier": "AUTHELIA_NOTIFIER_",
}
"""Sections without which Authelia does not start -> how variables that may stand for them begin."""
NEEDED: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("authentication_backend", ("file", "ldap"), SECTIONS["authentication_backend"]),
    ("session", ("cookies", "domain"), SECTIONS["session"]),
    ("storage", ("encryption_key",), "AUTHELIA_STORAGE_ENCRYPTION_KEY"),
    ("storage", ("local", "mysql", "postgres"), SECTIONS["storage"]),
    ("notifier", ("smtp", "filesystem"), SECTIONS["notifier"]),
)
"""Section -> words of which it has one at least -> how variables that may stand for them begin.

Authelia still takes ``session.domain`` for its first cookie."""
ONE_OF = {"authentication_backend": ("file", "ldap"), "notifier": ("smtp", "filesystem")}
WORDS: dict[Path, str] = {
    ("theme",): "light dark grey oled auto",
    ("log", "level"): "trace debug info warn error",
    ("log", "format"): "text json",
    ("session", "same_site"): "lax strict none",
}
"""Options with a settled list of words."""
_TIME = re.compile(r"\s*([0-9]{1,15})\s*([a-zA-Z]*)\s*")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2629746, "y": 31556952}
SHORTEST_KEY = 20
"""Characters that ``storage.encryption_key`` has at least."""
FIND_TIME, BAN_TIME = 120.0, 300.0
"""What ``regulation`` has where it is told nothing, seconds."""


@rule(
    "HL332",
    Severity.ERROR,
    "Settings that Authelia's check refuses",
    why="Authelia checks its whole configuration before it starts. Over a section that is missing or there twice, a "
    "rule that cannot be meant, or a user without a hashed password it ends, and no protected page opens.",
    link="https://www.authelia.com/configuration/prologue/introduction/",
    bad=f"{HEAD}      access_control: {{default_policy: deny}}\n",
    good=f"{HEAD}      access_control: {{default_policy: one_factor}}\n",
)
def refused_settings(ctx: LintContext) -> Iterable[Finding]:
    """The checks of ``internal/configuration/validator`` that a file shows by itself."""
    for service, file in ctx.lab.authelias:
        if service.partial or not isinstance(file.data, dict) or file.has_actions:
            continue
        yield from _sections(ctx, service, file)
        yield from _rules(ctx, service, file)
        yield from _words(ctx, file)
        yield from _times(ctx, file)
        yield from _cookies(ctx, file)
        yield from _users(ctx, service, file)


def _part(data: Any, *names: str) -> Any:
    for name in names:
        data = data.get(name) if isinstance(data, dict) else None
    return data


def _by_variable(service: ServiceView, begins: str) -> bool:
    """True where a variable of its container begins so, by one of the words."""
    # Authelia takes two underscores behind its name as well.
    given = (key.upper().replace("AUTHELIA__", "AUTHELIA_", 1) for key in service.environment)
    return any(key.startswith(tuple(begins.split())) for key in given)


def _is_all(service: ServiceView) -> bool:
    """False where the rest of the configuration may stand in another file, or in variables that nobody shows."""
    return not any(service.data.get(key) for key in ("env_file", "command", "entrypoint"))


def _sections(ctx: LintContext, service: ServiceView, file: TraefikFile) -> Iterator[Finding]:
    missing = [name for name in SECTIONS if not file.data.get(name)]
    # A file with little in it is one of several, or an excerpt.
    if len(missing) <= 2 and _is_all(service):
        for name in missing:
            if not _by_variable(service, SECTIONS[name]):
                place: Path = (name,) if name in file.data else ()
                yield ctx.at(file, place, f"The section {name!r} is missing.", key=bool(place))
        yield from _lacking(ctx, service, file)
    for name, either in ONE_OF.items():
        part = file.data.get(name)
        if isinstance(part, dict) and all(part.get(word) for word in either):
            yield ctx.at(
                file, (name, either[1]), f"Only one of {either[0]!r} and {either[1]!r} may stand here.", key=True
            )
    for path in _ADDRESSES:
        part = _part(file.data, *map(str, path))
        old = next((word for word in ("host", "port") if isinstance(part, dict) and word in part), None)
        if old and part.get("address"):
            yield ctx.at(file, (*path, old), f"Beside 'address' there must be no {old!r}.", key=True)
    key = _part(file.data, "storage", "encryption_key")
    told = service.data.get("env_file") or _by_variable(service, "AUTHELIA_STORAGE_ENCRYPTION_KEY")
    if isinstance(key, str) and 0 < len(key) < SHORTEST_KEY and not _is_open(key) and not told:
        message = f"The key has {len(key)} characters; {SHORTEST_KEY} is the least."
        yield ctx.at(file, ("storage", "encryption_key"), message)


def _lacking(ctx: LintContext, service: ServiceView, file: TraefikFile) -> Iterator[Finding]:
    """Sections that are there, without what they cannot do without; HL245 speaks of words that are misspelt."""
    wrong = {path[0] for path, _ in misspelt(file.data)}
    for name, words, variables in NEEDED:
        part = file.data.get(name)
        if not isinstance(part, dict) or not part or name in wrong or _by_variable(service, variables):
            continue
        there = [word for word in words if word in part]
        if all(part[word] in ("", [], {}) for word in there):
            place: Path = (name, there[0]) if there else (name,)
            listed = " or ".join(map(repr, words[:1] if name == "session" else words))
            yield ctx.at(file, place, f"The section {name!r} needs {listed}.", key=True)


_ADDRESSES: tuple[Path, ...] = (("server",), ("storage", "postgres"), ("storage", "mysql"), ("notifier", "smtp"))
"""Sections with an ``address`` since 4.38, where a ``host`` and a ``port`` were before."""


def _is_open(text: str) -> bool:
    return "{{" in text or "$" in text


def _rules(ctx: LintContext, service: ServiceView, file: TraefikFile) -> Iterator[Finding]:
    control = file.data.get("access_control")
    if not isinstance(control, dict):
        return
    policy = control.get("default_policy", "deny")
    whole = _is_all(service)
    told = not whole or _by_variable(service, "AUTHELIA_ACCESS_CONTROL_DEFAULT_POLICY")
    if policy in ("deny", "bypass") and not control.get("rules") and not told:
        place: Path = ("access_control", "default_policy") if "default_policy" in control else ("access_control",)
        yield ctx.at(file, place, f"Without rules 'default_policy' cannot be {policy!r}.", key=len(place) == 1)
    groups = {str(_part(n, "name")) for n in _listed(control.get("networks"))}
    defined = _part(file.data, "definitions", "network")
    groups |= {str(name) for name in defined} if isinstance(defined, dict) else set()
    for n, item in enumerate(_listed(control.get("rules"))):
        path: Path = ("access_control", "rules", n)
        subjects = list(_leaves(_part(item, "subject")))
        if subjects and _part(item, "policy") == "bypass":
            yield ctx.at(file, (*path, "policy"), "'bypass' asks nobody, so it cannot depend on a 'subject'.")
        for subject in subjects:
            if not subject.startswith(("user:", "group:", "oauth2:client:")) and not _is_open(subject):
                yield ctx.at(file, (*path, "subject"), f"A subject begins with user: or group:, not {subject!r}.")
        for network in _leaves(_part(item, "networks")) if whole else ():
            if network not in groups and not _is_open(network) and not _is_network(network):
                message = f"{network!r} is no address, no range and no name of 'networks'."
                yield ctx.at(file, (*path, "networks"), message)
        for method in _leaves(_part(item, "methods")):
            if method not in _METHODS and not _is_open(method):
                yield ctx.at(file, (*path, "methods"), f"There is no method {method!r}.")


_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "COPY", "LOCK", "MKCOL", "MOVE"}
    | {"PROPFIND", "PROPPATCH", "UNLOCK"}
)
"""What a rule may name (its documentation, "methods")."""


def _listed(part: Any) -> list[Any]:
    return part if isinstance(part, list) else []


def _leaves(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    for item in _listed(part):
        yield from _leaves(item)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _words(ctx: LintContext, file: TraefikFile) -> Iterator[Finding]:
    for path, text in WORDS.items():
        value = _part(file.data, *map(str, path))
        if isinstance(value, str) and value not in text.split() and not _is_open(value):
            yield ctx.at(file, path, f"{path[-1]!r} is one of {', '.join(text.split())}, not {value!r}.")


def _seconds(value: Any) -> float | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value) if abs(value) < 10**15 else None
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    unit = _UNITS.get(match[2] or "s") if match else None
    return int(match[1]) * unit if match and unit else None


def _times(ctx: LintContext, file: TraefikFile) -> Iterator[Finding]:
    part = file.data.get("regulation")
    find, ban = (_seconds(_part(part, name)) for name in ("find_time", "ban_time"))
    # Nothing or less counts as not given.
    if find is not None and ban is not None and (find if find > 0 else FIND_TIME) > (ban if ban > 0 else BAN_TIME):
        yield ctx.at(file, ("regulation", "find_time"), "'find_time' cannot be longer than 'ban_time'.")


def _cookies(ctx: LintContext, file: TraefikFile) -> Iterator[Finding]:
    seen: list[str] = []
    if _part(file.data, "session", "cookies") and _part(file.data, "session", "domain"):
        yield ctx.at(file, ("session", "domain"), "Beside 'cookies' there must be no 'domain'.", key=True)
    for n, item in enumerate(_listed(_part(file.data, "session", "cookies"))):
        domain = str(_part(item, "domain") or "").lower().lstrip(".")
        path: Path = ("session", "cookies", n, "domain")
        if domain.startswith("*"):
            yield ctx.at(file, path, "It is the domain itself, without '*'.")
        elif domain and not _is_open(domain):
            # Only a later one below an earlier one: the other way round Authelia takes both.
            if any(domain == d or domain.endswith(f".{d}") for d in seen):
                yield ctx.at(file, path, f"Another cookie covers {domain!r} already.")
            seen.append(domain)
        portal, start = (str(_part(item, k) or "").rstrip("/") for k in ("authelia_url", "default_redirection_url"))
        if start and start == portal:
            message = "It is the portal's own address: whoever has logged in would come back there."
            yield ctx.at(file, ("session", "cookies", n, "default_redirection_url"), message)


def _users(ctx: LintContext, service: ServiceView, file: TraefikFile) -> Iterator[Finding]:
    """Users of the file whose password is no hash."""
    path = _part(file.data, "authentication_backend", "file", "path")
    try:
        found = Places(service).read(path) if isinstance(path, str) and path.startswith("/") else None
    except Unknown:
        return
    if found is None:
        return
    users = _part(found.data, "users")
    for name, user in users.items() if isinstance(users, dict) else ():
        password = _part(user, "password")
        if isinstance(password, str) and not re.match(r"\$|\{[A-Z]", password):
            message = "It is no hash: `authelia crypto hash generate argon2` makes one."
            yield ctx.at(found, ("users", str(name), "password"), message)
