"""Traefik's static configuration: the flags, ports, variables and mounts that follow from the lab's settings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from homelab_mcp.core.traefik.dynamic import CERTIFICATES, MIDDLEWARES
from homelab_mcp.core.traefik.providers import PROVIDERS, DnsProvider, provider
from homelab_mcp.model.definition import ServiceDefinition, Variable, Volume
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import Acme, LabSettings

TRAEFIK = "traefik"
RESOLVER = "letsencrypt"
STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
"""Let's Encrypt's staging directory (letsencrypt.org, docs/staging-environment): the same steps, no rate limit that
matters, certificates that no browser trusts."""

_ACME = f"--certificatesresolvers.{RESOLVER}.acme"
_DNS = f"{_ACME}.dnschallenge"
_TLS = "--entrypoints.websecure.http.tls"
_TO = "--entrypoints.web.http.redirections.entrypoint.to="
REDIRECT = f"{_TO}websecure"
"""The definition's flag that leads to HTTPS, and HEALTH its health check's test."""

HEALTH = ("CMD", "traefik", "healthcheck", "--ping")
_ENDPOINT = "--providers.docker.endpoint="
_CA_TARGET = "/etc/homelab/acme-ca.pem"
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_PUBLIC_RESOLVERS = "1.1.1.1:53,9.9.9.9:53"
_SLOW_DELAY = "60s"
ACCESS_LOG = "/logs/access.log"
LOG_LIMIT = 10 * 1024 * 1024
"""Bytes after which the access log's file is put aside; one older file is kept, so that it is twice this at most."""


@dataclass(frozen=True, slots=True)
class TraefikParts:
    """What the lab adds to Traefik's container. ``health`` is a health check's test in place of the definition's."""

    command: tuple[str, ...]
    ports: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    variables: tuple[Variable, ...] = ()
    health: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def traefik_parts(settings: LabSettings, name: str = TRAEFIK) -> TraefikParts:
    """Flags, ports, environment and mounts that follow from the lab's settings, for the service called ``name``.

    Raises:
        InvalidInput: a DNS provider whose variables are not known (code ``dns_provider_unknown``).
    """
    acme = settings.acme
    dns = _provider(acme) if acme.challenge == "dns" else None
    environment = {v: f"${{{v}}}" for v in dns.variables} if dns else {}
    volumes = []
    if acme.ca_certificate and acme.challenge != "none":
        environment["LEGO_CA_CERTIFICATES"] = _CA_TARGET
        volumes.append(f"{acme.ca_certificate}:{_CA_TARGET}:ro")
    if settings.traefik.certificates:
        volumes.append(f"./{name}/certificates:{CERTIFICATES}:ro")
    to_file = settings.traefik.access_log == "file"
    if to_file:
        volumes.append(f"./{name}/logs:{ACCESS_LOG.rpartition('/')[0]}")
    return TraefikParts(
        command=(
            f"--entrypoints.websecure.http.middlewares={','.join(MIDDLEWARES)}",
            *_certificates(settings, dns),
            *([f"--accesslog.filepath={ACCESS_LOG}"] if to_file else []),
        ),
        ports=(published(settings, settings.http_port, 80), published(settings, settings.https_port, 443)),
        environment=environment,
        volumes=tuple(volumes),
        variables=_variables(dns) if dns else (),
        health=("CMD-SHELL", _rotating()) if to_file else (),
        notes=_notes(settings, dns),
    )


def for_settings(command: Sequence[str], settings: LabSettings) -> list[str]:
    """The definition's own flags, with the redirect to HTTPS going to the port that is published."""
    if settings.https_port == 443:
        return list(command)
    return [f"{_TO}:{settings.https_port}" if flag.startswith(_TO) else flag for flag in command]


def without_proxy(definition: ServiceDefinition) -> ServiceDefinition:
    """Traefik's definition with the Docker socket mounted into Traefik itself, as a person may want it."""
    why = "The Docker provider reads container labels and events; whoever controls Traefik then controls the host."
    socket = Volume(kind="socket", read_only=True, why=why)
    volumes = [*definition.container.volumes, socket]
    command = [f for f in definition.container.command or [] if not f.startswith(_ENDPOINT)]
    container = definition.container.model_copy(update={"volumes": volumes, "command": command})
    return definition.model_copy(update={"container": container, "companions": {}})


def gives_certificates(command: object) -> bool:
    """Whether a Traefik with this command gives every router of its secure entry point a certificate by itself."""
    return isinstance(command, list) and any(str(flag).startswith(_TLS) for flag in command)


