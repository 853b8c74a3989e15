"""HL350 to HL352: what can never fail, never rests, and never was there."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks.folders_used import folders_used
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import words_of
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.model.finding import Finding, Severity

SERVICES = "https://docs.docker.com/reference/compose-file/services/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"
_ALWAYS_WELL = re.compile(r"(?:\|\||;)\s?(?:exit 0|/?(?:usr/)?(?:bin/)?true|:)(?: ?;)?\Z")
_ENDS_BEFORE = re.compile(
    r"(?:^|[;&|({)`\n]|\b(?:then|else|do)\b) ?(?:exec|return|trap|exit(?! 0(?:\W|$))|(?:kill|pkill|killall)(?! -0))\b"
    r"|\berrexit\b|\bset -\w*e|sh -\w*e"
)
"""What may end the shell with a failure before its last part, which then says nothing, or heals what is ill."""


@rule(
    "HL350",
    Severity.WARNING,
    "A health check that can never fail",
    why="Whatever the check finds, its last word says that all is well: nobody learns when the service is ill, and "
    "who waits for it to be healthy goes on at once.",
    link=f"{SERVICES}#healthcheck",
    bad=f"{HEAD}    healthcheck: {{test: [CMD-SHELL, 'curl -f http://localhost || exit 0']}}\n",
    good=f"{HEAD}    healthcheck: {{test: [CMD-SHELL, 'curl -f http://localhost || exit 1']}}\n",
    needs="healthcheck",
)
def never_fails(ctx: LintContext) -> Iterable[Finding]:
    """A shell's test that ends in ``|| true``, ``|| exit 0`` or the like."""
    for service in ctx.services():
        check = service.data.get("healthcheck")
        test = check.get("test") if isinstance(check, dict) else None
        path: tuple[str | int, ...] = ("healthcheck", "test")
        if isinstance(test, list):
            path, test = (*path, len(test) - 1), test[-1] if _by_shell(test) else None
        last = _ALWAYS_WELL.search(_narrow(test)) if isinstance(test, str) and not is_open(test) else None
        if last and not _ENDS_BEFORE.search(last.string[: last.start()]):
            yield ctx.on(service, path, "Its last part makes of every failure a success.")


def _narrow(text: str) -> str:
    """One blank for many, and no empty lines: a search that is given thousands of them takes minutes."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _by_shell(parts: list[object]) -> bool:
    return (parts[:1] == ["CMD-SHELL"] and len(parts) == 2) or (
        parts[:1] == ["CMD"] and parts[2:3] == ["-c"] and str(parts[1]).endswith("sh") and len(parts) == 4
    )


_ONCE = {
    "restic/restic": "backup check copy diff dump find forget init key list migrate prune repair restore snapshots "
    "stats tag",
    "rclone/rclone": "bisync check copy copyto copyurl delete deletefile dedupe ls lsd lsf lsl move moveto purge size "
    "sync",
    "certbot/certbot": "certonly renew certificates delete revoke register",
}
"""Image -> commands with which its program does one thing and ends (their manuals)."""
_SWITCHES = (
    *("-v", "-vv", "-vvv", "--verbose", "-q", "--quiet", "--json", "--no-lock", "--no-cache", "--cleanup-cache"),
    *("--insecure-tls", "-P", "--progress", "--dry-run", "-n", "--non-interactive", "--agree-tos"),
)
"""Options of these programs that take no value, so that the command may follow (their manuals)."""
_CURL = "curlimages/curl"
_WORD = re.compile(r"[a-z]+")


@rule(
    "HL351",
    Severity.WARNING,
    "A job that is started again for ever",
    why="The command does its work once and ends, and this restart policy starts it again the moment it has: over and "
    "over, with a load and a log to fit. Let something start it by the clock, and set restart to no or on-failure.",
    link="https://docs.docker.com/engine/containers/start-containers-automatically/",
    bad="services:\n  backup:\n    image: restic/restic:0.18.0\n    command: [backup, /data]\n    restart: always\n",
    good="services:\n  backup:\n    image: restic/restic:0.18.0\n    command: [backup, /data]\n    restart: 'no'\n",
    needs="restart",
)
def never_rests(ctx: LintContext) -> Iterable[Finding]:
    """A program that ends by itself, under a policy that also starts again what ended well."""
    for service in ctx.services():
        if service.data.get("restart") not in ("always", "unless-stopped") or "entrypoint" in service.data:
            continue
        image = str(service.data.get("image") or "").removeprefix("docker.io/")
        what = _ends(image.partition("@")[0].partition(":")[0], words_of(service, "command"))
        if what:
            yield ctx.on(service, ("restart",), f"{what} ends when it is done, and this starts it again at once.")


def _ends(image: str, words: list[str]) -> str:
    """The command that ends by itself; "" for one that may last, or where nobody can tell."""
    if image == _CURL:
        # Its entrypoint runs a first word that is a program of the image, such as a shell, as that program.
        return "curl" if words and (words[0].startswith("-") or "://" in words[0]) else ""
    once = _ONCE.get(image, "").split()
    perhaps: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        if not _WORD.fullmatch(word):
            continue
        if not before.startswith("-") or "=" in before or before in _SWITCHES:
            return word if word in once else ""
        perhaps.append(word)  # the command behind another switch, or the value of an option
    return perhaps[0] if perhaps and set(perhaps) <= set(once) else ""


_ALIKE = 0.75


@rule(
    "HL352",
    Severity.WARNING,
    "A mounted folder whose name is nearly another's",
    why="Docker makes a folder that is not there, empty and owned by root: the service begins with nothing, while "
    "what it should have lies beside it under a name that differs by a letter.",
    link="https://docs.docker.com/engine/storage/bind-mounts/",
    bad=f"{HEAD}    volumes: ['./htlm:/usr/share/nginx/html'] # beside it is the folder html\n",
    good=f"{HEAD}    volumes: ['./html:/usr/share/nginx/html']\n",
    needs="volumes",
)
def never_was_there(ctx: LintContext) -> Iterable[Finding]:
    """A bind mount of a folder that is not there, beside one that is alike and that no stack of the lab uses."""
    for service in ctx.having("volumes") if ctx.lab.whole else ():
        exists, names = service.stack.exists, service.stack.names
        for mount in service.mounts:
            if exists is None or names is None:
                break
            if mount.kind != "bind" or mount.open or not mount.source.startswith(".") or exists(mount.source):
                continue
            folder, name = posixpath.split(mount.source.rstrip("/"))
            if posixpath.splitext(name)[1] or not name:
                continue
            place = posixpath.normpath(posixpath.join(posixpath.dirname(service.stack.file), folder))
            used = folders_used(ctx.lab)
            free = [n for n in _folders(names(place)) if posixpath.normpath(posixpath.join(place, n)) not in used]
            near = next((n for n in difflib.get_close_matches(name, free, n=3, cutoff=_ALIKE) if _slip(n, name)), "")
            if near:
                message = f"There is no folder {mount.source!r}: Docker would make it, empty. Did you mean {near!r}?"
                yield ctx.on(service, mount.at("source"), message)


def _folders(names: Iterable[str] | None) -> Iterator[str]:
    return (name.rstrip("/") for name in names or () if name.endswith("/"))


def _slip(near: str, name: str) -> bool:
    """False where they differ by a number or a part of their own: a second one of a kind is no slip."""
    parts = [re.split(r"[-_. 0-9]+", text.casefold()) for text in (near, name)]
    return len(name) >= 4 and len(parts[0]) == len(parts[1]) and parts[0] != parts[1]
