"""HL090 to HL109: what a container may do to its host, and paths that lead out of the stack's folder."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import HOST_NETWORK
from homelab_mcp.core.checks.view import ServiceView, StackView
from homelab_mcp.core.compose_model import ComposeFile, is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

CIS = "https://www.cisecurity.org/benchmark/docker"
SERVICES = "https://docs.docker.com/reference/compose-file/services/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"


def _items(service: ServiceView, field: str) -> list[str]:
    part = service.data.get(field)
    return [str(item) for item in part] if isinstance(part, list) else []


@rule(
    "HL090",
    Severity.WARNING,
    "Privileged",
    why="A privileged container is root on the host. Give it the one capability or device it needs.",
    link=CIS,
    bad=f"{HEAD}    privileged: true\n",
    good=f"{HEAD}    cap_add: [NET_ADMIN]\n",
    needs="privileged",
)
def privileged(ctx: LintContext) -> Iterable[Finding]:
    """``privileged: true``."""
    for service in ctx.services():
        if service.data.get("privileged") in (True, "true"):
            yield ctx.on(service, ("privileged",), "It runs privileged: root on the host.", key=True)


@rule(
    "HL091",
    Severity.WARNING,
    "The Docker socket, writable",
    why="Who can write to the socket is root on the host. Read-only it is little better, but at least said; a socket "
    "proxy that allows reads only is.",
    link="https://cheatsheetseries.owasp.org/cheatsheets/Docker_Security_Cheat_Sheet.html",
    bad=f"{HEAD}    volumes: ['/var/run/docker.sock:/var/run/docker.sock']\n",
    good=f"{HEAD}    volumes: ['/var/run/docker.sock:/var/run/docker.sock:ro']\n",
)
def docker_socket(ctx: LintContext) -> Iterable[Finding]:
    """docker.sock mounted without ``:ro``."""
    for service in ctx.having("volumes"):
        for mount in service.mounts:
            if mount.source.endswith("docker.sock") and not mount.read_only:
                yield ctx.on(service, mount.at("source"), "The Docker socket is mounted writable: root on the host.")


@rule(
    "HL092",
    Severity.WARNING,
    "All capabilities",
    why="cap_add ALL, SYS_ADMIN and the like let a container take over the host.",
    link=CIS,
    bad=f"{HEAD}    cap_add: [ALL]\n",
    good=f"{HEAD}    cap_add: [NET_BIND_SERVICE]\n",
    needs="cap_add",
)
def capabilities(ctx: LintContext) -> Iterable[Finding]:
    """``cap_add`` of ALL, SYS_ADMIN, SYS_MODULE, SYS_PTRACE or another of that rank."""
    strong = {"ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_BOOT", "DAC_READ_SEARCH", "BPF", "MAC_ADMIN"}
    for service in ctx.having("cap_add"):
        for n, item in enumerate(_items(service, "cap_add")):
            if item.upper().removeprefix("CAP_") in strong:
                yield ctx.on(service, ("cap_add", n), f"The capability {item} is next to root on the host.")


@rule(
    "HL093",
    Severity.WARNING,
    "The host's own process, IPC or user space",
    why="In the host's namespaces a container sees and signals the host's processes.",
    link=CIS,
    bad=f"{HEAD}    pid: host\n",
    good=HEAD,
)
def host_namespaces(ctx: LintContext) -> Iterable[Finding]:
    """``pid``, ``ipc``, ``userns_mode``, ``uts`` or ``cgroup: host``."""
    for service in ctx.services():
        for field in ("pid", "ipc", "userns_mode", "uts", "cgroup"):
            if service.data.get(field) == "host":
                yield ctx.on(service, (field,), f"'{field}: host' shares the host's own.", key=True)


@rule(
    "HL094",
    Severity.WARNING,
    "Protection switched off",
    why="Without seccomp and AppArmor every kernel call is open to the container.",
    link="https://docs.docker.com/engine/security/seccomp/",
    bad=f"{HEAD}    security_opt: ['seccomp:unconfined']\n",
    good=f"{HEAD}    security_opt: ['no-new-privileges:true']\n",
    needs="security_opt",
)
def unconfined(ctx: LintContext) -> Iterable[Finding]:
    """``seccomp`` or ``apparmor`` unconfined, ``label:disable``, or ``no-new-privileges:false``."""
    for service in ctx.having("security_opt"):
        for n, item in enumerate(_items(service, "security_opt")):
            if "unconfined" in item or item.replace("=", ":") in {"label:disable", "no-new-privileges:false"}:
                yield ctx.on(service, ("security_opt", n), f"{item!r} switches a protection off.")


@rule(
    "HL095",
    Severity.WARNING,
    "A sensitive folder of the host",
    why="Through /, /etc, /root, /proc, /sys, /boot or Docker's own folder a container reaches everything on the host.",
    link=CIS,
    bad=f"{HEAD}    volumes: ['/:/host']\n",
    good=f"{HEAD}    volumes: ['./data:/data']\n",
)
def sensitive_mount(ctx: LintContext) -> Iterable[Finding]:
    """A bind mount of the host's root or a system folder; read-only ones are told as info, but for keys."""
    for service in ctx.services():
        for mount in service.mounts:
            source = posixpath.normpath(mount.source) if mount.source.startswith(("/", "~")) else ""
            sensitive = (
                source in _SENSITIVE
                or _HOME.fullmatch(source) is not None
                or source.startswith(("/root/", "/var/lib/docker/", "/etc/ssh/", *_KEYS))
            )
            if sensitive and not mount.open:
                keys = source in _SECRETS or source.startswith(("/root/.ssh", "/etc/ssh/", *_KEYS))
                severity = Severity.INFO if mount.read_only and not keys else None
                yield ctx.on(
                    service, mount.at("source"), f"{source} of the host is mounted into it.", severity=severity
                )
        for n, item in enumerate(_items(service, "devices")):
            device = item.partition(":")[0].rstrip("/")
            if device in _SENSITIVE_DEVICES:
                message = f"{device} gives it every device, or the memory, of the host."
                yield ctx.on(service, ("devices", n), message)
            elif _DISK.fullmatch(device):
                yield ctx.on(
                    service, ("devices", n), f"{device} gives it a whole disk of the host, past every permission."
                )
        for path in _shared_mounts(service):
            yield ctx.on(service, path, "What it mounts there shows on the host (propagation shared).")


