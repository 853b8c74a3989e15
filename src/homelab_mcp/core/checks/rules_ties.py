"""HL026 to HL028 and HL035 to HL038: names of services, secrets and files of the stack that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterable

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_container import texts
from homelab_mcp.core.checks.rules_dependencies import dependencies
from homelab_mcp.core.compose_model import is_external, is_open
from homelab_mcp.model.finding import Finding, Severity

DOCS = "https://docs.docker.com/reference/compose-file/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"
_SOURCES = {"secrets": ("file", "environment", "external"), "configs": ("file", "environment", "content", "external")}


@rule(
    "HL026",
    Severity.ERROR,
    "A secret or config that comes from nowhere",
    why="Compose refuses it: it needs a file, an environment variable, content (configs), or 'external'.",
    link=f"{DOCS}secrets/",
    bad=f"{HEAD}    secrets: [key]\nsecrets:\n  key: {{}}\n",
    good=f"{HEAD}    secrets: [key]\nsecrets:\n  key: {{file: ./key.txt}}\n",
)
def no_source(ctx: LintContext) -> Iterable[Finding]:
    """A top-level secret or config without a source, or with two."""
    for stack in ctx.lab.stacks:
        for section, words in _SOURCES.items():
            for name, body in stack.section(section).items():
                told = isinstance(body, dict)
                given = [w for w in words if told and (is_external(body) if w == "external" else body.get(w))]
                extra = told and ("driver" in body or "template_driver" in body)
                if len(given) > 1:
                    message = f"The {section[:-1]} {name!r} has two sources: {', '.join(given)}."
                    yield ctx.at(stack, (section, name), message, key=True)
                if not given and not extra and (body is None or isinstance(body, dict)):
                    yield ctx.at(stack, (section, name), f"The {section[:-1]} {name!r} has no source.", key=True)


@rule(
    "HL027",
    Severity.WARNING,
    "External, and yet described",
    why="Compose takes an external network or volume as it is: it ignores a network's settings and refuses a volume's.",
    link=f"{DOCS}volumes/#external",
    bad=f"{HEAD}    networks: [front]\nnetworks:\n  front: {{external: true, driver: bridge}}\n",
    good=f"{HEAD}    networks: [front]\nnetworks:\n  front: {{external: true}}\n",
)
def external_settings(ctx: LintContext) -> Iterable[Finding]:
    """``external: true`` beside a driver, labels or the like."""
    for stack in ctx.lab.stacks:
        for section in ("networks", "volumes"):
            for name, body in stack.section(section).items():
                if not is_external(body):
                    continue
                severity = Severity.ERROR if section == "volumes" else None
                for key in body:
                    if key not in {"external", "name"} and not str(key).startswith("x-"):
                        message = f"It is external: {str(key)!r} has no place here."
                        yield ctx.at(stack, (section, name, key), message, key=True, severity=severity)


@rule(
    "HL028",
    Severity.ERROR,
    "A link to a service that is not there",
    why="Compose refuses the file.",
    link=f"{DOCS}services/#links",
    bad=f"{HEAD}    links: [mysql]\n",
    good=f"{HEAD}    links: [db]\n  db:\n    image: mariadb:11.8\n",
    needs="links volumes_from pid ipc",
)
def missing_link(ctx: LintContext) -> Iterable[Finding]:
    """``links``, ``volumes_from``, ``pid`` or ``ipc`` of no service in the file."""
    for service in ctx.services():
        if service.stack.partial:
            continue
        named = [(t.partition(":")[0], p) for t, p in texts(service, "links")]
        named += [(t.partition(":")[0], p) for t, p in texts(service, "volumes_from") if not t.startswith("container:")]
        for field in ("pid", "ipc"):
            value = service.data.get(field)
            if isinstance(value, str) and value.startswith("service:") and not is_open(value):
                named.append((value.partition(":")[2], (field,)))
        for name, path in named:
            if service.stack.service(name) is None:
                yield ctx.on(service, path, f"There is no service {name!r} in this file.")


@rule(
    "HL035",
    Severity.ERROR,
    "Waits for the end of what starts again",
    why="A service that Docker restarts whenever it ends is never 'completed': Compose waits for ever.",
    link=f"{DOCS}services/#depends_on",
    bad=f"{HEAD}    depends_on: {{job: {{condition: service_completed_successfully}}}}\n"
    "  job:\n    image: busybox:1.37\n    restart: always\n",
    good=f"{HEAD}    depends_on: {{job: {{condition: service_completed_successfully}}}}\n"
    "  job:\n    image: busybox:1.37\n    restart: on-failure\n",
    needs="depends_on",
)
def never_completed(ctx: LintContext) -> Iterable[Finding]:
    """``service_completed_successfully`` on a service with ``restart: always`` or ``unless-stopped``."""
    for service in ctx.services():
        for name, (path, options) in dependencies(service).items():
            other = service.stack.service(name)
            ends = options.get("condition") == "service_completed_successfully"
            if other and ends and other.restart in {"always", "unless-stopped"}:
                where = (*path, "condition")
                yield ctx.on(service, where, f"{name!r} has restart: {other.restart} and never completes.")


@rule(
    "HL036",
    Severity.ERROR,
    "Depends on a service that is not started",
    why="A service of a profile is there only when the profile is switched on; one that always starts cannot need it.",
    link="https://docs.docker.com/compose/how-tos/profiles/",
    bad=f"{HEAD}    depends_on: [db]\n  db:\n    image: mariadb:11.8\n    profiles: [debug]\n",
    good=f"{HEAD}    profiles: [debug]\n    depends_on: [db]\n  db:\n    image: mariadb:11.8\n    profiles: [debug]\n",
    needs="depends_on",
)
def other_profile(ctx: LintContext) -> Iterable[Finding]:
    """``depends_on`` a service limited to profiles that the depending one does not share."""
    for service in ctx.services():
        for name, (path, options) in dependencies(service).items():
            other = service.stack.service(name)
            if other is None or not other.profiles or options.get("required") is False or service.profiles:
                continue
            listed = ", ".join(sorted(other.profiles))
            yield ctx.on(service, path, f"{name!r} is only there with the profile {listed}.", key=True)


@rule(
    "HL038",
    Severity.ERROR,
    "Extends a service that is not there, or itself",
    why="Compose refuses it. Without 'file' it looks only into the very file that says 'extends', not into an override "
    "or an included one; services or files that extend or include each other in a circle have nothing to begin with.",
    link=f"{DOCS}services/#extends",
    bad=f"{HEAD}    extends: {{service: base}}\n",
    good=f"{HEAD}    extends: {{service: base}}\n  base:\n    image: nginx:1.29\n",
)
def extends_nobody(ctx: LintContext) -> Iterable[Finding]:
    """``extends`` of a service that its file has not, and circles of ``extends`` or ``include``."""
    for stack in ctx.lab.stacks:
        yield from ctx.troubles(stack, "no_service")
        yield from ctx.troubles(stack, "circle")
