"""HL340 to HL349: stacks with ``engine: swarm`` that ask for what Swarm does not do, or does in another way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.view import ServiceView, StackView
from homelab_mcp.core.stack_host import COMPOSE, SWARM
from homelab_mcp.core.swarm.keys import IGNORED, IMPOSSIBLE
from homelab_mcp.core.swarm.places import local_data, nodes_named
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity
from homelab_mcp.model.lab import LOCAL, SECTION

STACK = "https://docs.docker.com/reference/cli/docker/stack/deploy/"
SERVICES = "https://docs.docker.com/engine/swarm/services/"
SECRETS = "https://docs.docker.com/engine/swarm/secrets/"
HEAD = "x-homelab: {engine: swarm}\nservices:\n  web:\n    image: nginx:1.29\n"

_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


def _swarm(ctx: LintContext) -> Iterator[ServiceView]:
    return (s for s in ctx.services() if s.stack.engine == SWARM)


def _said(value: object) -> bool:
    return value not in (None, [], {}, False, "")


@rule(
    "HL340",
    Severity.ERROR,
    "A service that needs what Swarm cannot give",
    why="docker stack deploy lets the key fall, or refuses the whole file: the service would start without its device, "
    "its rights or its network, and not do its work. Keep it in a stack that Compose runs.",
    link=STACK,
    bad=f"{HEAD}    devices: ['/dev/dri:/dev/dri']\n",
    good=f"{HEAD}    cap_add: [NET_ADMIN]\n",
    needs=" ".join([*IMPOSSIBLE, "deploy"]),
)
def impossible(ctx: LintContext) -> Iterable[Finding]:
    """``devices``, ``network_mode``, ``privileged`` and the like in a stack that Swarm runs."""
    for service in _swarm(ctx):
        for key in IMPOSSIBLE:
            if _said(service.data.get(key)):
                message = f"Swarm gives {service.name} no {key!r}: it asks for {IMPOSSIBLE[key]}."
                yield ctx.on(service, (key,), message, key=True)
        path: Path = ("deploy", "resources", "reservations", "devices")
        found: object = service.data
        for step in path:
            found = found.get(str(step)) if isinstance(found, Mapping) else None
        if _said(found):
            yield ctx.on(service, path, f"Swarm reserves no device for {service.name}.", key=True)


@rule(
    "HL341",
    Severity.WARNING,
    "A key that Swarm lets fall",
    why="The service runs, other than its file says: without no-new-privileges, for example, or on any processor.",
    link=STACK,
    bad=f"{HEAD}    security_opt: ['no-new-privileges:true']\n",
    good=f"{HEAD}    read_only: true\n    cap_drop: [ALL]\n",
    needs=" ".join(IGNORED),
)
def ignored(ctx: LintContext) -> Iterable[Finding]:
    """``security_opt``, ``cpuset``, ``oom_score_adj`` and the like in a stack that Swarm runs."""
    for service in _swarm(ctx):
        for key in IGNORED:
            if _said(service.data.get(key)):
                yield ctx.on(service, (key,), f"Swarm lets {key!r} fall: {IGNORED[key]}.", key=True)


@rule(
    "HL342",
    Severity.WARNING,
    "An order of starting that Swarm does not keep",
    why="Swarm starts all services at once and a task anew when it fails: what cannot bear that its database comes "
    "later, or needs a job to have ended, fails until it is there.",
    link=SERVICES,
    bad=f"{HEAD}    depends_on:\n      db: {{condition: service_healthy}}\n  db:\n    image: postgres:17\n",
    good=f"{HEAD}    depends_on: [db]\n    restart: unless-stopped\n  db:\n    image: postgres:17\n",
    needs="depends_on",
)
def no_order(ctx: LintContext) -> Iterable[Finding]:
    """``depends_on`` with a condition that waits."""
    for service in _swarm(ctx):
        wanted = service.data.get("depends_on")
        for name, spec in wanted.items() if isinstance(wanted, Mapping) else ():
            condition = spec.get("condition") if isinstance(spec, Mapping) else None
            if condition in {"service_healthy", "service_completed_successfully"}:
                message = f"Swarm does not wait until {name} is {str(condition).removeprefix('service_')}."
                yield ctx.on(service, ("depends_on", str(name), "condition"), message)


@rule(
    "HL343",
    Severity.WARNING,
    "A container name in a Swarm stack",
    why="Swarm names its containers itself: whoever asks for this name, a script or another service, finds nothing. "
    "Other services find it by its service name.",
    link=STACK,
    bad=f"{HEAD}    container_name: web\n",
    good=HEAD,
    needs="container_name",
)
def named(ctx: LintContext) -> Iterable[Finding]:
    """``container_name`` in a stack that Swarm runs."""
    for service in _swarm(ctx):
        if _said(service.data.get("container_name")):
            yield ctx.on(service, ("container_name",), f"No container will be called {service.data['container_name']}.")


@rule(
    "HL344",
    Severity.ERROR,
    "A port bound to an address in a Swarm stack",
    why="Swarm publishes on every address of a node, by default of every node: what was kept to this machine or the "
    "LAN would be open to all who reach it.",
    link="https://docs.docker.com/engine/swarm/ingress/",
    bad=f"{HEAD}    ports: ['127.0.0.1:8080:80']\n",
    good=f"{HEAD}    ports: ['8080:80']\n",
    needs="ports",
)
def bound(ctx: LintContext) -> Iterable[Finding]:
    """A published port with a host address."""
    for service in _swarm(ctx):
        for entry, port in service.published:
            if port.address and port.address not in _EVERYWHERE:
                message = f"Swarm would publish port {port.container[0]} on every address, not on {port.address} alone."
                yield ctx.on(service, entry.at("host_ip"), message)


@rule(
    "HL345",
    Severity.ERROR,
    "An image that is to be built in a Swarm stack",
    why="Swarm builds nothing: each node pulls the image. Without a name there is none; with one it must be in a "
    "registry that every node reaches.",
    link=STACK,
    bad="x-homelab: {engine: swarm}\nservices:\n  web:\n    build: .\n",
    good="x-homelab: {engine: swarm}\nservices:\n  web:\n    image: registry.lan:5000/web:1.4\n",
    needs="build",
)
def built(ctx: LintContext) -> Iterable[Finding]:
    """``build``: an error without ``image``, else a warning."""
    for service in _swarm(ctx):
        if not _said(service.data.get("build")):
            continue
        if service.data.get("image"):
            message = "Swarm does not build: push the image to a registry that every node reaches."
            yield ctx.on(service, ("build",), message, key=True, severity=Severity.WARNING)
        else:
            yield ctx.on(service, ("build",), "Swarm does not build, and no image is named.", key=True)


@rule(
    "HL346",
    Severity.WARNING,
    "Data on one node's disk, and nothing that keeps the service there",
    why="Swarm may start it on any node, with an empty volume, or not at all where a folder is missing; the data stays "
    "behind. A placement constraint binds it to its node; a network volume is on every node.",
    link=f"{SERVICES}#placement-constraints",
    bad=f"{HEAD}    volumes: ['./data:/data']\n",
    good=f"{HEAD}    volumes: ['./data:/data']\n    deploy:\n      placement:\n"
    "        constraints: ['node.hostname == nas']\n",
    needs="volumes",
)
def unbound(ctx: LintContext) -> Iterable[Finding]:
    """A named volume or folder of the host without a constraint that names one node."""
    for service in _swarm(ctx):
        if service.partial or nodes_named(service.data):
            continue
        for mount in local_data(service.data, service.stack.section("volumes")):
            message = f"{mount.source} is on one node, and {service.name} may run on any."
            yield ctx.on(service, ("volumes", mount.index), message)


@rule(
    "HL347",
    Severity.ERROR,
    "A secret or config that Swarm cannot make",
    why="docker stack deploy makes secrets and configs of files, or takes those that are there (external): it refuses "
    "a text in the compose file and a variable.",
    link=SECRETS,
    bad=f"{HEAD}    secrets: [key]\nsecrets:\n  key: {{environment: KEY}}\n",
    good=f"{HEAD}    secrets: [key]\nsecrets:\n  key: {{file: ./key.txt}}\n",
)
def no_object(ctx: LintContext) -> Iterable[Finding]:
    """``environment`` or ``content`` of a secret or config."""
    for stack in (s for s in ctx.lab.stacks if s.engine == SWARM):
        for part in ("secrets", "configs"):
            for name, spec in stack.section(part).items():
                for key in ("environment", "content"):
                    if isinstance(spec, Mapping) and key in spec:
                        message = f"Swarm makes {name!r} of a file only, not of {key!r}."
                        yield ctx.at(stack, (part, str(name), key), message, key=True)


@rule(
    "HL348",
    Severity.ERROR,
    "A word for what runs the stack that nobody knows",
    why="x-homelab.engine is compose (the default) or swarm. Another word would leave the stack to Compose without a "
    "sign; and Swarm is this machine's, so that a stack on another host cannot be its.",
    link=STACK,
    bad="x-homelab: {engine: kubernetes}\nservices:\n  web:\n    image: nginx:1.29\n",
    good=HEAD,
)
def unknown_engine(ctx: LintContext) -> Iterable[Finding]:
    """``x-homelab.engine`` with another word, or ``swarm`` on another host."""
    for stack in ctx.lab.stacks:
        engine = _engine(stack)
        if engine is not None and engine not in (COMPOSE, SWARM):
            message = f"{str(engine)[:40]!r} runs no stack; there are compose and swarm."
            yield ctx.at(stack, (SECTION, "engine"), message)
        elif engine == SWARM and stack.host != LOCAL:
            message = f"The Swarm is managed by this machine, and the stack is on host {stack.host}."
            yield ctx.at(stack, (SECTION, "engine"), message)


@rule(
    "HL349",
    Severity.WARNING,
    "Several replicas that write to the same data",
    why="Most programs, databases above all, damage their files when two of them run on the same folder.",
    link=f"{SERVICES}#replicated-or-global-services",
    bad=f"{HEAD}    volumes: ['data:/data']\n    deploy: {{replicas: 2}}\nvolumes:\n  data: {{}}\n",
    good=f"{HEAD}    volumes: ['./site:/usr/share/nginx/html:ro']\n    deploy: {{replicas: 2}}\n",
    needs="deploy",
)
def shared_data(ctx: LintContext) -> Iterable[Finding]:
    """More than one replica, and a mount that they write to."""
    for service in _swarm(ctx):
        deploy = service.data.get("deploy")
        count = deploy.get("replicas") if isinstance(deploy, Mapping) else None
        if not isinstance(count, int) or count < 2:
            continue
        data = [m.source for m in local_data(service.data, service.stack.section("volumes")) if not m.read_only]
        if data:
            message = f"{count} replicas of {service.name} write to {', '.join(data)}."
            yield ctx.on(service, ("deploy", "replicas"), message)


def _engine(stack: StackView) -> object:
    return stack.section(SECTION).get("engine") if stack.model else None
