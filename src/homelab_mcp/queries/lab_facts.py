"""What is known of a lab beside its compose files, for the linter's rules that need it."""

from __future__ import annotations

from collections.abc import Collection

from homelab_mcp.core.checks import LabFacts
from homelab_mcp.core.external_routes import hosts_of
from homelab_mcp.core.settings import parse_settings
from homelab_mcp.core.swarm.network import OVERLAY
from homelab_mcp.model.errors import HomelabError
from homelab_mcp.model.lab import HOSTS_FILE, SETTINGS_FILE, LabSettings, LintSettings
from homelab_mcp.ports import Lab
from homelab_mcp.queries.on_host import own_machine


def lint_settings(lab: Lab) -> LintSettings:
    """How this lab sets the rules; as they are where it has no readable settings."""
    found = _settings(lab)
    return found.lint if found else LintSettings()


def lab_facts(lab: Lab, *, coming_networks: Collection[str] = ()) -> LabFacts:
    """Ask the engine, git and the settings. What does not answer stays unknown; nothing is raised.

    Of a lab that is seen through one host its engine alone is asked: right for findings on that host's stacks.

    Args:
        lab: the lab.
        coming_networks: networks that a plan makes before it starts anything.
    """
    settings = _settings(lab)
    networks, memory, pools, routes = None, None, None, None
    if not lab.files_only:
        try:
            pools = lab.engine.pools()
            networks = frozenset(pools) | frozenset(coming_networks)
            # Those of a Swarm are among the others by their own names as well.
            pools = {name: nets for name, nets in pools.items() if not name.startswith(OVERLAY)}
            memory = lab.engine.memory() or None
            # An engine's network has a route of its own.
            theirs = {subnet for subnets in pools.values() for subnet in subnets}
            if own_machine(lab):
                routes = tuple(r for r in lab.hardware.routes() if r[0] not in theirs)
        except HomelabError:
            networks = memory = pools = routes = None
    try:
        tracked: frozenset[str] | None = lab.history.tracked()
    except HomelabError:
        tracked = None
    return LabFacts(
        networks=networks,
        memory=memory,
        tracked=tracked,
        backup_paths=(settings.backup_paths or None) if settings else None,
        pools=pools,
        routes=routes,
        hosts=_hosts(lab),
        devices=hosts_of(settings) if settings else None,
    )


def _hosts(lab: Lab) -> dict[str, str] | None:
    """Private addresses; none are known by a ``hosts.yaml`` that cannot be read, as for the files made from it."""
    try:
        text = lab.files.read(HOSTS_FILE)
    except HomelabError:
        return None
    if text is None:
        return None
    from homelab_mcp.core.hosts import private_addresses

    try:
        return private_addresses(text)
    except HomelabError:
        return {}


def _settings(lab: Lab) -> LabSettings | None:
    try:
        text = lab.files.read(SETTINGS_FILE)
        return parse_settings(text) if text else None
    except HomelabError:
        return None
