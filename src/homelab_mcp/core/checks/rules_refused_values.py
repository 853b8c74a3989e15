"""HL288 to HL290: settings that a program refuses at its start, or reads no more."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from homelab_mcp.core.checks import env_texts
from homelab_mcp.core.checks.app_folders import repository
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.view import ServiceView
from homelab_mcp.model.finding import Finding, Severity

PAPER = (
    "services:\n  paperless:\n    image: ghcr.io/paperless-ngx/paperless-ngx:2.18.4\n    environment: {PAPERLESS_URL: "
)
STORE = "services:\n  minio:\n    image: minio/minio:RELEASE.2025-04-22T22-12-26Z\n    command: server /data\n"
HOLE = "services:\n  pihole:\n    image: pihole/pihole:2025.08.0\n    environment: {TZ: Europe/Berlin, "


@dataclass(frozen=True, slots=True)
class _Setting:
    """One variable of a service's container: its value, and how a finding at it is made."""

    key: str
    value: str
    found: Callable[[str], Finding]


def _settings(ctx: LintContext, service: ServiceView, rule_id: str, severity: Severity) -> Iterator[_Setting]:
    """The variables that the service and its env files give, as far as their values are known."""
    for entry in service.environment.values():
        if not entry.open and entry.value is not None:
            yield _Setting(entry.key, entry.value, partial(ctx.on, service, entry.path))
    for file in env_texts.files_of(service):
        text = env_texts.read(ctx.lab, service.stack, file)
        for each in text.entries if text else ():
            if text and each.name not in service.environment and "$" not in each.raw:
                mark = text.mark(each)
                found = Finding(rule_id, severity, "", file, mark.line, mark.column, service.name)
                yield _Setting(each.name, each.raw.strip(), partial(_saying, found))


def _saying(finding: Finding, message: str) -> Finding:
    return replace(finding, message=message)


@rule(
    "HL288",
    Severity.ERROR,
    "An address without the scheme that its program asks for",
    why="The program checks this setting when it starts and ends over an address that does not begin with its scheme: "
    "the container restarts for ever.",
    link="https://docs.paperless-ngx.com/configuration/#PAPERLESS_URL",
    bad=f"{PAPER}paper.example.org}}\n",
    good=f"{PAPER}'https://paper.example.org'}}\n",
)
def no_scheme(ctx: LintContext) -> Iterable[Finding]:
    """Variables of well-known images whose value has to begin with ``https://``, ``redis://`` or the like."""
    for service in ctx.services():
        own = _SCHEMES.get(repository(service))
        for setting in _settings(ctx, service, "HL288", Severity.ERROR) if own else ():
            schemes = own.get(setting.key, "") if own else ""
            texts = setting.value.split(",") if setting.key.endswith("ORIGINS") else [setting.value]
            wrong = next((t.strip() for t in texts if schemes and _lacks(t.strip(), schemes)), "")
            if wrong:
                first = "https" if "https" in schemes else schemes.partition(" ")[0]
                yield setting.found(f"{setting.key} needs its scheme, {first}://, in front.")


def _lacks(text: str, schemes: str) -> bool:
    return (
        bool(text) and text[0] not in "\"'{" and not text.lower().startswith(tuple(f"{s}://" for s in schemes.split()))
    )


_WEB = "http https"
_SCHEMES: dict[str, dict[str, str]] = {
    "paperless-ngx/paperless-ngx": {
        "PAPERLESS_URL": _WEB,
        "PAPERLESS_CSRF_TRUSTED_ORIGINS": _WEB,
        "PAPERLESS_REDIS": "redis rediss unix",
    },
    "docmost/docmost": {"APP_URL": _WEB},
}
"""Repository -> variable -> the schemes that it may begin with.

Paperless' settings.py puts PAPERLESS_URL among Django's CSRF_TRUSTED_ORIGINS, and Django's check 4_0.E001 ends the
start over one without a scheme; its wait-for-redis.py gives PAPERLESS_REDIS to redis-py, which knows these schemes only
(both in https://github.com/paperless-ngx/paperless-ngx). Docmost: https://github.com/docmost/docmost/issues/97.
"""