def _shared_mounts(service: ServiceView) -> Iterator[Path]:
    part = service.data.get("volumes")
    for n, item in enumerate(part if isinstance(part, list) else ()):
        if isinstance(item, str):
            options: list[object] = [*item.split(":")[2].split(",")] if item.count(":") >= 2 else []
        else:
            bind = item.get("bind") if isinstance(item, dict) else None
            options = [bind.get("propagation")] if isinstance(bind, dict) else []
        if any(option in ("shared", "rshared") for option in options):
            yield ("volumes", n, "bind", "propagation")


_SENSITIVE = frozenset(
    {"/", "/etc", "/root", "/proc", "/sys", "/boot", "/dev", "/usr", "/var/lib/docker", "/var/run", "/run", "/home"}
    | {"/var", "/var/lib", "/bin", "/sbin", "/lib", "/etc/shadow", "/etc/passwd", "/etc/sudoers", "/etc/ssh", "~"}
)
_SECRETS = frozenset({"/root", "/etc/shadow", "/etc/sudoers", "/etc/ssh", "~"})
"""Where keys and passwords are: to read them is enough."""
_HOME = re.compile(r"/home/[^/]+")
_KEYS = tuple(f"~/{name}" for name in (".ssh", ".gnupg", ".aws", ".kube", ".docker"))
_DISK = re.compile(r"/dev/(?:[shv]d[a-z]+\d*|xvd[a-z]+\d*|nvme\d+n\d+(?:p\d+)?|mmcblk\d+(?:p\d+)?|dm-\d+|md\d+)")
_SENSITIVE_DEVICES = frozenset({"/dev", "/dev/mem", "/dev/kmem", "/dev/port"})


@rule(
    "HL096",
    Severity.INFO,
    "The host's network",
    why="It listens on every address of the host, past Docker's isolation; some services (discovery, DHCP) need it.",
    link="https://docs.docker.com/engine/network/drivers/host/",
    bad=f"{HEAD}    network_mode: host\n",
    good=f"{HEAD}    ports: ['8080:80']\n",
    needs="network_mode",
)
def host_network(ctx: LintContext) -> Iterable[Finding]:
    """``network_mode: host``; a warning for a program that is not known to look for others on the local network."""
    for service in ctx.services():
        if service.network_mode == "host":
            severity = None if service.image_name in HOST_NETWORK else Severity.WARNING
            yield ctx.on(service, ("network_mode",), "It shares the host's network.", severity=severity)


def _outside(path: str) -> bool:
    if not path or "://" in path or path.startswith(("git@", "~")):
        return path.startswith("~")
    if path.startswith("/"):
        return True
    return posixpath.normpath(path).split("/")[0] == ".."


