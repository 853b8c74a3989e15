"""HL058, HL059, HL097 to HL099, HL101 to HL109, HL118: secrets in odd places, and programs that open the host."""

from __future__ import annotations

import re
from collections.abc import Iterable

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.images import ADMIN_PAGES
from homelab_mcp.core.checks.rules_operations import jobs_that_end
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import raw_text
from homelab_mcp.model.finding import Finding, Severity

SERVICES = "https://docs.docker.com/reference/compose-file/services/"
SECRETS = "https://docs.docker.com/compose/how-tos/use-secrets/"
PROXY = "https://github.com/Tecnativa/docker-socket-proxy#readme"
FIREWALL = "https://docs.docker.com/engine/network/packet-filtering-firewalls/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"
_IN_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@$]*:([^@\s/$]{4,})@")
_IN_COMMAND = re.compile(
    r"--?(?:requirepass|password|pass|token|api-?key|secret)[ =]+[\"']?([^\s\"'$]{6,})", re.IGNORECASE
)


@rule(
    "HL058",
    Severity.WARNING,
    "A password inside an address or a command",
    why="The file is in git and in backups, and a command line shows in every process list.",
    link=SECRETS,
    bad=f"{HEAD}    environment: {{DATABASE_URL: 'postgres://app:hunter2hunter2@db/app'}}\n",
    good=f"{HEAD}    environment: {{DATABASE_URL: 'postgres://app:${{DB_PASSWORD:-}}@db/app'}}\n",
)
def hidden_secret(ctx: LintContext) -> Iterable[Finding]:
    """A password in a URL of the environment, or after an option of the command. The value is never shown."""
    for service in ctx.services():
        for entry in service.environment.values():
            if _IN_ADDRESS.search(entry.raw):
                yield ctx.on(service, entry.path, f"{entry.key} has a password in its address; move it to .env.")
        for field in ("command", "entrypoint"):
            command = service.data.get(field)
            raw = " ".join(raw_text(c) for c in command) if isinstance(command, list) else raw_text(command)
            if _IN_COMMAND.search(raw):
                yield ctx.on(service, (field,), "It has a password in it; move it to .env.")


@rule(
    "HL059",
    Severity.WARNING,
    "A secret in a label",
    why="Labels are in git, and every program with access to Docker reads them.",
    link=SECRETS,
    bad=f"{HEAD}    labels: {{homepage.widget.key: 0123456789abcdef0123456789abcdef}}\n",
    good=f"{HEAD}    labels: {{homepage.widget.key: '${{KEY:-}}'}}\n",
)
def label_secret(ctx: LintContext) -> Iterable[Finding]:
    """A key, token, password or password hash as a label's value. The value is never shown."""
    for service in ctx.having("labels"):
        for key, entry in service.labels.items():
            raw = entry.raw
            if len(raw) < 8:
                continue
            hashed = key.lower().endswith(("auth.users", "auth.users[0]")) and bool(_HASH.search(entry.raw))
            last = key.lower().rpartition(".")[2]
            named = last in _LABEL_NAMES and len(raw) >= 8 and "$" not in raw and " " not in raw and "{{" not in raw
            header = last == "authorization" and bool(re.match(r"(?i)(?:basic|bearer)\s+[^\s$]{6,}", raw))
            if hashed or named or header:
                yield ctx.on(service, entry.path, f"The label {key} holds a secret; move its value to .env.")


_HASH = re.compile(r":(?:\$\$?(?:apr1|2[aby]|5|6)\$|\{SHA\})")
_LABEL_NAMES = frozenset({"key", "password", "token", "secret", "apikey", "api_key", "pass"})


@rule(
    "HL097",
    Severity.INFO,
    "The Docker socket, read-only",
    why="':ro' protects the file, not what is sent through it: who reaches the socket can still start containers as "
    "root. A socket proxy that allows reads only is safer.",
    link=PROXY,
    bad=f"{HEAD}    volumes: ['/var/run/docker.sock:/var/run/docker.sock:ro']\n",
    good=f"{HEAD}    environment: {{DOCKER_HOST: 'tcp://socket-proxy:2375'}}\n",
)
def readable_socket(ctx: LintContext) -> Iterable[Finding]:
    """docker.sock mounted with ``:ro``, but for socket proxies; it says so where the lab has one."""
    beside = any("socket-proxy" in s.image_name or "dockerproxy" in s.image_name for s in ctx.services())
    for service in ctx.services():
        if "socket-proxy" not in service.image_name and "dockerproxy" not in service.image_name:
            for mount in service.mounts:
                if mount.source.endswith("docker.sock") and mount.read_only:
                    message = "':ro' does not keep it from commanding Docker" + (
                        "; the lab's socket proxy would." if beside else "."
                    )
                    yield ctx.on(service, mount.at("source"), message)


