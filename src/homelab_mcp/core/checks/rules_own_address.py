"""HL237 to HL241: addresses by name: of other containers, a program's own, and what Homepage is told."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.alike import Words
from homelab_mcp.core.checks.app_folders import repository
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.homepage_words import LABELS, WIDGETS
from homelab_mcp.core.checks.hosts import OWN, host_in, outward
from homelab_mcp.core.checks.view import Entry, ServiceView
from homelab_mcp.model.finding import Finding, Severity

NETWORKING = "https://docs.docker.com/compose/how-tos/networking/"
DOCKER = "https://gethomepage.dev/configs/docker/"
API = "  sonarr:\n    image: linuxserver/sonarr:4.0.14\n"
WEB = "services:\n  web:\n    image: nginx:1.29\n"
VAULT = "services:\n  vault:\n    image: vaultwarden/server:1.34.1\n    labels:\n"
ROUTE = "      traefik.http.routers.vault.rule: Host(`vault.example.org`)\n"
PAGE = "services:\n  homepage:\n    image: ghcr.io/gethomepage/homepage:v1.4.0\n    labels:\n"
PAGE += "      traefik.http.routers.home.rule: Host(`home.example.org`)\n"


@rule(
    "HL237",
    Severity.WARNING,
    "A host that is nearly a container's name",
    why="Containers find each other by the service's or the container's name, letter by letter.",
    link=NETWORKING,
    bad=f"{WEB}    environment: {{API: 'http://sonar:8989'}}\n{API}",
    good=f"{WEB}    environment: {{API: 'http://sonarr:8989'}}\n{API}",
)
def nearly_a_name(ctx: LintContext) -> Iterable[Finding]:
    """An address in a variable or a label of Homepage's whose host no container has, but nearly."""
    known = ctx.lab.hosts
    names = Words(_plain_names(known))
    for service in ctx.services():
        if not ctx.lab.whole and (outward(service) or service.network_mode):
            continue
        for entry in _addresses(service):
            host = host_in((entry.value or "").strip())[0]
            if not host or "." in host or ":" in host or host in known or host in OWN or host.isdigit():
                continue
            near = names.near(host, 0.8)
            if near and not service.partial and host not in given_hosts(service):
                message = f"No container is called {host!r}. Did you mean {near!r}?"
                yield ctx.on(service, entry.path, message)


def _plain_names(known: dict[str, list[ServiceView]]) -> list[str]:
    return [
        name
        for name, services in known.items()
        if any(name in (s.name, s.data.get("container_name")) for s in services)
    ]


def _addresses(service: ServiceView) -> Iterator[Entry]:
    for entry in service.environment.values():
        if "://" in (entry.value or "") and not entry.open:
            yield entry
    for key, entry in service.other_labels:
        if key.startswith("homepage.") and "://" in (entry.value or "") and not entry.open:
            yield entry


def given_hosts(service: ServiceView) -> set[str]:
    """Host names that a service is told of in ``extra_hosts`` and links, as written and in lower case."""
    part = service.data.get("extra_hosts")
    items = part if isinstance(part, list | dict) else ()
    parts = (service.data.get("links"), service.data.get("external_links"))
    links = [str(link) for part in parts if isinstance(part, list) for link in part]
    names = {re.split("[:=]", str(i))[0] for i in items} | {link.rpartition(":")[2] for link in links}
    return names | {name.lower() for name in names}


@rule(
    "HL238",
    Severity.WARNING,
    "A VPN gateway without its device or its key",
    why="gluetun opens /dev/net/tun and logs in with the key or user of the provider: without one of these it stops, "
    "and every client behind it has no network.",
    link="https://github.com/qdm12/gluetun-wiki/blob/main/setup/options/wireguard.md",
    bad="services:\n  vpn:\n    image: qmcgaw/gluetun:v3.40.0\n    cap_add: [NET_ADMIN]\n    devices: [/dev/net/tun]\n"
    "    environment: {VPN_SERVICE_PROVIDER: mullvad, VPN_TYPE: wireguard}\n",
    good="services:\n  vpn:\n    image: qmcgaw/gluetun:v3.40.0\n    cap_add: [NET_ADMIN]\n    devices: [/dev/net/tun]\n"
    "    environment: {VPN_SERVICE_PROVIDER: mullvad, VPN_TYPE: wireguard, WIREGUARD_PRIVATE_KEY: '${KEY:-}',\n"
    "      WIREGUARD_ADDRESSES: 10.64.0.2/32}\n",
)
def gateway_lacks(ctx: LintContext) -> Iterable[Finding]:
    """A gluetun without the tun device, or without what its kind of VPN logs in with."""
    for service in ctx.services():
        if service.image_name != "gluetun" or service.partial or service.data.get("env_file"):
            continue
        given = service.environment
        devices = service.data.get("devices")
        listed = (
            [str(d.get("source") if isinstance(d, dict) else d) for d in devices] if isinstance(devices, list) else []
        )
        tun = any("net/tun" in d or "$" in d for d in listed) or any(
            m.target.startswith("/dev") for m in service.mounts
        )
        if not tun and service.data.get("privileged") not in (True, "true"):
            path = ("devices",) if listed else ()
            yield ctx.on(service, path, "It needs the device /dev/net/tun.")
        kind = given.get("VPN_TYPE") or given.get("VPN_SERVICE_PROVIDER")
        needed = _NEEDED.get((given["VPN_TYPE"].value or "").lower() if "VPN_TYPE" in given else "", ())
        files = any(m.target.startswith(("/gluetun", "/run/secrets")) for m in service.mounts) or service.data.get(
            "secrets"
        )
        if kind and needed and not any(k.startswith(needed) for k in given):
            others = [k for keys in _NEEDED.values() if keys is not needed for k in given if k.startswith(keys[:1])]
            if others:
                message = f"It needs {needed[0]}; {others[0]} is for the other kind of VPN."
                yield ctx.on(service, kind.path, message, severity=Severity.ERROR)
            elif not files:
                yield ctx.on(service, kind.path, f"It needs {needed[0]}.")


