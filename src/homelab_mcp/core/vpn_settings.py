"""A gateway's provider: which variables it needs, which are missing, and how its service comes by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from homelab_mcp.core.labels import SERVICE, labels_of
from homelab_mcp.core.references import variables_in
from homelab_mcp.core.service_edit import ServiceEdit
from homelab_mcp.core.vpn import GATEWAY
from homelab_mcp.core.vpn_providers import KNOWN_VARIABLES, PROVIDERS, SECRETS, Provider, provider_of
from homelab_mcp.model.errors import InvalidInput

PROVIDER, TYPE = "VPN_SERVICE_PROVIDER", "VPN_TYPE"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a gateway is to be: ``env`` is what ``.env`` gets, ``missing`` what a person must still set there."""

    provider: Provider
    type: str
    env: dict[str, str]
    missing: tuple[str, ...]


def chosen(provider: str, kind: str, env: Mapping[str, str]) -> Chosen:
    """A provider and kind of tunnel, from what is asked and what ``.env`` has.

    Args:
        provider: its id, name or alias; "" for the one in ``env``.
        kind: wireguard or openvpn; "" for the one in ``env`` where the provider offers it, else its best.
        env: the stack's variables.

    Raises:
        InvalidInput: ``vpn_provider_missing``, ``vpn_provider_unknown``, ``vpn_type_not_offered``.
    """
    word = provider or env.get(PROVIDER, "")
    if not word:
        raise InvalidInput(
            "No VPN provider is chosen.",
            hint=f"Name one: {', '.join(PROVIDERS)}.",
            code="vpn_provider_missing",
        )
    found = provider_of(word)
    before = env.get(TYPE, "")
    kind = kind or (before if before in found.types else found.types[0])
    needs = found.needs(kind)
    wanted = {PROVIDER: found.id, TYPE: kind}
    return Chosen(
        found,
        kind,
        {n: v for n, v in wanted.items() if env.get(n) != v},
        tuple(n for n in needs if not env.get(n)),
    )


def with_variables(text: str, gateway: str, choice: Chosen) -> str:
    """The compose text whose gateway passes on every variable that the provider needs."""
    edit = ServiceEdit(text, gateway)
    there = edit.entries("environment")
    for name in (PROVIDER, TYPE, *choice.provider.needs(choice.type)):
        if name not in there:
            edit.set_entry("environment", name, f"${{{name}}}" if name in (PROVIDER, TYPE) else f"${{{name}:-}}")
    return edit.text


def takes_from_env(service: object) -> bool:
    """Whether a gateway's provider is chosen in ``.env``: made from the catalog, or written that way."""
    return labels_of(service).get(SERVICE) == GATEWAY or PROVIDER in set(variables_in(service))


def how_to_set(stack: str, missing: tuple[str, ...]) -> list[str]:
    """A sentence for each variable that a person must set."""
    said = []
    for name in missing:
        who = "A person runs" if name in SECRETS else "Run"
        said.append(f"{name}: {KNOWN_VARIABLES.get(name, '')} {who} `homelab-mcp env set {stack} {name}`.")
    return said


def forwarding(choice: Chosen) -> str:
    """What a person should know about letting a port in."""
    found = choice.provider
    if not found.forwarding or choice.type not in found.forwarding_types:
        return f"{found.name} forwards no port with {choice.type}, so peers from outside do not reach services."
    if found.forwarding.startswith("VPN_"):
        return f"{found.name} can forward a port: give the gateway the variable {found.forwarding}=on."
    return f"{found.name} can forward a port that you choose there: give the gateway {found.forwarding} with it."
