"""HL143 to HL147: mounts and volumes that the engine refuses, or that are not what they look like."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Any

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_container import texts
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_external, is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

SERVICES = "https://docs.docker.com/reference/compose-file/services/"
VOLUMES = "https://docs.docker.com/reference/compose-file/volumes/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"


def _entries(service: ServiceView) -> Iterator[tuple[dict[str, Any], Path]]:
    """Volumes in long form without open variables, and where."""
    part = service.data.get("volumes")
    for n, item in enumerate(part if isinstance(part, list) else ()):
        if isinstance(item, dict) and not any(is_open(v) for v in item.values()):
            yield item, ("volumes", n)


@rule(
    "HL143",
    Severity.ERROR,
    "A tmpfs that the engine refuses",
    why="A tmpfs is /path or /path:options, and its options are the kernel's: a size is a number with k, m, g or %, a "
    "mode is octal digits. Compose passes them on unread; the container is then refused or does not start.",
    link=f"{SERVICES}#tmpfs",
    bad=f"{HEAD}    tmpfs: ['/tmp:size=64MB']\n",
    good=f"{HEAD}    tmpfs: ['/tmp:size=64m,mode=1777']\n",
    needs="tmpfs",
)
def bad_tmpfs(ctx: LintContext) -> Iterable[Finding]:
    """A relative place, the root, or an option that the kernel cannot read."""
    for service in ctx.having("tmpfs"):
        for text, path in texts(service, "tmpfs"):
            place, _, options = text.partition(":")
            if not place.startswith("/"):
                yield ctx.on(service, path, f"The place {place!r} must begin with '/'.")
            elif posixpath.normpath(place) in {"/", "//"}:
                yield ctx.on(service, path, "Nothing can be mounted over the container's root.")
            for option in filter(None, options.split(",")):
                problem = _tmpfs_problem(option)
                if problem:
                    yield ctx.on(service, path, problem)


def _tmpfs_problem(option: str) -> str:
    name, equals, value = option.partition("=")
    if not equals and name in _TMPFS_FLAGS:
        return ""
    if not equals or name not in _TMPFS_VALUES:
        near = difflib.get_close_matches(name, [*_TMPFS_FLAGS, *_TMPFS_VALUES], n=1)
        return f"A tmpfs has no option {name!r}." + (f" Did you mean {near[0]!r}?" if near else "")
    if not re.fullmatch(_TMPFS_VALUES[name], value):
        wanted = {"mode": "octal digits such as 1777", "size": "a number with k, m, g or %"}.get(name, "a number")
        return f"'{name}' is {wanted}, not {value!r}."
    return ""


_TMPFS_FLAGS = frozenset(
    {"ro", "rw", "exec", "noexec", "suid", "nosuid", "dev", "nodev", "sync", "async", "dirsync", "remount", "mand"}
    | {"nomand", "atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime", "strictatime", "defaults"}
    | {"nostrictatime", "private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"}
)
_TMPFS_VALUES = {
    "size": r"[0-9]+[kKmMgGtT%]?",
    "mode": r"[0-7]{1,5}",
    "uid": r"[0-9]+",
    "gid": r"[0-9]+",
    "nr_inodes": r"[0-9]+[kKmMgG]?",
    "nr_blocks": r"[0-9]+[kKmMgG]?",
    "mpol": r".+",
}


@rule(
    "HL144",
    Severity.ERROR,
    "A Windows path",
    why="An engine on Linux has no drives: it refuses C:\\data, and .\\data makes a file whose name has a backslash.",
    link=f"{SERVICES}#volumes",
    bad=f"{HEAD}    volumes: ['C:/data:/data']\n",
    good=f"{HEAD}    volumes: ['./data:/data']\n",
)
def windows_path(ctx: LintContext) -> Iterable[Finding]:
    """A short volume whose source is on a drive, or a relative path with backslashes."""
    for service in ctx.having("volumes"):
        for text, path in texts(service, "volumes"):
            if text[1:2] != ":" and "\\" not in text:
                continue
            if re.match(r"[A-Za-z]:[\\/].*:", text):
                source = text.rpartition(":")[0]
                message = f"{source!r} reads as a Windows path, which an engine on Linux has not."
                yield ctx.on(service, path, message)
            elif re.match(r"\.{1,2}\\", text):
                message = "On Linux a backslash is part of the name, not a separator; write './'."
                yield ctx.on(service, path, message, severity=Severity.WARNING)


@rule(
    "HL145",
    Severity.WARNING,
    "A named volume where a file belongs",
    why="A named volume is always a folder: at a file's place the program finds a folder, or the container does not "
    "start. A file of yours is mounted by its path, which begins with './' or '/'.",
    link=f"{SERVICES}#volumes",
    bad=f"{HEAD}    volumes: ['site:/etc/nginx/nginx.conf']\nvolumes:\n  site:\n",
    good=f"{HEAD}    volumes: ['./nginx.conf:/etc/nginx/nginx.conf:ro']\n",
)
def volume_as_file(ctx: LintContext) -> Iterable[Finding]:
    """A named volume mounted at a path that ends like a file's."""
    for service in ctx.having("volumes"):
        for mount in service.mounts:
            named = mount.kind == "volume" and mount.source and not mount.open
            if named and posixpath.splitext(mount.target)[1].lower() in _FILES:
                yield ctx.on(service, mount.at("source"), f"The volume {mount.source!r} is a folder, not a file.")


