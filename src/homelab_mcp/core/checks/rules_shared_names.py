"""HL337: a host name that several containers on one network answer to."""

from __future__ import annotations

from collections.abc import Iterable

from homelab_mcp.core.checks.db_settings import asked
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.hosts import asked_hosts
from homelab_mcp.core.checks.view import Entry, ServiceView
from homelab_mcp.model.finding import Finding, Severity

APP = (
    "    image: nextcloud:31.0\n    networks: [shared]\n    volumes: ['./html:/var/www/html']\n"
    "    environment: {MYSQL_HOST: db}\n"
)
DB = (
    "    image: mariadb:11.8\n    networks: [shared]\n    volumes: ['./db:/var/lib/mysql']\n"
    "    environment: {MARIADB_ROOT_PASSWORD: '${P:-x}'}\n"
)
OTHER = "  more:\n    image: mariadb:11.8\n    networks: {shared: {aliases: [db]}}\n" + DB.partition("[shared]\n")[2]
NETWORK = "networks: {shared: {external: true}}\n"


@rule(
    "HL337",
    Severity.WARNING,
    "A name that two containers answer to",
    why="On a network that several stacks share Docker answers with every container that has the name, in turn: now "
    "and then the service talks to the database of another one. Names that are unique, or a network of the stack's own "
    "for its database, keep them apart.",
    link="https://docs.docker.com/compose/how-tos/networking/",
    bad=f"services:\n  app:\n{APP}  db:\n{DB}{OTHER}{NETWORK}",
    good=f"services:\n  app:\n{APP}  db:\n{DB}{NETWORK}",
    needs="environment",
)
def two_answer(ctx: LintContext) -> Iterable[Finding]:
    """A host in a variable that services of different names, or of different stacks, have on one of its networks."""
    for service in ctx.having("environment"):
        if service.network_mode or service.partial or service.stack.partial:
            continue
        told: set[str] = set()
        for host, entry in _hosts(service):
            if host in told:
                continue
            network, first, other = _both(ctx, service, host)
            if first and other:
                told.add(host)
                where = f"{other.name!r} in {other.stack.file}" if other.stack is not first.stack else f"{other.name!r}"
                yield ctx.on(service, entry.path, f"On {network!r} {where} is called {host!r} too.")


def _hosts(service: ServiceView) -> list[tuple[str, Entry]]:
    return [*((a.host, a.entry) for a in asked(service)), *asked_hosts(service)]


def _both(ctx: LintContext, service: ServiceView, host: str) -> tuple[str, ServiceView | None, ServiceView | None]:
    """A network of the service and two containers on it that have the name, its own stack's first."""
    meant = [s for s in ctx.lab.hosts.get(host, ()) if s is not service and not s.network_mode and not s.partial]
    meant = [s for s in meant if service.is_beside(s) and not s.profiles]
    meant.sort(key=lambda s: s.stack is not service.stack)
    for network in sorted(service.real_networks):
        here = [s for s in meant if network in s.real_networks]
        if len(here) > 1:
            return network, here[0], here[1]
    return "", None, None