@rule(
    "HL098",
    Severity.WARNING,
    "Docker's own API open to the network",
    why="Ports 2375 and 2376 are Docker itself: who reaches them is root on the host.",
    link="https://docs.docker.com/engine/security/protect-access/",
    bad=f"{HEAD}    ports: ['2375:2375']\n",
    good=f"{HEAD}    ports: ['127.0.0.1:2375:2375']\n",
    needs="ports",
)
def open_docker(ctx: LintContext) -> Iterable[Finding]:
    """Port 2375 of a container published on every address."""
    for service in ctx.having("ports"):
        for entry, published in service.published:
            first, last = published.container
            if published.everywhere and published.protocol == "tcp" and first <= 2375 <= last:
                message = "Docker's API is open to every network: root on the host."
                yield ctx.on(service, entry.at("published"), message)


@rule(
    "HL099",
    Severity.WARNING,
    "A socket proxy that lets commands through",
    why="EXEC, or POST together with containers or images, gives away what the proxy is there to keep.",
    link=PROXY,
    bad="services:\n  proxy:\n    image: tecnativa/docker-socket-proxy:v0.3.0\n    environment: ['EXEC=1']\n",
    good="services:\n  proxy:\n    image: tecnativa/docker-socket-proxy:v0.3.0\n    environment: ['CONTAINERS=1']\n",
)
def open_proxy(ctx: LintContext) -> Iterable[Finding]:
    """A docker-socket-proxy with ``EXEC``, ``AUTH`` or ``SECRETS``, or with ``POST`` to containers or images.

    Sablier starts and stops containers, for which its proxy must let ``POST`` to them through; that is told no more
    where nobody but Sablier reaches the proxy.
    """
    for service in ctx.services():
        if "socket-proxy" in service.image_name:
            on = {k: e for k, e in service.environment.items() if (e.value or "").lower() in {"1", "true", "yes", "on"}}
            starts = {"IMAGES"} if _for_sablier_alone(ctx, service) else {"CONTAINERS", "IMAGES"}
            commands = {"EXEC", "AUTH", "SECRETS"} | ({"POST"} if starts & set(on) else set())
            for key in sorted(commands & set(on)):
                yield ctx.on(service, on[key].path, f"{key}=1 lets its clients command Docker.")


def _for_sablier_alone(ctx: LintContext, proxy: ServiceView) -> bool:
    """Whether one Sablier, and nobody else in the lab or on the host, can reach it."""
    mine = proxy.real_networks
    if not mine or proxy.network_mode or proxy.published:
        return False
    near = [s for s in ctx.services() if s is not proxy and s.real_networks & mine]
    return len(near) == 1 and near[0].image_name == "sablier"


@rule(
    "HL101",
    Severity.WARNING,
    "Root, said in so many words",
    why="The image may have a user of its own; 'user: root' takes that protection away.",
    link=f"{SERVICES}#user",
    bad=f"{HEAD}    user: root\n",
    good=f"{HEAD}    user: '1000:1000'\n",
    needs="user",
)
def root_user(ctx: LintContext) -> Iterable[Finding]:
    """``user`` is root or 0, but for jobs that end before another service starts."""
    jobs = jobs_that_end(ctx)
    for service in ctx.services():
        user = service.data.get("user")
        if not isinstance(user, bool) and str(user).partition(":")[0] in {"0", "root"} and id(service) not in jobs:
            yield ctx.on(service, ("user",), "It runs as root.")


@rule(
    "HL102",
    Severity.INFO,
    "New privileges allowed",
    why="security_opt no-new-privileges:true keeps a process from gaining rights by a set-uid program; few images need "
    "that.",
    link=f"{SERVICES}#security_opt",
    bad=HEAD,
    good=f"{HEAD}    security_opt: ['no-new-privileges:true']\n",
)
def new_privileges(ctx: LintContext) -> Iterable[Finding]:
    """No ``no-new-privileges``."""
    for service in ctx.services():
        options = service.data.get("security_opt")
        listed = isinstance(options, list) and any(_KEEPS.fullmatch(str(o)) for o in options)
        if not service.partial and not listed and service.data.get("privileged") not in (True, "true"):
            yield ctx.on(service, (), "It may gain new privileges (security_opt: no-new-privileges:true).")


_KEEPS = re.compile(r"no-new-privileges(?:[:=]true)?")


@rule(
    "HL103",
    Severity.WARNING,
    "Traefik's dashboard without log-in",
    why="api.insecure=true serves the dashboard, with every route and middleware, on port 8080 to anybody; a router to "
    "api@internal without a middleware for log-in does so on its address.",
    link="https://doc.traefik.io/traefik/reference/install-configuration/api-dashboard/",
    bad="services:\n  traefik:\n    image: traefik:v3.6.1\n    command: ['--api.insecure=true']\n",
    good="services:\n  traefik:\n    image: traefik:v3.6.1\n    command: ['--api.dashboard=true']\n",
)
def open_dashboard(ctx: LintContext) -> Iterable[Finding]:
    """``api.insecure`` in Traefik's options, or a router to ``api@internal`` that asks nobody."""
    log_in = ctx.lab.log_in
    for router in tl.all_routers(ctx.lab):
        entry = router.options.get("middlewares")
        asks = log_in.may_guard(router) or log_in.only_leads_on(router) or (entry and entry.open)
        if router.value("service").lower() == "api@internal" and not asks:
            yield ctx.on(router.service, router.anchor.path, "Anybody may read the dashboard.")
    traefik = ctx.lab.traefik
    static = tl.static_config(ctx.lab)
    if traefik and static and static.options.get("api.insecure", "false").lower() in {"true", ""}:
        message = "api.insecure: anybody may read the dashboard."
        path = static.where["api.insecure"]
        yield ctx.at(static.file, path, message) if static.file else ctx.on(traefik, path, message)


