"""What Traefik's log says of certificates: which resolver failed, for which names, and what kind of failure it was.

Forms: Traefik's JSON log and its console one, both seen with the 3.7.15 binary; messages from traefik/traefik
pkg/provider/acme/provider.go. Kinds go by the ACME error types (RFC 8555 section 6.7), and by the words of the ACME
library that Traefik is built with (go-acme/lego).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from homelab_mcp.model.certificate import ResolverError

KINDS = {
    "rate_limited": r"ratelimited|too many (certificates|failed|new orders|registrations|requests)",
    "caa": r"acme:error:caa\b|caa record",
    "token": r"unauthorized.{0,40}(token|api)|invalid.{0,20}(token|api key|credentials)|authentication (failed|error)"
    r"|\b(401|403)\b.{0,60}(dns|zone|token|api)|request to change TXT record.{0,200}\bKO\b|credentials"
    r"|access denied|some credentials information are missing",
    "clock": r"certificate (has expired or )?is not yet valid|acme:error:badnonce.{0,200}badnonce|time.{0,20}skew",
    "propagation": r"propagation|time limit exceeded|no txt record|incorrect txt record|nxdomain.{0,80}txt"
    r"|acme:error:dns\b|could not find (the )?(zone|start of authority)|servfail",
    "port": r"acme:error:connection|timeout during connect|connection refused.{0,80}(validat|challenge|:80|:443)"
    r"|fetching http|firewall|acme:error:tls\b|acme:error:unauthorized|invalid response from http"
    r"|cannot negotiate alpn",
    "ca_unreachable": r"cannot get acme client|get directory at|no such host|i/o timeout|connection refused"
    r"|x509: certificate signed by unknown authority|tls handshake timeout|network is unreachable",
    "rejected": r"acme:error:(rejectedidentifier|malformed|unsupportedidentifier|externalaccountrequired)"
    r"|acme:error:invalidcontact|invalid (email|contact)|contact.{0,40}(invalid|forbidden)",
    "store": r"permissions .{0,20} (for|are too open)|unable to (write|read|open).{0,40}acme"
    r"|acme\.json.{0,60}permission",
}
"""Kind -> what the text of such a failure holds, the first that fits counts; ``other`` is none of them."""

_KINDS = [(kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in KINDS.items()]
_CONCERNS = re.compile(
    r"ACME certificate|acme: error|certificate resolver|Error renewing|obtain .{0,20}certificate|ACME client"
    r"|ACME account|acme\.json",
    re.IGNORECASE,
)
_NAMES = re.compile(r"for (?:the )?domains? \[?\"?([A-Za-z0-9*.,\" -]+?)\"?\]?:")
_RENEWED = re.compile(
    r"Main:([A-Za-z0-9*.-]+) SANs:\[([A-Za-z0-9*. -]*)\]|\{([A-Za-z0-9*.-]+) \[([A-Za-z0-9*. -]*)\]\}"
)
_CONSOLE = re.compile(r"^(\S+)\s+(ERR|INF|FTL|PNC)\s+(.*)$")
_PROVIDER = re.compile(r"providerName=(\S+?)\.acme")
_FAILED = re.compile(r"Error renewing")
"""What a CA that cannot be reached is told with when a certificate is to be renewed, at level info."""

_BAD = frozenset({"error", "fatal", "panic"})
_LONGEST = 400


def resolver_errors(lines: Iterable[tuple[str, str, str]]) -> tuple[ResolverError, ...]:
    """What went wrong, oldest first. ``lines`` are (RFC 3339 time, stream, line) of Traefik's container log."""
    return tuple(found for when, _, line in lines for found in _one(when, line))


def kind_of(text: str) -> str:
    """Which kind of failure a resolver's error is."""
    return next((kind for kind, pattern in _KINDS if pattern.search(text)), "other")


def _one(when: str, line: str) -> Iterator[ResolverError]:
    text, data = line.strip(), {}
    if text.startswith("{"):
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            return
        if not isinstance(data, dict):
            return
        text = f"{data.get('message', '')}: {data.get('error', '')}"
        if data.get("level") not in _BAD and not _FAILED.match(text):
            return
        resolver = str(data.get("providerName", "")).removesuffix(".acme")
    else:
        found = _CONSOLE.match(text)
        if found is None or (found[2] == "INF" and not _FAILED.match(found[3])):
            return
        text = found[3]
        named = _PROVIDER.search(text)
        resolver = named[1] if named else ""
    if not _CONCERNS.search(text):
        return
    yield ResolverError(_seconds(when), resolver, _domains(data, text), kind_of(text), text[:_LONGEST])


def _domains(data: dict[str, Any], text: str) -> tuple[str, ...]:
    given = data.get("domains")
    words: list[str] = [str(d) for d in given] if isinstance(given, list) else str(given or "").split(",")
    if not any(words) and (found := _NAMES.search(text)):
        words = re.split(r"[\s,\"]+", found[1])
    if not any(words) and (found := _RENEWED.search(text)):
        words = [found[1] or found[3] or "", *(found[2] or found[4] or "").split()]
    return tuple(dict.fromkeys(w.strip().lower() for w in words if "." in w))


def _seconds(when: str) -> float:
    try:
        # Docker gives nine digits of a second, Python reads six.
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", when)).timestamp()
    except ValueError:
        return 0.0
