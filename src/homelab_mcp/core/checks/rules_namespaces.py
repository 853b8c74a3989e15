"""HL139 to HL142: name servers, host entries, and namespaces that a container shares."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks.engine_networks import asked, has
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_container import texts
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.core.compose_model import is_open
from homelab_mcp.core.yaml12 import Path
from homelab_mcp.model.finding import Finding, Severity

SERVICES = "https://docs.docker.com/reference/compose-file/services/"
HEAD = "services:\n  web:\n    image: nginx:1.29\n"
MODES = frozenset({"host", "none", "bridge", "default", "nat", "slirp4netns", "pasta"})


def is_address(text: str) -> bool:
    """True for an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return True


def word(service: ServiceView, field: str) -> str:
    """A field's text, "" where it is none or has a variable without a value."""
    value = service.data.get(field)
    return str(value) if isinstance(value, str) and not is_open(value) else ""


@rule(
    "HL139",
    Severity.ERROR,
    "A name server or host entry that is no address",
    why="A name server (dns) and the target of a host entry (extra_hosts) are IP addresses: nobody could look up a "
    "name there. The engine refuses the host entry, and with such a name server nothing outside is ever found.",
    link=f"{SERVICES}#dns",
    bad=f"{HEAD}    dns: [dns.example.org]\n",
    good=f"{HEAD}    dns: [9.9.9.9]\n    extra_hosts: ['host.docker.internal:host-gateway']\n",
    needs="dns dns_search extra_hosts",
)
def no_address(ctx: LintContext) -> Iterable[Finding]:
    """``dns`` items that are no address, ``extra_hosts`` whose target is none, a search domain with blanks."""
    for service in ctx.services():
        for text, path in texts(service, "dns"):
            if text and not is_address(text.strip()):
                message = f"{text!r} is no IP address; a name server is asked on port 53 of an address."
                yield ctx.on(service, path, message)
        for address, path in _host_entries(service):
            if address != "host-gateway" and not is_address(address.removeprefix("[").removesuffix("]")):
                message = f"{address!r} is no IP address (the host itself is 'host-gateway')."
                yield ctx.on(service, path, message)
        for text, path in texts(service, "dns_search"):
            if not re.fullmatch(r"\.|[A-Za-z0-9_.-]{1,253}", text):
                message = f"{text!r} is no domain name."
                yield ctx.on(service, path, message, severity=Severity.WARNING)


def _host_entries(service: ServiceView) -> Iterator[tuple[str, Path]]:
    """Targets of ``extra_hosts`` and where they are; entries without a name or a target are another rule's."""
    part = service.data.get("extra_hosts")
    for host, value in part.items() if isinstance(part, dict) else ():
        for address in value if isinstance(value, list) else [value]:
            if isinstance(address, str) and address and not is_open(address):
                yield str(address), ("extra_hosts", host)
    for text, path in texts(service, "extra_hosts"):
        match = re.fullmatch(r"[^:=]+[:=](.+)", text)
        if match:
            yield match[1], path


@rule(
    "HL140",
    Severity.ERROR,
    "A namespace that Docker does not know",
    why="'ipc' is none, private, shareable, host, service:<name> or container:<name>: the engine refuses anything "
    "else. An unknown word for 'pid', 'uts' or 'userns_mode' it ignores, so that what was meant does not happen.",
    link=f"{SERVICES}#ipc",
    bad=f"{HEAD}    ipc: sharable\n",
    good=f"{HEAD}    ipc: shareable\n",
)
def bad_namespace(ctx: LintContext) -> Iterable[Finding]:
    """``ipc``, ``pid``, ``uts``, ``userns_mode`` or ``isolation`` with a word that is none of theirs."""
    for service in ctx.services():
        if service.data.keys().isdisjoint(_NAMESPACES):
            continue
        for field, (words, shared, severity) in _NAMESPACES.items():
            value = word(service, field)
            if not value or value in words or (shared and re.match(r"(?:service|container):.", value)):
                continue
            more = ", service:<name> or container:<name>" if shared else ""
            listed = ", ".join(sorted(words)) + more
            yield ctx.on(service, (field,), f"'{field}' is {listed}; not {value!r}.", severity=severity)
        if word(service, "uts") == "host" and word(service, "hostname"):
            yield ctx.on(service, ("hostname",), "With 'uts: host' the host's name is the container's.", key=True)