@rule(
    "HL104",
    Severity.INFO,
    "A Traefik too old for Docker 29",
    why="Docker Engine 29 no longer answers the API version that Traefik before 3.6.1 (and 2.11.31) asks for: every "
    "route then ends in 404.",
    link="https://github.com/traefik/traefik/issues/12253",
    bad="services:\n  traefik:\n    image: traefik:v3.5.3\n",
    good="services:\n  traefik:\n    image: traefik:v3.6.1\n",
)
def old_traefik(ctx: LintContext) -> Iterable[Finding]:
    """A Traefik tag of 3.0 to 3.6.0, or of 2 before 2.11.31."""
    for service in ctx.services():
        tag = service.image.rsplit("/", 1)[-1].partition(":")[2]
        if service.image_name == "traefik" and _OLD_TRAEFIK.match(tag):
            yield ctx.on(service, ("image",), "Before an update to Docker 29, update it to 3.6.1 or later.")


_OLD_TRAEFIK = re.compile(r"v?(?:3\.[0-5](?![0-9])|3\.6\.0|2\.(?:[0-9]|10)(?![0-9])|2\.11\.(?:[12]?[0-9]|30)(?![0-9]))")


@rule(
    "HL105",
    Severity.WARNING,
    "An admin page open to every network",
    why="Published ports go round the host's firewall; this page commands Docker or the host.",
    link=FIREWALL,
    bad="services:\n  portainer:\n    image: portainer/portainer-ce:2.31.0\n    ports: ['9443:9443']\n",
    good="services:\n  portainer:\n    image: portainer/portainer-ce:2.31.0\n    ports: ['127.0.0.1:9443:9443']\n",
    needs="ports",
)
def open_page(ctx: LintContext) -> Iterable[Finding]:
    """A well-known admin page published on every address."""
    for service in ctx.services():
        for entry, published in service.published if service.image_name in ADMIN_PAGES else ():
            if published.everywhere and published.protocol == "tcp":
                message = f"{published.shown} is open to every network; bind it to 127.0.0.1 or route it with log-in."
                yield ctx.on(service, entry.at("published"), message)


@rule(
    "HL118",
    Severity.WARNING,
    "Watchtower updates everything",
    why="Without WATCHTOWER_LABEL_ENABLE it recreates every container, the VPN gateway (whose clients then have no "
    "network), log-in and databases too, and nobody can go back.",
    link="https://containrrr.dev/watchtower/container-selection/",
    bad="services:\n  watchtower:\n    image: containrrr/watchtower:1.7.1\n",
    good="services:\n  watchtower:\n    image: containrrr/watchtower:1.7.1\n"
    "    environment: {WATCHTOWER_LABEL_ENABLE: 'true'}\n",
)
def updates_everything(ctx: LintContext) -> Iterable[Finding]:
    """Watchtower without a selection or ``MONITOR_ONLY``."""
    for service in ctx.services():
        if service.image_name == "watchtower" and not service.partial and not _selects(service):
            yield ctx.on(service, (), "It updates every container of the host; set WATCHTOWER_LABEL_ENABLE.")


def _selects(service: ServiceView) -> bool:
    names = {"WATCHTOWER_LABEL_ENABLE", "WATCHTOWER_MONITOR_ONLY", "WATCHTOWER_SCOPE", "WATCHTOWER_DISABLE_CONTAINERS"}
    command = service.data.get("command")
    words = [str(w) for w in command] if isinstance(command, list) else str(command or "").split()
    # What is neither an option nor an option's value is the name of a container.
    named = [w for n, w in enumerate(words) if not w.startswith("-") and (n == 0 or words[n - 1] not in _WITH_VALUE)]
    chosen = named or any(w.startswith(_CHOOSING) for w in words)
    return bool(names & set(service.environment) or chosen or service.data.get("env_file"))


_CHOOSING = ("--label-enable", "--monitor-only", "--scope", "--disable-containers", "-m", "-e", "-x")
_WITH_VALUE = frozenset(
    {"--interval", "-i", "--schedule", "-s", "--stop-timeout", "-t", "--host", "-H", "--api-version", "-a"}
    | {"--notifications", "-n", "--notification-url", "--http-api-token", "--log-level", "--log-format"}
)
