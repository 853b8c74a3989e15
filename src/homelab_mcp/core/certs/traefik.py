"""The lab's Traefik as certificates know it: who it is, its resolvers, and where their stores are on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from homelab_mcp.core.checks import NO_FACTS, LintStack
from homelab_mcp.core.checks.traefik_labels import all_routers
from homelab_mcp.core.checks.traefik_places import Places, Unknown
from homelab_mcp.core.checks.traefik_static import StaticConfig, static_config
from homelab_mcp.core.checks.view import Lab, ServiceView, StackView
from homelab_mcp.model.certificate import Resolver

_PREFIX = "certificatesresolvers."
_CHALLENGES = ("dns", "http", "tls")


@dataclass(frozen=True, slots=True)
class TraefikView:
    """The lab's Traefik: its stack and service ("" where there is none), its resolvers, and who answers to a host."""

    stack: str = ""
    service: str = ""
    resolvers: tuple[Resolver, ...] = ()
    hosts: dict[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """``stack/service``."""
        return f"{self.stack}/{self.service}" if self.service else ""


def traefik_of(stacks: Sequence[LintStack]) -> TraefikView:
    """The lab's Traefik by its compose file, flags, variables and static file, whichever it takes."""
    lab = Lab([StackView(s) for s in stacks], NO_FACTS)
    traefik = lab.traefik
    if traefik is None:
        return TraefikView(hosts=_hosts(lab))
    static = static_config(lab)
    names = sorted(static.resolvers) if static else []
    return TraefikView(
        traefik.stack.name,
        traefik.name,
        tuple(_resolver(traefik, static, name) for name in names if static is not None),
        _hosts(lab),
    )


def _hosts(lab: Lab) -> dict[str, str]:
    """Host -> ``stack/service`` or the dynamic file that routes it; rules that nobody can read name none."""
    found: dict[str, str] = {}
    for router in all_routers(lab):
        rule = router.options.get("rule")
        where = (
            router.service.stack.file
            if router.service.of_file
            else f"{router.service.stack.name}/{router.service.name}"
        )
        for host in router.hosts if rule is not None and not rule.open else ():
            found.setdefault(host, where)
    return found


def _resolver(traefik: ServiceView, static: StaticConfig, name: str) -> Resolver:
    acme = f"{_PREFIX}{name}.acme."

    def option(key: str) -> str:
        return static.options.get(acme + key, "")

    challenge = next((c for c in _CHALLENGES if any(o.startswith(f"{acme}{c}challenge") for o in static.options)), "")
    return Resolver(
        name,
        _store(traefik, option("storage")),
        challenge,
        option("dnschallenge.provider"),
        option("caserver"),
    )


def _store(traefik: ServiceView, path: str) -> str:
    try:
        found = Places(traefik).outside(path or "/acme.json")
    except Unknown:
        return ""
    return "" if found.startswith(("/", "..")) else found