@rule(
    "HL289",
    Severity.ERROR,
    "A secret that is too short for its program",
    why="The program asks for so many characters at least and ends at its start where there are fewer.",
    link="https://min.io/docs/minio/linux/reference/minio-server/settings/root-credentials.html",
    bad=f"{STORE}    environment: {{MINIO_ROOT_PASSWORD: '${{STORE_PASSWORD:-abc}}'}}\n",
    good=f"{STORE}    environment: {{MINIO_ROOT_PASSWORD: '${{STORE_PASSWORD:-abcdefgh}}'}}\n",
)
def too_short(ctx: LintContext) -> Iterable[Finding]:
    """Secrets of well-known images with fewer characters than these start with; no message says what they are."""
    for service in ctx.services():
        own = _LEAST.get(repository(service))
        for setting in _settings(ctx, service, "HL289", Severity.ERROR) if own else ():
            least = own.get(setting.key, 0) if own else 0
            text = setting.value.strip("\"'")
            if text and len(text.encode()) < least and _is_in_use(service, setting.key):
                yield setting.found(f"{setting.key} has fewer than {least} characters; with these it does not start.")


def _is_in_use(service: ServiceView, key: str) -> bool:
    if key != "MEILI_MASTER_KEY":
        return True
    told = service.environment.get("MEILI_ENV")
    return told is not None and told.value == "production"


_MINIO = {"MINIO_ROOT_USER": 3, "MINIO_ROOT_PASSWORD": 8}
_LEAST: dict[str, dict[str, int]] = {
    "minio/minio": _MINIO,
    "authelia/authelia": {"AUTHELIA_STORAGE_ENCRYPTION_KEY": 20},
    "getmeili/meilisearch": {"MEILI_MASTER_KEY": 16},
    "docmost/docmost": {"APP_SECRET": 32},
}
"""Repository -> variable -> the fewest bytes.

MinIO: access key 3, secret key 8 (https://github.com/minio/minio, internal/auth/credentials.go). Authelia:
https://www.authelia.com/configuration/storage/introduction/#encryption_key. Meilisearch, in production only:
https://www.meilisearch.com/docs/learn/security/basic_security. Docmost: https://docmost.com/docs/installation.
"""


@rule(
    "HL290",
    Severity.WARNING,
    "A variable that this release reads no more",
    why="The program passes over a name of an earlier release without a word: the password, the upstream or the port "
    "that it was to set is its default, or made up anew.",
    link="https://docs.pi-hole.net/docker/upgrading/v5-v6/",
    bad=f"{HOLE}WEBPASSWORD: '${{PIHOLE_PASSWORD}}'}}\n",
    good=f"{HOLE}FTLCONF_webserver_api_password: '${{PIHOLE_PASSWORD}}'}}\n",
    needs="environment",
)
def no_longer_read(ctx: LintContext) -> Iterable[Finding]:
    """Variables of an image's earlier major release, where the tag is of the later one or none is named."""
    for service in ctx.having("environment"):
        for since, names in _RENAMED.get(repository(service), ()):
            if service.data.get("build") or not _is_since(service, since):
                continue
            for key in sorted(names.keys() & service.environment.keys()):
                if names[key] not in service.environment:
                    path = service.environment[key].path
                    yield ctx.on(service, path, f"{key} is not read any more; it is {names[key]} now.", key=True)


def _is_since(service: ServiceView, since: int) -> bool:
    """True for a tag whose first number is so great, and for latest."""
    tag = service.image.partition("@")[0].rpartition("/")[2].partition(":")[2]
    number = re.match(r"v?([0-9]{1,9})(?:\.|-|$)", tag)
    return int(number.group(1)) >= since if number else tag in {"", "latest"}


_PIHOLE = {
    "WEBPASSWORD": "FTLCONF_webserver_api_password",
    "PIHOLE_DNS_": "FTLCONF_dns_upstreams",
    "DNSMASQ_LISTENING": "FTLCONF_dns_listeningMode",
    "DNSSEC": "FTLCONF_dns_dnssec",
    "DNS_BOGUS_PRIV": "FTLCONF_dns_bogusPriv",
    "DNS_FQDN_REQUIRED": "FTLCONF_dns_domainNeeded",
    "CUSTOM_CACHE_SIZE": "FTLCONF_dns_cache_size",
    "INTERFACE": "FTLCONF_dns_interface",
    "QUERY_LOGGING": "FTLCONF_dns_queryLogging",
    "WEB_PORT": "FTLCONF_webserver_port",
    "WEBTHEME": "FTLCONF_webserver_interface_theme",
    "REV_SERVER": "FTLCONF_dns_revServers",
    "DHCP_ACTIVE": "FTLCONF_dhcp_active",
    "DHCP_START": "FTLCONF_dhcp_start",
    "DHCP_END": "FTLCONF_dhcp_end",
    "DHCP_ROUTER": "FTLCONF_dhcp_router",
}
_RENAMED: dict[str, tuple[tuple[int, dict[str, str]], ...]] = {"pihole/pihole": ((2025, _PIHOLE),)}
"""Repository -> (first number of the tags that do not read them, old name -> new name).

Pi-hole: its page on the way from v5 to v6; the images of v6 are those from 2025 on.
"""
