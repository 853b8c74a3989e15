"""Where the HTTP server listens, whom it believes, and what it stands."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass, field

from homelab_mcp.model.errors import InvalidInput
from homelab_mcp.model.token import ALL_SCOPES, Scope

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - named to be told apart
SHORTEST_TOKEN = 16
APPROVALS = "/approvals"
"""Where the approval page is, beside MCP over HTTP and alone."""
HOOKS = "/hooks"
GIT_HOOK = f"{HOOKS}/git"
"""Where a forge calls after a push."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server stands before it says no; enough for a household's clients, little for a flood.

    Args:
        rate: requests a second, of one token (of one address, where no token is needed).
        burst: requests at once, before ``rate`` counts.
        refusal_rate: refused requests a second, of one address; more are told to wait instead.
        refusal_burst: refused requests at once.
        at_work: requests at work at once; a client that listens (SSE) has one open all the time.
        at_work_each: the same, of one token or address.
        connections: open TCP connections.
        connections_each: the same, of one address that is no trusted proxy's.
        sessions: sessions of 2025-11-25 clients.
        session_idle: seconds after which a session that nobody uses ends.
        body: bytes of a request's body.
        hook_body: the same, of a forge's call about a push, which is read before anybody knows who sends it.
        hook_rate: such calls a second, of all together; each makes this machine ask the repository once.
        hook_burst: such calls at once, before ``hook_rate`` counts.
        header_seconds: from the connection, or a request's first byte, to the end of its headers.
        body_seconds: for a request's body.
    """

    rate: float = 20.0
    burst: int = 200
    refusal_rate: float = 1.0
    refusal_burst: int = 60
    at_work: int = 64
    at_work_each: int = 32
    connections: int = 256
    connections_each: int = 64
    sessions: int = 100
    session_idle: float = 1800.0
    body: int = 4 * 1024 * 1024
    hook_body: int = 1024 * 1024
    hook_rate: float = 0.1
    hook_burst: int = 10
    header_seconds: float = 10.0
    body_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How to listen.

    Args:
        host: address to bind.
        port: TCP port.
        token: the token given at start, if any; ``token_scopes`` is what it may do.
        allow_hosts: further values of ``Host``: ``name`` (any port) or ``name:port``.
        behind_proxy: addresses or networks of proxies whose ``X-Forwarded-*`` is believed.
        tls_cert: file with the certificate chain, PEM; with ``tls_key``, its key.
    """

    host: str
    port: int
    token: str = field(default="", repr=False)
    token_scopes: tuple[Scope, ...] = ALL_SCOPES
    allow_hosts: tuple[str, ...] = ()
    behind_proxy: tuple[str, ...] = ()
    tls_cert: str = ""
    tls_key: str = ""
    limits: Limits = Limits()

    @property
    def exposed(self) -> bool:
        """Whether others than programs of this machine can reach it, by its address or through a proxy."""
        return self.host not in LOOPBACK or bool(self.allow_hosts or self.behind_proxy)

    @property
    def scheme(self) -> str:
        """``https`` with a certificate, else ``http``."""
        return "https" if self.tls_cert else "http"

    @property
    def authority(self) -> str:
        """``host:port`` as a URL has it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def proxies(self) -> tuple[Network, ...]:
        """The trusted proxies as networks. Raises InvalidInput (bad_proxy)."""
        try:
            return tuple(ipaddress.ip_network(text, strict=False) for text in self.behind_proxy)
        except ValueError:
            raise InvalidInput(
                "--behind-proxy takes an IP address or a network.",
                hint="For example: --behind-proxy 172.18.0.0/16 (the network that Traefik is in).",
                code="bad_proxy",
            ) from None

    def check(self, *, kept_tokens: bool) -> None:
        """Refuse what nobody should serve.

        Raises:
            InvalidInput: token_required (reachable by others, and no token), weak_token, bad_proxy, bad_tls.
        """
        _ = self.proxies
        if self.token and len(self.token) < SHORTEST_TOKEN:
            raise InvalidInput(
                f"The token given at start is shorter than {SHORTEST_TOKEN} characters.",
                hint="Make one with `homelab-mcp token create NAME`, or give a long random value.",
                code="weak_token",
            )
        if bool(self.tls_cert) != bool(self.tls_key):
            raise InvalidInput(
                "TLS needs both a certificate and its key.",
                hint="Give --tls-cert and --tls-key together.",
                code="bad_tls",
            )
        if self.exposed and not (self.token or kept_tokens):
            raise InvalidInput(
                f"Serving on {self.authority} would let anyone who reaches it plan changes.",
                hint="Make a token first (`homelab-mcp token create NAME`), set HOMELAB_HTTP_TOKEN or --token-file, or "
                "serve on 127.0.0.1 for this machine alone.",
                code="token_required",
            )


def approvals_address(settings: HttpSettings | None = None) -> str:
    """Where a person's browser finds the approval page, ending in ``/``; "" where that is not known.

    HOMELAB_APPROVALS_URL says it, for a page beside MCP and for one that runs alone; else it is where MCP is served.
    """
    own = f"{settings.scheme}://{settings.authority}" if settings and settings.host not in EVERYWHERE else ""
    url = os.environ.get("HOMELAB_APPROVALS_URL", "") or own
    return f"{url.rstrip('/')}{APPROVALS}/" if url else ""