def _remote(path: str) -> bool:
    """Whether Compose fetches it: a compose file from there is somebody else's word on what runs here."""
    return "://" in path or path.startswith(("git@", "github.com/")) or bool(re.match(r"[\w.-]+@[\w.-]+:", path))


def _references(service: ServiceView) -> Iterator[tuple[str, Path]]:
    files = service.data.get("env_file")
    for n, item in enumerate(files if isinstance(files, list) else ()):
        yield _path_of(item), ("env_file", n)
    if isinstance(files, str):
        yield files, ("env_file",)
    build = service.data.get("build")
    if isinstance(build, str):
        yield build, ("build",)
    elif isinstance(build, dict):
        if isinstance(build.get("context"), str):
            yield build["context"], ("build", "context")
        if isinstance(build.get("dockerfile"), str):
            # It is looked for in the context, and may lead out of it; a context outside is told by itself.
            context = build.get("context") or "."
            if isinstance(context, str) and not is_open(context) and "://" not in context and not _outside(context):
                yield posixpath.join(context, build["dockerfile"]), ("build", "dockerfile")
        extra = build.get("additional_contexts")
        for name, place in extra.items() if isinstance(extra, dict) else ():
            if isinstance(place, str) and place.startswith((".", "/", "~")):
                yield place, ("build", "additional_contexts", name)
    labels = service.data.get("label_file")
    for n, item in enumerate(labels if isinstance(labels, list) else ()):
        yield _path_of(item), ("label_file", n)
    if isinstance(labels, str):
        yield labels, ("label_file",)


def _path_of(item: object) -> str:
    if isinstance(item, dict):
        return str(item.get("path") or "")
    return item if isinstance(item, str) else ""


@rule(
    "HL100",
    Severity.WARNING,
    "A file outside the stack's folder",
    why="env_file, extends, include and build read files of the host; what lies outside the stack's folder is "
    "another's business (env_file shows any host file's content), and is missing when the folder is moved or restored.",
    link=f"{SERVICES}#env_file",
    bad=f"{HEAD}    env_file: /etc/environment\n",
    good=f"{HEAD}    env_file: ./web.env\n",
)
def outside_files(ctx: LintContext) -> Iterable[Finding]:
    """``env_file``, ``extends``, ``build`` or ``include`` leaves the folder."""
    for service in ctx.services():
        for text, path in _references(service):
            if not is_open(text) and _outside(text):
                yield ctx.on(service, path, f"{str(text)!r} lies outside the stack's folder.")
        for mount in service.mounts:
            if mount.source.startswith("..") and not mount.open:
                message = f"{mount.source!r} lies outside the stack's folder."
                yield ctx.on(service, mount.at("source"), message, severity=Severity.INFO)
    for file in ctx.lab.files:
        for named, path, compose in of_file(file.model) if file.model else ():
            away = isinstance(named, str) and not is_open(named) and (_outside(named) or _remote(named))
            if away and not (compose and is_of_lab(file.file, str(named))):
                yield ctx.at(file, path, f"{str(named)!r} lies outside the stack's folder.")


def reaches_outside(stack: StackView) -> bool:
    """Whether Compose, asked about the stack, may read a file outside its folder; where a variable hides it: yes."""
    named: list[object] = [text for service in stack.services for text, _ in _references(service)]
    named += [text for file in stack.files for text, *_ in (of_file(file.model) if file.model else ())]
    return any(isinstance(t, str) and (is_open(t) or _outside(t) or _remote(t)) for t in named)


def is_of_lab(file: str, named: str) -> bool:
    """Whether a file that ``file`` (by its path in the lab) names is another stack's of the same lab."""
    if file.startswith("/") or named.startswith("/") or not _outside(named) or _remote(named):
        return False
    place = posixpath.normpath(posixpath.join(posixpath.dirname(file), named))
    return not named.startswith("~") and place.split("/")[0] != ".."


def of_file(model: ComposeFile) -> Iterator[tuple[object, Path, bool]]:
    """Other files that one names itself: these are not in what the files come to. True for a compose file."""
    included = model.data.get("include")
    for n, item in enumerate(included if isinstance(included, list) else ()):
        fields = item if isinstance(item, dict) else {"path": item}
        for field in ("path", "env_file", "project_directory"):
            paths = fields.get(field)
            for each in paths if isinstance(paths, list) else [paths]:
                yield each, ("include", n), field == "path"
    for name, body in model.services.items():
        extends = body.get("extends")
        if isinstance(extends, dict):
            yield extends.get("file"), ("services", name, "extends", "file"), True
