"""HL330: options with which Traefik believes or accepts what it should not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from homelab_mcp.core.checks import traefik_labels as tl
from homelab_mcp.core.checks.frame import LintContext, rule
from homelab_mcp.core.checks.rules_traefik_options import told
from homelab_mcp.core.checks.traefik_files import FileService
from homelab_mcp.model.finding import Finding, Severity

POINT = (
    "services:\n  traefik:\n    image: traefik:v3.6.1\n    command:\n      - --entrypoints.web.address=:80\n"
    "      - --entrypoints.web.forwardedheaders."
)
_EVERYBODY = frozenset({"0.0.0.0/0", "::/0"})
_YES = frozenset({"true", "1", "t", ""})
_OLD = re.compile(r"VersionTLS1[01]", re.IGNORECASE)


@rule(
    "HL330",
    Severity.WARNING,
    "A Traefik that believes everybody",
    why="With forwardedHeaders.insecure, or all addresses trusted, a visitor says himself where he comes from: "
    "ipAllowList, rate limits and a log-in's rules for the own network can be got round. TLS 1.0 and 1.1 can be "
    "broken.",
    link="https://doc.traefik.io/traefik/reference/install-configuration/entrypoints/#forwarded-headers",
    bad=f"{POINT}insecure=true\n",
    good=f"{POINT}trustedips=172.18.0.0/16\n",
)
def believes_everybody(ctx: LintContext) -> Iterable[Finding]:
    """``insecure`` and ``trustedIPs`` of entry points, and ``minVersion`` of TLS options."""
    static = tl.static_config(ctx.lab)
    for option, value in static.options.items() if static else ():
        match = re.fullmatch(r"entrypoints\.[^.]+\.(forwardedheaders|proxyprotocol)\.(insecure|trustedips)", option)
        what = "its headers" if match and match[1] == "forwardedheaders" else "its PROXY header"
        if match and static and match[2] == "insecure" and value.lower() in _YES:
            yield told(ctx, static, option, f"Every visitor's word counts for where he comes from ({what}).")
        elif match and static and match[2] == "trustedips" and _EVERYBODY.intersection(_words(value)):
            yield told(ctx, static, option, f"All addresses are trusted to say where a visitor comes from ({what}).")
    for file in ctx.lab.traefik_files.services:
        yield from _old_tls(ctx, file)


def _words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",")]


def _old_tls(ctx: LintContext, file: FileService) -> Iterator[Finding]:
    for first, body in _items(file.source.data, "tls"):
        for second, named in _items(body, "options"):
            for name, options in named.items() if isinstance(named, dict) else ():
                for key, value in _items(options, "minversion"):
                    if isinstance(value, str) and _OLD.fullmatch(value):
                        message = "No browser needs less than VersionTLS12."
                        yield ctx.at(file.source, (first, second, str(name), key), message)


def _items(data: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The entry of a mapping with this name in any case."""
    for key, value in data.items() if isinstance(data, dict) else ():
        if str(key).lower() == name:
            yield str(key), value
