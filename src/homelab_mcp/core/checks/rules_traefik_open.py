"""HL247: what Traefik's Docker provider shows of the lab: every container, or none."""

from __future__ import annotations

import re
from collections.abc import Iterable

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.hosts import host_in
from homelab_mcp.core.checks.rules_traefik_options import told
from homelab_mcp.model.finding import Finding, Severity

PROXY = (
    "services:\n  traefik:\n    image: traefik:v3.6.1\n    volumes: ['/var/run/docker.sock:/var/run/docker.sock:ro']\n"
    "    command:\n      - --entrypoints.web.address=:80\n      - --providers.docker=true\n"
)


@rule(
    "HL247",
    Severity.WARNING,
    "A provider that shows every container, or none",
    why="With exposedByDefault, which is on unless it is switched off, every container gets a route under its own name "
    "without a word in its labels. Behind a socket proxy that does not allow CONTAINERS, or with constraints that "
    "Traefik cannot read, no container gets one.",
    link="https://doc.traefik.io/traefik/reference/install-configuration/providers/docker/",
    bad=PROXY,
    good=f"{PROXY}      - --providers.docker.exposedbydefault=false\n",
)
def shows_everything(ctx: LintContext) -> Iterable[Finding]:
    """``exposedByDefault``, unreadable constraints, and a socket proxy that does not show containers."""
    static = tl.static_config(ctx.lab)
    if static is None or ctx.lab.traefik is None or not static.complete:
        return
    options = [o for o in static.options if o == "providers.docker" or o.startswith("providers.docker.")]
    if not options or static.options.get("providers.docker", "").lower() == "false":
        return
    shown = static.options.get("providers.docker.exposedbydefault", "true")
    if shown.lower() in {"true", "1", "t"} and "providers.docker.constraints" not in static.options:
        option = "providers.docker.exposedbydefault"
        message = "Every container gets a route, also one without labels; set exposedByDefault to false."
        yield told(ctx, static, option if option in static.options else options[0], message)
    constraints = static.options.get("providers.docker.constraints", "")
    if constraints and "$" not in constraints and not _QUOTED.fullmatch(constraints):
        message = "Constraints are written Label(`name`, `value`): these are not read, and no container is seen."
        yield told(ctx, static, "providers.docker.constraints", message, Severity.ERROR)
    host = host_in(static.options.get("providers.docker.endpoint", ""))[0]
    for service in ctx.lab.hosts.get(host, []) if host else []:
        given = service.environment.get("CONTAINERS")
        if "docker-socket-proxy" not in service.image_name or service.partial or service.data.get("env_file"):
            continue
        if given is None or (not given.open and (given.value or "").lower() in {"0", "false", "no", "off", ""}):
            message = "Traefik asks this proxy for the containers, which it does not show (CONTAINERS=1)."
            yield ctx.on(service, given.path if given else (), message, severity=Severity.ERROR)


_QUOTED = re.compile(r"(?:[\s!()&|]|(?:Label|LabelRegex)\(\s*[`\"][^`\"]*[`\"]\s*,\s*[`\"][^`\"]*[`\"]\s*\))+")
