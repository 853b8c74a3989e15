"""HL265 to HL267: what a program needs to start: its consent and keys, its file by the right name, a place to write."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks.app_folders import repository
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import is_client, words_of
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

MINECRAFT = "services:\n  game:\n    image: itzg/minecraft-server:2025.8.0\n    volumes: ['./data:/data']\n"
PROMETHEUS = (
    "services:\n  prometheus:\n    image: prom/prometheus:v3.5.0\n"
    "    volumes: ['./prometheus.yml:/etc/prometheus/prometheus.yml:ro', 'data:/prometheus']\n"
)
WEB = "services:\n  web:\n    image: nginx:1.29\n    read_only: true\n"


@rule(
    "HL265",
    Severity.WARNING,
    "A program that is not told what it asks for",
    why="Without this the program ends as soon as it starts and says what it misses in its log.",
    link="https://docker-minecraft-server.readthedocs.io/en/latest/",
    bad=MINECRAFT,
    good=f"{MINECRAFT}    environment: {{EULA: 'TRUE'}}\n",
)
def not_told(ctx: LintContext) -> Iterable[Finding]:
    """Variables without which a well-known program does not start; a tunnel without its token."""
    for service in ctx.services():
        name = repository(service)
        unseen = service.partial or service.data.get("env_file") or service.data.get("entrypoint")
        if unseen or name not in _ASKED:
            continue
        for names in _ASKED[name]:
            found = [service.environment[n] for n in _ways(names) if n in service.environment]
            if not found and not _in_words(service, name):
                severity = Severity.ERROR if names in _CONSENT else None
                message = f"It needs {names.partition('|')[0]}, and has none."
                yield ctx.on(service, (), message, severity=severity)
            elif found and names == "EULA" and not found[0].open and (found[0].value or "").lower() not in _YES:
                message = "It starts only with EULA: 'TRUE'."
                yield ctx.on(service, found[0].path, message, severity=Severity.ERROR)


def _ways(names: str) -> Iterator[str]:
    for name in names.split("|"):
        yield from (name, f"{name}_FILE", f"FILE__{name}")


def _in_words(service: ServiceView, name: str) -> bool:
    """True where a tunnel is run otherwise than by its token: told in the command, or by a file of its own."""
    words = words_of(service, "command")
    if name != "cloudflare/cloudflared":
        return False
    return "run" not in words or any(w.startswith(("--token", "--config")) for w in words) or bool(service.mounts)


_CONSENT = frozenset({"EULA", "TUNNEL_TOKEN"})
"""What no image of any version does without."""
_YES = frozenset({"true", "yes", "1", "on"})
_ASKED: dict[str, tuple[str, ...]] = {
    "itzg/minecraft-server": ("EULA",),
    "itzg/minecraft-bedrock-server": ("EULA",),
    "cloudflare/cloudflared": ("TUNNEL_TOKEN",),
    "paperless-ngx/paperless-ngx": ("PAPERLESS_REDIS",),
    "goauthentik/server": ("AUTHENTIK_SECRET_KEY",),
    "linuxserver/bookstack": ("APP_KEY", "DB_HOST"),
    "linuxserver/speedtest-tracker": ("APP_KEY",),
    "linuxserver/duckdns": ("SUBDOMAINS", "TOKEN"),
    "linkwarden/linkwarden": ("NEXTAUTH_SECRET", "DATABASE_URL"),
    "plankanban/planka": ("BASE_URL", "SECRET_KEY", "DATABASE_URL"),
    "umami-software/umami": ("DATABASE_URL",),
    "fireflyiii/core": ("APP_KEY",),
    "plausible/community-edition": ("BASE_URL", "SECRET_KEY_BASE"),
    "karakeep-app/karakeep": ("NEXTAUTH_SECRET",),
}
"""Image -> variables (``a|b``: either) without which it ends at the start; each program's installation page."""


@rule(
    "HL266",
    Severity.WARNING,
    "A file that lies in the container under another name",
    why="The program is told to read one path, and what is mounted stands at another: it reads the image's own file, "
    "or ends because there is none.",
    link="https://docs.docker.com/engine/storage/bind-mounts/",
    bad=f"{PROMETHEUS}    command: ['--config.file=/etc/prometheus/prometheus.yaml']\nvolumes: {{data: }}\n",
    good=f"{PROMETHEUS}    command: ['--config.file=/etc/prometheus/prometheus.yml']\nvolumes: {{data: }}\n",
)
def other_name(ctx: LintContext) -> Iterable[Finding]:
    """A path in the command or a variable beside a mounted file of nearly its name; host folders that nobody mounts."""
    for service in ctx.services():
        places = _places(service)
        if not places or any(m.open for m in service.mounts):
            continue
        for path, name, value in _paths(service):
            if value in places or any(value.startswith(f"{p}/") for p in places if "." not in posixpath.basename(p)):
                continue
            if name in _OF_HOST:
                yield ctx.on(service, path, f"Nothing is mounted at {value}.")
            elif posixpath.splitext(value)[1] in _ENDS:
                near = _alike(value, places)
                if near:
                    yield ctx.on(service, path, f"Nothing is mounted at {value}. Did you mean {near!r}?")