_FILES = frozenset(
    {".yml", ".yaml", ".json", ".conf", ".cfg", ".ini", ".toml", ".env", ".xml", ".txt", ".log", ".pem", ".crt", ".key"}
    | {".sqlite", ".sqlite3", ".sh", ".py", ".properties", ".sql", ".cnf", ".lua", ".js", ".php", ".html"}
)


@rule(
    "HL146",
    Severity.ERROR,
    "A volume that the engine cannot make",
    why="The local driver takes type, o and device only, a bind needs an absolute device that is there, and a volume's "
    "name is letters, digits, '_', '.' and '-', at least two.",
    link=f"{VOLUMES}#driver_opts",
    bad=f"{HEAD}    volumes: ['data:/data']\nvolumes:\n  data: {{name: my data}}\n",
    good=f"{HEAD}    volumes: ['data:/data']\nvolumes:\n  data: {{name: my-data}}\n",
)
def bad_volume(ctx: LintContext) -> Iterable[Finding]:
    """A top-level volume with a name, a driver or driver options that the engine refuses."""
    for stack in ctx.lab.stacks:
        for key, body in stack.section("volumes").items():
            if not isinstance(body, dict) or is_external(body):
                continue
            name, driver = body.get("name"), body.get("driver")
            if isinstance(name, str) and name and not is_open(name) and not _VOLUME.fullmatch(name):
                yield ctx.at(stack, ("volumes", key, "name"), f"{str(name)!r} cannot be a volume's name.")
            if isinstance(driver, str) and driver and not is_open(driver) and driver != "local":
                if difflib.get_close_matches(driver, ["local"], n=1, cutoff=0.75):
                    yield ctx.at(stack, ("volumes", key, "driver"), "Did you mean 'local'?")
            elif not is_open(driver):
                for option, problem in _local_problems(body.get("driver_opts")):
                    yield ctx.at(stack, ("volumes", key, "driver_opts", option), problem, key=True)


_VOLUME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]+")


def _local_problems(options: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(options, dict) or any(is_open(v) for v in options.values()):
        return
    for name in options:
        if name not in {"type", "o", "device", "size"}:
            yield str(name), f"The local driver has no option {str(name)!r}; it has type, o and device."
    device = options.get("device")
    if not device and (options.get("o") or options.get("type")):
        yield "o" if options.get("o") else "type", "The option 'device' is missing: what is to be mounted?"
    binds = {"bind", "rbind"} & set(str(options.get("o")).split(","))
    if isinstance(device, str) and binds and not device.startswith("/"):
        yield "device", f"{device!r} is seen from the engine, not from this folder; write the absolute path."


@rule(
    "HL147",
    Severity.ERROR,
    "A volume entry that is not complete, or too much",
    why="A bind needs its source, every mount its target, a tmpfs has no source, and the short form has three parts at "
    "most: Compose or the engine refuses the rest.",
    link=f"{SERVICES}#long-syntax-6",
    bad=f"{HEAD}    volumes: [{{type: bind, target: /data}}]\n",
    good=f"{HEAD}    volumes: [{{type: bind, source: ./data, target: /data}}]\n",
)
def bad_entry(ctx: LintContext) -> Iterable[Finding]:
    """A long form without its parts, a short one with too many, a blank at a path's end."""
    for service in ctx.services():
        for item, path in _entries(service):
            kind = item.get("type")
            if not item.get("target"):
                both = isinstance(item.get("source"), str) and ":/" in item["source"]
                yield ctx.on(
                    service, (*path, "source") if both else path, "'target' is missing: where in the container?"
                )
            elif kind == "bind" and not item.get("source"):
                yield ctx.on(service, path, "'source' is missing: what of the host?")
            elif kind == "tmpfs" and item.get("source"):
                yield ctx.on(service, (*path, "source"), "A tmpfs has no source.", key=True)
            source, bind, exists = item.get("source"), item.get("bind"), service.stack.exists
            kept = isinstance(bind, dict) and bind.get("create_host_path") is False
            if kept and exists and isinstance(source, str) and source[:1] not in "~$" and not exists(source):
                message = f"There is no {source!r}, and Docker is told not to make it."
                yield ctx.on(service, (*path, "source"), message)
        for text, path in texts(service, "volumes"):
            if text[1:2] == ":":
                continue
            if text.count(":") > 2:
                yield ctx.on(service, path, "Too many colons: it is source:target:options.")
            elif text != text.rstrip():
                message = "The blank at the end is part of the path."
                yield ctx.on(service, path, message, severity=Severity.WARNING)


@rule(
    "HL164",
    Severity.INFO,
    "A path that depends on who runs Compose",
    why="'~' is the home folder of whoever runs Compose: started by root, by a timer or by another person the service "
    "finds an empty folder there. '~name' is not that person's home but a folder in one's own.",
    link=f"{SERVICES}#volumes",
    bad=f"{HEAD}    volumes: ['~/data:/data']\n",
    good=f"{HEAD}    volumes: ['./data:/data']\n",
)
def home_path(ctx: LintContext) -> Iterable[Finding]:
    """A mount whose source begins with ``~``; a warning for ``~name``, which Compose takes otherwise than a shell."""
    for service in ctx.having("volumes"):
        for mount in service.mounts:
            if mount.source.startswith("~") and not mount.open:
                if mount.source[1:2] in ("", "/"):
                    message = "'~' is the home of whoever runs Compose; write the whole path, or './'."
                    yield ctx.on(service, mount.at("source"), message)
                else:
                    message = f"Compose reads {mount.source!r} as '~/{mount.source[1:]}', not as that person's home."
                    yield ctx.on(service, mount.at("source"), message, severity=Severity.WARNING)