_NAMESPACES: dict[str, tuple[frozenset[str], bool, Severity | None]] = {
    "ipc": (frozenset({"none", "private", "shareable", "host"}), True, None),
    "pid": (frozenset({"host"}), True, Severity.WARNING),
    "uts": (frozenset({"host"}), False, Severity.WARNING),
    "userns_mode": (frozenset({"host"}), False, Severity.WARNING),
    "isolation": (frozenset({"default", "process", "hyperv"}), False, None),
}


@rule(
    "HL141",
    Severity.ERROR,
    "A network_mode that names no network",
    why="Besides host, none, bridge, service:<name> and container:<name> a network_mode is the name of a network that "
    "the engine has already: Compose makes none for it, and the container does not start.",
    link=f"{SERVICES}#network_mode",
    bad=f"{HEAD}    network_mode: hots\n",
    good=f"{HEAD}    network_mode: host\n",
)
def bad_network_mode(ctx: LintContext) -> Iterable[Finding]:
    """A network_mode that is no known word and no network; where nobody asked the engine only a likely slip."""
    made = {(s.host, s.real_network(k)) for s in ctx.lab.stacks for k in s.section("networks")}
    made |= {(s.stack.host, real) for s in ctx.services() for real in s.real_networks}
    known = ctx.lab.facts.networks
    for service in ctx.services():
        mode = service.network_mode
        if not mode or is_open(service.data["network_mode"]) or mode in MODES:
            continue
        if (service.stack.host, mode) in made:
            continue
        if re.match(r"(?:service|container|ns):", mode):
            if mode.endswith(":") and not mode.startswith("ns:"):
                yield ctx.on(service, ("network_mode",), f"{mode!r} names nobody.")
            continue
        if mode in service.stack.section("networks"):
            message = f"Compose does not make the network {mode!r} for network_mode; list it under 'networks'."
            yield ctx.on(service, ("network_mode",), message)
        elif asked(known, service.stack):
            if not has(known, service.stack, mode):
                yield ctx.on(service, ("network_mode",), f"The engine has no network {mode!r}.")
        elif near := difflib.get_close_matches(mode, ("host", "none", "bridge", "default"), n=1):
            yield ctx.on(service, ("network_mode",), f"Did you mean {near[0]!r}?", severity=Severity.WARNING)


@rule(
    "HL142",
    Severity.ERROR,
    "A setting that network_mode host or none rules out",
    why="The container has no network of its own to set it on: the engine refuses links and a hardware address beside "
    "the host's network, and 'ports' do nothing without a network.",
    link=f"{SERVICES}#network_mode",
    bad=f"{HEAD}    network_mode: host\n    mac_address: 02:42:ac:11:65:43\n",
    good=f"{HEAD}    network_mode: host\n",
    needs="network_mode",
)
def ruled_out(ctx: LintContext) -> Iterable[Finding]:
    """``links`` or ``mac_address`` beside the host's network; ``ports`` beside none."""
    for service in ctx.services():
        mode = word(service, "network_mode")
        for field in ("links", "mac_address") if mode == "host" else ():
            if service.data.get(field):
                yield ctx.on(service, (field,), f"'{field}' cannot stand beside 'network_mode: host'.", key=True)
        if mode == "none" and service.data.get("ports"):
            message = "'ports' do nothing with 'network_mode: none'."
            yield ctx.on(service, ("ports",), message, key=True, severity=Severity.WARNING)