_NEEDED = {
    "wireguard": ("WIREGUARD_PRIVATE_KEY", "WIREGUARD_CONF_SECRETFILE"),
    "openvpn": ("OPENVPN_USER", "OPENVPN_KEY", "OPENVPN_ENCRYPTED_KEY", "OPENVPN_CUSTOM_CONFIG", "OPENVPN_CERT"),
}


@rule(
    "HL239",
    Severity.WARNING,
    "A program that takes another address for its own",
    why="A program makes its links, cookies and log-ins of the address that it is told. Where that is not the one that "
    "it is visited by, log-ins fail and links lead elsewhere.",
    link="https://github.com/dani-garcia/vaultwarden/wiki/Enabling-HTTPS",
    bad=f"{VAULT}{ROUTE}    environment: {{DOMAIN: 'https://vualt.example.org'}}\n",
    good=f"{VAULT}{ROUTE}    environment: {{DOMAIN: 'https://vault.example.org'}}\n",
)
def other_address(ctx: LintContext) -> Iterable[Finding]:
    """A variable with the program's own address, below the domain of its router and not the router's."""
    for service in ctx.services():
        hosts: set[str] | None = None
        for key, entry in service.environment.items():
            text = (entry.value or "").strip()
            if not text or text[0] in "\"'" or entry.open or not _OWN_ADDRESS.fullmatch(key.upper()):
                continue
            if key == "DOMAIN" and service.image_name in _WITH_SCHEME and not text.startswith(("http://", "https://")):
                sure = Severity.ERROR if repository(service) == "vaultwarden/server" else None
                yield ctx.on(service, entry.path, f"{key} needs its scheme: https://{text}.", severity=sure)
                continue
            hosts = _routed_hosts(service) if hosts is None else hosts
            told = host_in(text)[0] if "://" in text else text.partition("/")[0].partition(":")[0].lower()
            near = {h for h in hosts if h.partition(".")[2] == told.partition(".")[2]}
            if hosts and near and told not in hosts:
                yield ctx.on(service, entry.path, f"{key} says {told}, its route is {sorted(near)[0]}.")


_OWN_ADDRESS = re.compile(
    r"DOMAIN|PAPERLESS_URL|GITEA__SERVER__(?:ROOT_URL|DOMAIN)|FORGEJO__SERVER__(?:ROOT_URL|DOMAIN)|GF_SERVER_ROOT_URL"
    r"|GF_SERVER_DOMAIN|(?:APP|BASE|ROOT|PUBLIC|SITE|EXTERNAL|FRONTEND|SERVER|NEXTAUTH|WEB)_URL|N8N_HOST|WEBHOOK_URL"
    r"|OVERWRITEHOST|APP_DOMAIN|SITE_DOMAIN|ND_BASEURL|LINKWARDEN_URL|HOARDER_URL|NEXTCLOUD_TRUSTED_DOMAINS"
    r"|OVERWRITECLIURL|N8N_EDITOR_BASE_URL|IMMICH_PUBLIC_URL"
)
_WITH_SCHEME = frozenset(["server"])
"""Vaultwarden's image is vaultwarden/server; it ends over a DOMAIN without (validate_config in its config.rs)."""


def _routed_hosts(service: ServiceView) -> set[str]:
    return {h for r in tl.routers(service) if not r.options.get("rule", _NO_ENTRY).open for h in r.hosts}


_NO_ENTRY = Entry("", None, "", (), True)


