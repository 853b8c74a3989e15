"""HL130 to HL137: what the engine refuses when it makes a container, though Compose lets it pass."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

SERVICES = "https://docs.docker.com/reference/compose-file/services/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"


def texts(service: ServiceView, field: str) -> Iterator[tuple[str, Path]]:
    """The texts of a list (or a single one) without open variables, and where they are."""
    part = service.data.get(field)
    if isinstance(part, str):
        part = [part]
        single = True
    else:
        single = False
    for n, item in enumerate(part if isinstance(part, list) else ()):
        if type(item) is str:
            yield item, (field,) if single else (field, n)
        elif isinstance(item, str) and not is_open(item):
            yield str(item), (field,) if single else (field, n)


@rule(
    "HL130",
    Severity.ERROR,
    "A mount that the engine refuses",
    why="A target is an absolute path other than '/'. An option that Docker does not know is ignored: 'readonly' "
    "leaves the mount writable.",
    link=f"{SERVICES}#volumes",
    bad=f"{HEAD}    volumes: ['./a:data']\n",
    good=f"{HEAD}    volumes: ['./a:/data']\n",
)
def bad_mount(ctx: LintContext) -> Iterable[Finding]:
    """A relative target, the root, or an option that is none."""
    for service in ctx.services():
        for mount in service.mounts:
            target = mount.target
            if mount.kind == "anonymous" and re.match(r"[A-Za-z]:/", target):
                message = f"Compose takes {target[:2]!r} for a Windows drive; give the volume a longer name."
                yield ctx.on(service, mount.path, message)
                continue
            # A Windows path is another engine's business.
            if mount.open or not target or "$" in target:
                continue
            if target[0] != "/":
                if not re.match(r"[A-Za-z]:|\\\\", target):
                    yield ctx.on(service, mount.at("target"), f"The target {target!r} must begin with '/'.")
            elif ("/.." in target or not target.strip("/.")) and posixpath.normpath(target) in {"/", "//"}:
                yield ctx.on(service, mount.at("target"), "Nothing can be mounted over the container's root.")
        for text, path in texts(service, "volumes"):
            parts = [] if text[1:2] == ":" and text[0].isalpha() else text.split(":")
            for option in parts[2].split(",") if len(parts) == 3 and parts[0] else ():
                if option and option not in _OPTIONS:
                    message = f"{option!r} is no mount option and does nothing; read-only is 'ro'."
                    yield ctx.on(service, path, message, severity=Severity.WARNING)


_OPTIONS = frozenset(
    [
        "ro",
        "rw",
        "z",
        "Z",
        "nocopy",
        "copy",
        "cached",
        "delegated",
        "consistent",
        "private",
        "rprivate",
        "shared",
        "rshared",
        "slave",
        "rslave",
        "volume-nocopy",
    ]
)


@rule(
    "HL131",
    Severity.ERROR,
    "A name that Docker refuses",
    why="Container names are letters, digits, '_', '.' and '-'; host names the same without '/' and blanks.",
    link=f"{SERVICES}#container_name",
    bad=f"{HEAD}    container_name: my web\n",
    good=f"{HEAD}    container_name: my-web\n",
)
def bad_name(ctx: LintContext) -> Iterable[Finding]:
    """``container_name`` or ``hostname`` with other characters."""
    for service in ctx.services():
        for field, pattern in (("container_name", _NAME), ("hostname", _HOST)):
            value = service.data.get(field)
            if isinstance(value, str) and value and not is_open(value) and not pattern.fullmatch(value):
                message = f"{str(value)!r} has characters that a name cannot have."
                # The engine takes any host name; programs inside then stumble over it.
                severity = Severity.WARNING if field == "hostname" else None
                yield ctx.on(service, (field,), message, severity=severity)


_NAME = re.compile(r"/?[A-Za-z0-9][A-Za-z0-9_.-]+")
_HOST = re.compile(r"[A-Za-z0-9_.-]{1,253}")


@rule(
    "HL132",
    Severity.ERROR,
    "A setting of the network on a container that borrows one",
    why="With network_mode service: or container: the name, DNS and hosts are the owner's; the engine refuses others.",
    link=f"{SERVICES}#network_mode",
    bad=f"{HEAD}    network_mode: container:vpn\n    hostname: web\n",
    good=f"{HEAD}    network_mode: container:vpn\n",
    needs="network_mode",
)
def borrowed(ctx: LintContext) -> Iterable[Finding]:
    """``hostname``, ``dns``, ``extra_hosts``, ``mac_address``, ``expose`` or ``links`` beside a borrowed network."""
    for service in ctx.services():
        if service.network_mode.startswith(("service:", "container:")):
            for field in ("hostname", "dns", "extra_hosts", "mac_address", "expose", "links"):
                if service.data.get(field):
                    mode = service.network_mode
                    yield ctx.on(service, (field,), f"'{field}' cannot stand beside 'network_mode: {mode}'.", key=True)


@rule(
    "HL133",
    Severity.ERROR,
    "A fixed host port and several replicas",
    why="Only one of the replicas can have the port; the others do not start.",
    link="https://docs.docker.com/reference/compose-file/deploy/#replicas",
    bad=f"{HEAD}    scale: 2\n    ports: ['8080:80']\n",
    good=f"{HEAD}    scale: 2\n    ports: ['80']\n",
    needs="ports",
)
def replicated_port(ctx: LintContext) -> Iterable[Finding]:
    """``scale`` or ``replicas`` above one beside a fixed host port."""
    for service in ctx.services():
        deploy = service.data.get("deploy")
        counts = [service.data.get("scale"), deploy.get("replicas") if isinstance(deploy, dict) else None]
        if any(_SEVERAL.fullmatch(str(n)) for n in counts):
            for entry, published in service.published:
                if published.host and not published.picks:
                    yield ctx.on(service, entry.at("published"), "Several replicas cannot share one host port.")


@rule(
    "HL134",
    Severity.ERROR,
    "A device, host entry or hardware address that cannot be read",
    why="Compose or the engine refuses it.",
    link=f"{SERVICES}#devices",
    bad=f"{HEAD}    devices: ['dri:/dev/dri']\n",
    good=f"{HEAD}    devices: ['/dev/dri:/dev/dri']\n",
    needs="devices extra_hosts mac_address",
)
def bad_form(ctx: LintContext) -> Iterable[Finding]:
    """``devices`` without a path, ``extra_hosts`` without an address, a ``mac_address`` that is none."""
    for service in ctx.services():
        for text, path in texts(service, "devices"):
            # vendor.com/class=name is a device by CDI.
            if not text.startswith("/") and not re.fullmatch(r"[A-Za-z0-9.-]+/[A-Za-z0-9_.-]+=[^:]+", text):
                yield ctx.on(service, path, "A device is /dev/name, or /dev/name:/dev/name-inside:rwm.")
        for text, path in texts(service, "extra_hosts"):
            if not re.search(r"[^:=][:=].", text):
                yield ctx.on(service, path, "A host entry is name:address, or name=address.")
        mac = service.data.get("mac_address")
        if isinstance(mac, str) and not is_open(mac) and not _MAC.fullmatch(mac):
            yield ctx.on(service, ("mac_address",), "A hardware address has six bytes: 02:42:ac:11:65:43.")


_SEVERAL = re.compile(r"0*(?:[2-9]|1[0-9])[0-9]*")
_MAC = re.compile(r"(?:[0-9A-Fa-f]{1,2}[:-]){5}[0-9A-Fa-f]{1,2}|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}")


@rule(
    "HL135",
    Severity.ERROR,
    "A word that Docker does not know",
    why="The engine refuses the container, or Compose the file.",
    link=SERVICES,
    bad=f"{HEAD}    stop_signal: SIGSTAHP\n",
    good=f"{HEAD}    stop_signal: SIGQUIT\n",
)
def bad_word(ctx: LintContext) -> Iterable[Finding]:
    """An unknown signal, security option, log driver or platform."""
    for service in ctx.services():
        signal = service.data.get("stop_signal")
        if isinstance(signal, str) and not is_open(signal) and not _SIGNAL.fullmatch(signal):
            yield ctx.on(service, ("stop_signal",), f"There is no signal {str(signal)!r}.")
        for text, path in texts(service, "security_opt"):
            if re.split("[:=]", text)[0] not in _SECURITY:
                yield ctx.on(service, path, f"Docker knows no security option {text!r}.")
        platform = service.data.get("platform")
        if isinstance(platform, str) and platform and not is_open(platform) and not _PLATFORM.fullmatch(platform):
            yield ctx.on(service, ("platform",), "A platform is os/architecture[/variant], such as linux/arm64.")
        yield from _log_driver(ctx, service)


def _log_driver(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    logging = service.data.get("logging")
    driver = logging.get("driver") if isinstance(logging, dict) else None
    if isinstance(driver, str) and driver and not is_open(driver) and driver not in _DRIVERS:
        near = difflib.get_close_matches(driver, _DRIVERS, n=1)
        # Any other name may be a plug-in's.
        if near:
            yield ctx.on(service, ("logging", "driver"), f"Docker has no log driver {driver!r}; it has {near[0]!r}.")


_SIGNAL = re.compile(
    r"[1-9][0-9]?|(?i:(?:SIG)?(?:ABRT|ALRM|BUS|CHLD|CLD|CONT|FPE|HUP|ILL|INT|IO|IOT|KILL|PIPE|POLL|PROF|PWR|QUIT|SEGV"
    r"|STKFLT|STOP|SYS|TERM|TRAP|TSTP|TTIN|TTOU|URG|USR1|USR2|VTALRM|WINCH|XCPU|XFSZ|RTMIN(?:\+(?:[1-9]|1[0-5]))?"
    r"|RTMAX(?:-(?:[1-9]|1[0-4]))?))"
)
_SECURITY = frozenset(
    {"no-new-privileges", "seccomp", "apparmor", "label", "systempaths", "writable-cgroups", "credentialspec"}
)
_DRIVERS = frozenset(
    [
        "none",
        "local",
        "json-file",
        "syslog",
        "journald",
        "gelf",
        "fluentd",
        "awslogs",
        "splunk",
        "etwlogs",
        "gcplogs",
        "logentries",
        "loki",
    ]
)
_PLATFORM = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+(?:/[A-Za-z0-9_.-]+)?)?")


@rule(
    "HL137",
    Severity.ERROR,
    "A health check that can never pass",
    why="A list begins with CMD, CMD-SHELL or NONE: Compose and the engine refuse, or never run, anything else.",
    link=f"{SERVICES}#healthcheck",
    bad=f"{HEAD}    healthcheck: {{test: [curl, -f, 'http://localhost']}}\n",
    good=f"{HEAD}    healthcheck: {{test: [CMD, curl, -f, 'http://localhost']}}\n",
    needs="healthcheck",
)
def bad_health_check(ctx: LintContext) -> Iterable[Finding]:
    """A test list without its first word; an empty one is told as a warning."""
    for service in ctx.services():
        check = service.data.get("healthcheck")
        test = check.get("test") if isinstance(check, dict) else None
        if not isinstance(test, list) or (test and is_open(test[0])):
            continue
        path = ("healthcheck", "test")
        if not test:
            yield ctx.on(service, path, "An empty test checks nothing.", severity=Severity.WARNING)
        elif test[0] not in ("CMD", "CMD-SHELL", "NONE"):
            yield ctx.on(service, path, "The list must begin with CMD or CMD-SHELL.")
        elif test[0] == "CMD-SHELL" and len(test) > 2:
            message = "CMD-SHELL takes one text; what follows it is not part of the command."
            yield ctx.on(service, path, message, severity=Severity.WARNING)
