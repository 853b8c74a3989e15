"""HL334: variables that name a secret's file, in a folder of the stack that has no such file."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterable

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.traefik_places import Places
from homelab_mcp.core.checks.view import Mount, ServiceView
from homelab_mcp.model.finding import Finding, Severity

HEAD = "services:\n  db:\n    image: postgres:17.5\n    volumes: ['./db:/var/lib/postgresql/data', './s/pw:/pw:ro']\n"
_SECRET = re.compile(r"(?:PASSWORD|PASSWD|SECRET|TOKEN|KEY|JWT|CREDENTIALS?)_FILE$", re.IGNORECASE)
_ALIKE = 0.85
"""How alike two names are (difflib's ratio) of which one is the other misspelt; less, and it may be still to come."""


@rule(
    "HL334",
    Severity.WARNING,
    "A secret's file that is not in its folder",
    why="The program reads the secret from the file at its start: without the file it ends, or goes on without a "
    "password.",
    link="https://docs.docker.com/compose/how-tos/use-secrets/",
    bad="services:\n  db:\n    image: postgres:17.5\n    volumes: ['./db:/var/lib/postgresql/data', './s:/s:ro']\n"
    "    environment: {POSTGRES_PASSWORD_FILE: /s/password}\n",
    good=f"{HEAD}    environment: {{POSTGRES_PASSWORD_FILE: /pw}}\n",
    needs="environment",
)
def no_such_file(ctx: LintContext) -> Iterable[Finding]:
    """``*_FILE`` of a secret below a mounted folder of the stack; an error where a file there is all but called so."""
    for service in ctx.having("environment"):
        exists, names = service.stack.exists, service.stack.names
        if service.partial or exists is None:
            continue
        for entry in service.environment.values():
            text = (entry.value or "").strip()
            if not _SECRET.search(entry.key) or entry.open or not text.startswith("/") or "/run/secrets/" in text:
                continue
            mount = _mount_above(service, text)
            if (
                mount is None
                or Places(service).handed(text)
                or exists(posixpath.join(mount.source, text[len(mount.target.rstrip("/")) + 1 :]))
            ):
                continue
            folder, name = posixpath.split(text[len(mount.target.rstrip("/")) + 1 :])
            outside = posixpath.normpath(posixpath.join(posixpath.dirname(service.stack.file), mount.source, folder))
            known = [n for n in (names(outside) or () if names else ()) if not n.endswith("/")]
            near = difflib.get_close_matches(name, known, n=1)
            tail = f" Did you mean {near[0]!r}?" if near else ""
            severity = Severity.ERROR if near and _misspelt(entry.key, name, near[0], mount) else None
            message = f"{entry.key}: there is no {name!r} in {posixpath.join(mount.source, folder)}.{tail}"
            yield ctx.on(service, entry.path, message, severity=severity)


def _misspelt(key: str, name: str, near: str, mount: Mount) -> bool:
    """True where the file's name is all but surely meant: a key or token may be one that the program itself makes."""
    makes_it = key.upper().endswith(_MADE) and not mount.read_only
    same_kind = posixpath.splitext(name)[1] == posixpath.splitext(near)[1]
    return not makes_it and same_kind and difflib.SequenceMatcher(None, near, name).ratio() >= _ALIKE


_MADE = ("KEY_FILE", "TOKEN_FILE", "JWT_FILE", "SECRET_FILE")
"""What many programs write themselves at their first start, where they may."""


def _mount_above(service: ServiceView, path: str) -> Mount | None:
    """The nearest bind mount of a folder of the stack above a path; None where another mount is nearer."""
    above = [m for m in service.mounts if path == m.target or path.startswith(f"{m.target.rstrip('/')}/")]
    nearest = max(above, key=lambda m: len(m.target.rstrip("/")), default=None)
    if nearest is None or nearest.kind != "bind" or nearest.open or nearest.target == path:
        return None
    return nearest if nearest.source.startswith(".") else None