@rule(
    "HL240",
    Severity.WARNING,
    "A label that Homepage does not read",
    why="Homepage shows a container that has homepage.group and homepage.name. A misspelt label, an unknown widget or "
    "an address without its scheme leaves a part of the tile out, or all of it.",
    link=DOCKER,
    bad=f"{WEB}    labels:\n      homepage.group: Media\n      homepage.nmae: Web\n",
    good=f"{WEB}    labels:\n      homepage.group: Media\n      homepage.name: Web\n",
)
def homepage_label(ctx: LintContext) -> Iterable[Finding]:
    """Misspelt ``homepage.`` labels, no group or name, unknown widgets, an href without a scheme."""
    for service in ctx.services():
        own = {k: e for k, e in service.other_labels if k.startswith("homepage.")}
        if not own or service.partial:
            continue
        plain = {re.sub(r"^homepage\.(?:instance\.[^.]+\.)?", "", k): e for k, e in own.items()}
        for option, entry in plain.items():
            first = re.sub(r"\[[0-9]+\]", "", option.partition(".")[0])
            if first not in LABELS:
                near = difflib.get_close_matches(first, LABELS, n=1, cutoff=0.6)
                tail = f" Did you mean {near[0]!r}?" if near else ""
                yield ctx.on(service, entry.path, f"Homepage knows no label {option!r}.{tail}", key=True)
            message = _homepage_problem(option, (entry.value or "").strip()) if not entry.open else ""
            if message:
                yield ctx.on(service, entry.path, message)
        missing = {"group", "name"} - plain.keys()
        typed = any(difflib.get_close_matches(o, missing, n=1, cutoff=0.6) for o in plain if o not in LABELS)
        if missing and not typed and plain.keys() & {"group", "name", "href"}:
            message = f"Without homepage.{min(missing)} Homepage does not show it."
            yield ctx.on(service, next(iter(own.values())).path, message)


def _homepage_problem(option: str, value: str) -> str:
    if option in {"href", "siteMonitor"} and value and not re.match(r"[a-z][a-z0-9+.-]*:|/|\$|\{\{|#", value):
        return f"{option} needs its scheme: https://{value}."
    if re.fullmatch(r"widgets?(?:\[[0-9]+\])?\.type", option) and value and value not in WIDGETS:
        near = difflib.get_close_matches(value.lower(), WIDGETS, n=1, cutoff=0.75)
        return f"Homepage has no widget {value!r}. Did you mean {near[0]!r}?" if near else ""
    if re.fullmatch(r"widgets?(?:\[[0-9]+\])?\.url", option) and value and not re.match(r"[a-z]+://|\{\{|\$", value):
        return "A widget's url needs its scheme (http:// or https://)."
    return ""


@rule(
    "HL241",
    Severity.ERROR,
    "A Homepage that refuses its own address",
    why="From 1.0 on Homepage answers only to the hosts in HOMEPAGE_ALLOWED_HOSTS, beside localhost: visitors by any "
    "other name read 'Host validation failed'.",
    link="https://gethomepage.dev/installation/#homepage_allowed_hosts",
    bad=f"{PAGE}    environment: {{HOMEPAGE_ALLOWED_HOSTS: hom.example.org}}\n",
    good=f"{PAGE}    environment: {{HOMEPAGE_ALLOWED_HOSTS: home.example.org}}\n",
)
def refused_host(ctx: LintContext) -> Iterable[Finding]:
    """Homepage's routers with a host that ``HOMEPAGE_ALLOWED_HOSTS`` does not hold."""
    for service in ctx.services():
        if "gethomepage/homepage" not in service.image or re.search(r":v?0\.", service.image) or service.partial:
            continue
        hosts = _routed_hosts(service)
        entry = service.environment.get("HOMEPAGE_ALLOWED_HOSTS")
        if entry is None:
            if hosts and not service.data.get("env_file"):
                yield ctx.on(service, (), f"HOMEPAGE_ALLOWED_HOSTS is missing; it has to hold {sorted(hosts)[0]}.")
            elif not service.data.get("env_file"):
                yield from _visited_by_port(ctx, service)
            continue
        allowed = {h.strip().lower() for h in (entry.value or "").split(",")}
        missing = sorted(h for h in hosts if h not in allowed and not any(a.partition(":")[0] == h for a in allowed))
        if missing and "*" not in allowed and not entry.open:
            yield ctx.on(service, entry.path, f"Its route is {missing[0]}, which is not allowed here.")


def _visited_by_port(ctx: LintContext, service: ServiceView) -> Iterator[Finding]:
    """A published port by which nobody gets in: without the variable only localhost:3000 and 127.0.0.1:3000 may."""
    for _, published in service.published:
        if not published.host or published.container[0] != 3000 or published.protocol != "tcp":
            continue
        port = published.host[0]
        if port != 3000:
            path = ("environment",) if "environment" in service.data else ()
            message = f"HOMEPAGE_ALLOWED_HOSTS is missing; it has to hold the host's address with :{port}."
            yield ctx.on(service, path, message, key=True)
            return
