"""HL313, HL314: programs without the container that does their work, and settings where their program never looks."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from homelab_mcp.core.checks.app_folders import repository
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import words_of
from homelab_mcp.core.checks.view import Lab, ServiceView
from homelab_mcp.model.finding import Finding, Severity

SIGN_ON = (
    "services:\n  server:\n    image: ghcr.io/goauthentik/server:2025.8.1\n    command: server\n"
    "    environment: {AUTHENTIK_SECRET_KEY: '${KEY:-}'}\n"
)
MOSQUITTO = "services:\n  mqtt:\n    image: eclipse-mosquitto:2.0.22\n"


@rule(
    "HL313",
    Severity.WARNING,
    "A program without its worker",
    why="The page opens, and everything that is to happen behind it (mail, imports, outposts, workflows) waits for "
    "ever: a second container of the program does that, and there is none.",
    link="https://docs.goauthentik.io/core/architecture/",
    bad=SIGN_ON,
    good=f"{SIGN_ON}  worker:\n    image: ghcr.io/goauthentik/server:2025.8.1\n    command: worker\n"
    "    environment: {AUTHENTIK_SECRET_KEY: '${KEY:-}'}\n",
)
def no_worker(ctx: LintContext) -> Iterable[Finding]:
    """The web half of a program that has a worker, in a lab without one."""
    for service in ctx.services():
        known = _WORKERS.get(repository(service))
        if known is None or not ctx.lab.whole:
            continue
        page, word = known
        words = _words(service)
        if word in words or not _is_page(service, page, words) or _has_worker(ctx.lab, repository(service), word):
            continue
        message = f"It leaves its work to a second container with {word!r} in its command, and there is none."
        yield ctx.on(service, (), message)


def _words(service: ServiceView) -> str:
    return " ".join([*words_of(service, "command"), *words_of(service, "entrypoint")])


def _is_page(service: ServiceView, page: str, words: str) -> bool:
    """True for the half that people visit; ``page`` is a word of its command, or a variable with its value."""
    name, equals, value = page.partition("=")
    if equals:
        entry = service.environment.get(name)
        return entry is not None and entry.value == value
    return page in words


def _has_worker(lab: Lab, image: str, word: str) -> bool:
    for other in lab.services:
        if repository(other) == image and (other.partial or word in _words(other)):
            return True
        if not repository(other) and word in _words(other):
            return True  # Its image is a variable's or built here.
    return False


_WORKERS = {
    "goauthentik/server": ("server", "worker"),
    "n8nio/n8n": ("EXECUTIONS_MODE=queue", "worker"),
    "freikin/dawarich": ("server", "sidekiq"),
    "mastodon/mastodon": ("puma", "sidekiq"),
    "tootsuite/mastodon": ("puma", "sidekiq"),
    "chatwoot/chatwoot": ("rails s", "sidekiq"),
}
"""Image -> how its web half is told, a word of its worker's command (each project's own compose
file; https://docs.n8n.io/hosting/scaling/queue-mode/)."""


@rule(
    "HL314",
    Severity.WARNING,
    "Settings where their program does not look",
    why="The program reads its settings at one place. Mounted at another they are never read: it starts with those of "
    "the image, or not at all, and says nothing of the file.",
    link="https://doc.traefik.io/traefik/reference/install-configuration/boot-environment/",
    bad=f"{MOSQUITTO}    volumes: ['./mosquitto.conf:/etc/mosquitto/mosquitto.conf']\n",
    good=f"{MOSQUITTO}    volumes: ['./mosquitto.conf:/mosquitto/config/mosquitto.conf']\n",
    needs="volumes",
)
def never_read(ctx: LintContext) -> Iterable[Finding]:
    """A file by the name of a well-known program's settings, mounted elsewhere, that nothing tells the program of."""
    for service in ctx.having("volumes"):
        names, folders = _SETTINGS.get(service.image_name, ((), ()))
        unseen = service.partial or any(service.data.get(f) for f in ("env_file", "build", "volumes_from", "configs"))
        if not names or unseen or any(m.open for m in service.mounts):
            continue
        told = _words(service) + " ".join(e.value or "" for e in service.environment.values())
        targets = {posixpath.normpath(m.target) for m in service.mounts if m.target}
        if any(t in folders or (posixpath.dirname(t) in folders and posixpath.basename(t) in names) for t in targets):
            continue
        for mount in service.mounts:
            folder, name = posixpath.split(posixpath.normpath(mount.target))
            if name in names and folder not in folders and name not in told and folder not in told:
                message = f"{service.image_name} reads {posixpath.join(folders[0], name)}, not {mount.target}."
                yield ctx.on(service, mount.at("target"), message)


_SETTINGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "traefik": (("traefik.yml", "traefik.yaml", "traefik.toml"), ("/etc/traefik", "/", "/root/.config")),
    "eclipse-mosquitto": (("mosquitto.conf",), ("/mosquitto/config",)),
    "prometheus": (("prometheus.yml",), ("/etc/prometheus",)),
    "alertmanager": (("alertmanager.yml",), ("/etc/alertmanager",)),
    "caddy": (("Caddyfile",), ("/etc/caddy",)),
    "home-assistant": (("configuration.yaml",), ("/config",)),
    "authelia": (("configuration.yml", "configuration.yaml"), ("/config",)),
    "zigbee2mqtt": (("configuration.yaml",), ("/app/data",)),
    "haproxy": (("haproxy.cfg",), ("/usr/local/etc/haproxy",)),
    "adguardhome": (("AdGuardHome.yaml",), ("/opt/adguardhome/conf",)),
}
"""Image -> names of its settings' file, folders where it looks for it (each image's documentation)."""
