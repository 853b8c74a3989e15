"""What Traefik's own service needs from the lab: published ports, and how it gets certificates."""

from __future__ import annotations

from dataclasses import dataclass, field

from homelab_mcp.model.definition import Variable
from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.lab import LabSettings

TRAEFIK = "traefik"
_RESOLVER = "--certificatesresolvers.letsencrypt.acme"
_REDIRECT = "--entrypoints.web.http.redirections.entrypoint.to="
_CA_TARGET = "/etc/homelab/acme-ca.pem"

# lego's environment variables per DNS provider (go-acme/lego, docs/content/dns).
_DNS_VARIABLES: dict[str, tuple[str, ...]] = {
    "cloudflare": ("CF_DNS_API_TOKEN",),
    "desec": ("DESEC_TOKEN",),
    "digitalocean": ("DO_AUTH_TOKEN",),
    "duckdns": ("DUCKDNS_TOKEN",),
    "gandiv5": ("GANDIV5_PERSONAL_ACCESS_TOKEN",),
    "hetzner": ("HETZNER_API_TOKEN",),
    "ionos": ("IONOS_API_KEY",),
    "linode": ("LINODE_TOKEN",),
    "netcup": ("NETCUP_CUSTOMER_NUMBER", "NETCUP_API_KEY", "NETCUP_API_PASSWORD"),
    "porkbun": ("PORKBUN_API_KEY", "PORKBUN_SECRET_API_KEY"),
    "vultr": ("VULTR_API_KEY",),
}


@dataclass(frozen=True, slots=True)
class TraefikParts:
    """What the lab adds to Traefik's container."""

    command: tuple[str, ...]
    ports: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    variables: tuple[Variable, ...] = ()


def traefik_parts(settings: LabSettings) -> TraefikParts:
    """Flags, ports, environment and mounts that follow from the lab's settings.

    Raises:
        InvalidInput: a DNS provider whose variables are not known (code ``dns_provider_unknown``).
    """
    acme = settings.acme
    command = [f"{_RESOLVER}.email={settings.email}"] if settings.email else []
    names: tuple[str, ...] = ()
    if acme.challenge == "dns":
        if acme.dns_provider not in _DNS_VARIABLES:
            raise InvalidInput(
                f"The DNS provider {acme.dns_provider!r} is not known here.",
                hint=f"Set acme.dns_provider to one of {', '.join(_DNS_VARIABLES)}, or acme.challenge to http or tls.",
                code="dns_provider_unknown",
            )
        names = _DNS_VARIABLES[acme.dns_provider]
        command += [f"{_RESOLVER}.dnschallenge=true", f"{_RESOLVER}.dnschallenge.provider={acme.dns_provider}"]
    elif acme.challenge == "http":
        command += [f"{_RESOLVER}.httpchallenge=true", f"{_RESOLVER}.httpchallenge.entrypoint=web"]
    else:
        command.append(f"{_RESOLVER}.tlschallenge=true")
    if acme.ca_server:
        command.append(f"{_RESOLVER}.caserver={acme.ca_server}")
    environment = {name: f"${{{name}}}" for name in names}
    volumes: tuple[str, ...] = ()
    if acme.ca_certificate:
        environment["LEGO_CA_CERTIFICATES"] = _CA_TARGET
        volumes = (f"{acme.ca_certificate}:{_CA_TARGET}:ro",)
    return TraefikParts(
        command=tuple(command),
        ports=(published(settings, settings.http_port, 80), published(settings, settings.https_port, 443)),
        environment=environment,
        volumes=volumes,
        variables=tuple(
            Variable(name=n, description=f"Access to the DNS provider {acme.dns_provider}.", secret=True) for n in names
        ),
    )


def redirected(command: list[str], settings: LabSettings) -> list[str]:
    """The command with the redirect to HTTPS going to the port that is published, where that is not 443."""
    if settings.https_port == 443:
        return command
    return [f"{_REDIRECT}:{settings.https_port}" if flag.startswith(_REDIRECT) else flag for flag in command]


def published(settings: LabSettings, host_port: int, container_port: int, protocol: str = "tcp") -> str:
    """A ``ports`` entry on the lab's address; without one where that is every address (IPv6 included)."""
    address = settings.bind_address
    if ":" in address and not address.startswith("["):
        address = f"[{address}]"
    prefix = "" if address == "0.0.0.0" else f"{address}:"  # noqa: S104
    return f"{prefix}{host_port}:{container_port}" + ("/udp" if protocol == "udp" else "")