def published(settings: LabSettings, host_port: int, container_port: int, protocol: str = "tcp") -> str:
    """A ``ports`` entry on the lab's address; without one where that is every address (IPv6 included)."""
    address = settings.bind_address
    if ":" in address and not address.startswith("["):
        address = f"[{address}]"
    prefix = "" if address == "0.0.0.0" else f"{address}:"  # noqa: S104
    return f"{prefix}{host_port}:{container_port}" + ("/udp" if protocol == "udp" else "")


def _variables(dns: DnsProvider) -> tuple[Variable, ...]:
    why = f"Access to the DNS provider {dns.name}."
    return tuple(Variable(name=v, description=why, secret=v in dns.secret) for v in dns.variables)


def _provider(acme: Acme) -> DnsProvider:
    found = provider(acme.dns_provider)
    if found is None and acme.dns_variables and _CODE.fullmatch(acme.dns_provider):
        # lego knows many more; whoever names its variables, which all count as secret, has it.
        return DnsProvider(acme.dns_provider, acme.dns_provider, acme.dns_variables)
    if found is None:
        codes = ", ".join(p.code for p in PROVIDERS)
        raise InvalidInput(
            f"The DNS provider {acme.dns_provider!r} is not known here.",
            hint=f"Set acme.dns_provider to one of {codes}; or name the variables of another that Traefik has in "
            "acme.dns_variables; or acme.challenge to http or tls.",
            code="dns_provider_unknown",
        )
    return found


def _certificates(settings: LabSettings, dns: DnsProvider | None) -> list[str]:
    """How routes get certificates, said once at the entry point so that every router shares it."""
    acme = settings.acme
    if acme.challenge == "none":
        return [f"{_TLS}=true"]
    store = "acme-staging.json" if acme.staging else "acme.json"
    flags = [f"{_ACME}.storage=/letsencrypt/{store}"]
    if settings.email:
        flags.append(f"{_ACME}.email={settings.email}")
    if dns:
        flags += [f"{_DNS}=true", f"{_DNS}.provider={dns.code}", *_propagation(acme, dns)]
    elif acme.challenge == "http":
        flags += [f"{_ACME}.httpchallenge=true", f"{_ACME}.httpchallenge.entrypoint=web"]
    else:
        flags.append(f"{_ACME}.tlschallenge=true")
    server = acme.ca_server or (STAGING if acme.staging else "")
    if server:
        flags.append(f"{_ACME}.caserver={server}")
    flags.append(f"{_TLS}.certresolver={RESOLVER}")
    if dns:
        # One certificate for all: else every router asks for its own, and a lab of thirty meets the CA's limits.
        flags += [f"{_TLS}.domains[0].main={settings.domain}", f"{_TLS}.domains[0].sans=*.{settings.domain}"]
    return flags


def _propagation(acme: Acme, dns: DnsProvider) -> list[str]:
    """When the challenge's record counts as seen by the world."""
    resolvers = ",".join(acme.resolvers) or (_PUBLIC_RESOLVERS if dns.slow else "")
    flags = [f"{_DNS}.resolvers={resolvers}"] if resolvers else []
    if acme.propagation_wait:
        wait = f"{_DNS}.propagation.delaybeforechecks={acme.propagation_wait}s"
        return [*flags, f"{_DNS}.propagation.disablechecks=true", wait]
    if dns.slow:
        # Its own name servers often answer late or not at all; what counts is what the world's resolvers see.
        wait = f"{_DNS}.propagation.delaybeforechecks={_SLOW_DELAY}"
        return [*flags, f"{_DNS}.propagation.disableanschecks=true", wait]
    return flags


def _rotating() -> str:
    """A health check that also puts a full access log aside: Traefik reopens its logs on USR1, and rotates none."""
    old = f"{ACCESS_LOG}.1"
    full = f'[ "$$(wc -c < {ACCESS_LOG} 2>/dev/null || echo 0)" -gt {LOG_LIMIT} ]'
    return f"if {full}; then mv {ACCESS_LOG} {old} && kill -USR1 1; fi; traefik healthcheck --ping"


def _notes(settings: LabSettings, dns: DnsProvider | None) -> tuple[str, ...]:
    notes = [f"{dns.name}: {dns.note}"] if dns and dns.note else []
    if settings.acme.staging:
        notes.append("Certificates come from the staging CA: browsers warn until acme.staging is false.")
    if settings.acme.challenge == "none" and not settings.traefik.certificates:
        notes.append("No CA is asked and no certificate is named: Traefik serves one that no browser trusts.")
    if settings.traefik.docker_access == "proxy":
        notes.append(
            "Traefik asks Docker through a proxy that lets it read containers and events, and change nothing. It can "
            "still read every container's environment: keep Traefik itself trusted."
        )
    return tuple(notes)