def _alike(value: str, places: set[str]) -> str:
    """The mounted file that is meant: of one kind and beside it, or of its very name elsewhere."""
    folder, name = posixpath.split(value)
    for place in sorted(places):
        there, other = posixpath.split(place)
        if posixpath.splitext(other)[1] not in _ENDS:
            continue
        stem, known = posixpath.splitext(name)[0], posixpath.splitext(other)[0]
        if there == folder and (stem == known or difflib.SequenceMatcher(None, name, other).ratio() >= 0.7):
            return place
        if there != folder and name == other:
            return place
    return ""


_ENDS = frozenset({".yml", ".yaml", ".toml", ".json", ".conf", ".ini", ".cfg", ".cnf", ".pem", ".crt", ".key", ".env"})
_OF_HOST = frozenset({"path.rootfs", "path.procfs", "path.sysfs"})


def _places(service: ServiceView) -> set[str]:
    found = {m.target.rstrip("/") or "/" for m in service.mounts if m.target}
    for part in ("secrets", "configs"):
        items = service.data.get(part)
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict) and item.get("target"):
                found.add(str(item["target"]))
    return found


def _paths(service: ServiceView) -> Iterator[tuple[Path, str, str]]:
    """(where, option or variable, path) of what a service is told to read."""
    part = service.data.get("command")
    words = part if isinstance(part, list) else words_of(service, "command")
    for n, word in enumerate(words):
        name, _, value = str(word).lstrip("-").partition("=")
        if not value and n + 1 < len(words) and str(word).startswith("-"):
            value = str(words[n + 1])
        if value.startswith("/") and not is_open(word) and str(word).startswith("-"):
            yield ("command", n) if isinstance(part, list) else ("command",), name, value
    for key, entry in service.environment.items():
        if entry.value and entry.value.startswith("/") and not entry.open and re.fullmatch(r"[\w./-]+", entry.value):
            yield entry.path, key, entry.value


@rule(
    "HL267",
    Severity.WARNING,
    "A read-only container without the places that it writes to",
    why="The program writes its socket, process id or temporary files there, gets 'Read-only file system' and ends. A "
    "tmpfs at each of these places lets it start.",
    link="https://docs.docker.com/reference/compose-file/services/#read_only",
    bad=WEB,
    good=f"{WEB}    tmpfs: [/var/cache/nginx, /run]\n",
    needs="read_only",
)
def nowhere_to_write(ctx: LintContext) -> Iterable[Finding]:
    """``read_only`` for well-known images whose start was seen to fail with it, without a mount at what they write."""
    for service in ctx.having("read_only"):
        wanted = _WRITTEN.get(repository(service), ())
        if service.data["read_only"] not in (True, "true") or service.partial or is_client(service):
            continue
        part = service.data.get("tmpfs")
        tmpfs = [part] if isinstance(part, str) else part if isinstance(part, list) else []
        places = [str(t).partition(":")[0].rstrip("/") for t in tmpfs]
        places += [m.target.rstrip("/") for m in service.mounts if not m.read_only]
        own = any(m.target.endswith("nginx.conf") for m in service.mounts) or service.data.get("configs")
        for either in wanted if not own else ():
            if not any(f"{p}/".startswith(f"{known}/") for p in either.split("|") for known in places):
                yield ctx.on(
                    service, ("read_only",), f"It writes to {either.partition('|')[0]}; give it a tmpfs there."
                )
                break


_WRITTEN = {
    "nginx": ("/var/cache/nginx", "/run|/var/run"),
    "postgres": ("/var/run/postgresql|/run/postgresql",),
    "mariadb": ("/run/mysqld|/var/run/mysqld",),
    "mysql": ("/var/run/mysqld|/run/mysqld",),
    "httpd": ("/usr/local/apache2/logs",),
}
"""Image -> what it writes at every start (its pid file, socket or cache), by its Dockerfile and configuration."""
