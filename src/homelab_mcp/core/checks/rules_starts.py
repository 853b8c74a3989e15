"""HL311, HL312: images that do nothing without a command, and builds without what they are built from."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterable

from homelab_mcp.core.checks.app_folders import repository
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import words_of
from homelab_mcp.core.checks.variable_words import one_off
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

SERVICES = "https://docs.docker.com/reference/compose-file/services/"
BUILD = "https://docs.docker.com/reference/compose-file/build/"
STORE = "services:\n  store:\n    image: minio/minio:RELEASE.2025-06-13T11-33-47Z\n    volumes: ['./data:/data']\n"


@rule(
    "HL311",
    Severity.ERROR,
    "An image that is not told what to run",
    why="The image starts a tool with many subcommands. Without one it prints its help and ends, and a restart policy "
    "has it print its help for ever.",
    link=f"{SERVICES}#command",
    bad=STORE,
    good=f"{STORE}    command: server /data\n",
)
def not_told_what(ctx: LintContext) -> Iterable[Finding]:
    """A tool's image without a subcommand in ``command``, or with one that is a letter off one of the tool's."""
    for service in ctx.services():
        known = _SUBCOMMANDS.get(repository(service))
        # What is built here may have a start of its own.
        own = service.partial or service.data.get("entrypoint") or service.data.get("build")
        if not known or own or is_open(service.data.get("command")):
            continue
        words = words_of(service, "command")
        if not words:
            yield ctx.on(service, (), f"It needs a command ({known.split()[0]} ...).")
            continue
        first = str(words[0])
        # Each release may bring further ones: only a slip of one letter is sure to be none of them.
        near = "" if first in known.split() else next((w for w in known.split() if one_off(first, w)), "")
        if near and re.fullmatch(r"[a-z-]{4,}", first):
            path: Path = ("command", 0) if isinstance(service.data["command"], list) else ("command",)
            yield ctx.on(service, path, f"It has no subcommand {first!r}. Did you mean {near!r}?")


_HEADSCALE = (
    "serve headscale apikeys auth completion configtest debug generate health help mockoidc namespaces nodes policy "
    "preauthkeys routes users version"
)
_SUBCOMMANDS = {
    "minio/minio": "server gateway minio",
    "cloudflare/cloudflared": "tunnel access forward help login management proxy-dns service tail update version",
    "keycloak/keycloak": "start start-dev build import export show-config bootstrap-admin tools update-compatibility",
    "headscale/headscale": _HEADSCALE,
    "juanfont/headscale": _HEADSCALE,
    "goauthentik/server": "server worker",
    "surrealdb/surrealdb": "start",
    "rclone/rclone": "serve mount rcd sync copy move bisync about archive authorize backend cachestats cat check "
    "checksum cleanup cmount completion config convmv copyto copyurl cryptcheck cryptdecode csvrun dbhashsum dedupe "
    "delete deletefile genautocomplete gendocs gitannex gui hashsum help link listremotes ls lsd lsf lsjson lsl md5sum "
    "mkdir mount2 moveto ncdu nfsmount obscure purge rc rcat rmdir rmdirs selfupdate settier sha1sum size test touch "
    "tree version",
}
"""Image -> subcommands, that which most want first: each of these has an entry point and no CMD that does its work
(the Dockerfiles of minio/minio, cloudflare/cloudflared, keycloak/keycloak, rclone/rclone and surrealdb/surrealdb,
authentik's lifecycle/ak, headscale's page on containers; rclone's by its reference of commands). A word that is near
none of these may be another of theirs.
"""


@rule(
    "HL312",
    Severity.WARNING,
    "Nothing to build from",
    why="Compose takes the file as it is; the build then ends because its folder or its Dockerfile is not there.",
    link=f"{BUILD}#dockerfile",
    bad="services:\n  web:\n    build: {context: ./gone}\n",
    good="services:\n  web:\n    build:\n      dockerfile_inline: FROM nginx:1.29\n",
    needs="build",
)
def nothing_to_build(ctx: LintContext) -> Iterable[Finding]:
    """A build's folder or Dockerfile that is not on disk; an error where the folder has one of another name."""
    for service in ctx.having("build"):
        exists, build = service.stack.exists, service.data["build"]
        form = build if isinstance(build, dict) else {"context": build}
        context = form.get("context") or "."
        if exists is None or service.partial or not folder_of_build(context) or "dockerfile_inline" in form:
            continue
        path: Path = ("build", "context") if isinstance(build, dict) and "context" in build else ("build",)
        if not exists(context):
            yield ctx.on(service, path, f"There is no folder {context!r}.")
            continue
        given = form.get("dockerfile")
        if given is not None and (not isinstance(given, str) or is_open(given) or not given):
            continue
        file = posixpath.join(context, given or "Dockerfile")
        # A builder that finds no "Dockerfile" takes a "dockerfile" beside it (buildx, handleLowercaseDockerfile).
        lower = posixpath.join(posixpath.dirname(file), "dockerfile")
        if not exists(file) and not (posixpath.basename(file) == "Dockerfile" and exists(lower)):
            others = _recipes(service, context)
            near = difflib.get_close_matches(posixpath.basename(file), others, n=1, cutoff=0.0)
            tail = f" There is {near[0]!r}." if near else ""
            where = ("build", "dockerfile") if given else path
            yield ctx.on(service, where, f"There is no {file!r}.{tail}", severity=Severity.ERROR if near else None)


def folder_of_build(context: object) -> bool:
    """True for a context that is a folder of this machine, known to its last character."""
    return isinstance(context, str) and not is_open(context) and not _FAR.match(context) and context[:1] not in "~$"


_FAR = re.compile(r"[a-z+-]+://|git@|github\.com/|docker-image:|oci-layout:|service:|.*\.git(?:#|$)")
"""Contexts that are no folders of this machine (Compose Build Specification, "context")."""


def _recipes(service: ServiceView, context: str) -> list[str]:
    """Files of the folder that look like Dockerfiles; [] where nobody can look."""
    if service.stack.names is None:
        return []
    place = posixpath.normpath(posixpath.join(posixpath.dirname(service.stack.file), context))
    return [n for n in service.stack.names(place) or () if _RECIPE.search(n)]


_RECIPE = re.compile(r"(?i)(?:docker|container)file(?!.*\.(?:md|txt|dockerignore)$)")
