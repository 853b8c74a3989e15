"""HL287: values that mean something else than they were written for: a host with its scheme."""

from __future__ import annotations

import re
from collections.abc import Iterable

from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.model.finding import Finding, Severity

CLOUD = (
    "services:\n  cloud:\n    image: nextcloud:31.0.8\n    volumes: ['./cloud:/var/www/html']\n"
    "    environment: {NEXTCLOUD_TRUSTED_DOMAINS: '"
)


@rule(
    "HL287",
    Severity.WARNING,
    "An address where a host name is meant",
    why="The program compares this with the host of each request, which has no scheme and no path: nothing fits, and "
    "it answers that the access is not from a trusted domain.",
    link="https://github.com/nextcloud/docker#auto-configuration-via-environment-variables",
    bad=f"{CLOUD}https://cloud.example.org'}}\n",
    good=f"{CLOUD}cloud.example.org'}}\n",
    needs="environment",
)
def host_with_scheme(ctx: LintContext) -> Iterable[Finding]:
    """Variables of host names, lists of them too, with ``https://``."""
    for service in ctx.having("environment"):
        for key in sorted(_HOSTS & service.environment.keys()):
            entry = service.environment[key]
            for word in re.split(r"[\s,]+", entry.value or ""):
                if re.match(r"https?://", word) and not entry.open:
                    bare = word.partition("://")[2].partition("/")[0]
                    yield ctx.on(service, entry.path, f"{key} takes host names: {bare!r} without the scheme.")
                    break


_HOSTS = frozenset(
    {"NEXTCLOUD_TRUSTED_DOMAINS", "OVERWRITEHOST", "PAPERLESS_ALLOWED_HOSTS", "HOMEPAGE_ALLOWED_HOSTS", "N8N_HOST"}
    | {"WG_HOST", "VIRTUAL_HOST", "LETSENCRYPT_HOST"}
)
"""Variables that take hosts without a scheme (each program's documentation)."""
