"""HL305 to HL310 (but HL309): what a service needs before its first start, and what nobody may find open then."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator

from homelab_mcp.core.checks.env_texts import said_in_files
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.traefik_places import Places
from homelab_mcp.core.checks.view import Mount, ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.redact import is_secret_name
from homelab_mcp.model.finding import Finding, Severity

EXPORTER = "https://github.com/prometheus/node_exporter#docker"
VOLUMES = "https://docs.docker.com/reference/compose-file/services/#volumes"
AUTHELIA = "https://www.authelia.com/configuration/prologue/introduction/"

_NEEDS: dict[str, tuple[str, str, str]] = {
    "prometheus": ("/etc/prometheus", "prometheus.yml", "config.file"),
    "loki": ("/etc/loki", "local-config.yaml", "config.file"),
    "promtail": ("/etc/promtail", "config.yml", "config.file"),
    "eclipse-mosquitto": ("/mosquitto/config", "mosquitto.conf", "c config-file"),
    "alertmanager": ("/etc/alertmanager", "alertmanager.yml", "config.file"),
    "authelia": ("/config", "configuration.yml", "config c"),
}
"""Image -> the folder of its configuration, the file in it, and the flags that name another (each image's Dockerfile).

An empty folder mounted there hides the file that the image brings, and the program ends at once."""


@rule(
    "HL305",
    Severity.WARNING,
    "A folder without the configuration that is read from it",
    why="An empty folder hides the file that the image brings, so the program ends as soon as it starts.",
    link=VOLUMES,
    bad="services:\n  mosquitto:\n    image: eclipse-mosquitto:2.0.22\n    volumes: ['./config:/mosquitto/config']\n",
    good="services:\n  mosquitto:\n    image: eclipse-mosquitto:2.0.22\n    volumes: ['mq:/mosquitto/config']\n"
    "volumes: {mq: {}}\n",
)
def no_configuration(ctx: LintContext) -> Iterable[Finding]:
    """A folder of the stack mounted where a well-known image reads its configuration, without that file in it."""
    for service in ctx.services():
        exists = service.stack.exists
        if service.image_name not in _NEEDS or exists is None or _told_in_variable(service):
            continue
        wanted = _wanted(service)
        mount = _nearest(service, wanted) if wanted.startswith("/") and "," not in wanted else None
        if mount is not None:
            yield from _not_in(ctx, service, mount, wanted, exists)


def _not_in(
    ctx: LintContext, service: ServiceView, mount: Mount, wanted: str, exists: Callable[[str], bool]
) -> Iterator[Finding]:
    """What a folder of the stack lacks that is mounted above the file which a program reads."""
    if _is_file(service, mount.source):
        message = f"{mount.source} is a file, and {mount.target} in the image is a folder; meant is {wanted}."
        yield ctx.on(service, mount.at("source"), message, severity=Severity.ERROR)
        return
    file = posixpath.join(mount.source, wanted.removeprefix(f"{mount.target.rstrip('/')}/"))
    if exists(file):
        return
    message = f"{service.image_name} reads {wanted}, and there is no {file}."
    deeper = _deeper(service, mount.source, posixpath.basename(wanted))
    tail = f" It is in {deeper}." if deeper else ""
    # Authelia's image brings no file, and variables may say all that it needs.
    if deeper or service.image_name != "authelia":
        yield ctx.on(service, mount.at("source"), message + tail, severity=Severity.ERROR if deeper else None)


def _nearest(service: ServiceView, wanted: str) -> Mount | None:
    """The folder of the stack that is mounted above a file; None where something nearer may have it."""
    above = [m for m in service.mounts if f"{wanted}/".startswith(f"{m.target.rstrip('/')}/")]
    nearest = max(above, key=lambda m: len(m.target.rstrip("/")), default=None)
    if nearest is None or Places(service).handed(wanted):
        return None
    folder = nearest.kind == "bind" and not nearest.open and nearest.source.startswith(".")
    return nearest if folder and nearest.target.rstrip("/") != wanted else None


def _told_in_variable(service: ServiceView) -> bool:
    """True for an Authelia whose variable names the configuration, or that has an env file which may."""
    if service.image_name != "authelia":
        return False
    in_files = said_in_files(service)
    return _VARIABLE in service.environment or in_files is None or _VARIABLE in in_files


_VARIABLE = "X_AUTHELIA_CONFIG"


def _deeper(service: ServiceView, source: str, name: str) -> str:
    """The folder one level below that has the file; "" where none has, or nobody can look."""
    names = service.stack.names
    place = posixpath.normpath(posixpath.join(posixpath.dirname(service.stack.file), source))
    for each in (names(place) or ()) if names else ():
        if each.endswith("/") and names and name in (names(posixpath.join(place, each.rstrip("/"))) or ()):
            return f"{source.rstrip('/')}/{each.rstrip('/')}"
    return ""


def _is_file(service: ServiceView, source: str) -> bool:
    """True where a path of the stack is a file: the engine refuses it over a folder ("not a directory")."""
    if service.stack.names is None:
        return False
    place = posixpath.normpath(posixpath.join(posixpath.dirname(service.stack.file), source))
    parent, _, last = place.rpartition("/")
    names = service.stack.names(parent)
    return names is not None and last in names


_SHELLS = frozenset({"sh", "bash", "ash", "dash"})


def _wanted(service: ServiceView) -> str:
    """The file that a program reads, its command's word before its image's; "" where nobody can say."""
    folder, usual, flags = _NEEDS[service.image_name]
    given = [service.data.get(field) for field in ("entrypoint", "command")]
    words = [
        w for part in given for w in (part.split() if isinstance(part, str) else part if isinstance(part, list) else ())
    ]
    if any(" " in str(w) for w in words) or not _SHELLS.isdisjoint(str(w).rpartition("/")[2] for w in words):
        return ""  # A line for a shell is not read.
    for n, word in enumerate(map(str, words)):
        name, _, value = word.lstrip("-").partition("=")
        if word.startswith("-") and name in flags.split():
            value = value or (str(words[n + 1]) if n + 1 < len(words) else "")
            return "" if any(map(is_open, (*given, *words[n : n + 2]))) else value
    unseen = any(map(is_open, given)) or any(is_open(w) and not str(w).startswith("-") for w in words)
    # A command takes the place of the image's own, which names the file; Authelia looks for it by itself.
    if unseen or (words and service.image_name != "authelia"):
        return ""
    return f"{folder}/{usual}"


@rule(
    "HL306",
    Severity.WARNING,
    "Host numbers that are not the host's",
    why="An empty folder of the stack in place of /proc or /sys shows nothing of the host: every graph stays flat.",
    link=EXPORTER,
    bad="services:\n  exporter:\n    image: prom/node-exporter:v1.9.1\n    volumes: ['./proc:/host/proc:ro']\n",
    good="services:\n  exporter:\n    image: prom/node-exporter:v1.9.1\n    volumes: ['/proc:/host/proc:ro']\n",
)
def not_the_hosts(ctx: LintContext) -> Iterable[Finding]:
    """A folder of the stack mounted as the host's ``/proc``, ``/sys`` or root in a program that measures it."""
    for service in ctx.services():
        if service.image_name not in {"node-exporter", "cadvisor", "telegraf", "netdata", "glances"}:
            continue
        for mount in service.mounts:
            last = mount.target.rstrip("/").rpartition("/")[2]
            if mount.kind == "bind" and mount.source.startswith(".") and last in {"proc", "sys", "rootfs"}:
                yield ctx.on(
                    service, mount.at("source"), f"{mount.source} is a folder of the stack, not the host's /{last}."
                )


@rule(
    "HL307",
    Severity.WARNING,
    "One secret for several services",
    why="Whoever learns it from one of them, from its settings or its log, is in all of them.",
    link="https://cheatsheetseries.owasp.org/cheatsheets/Secrets_Management_Cheat_Sheet.html",
    bad="services:\n  a:\n    image: a:1\n    environment: {ADMIN_PASSWORD: '${DEFAULT_PASSWORD}'}\n"
    "  b:\n    image: b:1\n    environment: {ROOT_PASSWORD: '${DEFAULT_PASSWORD}'}\n"
    "  c:\n    image: c:1\n    environment: {SECRET_KEY: '${DEFAULT_PASSWORD}'}\n",
    good="services:\n  a:\n    image: a:1\n    environment: {ADMIN_PASSWORD: '${A_PASSWORD}'}\n"
    "  b:\n    image: b:1\n    environment: {ROOT_PASSWORD: '${B_PASSWORD}'}\n",
)
def shared_secret(ctx: LintContext) -> Iterable[Finding]:
    """A variable that is called a default or shared password and is the secret of three services or more."""
    users: dict[str, list[tuple[ServiceView, str]]] = {}
    for service in ctx.services():
        for key, entry in service.environment.items():
            name = entry.raw.strip().removeprefix("${").removesuffix("}").removeprefix("$")
            common = name.upper().startswith(("DEFAULT_", "COMMON_", "SHARED_", "GLOBAL_", "MASTER_"))
            if entry.raw.strip().startswith("$") and common and is_secret_name(name) and is_secret_name(key):
                users.setdefault(name, []).append((service, key))
    for name, found in users.items():
        if len({(s.stack.name, s.name) for s, _ in found}) < 3:
            continue
        for service, key in found[2:]:
            yield ctx.on(service, service.environment[key].path, f"{name} is the secret of {len(found)} services.")


_OPEN_DOORS: dict[str, tuple[str, frozenset[str]]] = {
    "vaultwarden/server": ("SIGNUPS_ALLOWED", frozenset({"true"})),
    "linkding": ("LD_ENABLE_SIGNUP", frozenset({"true", "1"})),
    "actual-server": ("ACTUAL_OPEN_SIGNUP", frozenset({"true"})),
    "wallabag/wallabag": ("SYMFONY__ENV__FOSUSER_REGISTRATION", frozenset({"true"})),
    "gitea/gitea": ("GITEA__service__DISABLE_REGISTRATION", frozenset({"false"})),
}
"""Image -> the variable that lets strangers make an account, and its values that do (each program's documentation)."""


@rule(
    "HL308",
    Severity.WARNING,
    "Anybody may make an account",
    why="Who finds the address can sign up: for a safe of passwords or a store of code that is one step too far. "
    "Switch it off once your own accounts are there.",
    link="https://github.com/dani-garcia/vaultwarden/wiki/Disable-registration-of-new-users",
    bad="services:\n  safe:\n    image: vaultwarden/server:1.34.3\n    environment: {SIGNUPS_ALLOWED: 'true'}\n",
    good="services:\n  safe:\n    image: vaultwarden/server:1.34.3\n    environment: {SIGNUPS_ALLOWED: 'false'}\n",
)
def open_sign_up(ctx: LintContext) -> Iterable[Finding]:
    """The variable of a well-known program that lets everybody sign up, switched on."""
    for service in ctx.services():
        image = str(service.data.get("image") or "").partition("@")[0].lower()
        for part, (variable, values) in _OPEN_DOORS.items():
            entry = service.environment.get(variable)
            if f"{part}:" in f"{image}:" and entry and (entry.value or "").strip().lower() in values:
                yield ctx.on(service, entry.path, f"{variable}={entry.value} lets everybody make an account.")


_OLD = {
    ("jwt_secret",): "identity_validation.reset_password.jwt_secret",
    ("default_redirection_url",): "session.cookies",
    ("server", "host"): "server.address",
    ("server", "port"): "server.address",
    ("server", "path"): "server.address",
    ("session", "domain"): "session.cookies",
    ("notifier", "smtp", "host"): "notifier.smtp.address",
    ("notifier", "smtp", "port"): "notifier.smtp.address",
    ("storage", "mysql", "host"): "storage.mysql.address",
    ("storage", "postgres", "host"): "storage.postgres.address",
}
"""Keys up to Authelia 4.37 and what took their place in 4.38 (Authelia's guide to that version)."""


@rule(
    "HL310",
    Severity.WARNING,
    "Authelia's configuration of another time",
    why="Since 4.38 these keys are only translated, with a warning at each start, and a later version takes them away: "
    "after an update nobody gets in.",
    link=AUTHELIA,
    bad="services:\n  authelia:\n    image: authelia/authelia:4.39.4\n    configs: [{source: auth, target: "
    "/config/configuration.yml}]\nconfigs:\n  auth:\n    content: |\n      session: {domain: example.org}\n",
    good="services:\n  authelia:\n    image: authelia/authelia:4.39.4\n    configs: [{source: auth, target: "
    "/config/configuration.yml}]\nconfigs:\n  auth:\n    content: |\n      session:\n"
    "        cookies: [{domain: example.org, authelia_url: 'https://auth.example.org'}]\n",
)
def old_configuration(ctx: LintContext) -> Iterable[Finding]:
    """Keys of Authelia 4.37 and before in ``configuration.yml``."""
    for file in ctx.lab.authelia_files:
        for path, instead in _OLD.items():
            part = file.data
            for step in path:
                part = part.get(step) if isinstance(part, dict) else None
            if part is not None:
                message = f"{'.'.join(path)} is of a time before 4.38: it is {instead} now."
                yield ctx.at(file, path, message, key=True)
